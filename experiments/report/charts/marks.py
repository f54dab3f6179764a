"""Pieces that several charts are made of."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from experiments.metrics import METRICS
from experiments.report.charts.theme import LABEL_SIZE
from experiments.report.numbers import seconds, seconds_range
from experiments.statistics.bootstrap import estimate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from experiments.report.charts.lanes import Lane
    from experiments.statistics.bootstrap import Estimate

# a letter of 11 px is about so wide
_LETTER = 6.2
LINE_HEIGHT = LABEL_SIZE + 3
# from so many times the least on, a line from zero would press the small values together
_LOG_FROM = 20.0
_MOST_TICKS = 7
# where a name stands -> how it is aligned, and how far aside it is moved, in pixels
_PLACES: dict[str, tuple[Literal["left", "center", "right"], int]] = {
    "beside": ("left", 12),
    "before": ("right", -12),
    "left": ("left", -5),
    "center": ("center", 0),
    "right": ("right", 5),
}
# An interval from few rounds that differ much may end anywhere: farther from its value than so many
# times, it would press all else together, and beyond so many seconds it says nothing
_FARTHEST = 1e3
_GREATEST_BOUND = 1e15
# what a logarithmic axis can hold, as powers of ten
_GREATEST_POWER, END_POWER = 290.0, 300.0
# the width of a chart on a phone, on which names must not lie on each other either
_NARROW = 300


def data(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Return rows as the data of a layer."""
    import altair as alt

    return alt.Data(values=_rows_type()([dict(row) for row in rows]))


@cache
def _rows_type() -> Any:
    """Return a type of altair's for rows that are plain already, and are never changed.

    Altair would copy every value with every layer and look at each for what it may be: most of the
    time that a chart takes.
    """
    import altair as alt

    class Rows(alt.InlineDataset):  # type: ignore[misc]
        def __deepcopy__(self, memo: object) -> Rows:
            return self

        def to_dict(self, *_args: object, **_options: object) -> list[dict[str, Any]]:
            rows: list[dict[str, Any]] = self._args[0]
            return rows

    return Rows


def colour_of(lanes: Sequence[Lane]) -> Any:
    """Return the encoding that gives each engine its colour; a name stands beside every mark."""
    import altair as alt

    domain, colours = [one.name for one in lanes], [one.colour for one in lanes]
    return alt.Color("engine:N", scale=alt.Scale(domain=domain, range=colours), legend=None)


def shape_of(lanes: Sequence[Lane]) -> Any:
    """Return the encoding that gives each engine its shape."""
    import altair as alt

    domain, shapes = [one.name for one in lanes], [one.shape for one in lanes]
    return alt.Shape("engine:N", scale=alt.Scale(domain=domain, range=shapes), legend=None)


def dash_of(lanes: Sequence[Lane]) -> Any:
    """Return the encoding that gives each engine its dash."""
    import altair as alt

    domain, dashes = [one.name for one in lanes], [list(one.dash) for one in lanes]
    return alt.StrokeDash("engine:N", scale=alt.Scale(domain=domain, range=dashes), legend=None)


def tooltips(titles: Mapping[str, str]) -> list[Any]:
    """Return what is shown of a mark under the pointer: field to title, all of it texts."""
    import altair as alt

    return [
        alt.Tooltip(field=field, type="nominal", title=title) for field, title in titles.items()
    ]


def needs_log(values: Iterable[float]) -> bool:
    """Tell whether values lie so far apart that only a logarithmic axis shows them all."""
    known = [value for value in values if value > 0]
    return bool(known) and max(known) >= _LOG_FROM * min(known)


def log_domain(values: Iterable[float], *, room: float = 0.06) -> tuple[float, float]:
    """Return the ends of a logarithmic axis with some room beyond the values, all above 0.

    Values beyond what floating-point numbers can be multiplied by are left out of it.
    """
    known = [math.log10(value) for value in values if value > 0]
    low, high = (
        min(max(one, -_GREATEST_POWER), _GREATEST_POWER) for one in (min(known), max(known))
    )
    beyond = max(room * (high - low), 0.08)
    return 10 ** max(low - beyond, -END_POWER), 10 ** min(high + beyond, END_POWER)


