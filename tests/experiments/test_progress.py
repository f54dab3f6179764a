"""Whoever waits for a run is told where it is, in a terminal and without one."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from experiments.progress import Lines, Live, describe_grant
from experiments.records import Phase, Record
from experiments.runner.events import (
    CandidateScored,
    ChildEnded,
    ChildStarted,
    Granted,
    PhaseStarted,
    Planned,
    Preparing,
    RecordWritten,
)


@pytest.fixture
def events():
    """Return what happens in a run of one process that times out in its second fit."""
    record = Record(
        run="r", experiment="e", definition="d", engine="dask", implementation="library", round=0,
        repeat=0, warm=False, outcome="completed", phases=(Phase("fit", 1.5, 2.0, 1, 0, 0),),
    )  # fmt: skip
    return [
        Preparing(0, None),
        Preparing(10, 20),
        Planned(1),
        ChildStarted(1, 1, "dask", 0, {"dataset.n_samples": "10\x1b[31m"}),
        PhaseStarted("fit", 0),
        RecordWritten(record),
        PhaseStarted("fit", 1),
        ChildEnded("dask", "timed out"),
    ]


def test_lines_are_plain_and_each_says_something_new(events):
    lines = []
    watcher = Lines(lines.append)
    for event in events:
        watcher(event)
    assert lines == [
        "preparing the data",
        "1 process to run, one after the other",
        "[1/1] Dask, round 1, dataset.n_samples 10",
        "[1/1] Dask, round 1, dataset.n_samples 10: repeat 1 (cold) completed, fit 1.50 s",
        "[1/1] Dask, round 1, dataset.n_samples 10: timed out",
    ]


def test_the_bar_follows_the_phases_and_ends_full(events):
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    progress = Progress(TextColumn("{task.description}", markup=False), console=console)
    live = Live(progress)
    (task,) = progress.tasks
    shown = []
    for event in events:
        live(event)
        shown.append(task.description)
    assert shown[1] == "preparing the data: 10 of 20 rows"
    assert shown[4] == "[1/1] Dask, round 1, dataset.n_samples 10: fit (repeat 1)"
    assert (task.completed, task.total) == (1, 1)
    assert "timed out" in console.file.getvalue()


def search_record(**best):
    """Return the record of a search that took twelve seconds."""
    found = {"candidate": 1, "params": {"C": 1}, "scores": {"silhouette": 0.25}, "std": {}}
    return Record(
        run="r", experiment="e", definition="d", engine="dask", implementation="library", round=0,
        repeat=0, warm=False, outcome="completed", phases=(Phase("search", 12.0, 9.0, 1, 0, 0),),
        model={"search": {"refit": "silhouette", "best": {**found, **best}}},
    )  # fmt: skip


def scored(done, best=0.25, left=90.0):
    """Return the event of a candidate out of 1200."""
    return CandidateScored("dask", done, 1200, best, "silhouette", left)


def test_a_search_writes_a_line_every_few_seconds_and_not_one_a_candidate():
    lines, now = [], [100.0]
    watcher = Lines(lines.append, lambda: now[0])
    watcher(ChildStarted(1, 3, "dask", 0, {}))
    watcher(PhaseStarted("search", 0))
    for done in range(1, 1201):
        now[0] += 0.01
        watcher(scored(done, None if done < 600 else 0.25, 0.01 * (1200 - done)))
    watcher(RecordWritten(search_record()))
    assert lines == [
        "[1/3] Dask, round 1",
        "[1/3] Dask, round 1: 500 of 1,200 candidates, about 7 s left",
        (
            "[1/3] Dask, round 1: 1,000 of 1,200 candidates, about 2 s left, "
            "best silhouette (Euclidean) 0.25"
        ),
        (
            "[1/3] Dask, round 1: repeat 1 (cold) completed, search 12.0 s, "
            "best silhouette (Euclidean) 0.25"
        ),
    ]


def test_a_record_of_a_search_without_a_best_candidate_is_told_without_one():
    lines = []
    watcher = Lines(lines.append)
    watcher(ChildStarted(1, 1, "dask", 0, {}))
    watcher(RecordWritten(search_record(scores={})))
    assert lines[-1] == "[1/1] Dask, round 1: repeat 1 (cold) completed, search 12.0 s"


def test_a_bar_of_its_own_follows_the_candidates_while_it_searches():
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    progress = Progress(TextColumn("{task.description}", markup=False), console=console)
    live = Live(progress)
    live(Planned(1))
    live(ChildStarted(1, 1, "dask", 0, {}))
    live(PhaseStarted("search", 0))
    live(scored(300, None, None))
    live(scored(301))
    child, search = progress.tasks
    assert child.description == "[1/1] Dask, round 1: search (repeat 1)"
    assert search.description == (
        "  301 of 1,200 candidates, about 2 min left, best silhouette (Euclidean) 0.25"
    )
    assert (search.completed, search.total) == (301, 1200)
    live(PhaseStarted("refit", 0))
    assert progress.tasks == [child]
    live(scored(1200, left=0.0))
    assert progress.tasks[1].description.startswith("  1,200 of 1,200 candidates, best")
    live(ChildEnded("dask", "crashed"))
    assert progress.tasks == [child]


def test_the_name_of_a_metric_cannot_steer_the_terminal():
    lines = []
    watcher = Lines(lines.append)
    watcher(ChildStarted(1, 1, "dask", 0, {}))
    watcher(CandidateScored("dask", 1, 2, 0.5, "x\x1b[31m\n", 60.0))
    assert lines[-1].endswith("1 of 2 candidates, about 1 min left, best x 0.5")


@pytest.mark.parametrize(
    ("cores", "workers", "threads", "told"),
    [
        (4, 4, 1, "4 cores, 4 x 1 thread,"),
        (8, 2, 4, "8 cores, 2 x 4 threads,"),
        (6, 2, 4, "6 cores, 2 x up to 4 threads,"),
    ],
)
def test_workers_that_differ_are_not_told_as_if_they_were_alike(cores, workers, threads, told):
    granted = Granted(
        "dask", "tcp://10.0.0.5:8786", "the definition", cores, workers, threads, 2**30
    )
    assert told in describe_grant(granted)
