"""The first fit of a process against all further ones: what warming up is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from experiments.report.charts.figure import Figure
from experiments.report.charts.marks import (
    SecondsAxis,
    colour_of,
    data,
    ends,
    interval_text,
    told,
    tooltips,
    typical,
)
from experiments.report.numbers import ratio, seconds
from experiments.report.rows import rounds_of

if TYPE_CHECKING:
    from experiments.report.charts.lanes import Lane
    from experiments.report.charts.scene import Scene
    from experiments.report.columns import Column
    from experiments.statistics.bootstrap import Estimate

_STEP = 48
_APART = 10


def draw_cold_and_warm(scene: Scene) -> Figure | None:
    """Draw the cold and the warm times of the main work; None where no engine has both."""
    import altair as alt

    pairs = [
        (lane, cold, warm)
        for lane, column in scene.columns
        if (cold := _times(column, scene.work.phase, warm=False))
        and (warm := _times(column, scene.work.phase, warm=True))
    ]
    if not pairs:
        return None
    dots = [
        _dots(lane, which, one)
        for lane, cold, warm in pairs
        for which, one in (("cold", cold), ("warm", warm))
    ]
    values = [value for _, cold, warm in pairs for one in (cold, warm) for value in ends(one)]
    bounded = any(one.has_interval for _, *both in pairs for one in both)
    title = f"time of one {scene.work.one}{', with 95 % intervals' if bounded else ''}"
    axis = SecondsAxis.over(values).encode(title)
    names = [lane.name for lane, *_ in pairs]
    engines = alt.Y(
        "engine:N",
        scale=alt.Scale(domain=names),
        axis=alt.Axis(title=None, labelFontSize=12, labelLimit=190),
    )
    colours = colour_of(scene.lanes)
    shapes = alt.Shape(
        "which:N",
        scale=alt.Scale(domain=["cold", "warm"], range=["diamond", "circle"]),
        legend=alt.Legend(labelExpr=_LEGEND[scene.work.phase], symbolFillColor="#8c959f"),
    )
    shown = tooltips(
        {"engine": "engine", "which": "which", "shown": "time", "interval": "95 % interval"}
    )
    layers = []
    for which, aside in (("cold", -_APART), ("warm", _APART)):
        rows = [one for one in dots if one["which"] == which]
        layers += [
            alt.Chart(data(rows))
            .mark_rule(strokeWidth=2, yOffset=aside)
            .encode(x=axis, x2="high:Q", y=engines, color=colours, tooltip=shown),
            alt.Chart(data(rows))
            .mark_point(filled=True, size=90, opacity=1, yOffset=aside)
            .encode(x="value:Q", y=engines, color=colours, shape=shapes, tooltip=shown),
            alt.Chart(data(rows))
            .mark_text(align="left", dx=9, dy=aside, style="label")
            .encode(x="high:Q", y=engines, text="shown:N", tooltip=shown),
        ]
    chart = alt.layer(*layers).properties(height=_STEP * len(pairs))
    return Figure(
        key="cold-and-warm",
        title=f"First {scene.work.one} of a process, and all further ones{scene.where}",
        text=_text(pairs, scene.work.one),
        chart=chart,
        heads=("Engine", "cold", "95 % interval", "warm", "95 % interval", "cold / warm"),
        rows=tuple(
            (
                lane.name,
                seconds(cold.value),
                interval_text(cold),
                seconds(warm.value),
                interval_text(warm),
                ratio(cold.value / warm.value),
            )
            for lane, cold, warm in pairs
        ),
    )


def _legend(one: str, many: str) -> str:
    return f"datum.label == 'cold' ? 'cold: the first {one}' : 'warm: all further {many}'"


# written here and not from data: it is an expression that a page runs
_LEGEND = {
    "fit": _legend("fit", "fits"),
    "search": _legend("search", "searches"),
    "tasks": _legend("run of the tasks", "runs"),
}


def _times(column: Column, phase: str, *, warm: bool) -> Estimate | None:
    if not column.answered:
        return None
    rounds = rounds_of(column, lambda one: one.of_phase(phase, lambda at: at.wall_s, warm=warm))
    return typical(rounds)


def _dots(lane: Lane, which: str, one: Estimate) -> dict[str, Any]:
    low, high = ends(one)
    return {
        "engine": lane.name,
        "which": which,
        "value": one.value,
        "seconds": low,
        "high": high,
        "shown": seconds(one.value),
        "interval": interval_text(one),
    }


def _text(pairs: list[tuple[Lane, Estimate, Estimate]], one: str) -> str:
    parts = [
        f"{lane.name} {told(cold)}, then {told(warm)}, {ratio(cold.value / warm.value)}"
        for lane, cold, warm in pairs
    ]
    bounded = any(one.has_interval for _, *both in pairs for one in both)
    note = ", with 95 % intervals in brackets" if bounded else ""
    return (
        f"The first {one} of a process, each further one, and how many times as long the first "
        f"takes{note}: {'; '.join(parts)}."
    )
