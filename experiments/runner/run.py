"""A whole run, from the definition to the run folder."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from experiments.definition import check_host
from experiments.definition.attach import (
    attach_from_environment,
    child_secrets,
)
from experiments.definition.host import granted_cores, granted_memory
from experiments.records import append_record, point_key
from experiments.runner.clusters import Joined, join_clusters
from experiments.runner.events import ChildEnded, ChildStarted, Planned, Preparing, RecordWritten
from experiments.runner.folder import check_output, make_run_folder
from experiments.runner.host import commit, describe_host, describe_software
from experiments.runner.interrupts import uninterrupted
from experiments.runner.plan import make_plan
from experiments.runner.ready import make_ready
from experiments.runner.scoring import Scorer
from experiments.runner.scratch import Scratch
from experiments.runner.searches import Searches
from experiments.runner.supervise import always, supervise
from experiments.runner.tasks import work_task
from experiments.search.log import CandidateLog

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engines.prepared import Prepared
    from experiments.definition import Experiment
    from experiments.records import Record
    from experiments.runner.events import Event, OnEvent
    from experiments.runner.folder import RunFolder
    from experiments.runner.plan import PlanItem
    from experiments.runner.ready import ReadyPoint
    from experiments.runner.repeat import Repeat
    from experiments.runner.supervise import IsWanted


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
    sources: Mapping[str, str] | None = None,
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
    sources : mapping of str to str, optional
        Where the address of a cluster that an engine joins is from, in words, if it is neither from
        the definition nor from the environment.

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
    experiment, found = attach_from_environment(experiment, os.environ)
    check_host(experiment)
    joined = join_clusters(experiment, {**found, **(sources or {})}, tell)
    points = [
        make_ready(point, at_point, lambda done, total: tell(Preparing(done, total)), joined)
        for point, at_point in experiment.points()
    ]
    folder = make_run_folder(experiment.name, output)
    (folder.path / "definition.yaml").write_text(experiment.to_yaml(), encoding="utf-8")
    description = _describe(experiment, points, folder)
    if joined.described:
        description["clusters"] = joined.described
    folder.write_description(description)

    plan = make_plan(
        len(points),
        experiment.measure.rounds,
        list(experiment.engines.selected()),
        experiment.engines.baseline if experiment.measure.null_run else None,
    )
    tell(Planned(len(plan)))
    scorer = Scorer(folder)
    books = Books(folder, scorer, CandidateLog(folder.path), CandidateLog(folder.null_run), joined)
    interrupted = False
    try:
        for position, item in enumerate(plan, start=1):
            ready = points[item.point]
            tell(
                ChildStarted(
                    position, len(plan), item.engine, item.round, ready.point, item.null_run
                )
            )
            outcome = run_child(item, ready, books, tell)
            tell(ChildEnded(item.engine, outcome))
    except KeyboardInterrupt:
        interrupted = True
    if not interrupted:
        for number, ready in enumerate(points):
            description["agreement"][point_key(ready.point)] = scorer.agreement(number)
    description["interrupted"] = interrupted
    folder.write_description(description)
    return RunResult(folder.path, interrupted)


@dataclass(frozen=True)
class Books:
    """Where everything that is measured goes.

    Parameters
    ----------
    folder : RunFolder
        The run folder.
    scorer : Scorer
        Makes the records of that folder.
    candidates, null_candidates : CandidateLog
        Keep what is searched.
    joined : Joined
        What the engines get.
    """

    folder: RunFolder
    scorer: Scorer
    candidates: CandidateLog
    null_candidates: CandidateLog
    joined: Joined = field(default_factory=Joined)

    def candidates_of(self, item: PlanItem) -> CandidateLog:
        """Return the log for what a process searches: a null run is no engine of the report."""
        return self.null_candidates if item.null_run else self.candidates


def run_child(
    item: PlanItem,
    ready: ReadyPoint,
    books: Books,
    tell: OnEvent,
    *,
    repeats: int | None = None,
    is_wanted: IsWanted = always,
) -> str:
    """Run one child process and append a record of each of its repeats.

    Parameters
    ----------
    item : PlanItem
        Which process.
    ready : ReadyPoint
        What it is asked.
    books : Books
        Where what is measured goes.
    tell : callable
        Told of everything as it happens.
    repeats : int, optional
        Fits or searches in all instead of those of the definition; with 0 the process starts its
        engine, loads the rows and stops.
    is_wanted : callable
        As in `supervise`.

    Returns
    -------
    str
        The outcome of the last repeat.
    """
    folder = books.folder
    candidates = books.candidates_of(item)
    at_a_time = books.joined.fits_at_a_time(ready.experiment, item.engine)
    searches = Searches(item, ready, candidates, tell, at_a_time=at_a_time)

    def on_repeat(repeat: Repeat, scored: bool) -> None:
        search = searches.ended(repeat)

        def record(*, scored: bool) -> Record:
            return books.scorer.record(item, ready, repeat, search=search, scored=scored)

        try:
            made = record(scored=scored)
        except KeyboardInterrupt:
            append_record(folder.records, record(scored=False))
            raise
        append_record(folder.records, made)
        tell(RecordWritten(made))

    with Scratch() as scratch:
        size = books.joined.size(ready.experiment, item.engine)
        task = work_task(item.engine, ready, size, folder.predictions / item.name, scratch)
        if repeats is not None:
            task = replace(task, repeats=repeats)
        task_file = scratch / "task.json"
        task.write(task_file)
        try:
            return supervise(
                task,
                task_file=task_file,
                log=folder.logs / f"{item.name}.log",
                samples=folder.samples / f"{item.name}.csv",
                timeout_s=ready.experiment.measure.timeout,
                on_repeat=on_repeat,
                on_score=searches.add,
                on_event=searches.watch,
                is_wanted=is_wanted,
                secrets_of=child_secrets(ready.experiment, item.engine, os.environ),
            )
        finally:
            with uninterrupted():
                candidates.write()


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
                "dataset": _describe_data(ready.prepared),
                "resources": _resources(ready.experiment),
                "task": ready.task,
                "scored_on": ready.scored_on,
                "search": _describe_search(ready),
            }
            for ready in points
        },
        "agreement": {},
    }


def _describe_data(prepared: Prepared | None) -> dict[str, Any] | None:
    if prepared is None:
        return None
    return {
        "fingerprint": prepared.fingerprint,
        "n_features": prepared.n_features,
        "dtype": prepared.dtype,
        "label_kind": prepared.label_kind,
        "n_classes": len(prepared.classes),
        "counts": prepared.counts,
        "notes": list(prepared.notes),
        **({} if prepared.url is None else {"url": prepared.url}),
    }


def _describe_search(ready: ReadyPoint) -> dict[str, Any] | None:
    search, options = ready.search, ready.experiment.search
    if search is None or options is None:
        return None
    return {
        "strategy": options.strategy,
        "candidates": len(search.candidates),
        "rungs": [asdict(rung) for rung in search.rungs],
        "folds": search.n_folds,
        "scoring": list(search.scoring),
        "refit": search.refit,
        "parallel_over": search.parallel_over,
        "why": search.why,
    }


def _resources(experiment: Experiment) -> dict[str, int]:
    return {
        "cores": granted_cores(experiment),
        "memory_bytes": granted_memory(experiment),
    }


def _ignore(event: Event) -> None:
    del event
