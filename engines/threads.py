"""What the native thread pools of a process may use."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

# What a native pool reads as its process starts
THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def largest_pool() -> int:
    """Return the greatest number of threads that any native pool in this process may run.

    The libraries that compute are imported first, so that their pools exist to be counted. It runs
    in workers too, hence takes and returns only what pickles.
    """
    import threadpoolctl
    import xgboost  # noqa: F401

    return max((pool["num_threads"] for pool in threadpoolctl.threadpool_info()), default=1)


def limited(threads: int) -> AbstractContextManager[Any]:
    """Let every native pool of this process run so many threads, inside a ``with``."""
    limiter: AbstractContextManager[Any] = _pools().limit(limits=threads)
    return limiter


@functools.cache
def _pools() -> Any:
    """Find the pools once: to look for them takes milliseconds, which a small fit would notice."""
    import sklearn.cluster  # noqa: F401 - its pools must exist to be found
    import threadpoolctl
    import xgboost  # noqa: F401

    return threadpoolctl.ThreadpoolController()
