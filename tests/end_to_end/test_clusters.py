"""An experiment runs on clusters of real processes; one that it cannot join is one sentence."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from experiments.records import read_records

COMMAND = str(Path(sys.executable).with_name("enginebench"))
ENGINES = ("sklearn", "dask", "spark")
SHORT = """
name: on-clusters
dataset: {source: blobs, n_samples: 3000, n_features: 5, centers: 4, cluster_std: 3, seed: 1}
workload: {kind: kmeans, n_clusters: 4, init: shared, max_iter: 10}
engines: {sklearn: {}, dask: {workers: 2}, spark: {workers: 2}}
resources: {cores: 2, memory: 4 GiB}
measure: {rounds: 1, warm_repeats: 0, timeout: 2 min}
metrics: [inertia]
"""
# longer than any test takes
LONG = """
name: long
dataset: {source: blobs, n_samples: 60_000, n_features: 10, centers: 5, cluster_std: 9, seed: 0}
workload: {kind: kmeans, n_clusters: 40, init: shared, max_iter: 100_000, tol: 0}
engines: {dask: {workers: 2}, spark: {workers: 2}}
resources: {cores: 2, memory: 4 GiB}
measure: {rounds: 1, warm_repeats: 0, timeout: 5 min}
metrics: [inertia]
"""
# more than it takes to say that something does not work, over the time that it may take
SAYING_S = 45


@pytest.fixture(autouse=True)
def definitions(tmp_path):
    """Write the definitions that tests run."""
    (tmp_path / "short.yaml").write_text(SHORT)
    (tmp_path / "long.yaml").write_text(LONG)


def of_engines(run):
    return {record.engine: record for record in read_records(run / "records.jsonl")}


def check_completed(done, run, engines=ENGINES):
    """Check that every engine completed with the same numbers, on the workers it was to."""
    assert done.returncode == 0, done.stderr
    found = of_engines(run)
    assert set(found) == set(engines)
    assert {record.outcome for record in found.values()} == {"completed"}, done.stdout
    inertia = found["dask"].metrics["inertia"]
    for record in found.values():
        assert record.metrics["inertia"] == pytest.approx(inertia, rel=1e-9)
        assert (record.facts["cores"], record.facts["workers"]) == (
            (2, 1) if record.engine == "sklearn" else (2, 2)
        )
    return found


WAYS = {
    "definition": lambda one: (
        {"dask": ("address", one.dask_address), "spark": ("master", one.spark_master)},
        [],
        {},
    ),
    "set, environment": lambda one: (
        {},
        ["--set", f"engines.dask.address={one.dask_address}"],
        {"SPARK_MASTER": one.spark_master},
    ),
    "environment, set": lambda one: (
        {},
        ["--set", f"engines.spark.master={one.spark_master}"],
        {"DASK_SCHEDULER_ADDRESS": one.dask_address},
    ),
}


@pytest.mark.usefixtures("left_alone")
@pytest.mark.parametrize("way", WAYS)
def test_engines_join_clusters_that_are_named(way, cluster, enginebench, tmp_path):
    written, options, environ = WAYS[way](cluster)
    text = SHORT
    for engine, (key, address) in written.items():
        text = text.replace(f"{engine}: {{", f'{engine}: {{{key}: "{address}", ')
    (tmp_path / "named.yaml").write_text(text)
    engines = ENGINES if way == "definition" else ENGINES[1:]
    options += ["--engines", ",".join(engines), "--output", "run"]
    done = enginebench("run", "named.yaml", *options, **environ)
    found = check_completed(done, tmp_path / "run", engines)
    for engine, address in (("dask", cluster.dask_address), ("spark", cluster.spark_master)):
        details = found[engine].facts["details"]
        assert (details["attached"], details["address"]) == (True, address)
        assert f"{address}" in done.stderr
    for engine in engines[-2:]:
        (fit,) = (phase for phase in found[engine].phases if phase.name == "fit")
        assert len({share.worker for share in fit.workers}) == 2
        for share in fit.workers:
            assert share.cpu_s > 0
            assert share.peak_memory_bytes > 30 * 2**20
    if "sklearn" in found:
        assert "attached" not in found["sklearn"].facts["details"]
        assert not any(phase.workers for phase in found["sklearn"].phases)


def private_lines(cluster):
    """Return what nobody is to see: the secret, and the lines of the private key."""
    key = Path(cluster.certificates.key).read_text(encoding="ascii").splitlines()
    secret = cluster.secret_file.read_text(encoding="ascii").strip()
    assert len(secret) >= 32
    return [secret, *(line for line in key if not line.startswith("-----") and len(line) > 20)]


class CommandLines(threading.Thread):
    """Collect the command lines of all processes of the machine until it is told to stop."""

    def __init__(self):
        super().__init__()
        self.seen = set()
        self._over = threading.Event()

    def run(self):
        while not self._over.wait(0.2):
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error):
                    self.seen.add("\0".join(process.cmdline()))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *failure):
        self._over.set()
        self.join()


def test_a_run_on_an_encrypted_cluster_shows_its_secrets_nowhere(
    secure, enginebench, tmp_path, marked
):
    with CommandLines() as lines:
        done = enginebench(
            "run", "short.yaml", "--engines", "dask,spark", "--output", "run", "--cluster", "secure"
        )
    found = check_completed(done, tmp_path / "run", ENGINES[1:])
    for record in found.values():
        assert record.facts["details"]["encrypted"] is True
        assert not any("encrypt" in told for told in record.warnings)
    assert found["dask"].facts["details"]["address"].startswith("tls://")
    again = enginebench("report", "run", "--json")
    assert again.returncode == 0
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert {"run.json", "definition.yaml", "report.html"} <= {path.name for path in files}
    files += [path for path in (secure.folder / "logs").rglob("*") if path.is_file()]
    texts = {str(path): path.read_bytes() for path in files}
    texts |= {"output": (done.stdout + done.stderr + again.stdout).encode()}
    texts |= {"command lines": "\n".join(lines.seen).encode()}
    for private in map(str.encode, private_lines(secure)):
        assert not [name for name, text in texts.items() if private in text]
    assert marked.hosts() == {"127.0.0.1"}


@pytest.fixture(scope="module")
def free_port():
    """Return a port of loopback where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def other_secrets(tmp_path_factory):
    """Write certificates and a secret that no cluster knows."""
    folder = tmp_path_factory.mktemp("others") / "secrets"
    done = subprocess.run(
        [COMMAND, "cluster", "secrets", folder], capture_output=True, text=True, check=True
    )
    tls, secret = map(Path, done.stdout.split())
    return tls, secret


