"""Make the task of a child process: what its engine gets, and what it is to do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from experiments.definition.attach import attachment_of
from experiments.definition.host import granted_cores, granted_memory
from experiments.runner.host import usable_cpus
from experiments.runner.predictions import write_centers
from experiments.runner.task import SearchTask, Task

if TYPE_CHECKING:
    from pathlib import Path

    from experiments.definition import Experiment
    from experiments.runner.ready import ReadyPoint


def joining_task(experiment: Experiment, engine: str, size: tuple[int, int], scratch: Path) -> Task:
    """Return the task to start an engine with all that it gets, to say so, and to stop.

    Parameters
    ----------
    experiment : Experiment
        At one point of its sweep.
    engine : str
        Name of the engine.
    size : tuple of int
        Its workers, and the threads of each.
    scratch : pathlib.Path
        Folder for temporary files.
    """
    workers, threads_per_worker = size
    return Task(
        engine=engine,
        spec=experiment.workload.model_dump(),
        search=None,
        dataset=None,
        placement="spread",
        predicts_host_rows=False,
        initial_centers=None,
        repeats=1,
        cpus=usable_cpus()[: granted_cores(experiment)],
        cores=workers * threads_per_worker,
        memory_bytes=granted_memory(experiment),
        workers=workers,
        threads_per_worker=threads_per_worker,
        scratch=str(scratch),
        predictions=str(scratch / "none"),
        attachment=attachment_of(experiment, engine),
        joins_only=True,
    )


def work_task(
    engine: str, ready: ReadyPoint, size: tuple[int, int], predictions: Path, scratch: Path
) -> Task:
    """Return the task to do what is asked at a point of a sweep, with the same as on joining.

    Parameters
    ----------
    engine : str
        Name of the engine.
    ready : ReadyPoint
        What it is asked.
    size : tuple of int
        Its workers, and the threads of each.
    predictions : pathlib.Path
        Path without suffix under which predictions are saved.
    scratch : pathlib.Path
        Folder for temporary files; the shared starting centres are written there.
    """
    experiment = ready.experiment
    centers = None
    if ready.initial_centers:
        centers = scratch / "initial_centers.npz"
        write_centers(centers, ready.initial_centers)
    return replace(
        joining_task(experiment, engine, size, scratch),
        spec=ready.spec.model_dump(),
        search=_search_task(ready),
        dataset=None if ready.prepared is None else ready.prepared.address,
        placement=ready.placement,
        predicts_host_rows=ready.predicts_host_rows,
        initial_centers=None if centers is None else str(centers),
        repeats=1 + experiment.measure.warm_repeats,
        predictions=str(predictions),
        joins_only=False,
    )


def _search_task(ready: ReadyPoint) -> SearchTask | None:
    options, search = ready.experiment.search, ready.search
    if options is None or search is None or ready.searched is None:
        return None
    return SearchTask(
        spec=ready.searched.model_dump(),
        candidates=search.candidates,
        rungs=search.rungs,
        resource=search.resource,
        factor=None if search.resource is None else options.factor,
        n_folds=search.n_folds,
        seed=options.seed,
        scoring=search.scoring,
        refit=search.refit,
        scored_as=ready.task,
        parallel_over=search.parallel_over,
        time_budget_s=options.time_budget,
    )
