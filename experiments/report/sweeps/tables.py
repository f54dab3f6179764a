"""The numbers of a sweep as texts, for every form of a report that shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.report.cells import LEVEL
from experiments.report.numbers import (
    MISSING,
    excess,
    number,
    ratio,
    ratio_range,
    seconds,
    seconds_range,
    share,
    units_told,
)
from experiments.report.sweeps.answers import tell_held
from experiments.report.sweeps.keys import size_of
from experiments.report.sweeps.words import capital, follows_line
from experiments.report.text import definition_value
from experiments.report.wording import joined
from experiments.statistics.bootstrap import estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.report.sweeps.values import Series, SizePoint, Sweep
    from experiments.statistics.bootstrap import Estimate

# Sweeps shown in full
MOST_SECTIONS = 24
# Marks a line that describes its points badly
_OFF = "!"


@dataclass(frozen=True)
class SweepTable:
    """One table of a sweep.

    Parameters
    ----------
    key : str
        Stable name: "times", "growth" or "scaling".
    title : str
        What it shows.
    heads : tuple of str
        Of the columns; the first is what the rows are of.
    rows : tuple of tuple of str
        As many texts each as there are heads, of one line or of two. Nothing in them is escaped.
    legend : str
        How to read it; empty where it is plain.
    """

    key: str
    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    legend: str = ""


@dataclass(frozen=True)
class SweepSection:
    """One sweep as texts.

    Parameters
    ----------
    title : str
        What was swept, with the values of the other keys, and what was timed.
    answer : str
        What it shows; empty where it says nothing.
    tables : tuple of SweepTable
        Times at each value, then what they come down to.
    """

    title: str
    answer: str
    tables: tuple[SweepTable, ...]


def sweep_sections(sweeps: Sequence[Sweep], most: int = MOST_SECTIONS) -> tuple[SweepSection, ...]:
    """Return the texts of the first sweeps; nothing of them is escaped."""
    return tuple(SweepSection(_title(one), one.answer, sweep_tables(one)) for one in sweeps[:most])


def tell_others(sweeps: Sequence[Sweep], most: int = MOST_SECTIONS) -> str:
    """Say how many sweeps are not among the first; empty where all are."""
    more = len(sweeps) - most
    if more <= 0:
        return ""
    return f"{more:,} more sweep{'' if more == 1 else 's'} of this run: see the report as JSON."


def sweep_tables(sweep: Sweep) -> tuple[SweepTable, ...]:
    """Return the tables of a sweep: times at each value, then what they come down to."""
    found = [_times(sweep)]
    if sweep.kind == "size" and any(one.growth is not None for one in sweep.series):
        found.append(_growth(sweep))
    if sweep.scaling:
        found.append(_scaling(sweep))
    return tuple(found)


def _title(sweep: Sweep) -> str:
    held = tell_held(sweep)
    over = sweep.key if sweep.label == sweep.unit else f"{sweep.label} ({sweep.key})"
    return f"{capital(sweep.measure_label)} over {over}{f', {held}' if held else ''}"


def _times(sweep: Sweep) -> SweepTable:
    rows = [
        (_value(sweep, value), *(_cell(sweep, one, one.points[place]) for one in sweep.series))
        for place, value in enumerate(sweep.values)
    ]
    if sweep.kind != "other":
        completed = [
            MISSING if one.largest_completed is None else _value(sweep, one.largest_completed)
            for one in sweep.series
        ]
        rows.append(("largest completed", *completed))
    compared = [point for one in sweep.comparisons for point in one.points]
    legend = [_tell_typical(sweep)]
    if compared:
        legend.append(
            f"x: times as much as {sweep.baseline}, with its 95 % interval where one can be given."
        )
    if any(point.verdict == "no difference shown" for point in compared):
        legend.append(f"{LEVEL}: no difference shown.")
    if sweep.kind == "workers":
        legend += sweep.notes
    legend.append(sweep.noise)
    return SweepTable(
        key="times",
        title=f"{capital(sweep.measure_label)}, typical value",
        heads=(sweep.label, *(one.title for one in sweep.series)),
        rows=tuple(rows),
        legend=" ".join(filter(None, legend)),
    )


def _tell_typical(sweep: Sweep) -> str:
    """Say what the times shown are, which too few rounds decide."""
    timed = [point for one in sweep.series for point in one.points if point.counts]
    meant = {
        found is not None and found.has_interval
        for found in (estimate(point.rounds) for point in timed)
    }
    typical = "the geometric mean over rounds of the median of each"
    if meant == {True}:
        return f"Times are {typical}."
    if meant == {False}:
        return "Times are medians of all repeats, as there are too few rounds for an interval."
    if meant:
        return f"Times are {typical}, and medians of all repeats where rounds are too few."
    return ""


def _cell(sweep: Sweep, series: Series, point: SizePoint) -> str:
    if point.typical is None or not point.counts:
        return MISSING if point.outcome == "completed" else point.outcome
    text = seconds(point.typical)
    compared = next(
        (
            found
            for one in sweep.comparisons
            if (one.engine, one.implementation) == (series.engine, series.implementation)
            for found in one.points
            if found.value == point.value
        ),
        None,
    )
    if compared is not None:
        level = LEVEL if compared.verdict == "no difference shown" else ""
        text += f" ({level}{ratio(compared.times)})"
    below = "" if compared is None else _between(compared.ratio)
    ended = "" if point.outcome == "completed" else point.outcome
    return "\n".join(filter(None, (text, " ".join(filter(None, (below, ended))))))


def _between(one: Estimate) -> str:
    """Return the interval of a ratio; empty without one, and for what is 1 by definition."""
    if one.low is None or one.high is None or one.low == one.high == 1:
        return ""
    return f"[{ratio_range(one.low, one.high)}]"


def _growth(sweep: Sweep) -> SweepTable:
    grown = [(one.title, one.growth) for one in sweep.series if one.growth is not None]
    many = units_told(one.per_unit.value for _, one in grown)
    rows = []
    for title, one in grown:
        off = excess(one.worst_deviation)
        rows.append(
            (
                title,
                _estimate(one.fixed, 1),
                _estimate(one.per_unit, many),
                off if follows_line(one) else f"{off} {_OFF}",
                f"{_value(sweep, one.smallest)} to {_value(sweep, one.largest)}",
            )
        )
    legend = (
        f"Fitted to the times above: seconds = fixed + cost x {sweep.label}. It describes the "
        "sizes between those given and says nothing of others; brackets hold 95 % intervals, from "
        "lines fitted to times drawn as rounds vary (Student's t on logarithms), where every size "
        "has rounds enough for one."
    )
    if any(not follows_line(one) for _, one in grown):
        legend += (
            f" {_OFF}: the line misses a size by so much that its costs do not describe the times."
        )
    if lacking := [one.title for one in sweep.series if one.growth is None]:
        legend += f" {joined(lacking)}: no line, as fewer than three sizes were completed."
    legend = " ".join([legend, *sweep.notes])
    return SweepTable(
        key="growth",
        title=f"{capital(sweep.measure_label)}, fixed cost and cost of each {sweep.unit}",
        heads=("", "fixed", f"for {_amount(sweep, many)}", "off by up to", sweep.label),
        rows=tuple(rows),
        legend=legend,
    )


def _amount(sweep: Sweep, many: int) -> str:
    if sweep.label == sweep.unit:
        return f"each {sweep.unit}" if many == 1 else f"{many:,} of {sweep.label}"
    return f"each {sweep.unit}" if many == 1 else f"{many:,} {sweep.label}"


def _scaling(sweep: Sweep) -> SweepTable:
    scaled = dict(sweep.scaling)
    rows = []
    for value in sweep.values:
        cells = []
        for one in sweep.series:
            found = scaled.get(one.title)
            at = {} if found is None else {count: i for i, count in enumerate(found.workers)}
            if found is None or value not in at:
                cells.append(MISSING)
                continue
            speedup, efficiency = found.speedup[at[value]], found.efficiency[at[value]]
            text = f"{ratio(speedup.value)}, {share(efficiency.value)}"
            cells.append("\n".join(filter(None, (text, _between(speedup)))))
        rows.append((_value(sweep, value), *cells))
    fewest = min(one.workers[0] for one in scaled.values())
    return SweepTable(
        key="scaling",
        title=f"{capital(sweep.measure_label)}, speed-up and efficiency",
        heads=(sweep.label, *(one.title for one in sweep.series)),
        rows=tuple(rows),
        legend=(
            "x: times as fast as the same engine with the fewest cores that it completed "
            f"({fewest:g} or more), with a 95 % t interval over rounds on logarithms; the "
            "percentage is that of an ideal speed-up."
        ),
    )


def _estimate(one: Estimate, times: int) -> str:
    text = seconds(one.value * times)
    if one.low is None or one.high is None:
        return text
    return f"{text}\n[{seconds_range(one.low * times, one.high * times)}]"


def _value(sweep: Sweep, value: object) -> str:
    """Return a value for a column that is named after what it counts."""
    size = None if sweep.kind == "other" else size_of(value)
    return definition_value(value) if size is None else number(size)
