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
    """

    point: int
    round: int
    engine: str


def make_plan(n_points: int, n_rounds: int, engines: Sequence[str]) -> tuple[PlanItem, ...]:
    """Interleave the engines, so that a drift of the machine meets all of them alike.

    Each round runs every engine once, and each round starts one engine later than the round
    before (ABC, BCA, CAB): every engine takes every place equally often.
    """
    return tuple(_items(n_points, n_rounds, engines))


def _items(n_points: int, n_rounds: int, engines: Sequence[str]) -> Iterator[PlanItem]:
    for point in range(n_points):
        for number in range(n_rounds):
            first = number % len(engines)
            for engine in [*engines[first:], *engines[:first]]:
                yield PlanItem(point, number, engine)
