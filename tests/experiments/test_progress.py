"""Whoever waits for a run is told where it is, in a terminal and without one."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from experiments.progress import Lines, Live
from experiments.records import Phase, Record
from experiments.runner.events import (
    ChildEnded,
    ChildStarted,
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
