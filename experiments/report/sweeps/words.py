"""Phrases that the sentences about a sweep share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from experiments.report.numbers import bounds, ratio, rough
from experiments.report.sweeps.keys import tell_value, tell_values
from experiments.report.wording import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.report.sweeps.values import ComparedPoint, Sweep
    from experiments.statistics.bootstrap import Estimate
    from experiments.statistics.growth import Growth

# A line that misses a point by more than this factor is no description of how times grow
POOR_FIT = 1.5
_MOST_DIGITS = 4


def follows_line(growth: Growth | None) -> bool:
    """Tell whether a fitted line describes the times well enough to speak of its costs."""
    return growth is not None and growth.worst_deviation <= POOR_FIT


def at_value(sweep: Sweep, value: Any) -> str:
    """Return one value with what it counts."""
    return tell_value(sweep.key, sweep.label, sweep.unit, value)


def at_values(sweep: Sweep, values: Sequence[Any]) -> str:
    """Return some values of a sweep: neighbours as a range, others one by one."""
    known = list(sweep.values)
    places = [known.index(value) for value in values]
    if places == list(range(places[0], places[-1] + 1)):
        return tell_values(sweep.key, sweep.label, sweep.unit, values)
    return joined([at_value(sweep, value) for value in values])


def between_values(sweep: Sweep, first: Any, last: Any) -> str:
    """Return two values of a sweep, between which something lies."""
    return tell_values(sweep.key, sweep.label, sweep.unit, [first, last])


def estimated(sweep: Sweep, size: float, digits: int = 2) -> str:
    """Return a size that was estimated, with what it counts."""
    if sweep.label == sweep.unit:
        return f"{sweep.label} {rough(size, digits)}"
    return f"{rough(size, digits)} {sweep.label}"


def digits_to_tell_apart(*sizes: float | None) -> int:
    """Return how many digits keep an estimated size and its bounds apart, four at most."""
    known = [size for size in sizes if size is not None]
    for digits in range(2, _MOST_DIGITS):
        if len({rough(size, digits) for size in known}) == len(known):
            return digits
    return _MOST_DIGITS


def place(sweep: Sweep) -> str:
    """Return what a value of the sweep is called."""
    return "size" if sweep.kind == "size" else "value"


def times(value: float) -> str:
    """Return a ratio as a number alone."""
    return ratio(value).removesuffix("x")


def interval(one: Estimate) -> str:
    """Return the interval of a ratio; empty without one."""
    if one.low is None or one.high is None:
        return ""
    low, high = bounds(one.low, one.high)
    return f"{low} to {high}"


def times_as_long(points: Sequence[ComparedPoint]) -> str:
    """Return ratios with their intervals in one phrase, which says once what the intervals are."""
    told: list[str] = []
    for point in points:
        about = []
        if between := interval(point.ratio):
            named = any(" (" in one for one in told)
            about.append(f"{'' if named else '95 % interval '}{between}")
        if point.verdict == "no difference shown":
            about.append(point.verdict)
        text = times(point.times)
        told.append(f"{text} ({', '.join(about)})" if about else text)
    return f"{joined(told)} times as long"


def ratio_range(points: Sequence[ComparedPoint]) -> str:
    """Return the least and the greatest ratio of some points."""
    ratios = [point.times for point in points]
    low, high = times(min(ratios)), times(max(ratios))
    return low if low == high else f"{low} to {high}"


def capital(text: str) -> str:
    """Return a text that begins as a sentence does."""
    return f"{text[0].upper()}{text[1:]}"


def either(texts: Sequence[str]) -> str:
    """Return texts as a choice: ``"a, b or c"``."""
    *first, last = texts
    return f"{', '.join(first)} or {last}" if first else last
