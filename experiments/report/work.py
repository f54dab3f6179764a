"""What the engines were asked to do, and how a report speaks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from experiments.report.columns import Column


@dataclass(frozen=True)
class Work:
    """The phase whose seconds decide, and the words for it.

    Parameters
    ----------
    phase : str
        Its name in the records.
    one, many : str
        What is done once, and several times.
    fastest : str
        Said of the engine that takes least.
    """

    phase: str
    one: str
    many: str
    fastest: str


FIT = Work("fit", "fit", "fits", "fitted fastest")
SEARCH = Work("search", "search", "searches", "searched fastest")
TASKS = Work("tasks", "run of the tasks", "runs of the tasks", "ran the tasks fastest")


def choose_work(columns: Sequence[Column], asked: Mapping[str, Any]) -> Work:
    """Return what was done at a point: as the records say, or else as the definition asks."""
    done = {phase.name for one in columns for record in one.records for phase in record.phases}
    for work in (SEARCH, TASKS, FIT):
        if work.phase in done:
            return work
    return asked_work(asked)


def asked_work(asked: Mapping[str, Any]) -> Work:
    """Return what a definition asks for."""
    workload = asked.get("workload")
    if isinstance(workload, dict) and workload.get("kind") == "tasks":
        return TASKS
    return SEARCH if asked.get("search") else FIT
