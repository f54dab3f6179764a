"""How good the best candidate of a search was, second by second."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.errors import RequestError
from experiments.metrics import METRICS
from experiments.records import point_key
from experiments.report.candidate_table import read_scored
from experiments.report.charts.figure import Figure
from experiments.report.charts.lanes import shorten
from experiments.report.charts.marks import (
    Named,
    SecondsAxis,
    colour_of,
    dash_of,
    data,
    name_texts,
    needs_log,
    place_above,
    score_ticks,
    shape_of,
    tooltips,
)
from experiments.report.numbers import score, seconds
from experiments.report.searches import read_search
from experiments.report.text import clean
from experiments.report.wording import metric_title, parameters_in_words
from experiments.report.work import SEARCH
from experiments.search.standing import direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from experiments.report.candidate_table import Scored
    from experiments.report.charts.lanes import Lane
    from experiments.report.charts.scene import Scene

_HEIGHT = 240
_LONGEST_PARAMS = 80
_LONGEST_METRIC = 40


@dataclass(frozen=True)
class _Path:
    """One search: each candidate that was better than all before it in its round of halving."""

    lane: Lane
    steps: tuple[Scored, ...]
    last: Scored
    tried: int

    @property
    def best(self) -> Scored:
        """The best of the last round of halving."""
        return self.steps[-1]


def draw_progress(scene: Scene) -> Figure | None:
    """Draw the best score so far over the seconds of each engine's first search.

    None without a search, and where nobody wrote down when candidates were scored.
    """
    import altair as alt

    metric = _refit(scene)
    paths = _paths(scene, metric) if metric else []
    if not paths:
        return None
    title = shorten(metric_title(metric), _LONGEST_METRIC)
    low, high = _domain(paths)
    ended = [one.last.ended_s for one in paths]
    begun = [one.steps[0].ended_s for one in paths]
    axis = SecondsAxis.over(
        [*ended, *begun] if needs_log(ended) and min(begun) > 0 else [0.0, *ended]
    )
    x = axis.encode("time since the search began")
    higher = direction(metric) > 0
    better = f" ({'higher' if higher else 'lower'} is better)" if metric in METRICS else ""
    y = alt.Y(
        "value:Q",
        scale=alt.Scale(domain=[low, high], nice=False, zero=False),
        axis=alt.Axis(title=f"best {title} so far{better}", values=score_ticks(metric, low, high)),
    )
    colours = colour_of(scene.lanes)
    rows = [row for one in paths for row in _rows(one)]
    shown = tooltips(
        {"engine": "engine", "told": title, "at": "at", "candidate": "candidate", "params": "with"}
    )
    labels = _labels(paths, axis, low, high)
    chart = alt.layer(
        alt.Chart(data(rows))
        .mark_line(strokeWidth=2, interpolate="step-after")
        .encode(x=x, y=y, color=colours, strokeDash=dash_of(scene.lanes), detail="rung:N"),
        alt.Chart(data(row for row in rows if row["step"]))
        .mark_point(filled=True, size=50, opacity=1)
        .encode(x=x, y=y, color=colours, shape=shape_of(scene.lanes), tooltip=shown),
        *name_texts(labels, colours),
    ).properties(height=_HEIGHT)
    return Figure(
        key="search-progress",
        title=f"Best {title} found by a search over time{scene.where}",
        text=_text(paths, title),
        chart=chart,
        heads=("Engine", f"best {title}", "found after", "all done after", "candidates scored"),
        rows=tuple(
            (
                one.lane.name,
                score(one.best.score),
                seconds(one.best.ended_s),
                seconds(one.last.ended_s),
                f"{one.tried:,}",
            )
            for one in paths
        ),
    )


def _refit(scene: Scene) -> str:
    """Return the metric that chooses the winner; empty without a search."""
    if scene.work is not SEARCH:
        return ""
    found = (read_search(record.model) for _, one in scene.columns for record in one.records)
    return next((search.refit for search in found if search and search.refit), "")


def _paths(scene: Scene, metric: str) -> list[_Path]:
    try:
        scored = read_scored(scene.report.folder, point_key(scene.point), metric)
    except RequestError:
        # the report warns of a table that cannot be read
        return []
    found = []
    for lane, _ in scene.columns:
        own = [
            one
            for one in scored
            if (one.engine, one.implementation) == (lane.engine, lane.implementation)
        ]
        first = min(((one.round, one.repeat) for one in own), default=None)
        search = [one for one in own if (one.round, one.repeat) == first]
        if search:
            steps = tuple(_steps(search, direction(metric)))
            found.append(_Path(lane, steps, search[-1], len(search)))
    return found


def _steps(search: Sequence[Scored], sign: float) -> Iterable[Scored]:
    """Yield what was better than all before it; a new round of halving begins anew.

    Its scores are of more rows than those before, and so cannot be compared with them.
    """
    rung, best = -1, float("-inf")
    for one in search:
        if one.rung < rung:
            continue
        if one.rung > rung or sign * one.score > best:
            rung, best = one.rung, sign * one.score
            yield one


def _domain(paths: Sequence[_Path]) -> tuple[float, float]:
    scores = [one.score for path in paths for one in path.steps]
    low, high = min(scores), max(scores)
    room = max(0.08 * (high - low), 0.002 * max(abs(low), abs(high)), 1e-9)
    # the names of three engines fit above a line
    return low - room, high + room + (high - low + 2 * room) * 0.22


def _rows(path: _Path) -> Iterable[dict[str, Any]]:
    for place, one in enumerate(path.steps):
        row = {
            "engine": path.lane.name,
            "rung": f"{path.lane.name} {one.rung}",
            "seconds": one.ended_s,
            "value": one.score,
            "told": score(one.score),
            "at": seconds(one.ended_s),
            "candidate": "" if one.number is None else str(one.number),
            "params": shorten(_params(one), _LONGEST_PARAMS),
            "step": True,
        }
        yield row
        # a line reaches to where the next round of halving begins, and the last one to the end
        following = path.steps[place + 1] if place + 1 < len(path.steps) else path.last
        if following.rung > one.rung or following is path.last:
            yield {**row, "seconds": following.ended_s, "step": False}


def _params(one: Scored) -> str:
    """Return the parameters of a candidate; empty where the table is spoilt."""
    try:
        params = json.loads(one.params)
    except (ValueError, RecursionError):
        return ""
    return parameters_in_words(params) if isinstance(params, dict) else ""


def _labels(
    paths: Sequence[_Path], axis: SecondsAxis, low: float, high: float
) -> list[dict[str, Any]]:
    named = [
        Named(
            one.lane.name,
            axis.share(one.last.ended_s),
            (one.best.score - low) / (high - low) * _HEIGHT,
        )
        for one in paths
    ]
    return [
        {
            "engine": one.lane.name,
            "seconds": one.last.ended_s,
            "value": low + up / _HEIGHT * (high - low),
            "text": mark.text,
            "place": place,
        }
        for one, mark, (up, place) in zip(paths, named, place_above(named), strict=True)
    ]


def _text(paths: Sequence[_Path], title: str) -> str:
    parts = [
        f"{one.lane.name} {score(one.best.score)} after {seconds(one.best.ended_s)} of "
        f"{seconds(one.last.ended_s)}"
        for one in paths
    ]
    text = (
        f"Best {clean(title)} that the first search of each engine had found: {'; '.join(parts)}."
    )
    if any(one.best.rung for one in paths):
        text += (
            " Each round of halving begins a line of its own, as its scores are of more rows than "
            "those before."
        )
    return text
