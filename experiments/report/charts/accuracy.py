"""What an engine's answer is worth, against the time that it took."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.metrics import METRICS
from experiments.report.charts.figure import Figure
from experiments.report.charts.lanes import shorten
from experiments.report.charts.marks import (
    Named,
    SecondsAxis,
    colour_of,
    data,
    ends,
    interval_text,
    name_texts,
    place_above,
    score_ticks,
    shape_of,
    told,
    tooltips,
    typical,
)
from experiments.report.numbers import score
from experiments.report.rows import rounds_of
from experiments.report.summary import summarise
from experiments.report.text import clean
from experiments.report.wording import metric_title
from experiments.report.work import TASKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.report.charts.lanes import Lane
    from experiments.report.charts.scene import Scene
    from experiments.report.columns import Column
    from experiments.statistics.bootstrap import Estimate

_HEIGHT = 220
_LONGEST_METRIC = 40
# intervals lie below the marks, in pixels
_BELOW, _STEP = 10, 5
# scores that differ by less of their size than this are drawn as close as they are
_LEAST_SPAN = 0.01


@dataclass(frozen=True)
class _Dot:
    """One engine: its time and its score, with the least and the greatest of any repeat."""

    lane: Lane
    took: Estimate
    score: float
    least: float
    most: float


def draw_accuracy(scene: Scene) -> Figure | None:
    """Draw the first metric against the time of the main work.

    None where fewer than two engines have both, and for simulations, whose estimate is the same
    everywhere.
    """
    import altair as alt

    names = {name for _, one in scene.columns for name in one.metric_names()}
    ordered = [name for _, one in scene.columns for name in one.metric_names() if name in names]
    if scene.work is TASKS or not ordered:
        return None
    metric = ordered[0]
    warm = any(record.warm for _, one in scene.columns for record in one.records)
    dots = [
        dot
        for lane, column in scene.columns
        if (dot := _dot(lane, column, scene.work.phase, metric, warm=warm))
    ]
    if len(dots) < 2:
        return None
    title = shorten(metric_title(metric), _LONGEST_METRIC)
    low, high = _domain(dots)
    which = f"{'warm' if warm else 'cold'} {scene.work.one}"
    bounded = any(dot.took.has_interval for dot in dots)
    axis = SecondsAxis.over([end for dot in dots for end in ends(dot.took)])
    x = axis.encode(f"time of one {which}{', with 95 % intervals' if bounded else ''}")
    better = _better(metric)
    y = alt.Y(
        "score:Q",
        scale=alt.Scale(domain=[low, high], nice=False, zero=False),
        axis=alt.Axis(
            title=f"{title}{better and f' ({better})'}", values=score_ticks(metric, low, high)
        ),
    )
    colours = colour_of(scene.lanes)
    rows = [_row(dot) for dot in dots]
    shown = tooltips(
        {
            "engine": "engine",
            "told": title,
            "took": f"time of one {which}",
            "interval": "95 % interval",
        }
    )
    labels = _labels(dots, axis, low, high)
    layers = [
        # each a little lower than the one before: equal scores would put them on one line
        *(
            alt.Chart(data([row]))
            .mark_rule(strokeWidth=2, yOffset=_BELOW + _STEP * place)
            .encode(x=alt.X("from:Q"), x2="to:Q", y=y, color=colours, tooltip=shown)
            for place, row in enumerate(rows)
            if row["from"] < row["to"]
        ),
        alt.Chart(data(rows))
        .mark_point(filled=True, size=110, opacity=1)
        .encode(x=x, y=y, color=colours, shape=shape_of(scene.lanes), tooltip=shown),
        *name_texts(labels, colours),
    ]
    if any(dot.least < dot.most for dot in dots):
        spreads = alt.Chart(data(rows)).mark_rule(strokeWidth=2)
        layers.insert(
            0, spreads.encode(x="seconds:Q", y="least:Q", y2="most:Q", color=colours, tooltip=shown)
        )
    chart = alt.layer(*layers).properties(height=_HEIGHT)
    return Figure(
        key="accuracy-and-time",
        title=f"{title[:1].upper()}{title[1:]} against time{scene.where}",
        text=_text(dots, title, which, better),
        chart=chart,
        heads=("Engine", title, f"time of one {which}", "95 % interval"),
        rows=tuple((row["engine"], row["told"], row["took"], row["interval"]) for row in rows),
    )


def _dot(lane: Lane, column: Column, phase: str, metric: str, *, warm: bool) -> _Dot | None:
    if not column.answered:
        return None
    rounds = rounds_of(column, lambda one: one.of_phase(phase, lambda at: at.wall_s, warm=warm))
    took = typical(rounds)
    known = [one for one in column.metric(metric) if one is not None and math.isfinite(one)]
    scores = summarise(known)
    if took is None or scores is None:
        return None
    return _Dot(lane, took, scores.median, min(known), max(known))


def _domain(dots: Sequence[_Dot]) -> tuple[float, float]:
    """Return the ends of the axis of scores, far enough apart that rounding is no difference."""
    low, high = min(dot.least for dot in dots), max(dot.most for dot in dots)
    middle, half = (low + high) / 2, (high - low) / 2
    half = max(half * 1.3, _LEAST_SPAN * abs(middle), 1e-9)
    return middle - half, middle + half


def _row(dot: _Dot) -> dict[str, Any]:
    start, end = ends(dot.took)
    return {
        "engine": dot.lane.name,
        "score": dot.score,
        "least": dot.least,
        "most": dot.most,
        "seconds": dot.took.value,
        "from": start,
        "to": end,
        "told": score(dot.score),
        "took": told(dot.took).partition(" (")[0],
        "interval": interval_text(dot.took),
    }


def _labels(
    dots: Sequence[_Dot], axis: SecondsAxis, low: float, high: float
) -> list[dict[str, Any]]:
    named = [
        Named(
            f"{dot.lane.name} {score(dot.score)}",
            axis.share(dot.took.value),
            (dot.score - low) / (high - low) * _HEIGHT,
        )
        for dot in dots
    ]
    return [
        {
            "engine": dot.lane.name,
            "seconds": dot.took.value,
            "value": low + up / _HEIGHT * (high - low),
            "text": mark.text,
            "place": place,
        }
        for dot, mark, (up, place) in zip(dots, named, place_above(named), strict=True)
    ]


def _better(metric: str) -> str:
    if metric not in METRICS:
        return ""
    return "higher is better" if METRICS[metric].higher_is_better else "lower is better"


def _text(dots: Sequence[_Dot], title: str, which: str, better: str) -> str:
    parts = [f"{dot.lane.name} {score(dot.score)} in {told(dot.took)}" for dot in dots]
    said = f"{clean(title)}{better and f', {better},'} against the time of one {which}"
    return f"{said[:1].upper()}{said[1:]}: {'; '.join(parts)}."
