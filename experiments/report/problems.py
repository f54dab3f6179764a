"""Why engines did not complete, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.report.columns import NOT_FINISHED
from experiments.report.footnotes import sentence
from experiments.report.numbers import memory, seconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from experiments.records import Phase, Record
    from experiments.report.columns import Column


@dataclass(frozen=True)
class Problem:
    """Why an engine did not complete.

    Parameters
    ----------
    engine, outcome, where, message : str
        What happened to which engine, in which round and repeat.
    log : str or None
        Path of its log, relative to the run folder.
    phase : Phase or None
        The phase that was cut short, with what it had used by then.
    """

    engine: str
    outcome: str
    where: str
    message: str
    log: str | None
    phase: Phase | None = None

    @property
    def told(self) -> str:
        """The message as a sentence; empty where there is none."""
        return sentence(self.message)

    @property
    def when(self) -> str:
        """Where in the run it happened, and how far the phase was that it cut short."""
        parts = [self.where]
        if self.phase is not None:
            parts.append(
                f"in phase {self.phase.name} after {seconds(self.phase.wall_s)}, "
                f"peak {memory(self.phase.peak_memory_bytes)}"
            )
        return ", ".join(part for part in parts if part)


def find_problems(column: Column, name: str) -> Iterable[Problem]:
    """Return why an engine did not complete, each reason once.

    Parameters
    ----------
    column : Column
        The engine with its records.
    name : str
        What it is called.
    """
    several = len(column.children) > 1
    seen = set()
    for record in column.records:
        if record.outcome == "completed":
            continue
        message = record.error.message if record.error else ""
        where = f"repeat {record.repeat + 1}"
        if several:
            where = f"round {record.round + 1}, {where}"
        # a worker that is lost stays lost: one line says so, not one a repeat
        if (record.outcome, record.round, message) in seen:
            continue
        seen.add((record.outcome, record.round, message))
        log = record.error.log if record.error else None
        yield Problem(name, record.outcome, where, message, log, _cut_short(record))
    if column.outcome == NOT_FINISHED:
        done = f"{len(column.records)} of {column.planned} repeats were measured"
        yield Problem(name, column.outcome, "", f"{done} before the run ended.", None)


def _cut_short(record: Record) -> Phase | None:
    """Return the phase in which an engine ended before its time."""
    return next((phase for phase in record.phases if not phase.ended), None)
