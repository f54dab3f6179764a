"""What one process of each engine used while it ran: memory and cores over time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from experiments.measure.samples import SAMPLES_FOLDER, read_samples
from experiments.report.attached import is_attached
from experiments.report.charts.figure import Figure
from experiments.report.charts.marks import (
    Named,
    colour_of,
    data,
    name_texts,
    place_above,
    shape_of,
    tooltips,
)
from experiments.report.columns import wall_of_child
from experiments.report.numbers import memory, number, seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from experiments.measure.samples import Sample
    from experiments.report.charts.lanes import Lane
    from experiments.report.charts.scene import Scene
    from experiments.report.columns import Column

_HEIGHT = 240
# above the highest line there is room for names
_ROOM = 1.16
# a limit so far above all that was used would press the lines to the ground
_LIMIT_WITHIN = 2.5
_UNITS = ((2**30, "GiB"), (2**20, "MiB"))
# CPU time is told in steps of some milliseconds: over less than this, cores would be noise
_LEAST_BIN_S = 0.2
_MOST_BINS = 150


@dataclass(frozen=True)
class _Trace:
    """The samples of one process."""

    lane: Lane
    samples: tuple[Sample, ...]
    outcome: str
    round: int
    rounds: int


@dataclass(frozen=True)
class _Quantity:
    """What is drawn over time."""

    key: str
    title: str
    axis: str
    most: str
    limit: float | None
    limit_shown: str
    at_peak: bool


def draw_memory(scene: Scene) -> Figure | None:
    """Draw the memory of each engine over time; None without samples."""
    traces = _traces(scene)
    points = {one.lane.name: _memory(one) for one in traces}
    peaks = [row["exact"] for rows in points.values() for row in rows]
    if not peaks:
        return None
    factor, unit = next((one for one in _UNITS if max(peaks) >= one[0]), _UNITS[-1])
    for rows in points.values():
        for row in rows:
            row["value"] = row["exact"] / factor
    limit = scene.report.files.resources(scene.point).get("memory_bytes")
    known = isinstance(limit, int) and limit > 0
    about = _Quantity(
        key="memory-over-time",
        title="Memory over time",
        axis=f"memory of all processes ({unit})",
        most="most memory",
        limit=limit / factor if known and limit else None,
        limit_shown=f"limit: {memory(limit)}" if known and limit else "",
        at_peak=True,
    )
    return _draw(scene, traces, points, about)


def draw_cores(scene: Scene) -> Figure | None:
    """Draw the cores that each engine used over time; None without samples."""
    traces = _traces(scene)
    points = {one.lane.name: _cores(one) for one in traces}
    cores = scene.report.files.resources(scene.point).get("cores")
    known = isinstance(cores, int) and cores > 0
    about = _Quantity(
        key="cpu-over-time",
        title="Cores used over time",
        axis="CPU seconds per second",
        most="most cores used",
        limit=float(cores) if known and cores else None,
        limit_shown=f"granted: {number(cores)} core{'' if cores == 1 else 's'}",
        at_peak=False,
    )
    return _draw(scene, traces, points, about)


def _draw(
    scene: Scene,
    traces: Sequence[_Trace],
    points: dict[str, list[dict[str, Any]]],
    about: _Quantity,
) -> Figure | None:
    import altair as alt

    traces = [one for one in traces if points[one.lane.name]]
    if not traces:
        return None
    rows = [row for one in traces for row in points[one.lane.name]]
    peaks = {
        one.lane.name: max(points[one.lane.name], key=lambda row: row["value"]) for one in traces
    }
    highest = max(row["value"] for row in rows)
    limited = about.limit is not None and about.limit <= _LIMIT_WITHIN * highest
    top = max(highest, about.limit if limited and about.limit else 0.0) * _ROOM or 1.0
    longest = max(row["to"] for row in rows)
    x = alt.X(
        "seconds:Q",
        scale=alt.Scale(domain=[0, longest], nice=False),
        axis=alt.Axis(title="seconds since the process began", tickCount=7, format=",~f"),
    )
    y = alt.Y(
        "value:Q",
        scale=alt.Scale(domain=[0, top], nice=False),
        axis=alt.Axis(title=about.axis, tickCount=5, format=",~f"),
    )
    colours = colour_of(scene.lanes)
    shown = tooltips(
        {"engine": "engine", "at": "at", "phase": "phase", "shown": about.title.lower()}
    )
    working = [row for row in rows if row["phase"] == scene.work.phase]
    labels = _labels(traces, points, peaks, about, top)
    layers = [
        alt.Chart(data(rows))
        .mark_line(strokeWidth=1.3, interpolate=_interpolation(about))
        .encode(x=x, y=y, color=colours, detail="engine:N"),
        alt.Chart(data(working))
        .mark_line(strokeWidth=3.5, interpolate=_interpolation(about))
        .encode(x="seconds:Q", y=y, color=colours, detail="stretch:N"),
        # what the pointer finds: the lines alone are too thin to be hit
        alt.Chart(data(rows))
        .mark_point(size=60, opacity=0, filled=True)
        .encode(x="seconds:Q", y=y, color=colours, tooltip=shown),
        alt.Chart(data(labels))
        .mark_point(filled=True, size=45, opacity=1)
        .encode(
            x="seconds:Q", y="end:Q", color=colours, shape=shape_of(scene.lanes), tooltip=shown
        ),
        *name_texts(labels, colours),
    ]
    if limited and about.limit:
        line = [{"value": about.limit, "text": about.limit_shown, "seconds": 0}]
        layers += [
            alt.Chart(data(line)).mark_rule(style="limit").encode(y="value:Q"),
            alt.Chart(data(line))
            .mark_text(align="left", baseline="bottom", dx=3, dy=-3, style="quiet")
            .encode(x="seconds:Q", y="value:Q", text="text:N"),
        ]
    chart = alt.layer(*layers).properties(height=_HEIGHT)
    return Figure(
        key=about.key,
        title=f"{about.title}{scene.where}",
        text=_text(scene, traces, peaks, limited=limited),
        chart=chart,
        heads=("Engine", "process", about.most, "in phase", "seconds in all"),
        rows=tuple(
            (
                one.lane.name,
                f"round {one.round + 1} of {one.rounds}" if one.rounds > 1 else "the only one",
                str(peaks[one.lane.name]["shown"]),
                str(peaks[one.lane.name]["phase"]),
                seconds(one.samples[-1].seconds),
            )
            for one in traces
        ),
    )


def _traces(scene: Scene) -> list[_Trace]:
    found = (_trace(scene, lane, column) for lane, column in scene.columns)
    return [one for one in found if one is not None]


def _trace(scene: Scene, lane: Lane, column: Column) -> _Trace | None:
    """Return the samples of the whole process of median length, or else of the last one."""
    if sum(other.engine == lane.engine for other, _ in scene.columns) > 1:
        # the files are named after engines: whose samples they are is not known
        return None
    children = list(column.whole_children)
    children.sort(key=lambda child: wall_of_child(child) or 0.0)
    child = children[(len(children) - 1) // 2] if children else (column.children or ((),))[-1]
    if not child:
        return None
    number = child[0].round
    name = f"{lane.engine}-p{scene.number}-r{number}.csv"
    samples = _cleaned(read_samples(scene.report.folder / SAMPLES_FOLDER / name))
    if not samples or samples[-1].seconds <= 0:
        # at one moment alone there is nothing over time
        return None
    worst = next((one.outcome for one in child if one.outcome != "completed"), "completed")
    return _Trace(lane, samples, worst, number, len(column.children))


def _cleaned(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Return samples in the order in which they were taken, at times that never go back.

    Two at the boundary of a phase may, by some milliseconds in which the process waited.
    """
    kept: list[Sample] = []
    for one in samples:
        if 0 <= one.seconds < float("inf"):
            kept.append(replace(one, seconds=max(one.seconds, kept[-1].seconds if kept else 0.0)))
    return tuple(kept)


