"""A whole run, from the definition to the run folder."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.definition import check_host, granted
from experiments.definition.host import granted_cores, granted_memory
from experiments.records import append_record, point_key
from experiments.runner.events import ChildEnded, ChildStarted, Planned, Preparing, RecordWritten
from experiments.runner.folder import check_output, make_run_folder
from experiments.runner.host import commit, describe_host, describe_software, usable_cpus
from experiments.runner.interrupts import uninterrupted
from experiments.runner.plan import make_plan
from experiments.runner.ready import make_ready
from experiments.runner.scoring import Scorer
from experiments.runner.supervise import Repeat, supervise
from experiments.runner.task import Task

if TYPE_CHECKING:
    from experiments.definition import Experiment
    from experiments.runner.events import Event, OnEvent
    from experiments.runner.folder import RunFolder
    from experiments.runner.plan import PlanItem
    from experiments.runner.ready import ReadyPoint


@dataclass(frozen=True)
class RunResult:
    """Where a run lies, and how it ended.

    Parameters
    ----------
    folder : pathlib.Path
        The run folder.
    interrupted : bool
        Whether Ctrl-C ended it before its plan was done.
    """

    folder: Path
    interrupted: bool


def run_experiment(
    experiment: Experiment,
    *,
    output: Path | None = None,
    on_event: OnEvent | None = None,
) -> RunResult:
    """Run an experiment on all its engines.

    Parameters
    ----------
    experiment : Experiment
        What to run.
    output : pathlib.Path, optional
        The run folder, new or empty; ``results/<name>-<time>`` by default.
    on_event : callable, optional
        Told of everything as it happens.

    Returns
    -------
    RunResult
        Failures of engines are records in the folder, not exceptions.

    Raises
    ------
    RequestError
        If the request is wrong; no engine has started then, and no folder is left behind.
    """
    tell = on_event or _ignore
    check_output(experiment.name, output)
    check_host(experiment)
    points = [
        make_ready(point, at_point, lambda done, total: tell(Preparing(done, total)))
        for point, at_point in experiment.points()
    ]
    folder = make_run_folder(experiment.name, output)
    (folder.path / "definition.yaml").write_text(experiment.to_yaml(), encoding="utf-8")
    description = _describe(experiment, points, folder)
    folder.write_description(description)

    plan = make_plan(len(points), experiment.measure.rounds, list(experiment.engines.selected()))
    tell(Planned(len(plan)))
    scorer = Scorer(folder)
    interrupted = False
    try:
        for position, item in enumerate(plan, start=1):
            ready = points[item.point]
            tell(ChildStarted(position, len(plan), item.engine, item.round, ready.point))
            outcome = _run_child(item, ready, folder, scorer, tell)
            tell(ChildEnded(item.engine, outcome))
    except KeyboardInterrupt:
        interrupted = True
    if not interrupted:
        for number, ready in enumerate(points):
            description["agreement"][point_key(ready.point)] = scorer.agreement(number)
    description["interrupted"] = interrupted
    folder.write_description(description)
    return RunResult(folder.path, interrupted)


def _run_child(
    item: PlanItem, ready: ReadyPoint, folder: RunFolder, scorer: Scorer, tell: OnEvent
) -> str:
    name = f"{item.engine}-p{item.point}-r{item.round}"

    def on_repeat(repeat: Repeat, scored: bool) -> None:
        try:
            record = scorer.record(item, ready, repeat, scored=scored)
        except KeyboardInterrupt:
            append_record(folder.records, scorer.record(item, ready, repeat, scored=False))
            raise
        append_record(folder.records, record)
        tell(RecordWritten(record))

    with _Scratch() as scratch:
        task = _task(item, ready, folder.predictions / name, scratch)
        task_file = scratch / "task.json"
        task.write(task_file)
        return supervise(
            task,
            task_file=task_file,
            log=folder.logs / f"{name}.log",
            timeout_s=ready.experiment.measure.timeout,
            on_repeat=on_repeat,
            on_event=tell,
        )


def _task(item: PlanItem, ready: ReadyPoint, predictions: Path, scratch: Path) -> Task:
    experiment = ready.experiment
    workers, threads_per_worker = granted(experiment, item.engine)
    centers = None
    if ready.initial_centers is not None:
        centers = str(scratch / "initial_centers.npy")
        np.save(centers, ready.initial_centers)
    return Task(
        engine=item.engine,
        spec=ready.spec.model_dump(),
        dataset=str(ready.prepared.path),
        initial_centers=centers,
        repeats=1 + experiment.measure.warm_repeats,
        cpus=usable_cpus()[: granted_cores(experiment)],
        memory_bytes=granted_memory(experiment),
        workers=workers,
        threads_per_worker=threads_per_worker,
        scratch=str(scratch),
        predictions=str(predictions),
    )


class _Scratch:
    """A folder for one child's temporary files, gone with it whatever it left inside."""

    def __enter__(self) -> Path:
        self._path = Path(tempfile.mkdtemp(prefix="enginebench-"))
        return self._path

    def __exit__(self, *exc_info: object) -> None:
        with uninterrupted():
            shutil.rmtree(self._path, ignore_errors=True)


def _describe(
    experiment: Experiment, points: list[ReadyPoint], folder: RunFolder
) -> dict[str, Any]:
    return {
        "schema": 1,
        "run": folder.name,
        "experiment": experiment.name,
        "question": experiment.question,
        "definition": experiment.digest,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "interrupted": None,
        "host": describe_host(),
        "versions": describe_software(),
        "commit": commit(),
        "resources": _resources(experiment),
        "points": {
            point_key(ready.point): {
                "dataset": {
                    "fingerprint": ready.prepared.fingerprint,
                    "n_features": ready.prepared.n_features,
                    "dtype": ready.prepared.dtype,
                    "label_kind": ready.prepared.label_kind,
                    "n_classes": len(ready.prepared.classes),
                    "counts": ready.prepared.counts,
                    "notes": list(ready.prepared.notes),
                },
                "resources": _resources(ready.experiment),
                "task": ready.task,
                "scored_on": ready.scored_on,
            }
            for ready in points
        },
        "agreement": {},
    }


def _resources(experiment: Experiment) -> dict[str, int]:
    return {
        "cores": granted_cores(experiment),
        "memory_bytes": granted_memory(experiment),
    }


def _ignore(event: Event) -> None:
    del event
