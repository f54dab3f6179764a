"""The environment of a child process: thread counts that match, and nobody else's settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# every native pool that the three engines bring along reads one of these as it loads
_THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
# A pool whose threads wait by spinning takes the cores from the pool that works next: on tiny fits,
# where pools alternate, that can cost several times the work itself. Never to spin
# (OMP_WAIT_POLICY=PASSIVE) doubles the time of small XGBoost fits, whose parallel sections are
# shorter than waking a thread. A short spin, some ten microseconds, has neither cost.
_SHORT_SPIN = {
    "GOMP_SPINCOUNT": "10000",  # GNU's OpenMP, in the wheels for Linux: iterations
    "KMP_BLOCKTIME": "1",  # LLVM's OpenMP: milliseconds
}
# Settings of the person who runs the comparison that would change what is compared. Dask's files
# of settings, which no variable turns off, are put aside by its session.
_FOREIGN = (
    "DASK_",
    "ENGINEBENCH_SPARK_SECRET",  # for the engine that joins a cluster with it, and no other
    "GOMP_",
    "JAVA_TOOL_OPTIONS",
    "HADOOP_",
    "JDK_JAVA_OPTIONS",
    "KMP_",
    "MALLOC_",
    "MKL_",
    "NUMBA_",
    "OMP_",
    "OPENBLAS_",
    "PYSPARK_",
    "YARN_",
    "SPARK_",
    "_JAVA_OPTIONS",
    "_SPARK_",
)


def child_environment(
    cores: int, scratch: Path, secrets_of: Mapping[str, str | None] | None = None
) -> dict[str, str]:
    """Return the environment that a child process starts with.

    Parameters
    ----------
    cores : int
        Threads each native pool may run.
    scratch : pathlib.Path
        Where temporary files go.
    secrets_of : mapping, optional
        Variables with secrets that it is told, and with None those that it must not have.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)
    }
    environment.update(dict.fromkeys(_THREAD_COUNTS, str(cores)))
    environment.update(_SHORT_SPIN)
    environment["PYTHONHASHSEED"] = "0"
    environment["PYTHONUNBUFFERED"] = "1"
    environment["TMPDIR"] = str(scratch)
    for name, secret in (secrets_of or {}).items():
        environment.pop(name, None)
        if secret is not None:
            environment[name] = secret
    return environment
