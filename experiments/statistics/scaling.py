"""What more workers bring: speed-up, efficiency, and how many it takes to beat one thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.statistics.bootstrap import FEWEST_ROUNDS, Estimate, estimate_ratio, middles_of
from experiments.statistics.noise import difference_shown, floor_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.statistics.growth import Point
    from experiments.statistics.noise import Floors


@dataclass(frozen=True)
class Scaling:
    """How one engine gains from workers.

    Parameters
    ----------
    workers : tuple of float
        Numbers of workers or cores measured, ascending.
    speedup : tuple of Estimate
        For each, how many times as fast as with the fewest. The first is 1 by definition.
    efficiency : tuple of Estimate
        For each, the speed-up over the factor by which the workers are more: 1 is ideal.
    """

    workers: tuple[float, ...]
    speedup: tuple[Estimate, ...]
    efficiency: tuple[Estimate, ...]


def scaling(points: Sequence[Point]) -> Scaling | None:
    """Return speed-up and efficiency relative to the fewest workers measured.

    Different numbers of workers are measured one after the other and not in turns, so that their
    rounds are no pairs.

    Parameters
    ----------
    points : sequence of Point
        Times of one engine, whose size is a number of workers above 0. Points without values are
        left out.

    Returns
    -------
    Scaling or None
        None below two numbers of workers.
    """
    measured = sorted((one for one in points if middles_of(one.rounds)), key=lambda one: one.size)
    if not measured or measured[0].size <= 0 or measured[0].size == measured[-1].size:
        return None
    fewest = measured[0]
    workers: list[float] = []
    speedups: list[Estimate] = []
    for point in measured:
        speedup = (
            _one(len(middles_of(fewest.rounds)))
            if point is fewest
            else estimate_ratio(fewest.rounds, point.rounds)
        )
        if speedup is not None:
            workers.append(point.size)
            speedups.append(speedup)
    efficiency = (
        _divided(speedup, count / fewest.size)
        for speedup, count in zip(speedups, workers, strict=True)
    )
    return Scaling(tuple(workers), tuple(speedups), tuple(efficiency))


def cost(
    points_of_engine: Sequence[Point],
    one_thread: Sequence[Sequence[float]],
    floor: Floors = None,
) -> float | None:
    """Return the configuration that outperforms a single thread.

    A system that scales well may still never be faster than one competent thread (McSherry, Isard
    & Murray 2015, *Scalability! But at what COST?*, HotOS XV).

    Parameters
    ----------
    points_of_engine : sequence of Point
        Times of the engine, whose size is a number of workers.
    one_thread : sequence of sequence of float
        Repeats by round of the single thread.
    floor : NoiseFloor or mapping of float to NoiseFloor or None, optional
        What a null run showed, at each number of workers where it is a mapping.

    Returns
    -------
    float or None
        The fewest workers with which the engine was faster, shown by interval and beyond the
        floor; None if no number measured was.
    """
    for point in sorted(points_of_engine, key=lambda one: one.size):
        ratio = estimate_ratio(point.rounds, one_thread)
        if (
            ratio is not None
            and ratio.value < 1
            and difference_shown(ratio, floor_at(floor, point.size))
        ):
            return point.size
    return None


def _one(rounds: int) -> Estimate:
    """Return 1, which is so by definition: its interval has no width."""
    bound = 1.0 if rounds >= FEWEST_ROUNDS else None
    return Estimate(1.0, bound, bound, rounds)


def _divided(by: Estimate, factor: float) -> Estimate:
    if by.low is None or by.high is None:
        return Estimate(by.value / factor, None, None, by.rounds)
    return Estimate(by.value / factor, by.low / factor, by.high / factor, by.rounds)
