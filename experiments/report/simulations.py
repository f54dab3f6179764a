"""Simulations: what a record tells of an estimate, its rows, and whether the engines agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.metrics import METRICS
from experiments.report.columns import name_among
from experiments.report.numbers import deviation, score
from experiments.report.rows import once
from experiments.report.wording import joined, number_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from experiments.report.columns import Column
    from experiments.report.rows import Row, Rows

# What has a row where no metric of the same name has one already
_ROWS = (
    ("estimate", "Estimate", "score", ""),
    ("standard_error", "Standard error", "score", ""),
    ("paths", "Paths", "number", "Paths that were simulated."),
    (
        "reference",
        "Reference",
        "score",
        "What the estimate is compared with: more paths with a control variate, computed once.",
    ),
    (
        "reference_standard_error",
        "Its standard error",
        "score",
        "Standard deviation of the reference.",
    ),
    ("reference_paths", "Its paths", "number", "Paths that the reference was simulated with."),
)


def estimates(column: Column, name: str = "estimate") -> list[float]:
    """Return a number of the simulation of each repeat that has it."""
    found = (number_or_none(record.model.get(name)) for record in column.records)
    return [value for value in found if value is not None]


def simulation_rows(rows: Rows) -> Iterable[Row]:
    """Return the rows on an estimate and its reference that no metric has."""
    scored = {name for one in rows.columns for name in one.metric_names()}
    for name, label, unit, meaning in _ROWS:
        if name in scored:
            continue
        row = rows.make(
            name,
            label,
            unit,  # type: ignore[arg-type]  # two of the units
            lambda column, name=name: once(estimates(column, name)),  # type: ignore[misc]
            meaning or METRICS[name].description,
        )
        if row:
            yield row


def differing_estimates(columns: Sequence[Column]) -> dict[Column, float]:
    """Return the estimate of each engine, if they are not the same to the last bit."""
    answered = [one for one in columns if one.answered and estimates(one)]
    every = {value for one in answered for value in estimates(one)}
    return {one: estimates(one)[0] for one in answered} if len(every) > 1 else {}


def tell_differing(differing: dict[Column, float]) -> str:
    """Say with all digits how estimates differ that should be the same."""
    told = ", ".join(f"{name_among(one, differing)} {value!r}" for one, value in differing.items())
    return (
        f"Estimate: {told}; the blocks of paths are the same for every engine, and so must be "
        "what they add up to, to the last bit."
    )


def tell_estimates(columns: Sequence[Column], who: str) -> str:
    """Say what the engines that answered estimated; empty where none did."""
    answered = [one for one in columns if one.answered and estimates(one)]
    if not answered:
        return ""
    if differing := differing_estimates(columns):
        told = [f"{score(value)} on {name_among(one, columns)}" for one, value in differing.items()]
        return f"the estimates differ, which they must not: {joined(told)}"
    first = answered[0]
    same = "the same, " if len(answered) > 1 else ""
    text = f"{who} estimated {same}{_with_error(first, 'estimate', 'standard_error')}"
    if estimates(first, "reference"):
        text += f" (reference {_with_error(first, 'reference', 'reference_standard_error')})"
    return text


def _with_error(column: Column, name: str, error: str) -> str:
    text = score(estimates(column, name)[0])
    return f"{text} ± {deviation(known[0])}" if (known := estimates(column, error)) else text
