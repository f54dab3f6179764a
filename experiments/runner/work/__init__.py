"""What a child process does between the start and the stop of its engine, one module a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from engines.base import Engine
    from experiments.runner.protocol import Reporter
    from experiments.runner.task import Task


class Work(Protocol):
    """The phases of one kind of workload."""

    def load(self) -> None:
        """Load what every repeat needs."""

    def carry_out(self, repeat: int) -> dict[str, Any]:
        """Do the work once and return what is reported of it."""


def choose_work(task: Task, engine: Engine[Any], reporter: Reporter) -> Work:
    """Return the work that a task asks for."""
    if task.spec["kind"] == "tasks":
        from experiments.runner.work.tasks import TasksWork

        return TasksWork(task, engine, reporter)
    if task.search is not None:
        from experiments.runner.work.search import SearchWork

        return SearchWork(task, engine, reporter)
    from experiments.runner.work.fit import FitWork

    return FitWork(task, engine, reporter)
