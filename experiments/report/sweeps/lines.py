"""What a sweep comes down to as one line a number, for forms that hold one measurement a line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from experiments.report.sweeps.keys import size_of
from experiments.report.sweeps.words import capital
from experiments.report.text import definition_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from experiments.report.sweeps.values import Comparison, Series, Sweep
    from experiments.statistics.bootstrap import Estimate


@dataclass(frozen=True)
class SweepLine:
    """One number of a sweep.

    Parameters
    ----------
    point : dict
        Values of the swept keys that it is of; without the key of the sweep where it is of all
        values of that.
    group : str
        Which sweep, by its key.
    engine, implementation : str
        Whose it is.
    key, label : str
        Stable name of the number, which begins with that of what was timed, and the same for
        people.
    unit : str
        "seconds" or "number".
    value, low, high : float or None
        The number and its 95 % interval; None where there is none.
    text : str
        What stands beside a number or in its place: a verdict, or a value that is no number.
    """

    point: dict[str, Any]
    group: str
    engine: str
    implementation: str
    key: str
    label: str
    unit: str
    value: float | None
    low: float | None = None
    high: float | None = None
    text: str = field(default="", kw_only=True)


def sweep_lines(sweeps: Iterable[Sweep]) -> Iterator[SweepLine]:
    """Return the numbers of sweeps: what was completed, fitted and found, one a line."""
    for sweep in sweeps:
        for series in sweep.series:
            yield from _completed(sweep, series)
            yield from _fitted(sweep, series)
        yield from _crossed(sweep)
        yield from _scaled(sweep)


def _completed(sweep: Sweep, series: Series) -> Iterator[SweepLine]:
    if sweep.kind != "other":
        value = series.largest_completed
        size = None if value is None else size_of(value)
        text = "none" if value is None else definition_value(value) if size is None else ""
        yield _line(sweep, series, "largest_completed", "largest completed", size, text=text)


def _fitted(sweep: Sweep, series: Series) -> Iterator[SweepLine]:
    growth = series.growth
    if growth is not None:
        each = f"cost of each {sweep.unit}"
        yield _estimated(sweep, series, "fixed_s", "fixed cost", growth.fixed)
        yield _estimated(sweep, series, "per_unit_s", each, growth.per_unit)
        off = "factor by which the line is off at most"
        yield _line(sweep, series, "worst_deviation", off, growth.worst_deviation)
        yield _line(sweep, series, "fitted_from", f"least {sweep.label} fitted", growth.smallest)
        yield _line(sweep, series, "fitted_to", f"greatest {sweep.label} fitted", growth.largest)


def _crossed(sweep: Sweep) -> Iterator[SweepLine]:
    for one in sweep.comparisons:
        label = f"{sweep.label} from which it is faster than {sweep.baseline}"
        yield from _crossover(sweep, one, "crossover", label)
    for one in sweep.single.comparisons if sweep.single is not None else ():
        label = f"{sweep.label} from which it is faster than scikit-learn on one core"
        yield from _crossover(sweep, one, "crossover_to_one_core", label)


def _crossover(sweep: Sweep, one: Comparison, key: str, label: str) -> Iterator[SweepLine]:
    """Return a crossover: its size only where that is more than where two lines meet."""
    found = one.crossover
    if found is not None and found.verdict == "from":
        bounds = found.low, found.high
        yield _line(sweep, one, key, label, found.size, bounds=bounds, text=found.verdict)
    elif found is not None:
        yield _line(sweep, one, key, label, None, text=found.verdict)


def _scaled(sweep: Sweep) -> Iterator[SweepLine]:
    scaled = dict(sweep.scaling)
    for series in sweep.series:
        found = scaled.get(series.title)
        if found is None:
            continue
        values = {point.size: point.value for point in series.points}
        for place, workers in enumerate(found.workers):
            at = {sweep.key: values.get(workers, workers)}
            for key, label, one in (
                ("speedup", "speed-up", found.speedup[place]),
                ("efficiency", "efficiency", found.efficiency[place]),
            ):
                bounds = one.low, one.high
                yield _line(sweep, series, key, label, one.value, bounds=bounds, at=at)
    for cost in sweep.costs:
        series = next(one for one in sweep.series if one.engine == cost.engine)
        label = "cores with which it beats scikit-learn on one"
        yield _line(sweep, series, "cost_cores", label, cost.workers, text=cost.verdict)


def _estimated(sweep: Sweep, series: Series, key: str, label: str, one: Estimate) -> SweepLine:
    return _line(sweep, series, key, label, one.value, bounds=(one.low, one.high), unit="seconds")


def _line(
    sweep: Sweep,
    whose: Series | Comparison,
    key: str,
    label: str,
    value: float | None,
    *,
    bounds: tuple[float | None, float | None] = (None, None),
    unit: str = "number",
    text: str = "",
    at: dict[str, Any] | None = None,
) -> SweepLine:
    return SweepLine(
        {**sweep.held, **(at or {})},
        f"Sweep of {sweep.key}",
        whose.engine,
        whose.implementation,
        f"{sweep.measure}_{key}",
        f"{capital(sweep.measure_label)}, {label}",
        unit,
        value,
        *bounds,
        text=text,
    )
