"""Give the tables of a report as CSV: one line a measure, engine and point, numbers in full."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from experiments.report.text import clean, definition_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from experiments.report.build import Report
    from experiments.report.rows import Cell
    from experiments.report.tables import Table

COLUMNS = (
    "engine",
    "implementation",
    "group",
    "key",
    "label",
    "unit",
    "median",
    "low",
    "high",
    "interval_low",
    "interval_high",
    "ratio",
    "ratio_low",
    "ratio_high",
    "n",
    "text",
)
# What makes a spreadsheet read a cell as a formula, in its half and its full width (OWASP, CSV
# injection); a line end or a tab before it is taken away by `clean`
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def as_csv(report: Report) -> str:
    """Return every cell of every table as CSV in its long form, with a head.

    A column for each swept key comes first, then `COLUMNS`. ``low`` and ``high`` are the least
    and greatest value, or the quartiles from ``n`` = 5 on; ``interval_low`` and ``interval_high``
    bound the 95 % interval of the typical value, and are empty where none can be given. The group
    ``Outcome`` has one line for each engine. A text that a spreadsheet would run as a formula
    begins with an apostrophe.
    """
    keys = list(dict.fromkeys(key for table in report.tables for key in table.point))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")  # RFC 4180
    writer.writerow([*(_text(key) for key in keys), *COLUMNS])
    for table in report.tables:
        point = [_value(table.point[key]) if key in table.point else "" for key in keys]
        writer.writerows([*point, *line] for line in _lines(table))
    return text.getvalue()


def _lines(table: Table) -> Iterable[list[Any]]:
    for head in table.heads:
        engine = [_text(head.engine), _text(head.implementation)]
        yield [*engine, "Outcome", "outcome", "Outcome", "text", *_NO_NUMBERS, head.outcome]
    for group in table.groups:
        for row in group.rows:
            about = [_text(group.title), _text(row.key), _text(row.label), row.unit]
            for head, cell in zip(table.heads, row.cells, strict=True):
                yield [_text(head.engine), _text(head.implementation), *about, *_numbers(cell)]


_NO_NUMBERS = [""] * (len(COLUMNS) - COLUMNS.index("median") - 1)


def _numbers(cell: Cell) -> list[Any]:
    summary, interval, ratio = cell.summary, cell.interval, cell.ratio_interval
    if summary is None:
        return [*_NO_NUMBERS, _text(cell.text)]
    numbers = [
        summary.median,
        summary.low,
        summary.high,
        None if interval is None else interval.low,
        None if interval is None else interval.high,
        cell.ratio,
        None if ratio is None else ratio.low,
        None if ratio is None else ratio.high,
        summary.n,
    ]
    return [*("" if number is None else number for number in numbers), _text(cell.text)]


def _value(value: Any) -> Any:
    """Return the value of a swept key: a number as it is, anything else as text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return _text(definition_value(value))


def _text(value: object) -> str:
    text = clean(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