def refused(enginebench, tmp_path, *arguments, wait_s=5, **environ):
    """Run on what cannot be joined; return the one sentence that says why."""
    before = time.monotonic()
    done = enginebench("run", "short.yaml", *arguments, "--output", "run", **environ)
    assert time.monotonic() - before < wait_s + SAYING_S
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
    *told, last = done.stderr.strip().splitlines()
    assert last.startswith("error: "), done.stderr
    # before it stands only which cluster is being joined
    assert all("error" not in line for line in told), done.stderr
    return last


@pytest.mark.parametrize("engine", ["dask", "spark"])
def test_an_address_where_nobody_is_is_one_sentence(
    engine, free_port, enginebench, tmp_path, marked
):
    address = f"{'tcp' if engine == 'dask' else 'spark'}://127.0.0.1:{free_port}"
    key = "address" if engine == "dask" else "master"
    told = refused(
        enginebench, tmp_path, "--engines", engine, "--set", f"engines.{engine}.{key}={address}",
        "--set", f"engines.{engine}.wait=5 s",
    )  # fmt: skip
    assert f"engines.{engine}" in told
    assert address in told


def test_certificates_that_the_cluster_does_not_know_are_one_sentence(
    secure, other_secrets, enginebench, tmp_path
):
    folder, _ = other_secrets
    told = refused(
        enginebench, tmp_path, "--engines", "dask", "--set", "engines.dask.wait=5 s",
        DASK_SCHEDULER_ADDRESS=secure.dask_address,
        DASK_DISTRIBUTED__COMM__TLS__CA_FILE=str(folder / "ca.pem"),
        DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT=str(folder / "cert.pem"),
        DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY=str(folder / "key.pem"),
    )  # fmt: skip
    assert secure.dask_address in told
    assert "certificate" in told


@pytest.mark.parametrize("known", [True, False], ids=["another secret", "no secret"])
def test_a_secret_that_the_cluster_does_not_know_is_one_sentence(
    known, secure, other_secrets, enginebench, tmp_path
):
    given = other_secrets[1].read_text().strip()
    environ = {"ENGINEBENCH_SPARK_SECRET": given} if known else {}
    told = refused(
        enginebench, tmp_path, "--engines", "spark", "--set", "engines.spark.wait=10 s",
        wait_s=10, SPARK_MASTER=secure.spark_master, **environ,
    )  # fmt: skip
    assert secure.spark_master in told
    assert "secret" in told or "authenticat" in told
    assert given not in told