def _memory(trace: _Trace) -> list[dict[str, Any]]:
    rows = [
        {
            "seconds": one.seconds,
            "to": one.seconds,
            "exact": max(0, one.memory_bytes),
            "phase": one.phase or "between phases",
            "shown": memory(one.memory_bytes),
        }
        for one in trace.samples
    ]
    return _told(trace, rows)


def _cores(trace: _Trace) -> list[dict[str, Any]]:
    """Return CPU seconds per second, of stretches long enough for that to mean something."""
    apart = max(_LEAST_BIN_S, trace.samples[-1].seconds / _MOST_BINS)
    marks = [trace.samples[0]]
    for one in trace.samples[1:]:
        if one.seconds - marks[-1].seconds >= apart:
            marks.append(one)
    if len(marks) < 2:
        return []
    # what is left at the end is too short to stand alone
    marks[-1] = trace.samples[-1]
    rows: list[dict[str, Any]] = [
        {
            "seconds": before.seconds,
            "to": after.seconds,
            # a process that leaves the tree unseen takes its past along: never below zero
            "value": max(0.0, after.cpu_s - before.cpu_s) / (after.seconds - before.seconds),
            "phase": _phase_between(trace.samples, before, after),
        }
        for before, after in pairwise(marks)
    ]
    for row in rows:
        row["shown"] = f"{number(row['value'])} cores"
    return _told(trace, rows)


