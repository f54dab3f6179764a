"""What decides a comparison, in a few numbers: the first screen of a page."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from experiments.report import numbers
from experiments.report.cells import label, show
from experiments.report.charts.lanes import lanes_of
from experiments.report.text import definition_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from experiments.report.build import Report
    from experiments.report.rows import Cell, Row
    from experiments.report.tables import Head, Table

_PHASES = ("search", "tasks", "fit")
# after the time: what the same answer costs
_BESIDE = ("total_wall_s", "peak_memory_bytes")


@dataclass(frozen=True)
class Value:
    """A cell of a table in a page.

    Parameters
    ----------
    value, beside : str
        What is shown, and beside it.
    below : tuple of tuple of str
        Lines below it, in pieces that are better not broken.
    sort : float or None
        What it is sorted by; its text where that is None.
    bar : float or None
        Length of a bar, between 0 and 1.
    colour : str
        Of that bar: the engine's in the charts; empty in columns without bars.
    """

    value: str
    beside: str = ""
    below: tuple[tuple[str, ...], ...] = ()
    sort: float | None = None
    bar: float | None = None
    colour: str = ""


@dataclass(frozen=True)
class Line:
    """A line of a table in a page: an engine, or a point.

    Parameters
    ----------
    title : str
        Its head.
    under : str
        What stands below that.
    values : tuple of Value
        One a column.
    sort : float or None
        What its head is sorted by; its text where that is None.
    """

    title: str
    under: str
    values: tuple[Value, ...]
    sort: float | None = None


@dataclass(frozen=True)
class Deciding:
    """The numbers that decide, as a small table.

    Parameters
    ----------
    corner : str
        Head of the first column.
    heads : tuple of str
        Of the others.
    lines : tuple of Line
        One an engine, or one a point of a sweep.
    caption : str
        What is shown.
    """

    corner: str
    heads: tuple[str, ...]
    lines: tuple[Line, ...]
    caption: str


def lead(text: str) -> tuple[str, str]:
    """Return the first sentence of an answer, for the first screen, and the rest of it."""
    first, *rest = re.split(r"(?<=[.!?]) (?=[A-Z])", text, maxsplit=1)
    return first, " ".join(rest)


def noise(report: Report) -> str:
    """Return what the null run shows of the times that decide; empty without one.

    Of a sweep that is where a difference has to show if it shows anywhere: at the greatest value of
    its main key, which is named.
    """
    if report.sweeps and report.sweeps[0].noise:
        return report.sweeps[0].noise
    # why it is not known where it was asked for
    table = next((one for one in reversed(report.tables) if one.null_run), None)
    if table is None:
        return ""
    return f"At {table.title}: {table.null_run}" if table.point else table.null_run


def main_row(table: Table) -> Row | None:
    """Return the row whose seconds decide: those of a warm search, run of tasks or fit.

    Where nothing was repeated it is the cold one; None where no engine came so far.
    """
    rows = {row.key: row for group in table.groups for row in group.rows}
    keys = (f"{phase}_{kind}_wall_s" for phase in _PHASES for kind in ("warm", "cold"))
    return next((rows[key] for key in keys if key in rows), None)


def deciding(report: Report) -> Deciding | None:
    """Return the numbers behind the answer; None where nothing was measured.

    Of a sweep they are the times at each value, which `experiments.report.sweeps` tells.
    """
    measured = [table for table in report.tables if table.groups]
    if not measured or report.sweeps:
        return None
    return _of_one(measured[0]) if len(report.tables) == 1 else points(report.tables)


def points(tables: Sequence[Table]) -> Deciding:
    """Return one line for each point of a sweep: the time that decides, on every engine."""
    names = list(dict.fromkeys(head.name for table in tables for head in table.heads))
    alone = len({name_of.engine for name_of in _heads(tables)}) == len(names)
    titles = {head.name: head.title if alone else head.name for head in _heads(tables)}
    rows = [main_row(table) for table in tables]
    labels = list(dict.fromkeys(row.label for row in rows if row is not None))
    keys = list(dict.fromkeys(key for table in tables for key in table.point))
    lines = []
    for table, row in zip(tables, rows, strict=True):
        cells = {} if row is None else dict(zip(_names(table), row.cells, strict=True))
        outcomes = {head.name: head.outcome for head in table.heads}
        one_key = next(iter(table.point.values())) if len(keys) == 1 else None
        known = isinstance(one_key, int | float) and not isinstance(one_key, bool)
        lines.append(
            Line(
                _point_title(table, keys),
                "",
                tuple(_point_value(row, cells.get(name), outcomes.get(name, "")) for name in names),
                float(one_key) if known and one_key is not None else None,
            )
        )
    return Deciding(
        keys[0] if len(keys) == 1 else "point",
        tuple(titles[name] for name in names),
        tuple(lines),
        f"Seconds of {', '.join(labels)} at each point, with the ratio to the baseline."
        if labels
        else "No engine came as far as the work itself.",
    )


def value_of(row: Row, cell: Cell) -> Value:
    """Return a cell as a page shows it."""
    shown = show(row, cell)
    brackets = tuple(f"[{text}]" for text in (shown.interval, shown.ratio_interval) if text)
    lines = ((shown.spread,) if shown.spread else (), brackets)
    return Value(
        shown.value,
        shown.beside,
        tuple(line for line in lines if line),
        cell.value,
    )


def _of_one(table: Table) -> Deciding:
    rows = {row.key: row for group in table.groups for row in group.rows}
    main = main_row(table)
    scores = [row for row in rows.values() if row.unit == "score"][:1]
    chosen = [
        *([main] if main else []),
        *(rows[key] for key in _BESIDE if key in rows),
        *scores,
    ]
    times = [cell.value for cell in (main.cells if main else ()) if cell.value is not None]
    greatest = max(times, default=0.0)
    lanes = lanes_of((head.engine, head.implementation) for head in table.heads)
    lines = []
    for place, head in enumerate(table.heads):
        values = []
        for row in chosen:
            cell = row.cells[place]
            value = value_of(row, cell)
            if row is main:
                known = cell.value is not None and greatest > 0
                share = cell.value / greatest if known and cell.value is not None else None
                value = replace(value, bar=share, colour=lanes[place].colour)
            values.append(value)
        under = [head.implementation] + ([head.outcome] if head.outcome != "completed" else [])
        lines.append(Line(head.title, ", ".join(under), tuple(values)))
    return Deciding("Engine", tuple(label(row) for row in chosen), tuple(lines), "What decides it")


def _heads(tables: Iterable[Table]) -> Iterable[Head]:
    return (head for table in tables for head in table.heads)


def _names(table: Table) -> list[str]:
    return [head.name for head in table.heads]


def _point_title(table: Table, keys: list[str]) -> str:
    if len(keys) == 1:
        value = table.point.get(keys[0])
        known = isinstance(value, int) and not isinstance(value, bool)
        return numbers.number(value) if known else definition_value(value)
    return table.title


def _point_value(row: Row | None, cell: Cell | None, outcome: str) -> Value:
    failed = "" if outcome == "completed" else outcome
    if row is None or cell is None:
        return Value(failed or numbers.MISSING)
    value = value_of(row, cell)
    if cell.summary is None or not failed:
        return value
    return replace(value, below=(*value.below, (failed,)))
