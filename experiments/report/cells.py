"""Turn the numbers of a cell into the text that every form of the report shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from experiments.report import numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from experiments.report.rows import Cell, Row, Unit
    from experiments.report.summary import Summary
    from experiments.statistics.bootstrap import Estimate

# Stands before a ratio that shows no difference
LEVEL = "~"
# An interval from few rounds that differ much may end beyond all that can be meant
_GREATEST_BOUND = 1e15
_ONE: Mapping[Unit, Callable[[float | None], str]] = {
    "seconds": numbers.seconds,
    "bytes": numbers.memory,
    "score": numbers.score,
    "number": numbers.number,
}
_RANGE: Mapping[Unit, Callable[[float, float], str]] = {
    "seconds": numbers.seconds_range,
    "bytes": numbers.memory_range,
    "score": numbers.score_range,
    "number": numbers.number_range,
}


class Shown(NamedTuple):
    """The text of a cell.

    Attributes
    ----------
    value : str
        The typical value where it has an interval, else the median, with the deviation of what it
        is the mean of; or what stands in its place.
    beside : str
        Ratio to the baseline, or share of the whole; empty without one.
    spread : str
        Least to greatest or the quartiles; empty for a single value.
    interval : str
        95 % interval of the typical value over rounds; empty with too few rounds for one.
    ratio_interval : str
        The same of the ratio.
    """

    value: str
    beside: str = ""
    spread: str = ""
    interval: str = ""
    ratio_interval: str = ""

    @property
    def intervals(self) -> str:
        """Both intervals in brackets; empty without any."""
        return " ".join(f"[{one}]" for one in (self.interval, self.ratio_interval) if one)


def show(row: Row, cell: Cell) -> Shown:
    """Return the text of a cell."""
    summary = cell.summary
    if summary is None:
        return Shown(cell.text or numbers.MISSING)
    value = _ONE[row.unit](cell.value)
    if cell.deviation is not None:
        value += f" ± {numbers.deviation(cell.deviation)}"
    return Shown(
        value,
        _ratio(cell) if cell.share is None else numbers.share(cell.share),
        "" if summary.spread == "none" else _spread(row, summary),
        _bounds(cell.interval, _ONE[row.unit], _RANGE[row.unit]),
        _bounds(cell.ratio_interval, numbers.ratio, numbers.ratio_range),
    )


def _spread(row: Row, summary: Summary) -> str:
    spread = "" if summary.low == summary.high else _RANGE[row.unit](summary.low, summary.high)
    return f"{spread} n={summary.n}".strip() if row.n is None else spread


def _ratio(cell: Cell) -> str:
    """Return the ratio: with an interval, so that it is shown to lie within."""
    between = cell.ratio_interval
    low, high = (None, None) if between is None else (between.low, between.high)
    return f"{LEVEL if cell.difference is False else ''}{numbers.ratio(cell.ratio, low, high)}"


def _bounds(
    estimate: Estimate | None,
    show_one: Callable[[float | None], str],
    show_range: Callable[[float, float], str],
) -> str:
    """Return an interval; empty where there is none, or where all rounds were the same."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    if estimate.low == estimate.high:
        return ""
    if estimate.high > _GREATEST_BOUND:
        return f"{show_one(estimate.low)} or more"
    return show_range(estimate.low, estimate.high)


def label(row: Row) -> str:
    """Return the label of a row, with the number of measurements where it is above one."""
    return f"{row.label} (n={row.n})" if row.n is not None and row.n > 1 else row.label
