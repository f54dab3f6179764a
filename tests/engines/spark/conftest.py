"""Data, sessions and clusters for the tests of the Spark engine.

Only one session runs at a time.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engines.roles import RoleOptions
from engines.spark import roles
from engines.types import Resources
from experiments.datasets import prepare
from experiments.datasets.options import BlobsOptions, ClassificationOptions, SplitOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines.prepared import Prepared
    from engines.roles import Role

HOST = "127.0.0.1"
PATIENCE_S = 180.0  # seconds for a cluster on a machine that does much else
SPLIT = SplitOptions(test_fraction=0.25)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests before any fixture keeps a session open to the end of the run."""
    here = Path(__file__).parent
    items.sort(key=lambda item: here not in item.path.parents)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("datasets")


@pytest.fixture(scope="session")
def blobs(cache: Path) -> Prepared:
    options = BlobsOptions(n_samples=2000, n_features=5, centers=6, cluster_std=2.0)
    return prepare(options, SPLIT, label_kind="auto", min_row_groups=3, cache=cache)


@pytest.fixture(scope="session")
def binary(cache: Path) -> Prepared:
    options = ClassificationOptions(n_samples=2000, n_features=8, n_informative=4, levels=256)
    return prepare(options, SPLIT, label_kind="classes", min_row_groups=2, cache=cache)


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Resources:
    scratch = tmp_path_factory.mktemp("scratch")
    return Resources(
        cores=2, memory_bytes=2 * 2**30, workers=2, threads_per_worker=1, scratch=scratch
    )


@dataclass(frozen=True)
class Standalone:
    """A running cluster.

    Parameters
    ----------
    address : str
        Of its master.
    web_port : int
        Of the master's page.
    master : subprocess.Popen
        Its process.
    workers : list of subprocess.Popen
        Their processes.
    folder : pathlib.Path
        Where all write, their logs too.
    """

    address: str
    web_port: int
    master: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]
    folder: Path

    def state(self) -> dict[str, object]:
        """Return what the master tells of itself."""
        with urllib.request.urlopen(f"http://{HOST}:{self.web_port}/json/", timeout=10) as page:
            told: dict[str, object] = json.load(page)
        return told

    def is_up(self, workers: int) -> bool:
        """Tell whether so many workers are registered; its page answers before it can tell."""
        try:
            return self.state()["aliveworkers"] == workers
        except ValueError:
            return False


@contextmanager
def standalone(
    folder: Path,
    workers: int = 2,
    threads: int = 1,
    secret_variable: str | None = None,
    environment: dict[str, str] | None = None,
) -> Iterator[Standalone]:
    """Start a master and its workers, wait until they know each other, and end them."""
    port, web_port = _free_port(), _free_port()
    address = f"spark://{HOST}:{port}"

    def options(port: int) -> RoleOptions:
        return RoleOptions(HOST, port, folder, threads, 2**30, secret_variable=secret_variable)

    started: list[subprocess.Popen[bytes]] = []
    try:
        master = roles.master(options(port), web_port)
        started.append(_start(master, folder / "master.log", {}))
        _wait_for_port(port, started[0], folder / "master.log")
        _wait_for_port(web_port, started[0], folder / "master.log")
        for number in range(workers):
            role = roles.worker(options(0), address, f"worker-{number}")
            log = folder / f"worker-{number}.log"
            started.append(_start(role, log, environment or {}))
        cluster = Standalone(address, web_port, started[0], started[1:], folder)
        deadline = time.monotonic() + PATIENCE_S
        while not cluster.is_up(workers):
            assert time.monotonic() < deadline, "the workers do not come up"
            time.sleep(0.2)
        yield cluster
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(role: Role, log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            role.command,
            env={**os.environ, **role.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "the master does not come up"
            time.sleep(0.2)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def start_standalone() -> Callable[..., Any]:
    """Return what starts a cluster in a ``with``; see `standalone`."""
    return standalone
