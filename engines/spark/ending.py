"""Ending a session: its context, its JVM, the processes that both started, and PySpark's memory."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MARK = "ENGINEBENCH_SPARK_SESSION"
_END_SECONDS = 10.0


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Give the processes that start meanwhile, and all that they start, some variables."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def end_all(under_way: set[Callable[[], None]]) -> None:
    """End what a caller has left unfinished, such as a search that nobody iterates any more."""
    for end in tuple(under_way):
        end()


def stop_context(context: Any, jvm: subprocess.Popen[bytes]) -> None:
    """Stop a context, or the JVM that does not do it."""
    # a JVM that does not answer any more would keep this waiting for ever
    watchdog = threading.Timer(_END_SECONDS, jvm.kill)
    watchdog.start()
    try:
        with warnings.catch_warnings(), contextlib.suppress(Exception):
            warnings.simplefilter("ignore", RuntimeWarning)  # "unable to cleanly shutdown"
            context.stop()
    finally:
        watchdog.cancel()
        watchdog.join()
        forget_context(context)


def forget_context(context: Any) -> None:
    """Undo what PySpark leaves undone when the JVM cannot answer: a thread, and its singletons."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession, SQLContext

    if (server := context._accumulatorServer) is not None:  # noqa: SLF001 - no public way
        server.shutdown()
        server.server_close()
        context._accumulatorServer = None  # noqa: SLF001
    SparkContext._active_spark_context = None  # noqa: SLF001
    SparkSession._instantiatedSession = None  # noqa: SLF001
    SparkSession._activeSession = None  # noqa: SLF001
    SQLContext._instantiatedContext = None  # noqa: SLF001


def close_gateway(gateway: Any) -> None:
    """End the JVM, and the threads of this process that talk to it."""
    from py4j.clientserver import SHUTDOWN_FINALIZER_WORKER, FinalizerWorker
    from pyspark import SparkContext

    garbage = gateway._gateway_client.finalizer_deque  # noqa: SLF001 - no public way to its thread

    with contextlib.suppress(Exception):  # the JVM may be dead
        gateway.shutdown()
    SparkContext._gateway = None  # noqa: SLF001 - or the next session would talk to a dead JVM
    SparkContext._jvm = None  # noqa: SLF001
    gateway.proc.stdin.close()  # PySpark's JVM ends when it can read no more
    with contextlib.suppress(subprocess.TimeoutExpired):
        gateway.proc.wait(_END_SECONDS)
    if gateway.proc.poll() is None:
        gateway.proc.kill()
        gateway.proc.wait()
    garbage.append(SHUTDOWN_FINALIZER_WORKER)  # taken first: nobody is left to be told of the rest
    for thread in threading.enumerate():
        if isinstance(thread, FinalizerWorker) and thread.deque is garbage:
            thread.join(_END_SECONDS)


def end_processes(mark: str) -> None:
    """End what is left of a session here: a JVM that never answered, workers whose JVM is gone."""
    _, alive = psutil.wait_procs(_marked_processes(mark), timeout=2)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=_END_SECONDS)


def _marked_processes(mark: str) -> Iterable[psutil.Process]:
    own = os.getpid()
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != own and process.environ().get(MARK) == mark:
                found.append(process)
    return found
