"""Tell on standard error what a run is doing: live in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from experiments.report.numbers import memory, rough_duration, score, seconds
from experiments.report.searches import read_search
from experiments.report.text import clean
from experiments.report.wording import metric_title, workers_in_words
from experiments.runner.events import (
    CandidateScored,
    ChildEnded,
    ChildStarted,
    Granted,
    Joining,
    PhaseStarted,
    Planned,
    Preparing,
    RecordWritten,
)
from experiments.titles import title

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import TaskID

    from experiments.records import Record
    from experiments.runner.events import Event

# Drawing takes time of a core that engines compute on
_DRAWINGS_A_SECOND = 2
# Lines stay: one for each of many candidates would bury all others
_SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def watch() -> Iterator[Callable[[Event], None]]:
    """Return what a runner tells its events to, for the length of a run."""
    console = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)
    if not console.is_terminal:
        yield Lines(lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, refresh_per_second=_DRAWINGS_A_SECOND
    ) as progress:
        yield Live(progress)


class Lines:
    """Write a line for each thing that is worth one.

    Parameters
    ----------
    write : callable of str
        Takes a line without its end.
    clock : callable
        Returns seconds, of which only differences matter.
    """

    def __init__(
        self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._clock = clock
        self._preparing = False
        self._child = ""
        self._next_standing = 0.0

    def __call__(self, event: Event) -> None:
        """Write what an event is worth."""
        match event:
            case Preparing() if not self._preparing:
                self._preparing = True
                self._write("preparing the data")
            case Granted():
                self._write(describe_grant(event))
            case Planned(children):
                processes = "process" if children == 1 else "processes"
                self._write(f"{children} {processes} to run, one after the other")
            case ChildStarted():
                self._child = describe(event)
                self._write(self._child)
            case PhaseStarted("search"):
                # a search shorter than this is told of once, by its record
                self._next_standing = self._clock() + _SECONDS_BETWEEN_LINES
            case CandidateScored() if self._clock() >= self._next_standing:
                self._write(f"{self._child}: {describe_standing(event)}")
                self._next_standing = self._clock() + _SECONDS_BETWEEN_LINES
            case RecordWritten(record):
                temperature = "warm" if record.warm else "cold"
                self._write(
                    f"{self._child}: repeat {record.repeat + 1} ({temperature}) "
                    f"{record.outcome}{_took(record)}"
                )
            case ChildEnded(_, outcome) if outcome != "completed":
                self._write(f"{self._child}: {outcome}")


class Live:
    """Move a bar over all processes, and say what the present one does.

    While it searches, a second bar moves over its candidates.

    Parameters
    ----------
    progress : rich.progress.Progress
        The display.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=None)
        self._candidates: TaskID | None = None
        self._child = ""
        self._done = 0

    def __call__(self, event: Event) -> None:
        """Draw what an event changes."""
        match event:
            case Preparing(done, total):
                of = f" of {total:,}" if total else ""
                self._show(f"preparing the data: {done:,}{of} rows", completed=done, total=total)
            case Joining() | Granted():
                self._tell_of_cluster(event)
            case Planned(children):
                self._show("starting", completed=0, total=children)
            case ChildStarted():
                self._child = describe(event)
                self._show(self._child)
            case CandidateScored(_, done, total):
                if self._candidates is None:
                    self._candidates = self._progress.add_task("", total=total)
                self._progress.update(
                    self._candidates,
                    description=f"  {describe_standing(event)}",
                    completed=done,
                    total=total,
                )
            case PhaseStarted(name, repeat):
                self._end_search()
                which = f" (repeat {repeat + 1})" if repeat is not None else ""
                self._show(f"{self._child}: {clean(name)}{which}")
            case ChildEnded(_, outcome):
                self._end_search()
                self._done += 1
                self._show(f"{self._child}: {outcome}", completed=self._done)
                if outcome != "completed":
                    self._progress.console.print(f"{self._child}: {outcome}", markup=False)

    def _tell_of_cluster(self, event: Joining | Granted) -> None:
        if isinstance(event, Granted):  # which stays to be read
            self._progress.console.print(describe_grant(event), markup=False)
        else:
            self._show(f"{title(event.engine)}: joining {clean(event.address)}")

    def _end_search(self) -> None:
        if self._candidates is not None:
            self._progress.remove_task(self._candidates)
            self._candidates = None

    def _show(self, text: str, **state: Any) -> None:
        self._progress.update(self._task, description=text, **state)


def describe(event: ChildStarted) -> str:
    """Return the engine, round and point of a process, and its place among all."""
    point = "".join(f", {clean(key)} {clean(value)}" for key, value in event.point.items())
    again = " again (null run)" if event.null_run else ""
    return (
        f"[{event.position}/{event.children}] {title(event.engine)}{again}, "
        f"round {event.round + 1}{point}"
    )


def describe_grant(event: Granted) -> str:
    """Return where an engine computes and what it has there."""
    where = "on this machine"
    if event.address is not None:
        where = f"attached to {clean(event.address)} (from {clean(event.source)})"
    return (
        f"{event.engine}: {where}: {event.cores} core{'' if event.cores == 1 else 's'}, "
        f"{workers_in_words(event.workers, event.threads_per_worker, event.cores)}, "
        f"{memory(event.memory_bytes)} of memory"
    )


def describe_standing(event: CandidateScored) -> str:
    """Return how far a search is; what matters most comes first, as a narrow terminal cuts it."""
    left = event.seconds_left
    time_left = f", about {rough_duration(left)} left" if left and event.done < event.total else ""
    best = "" if event.best is None else f", best {metric_title(event.metric)} {score(event.best)}"
    return f"{event.done:,} of {event.total:,} candidates{time_left}{best}"


def _took(record: Record) -> str:
    """Return how long what was asked took, and what a search found."""
    found = ""
    search = read_search(record.model)
    if search is not None and search.best is not None:
        best = search.best.scores.get(search.refit)
        found = "" if best is None else f", best {metric_title(search.refit)} {score(best)}"
    for phase in record.phases:
        if phase.name in {"fit", "search", "tasks"}:
            return f", {phase.name} {seconds(phase.wall_s)}{found}"
    return ""
