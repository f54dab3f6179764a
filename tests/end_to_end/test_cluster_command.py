"""`enginebench cluster` starts all of a cluster or nothing, and leaves nothing when it is down."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from experiments import run
from experiments.cluster import ClusterRequest, down, find, status, up
from experiments.cluster.processes import MARK, end, marked
from experiments.cluster.state import folder_of, read_started
from experiments.errors import RequestError

COMMAND = [sys.executable, "-m", "experiments", "cluster"]
DASK_ALONE = ("--engines", "dask", "--workers", "1", "--memory", "512 MiB")
TLS = ClusterRequest(name="tls", memory_bytes=2**30, tls=True, wait_s=120)


@pytest.fixture(scope="module", autouse=True)
def state():
    """Keep clusters in a folder of these tests, and see that none is left in it."""
    before = os.environ.get("ENGINEBENCH_STATE")
    folder = Path(tempfile.mkdtemp())
    os.environ["ENGINEBENCH_STATE"] = str(folder)
    yield folder
    left = [path for path in folder.rglob("*") if path.is_dir()]
    for path in (folder / "clusters").glob("*"):
        end([], str(path))
    shutil.rmtree(folder)
    if before is None:
        del os.environ["ENGINEBENCH_STATE"]
    else:
        os.environ["ENGINEBENCH_STATE"] = before
    assert left == []


@pytest.fixture(scope="module")
def encrypted():
    """Return a cluster of both engines, with certificates and a secret."""
    yield up(TLS)
    down("tls")


def command(*arguments, timeout=150, **environment):
    """Run the command and return what it did."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, **environment},
    )


def one_error(done):
    """Return the only line of errors of a command that refused a request."""
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def listening(processes):
    """Return the addresses that processes listen on."""
    found = set()
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            found |= {
                (one.laddr.ip, one.laddr.port)
                for one in process.net_connections("inet")
                if one.status == psutil.CONN_LISTEN
            }
    return found


def nothing_of(name, ports=()):
    """Tell whether no process, port or file of a cluster is left."""
    there = {
        one.laddr.port for one in psutil.net_connections("inet") if one.status == psutil.CONN_LISTEN
    }
    folder = folder_of(name)
    return not marked(str(folder)) and not folder.exists() and there.isdisjoint(ports)


