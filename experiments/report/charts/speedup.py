"""What more cores or workers bring, beside what they would bring if nothing were lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from experiments.report.charts.figure import Figure
from experiments.report.charts.marks import (
    LINE_HEIGHT,
    colour_of,
    dash_of,
    data,
    ends,
    name_texts,
    no_interval,
    shape_of,
    spread,
    tooltips,
)
from experiments.report.charts.scene import lane_of
from experiments.report.numbers import number, ratio, ratio_range, share
from experiments.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.report.charts.lanes import Lane
    from experiments.report.charts.scene import Scene
    from experiments.report.sweeps import Sweep
    from experiments.statistics.bootstrap import Estimate
    from experiments.statistics.scaling import Scaling

_HEIGHT = 280
# beyond so many times the highest point an interval would press all points together
_MOST_BEYOND = 3


def draw_speedup(scene: Scene) -> Figure | None:
    """Draw the speed-up of the main work over cores or workers; None without such a sweep."""
    import altair as alt

    sweep = next((one for one in scene.report.sweeps if one.scaling), None)
    curves = [] if sweep is None else _curves(scene, sweep)
    if sweep is None or not curves:
        return None
    rows = [row for lane, scaling in curves for row in _rows(lane, scaling)]
    most = max(row["workers"] for row in rows)
    fewest = min(row["workers"] for row in rows)
    highest = max(most / fewest, *(row["speedup"] for row in rows))
    top = min(_MOST_BEYOND * highest, 1.08 * max(highest, *(row["high"] for row in rows)))
    rows = [{**row, "high": min(row["high"], top)} for row in rows]
    label = clean(sweep.label)
    x = alt.X(
        "workers:Q",
        scale=alt.Scale(domain=[0, most * 1.03], nice=False),
        axis=alt.Axis(
            title=label,
            values=sorted({row["workers"] for row in rows}),
            format=",~g",
            labelOverlap=True,
        ),
    )
    y = alt.Y(
        "speedup:Q",
        scale=alt.Scale(domain=[0, top], nice=False),
        axis=alt.Axis(title=f"times as fast as with {number(fewest)}", tickCount=6, format=",~f"),
    )
    colours = colour_of(scene.lanes)
    shown = tooltips(
        {
            "engine": "engine",
            "at": label,
            "shown": "speed-up",
            "interval": "95 % interval",
            "efficiency": "efficiency",
        }
    )
    ideal = [{"workers": one, "speedup": one / fewest} for one in (fewest, most)]
    labels = _labels(curves, top, ideal=most / fewest)
    chart = alt.layer(
        alt.Chart(data(ideal)).mark_line(style="limit").encode(x=x, y=y),
        alt.Chart(data(rows))
        .mark_line(strokeWidth=1.5)
        .encode(x=x, y=y, color=colours, strokeDash=dash_of(scene.lanes)),
        alt.Chart(data(rows))
        .mark_rule(strokeWidth=2)
        .encode(x=x, y="low:Q", y2="high:Q", color=colours, tooltip=shown),
        alt.Chart(data(rows))
        .mark_point(filled=True, size=75, opacity=1)
        .encode(x=x, y=y, color=colours, shape=shape_of(scene.lanes), tooltip=shown),
        *name_texts([row for row in labels if row["engine"]], colours, x="workers:Q"),
        alt.Chart(data(row for row in labels if not row["engine"]))
        .mark_text(align="left", dx=9, style="quiet")
        .encode(x="workers:Q", y="value:Q", text="text:N"),
    ).properties(height=_HEIGHT)
    return Figure(
        key="speed-up",
        title=f"Speed-up of a {clean(sweep.measure_label)} over {label}",
        text=_text(sweep, curves),
        chart=chart,
        heads=("Engine", label, "speed-up", "95 % interval", "efficiency"),
        rows=tuple(
            (row["engine"], row["at"], row["shown"], row["interval"], row["efficiency"])
            for row in rows
        ),
    )


def _curves(scene: Scene, sweep: Sweep) -> list[tuple[Lane, Scaling]]:
    own = {one.title: one for one in sweep.series}
    found = []
    for title, scaling in sweep.scaling:
        series = own.get(title)
        lane = series and lane_of(scene.lanes, series.engine, series.implementation)
        if lane and len(scaling.workers) > 1:
            found.append((lane, scaling))
    return found


def _rows(lane: Lane, scaling: Scaling) -> list[dict[str, Any]]:
    rows = []
    for workers, speedup, efficiency in zip(
        scaling.workers, scaling.speedup, scaling.efficiency, strict=True
    ):
        low, high = ends(speedup)
        rows.append(
            {
                "engine": lane.name,
                "workers": workers,
                "speedup": speedup.value,
                "low": low,
                "high": high,
                "at": number(workers),
                "shown": ratio(speedup.value),
                "interval": _interval(speedup, first=workers == scaling.workers[0]),
                "efficiency": share(efficiency.value),
            }
        )
    return rows


def _interval(speedup: Estimate, *, first: bool) -> str:
    if first:
        return "1 by definition"
    if speedup.low is None or speedup.high is None:
        return no_interval(speedup)
    return ratio_range(speedup.low, speedup.high)


def _labels(
    curves: Sequence[tuple[Lane, Scaling]], top: float, *, ideal: float
) -> list[dict[str, Any]]:
    most = max(scaling.workers[-1] for _, scaling in curves)
    rows = [
        {
            "engine": lane.name,
            "text": lane.name,
            "workers": scaling.workers[-1],
            "value": scaling.speedup[-1].value,
            "place": "beside",
        }
        for lane, scaling in curves
    ]
    rows.append({"engine": "", "text": "ideal", "workers": most, "value": ideal, "place": "beside"})
    wanted = [scaling.speedup[-1].value for _, scaling in curves]
    places = spread([*wanted, ideal], top * LINE_HEIGHT / _HEIGHT)
    return [{**row, "value": place} for row, place in zip(rows, places, strict=True)]


def _text(sweep: Sweep, curves: Sequence[tuple[Lane, Scaling]]) -> str:
    parts = [
        f"{lane.name} {ratio(scaling.speedup[-1].value)} as fast with "
        f"{number(scaling.workers[-1])} as with {number(scaling.workers[0])} "
        f"(efficiency {share(scaling.efficiency[-1].value)})"
        for lane, scaling in curves
    ]
    return (
        f"Speed-up of a {clean(sweep.measure_label)} over {clean(sweep.label)}: "
        f"{'; '.join(parts)}. The dashed line is a speed-up that loses nothing."
    )
