"""PySpark's worker daemon with the computing libraries imported before it forks.

Spark ends Python workers that were idle for a minute, so importing in the workers would not last:
the next step would pay for it again, and clock it as work. Workers forked from here have the
libraries, and share their pages.

PySpark's daemon lets the kernel reap its workers, which forgets what they used: CPU seconds and
bytes of a worker that ends would vanish from the tree of processes. Here the daemon reaps them.

In an executor of a cluster it also starts what watches the executor, before it imports anything.

After each task a worker collects garbage, which takes tens of milliseconds with so many modules to
look through: what was imported here is taken out of that.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import signal

# seconds in which the daemon waits for workers that were told to end
_LAST_SECONDS = 2


def main() -> None:
    """Import what fits and predictions need, then serve as PySpark's own daemon does."""
    from engines.spark import sampler

    # the JVM has used it, and nothing that a worker calls is to see it
    os.environ.pop("_SPARK_AUTH_SECRET", None)
    if os.environ.get(sampler.WANTED):
        sampler.start(os.getppid())

    import cloudpickle  # noqa: F401
    import pandas as pd  # noqa: F401
    import pyarrow as pa  # noqa: F401
    import sklearn.cluster
    import sklearn.ensemble
    import sklearn.linear_model
    import sklearn.svm  # noqa: F401
    import xgboost.spark  # noqa: F401
    from pyspark import daemon, worker  # noqa: F401 - the worker is what the daemon forks

    import engines.evaluation
    import engines.specs  # noqa: F401

    # before it forks its first worker, but after PySpark has set a handler of its own
    os.register_at_fork(before=functools.partial(_reap_workers, os.getpid()))
    gc.freeze()
    try:
        daemon.manager()
    finally:  # it has told its workers to end
        signal.alarm(_LAST_SECONDS)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()


def _reap_workers(daemon: int) -> None:
    """Let each worker be reaped as it ends; what a worker itself forks is not the daemon's."""
    if os.getpid() == daemon:
        signal.signal(signal.SIGCHLD, _reap)


def _reap(*_: object) -> None:
    with contextlib.suppress(ChildProcessError):  # there are none left
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    main()
