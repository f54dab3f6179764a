"""The winners of searches, compared between engines and between the repeats of each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from experiments.metrics import METRICS, disagree
from experiments.report.columns import name_among
from experiments.report.searches import searches_of
from experiments.report.wording import (
    metric_title,
    metric_tolerance,
    parameters_in_words,
    score_or_undefined,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from experiments.report.columns import Column
    from experiments.report.searches import Best

# Above so many characters the parameters of a candidate are not told within a sentence
_LONGEST_PARAMETERS = 80
# and in a sentence that tells of one after the other
_SHORT_PARAMETERS = 40


@dataclass(frozen=True, eq=False)
class Winner:
    """What one engine found best, among the engines that answered.

    Parameters
    ----------
    name, engine : str
        Whose it is: for people, and as in the records.
    column : Column
        The same, with everything that it gave.
    refit : str
        The metric that chose.
    bests : tuple of Best
        The candidates that its repeats found best, each once, in the order first chosen: more than
        one where the repeats differ.
    """

    name: str
    engine: str
    column: Column
    refit: str
    bests: tuple[Best, ...]

    @property
    def settled(self) -> bool:
        """Whether all repeats chose the same candidate."""
        return len(self.bests) == 1

    @property
    def scores(self) -> tuple[float | None, ...]:
        """Means of the metric that chose, one for each candidate."""
        return tuple(one.scores.get(self.refit) for one in self.bests)

    def find(self, params: Mapping[str, Any]) -> Best | None:
        """Return the candidate with these parameters, if any repeat chose it."""
        return next((one for one in self.bests if one.params == params), None)


def find_winners(columns: Sequence[Column]) -> list[Winner]:
    """Return what each engine found best that answered and found anything, of all repeats."""
    found = []
    for column in columns:
        searches = [one for one in searches_of(column) if one.best is not None]
        if not column.answered or not searches:
            continue
        # parameters may be lists, which no set can hold
        bests: list[Best] = []
        for best in (one.best for one in searches):
            if best is not None and all(best.params != other.params for other in bests):
                bests.append(best)
        name = name_among(column, columns)
        found.append(Winner(name, column.engine, column, searches[0].refit, tuple(bests)))
    return found


def same_winners(winners: Sequence[Winner]) -> bool:
    """Tell whether all engines found the same parameters best, in whatever order."""
    return all(_same(winners[0], one) for one in winners)


def group_winners(winners: Sequence[Winner]) -> list[list[Winner]]:
    """Put those together that found the same parameters best, in the order of the first of each."""
    groups: list[list[Winner]] = []
    for one in winners:
        # parameters may be lists, which no key of a dict can hold
        group = next((group for group in groups if _same(group[0], one)), None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    return groups


def models_comparable(first: Column, second: Column, winners: Sequence[Winner]) -> bool:
    """Tell whether the refitted models of two engines may be held against each other.

    Not those of different candidates: that these score differently follows from the choice. What
    an engine refitted that tells of no winner is not known to be another candidate.
    """
    one, other = (
        next((winner for winner in winners if winner.column is column), None)
        for column in (first, second)
    )
    if one is None or other is None:
        return True
    return one.settled and _same(one, other)


def _same(first: Winner, second: Winner) -> bool:
    return len(first.bests) == len(second.bests) and all(
        second.find(best.params) for best in first.bests
    )


def winners_differ_beyond_tolerance(winners: Sequence[Winner]) -> bool:
    """Tell whether the scores of the winners lie further apart than the metric's tolerance."""
    name = winners[0].refit
    scores = [score for one in winners for score in one.scores]
    return name in METRICS and any(disagree(name, a, b) for a, b in combinations(scores, 2))


def tell_winners(winners: Sequence[Winner]) -> str:
    """Say which candidate each engine found best, where they differ."""
    told = "; ".join(_tell_scored(one, winners) for one in winners)
    text = f"Winner of the search: {told}."
    if winners[0].refit not in METRICS:
        return text
    limit = metric_tolerance(winners[0].refit)
    if winners_differ_beyond_tolerance(winners):
        return f"{text} Their scores differ by more than the tolerance, {limit}."
    return (
        f"{text} Their scores are within the tolerance, {limit}, so that none is shown to be "
        "better."
    )


def tell_chosen(winner: Winner, among: Sequence[Winner] = ()) -> str:
    """Name what an engine found best: all candidates, where its repeats differ."""
    return " or ".join(_tell_candidate(best, among) for best in winner.bests)


def tell_briefly(winner: Winner) -> str:
    """Name what an engine found best by its parameters; empty where they are long or many."""
    if not winner.settled:
        return ""
    text = parameters_in_words(winner.bests[0].params)
    return text if len(text) <= _SHORT_PARAMETERS else ""


def _tell_scored(winner: Winner, among: Sequence[Winner]) -> str:
    metric = metric_title(winner.refit)
    chosen = " or ".join(
        f"{_tell_candidate(best, among)} with {metric} {score_or_undefined(score)}"
        for best, score in zip(winner.bests, winner.scores, strict=True)
    )
    return f"{winner.name} chose {chosen}{'' if winner.settled else ', as its repeats differ'}"


def _tell_candidate(best: Best, among: Sequence[Winner]) -> str:
    """Name a candidate by its parameters: only those in which winners differ, if any do."""
    others = [other.params for winner in among for other in winner.bests]
    differing = {
        name: value
        for name, value in best.params.items()
        if any(other.get(name) != value for other in others)
    }
    text = parameters_in_words(differing or best.params)
    if text and len(text) <= _LONGEST_PARAMETERS:
        return text
    return "a candidate" if best.candidate is None else f"number {best.candidate}"
