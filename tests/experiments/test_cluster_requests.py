"""What is asked of `enginebench cluster` is refused in one sentence, before anything starts."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from experiments import cli
from experiments.cluster.request import check
from experiments.cluster_command import with_bare_option
from experiments.errors import RequestError


@pytest.fixture
def state(tmp_path, monkeypatch):
    """Return the folder where clusters are kept, which is not there yet."""
    monkeypatch.setenv("ENGINEBENCH_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(autouse=True)
def cores(monkeypatch):
    """Have this machine give two cores, whatever it has."""
    monkeypatch.setattr("experiments.cluster.request.usable_cores", lambda: 2)


@pytest.fixture
def command(capsys, state):
    """Return a function that runs the command here and gives code, output and errors."""

    def run(*arguments):
        code = cli.run_command(["cluster", *(str(argument) for argument in arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


WORKER = ("role", "dask-worker")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Missing command; 'enginebench cluster --help' tells more."),
        (("upp",), "'upp'. Did you mean 'up'? 'enginebench cluster --help' tells more."),
        (("up", "--worker", "1"), "'enginebench cluster up --help' tells more."),
        (("up", "--name", "../x"), "--name: '../x' is no name of a cluster"),
        (("up", "--engines", "sklearn"), "--engines: there is no cluster of 'sklearn'"),
        (("up", "--engines", ","), "--engines: name at least one of dask, spark"),
        (("up", "--workers", "0"), "--workers: must be from 1 to 64; got 0"),
        (("up", "--threads", "0"), "--threads: must be at least 1; got 0"),
        (("up", "--threads", "500"), "--threads: 1 worker of 500 threads needs 500 cores and"),
        (("up", "--workers", "64"), "--workers: 64 workers of 1 thread need 64 cores and this"),
        (("up", "--workers", "1", "--threads", "65"), "may use 2; workers times threads may be 2"),
        (("up", "--memory", "much"), "--memory: must be a size"),
        (("up", "--memory", "100 MiB"), "--memory: a worker of dask needs at least 512 MiB"),
        (("up", "--memory", "700 MiB"), "--memory: a worker of spark needs at least 1 GiB"),
        (("up", "--memory", "50 TiB"), "2 workers of 50 TiB need 102400.0 GiB"),
        (("up", "--wait", "soon"), "--wait: must be a duration"),
        (("up", "--host", "0.0.0.0"), "would listen on every address"),  # noqa: S104 - refused
        (("up", "--host", "192.0.2.1"), "192.0.2.1 is no address of this machine"),
        (("up", "--host", "no.such.name.invalid"), "is no address of this machine"),
        (("status", "--name", "x"), "There is no cluster 'x'; start one with"),
        (("down", "--name", "x", "--all"), "--name and --all ask for different things"),
        (("role", "dask-nanny"), "There is no role 'dask-nanny'; choose from dask-scheduler"),
        (("role", "dask-scheduler", "--port", "70000"), "--port: must be from 0 to 65535"),
        (("role", "dask-scheduler", "--address", "tcp://h:1"), "--address is for workers"),
        (("role", "dask-scheduler", "--secret-file", "f"), "--secret-file is for Spark"),
        (("role", "spark-master", "--tls-folder", "f"), "--tls-folder is for Dask"),
        (("role", "spark-master", "--secret-file", "absent"), "absent cannot be read"),
        (("role", "dask-scheduler", "--tls-folder", "absent"), "ca.pem cannot be read"),
        (("role", "spark-worker"), "spark-worker needs the --address of its master: spark://"),
        ((*WORKER, "--address", "tcp://h:99999"), "--address: its port must be from 1 to 65535;"),
        ((*WORKER, "--address", "tcp://h:0"), "--address: its port must be from 1 to 65535; got 0"),
        ((*WORKER, "--address", "tls://h:1"), "without --tls-folder takes tcp://HOST:8786"),
        ((*WORKER, "--address", "tcp://h:1", "--threads", "0"), "--threads: must be at least 1"),
        ((*WORKER, "--address", "tcp://h:1", "--memory", "1 MB"), "at least 512 MiB; got 1 MB"),
        ((*WORKER, "--address", "tcp://h:1", "--name", "a b"), "'a b' is no name of a worker"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_leaves_nothing(command, state, arguments, says):
    code, out, errors = command(*arguments)
    assert code == 2
    assert out == ""
    (line,) = errors.splitlines()
    assert line.startswith("error: ")
    assert says in line
    assert not state.exists()


@pytest.mark.parametrize(
    ("cores", "threads", "workers"), [(1, 1, 1), (2, 1, 2), (2, 2, 1), (16, 1, 2), (3, 2, 1)]
)
def test_as_many_workers_as_the_cores_allow_and_no_more_than_two_start_by_default(
    command, monkeypatch, cores, threads, workers
):
    asked = []

    def up(request):
        check(request)
        asked.append(request.workers)
        raise RequestError("enough")

    monkeypatch.setattr("experiments.cluster.up", up)
    monkeypatch.setattr("experiments.cluster.request.usable_cores", lambda: cores)
    assert command("up", "--threads", threads)[2] == "error: enough\n"
    assert asked == [workers]


@pytest.fixture
def tls(command, tmp_path):
    """Return a folder of certificates, and another of which others know nothing."""
    for name in ("a", "b"):
        command("secrets", tmp_path / name)
    return tmp_path / "a" / "tls", tmp_path / "b" / "tls"


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("ca.pem", "no PEM", "ca.pem is no certificate in PEM form"),
        ("ca.pem", "", "ca.pem is no certificate in PEM form"),
        ("cert.pem", "no PEM", "cert.pem is no certificate in PEM form"),
        ("key.pem", "no PEM", "key.pem is no key in PEM form without a passphrase"),
        ("key.pem", None, "cert.pem and key.pem do not belong together"),
    ],
)
def test_certificates_that_cannot_be_used_are_named_in_one_sentence(
    command, tls, file, content, says
):
    own, others = tls
    (own / file).write_text((others / file).read_text() if content is None else content)
    code, out, errors = command("role", "dask-scheduler", "--tls-folder", own, "--port", "0")
    assert (code, out) == (2, "")
    (line,) = errors.splitlines()
    assert line.startswith(f"error: --tls-folder: {own}")
    assert says in line
    assert "'enginebench cluster secrets DIR' makes such files." in line


def test_a_key_that_asks_for_a_password_is_refused_and_asks_nobody(command, tls):
    own, _ = tls
    key = load_pem_private_key((own / "key.pem").read_bytes(), None)
    locked = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hunter2")
    )
    (own / "key.pem").write_bytes(locked)
    code, _, errors = command("role", "dask-scheduler", "--tls-folder", own, "--port", "0")
    assert code == 2
    assert "key.pem is no key in PEM form without a passphrase" in errors


def test_a_password_in_an_address_is_not_repeated(command):
    code, _, errors = command(*WORKER, "--address", "tcp://user:hunter2@host:1")
    assert code == 2
    assert "must look like tcp://HOST:8786" in errors
    assert "hunter2" not in errors


def test_stopping_what_is_not_there_is_done_already(command, state):
    code, _, errors = command("down")
    assert code == 0
    assert "default: was not there" in errors
    assert command("down", "--all")[0] == 0
    assert not state.exists()


def test_no_cluster_is_no_problem(command):
    code, out, errors = command("status")
    assert (code, out) == (0, "")
    assert "no cluster is up" in errors


def test_secrets_are_files_for_their_owner_alone_and_are_never_replaced(command, tmp_path):
    folder = tmp_path / "secrets"
    code, out, _ = command("secrets", folder)
    assert code == 0
    assert out.split() == [str(folder / "tls"), str(folder / "spark-secret")]
    files = [folder / "spark-secret", *(folder / "tls").iterdir()]
    assert {file.name for file in files} == {"spark-secret", "ca.pem", "cert.pem", "key.pem"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert len((folder / "spark-secret").read_text().strip()) == 64
    before = [file.read_bytes() for file in files]

    code, _, errors = command("secrets", folder)
    assert code == 2
    assert "is there already" in errors
    assert [file.read_bytes() for file in files] == before


def test_two_secrets_differ(command, tmp_path):
    command("secrets", tmp_path / "a")
    command("secrets", tmp_path / "b")
    one, other = ((tmp_path / name / "spark-secret").read_text() for name in "ab")
    assert one != other


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["run", "x", "--cluster"], ["run", "x", "--cluster="]),
        (["run", "x", "--cluster", "--json"], ["run", "x", "--cluster=", "--json"]),
        (["run", "x", "--cluster", "big"], ["run", "x", "--cluster", "big"]),
        (["run", "--cluster=big", "x"], ["run", "--cluster=big", "x"]),
        (["run", "--", "--cluster"], ["run", "--", "--cluster"]),
    ],
)
def test_the_name_of_a_cluster_may_be_left_out(given, meant):
    assert with_bare_option(given) == meant


def test_an_experiment_that_was_taken_for_the_name_of_a_cluster_is_told(capsys, state):
    assert cli.run_command(["run", "--cluster", "kmeans-digits"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "error: Missing argument 'EXPERIMENT...', as kmeans-digits behind --cluster was taken for "
        "the name of a cluster; give --cluster last; 'enginebench run --help' tells more."
    )
    for others in (["run", "--cluster"], ["run"], ["run", "--cluster=one"]):
        assert cli.run_command(others) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "Missing argument 'EXPERIMENT...'; 'enginebench run --help' tells more." in line


def test_a_run_on_a_cluster_that_is_not_up_is_refused(capsys, state):
    assert cli.run_command(["run", "kmeans-digits", "--cluster"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "There is no cluster 'default'; start one with 'enginebench cluster up'" in line


def test_help_of_the_group_imports_nothing_heavy():
    heavy = {"distributed", "pyspark", "numpy", "yaml", "psutil", "rich", "cryptography"}
    program = (
        "import sys\n"
        "from experiments import cli\n"
        "assert cli.run_command(['cluster', '--help']) == 0\n"
        "assert cli.run_command(['cluster', 'up', '--help']) == 0\n"
        f"print(sorted({heavy!r} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--engines" in done.stdout
