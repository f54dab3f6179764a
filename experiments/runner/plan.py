"""The explicit plan of a run: which child process runs when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class PlanItem:
    """One child process.

    Parameters
    ----------
    point : int
        Number of the point in the sweep.
    round : int
        Number of the round.
    engine : str
        Name of the engine.
    null_run : bool
        Whether the engine runs once more, to compare it with itself.
    """

    point: int
    round: int
    engine: str
    null_run: bool = False

    @property
    def name(self) -> str:
        """Name that no other process of the run has."""
        again = "-null" if self.null_run else ""
        return f"{self.engine}-p{self.point}-r{self.round}{again}"


def make_plan(
    n_points: int, n_rounds: int, engines: Sequence[str], null_run: str | None = None
) -> tuple[PlanItem, ...]:
    """Interleave the engines, so that a drift of the machine meets all of them alike.

    Each round runs every engine once, and each round starts one engine later than the round
    before (ABC, BCA, CAB): every engine takes every place equally often. With a null run, each
    round ends with that engine once more.
    """
    return tuple(_items(n_points, n_rounds, engines, null_run))


def _items(
    n_points: int, n_rounds: int, engines: Sequence[str], null_run: str | None
) -> Iterator[PlanItem]:
    for point in range(n_points):
        for number in range(n_rounds):
            first = number % len(engines)
            for engine in [*engines[first:], *engines[:first]]:
                yield PlanItem(point, number, engine)
            if null_run is not None:
                yield PlanItem(point, number, null_run, null_run=True)
