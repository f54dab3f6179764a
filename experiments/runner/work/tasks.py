"""Independent tasks: spread them, and add up what they give."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from engines import monte_carlo

if TYPE_CHECKING:
    from engines.base import Engine
    from engines.specs import TasksSpec
    from experiments.runner.protocol import Reporter
    from experiments.runner.task import Task


class TasksWork:
    """Simulate all blocks on the workers."""

    def __init__(self, task: Task, engine: Engine[Any], reporter: Reporter) -> None:
        self._spec = cast("TasksSpec", task.load_spec())
        self._engine = engine
        self._reporter = reporter

    def load(self) -> None:
        """Nothing to do: a task carries all it needs."""

    def carry_out(self, repeat: int) -> dict[str, Any]:
        """Estimate the price."""
        del repeat
        spec = self._spec
        with self._reporter.phase("tasks"):
            parts = self._engine.map_tasks(monte_carlo.simulation(spec), monte_carlo.blocks(spec))
            estimate = monte_carlo.combine(parts)
        return {"estimate": asdict(estimate)}
