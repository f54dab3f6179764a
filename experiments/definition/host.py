"""Whether this machine can run an experiment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from engines import get_engine, least_memory
from engines.errors import EngineNotInstalledError, JavaError
from experiments.definition.engines import ClusterOptions
from experiments.definition.units import format_size
from experiments.errors import RequestError

if TYPE_CHECKING:
    from experiments.definition.models import Experiment

DEFAULT_MEMORY_BYTES = 4 * 2**30

# where a container's limit is written: control groups version 2, then version 1
_LIMIT_FILES = ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes")
# microseconds of CPU time, and in how many of them
_CPU_LIMIT_FILES = (
    ("sys/fs/cgroup/cpu.max",),
    ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "sys/fs/cgroup/cpu/cpu.cfs_period_us"),
)


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
        an engine less memory than it needs to start. What a cluster has is not looked at here.
    """
    for _, at_point in experiment.points():
        _check_resources(at_point)
        for name in at_point.engines.selected():
            _check_workers(at_point, name)
        _check_memory(at_point)
    # what is installed is the same at every point, and looking for Java starts it
    for name in experiment.engines.selected():
        _check_installed(name)


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
    cores = engine_cores(experiment, engine_name)
    if not isinstance(options, ClusterOptions):
        return 1, cores
    workers, threads = options.workers, options.threads_per_worker
    if workers is None:
        threads = threads or 1
        return max(1, cores // threads), threads
    return workers, threads or max(1, cores // workers)


def fits_at_a_time(experiment: Experiment, engine_name: str) -> int:
    """Return how many candidates of a search an engine fits at a time, each on one worker.

    scikit-learn is one worker with all the threads, but searches in a process a core.
    """
    workers, threads = granted(experiment, engine_name)
    return threads if engine_name == "sklearn" else workers


def granted_cores(experiment: Experiment) -> int:
    """Return the number of cores that each engine gets: all that are usable unless stated."""
    return experiment.resources.cores or usable_cores()


def engine_cores(experiment: Experiment, engine_name: str) -> int:
    """Return the number of cores that one engine is to have.

    They are those of all, but for an engine on this machine that need not be equal to those on
    clusters: it has no more than there are.
    """
    cores = granted_cores(experiment)
    if not experiment.resources.allow_unequal or engine_name in experiment.engines.attached:
        return cores
    return min(cores, usable_cores())


def granted_memory(experiment: Experiment) -> int:
    """Return the memory that each engine gets with all its processes, in bytes.

    Unless stated it is 4 GiB, or what the workers of the most demanding engine need to start if
    that is more; but not more than there is. Workers of a cluster have memory of their own.
    """
    stated = experiment.resources.memory
    if stated is not None:
        return stated
    needed = [least_memory(name, granted(experiment, name)[0]) for name in _local(experiment)]
    return min(max([DEFAULT_MEMORY_BYTES, *needed]), usable_memory())


def usable_cores(root: Path = Path("/")) -> int:
    """Return the number of CPUs that this process may use, or the limit of the container if less.

    Parameters
    ----------
    root : pathlib.Path
        Where the limits are looked up.
    """
    cores = len(os.sched_getaffinity(0))
    for files in _CPU_LIMIT_FILES:
        try:
            text = " ".join((root / file).read_text(encoding="ascii") for file in files)
            quota, period = map(int, text.split())
        except (OSError, ValueError):  # another version of control groups, or "max"
            continue
        if quota > 0 and period > 0:
            # with more threads than that, all of them are made to wait
            cores = min(cores, max(1, quota // period))
    return cores


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


def _local(experiment: Experiment) -> list[str]:
    """Return the names of the engines that compute on this machine."""
    attached = experiment.engines.attached
    return [name for name in experiment.engines.selected() if name not in attached]


def _check_resources(experiment: Experiment) -> None:
    cores, memory = granted_cores(experiment), granted_memory(experiment)
    local = _local(experiment)
    if local and engine_cores(experiment, local[0]) > usable_cores():
        advice = "lower the number or leave it out"
        if experiment.engines.attached:
            advice = f"{advice}, leave engines.{local[0]} out, or set resources.allow_unequal: true"
        raise RequestError(
            f"resources.cores: {cores} cores are asked for and this process may use "
            f"{usable_cores()}; {advice}."
        )
    if memory > usable_memory():
        raise RequestError(
            f"resources.memory: {_size(memory)} are asked for and this machine has "
            f"{_size(usable_memory())}; set resources.memory lower."
        )


def _check_workers(experiment: Experiment, name: str) -> None:
    cores = engine_cores(experiment, name)
    workers, threads = granted(experiment, name)
    if workers * threads != cores:
        raise RequestError(
            f"engines.{name}: {workers} workers with {threads} threads each need "
            f"{workers * threads} cores and resources.cores is {cores}; make workers times "
            f"threads_per_worker equal {cores}, or leave both out."
        )


def _check_memory(experiment: Experiment) -> None:
    memory = granted_memory(experiment)
    workers = {name: granted(experiment, name)[0] for name in _local(experiment)}
    if not workers:
        return
    needs = {name: least_memory(name, number) for name, number in workers.items()}
    # the most demanding engine alone: what is enough for it is enough for all
    name, needed = max(needs.items(), key=lambda need: need[1])
    if memory >= needed:
        return
    several = workers[name] > 1
    advice = ["use fewer workers" if several else "leave the engine out"]
    if needed <= usable_memory():
        advice.insert(0, f"set resources.memory to {_size(needed)} or more")
    raise RequestError(
        f"resources.memory: engines.{name} needs at least {_size(needed)} for {workers[name]} "
        f"{'workers' if several else 'worker'}, and {_size(memory)} are granted; "
        f"{', or '.join(advice)}."
    )


def _check_installed(name: str) -> None:
    try:
        get_engine(name)
        if name == "spark":
            from engines.spark.jvm import find_java

            find_java()
    except (EngineNotInstalledError, JavaError) as error:
        raise RequestError(f"engines.{name}: {error}") from error


def _size(size: int) -> str:
    """Return a size to read: exact where it is round, else to a tenth of a GiB."""
    exact = format_size(size)
    return exact if len(exact) <= len("1000 GiB") else f"{size / 2**30:.1f} GiB"