def log_share(value: float, low: float, high: float) -> float:
    """Return where a value stands on a logarithmic axis: 0 at its low end, 1 at its high one."""
    return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))


def log_ticks(low: float, high: float) -> list[float]:
    """Return round numbers along a logarithmic axis: 1, 2, 5, or else powers of ten."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    powers = range(first, last + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{one}e{power}") for power in powers for one in factors]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) <= _MOST_TICKS:
            return inside
    return inside[:: math.ceil(len(inside) / _MOST_TICKS)]


def score_ticks(metric: str, low: float, high: float) -> list[float]:
    """Return round scores along an axis; none that the metric cannot reach.

    Parameters
    ----------
    metric : str
        Its name; of one that is not known any score is possible.
    low, high : float
        Ends of the axis.
    """
    known = METRICS.get(metric)
    least = 0.0 if known and not known.higher_is_better else -math.inf
    # of the known metrics, those with a tolerance in their own unit end at 1
    most = 1.0 if known and known.higher_is_better and known.tolerance.absolute else math.inf
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(one * power for one in (1, 2, 5, 10) if one * power >= rough * (1 - 1e-9))
    first, last = math.ceil(max(low, least) / step), math.floor(min(high, most) / step)
    digits = max(0, -math.floor(math.log10(step)))
    return [round(place * step, digits) for place in range(first, last + 1)]


@dataclass(frozen=True)
class SecondsAxis:
    """The axis of seconds from left to right, for points.

    Parameters
    ----------
    low, high : float
        Its ends.
    logarithmic : bool
        Whether values lie so far apart that a line from zero would hide the small ones.
    """

    low: float
    high: float
    logarithmic: bool

    @classmethod
    def over(cls, values: Sequence[float]) -> SecondsAxis:
        """Return an axis over all that is drawn, with the ends of intervals."""
        if needs_log(values):
            return cls(*log_domain(values), logarithmic=True)
        return cls(0.0, max(values) * 1.05 or 1.0, logarithmic=False)

    def share(self, value: float) -> float:
        """Return where a value stands from left to right, between 0 and 1."""
        if self.logarithmic:
            return log_share(value, self.low, self.high)
        return value / self.high

    def encode(self, title: str) -> Any:
        """Return the encoding, given what took the seconds."""
        import altair as alt

        if self.logarithmic:
            ticks = log_ticks(self.low, self.high)
            axis = alt.Axis(
                title=f"{title} (seconds, log scale)", values=ticks, format=",~g", grid=True
            )
        else:
            axis = alt.Axis(title=f"{title} (seconds)", tickCount=6, format=",~f")
        kind = "log" if self.logarithmic else "linear"
        scale = alt.Scale(type=kind, domain=[self.low, self.high], nice=False)
        return alt.X("seconds:Q", scale=scale, axis=axis)


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Move positions apart until none is nearer to the next than a gap, each as little as can be.

    Least squares under order constraints, by pooling adjacent violators (Barlow et al. 1972).

    Parameters
    ----------
    wanted : sequence of float
        In any order.
    gap : float
        Least distance.

    Returns
    -------
    list of float
        In the order given.
    """
    order = sorted(range(len(wanted)), key=lambda one: wanted[one])
    pools: list[list[float]] = []
    for place, one in enumerate(order):
        pools.append([wanted[one] - place * gap])
        while len(pools) > 1 and _mean(pools[-2]) > _mean(pools[-1]):
            last = pools.pop()
            pools[-1].extend(last)
    level = [_mean(pool) for pool in pools for _ in pool]
    placed = {one: level[place] + place * gap for place, one in enumerate(order)}
    return [placed[one] for one in range(len(wanted))]


@dataclass(frozen=True)
class Named:
    """A mark that is to bear a name.

    Parameters
    ----------
    text : str
        The name.
    across : float
        Where the mark stands from left to right, between 0 and 1.
    up : float
        Pixels from the bottom to the mark.
    """

    text: str
    across: float
    up: float


