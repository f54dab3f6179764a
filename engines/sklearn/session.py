"""The session of scikit-learn: this process, its native thread pools limited to the cores."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engines.threads import largest_pool
from engines.types import Facts
from engines.versions import versions

if TYPE_CHECKING:
    from engines.types import Resources


@dataclass(frozen=True)
class Session:
    """The limits in force while the session is open."""

    limits: Any


def least_memory(workers: int) -> int:
    """Return the bytes that this process holds once the libraries are imported, near enough."""
    return workers * 128 * 2**20


def start(resources: Resources) -> Session:
    """Import the libraries and limit every native thread pool in this process."""
    import threadpoolctl
    import xgboost  # noqa: F401 - its OpenMP pool must exist to be limited

    return Session(threadpoolctl.threadpool_limits(resources.cores))


def stop(session: Session) -> None:
    """Give the pools back the sizes they had."""
    session.limits.restore_original_limits()


def facts(resources: Resources) -> Facts:
    """Count what this process may use."""
    return Facts(
        cores=min(resources.cores, len(os.sched_getaffinity(0))),
        workers=1,
        threads_per_worker=resources.cores,
        memory_bytes=resources.memory_bytes,
        native_threads={"driver": largest_pool()},
        versions=versions("scikit-learn", "xgboost", "numpy"),
    )
