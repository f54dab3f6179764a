"""Tell on standard error what a run is doing: live in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from experiments.report.columns import title
from experiments.report.numbers import seconds
from experiments.report.text import clean
from experiments.runner.events import (
    ChildEnded,
    ChildStarted,
    PhaseStarted,
    Planned,
    Preparing,
    RecordWritten,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from experiments.runner.events import Event

# Drawing takes time of a core that engines compute on
_DRAWINGS_A_SECOND = 2


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
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._preparing = False
        self._child = ""

    def __call__(self, event: Event) -> None:
        """Write what an event is worth."""
        match event:
            case Preparing() if not self._preparing:
                self._preparing = True
                self._write("preparing the data")
            case Planned(children):
                processes = "process" if children == 1 else "processes"
                self._write(f"{children} {processes} to run, one after the other")
            case ChildStarted():
                self._child = describe(event)
                self._write(self._child)
            case RecordWritten(record):
                fit = [phase.wall_s for phase in record.phases if phase.name == "fit"]
                took = f", fit {seconds(fit[0])}" if fit else ""
                temperature = "warm" if record.warm else "cold"
                self._write(
                    f"{self._child}: repeat {record.repeat + 1} ({temperature}) "
                    f"{record.outcome}{took}"
                )
            case ChildEnded(_, outcome) if outcome != "completed":
                self._write(f"{self._child}: {outcome}")


class Live:
    """Move a bar over all processes, and say what the present one does.

    Parameters
    ----------
    progress : rich.progress.Progress
        The display.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=None)
        self._child = ""
        self._done = 0

    def __call__(self, event: Event) -> None:
        """Draw what an event changes."""
        match event:
            case Preparing(done, total):
                of = f" of {total:,}" if total else ""
                self._show(f"preparing the data: {done:,}{of} rows", completed=done, total=total)
            case Planned(children):
                self._show("starting", completed=0, total=children)
            case ChildStarted():
                self._child = describe(event)
                self._show(self._child)
            case PhaseStarted(name, repeat):
                which = f" (repeat {repeat + 1})" if repeat is not None else ""
                self._show(f"{self._child}: {clean(name)}{which}")
            case ChildEnded(_, outcome):
                self._done += 1
                self._show(f"{self._child}: {outcome}", completed=self._done)
                if outcome != "completed":
                    self._progress.console.print(f"{self._child}: {outcome}", markup=False)

    def _show(self, text: str, **state: Any) -> None:
        self._progress.update(self._task, description=text, **state)


def describe(event: ChildStarted) -> str:
    """Return the engine, round and point of a process, and its place among all."""
    point = "".join(f", {clean(key)} {clean(value)}" for key, value in event.point.items())
    return (
        f"[{event.position}/{event.children}] {title(event.engine)}, round {event.round + 1}{point}"
    )
