"""Where the seconds of a process go: one bar an engine, one part a phase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.report.charts.figure import Figure
from experiments.report.charts.marks import data, ends, interval_text, tooltips, typical
from experiments.report.charts.theme import PHASE_COLOURS
from experiments.report.columns import unaccounted_of_child, wall_of_child
from experiments.report.numbers import seconds, share
from experiments.report.wording import joined

if TYPE_CHECKING:
    from experiments.records import Record
    from experiments.report.charts.lanes import Lane
    from experiments.report.charts.scene import Scene
    from experiments.report.columns import Column
    from experiments.statistics.bootstrap import Estimate

_BAR = 26
_STEP = 50
# the interval lies below its bar, where it hides nothing
_BAR_AT, _INTERVAL_AT = -5, _BAR / 2 + 2
# a part of so much of the longest bar has room for its seconds
_LEAST_LABELLED = 0.16
# beyond so many times the longest bar an interval would press all bars together
_MOST_BEYOND = 3
_WHITE, _BLACK = "#ffffff", "#1b1f24"
_DARK = ("start", "cold", "refit")


@dataclass(frozen=True)
class _Bar:
    """One engine: its phases in the order drawn, and the whole."""

    lane: Lane
    parts: dict[str, float]
    whole: Estimate


def draw_phases(scene: Scene) -> Figure | None:
    """Draw the time of one process by phase; None where no engine did all that was planned.

    The bar is as long as the typical whole of an engine's processes, and is divided as their
    phases are on average, so that its parts add up.
    """
    import altair as alt

    bars = [bar for lane, column in scene.columns if (bar := _bar(lane, column, scene.work.phase))]
    if not bars:
        return None
    beyond = _MOST_BEYOND * max(bar.whole.value for bar in bars)
    longest = min(beyond, max(ends(bar.whole)[1] for bar in bars))
    failed = [
        {"engine": lane.name, "text": f"no whole process: {column.outcome}", "at": 0}
        for lane, column in scene.columns
        if lane.name not in {bar.lane.name for bar in bars}
    ]
    names = _phase_names(scene, bars)
    wholes = [
        {
            "engine": bar.lane.name,
            "whole": bar.whole.value,
            "low": bar.whole.low,
            "high": min(longest, ends(bar.whole)[1]),
            "cut": ends(bar.whole)[1] > longest,
            "shown": seconds(bar.whole.value),
            "interval": interval_text(bar.whole),
        }
        for bar in bars
    ]
    engines = alt.Y(
        "engine:N",
        sort=[lane.name for lane, _ in scene.columns],
        scale=alt.Scale(domain=[lane.name for lane, _ in scene.columns]),
        axis=alt.Axis(title=None, labelFontSize=12, labelLimit=190),
    )
    said = (
        "; line: 95 % interval of the whole" if any(bar.whole.has_interval for bar in bars) else ""
    )
    axis = alt.Axis(title=f"seconds of a process{said}", tickCount=6, format=",~f")
    scale = alt.Scale(domain=[0, longest], nice=False)
    parts = list(_parts(bars, names))
    about = {"engine": "engine", "phase": "phase", "shown": "time", "share": "of the whole"}
    layers = [
        alt.Chart(data(parts))
        .mark_bar(height=_BAR, yOffset=_BAR_AT, style="gap")
        .encode(
            x=alt.X("from:Q", scale=scale, axis=axis),
            x2="to:Q",
            y=engines,
            color=alt.Color(
                "phase:N",
                scale=alt.Scale(
                    domain=list(names.values()), range=[PHASE_COLOURS[one] for one in names]
                ),
                legend=alt.Legend(symbolType="square", columns=3),
            ),
            tooltip=tooltips(about),
        ),
        alt.Chart(data(one for one in parts if one["labelled"]))
        .mark_text(dy=_BAR_AT)
        .encode(
            x="middle:Q",
            y=engines,
            text="shown:N",
            color=alt.Color("ink:N", scale=None),
            tooltip=tooltips(about),
        ),
    ]
    about = {"engine": "engine", "shown": "whole process", "interval": "95 % interval"}
    if any(bar.whole.has_interval for bar in bars):
        bounded = [one for one in wholes if one["low"] is not None]
        layers.append(
            alt.Chart(data(bounded))
            .mark_rule(style="interval", yOffset=_INTERVAL_AT)
            .encode(x="low:Q", x2="high:Q", y=engines, tooltip=tooltips(about))
        )
        layers += [
            # an interval that goes on beyond the chart has no end in it
            alt.Chart(data(one for one in bounded if end == "low" or not one["cut"]))
            .mark_tick(style="interval", thickness=1.5, size=7, yOffset=_INTERVAL_AT)
            .encode(x=f"{end}:Q", y=engines, tooltip=tooltips(about))
            for end in ("low", "high")
        ]
    layers.append(
        alt.Chart(data(wholes))
        .mark_text(align="left", dx=6, dy=_BAR_AT, fontWeight="bold", style="label")
        .encode(x="whole:Q", y=engines, text="shown:N", tooltip=tooltips(about))
    )
    if failed:
        layers.append(
            alt.Chart(data(failed))
            .mark_text(align="left", dx=4, fontStyle="italic", style="label")
            .encode(
                x="at:Q",
                y=engines,
                text="text:N",
                tooltip=tooltips({"engine": "engine", "text": "outcome"}),
            )
        )
    chart = alt.layer(*layers).properties(height=_STEP * len(scene.columns))
    return Figure(
        key="time-by-phase",
        title=f"Time of one process by phase{scene.where}",
        text=_text(bars, names, failed),
        chart=chart,
        heads=("Engine", *names.values(), "whole process", "95 % interval"),
        rows=tuple(
            (
                bar.lane.name,
                *(seconds(bar.parts.get(one)) for one in names),
                seconds(bar.whole.value),
                interval_text(bar.whole),
            )
            for bar in bars
        ),
    )


def _bar(lane: Lane, column: Column, work: str) -> _Bar | None:
    children = column.whole_children
    wholes = [wall for child in children if (wall := wall_of_child(child))]
    whole = typical([(one,) for one in wholes])
    if whole is None or whole.value <= 0:
        return None
    sums: dict[str, float] = dict.fromkeys(PHASE_COLOURS, 0.0)
    for child in children:
        for record in child:
            for name, wall_s in _phases(record, work):
                sums[name] += wall_s
        # what the clock of the phases overlaps with is no part of a bar
        sums["unaccounted"] += max(0.0, unaccounted_of_child(child) or 0.0)
    total = sum(sums.values())
    parts = {name: whole.value * one / total for name, one in sums.items() if one}
    return _Bar(lane, parts, whole)


def _phases(record: Record, work: str) -> list[tuple[str, float]]:
    found = []
    for phase in record.phases:
        if phase.name == work:
            name = "warm" if record.warm else "cold"
        else:
            name = phase.name if phase.name in PHASE_COLOURS else "other"
        found.append((name, phase.wall_s or 0.0))
    return found


def _phase_names(scene: Scene, bars: list[_Bar]) -> dict[str, str]:
    """Return the phases that any bar has, in the order drawn, with their names for people."""
    work = scene.work
    repeats = max(len(child) for _, column in scene.columns for child in column.children) - 1
    warm = f"{repeats} warm {work.one if repeats == 1 else work.many}"
    titles = {
        "cold": f"{work.phase}, cold",
        "warm": warm,
        "other": "save, inspect, stop",
    }
    used = {name for bar in bars for name in bar.parts}
    return {name: titles.get(name, name) for name in PHASE_COLOURS if name in used}


def _parts(bars: list[_Bar], names: dict[str, str]) -> list[dict[str, Any]]:
    longest = max(bar.whole.value for bar in bars)
    found = []
    for bar in bars:
        start = 0.0
        for name, title in names.items():
            took = bar.parts.get(name, 0.0)
            if not took:
                continue
            found.append(
                {
                    "engine": bar.lane.name,
                    "phase": title,
                    "from": start,
                    "to": start + took,
                    "middle": start + took / 2,
                    "shown": seconds(took),
                    "share": share(took / bar.whole.value),
                    "labelled": took >= _LEAST_LABELLED * longest,
                    "ink": _WHITE if name in _DARK else _BLACK,
                }
            )
            start += took
    return found


def _text(bars: list[_Bar], names: dict[str, str], failed: list[dict[str, Any]]) -> str:
    told = []
    for bar in bars:
        most = max(bar.parts, key=lambda name: bar.parts[name])
        told.append(
            f"{bar.lane.name} {seconds(bar.whole.value)}, of which "
            f"{share(bar.parts[most] / bar.whole.value)} are {names[most]}"
        )
    text = f"A process from start to end takes: {'; '.join(told)}."
    rounds = {bar.whole.rounds for bar in bars}
    if max(rounds) > 1:
        number = str(rounds.pop()) if len(rounds) == 1 else f"{min(rounds)} to {max(rounds)}"
        text += f" Each bar is a typical one of {number} processes, divided as they are on average."
    if failed:
        text += f" Without a whole process: {joined([one['engine'] for one in failed])}."
    return text
