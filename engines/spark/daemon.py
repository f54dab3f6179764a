"""PySpark's worker daemon with the computing libraries imported before it forks.

Spark ends Python workers that were idle for a minute, so importing in the workers would not last:
the next step would pay for it again, and clock it as work. Workers forked from here have the
libraries, and share their pages.

In an executor of a cluster it also starts what watches the executor, before it imports anything.

After each task a worker collects garbage, which takes tens of milliseconds with so many modules to
look through: what was imported here is taken out of that.
"""

from __future__ import annotations


def main() -> None:
    """Import what fits and predictions need, then serve as PySpark's own daemon does."""
    import gc
    import os

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

    gc.freeze()
    daemon.manager()


if __name__ == "__main__":
    main()
