"""The axes of a chart over a swept key: where its values and their seconds stand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.report.charts.lanes import shorten
from experiments.report.charts.marks import (
    END_POWER,
    LINE_HEIGHT,
    log_domain,
    log_share,
    log_ticks,
    needs_log,
)
from experiments.report.numbers import number
from experiments.report.text import clean, definition_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.report.sweeps import SizePoint, Sweep

HEIGHT = 300
_LONGEST_LABEL = 60
_LONGEST_VALUE = 24


@dataclass(frozen=True)
class SweepAxis:
    """The axis of the swept key, and where its values stand on it.

    Parameters
    ----------
    encoding : altair.X
        The axis of Vega-Lite.
    numeric : bool
        Whether values stand where their numbers do, and not one beside the other.
    logarithmic : bool
        Whether equal factors, and not equal differences, are equally far apart.
    low, high : float
        Its ends, where it is numeric.
    least : float
        The least value of the sweep, where it is numeric.
    order : tuple of str
        The values, where it is not.
    """

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
            return value_name(point.value)
        if self.logarithmic:
            return float(point.size * (self.high / self.low) ** aside)
        return point.size + (self.high - self.low) * aside

    def side(self, point: SizePoint) -> str:
        """Return on which side of a point there is room for a name."""
        if self.numeric and point.size is not None:
            return self.side_of(point.size)
        late = self.order.index(value_name(point.value)) >= len(self.order) / 2
        return "before" if late else "beside"

    def side_of(self, size: float) -> str:
        """Return on which side of a size there is room for a name."""
        return "before" if self._share(size) > 0.5 else "beside"

    def _share(self, size: float) -> float:
        if self.logarithmic:
            return log_share(size, self.low, self.high)
        return (size - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Vertical:
    """The axis of seconds; above the times it has room for what did not complete.

    Parameters
    ----------
    low, high : float
        Ends of what the times need.
    top : float
        End of the axis, with the room above them.
    logarithmic : bool
        Whether it is.
    """

    low: float
    high: float
    top: float
    logarithmic: bool

    @classmethod
    def over(cls, values: Sequence[float], *, failures: int, like: Sweep) -> Vertical:
        """Return an axis over all values, with a line of text above it for each failed engine."""
        band = min(0.5, (failures + 0.5) * LINE_HEIGHT / HEIGHT) if failures else 0.0
        if like.kind == "size" or needs_log(values):
            low, high = log_domain(values)
            decades = (math.log10(high) - math.log10(low)) / (1 - band)
            top = 10 ** min(math.log10(low) + decades, END_POWER)
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
        share = log_share(value, self.low, self.top) if self.logarithmic else value / self.top
        return share * HEIGHT

    def at_pixel(self, pixel: float) -> float:
        """Return the value that stands so many pixels above the bottom."""
        share = pixel / HEIGHT
        if self.logarithmic:
            low, top = math.log(self.low), math.log(self.top)
            return math.exp(low + (top - low) * share)
        return share * self.top


def sweep_axis(sweep: Sweep, *, fitted: bool) -> SweepAxis:
    """Return the axis of a swept key; `fitted` says whether lines are drawn along it."""
    import altair as alt

    points = [point for one in sweep.series for point in one.points]
    sizes = sorted({point.size for point in points if point.size is not None})
    label = shorten(clean(sweep.label), _LONGEST_LABEL)
    if len(sizes) < 2 or any(point.size is None for point in points):
        order = list(dict.fromkeys(value_name(point.value) for point in points))
        encoding = alt.X(
            "size:O", scale=alt.Scale(domain=order), axis=alt.Axis(title=label, labelAngle=0)
        )
        return SweepAxis(encoding, numeric=False, logarithmic=False, order=tuple(order))
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
    return SweepAxis(
        alt.X("size:Q", scale=scale, axis=axis),
        numeric=True,
        logarithmic=logarithmic,
        low=low,
        high=high,
        least=sizes[0],
    )


def value_name(value: Any) -> str:
    """Return a value of a swept key in few letters."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value) if isinstance(value, int) else f"{value:g}"
    return shorten(clean(definition_value(value)), _LONGEST_VALUE)
