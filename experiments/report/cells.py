"""Turn the numbers of a cell into the text that every form of the report shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from experiments.report import numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from experiments.report.rows import Cell, Row, Unit

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
        The median, with the deviation of what it is the mean of, or what stands in its place.
    beside : str
        Ratio to the baseline, or share of the whole; empty without one.
    spread : str
        Least to greatest or the quartiles; empty for a single value.
    """

    value: str
    beside: str = ""
    spread: str = ""


def show(row: Row, cell: Cell) -> Shown:
    """Return the text of a cell."""
    summary = cell.summary
    if summary is None:
        return Shown(cell.text or numbers.MISSING)
    value = _ONE[row.unit](summary.median)
    if cell.deviation is not None:
        value += f" ± {numbers.deviation(cell.deviation)}"
    beside = numbers.ratio(cell.ratio) if cell.share is None else numbers.share(cell.share)
    if summary.spread == "none":
        return Shown(value, beside)
    spread = _RANGE[row.unit](summary.low, summary.high)
    if summary.low == summary.high:
        spread = ""
    if row.n is None:
        spread = f"{spread} n={summary.n}".strip()
    return Shown(value, beside, spread)


def label(row: Row) -> str:
    """Return the label of a row, with the number of measurements where it is above one."""
    return f"{row.label} (n={row.n})" if row.n is not None and row.n > 1 else row.label
