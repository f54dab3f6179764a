"""Where in a chart over sizes an engine becomes faster than the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from experiments.report.charts.marks import LINE_HEIGHT, colour_of, data, name_texts, tooltips
from experiments.report.charts.scene import lane_of
from experiments.report.numbers import number, rough
from experiments.report.sweeps.words import digits_to_tell_apart

if TYPE_CHECKING:
    from experiments.report.charts.lanes import Lane
    from experiments.report.charts.scaling_axes import SweepAxis, Vertical
    from experiments.report.charts.scene import Scene
    from experiments.report.sweeps import Sweep
    from experiments.statistics.growth import Crossover


def draw_crossings(x: SweepAxis, y: Vertical, scene: Scene, sweep: Sweep) -> list[Any]:
    """Return where an engine becomes faster than the baseline, with the interval of that size."""
    import altair as alt

    found: list[dict[str, Any]] = []
    for lane, crossing in find_crossings(scene, sweep):
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


def find_crossings(scene: Scene, sweep: Sweep) -> list[tuple[Lane, Crossover]]:
    """Return the crossovers within the sizes measured, with their engines."""
    own = {one.title: one for one in sweep.series}
    found = []
    for title, crossing in sweep.crossovers:
        series = own.get(title)
        lane = series and lane_of(scene.lanes, series.engine, series.implementation)
        if lane and crossing.verdict == "from":
            found.append((lane, crossing))
    return found
