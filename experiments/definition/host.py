"""Whether this machine can run an experiment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from engines import get_engine
from engines.errors import EngineNotInstalledError, JavaError
from experiments.definition.models import ClusterOptions
from experiments.definition.units import format_size
from experiments.errors import RequestError

if TYPE_CHECKING:
    from experiments.definition.models import Experiment

# the JVM with Spark's own classes, and a worker with the libraries that it imports, take a large
# part of this before they hold any data
SPARK_LEAST_BYTES = 2**30
DASK_WORKER_LEAST_BYTES = 512 * 2**20

# where a container's limit is written: control groups version 2, then version 1
_LIMIT_FILES = ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes")


def check_host(experiment: Experiment) -> None:
    """Refuse an experiment that this machine cannot run, at every point of its sweep.

    Parameters
    ----------
    experiment : Experiment
        What is asked.

    Raises
    ------
    RequestError
        If it asks for more cores or memory than there are, for workers and threads that do not
        add up to the cores, for an engine that is not installed, for Spark without Java, or grants
        an engine less memory than it needs to start.
    """
    for _, at_point in experiment.points():
        _check_resources(at_point)
        for name in at_point.engines.selected():
            _check_engine(at_point, name)


def granted(experiment: Experiment, engine_name: str) -> tuple[int, int]:
    """Return the workers of an engine and the threads of each.

    Parameters
    ----------
    experiment : Experiment
        What is asked, without a sweep or at one point of it.
    engine_name : str
        One of the engines that it selects.

    Returns
    -------
    workers, threads_per_worker : int
        What is given, and otherwise what makes their product the cores. scikit-learn is one worker
        with all the threads; elsewhere a worker has one thread when neither is given.
    """
    options = experiment.engines.selected()[engine_name]
    cores = granted_cores(experiment)
    if not isinstance(options, ClusterOptions):
        return 1, cores
    workers, threads = options.workers, options.threads_per_worker
    if workers is None:
        threads = threads or 1
        return max(1, cores // threads), threads
    return workers, threads or max(1, cores // workers)


def granted_cores(experiment: Experiment) -> int:
    """Return the number of cores that each engine gets: all that are usable unless stated."""
    return experiment.resources.cores or usable_cores()


def usable_cores() -> int:
    """Return the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0))


def usable_memory(root: Path = Path("/")) -> int:
    """Return the memory of this machine in bytes, or the limit of the container if that is less.

    Parameters
    ----------
    root : pathlib.Path
        Where the limits are looked up.
    """
    limits = [psutil.virtual_memory().total]
    for file in _LIMIT_FILES:
        try:
            limits.append(int((root / file).read_text(encoding="ascii")))
        except (OSError, ValueError):  # another version of control groups, or "max"
            continue
    return min(limits)


def _check_resources(experiment: Experiment) -> None:
    cores, memory = granted_cores(experiment), experiment.resources.memory
    if cores > usable_cores():
        raise RequestError(
            f"resources.cores: {cores} cores are asked for and this process may use "
            f"{usable_cores()}; lower the number or leave it out."
        )
    if memory > usable_memory():
        raise RequestError(
            f"resources.memory: {_size(memory)} are asked for and this machine has "
            f"{_size(usable_memory())}; set resources.memory lower."
        )


def _check_engine(experiment: Experiment, name: str) -> None:
    cores, memory = granted_cores(experiment), experiment.resources.memory
    workers, threads = granted(experiment, name)
    if workers * threads != cores:
        raise RequestError(
            f"engines.{name}: {workers} workers with {threads} threads each need "
            f"{workers * threads} cores and resources.cores is {cores}; make workers times "
            f"threads_per_worker equal {cores}, or leave both out."
        )
    try:
        get_engine(name)
    except EngineNotInstalledError as error:
        raise RequestError(f"engines.{name}: {error}") from error
    if name == "dask" and memory < workers * DASK_WORKER_LEAST_BYTES:
        raise RequestError(
            f"resources.memory: Dask needs at least {_size(DASK_WORKER_LEAST_BYTES)} a worker, "
            f"{_size(workers * DASK_WORKER_LEAST_BYTES)} for {workers}, and {_size(memory)} are "
            "given; give more memory or use fewer workers."
        )
    if name == "spark":
        if memory < SPARK_LEAST_BYTES:
            raise RequestError(
                f"resources.memory: Spark needs at least {_size(SPARK_LEAST_BYTES)} and "
                f"{_size(memory)} are given; give more memory or leave Spark out."
            )
        _check_java()


def _check_java() -> None:
    from engines.spark.jvm import find_java

    try:
        find_java()
    except JavaError as error:
        raise RequestError(f"engines.spark: {error}") from error


def _size(size: int) -> str:
    """Return a size to read: exact where it is round, else to a tenth of a GiB."""
    exact = format_size(size)
    return exact if len(exact) <= len("1000 GiB") else f"{size / 2**30:.1f} GiB"
