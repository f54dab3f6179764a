"""Say what could make an engine pay off that was not faster at any size measured.

A line is followed beyond the sizes measured only where it describes these well, not beyond
`_FARTHEST` times the greatest of them, and never without saying so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.report.numbers import seconds
from experiments.report.sweeps.comparisons import lines_of
from experiments.report.sweeps.words import capital, either, estimated, follows_line, times
from experiments.report.wording import joined

if TYPE_CHECKING:
    from experiments.report.sweeps.values import Comparison, Sweep

_FARTHEST = 10


def tell_what_could_change(sweep: Sweep) -> str:
    """Say what the lines say of greater sizes, and what else was not measured; empty if faster."""
    slower = [one for one in sweep.comparisons if sweep.kind == "size" and _is_never_faster(one)]
    if not slower:
        return ""
    told = [text for one in slower if (text := _tell_beyond(sweep, one))]
    text = f"{capital('; '.join(told))}. " if told else ""
    could = ["more cores", "more machines"]
    baseline = next(one for one in sweep.series if one.title == sweep.baseline)
    ran_out = any(point.outcome == "out of memory" for point in baseline.points)
    if not ran_out and not sweep.measure.startswith("tasks"):
        could.append("data beyond the memory of this host")
    fixed = [_tell_fixed(sweep, one) for one in slower if not _slope(sweep, one)]
    if fixed := [one for one in fixed if one]:
        could.append(f"a lower fixed cost of a {sweep.measure_label} (now {joined(fixed)})")
    return f"{text}What could change it and was not measured: {either(could)}."


def _is_never_faster(one: Comparison) -> bool:
    """Tell whether intervals were given, and none shows the engine to be faster."""
    verdicts = {point.verdict for point in one.points}
    faster = one.crossover is not None and one.crossover.verdict in {"from", "always"}
    return not faster and bool(verdicts & {"slower"}) and "faster" not in verdicts


def _tell_fixed(sweep: Sweep, one: Comparison) -> str:
    """Return the fixed cost of an engine, where a line describes its times."""
    grown = next((found.growth for found in sweep.series if found.title == one.title), None)
    if grown is None or not follows_line(grown) or grown.fixed.value <= 0:
        return ""
    return f"{seconds(grown.fixed.value)} on {one.title}"


def _tell_beyond(sweep: Sweep, one: Comparison) -> str:
    if ratio := _slope(sweep, one):
        return (
            f"more {sweep.label} alone would not change it for {one.title} if times go on growing "
            f"as measured, as each further {sweep.unit} takes it {times(ratio)} times as long"
        )
    lines, crossover = lines_of(sweep, one.title), one.crossover
    if crossover is None or crossover.beyond is None or not all(map(follows_line, lines)):
        return ""
    if crossover.beyond > _FARTHEST * crossover.largest:
        return (
            f"{one.title}'s fitted line meets that of {sweep.baseline} only beyond {_FARTHEST} "
            "times the greatest size measured, if at all"
        )
    return (
        f"{one.title}'s fitted line would meet that of {sweep.baseline} at about "
        f"{estimated(sweep, crossover.beyond)}, which is extrapolated beyond what was measured"
    )


def _slope(sweep: Sweep, one: Comparison) -> float | None:
    """Return how much more a unit of size costs an engine, where the intervals show it does."""
    lines = lines_of(sweep, one.title)
    if len(lines) < 2 or not all(map(follows_line, lines)):
        return None
    of, to = (line.per_unit for line in lines)
    if of.low is None or to.high is None or of.low <= to.high or to.value <= 0:
        return None
    return of.value / to.value
