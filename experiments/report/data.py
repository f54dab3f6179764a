"""Give a report as plain data, for programs: numbers in full, no text to parse."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from experiments.records import plain, to_json

if TYPE_CHECKING:
    from experiments.report.build import Report
    from experiments.report.rows import Cell, Row
    from experiments.report.tables import Table

SCHEMA = 1


def as_data(report: Report) -> dict[str, Any]:
    """Return the report as one JSON object, with the records that it was made from.

    In a cell, ``median``, ``low`` and ``high`` are of all repeats; ``typical`` is the value that
    ``interval`` bounds, and null where none can be given. ``ratio`` is that of the typical values
    where ``ratio_interval`` bounds it, else ``ratio_of_medians``.
    """
    content = {
        "schema": SCHEMA,
        "folder": str(report.folder),
        "run": report.run,
        "experiment": report.experiment,
        "question": report.question,
        "started": report.started,
        "completed": report.completed,
        "answer": report.answer,
        "tables": [_table(table) for table in report.tables],
        "measured": [asdict(one) for one in report.measured],
        "sweeps": [asdict(one) for one in report.sweeps],
        "candidates": [asdict(one) for one in report.candidates],
        "footnotes": list(report.footnotes),
        "warnings": list(report.warnings),
        "host": report.host,
        "versions": report.versions,
        "records": [to_json(record) for record in report.records],
    }
    data: dict[str, Any] = plain(content)
    return data


def _table(table: Table) -> dict[str, Any]:
    names = [f"{head.engine}/{head.implementation}" for head in table.heads]
    baseline = table.baseline
    place = None if baseline is None else table.heads.index(baseline)
    return {
        "point": table.point,
        "granted": table.granted,
        "data": table.rows_asked,
        "searched": table.searched,
        "answer": table.answer,
        "null_run": table.null_run,
        "warning": table.warning,
        "noise": {key: asdict(floor) for key, floor in table.noise.items()},
        "labels_compared": table.labels_compared,
        "baseline": None if baseline is None else f"{baseline.engine}/{baseline.implementation}",
        "columns": {name: asdict(head) for name, head in zip(names, table.heads, strict=True)},
        "rows": [
            {
                "group": group.title,
                "key": row.key,
                "label": row.label,
                "unit": row.unit,
                "cells": {
                    name: _cell(row, cell, None if place is None else row.cells[place])
                    for name, cell in zip(names, row.cells, strict=True)
                },
            }
            for group in table.groups
            for row in group.rows
        ],
        "disagreements": [asdict(one) for one in table.disagreements],
        "problems": [asdict(one) for one in table.problems],
        "workers": [
            {
                "column": f"{one.engine}/{one.implementation}",
                "phase": one.phase,
                "about": one.about,
                "outcome": one.outcome,
                "workers": [asdict(share) for share in one.shares],
                "legend": one.legend,
            }
            for one in table.workers
        ],
    }


def ratio_of_medians(cell: Cell, against: Cell | None) -> float | None:
    """Return the ratio of the medians of all repeats; None where a cell has no ratio.

    Parameters
    ----------
    cell : Cell
        Any cell.
    against : Cell or None
        That of the baseline in the same row; None without a baseline.
    """
    if cell.ratio is None or cell.summary is None or against is None or against.summary is None:
        return None
    return cell.summary.median / against.summary.median if against.summary.median else None


def _cell(row: Row, cell: Cell, against: Cell | None) -> dict[str, Any] | str | None:
    if cell.summary is None:
        return cell.text or None
    numbers = asdict(cell.summary)
    if cell.interval is not None:
        numbers["typical"] = cell.typical
    if row.unit == "seconds" or cell.ratio is not None:
        numbers["ratio"] = cell.ratio
        numbers["ratio_of_medians"] = ratio_of_medians(cell, against)
    for name, estimate in (("interval", cell.interval), ("ratio_interval", cell.ratio_interval)):
        if estimate is not None:
            numbers[name] = asdict(estimate)
    if cell.difference is not None:
        numbers["difference_shown"] = cell.difference
    if cell.deviation is not None:
        numbers["std"] = cell.deviation
    return numbers
