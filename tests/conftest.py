"""Fixtures of every test: the engines of the project's own pytest plugin, as the contract has them.

The plugin gives `engine_name`, with ``--engines``, and `engine`: one open session for all tests of
an engine, since a process can hold one JVM only.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engines import engine_names, get_engine
from engines.errors import JavaError, UnsupportedFeatureError
from engines.spark.jvm import find_java
from engines.types import Attachment, Resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from engines.base import Engine
    from experiments.cluster import Cluster

COMMAND = str(Path(sys.executable).with_name("enginebench"))
CORES = 2
MEMORY_BYTES = 3 * 2**30
CLUSTERED = ("dask", "spark")
# files whose tests share nothing slow with their neighbours
APART = (
    "tests/end_to_end/test_catalogue_numbers.py",
    "tests/end_to_end/test_outcomes.py",
    "tests/end_to_end/test_searches.py",
    "tests/plugin/test_pytest_plugin.py",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the contract be run on clusters that a session joins."""
    parser.addoption(
        "--attached",
        action="store_true",
        help="run tests of an engine on Dask and Spark, joined to a cluster of two workers that "
        "'enginebench cluster up' starts",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C reach what tests start, and test all engines.

    A shell makes what it starts in the background ignore Ctrl-C, and every process hands that on.
    The plugin leaves out engines that are not installed; here one is a failure. What is kept from
    one run to the next lies with what pytest keeps, and not in the cache of who runs the tests.
    """
    _part_workers(config)
    _compile_quickly(config)
    _keep_clusters_apart(config)
    if "ENGINEBENCH_CACHE" not in os.environ:
        kept = getattr(config, "cache", None)
        if kept:
            folder = str(kept.mkdir("enginebench"))
        else:
            unkept = tempfile.TemporaryDirectory(prefix="enginebench-")
            config.add_cleanup(unkept.cleanup)
            folder = unkept.name
        os.environ["ENGINEBENCH_CACHE"] = folder
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.option.enginebench_engines is None:
        config.option.enginebench_engines = ",".join(
            name for name in engine_names() if name in CLUSTERED or not config.option.attached
        )


def _part_workers(config: pytest.Config) -> None:
    """Where pytest-xdist runs this beside others, have temporary files in a folder of our own.

    Tests look there for what was left behind. What tests start is no part of pytest-xdist.
    """
    if not hasattr(config, "workerinput"):
        return
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
        os.environ.pop(name, None)
    # a short path: names of sockets in it are limited
    own = tempfile.TemporaryDirectory(prefix="tests-", ignore_cleanup_errors=True)
    config.add_cleanup(own.cleanup)
    os.environ["TMPDIR"] = tempfile.tempdir = own.name


def _compile_quickly(config: pytest.Config) -> None:
    """Have Java compile in one pass: on small data, optimising takes half of a JVM's seconds.

    What is computed is the same. Tests that must have Java as people have it unset JAVA_HOME.
    """
    if hasattr(config, "workerinput"):  # whoever started this worker has set it
        return
    try:
        java = find_java()
    except JavaError:  # the tests that need it say so
        return
    made = tempfile.TemporaryDirectory(prefix="tests-java-")
    config.add_cleanup(made.cleanup)
    launcher = Path(made.name) / "bin" / "java"
    launcher.parent.mkdir()
    own = shlex.quote(str(java.home / "bin" / "java"))
    launcher.write_text(f'#!/bin/sh\nexec {own} -XX:TieredStopAtLevel=1 "$@"\n', encoding="utf-8")
    launcher.chmod(0o700)
    os.environ["JAVA_HOME"] = made.name


def _keep_clusters_apart(config: pytest.Config) -> None:
    """Have clusters that tests start in a folder of their own."""
    state = tempfile.TemporaryDirectory(prefix="tests-state-", ignore_cleanup_errors=True)
    config.add_cleanup(state.cleanup)
    os.environ["ENGINEBENCH_STATE"] = state.name


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep what shares a session of an engine in one process, where pytest-xdist runs the tests.

    Its own groups come by marks, which it cannot read with this version of pytest.
    """
    from xdist.scheduler import LoadScopeScheduling

    class BySession(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return shared_by(nodeid)

    return BySession(config, log)


def shared_by(nodeid: str) -> str:
    """Return a name for what a test shares with others: a session, or the fixtures of its file."""
    file, _, test = nodeid.partition("::")
    if file in APART:
        return nodeid
    if file.startswith("tests/engines/dask/"):
        return "tests/engines/dask"
    engine = test.rstrip("]").rpartition("[")[2].rpartition("-")[2]
    if file.startswith("tests/contract/") and engine in engine_names():
        return f"tests/contract on {engine}"
    return file


@pytest.fixture(scope="session")
def engine_class(engine_name: str) -> type[Engine[Any]]:
    """Class of the engine."""
    return get_engine(engine_name)


@contextmanager
def running_cluster(name: str, *options: str, **environ: str) -> Iterator[Cluster]:
    """Start a cluster as a person does, and stop it however the tests end.

    Parameters
    ----------
    name : str
        Of the cluster.
    *options : str
        Of ``enginebench cluster up``.
    **environ : str
        Variables that its processes have beside those of this one.
    """
    from experiments.cluster import find

    up = [COMMAND, "cluster", "up", "--name", name, "--wait", "120 s", *options]
    try:
        done = subprocess.run(
            up, env={**os.environ, **environ}, capture_output=True, text=True, timeout=150,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        yield find(name)
    finally:
        subprocess.run(
            [COMMAND, "cluster", "down", "--name", name],
            capture_output=True,
            timeout=60,
            check=True,
        )


@pytest.fixture(scope="session")
def start_cluster() -> Callable[..., AbstractContextManager[Cluster]]:
    """Return what starts a cluster, and stops it: see `running_cluster`."""
    return running_cluster


@pytest.fixture(scope="session")
def joined(request: pytest.FixtureRequest) -> Iterator[Cluster | None]:
    """Start the cluster that engines join with ``--attached``; None without it."""
    if not request.config.option.attached:
        yield None
        return
    with running_cluster("contract", "--memory", "1 GiB") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def attachment(engine_name: str, joined: Cluster | None) -> Attachment | None:
    """How the engine joins that cluster."""
    if joined is None or engine_name not in CLUSTERED:
        return None
    address = joined.dask_address if engine_name == "dask" else joined.spark_master
    assert address is not None
    return Attachment(address, wait_s=120.0)


@pytest.fixture(scope="session")
def resources(
    engine_name: str, attachment: Attachment | None, tmp_path_factory: pytest.TempPathFactory
) -> Resources:
    """Two cores: as two workers where the engine has workers."""
    workers = 1 if engine_name == "sklearn" else CORES
    return Resources(
        attachment=attachment,
        cores=CORES,
        memory_bytes=MEMORY_BYTES,
        workers=workers,
        threads_per_worker=CORES // workers,
        scratch=tmp_path_factory.mktemp(f"scratch-{engine_name}"),
    )


@pytest.fixture(scope="session")
def engine_resources(resources: Resources) -> Resources:
    """Grant the plugin's `engine` the same."""
    return resources


@pytest.fixture(autouse=True)
def declared_gaps(request: pytest.FixtureRequest) -> None:
    """Expect a test to fail, strictly, where the engine declares that it lacks the feature."""
    features = [feature for mark in request.node.iter_markers("feature") for feature in mark.args]
    if not features:
        return
    gaps = request.getfixturevalue("engine_class").gaps
    for feature in features:
        if feature in gaps:
            reason = str(gaps[feature])
            request.applymarker(
                pytest.mark.xfail(raises=UnsupportedFeatureError, strict=True, reason=reason)
            )
