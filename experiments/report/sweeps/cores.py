"""Say what more cores bring, and how the workers of an engine best share them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.report.numbers import seconds, share
from experiments.report.sweeps.words import at_value, either, interval, times
from experiments.report.text import definition_value
from experiments.report.wording import joined
from experiments.statistics.bootstrap import estimate_ratio
from experiments.statistics.noise import difference_shown, greater_floor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.report.sweeps.values import Cost, Sweep
    from experiments.statistics.noise import NoiseFloor
    from experiments.statistics.scaling import Scaling

ONE_CORE = "scikit-learn on one core"


def tell_speedups(sweep: Sweep) -> str:
    """Say how many times as fast each engine is with the most cores as with the fewest."""
    groups: dict[tuple[float, float], list[str]] = {}
    for title, scaled in sweep.scaling:
        ends = (scaled.workers[0], scaled.workers[-1])
        told = groups.setdefault(ends, [])
        floor = greater_floor(*(_floor_at(sweep, size) for size in ends))
        told.append(_speedup(title, scaled, floor, first=not told))
    return "; ".join(
        f"on {most:g} cores instead of {fewest:g}, {joined(told)}"
        for (fewest, most), told in groups.items()
    )


def _floor_at(sweep: Sweep, value: object) -> NoiseFloor | None:
    at = zip(sweep.values, sweep.floors, strict=True)
    return next((floor for one, floor in at if one == value), None)


def _speedup(title: str, scaled: Scaling, floor: NoiseFloor | None, *, first: bool) -> str:
    speedup, efficiency = scaled.speedup[-1], scaled.efficiency[-1]
    between = interval(speedup)
    about = [f"{'95 % interval ' if first else ''}{between}" if between else "no interval"]
    about.append(f"{'efficiency ' if first else ''}{share(efficiency.value)}")
    if between and not difference_shown(speedup, floor):
        about.append("no gain shown")
    return f"{title} is {times(speedup.value)} times as fast ({', '.join(about)})"


def tell_costs(costs: Sequence[Cost]) -> str:
    """Say with how many cores each engine beats scikit-learn on one."""
    told = [
        f"with {one.workers:g} {_cores(one.workers)} {one.title} beats {ONE_CORE}"
        for one in costs
        if one.verdict == "from"
    ]
    told += [
        f"with up to {one.most:g} {_cores(one.most)} {one.title} does not beat {ONE_CORE}"
        for one in costs
        if one.verdict == "never"
    ]
    if unknown := [one.title for one in costs if one.verdict == "unknown"]:
        told.append(
            f"it is not known whether {either(unknown)} beats {ONE_CORE}, as that was not measured "
            "or in too few rounds"
        )
    return "; ".join(told)


def _cores(number: float | None) -> str:
    return "core" if number == 1 else "cores"


def tell_division(sweep: Sweep) -> str:
    """Say with which number of workers an engine took least; all of them share the same cores.

    Numbers of workers are measured one after the other, so that their rounds are no pairs.
    """
    engine = sweep.key.split(".")[1]
    one = next((one for one in sweep.series if one.engine == engine), None)
    timed = [] if one is None else [point for point in one.points if point.counts]
    ordered = sorted(timed, key=lambda point: point.typical or 0.0)
    if one is None or len(ordered) < 2:
        return ""
    first, *others = ordered
    told = []
    for point in others:
        ratio = estimate_ratio(point.rounds, first.rounds)
        floor = greater_floor(*(_floor_at(sweep, one.value) for one in (point, first)))
        text = f"{seconds(point.typical)} with {definition_value(point.value)}"
        if ratio is None or not ratio.has_interval:
            text += " (no interval)"
        elif not difference_shown(ratio, floor):
            text += " (no difference shown)"
        told.append(text)
    return (
        f"{one.title} takes {seconds(first.typical)} with {at_value(sweep, first.value)} and "
        f"{joined(told)}, all on the same cores"
    )
