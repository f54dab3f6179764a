"""Give the tables of a report as CSV: one line a measure, engine and point, numbers in full."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from experiments.report.attached import UNKNOWN, label_of, unit_of
from experiments.report.data import ratio_of_medians
from experiments.report.sweeps.lines import sweep_lines
from experiments.report.text import clean, definition_value
from experiments.report.workers import amounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from experiments.report.build import Report
    from experiments.report.rows import Cell
    from experiments.report.sweeps.lines import SweepLine
    from experiments.report.tables import Table
    from experiments.report.workers import WorkerTable

COLUMNS = (
    "engine",
    "implementation",
    "group",
    "key",
    "label",
    "unit",
    "typical",
    "interval_low",
    "interval_high",
    "median",
    "low",
    "high",
    "ratio",
    "ratio_low",
    "ratio_high",
    "ratio_of_medians",
    "n",
    "text",
)
# What makes a spreadsheet read a cell as a formula, in its half and its full width (OWASP, CSV
# injection); a line end or a tab before it is taken away by `clean`
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def as_csv(report: Report) -> str:
    """Return every cell of every table as CSV in its long form, with a head.

    A column for each swept key comes first, then `COLUMNS`. ``median``, ``low`` and ``high`` are of
    all repeats: ``low`` and ``high`` the least and greatest value, or the quartiles from ``n`` = 5
    on. ``interval_low`` and ``interval_high`` bound the 95 % interval of ``typical``, the mean over
    rounds, on logarithms; all three are empty where no interval can be given. ``ratio`` is that of
    the typical values where ``ratio_low`` and ``ratio_high`` bound it, and else
    ``ratio_of_medians``. The group ``Outcome`` has one line for each engine.

    What each worker of a cluster used in the phase that decides has one line a number, in the
    groups ``Worker <name>``; the text ``?`` stands where the engine cannot tell, and otherwise the
    outcome where it is not ``completed``.

    What a sweep comes down to has one line a number, in the groups ``Sweep of <key>``: the number
    is ``typical`` with its interval, and the column of the swept key is empty where it is of all
    its values. A text that a spreadsheet would run as a formula begins with an apostrophe.
    """
    keys = list(dict.fromkeys(key for table in report.tables for key in table.point))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")  # RFC 4180
    writer.writerow([*(_text(key) for key in keys), *COLUMNS])
    for table in report.tables:
        point = _point(table.point, keys)
        writer.writerows([*point, *line] for line in _lines(table))
    for one in sweep_lines(report.sweeps):
        writer.writerow([*_point(one.point, keys), *_of_sweep(one)])
    return text.getvalue()


def _point(point: Mapping[str, Any], keys: Iterable[str]) -> list[Any]:
    return [_value(point[key]) if key in point else "" for key in keys]


def _lines(table: Table) -> Iterable[list[Any]]:
    for head in table.heads:
        engine = [_text(head.engine), _text(head.implementation)]
        yield [*engine, "Outcome", "outcome", "Outcome", "text", *_NO_NUMBERS, head.outcome]
    place = None if table.baseline is None else table.heads.index(table.baseline)
    for group in table.groups:
        for row in group.rows:
            about = [_text(group.title), _text(row.key), _text(row.label), row.unit]
            against = None if place is None else row.cells[place]
            for head, cell in zip(table.heads, row.cells, strict=True):
                numbers = _numbers(cell, against)
                yield [_text(head.engine), _text(head.implementation), *about, *numbers]
    for one in table.workers:
        yield from _of_workers(one)


_NO_NUMBERS = [""] * (len(COLUMNS) - COLUMNS.index("typical") - 1)


def _of_sweep(line: SweepLine) -> list[Any]:
    about = (line.engine, line.implementation, line.group, line.key, line.label, line.unit)
    known = [_number(one) for one in (line.value, line.low, line.high)]
    rest = [""] * (len(_NO_NUMBERS) - len(known))
    return [*map(_text, about), *known, *rest, _text(line.text)]


def _of_workers(table: WorkerTable) -> Iterable[list[Any]]:
    """Return one line for each number of each worker; a text where it cannot tell."""
    engine = [_text(table.engine), _text(table.implementation)]
    for share in table.shares:
        for name, value in amounts(share).items():
            label = f"{table.phase}, {label_of(name)}"
            about = [f"Worker {share.worker}", f"{table.phase}_{name}", label, unit_of(name)]
            numbers: list[Any] = list(_NO_NUMBERS)
            if value is not None:
                numbers[COLUMNS.index("median") - COLUMNS.index("typical")] = value
            # what failed, or only degraded, is no measurement like others
            outcome = "" if table.outcome == "completed" else table.outcome
            text = UNKNOWN if value is None else outcome
            yield [*engine, *map(_text, about), *numbers, text]


def _number(number: float | None) -> float | str:
    return "" if number is None else number


def _numbers(cell: Cell, against: Cell | None) -> list[Any]:
    summary, interval, ratio = cell.summary, cell.interval, cell.ratio_interval
    if summary is None:
        return [*_NO_NUMBERS, _text(cell.text)]
    numbers = [
        cell.typical,
        None if interval is None else interval.low,
        None if interval is None else interval.high,
        summary.median,
        summary.low,
        summary.high,
        cell.ratio,
        None if ratio is None else ratio.low,
        None if ratio is None else ratio.high,
        ratio_of_medians(cell, against),
        summary.n,
    ]
    return [*map(_number, numbers), _text(cell.text)]


def _value(value: Any) -> Any:
    """Return the value of a swept key: a number as it is, anything else as text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return _text(definition_value(value))


def _text(value: object) -> str:
    text = clean(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
