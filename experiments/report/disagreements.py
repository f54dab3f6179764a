"""Find where engines do not give the same answer, before anyone compares their times."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from experiments.metrics import AGREEMENT_RAND, METRICS, disagree
from experiments.report.columns import name_among
from experiments.report.numbers import score
from experiments.report.searches import budget_cut
from experiments.report.simulations import differing_estimates, tell_differing
from experiments.report.winners import (
    find_winners,
    models_comparable,
    same_winners,
    tell_winners,
)
from experiments.report.wording import (
    metric_title,
    metric_tolerance,
    parameters_in_words,
    score_or_undefined,
)
from experiments.titles import title

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from experiments.report.columns import Column
    from experiments.report.searches import Best
    from experiments.report.winners import Winner


@dataclass(frozen=True)
class Disagreement:
    """Two or more engines that answer differently.

    Parameters
    ----------
    about : str
        Name of the metric, ``labels``, ``winner`` for the candidate that a search found best,
        ``folds.<metric>`` for its score there, or ``estimate``.
    values : dict
        Engine, or ``"one~other"`` for labels, to value: the median where repeats differ.
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
        On the winner of a search first; then one for each metric on which any two engines lie
        further apart than its tolerance, and one for each pair whose labels have an adjusted Rand
        index below `AGREEMENT_RAND`. Models of different candidates are not compared: see
        `find_consequences`. Nor are winners, where a time budget ended a search.
    """
    answered = [one for one in columns if one.answered]
    found = [*_on_winner(answered), *_on_estimate(answered)]
    names = dict.fromkeys(name for one in answered for name in one.metric_names())
    # what is computed from different estimates differs as well
    told = {name for name in names if found and "simulation" in _tasks(name)}
    found += [
        one
        for name in names
        if name not in told and (one := _on_metric(name, answered)) is not None
    ]
    winners = find_winners(answered)
    for (first, second), rand in _differing_labels(answered, agreement):
        if _any_comparable(first, second, answered, winners):
            text = (
                f"Labels: the adjusted Rand index between {title(first)} and {title(second)} is "
                f"{score(rand)}, below {AGREEMENT_RAND:g}: they found different clusters."
            )
            found.append(Disagreement("labels", {f"{first}~{second}": rand}, text))
    return tuple(found)


def find_consequences(
    columns: Sequence[Column], agreement: Mapping[frozenset[str], float]
) -> tuple[str, ...]:
    """Return in what the refitted models differ only because the winners of a search do.

    Parameters
    ----------
    columns, agreement
        As of `find_disagreements`.

    Returns
    -------
    tuple of str
        Names of metrics, and ``labels``.
    """
    answered = [one for one in columns if one.answered]
    winners = find_winners(answered)
    names = dict.fromkeys(name for one in answered for name in one.metric_names())
    found = [
        name
        for name in names
        if name in METRICS
        and any(
            disagree(name, median_or_none(a.metric(name)), median_or_none(b.metric(name)))
            for a, b in combinations([one for one in answered if one.metric(name)], 2)
            if not models_comparable(a, b, winners)
        )
    ]
    if any(
        not _any_comparable(first, second, answered, winners)
        for (first, second), _ in _differing_labels(answered, agreement)
    ):
        found.append("labels")
    return tuple(found)


def _differing_labels(
    answered: Sequence[Column], agreement: Mapping[frozenset[str], float]
) -> Iterator[tuple[tuple[str, str], float]]:
    """Yield each pair of engines that found different clusters, with the Rand index of these."""
    engines = dict.fromkeys(column.engine for column in answered)
    for first, second in combinations(engines, 2):
        rand = agreement.get(frozenset((first, second)))
        if rand is not None and rand < AGREEMENT_RAND:
            yield (first, second), rand


def _any_comparable(
    first: str, second: str, answered: Sequence[Column], winners: Sequence[Winner]
) -> bool:
    return any(
        models_comparable(a, b, winners)
        for a in answered
        for b in answered
        if (a.engine, b.engine) == (first, second)
    )


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


def _tasks(name: str) -> tuple[str, ...]:
    return METRICS[name].tasks if name in METRICS else ()


def _on_winner(columns: Sequence[Column]) -> Iterator[Disagreement]:
    """Compare the winners of a search, and the scores that the same winner had."""
    winners = find_winners(columns)
    if len(winners) < 2:
        return
    if not same_winners(winners):
        if budget_cut(columns):
            # each is the best of what there was time for
            return
        scores = {one.engine: median_or_none(one.scores) for one in winners}
        yield Disagreement("winner", scores, tell_winners(winners))
        return
    for best in winners[0].bests:
        yield from _on_folds(best, winners)


def _on_folds(best: Best, winners: Sequence[Winner]) -> Iterator[Disagreement]:
    """Compare the scores on the held-out folds of a candidate that all engines chose."""
    same = {one: found for one in winners if (found := one.find(best.params)) is not None}
    which = "" if winners[0].settled else f", {parameters_in_words(best.params)},"
    for name in dict.fromkeys(name for found in same.values() for name in found.scores):
        values = {one: found.scores.get(name) for one, found in same.items()}
        if name in METRICS and any(
            disagree(name, a, b) for a, b in combinations(values.values(), 2)
        ):
            shown = ", ".join(
                f"{one.name} {score_or_undefined(value)}" for one, value in values.items()
            )
            text = (
                f"Held-out folds: {metric_title(name)} of the same best candidate{which} is "
                f"{shown}; they differ by more than the tolerance, {metric_tolerance(name)}."
            )
            by_engine = {one.engine: value for one, value in values.items()}
            yield Disagreement(f"folds.{name}", by_engine, text)


def _on_estimate(columns: Sequence[Column]) -> Iterator[Disagreement]:
    """Compare simulated estimates, which must be the same to the last bit."""
    if differing := differing_estimates(columns):
        values: dict[str, float | None] = {one.engine: value for one, value in differing.items()}
        yield Disagreement("estimate", values, tell_differing(differing))


def _on_metric(name: str, columns: Sequence[Column]) -> Disagreement | None:
    if name not in METRICS:
        return None
    values = {one: median_or_none(one.metric(name)) for one in columns if one.metric(name)}
    winners = find_winners(columns)
    pairs = [(a, b) for a, b in combinations(values, 2) if models_comparable(a, b, winners)]
    if not any(disagree(name, values[a], values[b]) for a, b in pairs):
        return None
    compared = {one for pair in pairs for one in pair}
    values = {one: value for one, value in values.items() if one in compared}
    metric = METRICS[name]
    shown = ", ".join(
        f"{name_among(one, columns)} {score_or_undefined(value)}" for one, value in values.items()
    )
    return Disagreement(
        name,
        {one.engine: value for one, value in values.items()},
        f"{metric.title}: {shown}; they differ by more than the tolerance, "
        f"{metric_tolerance(name)}.",
    )
