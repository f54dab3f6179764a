"""The session of scikit-learn: this process, its native thread pools limited to the cores."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.sklearn.pool import Pool, Started, end_joblib, started
from engines.threads import largest_pool, limited
from engines.types import Facts
from engines.versions import versions

if TYPE_CHECKING:
    from engines.types import Resources


@dataclass(frozen=True)
class Session:
    """What is in force while the session is open.

    Parameters
    ----------
    limits : threadpoolctl.threadpool_limits
        Of the native pools of this process.
    pool : Pool
        Processes for what is independent; they start when first used.
    folder : pathlib.Path
        For what these processes read.
    before : Started
        What joblib had started in this process by then.
    """

    limits: Any
    pool: Pool
    folder: Path
    before: Started


def _ready_for_fits() -> None:
    """Import the libraries of fits, in a process of the pool."""
    with limited(1):
        pass


def least_memory(workers: int) -> int:
    """Return the bytes that this process holds once the libraries are imported, near enough."""
    return workers * 128 * 2**20


def start(resources: Resources) -> Session:
    """Import the libraries and limit every native thread pool in this process."""
    import threadpoolctl
    import xgboost  # noqa: F401 - its OpenMP pool must exist to be limited

    folder = Path(tempfile.mkdtemp(prefix="sklearn-", dir=resources.scratch))
    limits = threadpoolctl.threadpool_limits(resources.cores)
    session = Session(limits, Pool(resources.cores), folder, started())
    if resources.independent:
        try:
            session.pool.everywhere(_ready_for_fits)
        except BaseException:
            stop(session)
            raise
    return session


def stop(session: Session) -> None:
    """End the processes, remove the files, and give the native pools the sizes they had."""
    try:
        session.pool.stop()
        end_joblib(session.before)
    finally:
        shutil.rmtree(session.folder, ignore_errors=True)
        session.limits.restore_original_limits()


def facts(session: Session, resources: Resources) -> Facts:
    """Count what this process may use, and its workers where it has them from the start."""
    native = {"driver": largest_pool()}
    if resources.independent:
        answers = session.pool.everywhere(largest_pool)
        native |= {f"worker {number}": threads for number, threads in enumerate(answers)}
    return Facts(
        cores=min(resources.cores, len(os.sched_getaffinity(0))),
        workers=resources.cores if resources.independent else 1,
        threads_per_worker=1 if resources.independent else resources.cores,
        memory_bytes=resources.memory_bytes,
        native_threads=native,
        versions=versions("scikit-learn", "xgboost", "numpy"),
    )
