"""What the native thread pools of a process may use."""

from __future__ import annotations


def largest_pool() -> int:
    """Return the greatest number of threads that any native pool in this process may run.

    The libraries that compute are imported first, so that their pools exist to be counted. It runs
    in workers too, hence takes and returns only what pickles.
    """
    import threadpoolctl
    import xgboost  # noqa: F401

    return max((pool["num_threads"] for pool in threadpoolctl.threadpool_info()), default=1)