def place_above(marks: Sequence[Named]) -> list[tuple[float, str]]:
    """Place names above their marks, and higher where one would lie on another.

    Returns
    -------
    list of (float, str)
        For each mark the pixels from the bottom to the middle of its name, and how this is
        aligned: beside the left edge to the right of the mark, beside the right edge to the left.
    """
    placed: dict[int, tuple[float, float, float]] = {}
    found: list[tuple[float, str]] = [(0.0, "center")] * len(marks)
    for number in sorted(range(len(marks)), key=lambda one: marks[one].up):
        mark = marks[number]
        align = "left" if mark.across < 0.3 else "right" if mark.across > 0.7 else "center"
        width = _LETTER * len(mark.text)
        middle = mark.across * _NARROW
        start = middle - {"left": 0.0, "center": width / 2, "right": width}[align]
        up = mark.up + LINE_HEIGHT
        for low, high, other in sorted(placed.values(), key=lambda one: one[2]):
            beside = start > high + 4 or start + width < low - 4
            if not beside and abs(up - other) < LINE_HEIGHT:
                up = other + LINE_HEIGHT
        placed[number] = (start, start + width, up)
        found[number] = (up, align)
    return found


def typical(rounds: Iterable[Sequence[float]]) -> Estimate | None:
    """Return the value that the tables show of some rounds, with its interval.

    Parameters
    ----------
    rounds : iterable of sequence of float
        Seconds of each repeat of each round; what is not above 0 is passed over.

    Returns
    -------
    Estimate or None
        None without a value. Where there are too few rounds for an interval its value is the
        median of all repeats.
    """
    known = [[value for value in one if value > 0] for one in rounds]
    found = estimate(known)
    if found is None or found.has_interval:
        return found
    return replace(found, value=statistics.median(value for one in known for value in one))


def told(one: Estimate) -> str:
    """Return seconds with their interval, where there is one: ``"1.20 s (1.10-1.31 s)"``."""
    if not one.has_interval:
        return seconds(one.value)
    return f"{seconds(one.value)} ({interval_text(one)})"


def interval_text(one: Estimate) -> str:
    """Return the interval of some seconds, or that there is none."""
    if one.low is None or one.high is None:
        return no_interval(one)
    if one.high > _GREATEST_BOUND:
        return f"{seconds(one.low)} or more"
    return seconds_range(one.low, one.high)


def no_interval(one: Estimate) -> str:
    """Say why there is no interval."""
    return f"none, {one.rounds} round{'' if one.rounds == 1 else 's'} only"


def ends(one: Estimate) -> tuple[float, float]:
    """Return the ends of what is drawn of an estimate: its interval, or the value alone.

    An interval is drawn as far as it is of use; its text has all of it.
    """
    if one.low is None or one.high is None:
        return one.value, one.value
    return max(one.low, one.value / _FARTHEST), min(one.high, one.value * _FARTHEST)


def name_texts(
    rows: Sequence[Mapping[str, Any]], colours: Any, x: Any = "seconds:Q", y: Any = "value:Q"
) -> list[Any]:
    """Return layers with a text beside a mark, in its engine's colour, readable over any line.

    Parameters
    ----------
    rows : sequence of mapping
        With ``engine``, ``text``, where it stands, and ``place``: "beside" or "before" a mark, or
        "left", "center" or "right" over it, as `place_above` says.
    colours : altair.Color
        Of the engines.
    x, y : str or altair.X and altair.Y
        The fields that say where.
    """
    import altair as alt

    layers = []
    for place, (align, aside) in _PLACES.items():
        own = [row for row in rows if row["place"] == place]
        if own:
            layers += [
                alt.Chart(data(own))
                .mark_text(align=align, dx=aside, fontWeight="bold", **looks)
                .encode(x=x, y=y, text="text:N", **colour)
                for looks, colour in (({"style": "halo"}, {}), ({}, {"color": colours}))
            ]
    return layers


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
