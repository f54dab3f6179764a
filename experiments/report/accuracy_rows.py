"""Rows of a table that say how good the answers of the engines are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.metrics import METRICS
from experiments.report.null_run import BASELINE
from experiments.report.rows import Cell, Row, missing, once
from experiments.report.simulations import simulation_rows
from experiments.report.summary import summarise
from experiments.titles import title

if TYPE_CHECKING:
    from collections.abc import Iterable

    from experiments.report.footnotes import Footnotes
    from experiments.report.rows import Rows


def accuracy_rows(
    rows: Rows, agreement: dict[frozenset[str], float], notes: Footnotes
) -> Iterable[Row]:
    """Return the rows on metrics, the agreement of labels, simulations and iterations.

    Parameters
    ----------
    rows : Rows
        The engines at one point.
    agreement : dict of a pair of engines to float
        Adjusted Rand index between their labels.
    notes : Footnotes
        Gets one for each metric that differs between repeats of one seed.
    """
    names = dict.fromkeys(name for one in rows.columns for name in one.metric_names())
    for name in names:
        metric = METRICS.get(name)
        marks = []
        for one in rows.columns:
            if len(set(one.metric(name))) > 1:
                shown = metric.title if metric else name
                marks.append(
                    notes.add(
                        one.title,
                        f"{shown} differs between repeats of the same seed; its spread is shown.",
                    )
                )
        row = rows.make(
            name,
            metric.title if metric else name,
            "score",
            lambda column, name=name: once(column.metric(name)),  # type: ignore[misc]
            metric.description if metric else "",
            marks=tuple(dict.fromkeys(marks)),
        )
        yield row or Row(
            name,
            metric.title if metric else name,
            "score",
            tuple(
                Cell(text="undefined" if one.metric(name) else missing(one)) for one in rows.columns
            ),
            metric.description if metric else "",
        )
    if any(one.engine in pair for pair in agreement for one in rows.columns):
        yield _agreement(rows, agreement)
    yield from simulation_rows(rows)
    iterations = rows.make(
        "n_iter",
        "Iterations",
        "number",
        lambda column: once([one.model.get("n_iter") for one in column.records]),
        "Iterations over the training rows until the engine's own stopping rule was met.",
    )
    if iterations:
        yield iterations


def _agreement(rows: Rows, agreement: dict[frozenset[str], float]) -> Row:
    compared = [one.engine for one in rows.columns if any(one.engine in pair for pair in agreement)]
    to = BASELINE if BASELINE in compared else compared[0]
    cells = []
    for one in rows.columns:
        rand = 1.0 if one.engine == to else agreement.get(frozenset((to, one.engine)))
        cells.append(Cell(summarise([rand]), text="" if rand is not None else missing(one)))
    return Row(
        "adjusted_rand_to_baseline",
        f"Adj. Rand to {title(to)}",
        "score",
        tuple(cells),
        f"Adjusted Rand index: agreement of an engine's clusters with those of {title(to)} on "
        "the scored rows, 1 for the same clusters, about 0 for unrelated ones.",
    )
