"""How time grows over a swept key: what was measured and fitted, and what did not complete."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.report.charts.figure import Figure
from experiments.report.charts.lanes import shorten
from experiments.report.charts.marks import (
    LINE_HEIGHT,
    colour_of,
    dash_of,
    data,
    ends,
    interval_text,
    log_domain,
    log_ticks,
    name_texts,
    needs_log,
    shape_of,
    spread,
    told,
    tooltips,
)
from experiments.report.charts.scene import lane_of, tell_point
from experiments.report.columns import NOT_FINISHED
from experiments.report.numbers import MISSING, number, rough, seconds
from experiments.report.sweeps.words import digits_to_tell_apart, estimated
from experiments.report.text import clean, definition_value
from experiments.report.wording import joined
from experiments.statistics.bootstrap import estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.report.charts.lanes import Lane
    from experiments.report.charts.scene import Scene
    from experiments.report.sweeps import Series, SizePoint, Sweep
    from experiments.statistics.bootstrap import Estimate
    from experiments.statistics.growth import Crossover

_HEIGHT = 300
_LINE_POINTS = 60
_LONGEST_VALUE = 24
_MOST_FIGURES = 6
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


@dataclass(frozen=True)
class _Axis:
    """The axis of the swept key, and where its values stand on it."""

    encoding: Any
    numeric: bool
    logarithmic: bool
    low: float = 0.0
    high: float = 1.0
    least: float = 0.0
    order: tuple[str, ...] = ()

    def place(self, point: SizePoint, aside: float = 0.0) -> float | str:
        """Return where a point stands: a size, or a value without one as text.

        Sizes are moved aside by so much of the axis, so that intervals do not hide each other.
        """
        if not self.numeric or point.size is None:
            return _name(point.value)
        if self.logarithmic:
            return float(point.size * (self.high / self.low) ** aside)
        return point.size + (self.high - self.low) * aside

    def side(self, point: SizePoint) -> str:
        """Return on which side of a point there is room for a name."""
        if self.numeric and point.size is not None:
            return self.side_of(point.size)
        late = self.order.index(_name(point.value)) >= len(self.order) / 2
        return "before" if late else "beside"

    def side_of(self, size: float) -> str:
        """Return on which side of a size there is room for a name."""
        return "before" if self._share(size) > 0.5 else "beside"

    def _share(self, size: float) -> float:
        if self.logarithmic:
            return math.log(size / self.low) / math.log(self.high / self.low)
        return (size - self.low) / (self.high - self.low)


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

    curves = _curves(scene, sweep)
    times = [(one, point, took) for one in curves for point, took in one.times]
    if len({_name(point.value) for _, point, _ in times}) < 2:
        return None
    fitted = any(one.series.growth for one in curves)
    x = _axis(sweep, fitted=fitted)
    drawn = [value for _, _, took in times for value in ends(took)]
    y = _Vertical.over(drawn, failures=sum(bool(one.failures) for one in curves), like=sweep)
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
        *_crossings(x, y, scene, sweep),
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
    chart = alt.layer(*layers).properties(height=_HEIGHT)
    return Figure(
        key=f"scaling-{number_}-{_stem(sweep)}",
        title=_title(scene, sweep),
        text=_text(scene, sweep, curves, fitted=fitted),
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


@dataclass(frozen=True)
class _Vertical:
    """The axis of seconds; above the times it has room for what did not complete."""

    low: float
    high: float
    top: float
    logarithmic: bool

    @classmethod
    def over(cls, values: Sequence[float], *, failures: int, like: Sweep) -> _Vertical:
        """Return an axis over all values, with a line of text above it for each failed engine."""
        band = min(0.5, (failures + 0.5) * LINE_HEIGHT / _HEIGHT) if failures else 0.0
        if like.kind == "size" or needs_log(values):
            low, high = log_domain(values)
            top = 10 ** (math.log10(low) + math.log10(high / low) / (1 - band))
            return cls(low, high, top, logarithmic=True)
        high = max(values) * 1.06 or 1.0
        return cls(0.0, high, high / (1 - band), logarithmic=False)

    def scale(self) -> Any:
        """Return the scale of Vega-Lite."""
        import altair as alt

        kind = "log" if self.logarithmic else "linear"
        return alt.Scale(type=kind, domain=[self.low, self.top], nice=False)

    def axis(self, title: str) -> Any:
        """Return the axis of Vega-Lite, without ticks beyond the times."""
        import altair as alt

        if self.logarithmic:
            ticks = log_ticks(self.low, self.high)
            return alt.Axis(title=title, values=ticks, format=",~g")
        return alt.Axis(title=title, tickCount=6, format=",~f")

    def pixel(self, value: float) -> float:
        """Return how far above the bottom a value stands, in pixels."""
        if self.logarithmic:
            share = math.log(value / self.low) / math.log(self.top / self.low)
        else:
            share = value / self.top
        return share * _HEIGHT

    def at_pixel(self, pixel: float) -> float:
        """Return the value that stands so many pixels above the bottom."""
        share = pixel / _HEIGHT
        if self.logarithmic:
            return float(self.low * (self.top / self.low) ** share)
        return share * self.top


def _axis(sweep: Sweep, *, fitted: bool) -> _Axis:
    import altair as alt

    points = [point for one in sweep.series for point in one.points]
    sizes = sorted({point.size for point in points if point.size is not None})
    label = shorten(clean(sweep.label), 60)
    if len(sizes) < 2 or any(point.size is None for point in points):
        order = list(dict.fromkeys(_name(point.value) for point in points))
        encoding = alt.X(
            "size:O", scale=alt.Scale(domain=order), axis=alt.Axis(title=label, labelAngle=0)
        )
        return _Axis(encoding, numeric=False, logarithmic=False, order=tuple(order))
    each = "unit" if sweep.unit == sweep.label else clean(sweep.unit)
    note = f"; lines: fitted fixed time + time per {each}" if fitted else ""
    logarithmic = sweep.kind == "size" or needs_log(sizes)
    if logarithmic:
        low, high = log_domain(sizes, room=0.04)
        scale = alt.Scale(type="log", domain=[low, high], nice=False)
        note = f" (log scale{note})"
    else:
        room = 0.06 * (sizes[-1] - sizes[0])
        low, high = sizes[0] - room, sizes[-1] + room
        scale = alt.Scale(domain=[low, high], nice=False, zero=False)
        note = f" ({note.removeprefix('; ')})" if note else ""
    large = sizes[-1] >= 10_000
    axis = alt.Axis(
        title=f"{label}{note}",
        values=sizes,
        format="~s" if large else ",~g",
        labelOverlap=True,
        grid=True,
    )
    return _Axis(alt.X("size:Q", scale=scale, axis=axis), True, logarithmic, low, high, sizes[0])


def _curves(scene: Scene, sweep: Sweep) -> list[_Curve]:
    found = []
    for series in sweep.series:
        lane = lane_of(scene.lanes, series.engine, series.implementation)
        if lane is None:
            continue
        times = [(point, estimate(point.rounds)) for point in series.points if point.rounds]
        failures = tuple(one for one in series.points if one.outcome not in _ENDED)
        known = tuple((point, took) for point, took in times if took is not None)
        found.append(_Curve(lane, series, known, failures))
    return found


def _row(
    x: _Axis, curve: _Curve, point: SizePoint, took: Estimate, *, aside: float
) -> dict[str, Any]:
    low, high = ends(took)
    return {
        "engine": curve.lane.name,
        "size": x.place(point, aside),
        "seconds": took.value,
        "low": low,
        "high": high,
        "at": _name(point.value),
        "shown": seconds(took.value),
        "interval": interval_text(took),
        "rounds": str(took.rounds),
        "outcome": point.outcome,
        "fair": point.counts,
    }


def _lines(
    x: _Axis, curves: Sequence[_Curve], vertical: Any, colours: Any, dashes: Any
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


def _crossings(x: _Axis, y: _Vertical, scene: Scene, sweep: Sweep) -> list[Any]:
    """Return where an engine becomes faster than the baseline, with the interval of that size."""
    import altair as alt

    found: list[dict[str, Any]] = []
    for lane, crossing in _found(scene, sweep):
        size, low, high = crossing.size, crossing.low, crossing.high
        if size is None or high is None or not x.numeric:
            continue
        digits = digits_to_tell_apart(low, size, high)
        least = rough(low, digits) if low is not None else f"{number(x.least)} or fewer"
        found.append(
            {
                "engine": lane.name,
                "size": size,
                "low": low or x.low,
                "high": high,
                "value": y.at_pixel((len(found) + 0.6) * LINE_HEIGHT),
                "text": f"{lane.name} faster from about {rough(size, digits)}",
                "place": x.side_of(size),
                "interval": f"{least} to {rough(high, digits)}",
            }
        )
    if not found:
        return []
    colours = colour_of(scene.lanes)
    shown = tooltips({"text": "crossover", "interval": "95 % interval"})
    return [
        alt.Chart(data(found))
        .mark_rect(opacity=0.12)
        .encode(x=alt.X("low:Q"), x2="high:Q", color=colours, tooltip=shown),
        alt.Chart(data(found))
        .mark_rule(strokeWidth=1, strokeDash=[4, 3])
        .encode(x=x.encoding, color=colours, tooltip=shown),
        *name_texts(found, colours, x=x.encoding),
    ]


def _found(scene: Scene, sweep: Sweep) -> list[tuple[Lane, Crossover]]:
    """Return the crossovers within the sizes measured, with their engines."""
    own = {one.title: one for one in sweep.series}
    found = []
    for title, crossing in sweep.crossovers:
        series = own.get(title)
        lane = series and lane_of(scene.lanes, series.engine, series.implementation)
        if lane and crossing.verdict == "from":
            found.append((lane, crossing))
    return found


def _labels(x: _Axis, y: _Vertical, curves: Sequence[_Curve]) -> list[dict[str, Any]]:
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


def _failures(x: _Axis, y: _Vertical, curves: Sequence[_Curve], colours: Any) -> list[Any]:
    """Return a line above the times for each engine that did not complete somewhere."""
    import altair as alt

    crosses: list[dict[str, Any]] = []
    names: list[dict[str, Any]] = []
    failed = [one for one in curves if one.failures]
    for line, one in enumerate(failed):
        value = y.at_pixel(_HEIGHT - (line + 0.5) * LINE_HEIGHT)
        seen = set()
        for point in one.failures:
            cross = {
                "engine": one.lane.name,
                "size": x.place(point),
                "value": value,
                "at": _name(point.value),
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
    took = estimate(point.rounds)
    told_ = (MISSING, MISSING) if took is None else (seconds(took.value), interval_text(took))
    return (curve.lane.name, _name(point.value), *told_, point.outcome)


def _text(scene: Scene, sweep: Sweep, curves: Sequence[_Curve], *, fitted: bool) -> str:
    parts = []
    for one in curves:
        if not one.times:
            continue
        (first, fast), (last, slow) = one.times[0], one.times[-1]
        part = f"{one.lane.name} {told(fast)} at {_name(first.value)}"
        if last is not first:
            part += f" and {told(slow)} at {_name(last.value)}"
        parts.append(part)
    label = clean(sweep.label)
    text = f"Seconds of a {clean(sweep.measure_label)} over {label}: {'; '.join(parts)}."
    if fitted:
        text += " The lines are fitted: a fixed time and a time for each unit of size."
    for lane, crossing in _found(scene, sweep):
        if crossing.size is not None and crossing.high is not None:
            digits = digits_to_tell_apart(crossing.low, crossing.size, crossing.high)
            size = estimated(sweep, crossing.size, digits)
            text += f" {lane.name} is faster than {clean(sweep.baseline)} from about {size} on."
    failures = [
        f"{one.lane.name} at {_name(point.value)} ({point.outcome})"
        for one in curves
        for point in one.failures
    ]
    return f"{text} Not completed: {joined(failures)}." if failures else text


def _title(scene: Scene, sweep: Sweep) -> str:
    held = f", at {tell_point(scene.report, sweep.held)}" if sweep.held else ""
    return f"Time of a {clean(sweep.measure_label)} over {clean(sweep.label)}{held}"


def _name(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value) if isinstance(value, int) else f"{value:g}"
    return shorten(clean(definition_value(value)), _LONGEST_VALUE)


def _stem(sweep: Sweep) -> str:
    """Return what a file is named after: letters, digits and dashes alone."""
    words = re.findall(r"[a-z0-9]+", f"{sweep.measure} {sweep.label}".lower())
    return "-".join(words)[:60].strip("-")
