"""Compare one engine with the baseline at each value of a swept key, and over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.report.sweeps.values import ComparedPoint, Comparison
from experiments.statistics.bootstrap import estimate_ratio
from experiments.statistics.growth import Point, find_crossover
from experiments.statistics.noise import apart, difference_shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from experiments.report.sweeps.values import Series, SizePoint, Verdict
    from experiments.statistics.growth import Crossover
    from experiments.statistics.noise import NoiseFloor


def compare(
    series: Series,
    baseline: Series,
    floors: Sequence[NoiseFloor | None],
    *,
    fit: bool,
    paired: bool = True,
) -> Comparison:
    """Compare an engine with the baseline.

    Engines take turns in the rounds of one point, so those are pairs; rounds of two points are not.
    """
    points = tuple(
        compared
        for of, to, floor in zip(series.points, baseline.points, floors, strict=True)
        if (compared := _compare_point(of, to, floor, paired=paired)) is not None
    )
    crossover = _crossover(series, baseline, points, paired=paired) if fit else None
    return Comparison(series.engine, series.title, series.implementation, points, crossover)


def _crossover(
    series: Series, baseline: Series, points: Sequence[ComparedPoint], *, paired: bool
) -> Crossover | None:
    """Return from which size an engine is faster; None where a size is too noisy to have a say."""
    # that of the greatest size, where a difference has to show if it shows anywhere
    greatest = next((one.floor for one in reversed(points) if one.floor is not None), None)
    if any(_within_own_noise(one, greatest) for one in points):
        return None
    floors = {one.size: one.floor for one in points if one.size is not None}
    of, to = fitted(series.points), fitted(baseline.points)
    return find_crossover(of, to, floors, paired=paired)


def _within_own_noise(point: ComparedPoint, floor: NoiseFloor | None) -> bool:
    """Tell whether a size differs within its own noise, and beyond that of the greatest size.

    A null run may differ by more than its rounds vary, of which lines through the times of such a
    size know nothing.
    """
    if point.floor is None or floor is None or not point.ratio.has_interval:
        return False
    return floor.factor < apart(point.ratio.value) <= point.floor.factor


def _compare_point(
    of: SizePoint, to: SizePoint, floor: NoiseFloor | None, *, paired: bool
) -> ComparedPoint | None:
    if not of.counts or not to.counts:
        return None
    ratio = estimate_ratio(of.rounds, to.rounds, paired=paired)
    if ratio is None or not of.typical or not to.typical:
        return None
    verdict: Verdict = "no interval"
    shown = of.typical / to.typical
    if ratio.has_interval:
        verdict, shown = "no difference shown", ratio.value
        if difference_shown(ratio, floor):
            verdict = "faster" if ratio.value < 1 else "slower"
    return ComparedPoint(of.value, of.size, shown, ratio, floor, verdict)


def fitted(points: Iterable[SizePoint]) -> list[Point]:
    """Return the points that count, as the statistics take them."""
    return [Point(one.size, one.rounds) for one in points if one.counts and one.size is not None]
