"""How time grows over a swept key: what was measured and fitted, and what did not complete."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from experiments.report.charts.crossings import draw_crossings, find_crossings
from experiments.report.charts.figure import Figure
from experiments.report.charts.marks import (
    LINE_HEIGHT,
    colour_of,
    dash_of,
    data,
    ends,
    interval_text,
    name_texts,
    shape_of,
    spread,
    told,
    tooltips,
    typical,
)
from experiments.report.charts.scaling_axes import HEIGHT, Vertical, sweep_axis, value_name
from experiments.report.charts.scene import lane_of, tell_point
from experiments.report.columns import NOT_FINISHED
from experiments.report.numbers import MISSING, seconds
from experiments.report.sweeps.words import digits_to_tell_apart, estimated
from experiments.report.text import clean
from experiments.report.wording import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.report.charts.lanes import Lane
    from experiments.report.charts.scaling_axes import SweepAxis
    from experiments.report.charts.scene import Scene
    from experiments.report.sweeps import Series, SizePoint, Sweep
    from experiments.statistics.bootstrap import Estimate

_LINE_POINTS = 60
_MOST_FIGURES = 6
# more values of a key than this lie on each other, and make a page larger than it may be
_MOST_VALUES = 120
# engines measured at one size stand beside each other, by so much of the axis
_ASIDE = 0.007
_CROSS = "M-1,-1L1,1M-1,1L1,-1"
_ENDED = ("completed", "degraded", NOT_FINISHED)


@dataclass(frozen=True)
class _Curve:
    """One engine: its times where it has some, and where it did not complete."""

    lane: Lane
    series: Series
    times: tuple[tuple[SizePoint, Estimate], ...]
    failures: tuple[SizePoint, ...]


def draw_scaling(scene: Scene) -> tuple[Figure, ...]:
    """Draw the main times, and those of the whole process, over each swept key."""
    sweeps = scene.report.sweeps
    main = sweeps[0].measure if sweeps else ""
    chosen = [one for one in sweeps if one.measure == main]
    chosen += [one for one in sweeps[:1] for one in _whole_like(one, sweeps)]
    figures = []
    for number_, sweep in enumerate(chosen[:_MOST_FIGURES], start=1):
        figure = _draw(scene, sweep, number_)
        if figure is not None:
            figures.append(figure)
    return tuple(figures)


def _whole_like(main: Sweep, sweeps: Sequence[Sweep]) -> list[Sweep]:
    """Return the sweep of whole processes over the main key."""
    return [
        one
        for one in sweeps
        if (one.key, one.held, one.measure) == (main.key, main.held, "total")
        and main.measure != "total"
    ][:1]


def _draw(scene: Scene, sweep: Sweep, number_: int) -> Figure | None:
    import altair as alt

    whole, sweep = sweep, _thinned(sweep)
    curves = _curves(scene, sweep)
    times = [(one, point, took) for one in curves for point, took in one.times]
    if len({value_name(point.value) for _, point, _ in times}) < 2:
        return None
    fitted = any(one.series.growth for one in curves)
    x = sweep_axis(sweep, fitted=fitted)
    drawn = [value for _, _, took in times for value in ends(took)]
    y = Vertical.over(drawn, failures=sum(bool(one.failures) for one in curves), like=sweep)
    points = [
        _row(x, one, point, took, aside=_ASIDE * (place - (len(curves) - 1) / 2))
        for place, one in enumerate(curves)
        for point, took in one.times
    ]
    colours, shapes = colour_of(scene.lanes), shape_of(scene.lanes)
    shown = tooltips(
        {
            "engine": "engine",
            "at": clean(sweep.label),
            "shown": clean(sweep.measure_label),
            "interval": "95 % interval",
            "rounds": "rounds",
            "outcome": "outcome",
        }
    )
    bounded = ", 95 % intervals" if any(took.has_interval for *_, took in times) else ""
    scale = ", log scale" if y.logarithmic else ""
    title = f"{clean(sweep.measure_label)}{bounded} (seconds{scale})"
    vertical = alt.Y("seconds:Q", scale=y.scale(), axis=y.axis(title))
    layers = [
        *draw_crossings(x, y, scene, sweep),
        *_lines(x, curves, vertical, colours, dash_of(scene.lanes)),
        alt.Chart(data(points))
        .mark_rule(strokeWidth=2)
        .encode(x=x.encoding, y=alt.Y("low:Q"), y2="high:Q", color=colours, tooltip=shown),
        *(
            alt.Chart(data(row for row in points if row["fair"] is fair))
            .mark_point(filled=fair, size=75, opacity=1)
            .encode(x=x.encoding, y=vertical, color=colours, shape=shapes, tooltip=shown)
            for fair in (True, False)
            if any(row["fair"] is fair for row in points)
        ),
    ]
    labels = _labels(x, y, curves)
    layers += name_texts(labels, colours, x=x.encoding)
    layers += _failures(x, y, curves, colours)
    chart = alt.layer(*layers).properties(height=HEIGHT)
    return Figure(
        key=f"scaling-{number_}-{_stem(sweep)}",
        title=_title(scene, sweep),
        text=_text(scene, sweep, curves, fitted=fitted) + _tell_thinned(whole, sweep),
        chart=chart,
        heads=(
            "Engine",
            clean(sweep.label),
            clean(sweep.measure_label),
            "95 % interval",
            "outcome",
        ),
        rows=tuple(_cells(one, point) for one in curves for point in one.series.points),
    )


def _thinned(sweep: Sweep) -> Sweep:
    """Return a sweep at so many of its values as can be drawn, the least and the greatest too."""
    count = len(sweep.values)
    if count <= _MOST_VALUES:
        return sweep
    places = [round(step * (count - 1) / (_MOST_VALUES - 1)) for step in range(_MOST_VALUES)]
    series = (
        replace(one, points=tuple(one.points[place] for place in places)) for one in sweep.series
    )
    return replace(sweep, series=tuple(series))


def _tell_thinned(whole: Sweep, drawn: Sweep) -> str:
    if drawn is whole:
        return ""
    return f" Of {len(whole.values):,} values {len(drawn.values)} are drawn."


def _curves(scene: Scene, sweep: Sweep) -> list[_Curve]:
    found = []
    for series in sweep.series:
        lane = lane_of(scene.lanes, series.engine, series.implementation)
        if lane is None:
            continue
        times = [(point, typical(point.rounds)) for point in series.points if point.rounds]
        failures = tuple(one for one in series.points if one.outcome not in _ENDED)
        known = tuple((point, took) for point, took in times if took is not None)
        found.append(_Curve(lane, series, known, failures))
    return found


def _row(
    x: SweepAxis, curve: _Curve, point: SizePoint, took: Estimate, *, aside: float
) -> dict[str, Any]:
    low, high = ends(took)
    return {
        "engine": curve.lane.name,
        "size": x.place(point, aside),
        "seconds": took.value,
        "low": low,
        "high": high,
        "at": value_name(point.value),
        "shown": seconds(took.value),
        "interval": interval_text(took),
        "rounds": str(took.rounds),
        "outcome": point.outcome,
        "fair": point.counts,
    }


def _lines(
    x: SweepAxis, curves: Sequence[_Curve], vertical: Any, colours: Any, dashes: Any
) -> list[Any]:
    """Return the fitted lines within the sizes measured, or lines from point to point."""
    import altair as alt

    rows: list[dict[str, Any]] = []
    for one in curves:
        own: list[tuple[float | str, float]]
        growth = one.series.growth
        if growth is not None and x.numeric:
            sizes = _between(growth.smallest, growth.largest, logarithmic=x.logarithmic)
            own = [(size, growth.at(size)) for size in sizes]
        else:
            own = [(x.place(point), took.value) for point, took in one.times if point.counts]
        rows += [
            {"engine": one.lane.name, "size": size, "seconds": value, "order": place}
            for place, (size, value) in enumerate(own)
            if value > 0
        ]
    if not rows:
        return []
    return [
        alt.Chart(data(rows))
        .mark_line(strokeWidth=1.5)
        .encode(
            x=x.encoding, y=vertical, color=colours, strokeDash=dashes, order=alt.Order("order:Q")
        )
    ]


def _between(low: float, high: float, *, logarithmic: bool) -> list[float]:
    steps = [step / (_LINE_POINTS - 1) for step in range(_LINE_POINTS)]
    if logarithmic:
        return [low * (high / low) ** step for step in steps]
    return [low + (high - low) * step for step in steps]


def _labels(x: SweepAxis, y: Vertical, curves: Sequence[_Curve]) -> list[dict[str, Any]]:
    """Return the names of the engines, beside their last times, none over another."""
    last = [(one, *one.times[-1]) for one in curves if one.times]
    wanted = [y.pixel(took.value) for _, _, took in last]
    return [
        {
            "engine": one.lane.name,
            "size": x.place(point),
            "value": y.at_pixel(max(pixel, LINE_HEIGHT / 2)),
            "text": one.lane.name,
            "place": "beside",
        }
        for (one, point, _), pixel in zip(last, spread(wanted, LINE_HEIGHT), strict=True)
    ]


def _failures(x: SweepAxis, y: Vertical, curves: Sequence[_Curve], colours: Any) -> list[Any]:
    """Return a line above the times for each engine that did not complete somewhere."""
    import altair as alt

    crosses: list[dict[str, Any]] = []
    names: list[dict[str, Any]] = []
    failed = [one for one in curves if one.failures]
    for line, one in enumerate(failed):
        value = y.at_pixel(HEIGHT - (line + 0.5) * LINE_HEIGHT)
        seen = set()
        for point in one.failures:
            cross = {
                "engine": one.lane.name,
                "size": x.place(point),
                "value": value,
                "at": value_name(point.value),
                "outcome": point.outcome,
            }
            crosses.append(cross)
            if point.outcome not in seen:
                text = f"{one.lane.name}: {point.outcome}"
                names.append({**cross, "text": text, "place": x.side(point)})
            seen.add(point.outcome)
    if not crosses:
        return []
    shown = tooltips({"engine": "engine", "at": "at", "outcome": "outcome"})
    return [
        alt.Chart(data(crosses))
        .mark_point(shape=_CROSS, size=40, opacity=1, filled=False, style="failure")
        .encode(x=x.encoding, y="value:Q", color=colours, tooltip=shown),
        *name_texts(names, colours, x=x.encoding),
    ]


def _cells(curve: _Curve, point: SizePoint) -> tuple[str, ...]:
    took = typical(point.rounds)
    told_ = (MISSING, MISSING) if took is None else (seconds(took.value), interval_text(took))
    return (curve.lane.name, value_name(point.value), *told_, point.outcome)


def _text(scene: Scene, sweep: Sweep, curves: Sequence[_Curve], *, fitted: bool) -> str:
    parts = []
    for one in curves:
        if not one.times:
            continue
        (first, fast), (last, slow) = one.times[0], one.times[-1]
        part = f"{one.lane.name} {told(fast)} at {value_name(first.value)}"
        if last is not first:
            part += f" and {told(slow)} at {value_name(last.value)}"
        parts.append(part)
    label = clean(sweep.label)
    text = f"Seconds of a {clean(sweep.measure_label)} over {label}: {'; '.join(parts)}."
    if fitted:
        text += " The lines are fitted: a fixed time and a time for each unit of size."
    for lane, crossing in find_crossings(scene, sweep):
        if crossing.size is not None and crossing.high is not None:
            digits = digits_to_tell_apart(crossing.low, crossing.size, crossing.high)
            size = estimated(sweep, crossing.size, digits)
            text += f" {lane.name} is faster than {clean(sweep.baseline)} from about {size} on."
    failures = [
        f"{one.lane.name} at {value_name(point.value)} ({point.outcome})"
        for one in curves
        for point in one.failures
    ]
    return f"{text} Not completed: {joined(failures)}." if failures else text


def _title(scene: Scene, sweep: Sweep) -> str:
    held = f", at {tell_point(scene.report, sweep.held)}" if sweep.held else ""
    return f"Time of a {clean(sweep.measure_label)} over {clean(sweep.label)}{held}"


def _stem(sweep: Sweep) -> str:
    """Return what a file is named after: letters, digits and dashes alone."""
    words = re.findall(r"[a-z0-9]+", f"{sweep.measure} {sweep.label}".lower())
    return "-".join(words)[:60].strip("-")
