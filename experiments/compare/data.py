"""Give the comparison of two runs as plain data, for programs: numbers in full."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from experiments.records import plain

if TYPE_CHECKING:
    from experiments.compare.build import Comparison, Side
    from experiments.compare.gate import Judgement
    from experiments.compare.pairs import Number, Pair
    from experiments.report.rows import Cell

SCHEMA: Final = 1


def as_data(comparison: Comparison, judgement: Judgement | None = None) -> dict[str, Any]:
    """Return the comparison as one JSON object.

    Parameters
    ----------
    comparison : Comparison
        The runs.
    judgement : Judgement or None
        What ``--fail-above`` makes of it; None where it was not asked for.
    """
    content = {
        "schema": SCHEMA,
        "first": _side(comparison.first),
        "second": _side(comparison.second),
        "question": comparison.question,
        "changes": [asdict(one) for one in comparison.changes],
        "answers": list(comparison.answers),
        "outcomes": list(comparison.outcomes),
        "missing": list(comparison.missing),
        "warnings": list(comparison.warnings),
        "judgement": None if judgement is None else _judgement(judgement),
        "points": [
            {
                "point": point.point,
                "engines": {
                    f"{pair.first.engine}/{pair.first.implementation}": _pair(pair)
                    for pair in point.pairs
                },
            }
            for point in comparison.points
        ],
    }
    data: dict[str, Any] = plain(content)
    return data


def _side(side: Side) -> dict[str, Any]:
    return {
        "folder": str(side.folder),
        "run": side.run,
        "experiment": side.experiment,
        "started": side.started,
        "rounds": side.rounds,
    }


def _judgement(judgement: Judgement) -> dict[str, Any]:
    return {**asdict(judgement), "failed": judgement.failed}


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "outcomes": list(pair.outcomes),
        "main": None if pair.main is None else pair.main.row.key,
        "rows": [
            {
                "group": heading,
                "key": number.row.key,
                "label": number.row.label,
                "unit": number.row.unit,
                **_number(number),
            }
            for heading, numbers in pair.groups
            for number in numbers
        ],
    }


def _number(number: Number) -> dict[str, Any]:
    return {
        "first": _cell(number.first),
        "second": _cell(number.second),
        "ratio": None if number.ratio is None else asdict(number.ratio),
        "change": number.change,
        "noise": None if number.noise is None else asdict(number.noise),
        "difference": number.difference,
    }


def _cell(cell: Cell | None) -> dict[str, Any] | str | None:
    if cell is None:
        return None
    return (cell.text or None) if cell.summary is None else asdict(cell.summary)
