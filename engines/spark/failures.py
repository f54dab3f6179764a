"""What went wrong in Spark, told apart: a lost process, no memory, or a mistake."""

from __future__ import annotations

import re
import signal
import subprocess
from typing import TYPE_CHECKING

from engines.errors import (
    EngineError,
    EngineFailedError,
    EngineMemoryError,
    WorkerLostError,
    headline,
)

if TYPE_CHECKING:
    from engines.spark.attached import Cluster
    from engines.spark.session import Session

# -XX:+ExitOnOutOfMemoryError ends a JVM with this
_OUT_OF_MEMORY_EXIT = 3
_OUT_OF_MEMORY = re.compile(
    r"java\.lang\.OutOfMemoryError|SparkOutOfMemoryError|^(?:\w+\.)*_?\w*MemoryError\b"
    r"|std::bad_alloc|bad allocation",
    re.MULTILINE,
)
# when one XGBoost worker is gone the others fail too, and Spark may report theirs first
_WORKER_GONE = re.compile(
    r"Python worker (?:exited unexpectedly|failed to connect back)|xgboost/src/collective/"
)
# an executor of a cluster is gone, or none is left to do what needs several at once
_EXECUTOR_GONE = re.compile(
    r"ExecutorLostFailure \(([^\n]*)|(SparkContext was shut down)|(FetchFailed)"
    r"|(Could not (?:find|recover) [^\n]*barrier[^\n]*|more slots than the total number of slots)"
    r"|(Master removed our application[^\n]*|All masters are unresponsive[^\n]*)"
    r"|(Application has been killed[^\n]*)"
    r"|(Failed to get broadcast_\w+ of broadcast_\w+)",
    re.IGNORECASE,
)
_LAST_OF_TRACEBACK = re.compile(
    r"^(?:\w+\.)*\w+(?:Error|Exception|Interrupt|Exit|Warning): .*", re.MULTILINE
)


def jvm_death(jvm: subprocess.Popen[bytes], wait_s: float = 0.0) -> str | None:
    """Return how the JVM died, or None while it lives.

    Parameters
    ----------
    jvm : subprocess.Popen
        Its process.
    wait_s : float
        How long to wait for a death that is on its way, in seconds.
    """
    try:
        code = jvm.wait(wait_s) if wait_s else jvm.poll()
    except subprocess.TimeoutExpired:
        return None
    if code is None:
        return None
    if code < 0:
        return f"the JVM died (signal {-code}, {signal.Signals(-code).name})"
    return f"the JVM ended (exit code {code})"


def translate(session: Session | None, step: str, exc: Exception) -> EngineError:
    """Turn an exception of Spark, py4j or XGBoost into one of ours."""
    connection_broke = _broke_connection(exc)
    if session is not None and (
        death := jvm_death(session.jvm, wait_s=5.0 if connection_broke else 0.0)
    ):
        if session.jvm.returncode == _OUT_OF_MEMORY_EXIT:
            return EngineMemoryError(
                f"spark: {step}: the JVM ran out of its heap; raise resources.memory."
            )
        return WorkerLostError(f"spark: {step}: {death}.")
    text = _text(exc)
    lost = _of_cluster(session.cluster, step, text) if session and session.cluster else None
    if lost is not None:
        return lost
    if _WORKER_GONE.search(text):
        return WorkerLostError(f"spark: {step}: a Python worker died.")
    return _of_library(step, exc, text, connection_broke=connection_broke)


def _of_library(step: str, exc: Exception, text: str, *, connection_broke: bool) -> EngineError:
    if _OUT_OF_MEMORY.search(text):
        return EngineMemoryError(f"spark: {step}: out of memory: {_reason(exc, text)}")
    if connection_broke:
        return WorkerLostError(f"spark: {step}: the JVM does not answer: {headline(exc)}")
    return EngineFailedError(f"spark: {step}: {_reason(exc, text)}")


def _of_cluster(cluster: Cluster, step: str, text: str) -> EngineError | None:
    """Tell what happened to executors, if something did."""
    if cluster.watch.verdict is not None:
        return WorkerLostError(f"spark: {step}: {cluster.watch.verdict}.")
    if not _EXECUTOR_GONE.search(text):
        return None
    lost = [line for line in cluster.watch.lost() if " died: " in line]
    if any(line.endswith(f"code {_OUT_OF_MEMORY_EXIT}") for line in lost):
        return EngineMemoryError(
            f"spark: {step}: an executor ran out of its heap; give the cluster's workers more "
            f"memory."
        )
    return WorkerLostError(
        f"spark: {step}: executors of {cluster.attachment.address} were lost"
        f"{': ' + '; '.join(lost) if lost else ''}."
    )


def _broke_connection(exc: BaseException) -> bool:
    from py4j.protocol import Py4JJavaError, Py4JNetworkError

    if isinstance(exc, Py4JJavaError):
        return False
    return isinstance(exc, (Py4JNetworkError, ConnectionError, EOFError)) or (
        type(exc).__module__ == "py4j.protocol"
    )


def _text(exc: BaseException) -> str:
    try:
        return str(exc)
    except Exception:  # noqa: BLE001 - it asks the JVM, which may be gone
        return type(exc).__name__


def reason(exc: BaseException) -> str:
    """Return the line of an exception that names its cause."""
    return _reason(exc, _text(exc))


def _reason(exc: BaseException, text: str) -> str:
    """Return the line that names the cause: Python's own where a Python worker raised."""
    if raised := _LAST_OF_TRACEBACK.findall(text) if "Traceback (most recent" in text else []:
        return str(raised[-1])
    if (java := getattr(exc, "java_exception", None)) is not None:
        while (cause := java.getCause()) is not None:
            java = cause
        return str(java.toString()).partition("\n")[0]
    first = text.strip().partition("\n")[0]
    return f"{type(exc).__name__}: {first}"
