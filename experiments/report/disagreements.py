"""Find where engines do not give the same answer, before anyone compares their times."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from experiments.metrics import AGREEMENT_RAND, METRICS, disagree
from experiments.report.columns import name_among, title
from experiments.report.numbers import score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from experiments.report.columns import Column


@dataclass(frozen=True)
class Disagreement:
    """Two or more engines that answer differently.

    Parameters
    ----------
    about : str
        Name of the metric, or ``labels``.
    values : dict
        Engine, or ``"one~other"`` for labels, to value.
    text : str
        The sentence in the report.
    """

    about: str
    values: dict[str, float | None]
    text: str


def find_disagreements(
    columns: Sequence[Column], agreement: Mapping[frozenset[str], float]
) -> tuple[Disagreement, ...]:
    """Compare the answers of the engines at one point.

    Parameters
    ----------
    columns : sequence of Column
        The engines; those that failed are left out.
    agreement : mapping of a pair of engines to float
        Adjusted Rand index between their labels.

    Returns
    -------
    tuple of Disagreement
        One for each metric on which any two engines lie further apart than its tolerance, and one
        for each pair whose labels have an adjusted Rand index below `AGREEMENT_RAND`.
    """
    answered = [one for one in columns if one.answered]
    names = dict.fromkeys(name for one in answered for name in one.metric_names())
    found = [one for name in names if (one := _on_metric(name, answered)) is not None]
    engines = dict.fromkeys(column.engine for column in answered)
    for first, second in combinations(engines, 2):
        rand = agreement.get(frozenset((first, second)))
        if rand is not None and rand < AGREEMENT_RAND:
            text = (
                f"Labels: the adjusted Rand index between {title(first)} and {title(second)} is "
                f"{score(rand)}, below {AGREEMENT_RAND:g}: they found different clusters."
            )
            found.append(Disagreement("labels", {f"{first}~{second}": rand}, text))
    return tuple(found)


def labels_compared(
    columns: Sequence[Column], agreement: Mapping[frozenset[str], float]
) -> bool | None:
    """Tell whether the labels of every two engines that answered were compared.

    None where fewer than two engines answered: there is nothing to compare.
    """
    engines = dict.fromkeys(one.engine for one in columns if one.answered and one.metric_names())
    pairs = [frozenset(pair) for pair in combinations(engines, 2)]
    return all(pair in agreement for pair in pairs) if pairs else None


def median_or_none(values: Sequence[float | None]) -> float | None:
    """Return the median of what is defined; None where nothing is."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _on_metric(name: str, columns: Sequence[Column]) -> Disagreement | None:
    if name not in METRICS:
        return None
    values = {one: median_or_none(one.metric(name)) for one in columns if one.metric(name)}
    if not any(disagree(name, a, b) for a, b in combinations(values.values(), 2)):
        return None
    metric = METRICS[name]
    shown = ", ".join(
        f"{name_among(one, columns)} {'undefined' if value is None else score(value)}"
        for one, value in values.items()
    )
    bound = metric.tolerance
    if bound.relative:
        limit = f"{bound.relative * 100:g} % of the larger value"
        if bound.absolute:
            limit = f"{bound.absolute:g} and {limit}"
    else:
        limit = f"{bound.absolute:g}"
    return Disagreement(
        name,
        {one.engine: value for one, value in values.items()},
        f"{metric.title}: {shown}; they differ by more than the tolerance, {limit}.",
    )