@pytest.fixture(scope="module")
def older(marked, start_cluster, tmp_path_factory):
    """Start workers that find another version of scikit-learn than this machine has."""
    folder = tmp_path_factory.mktemp("older")
    described = folder / "scikit_learn-0.24.2.dist-info"
    described.mkdir()
    text = "Metadata-Version: 2.1\nName: scikit-learn\nVersion: 0.24.2\n"
    (described / "METADATA").write_text(text)
    options = ("--workers", "1", "--threads", "2", "--memory", "1 GiB")
    with start_cluster("older", *options, PYTHONPATH=str(folder)) as running:
        yield running


@pytest.mark.parametrize("engine", ["dask", "spark"])
def test_workers_with_another_version_are_one_sentence_that_names_both(
    engine, older, enginebench, tmp_path
):
    import sklearn

    options = ["--engines", engine, "--cluster", "older"]
    if engine == "dask":
        options += ["--set", "engines.dask.workers=1", "--set", "engines.dask.threads_per_worker=2"]
    told = refused(enginebench, tmp_path, *options, wait_s=20)
    assert "scikit-learn 0.24.2" in told
    assert sklearn.__version__ in told


@pytest.mark.usefixtures("left_alone")
def test_a_scheduler_whose_workers_are_busy_is_one_sentence(cluster, enginebench, tmp_path):
    from distributed import Client

    with Client(cluster.dask_address, timeout=20, set_as_default=False) as client:
        # more than each worker has threads, and longer than this test waits
        naps = client.map(time.sleep, [30.0, 30.1, 30.2, 30.3], pure=False)
        told = refused(
            enginebench, tmp_path, "--engines", "dask", "--set", "engines.dask.wait=5 s",
            DASK_SCHEDULER_ADDRESS=cluster.dask_address,
        )  # fmt: skip
        client.cancel(naps, force=True)
        del naps
    assert cluster.dask_address in told
    assert re.search(r"\b5 s\b", told)
    # threads that sleep cannot be ended, only waited for
    time.sleep(20)


class Background:
    """A run of the command in the background, ended with the test.

    Parameters
    ----------
    folder : pathlib.Path
        Where it runs, and its run folder is ``long``.
    engine : str
        The engine that it runs.
    address : str
        The cluster that the engine joins.
    """

    def __init__(self, folder, engine, address):
        key = "address" if engine == "dask" else "master"
        command = [COMMAND, "run", "long.yaml", "--engines", engine, "--output", "long"]
        command += ["--set", f"engines.{engine}.{key}={address}"]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self._logs = folder / "long" / "logs"

    def fits(self):
        """Return whether the engine's own process has started, after the first look was over."""
        assert self.process.poll() is None, self.process.stderr.read()
        return self._logs.is_dir() and any(self._logs.iterdir())

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=30)


def computing(dask_scheduler):
    """Tell in the scheduler whether workers are at it."""
    return sum(len(worker.processing) for worker in dask_scheduler.workers.values()) > 0


@pytest.mark.usefixtures("left_alone")
def test_cores_that_another_run_holds_are_one_sentence_and_a_killed_run_gives_them_back(
    cluster, look, enginebench, tmp_path
):
    with Background(tmp_path, "spark", cluster.spark_master) as first:
        assert look.until(lambda: first.fits() and look.spark_cores_used() == 2, 90)
        told = refused(
            enginebench, tmp_path, "--engines", "spark", "--set", "engines.spark.wait=5 s",
            SPARK_MASTER=cluster.spark_master,
        )  # fmt: skip
        assert first.process.poll() is None
        first.process.send_signal(signal.SIGKILL)
    assert cluster.spark_master in told
    assert re.search(r"\b0 of the 2 cores\b", told)
    assert look.until(lambda: look.spark_cores_used() == 0, 30)


@pytest.mark.usefixtures("left_alone")
@pytest.mark.parametrize(
    ("engine", "number"),
    [("dask", signal.SIGINT), ("dask", signal.SIGKILL), ("spark", signal.SIGINT)],
    ids=["dask, Ctrl-C", "dask, SIGKILL", "spark, Ctrl-C"],
)
def test_a_cluster_outlives_a_run_that_is_stopped(engine, number, cluster, look, tmp_path):
    def at_it():
        if engine == "spark":
            return look.spark_cores_used() == 2
        return look.ask_scheduler(computing)

    address = cluster.dask_address if engine == "dask" else cluster.spark_master
    with Background(tmp_path, engine, address) as run:
        assert look.until(lambda: run.fits() and at_it(), 90)
        run.process.send_signal(number)
        pressed = time.monotonic()
        _, said = run.process.communicate(timeout=30)
        assert time.monotonic() - pressed < 8
    assert "Traceback" not in said
    assert run.process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    assert look.whole()
    if number == signal.SIGINT:
        assert json.loads((tmp_path / "long" / "run.json").read_text())["interrupted"]