def wait_for(condition, timeout=60):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_all_workers_have_registered_once_it_is_up(encrypted):
    done = command("status", "--name", "tls", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (told,) = json.loads(done.stdout)["clusters"]
    assert told["state"] == "up"
    assert told["addresses"] == {
        "dask": encrypted.dask_address,
        "spark": encrypted.spark_master,
    }
    assert told["encrypted"] == {"dask": True, "spark": True}
    for engine in ("dask", "spark"):
        members = told["registered"][engine]
        assert [(one["cores"], one["memory_bytes"]) for one in members] == [(1, 2**30)] * 2
    assert [part["name"] for part in told["parts"]] == [
        "dask-scheduler", "spark-master",
        "dask-worker-1", "spark-worker-1", "dask-worker-2", "spark-worker-2",
    ]  # fmt: skip
    assert all(part["alive"] for part in told["parts"])
    text = command("status").stdout
    assert "tls: up" in text
    assert "2 of 2 workers registered, 2 cores" in text


def test_while_it_is_up_nothing_listens_beyond_loopback(encrypted):
    addresses = listening(marked(str(encrypted.folder)))
    assert len(addresses) >= 6
    for host, port in addresses:
        address = ipaddress.ip_address(host)
        assert (getattr(address, "ipv4_mapped", None) or address).is_loopback, f"{host}:{port}"


def test_it_is_found_by_its_name_with_all_that_a_run_needs(encrypted):
    found = find("tls")
    assert found == find()
    assert found.dask_address.startswith("tls://127.0.0.1:")
    assert found.spark_master.startswith("spark://127.0.0.1:")
    assert Path(found.certificates.key).is_file()
    assert found.secret_file.is_file()


def test_secrets_are_in_no_command_line_log_or_status_and_for_their_owner_alone(encrypted):
    secret = encrypted.secret_file.read_text().strip()
    lines = Path(encrypted.certificates.key).read_text().splitlines()
    texts = [" ".join(process.cmdline()) for process in marked(str(encrypted.folder))]
    assert len(texts) >= 8
    texts += [log.read_text() for log in (encrypted.folder / "logs").iterdir()]
    texts += [command("status").stdout, command("status", "--json").stdout]
    texts.append((encrypted.folder / "cluster.json").read_text())
    for text in texts:
        assert secret not in text
        assert lines[1] not in text
    tls = Path(encrypted.certificates.key).parent
    assert encrypted.folder.stat().st_mode & 0o777 == 0o700
    for file in (encrypted.secret_file, *tls.iterdir()):
        assert file.stat().st_mode & 0o777 == 0o600
    holders = {
        path
        for path in encrypted.folder.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    }
    assert holders == {encrypted.secret_file}


def test_an_experiment_runs_on_it_by_one_bare_option(encrypted, tmp_path):
    folder = tmp_path / "run"
    done = subprocess.run(
        [
            *(*COMMAND[:-1], "run", "kmeans-digits", "--engines", "dask"),
            *("--output", str(folder), "--set", "measure.warm_repeats=0", "--cluster"),
        ],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads((folder / "run.json").read_text())["clusters"]["dask"]
    assert told["address"] == encrypted.dask_address
    assert told["source"] == "the cluster 'tls' of this machine"
    assert (told["cores"], told["encrypted"]) == (2, True)
    assert status("tls")[0].state == "up"


def test_a_cluster_without_any_engine_of_an_experiment_is_refused(encrypted, tmp_path):
    with pytest.raises(RequestError, match=r"'tls' has dask and spark, and kmeans-digits runs on"):
        run("kmeans-digits", engines=["sklearn"], cluster="tls", output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_name_is_given_to_one_cluster_only(encrypted):
    line = one_error(command("up", "--name", "tls", *DASK_ALONE))
    assert "There is a cluster 'tls' already; stop it with" in line
    assert status("tls")[0].state == "up"


def test_what_died_is_told_and_the_rest_is_stopped_all_the_same():
    cluster = up(ClusterRequest(name="half", engines=("dask",), memory_bytes=2**29, wait_s=120))
    started = read_started(cluster.folder)
    ports = {port for _, port in listening(marked(str(cluster.folder)))}
    os.kill(started["dask-worker-1"].pid, signal.SIGKILL)
    wait_for(lambda: len(status("half")[0].workers["dask"]) == 1)
    done = command("status", "--name", "half")
    assert done.returncode == 1
    assert "half: broken" in done.stdout
    assert "dask-worker-1   died, and its log does not say why; it may have" in done.stdout
    assert "dask: 1 of 2 workers are registered." in done.stdout

    os.kill(started["dask-scheduler"].pid, signal.SIGKILL)
    done = command("down", "--name", "half")
    assert (done.returncode, done.stderr) == (0, "half: stopped\n")
    assert nothing_of("half", ports)
    assert "was not there" in command("down", "--name", "half").stderr


def test_it_listens_on_the_address_that_is_given_and_no_other():
    cluster = up(
        ClusterRequest("there", ("dask",), 1, memory_bytes=2**29, host="127.0.0.2", wait_s=120)
    )
    assert cluster.dask_address.startswith("tcp://127.0.0.2:")
    assert {host for host, _ in listening(marked(str(cluster.folder)))} == {"127.0.0.2"}
    down("there")
    assert nothing_of("there")


def test_what_is_not_up_in_time_is_all_stopped():
    line = one_error(command("up", "--name", "slow", "--wait", "0.3s", *DASK_ALONE))
    assert "'slow' was not up within 0.3 s and nothing of it is left: dask-scheduler" in line
    assert nothing_of("slow")


def test_a_part_that_ends_is_named_with_the_last_line_of_its_log(tmp_path):
    (tmp_path / "dask").mkdir()
    (tmp_path / "dask" / "__init__.py").write_text("raise RuntimeError('no room on the disk')")
    line = one_error(command("up", "--name", "bad", *DASK_ALONE, PYTHONPATH=str(tmp_path)))
    assert "'bad' did not start and nothing of it is left: dask-scheduler ended" in line
    assert "no room on the disk" in line
    assert nothing_of("bad")


def test_of_two_starts_at_once_one_is_refused():
    both = [
        subprocess.Popen([*COMMAND, "up", "--name", "twice", *DASK_ALONE], stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=120)[1].decode() for process in both]
    assert sorted(process.returncode for process in both) == [0, 2]
    (refused,) = [text for text in told if text.startswith("error: ")]
    assert "is being started or stopped" in refused or "There is a cluster 'twice'" in refused
    (found,) = status("twice")
    assert found.state == "up"
    assert down("twice").was_there
    assert nothing_of("twice")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_start_that_is_stopped_leaves_nothing(ending):
    with subprocess.Popen([*COMMAND, "up", "--name", "cut", *DASK_ALONE]) as process:
        wait_for(lambda: marked(str(folder_of("cut"))))
        process.send_signal(ending)
        assert process.wait(timeout=60) == 130
    assert nothing_of("cut")


def test_what_a_killed_start_has_left_is_removed_by_down():
    with subprocess.Popen([*COMMAND, "up", "--name", "killed", *DASK_ALONE]) as process:
        wait_for(lambda: marked(str(folder_of("killed"))))
        process.kill()
    (found,) = status("killed")
    assert (found.state, "Its start was cut short." in found.problems) == ("broken", True)
    with pytest.raises(RequestError, match="'killed' is not up"):
        find("killed")
    assert down("killed").was_there
    assert nothing_of("killed")


@contextlib.contextmanager
def role(*arguments, log):
    """Run a part in the foreground; end it if the test has not."""
    with log.open("w") as errors:
        process = subprocess.Popen([*COMMAND, "role", *map(str, arguments)], stderr=errors)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def parts_below(process):
    """Return what a part in the foreground has started, by the mark that it carries."""
    marks = {child.environ().get(MARK) for child in psutil.Process(process.pid).children()}
    return [one for mark in marks if mark for one in marked(mark)], marks


# what workers register with, the scheme of its address, the option and file that protect it, and
# what a worker logs once it has registered
DASK = ("dask-scheduler", "tls", "--tls-folder", "tls", "Registered to")
SPARK = ("spark-master", "spark", "--secret-file", "spark-secret", "Successfully registered")


@pytest.mark.parametrize(("engine", "kind"), [("dask", DASK), ("spark", SPARK)])
def test_parts_in_the_foreground_make_a_cluster_and_end_when_told(
    engine, kind, tmp_path, monkeypatch
):
    head, scheme, option, secret, registered = kind
    assert command("secrets", str(tmp_path / "secrets")).returncode == 0
    security = (option, tmp_path / "secrets" / secret)
    port = free_port()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    address = ("--address", f"{scheme}://127.0.0.1:{port}", "--memory", "1 GiB")
    log = tmp_path / "worker.log"
    with role(head, "--port", port, *security, log=tmp_path / "head.log") as first:
        wait_for(lambda: listens(port))
        with role(f"{engine}-worker", *address, *security, log=log) as second:
            wait_for(lambda: registered in log.read_text(), timeout=120)
            below, marks = parts_below(second)
            # with the nanny's worker, or the Java that a script has become
            assert len(below) >= (2 if engine == "dask" else 1)
            for process in (second, first):
                process.send_signal(signal.SIGTERM)
                assert process.wait(timeout=60) == 0
    assert all(marked(mark) == [] for mark in marks)
    assert [path.name for path in temporary.glob("enginebench-*")] == []


def listens(port):
    """Tell whether somebody listens on a port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def test_a_part_that_ends_by_itself_gives_another_exit_code(tmp_path):
    log = tmp_path / "log"
    with (
        socket.socket() as taken,
        role("dask-scheduler", "--port", taking(taken), log=log) as process,
    ):
        assert process.wait(timeout=60) == 1
    assert "dask-scheduler ended by itself with 1" in log.read_text()
    assert "already in use" in log.read_text()


def taking(taken):
    """Listen on a port and return it."""
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    return taken.getsockname()[1]
