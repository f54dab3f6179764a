"""Clusters for the tests that join them, and what must be left of a cluster after each test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from experiments.cluster import status
from experiments.runner import protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from experiments.cluster import Cluster

COMMAND = str(Path(sys.executable).with_name("enginebench"))
MARK = "ENGINEBENCH_CLUSTER_TESTS"
# of an executor, of its Python workers and of what watches them
OF_A_SESSION = ("CoarseGrainedExecutorBackend", "engines.spark.daemon", "engines.spark.sampler")


class Marked:
    """What carries the mark that these tests put into the environment of all they start."""

    @staticmethod
    def processes(*words: str) -> list[psutil.Process]:
        """Return the live ones; with words, those whose command line has one of them."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get(MARK) == str(os.getpid())
                if not ours or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                line = " ".join(process.cmdline())
            except (psutil.Error, OSError):
                continue
            if not words or any(word in line for word in words):
                found.append(process)
        return found

    @classmethod
    def of_runs(cls) -> list[str]:
        """Return the command lines of what runs have left, on the client or on workers."""
        found = [*cls.processes(*OF_A_SESSION)]
        for process in cls.processes():
            try:
                if protocol.TOKEN in process.environ():
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return sorted({" ".join(_command(process)) for process in found})

    @classmethod
    def hosts(cls) -> set[str]:
        """Return the addresses that any of them listens on."""
        found = set()
        for process in cls.processes():
            try:
                sockets = process.net_connections("inet")
            except (psutil.Error, OSError):
                continue
            addresses = (one.laddr.ip for one in sockets if one.status == psutil.CONN_LISTEN)
            # Java writes 127.0.0.1 as an address of IPv6
            found |= {address.removeprefix("::ffff:") for address in addresses}
        return found


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return ["(gone)"]


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    """Return whether something came true within some seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture(scope="module")
def marked() -> Iterator[type[Marked]]:
    """Mark what the tests of a module start; at its end nothing of that is there."""
    os.environ[MARK] = str(os.getpid())
    yield Marked
    wait_until(lambda: not Marked.processes(), 10)
    left = [_command(process) for process in Marked.processes()]
    del os.environ[MARK]
    assert left == []


@pytest.fixture(scope="module")
def cluster(marked: type[Marked], start_cluster) -> Iterator[Cluster]:
    """Two workers of Dask and two of Spark, which talk in the open on loopback."""
    with start_cluster("plain", "--memory", "1 GiB") as running:
        yield running


@pytest.fixture(scope="module")
def secure(marked: type[Marked], start_cluster) -> Iterator[Cluster]:
    """Two workers of Dask and two of Spark, which encrypt what they say and ask who talks."""
    with start_cluster("secure", "--memory", "1 GiB", "--tls") as running:
        yield running


@pytest.fixture
def enginebench(marked: type[Marked], tmp_path: Path):
    """Return a function that runs the command in a folder of the test."""

    def run(*arguments: str, timeout: float = 400, **environ: str):
        return subprocess.run(
            [COMMAND, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


class Look:
    """A look at a cluster from outside.

    Parameters
    ----------
    cluster : Cluster
        Which one.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._kept = None

    until = staticmethod(wait_until)

    def whole(self) -> bool:
        """Return whether all runs, with every worker registered."""
        (found,) = status(self._cluster.name)
        return found.state == "up"

    def spark_cores_used(self) -> int:
        """Ask Spark's master how many cores applications hold."""
        with urllib.request.urlopen(f"{self._cluster.spark_web}/json/", timeout=10) as answer:  # noqa: S310 - the page of a cluster of ours
            return int(json.load(answer)["coresused"])

    def dask_holds(self) -> dict[str, object]:
        """Ask Dask's scheduler what clients have left with it: tasks, and what they added to it."""

        def kept(dask_scheduler):
            return {
                "tasks": len(dask_scheduler.tasks),
                "clients": len(dask_scheduler.clients),
                "plugins": sorted(map(str, dask_scheduler.plugins)),
                "worker plugins": sorted(map(str, dask_scheduler.worker_plugins)),
                "resources": {k: sorted(v) for k, v in dask_scheduler.resources.items() if v},
            }

        return self.ask_scheduler(kept)

    def ask_scheduler(self, question):
        """Return what a function finds out in the scheduler."""
        from distributed import Client
        from distributed.security import Security

        files = self._cluster.certificates
        security = files and Security(
            tls_ca_file=files.ca_file,
            tls_client_cert=files.cert,
            tls_client_key=files.key,
            require_encryption=True,
        )
        address = self._cluster.dask_address
        with Client(address, timeout=20, set_as_default=False, security=security) as client:
            return client.run_on_scheduler(question)

    def as_before(self) -> bool:
        """Return whether nothing is left of any session that joined since the first look."""
        held = self.dask_holds()
        self._kept = self._kept or held
        return held == self._kept and self.spark_cores_used() == 0


@pytest.fixture(scope="module")
def look(cluster: Cluster) -> Look:
    """Look at the open cluster; nobody has joined it yet."""
    looked = Look(cluster)
    assert looked.as_before()
    return looked


@pytest.fixture
def left_alone(cluster: Cluster, look: Look, marked: type[Marked]) -> Iterator[None]:
    """After a test the cluster is whole, and nothing is left on it or here of what joined it."""
    yield
    assert wait_until(look.whole, 40), status(cluster.name)
    assert wait_until(look.as_before, 20), (look.dask_holds(), look.spark_cores_used())
    assert wait_until(lambda: not marked.of_runs(), 20), marked.of_runs()
    assert marked.hosts() == {"127.0.0.1"}
