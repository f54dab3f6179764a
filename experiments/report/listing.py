"""The best candidates of each engine as texts, for every form of a report that lists them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.metrics import METRICS
from experiments.report.numbers import deviation, number, seconds
from experiments.report.text import definition_value
from experiments.report.wording import metric_title, parameters_in_words, score_or_undefined
from experiments.titles import title

if TYPE_CHECKING:
    from collections.abc import Iterable

    from experiments.report.candidates import BestCandidates, Candidate

LISTED = (
    "The best of each engine, with the mean over the held-out folds ± its standard deviation and "
    "the mean seconds of a fold."
)


@dataclass(frozen=True)
class Listing:
    """The best candidates of one engine at one point.

    Parameters
    ----------
    title : str
        Engine, implementation and point.
    about : str
        How many candidates ended how, and what orders them.
    heads : tuple of str
        Of the columns, beginning with the place.
    rows : tuple of tuple of str
        One a candidate, the best first.
    """

    title: str
    about: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def list_candidates(searches: Iterable[BestCandidates]) -> tuple[Listing, ...]:
    """Return the texts of each engine's best candidates; nothing of them is escaped."""
    return tuple(_listing(one) for one in searches)


def _listing(one: BestCandidates) -> Listing:
    point = "".join(f", {key} = {definition_value(value)}" for key, value in one.point.items())
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in one.outcomes.items())
    chosen = f"; ordered by {metric_title(one.metrics[0])}" if one.metrics else ""
    counted = ", each counted in every round that it is in" if one.rounds > 1 else ""
    halves = any(candidate.n_resources is not None for candidate in one.candidates)
    titles = [METRICS[name].title if name in METRICS else name for name in one.metrics]
    return Listing(
        title=f"{title(one.engine)} ({one.implementation}){point}",
        about=f"Candidates{counted}: {counts}{chosen}.",
        heads=("", "Parameters", *(["Resources"] if halves else []), *titles, "Fit", "Score"),
        rows=tuple(
            (
                f"{place}",
                _params(candidate),
                *([number(candidate.n_resources)] if halves else []),
                *(_mean(candidate, name) for name in one.metrics),
                seconds(candidate.fit_s),
                seconds(candidate.score_s),
            )
            for place, candidate in enumerate(one.candidates, start=1)
        ),
    )


def _params(candidate: Candidate) -> str:
    try:
        params = json.loads(candidate.params)
    except ValueError:
        return candidate.params
    return parameters_in_words(params) if isinstance(params, dict) else candidate.params


def _mean(candidate: Candidate, metric: str) -> str:
    mean, std = candidate.scores[metric], candidate.std[metric]
    text = score_or_undefined(mean)
    return text if mean is None or std is None else f"{text} ± {deviation(std)}"