def _phase_between(samples: Sequence[Sample], before: Sample, after: Sample) -> str:
    """Return the phase that took most of a stretch."""
    took: dict[str, float] = {}
    for one, following in pairwise(samples):
        if before.seconds <= one.seconds < after.seconds:
            took[one.phase] = took.get(one.phase, 0.0) + following.seconds - one.seconds
    return max(took, key=lambda phase: took[phase]) or "between phases"


def _told(trace: _Trace, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add to rows what every chart over time shows, and number the stretches of one phase."""
    found = []
    for place, (_, stretch) in enumerate(groupby(rows, key=lambda row: row["phase"])):
        own = [
            {
                **row,
                "engine": trace.lane.name,
                "at": seconds(row["seconds"]),
                "stretch": f"{trace.lane.name} {place}",
            }
            for row in stretch
        ]
        found += own
        # a step reaches to where the next one begins
        if own[-1]["to"] > own[-1]["seconds"]:
            found.append({**own[-1], "seconds": own[-1]["to"]})
    return found


def _labels(
    traces: Sequence[_Trace],
    points: dict[str, list[dict[str, Any]]],
    peaks: dict[str, dict[str, Any]],
    about: _Quantity,
    top: float,
) -> list[dict[str, Any]]:
    """Return the names of the engines: at their peaks, or at the ends of their lines."""
    longest = max(points[one.lane.name][-1]["to"] for one in traces)
    rows = [peaks[one.lane.name] if about.at_peak else points[one.lane.name][-1] for one in traces]
    named = []
    for one, row in zip(traces, rows, strict=True):
        text = f"{one.lane.name} {row['shown']}" if about.at_peak else one.lane.name
        if one.outcome not in {"completed", "degraded"}:
            text += f", {one.outcome}"
        named.append(Named(text, row["seconds"] / longest, row["value"] / top * _HEIGHT))
    return [
        {
            **row,
            "end": row["value"],
            "value": up / _HEIGHT * top,
            "text": mark.text,
            "place": place,
        }
        for row, mark, (up, place) in zip(rows, named, place_above(named), strict=True)
    ]


def _interpolation(about: _Quantity) -> str:
    return "linear" if about.key == "memory-over-time" else "step-after"


def _text(
    scene: Scene,
    traces: Sequence[_Trace],
    peaks: dict[str, dict[str, Any]],
    *,
    limited: bool,
) -> str:
    parts = []
    for one in traces:
        peak = peaks[one.lane.name]
        ended = "" if one.outcome in {"completed", "degraded"} else f", {one.outcome}"
        parts.append(
            f"{one.lane.name} at most {peak['shown']} ({peak['phase']}, at {peak['at']} of "
            f"{seconds(one.samples[-1].seconds)}{ended})"
        )
    which = (
        "The process of median length of each engine"
        if any(one.rounds > 1 for one in traces)
        else "One process of each engine"
    )
    text = f"{which}; thick while it is in its {scene.work.many}. {'; '.join(parts)}."
    shown = {one.lane.name for one in traces}
    if any(is_attached(column) for lane, column in scene.columns if lane.name in shown):
        text = f"{text} Of an engine on a cluster, these are its processes on this machine alone."
    return f"{text} The dashed line is what was granted." if limited else text
