"""Rows of a table on what was searched: the best candidate, the counts, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.metrics import METRICS
from experiments.report.footnotes import sentence
from experiments.report.rows import once
from experiments.report.searches import budget_cut, searches_of
from experiments.report.text import clean
from experiments.report.wording import metric_title, parameter_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from experiments.report.columns import Column
    from experiments.report.footnotes import Footnotes
    from experiments.report.halving import Resource
    from experiments.report.rows import Row, Rows
    from experiments.report.searches import Best

_LONGEST_ERROR = 300
EACH_ROUND = "A candidate counts in each round that it is in."
SPREAD_INSIDE = (
    "With parallel_over: rows all workers share each fit, so the price of spreading the rows over "
    "them lies inside its fits and scores."
)


def search_rows(
    rows: Rows, notes: Footnotes, resource: Resource | None = None
) -> dict[str, tuple[Row, ...]]:
    """Return the rows on a search: the best candidate, the counts, and what it cost.

    Returns
    -------
    dict
        Title of a group to its rows. What a search cost, and how far a time budget let it come, has
        groups of its own for cold and for warm searches where there are both.
    """
    halves = any(one.halves for column in rows.columns for one in searches_of(column))
    each_round = f" {EACH_ROUND}" if halves else ""
    first = list(_winner_rows(rows, resource))
    counts_apart = budget_cut(rows.columns)
    warm, cold = (
        any(searches_of(column, warm=which) for column in rows.columns) for which in (True, False)
    )
    apart = warm and cold
    if not (apart and counts_apart):
        first += _count_rows(rows, notes, each_round)
    slots = rows.make(
        "search_slots",
        "fits at a time",
        "number",
        lambda column: once(_number("slots")(column)),
        "Fits that run side by side: one a worker, or 1 where all workers share each fit.",
    )
    first += [slots] if slots else []
    if not apart:
        return {"Search": (*first, *_cost_rows(rows, each_round))}
    groups = {"Search": tuple(first)}
    for which in ("cold", "warm"):
        kind = _Kind(which == "warm", f"_{which}")
        counts = _count_rows(rows, notes, each_round, kind) if counts_apart else ()
        groups[f"Search, {which}"] = (*counts, *_cost_rows(rows, each_round, kind))
    return groups


@dataclass(frozen=True)
class _Kind:
    """Which searches a row is of, and how its key says so."""

    warm: bool | None = None
    suffix: str = ""


_ALL = _Kind()


def _winner_rows(rows: Rows, resource: Resource | None) -> Iterable[Row]:
    names = dict.fromkeys(
        name for one in rows.columns if (best := _best_of(one)) is not None for name in best.params
    )
    for name in names:
        yield rows.texts(
            f"best_param_{name}",
            f"best {name}",
            lambda column, name=name: _parameter(column, name),  # type: ignore[misc]
            f"Value of {name} in the candidate with the best score.",
        )
    yield from _round_rows(rows, resource)
    yield from _score_rows(rows)


def _round_rows(rows: Rows, resource: Resource | None) -> Iterable[Row]:
    """Return the rows that only halving has."""
    halved = [
        one
        for column in rows.columns
        for one in searches_of(column)
        if one.strategy == "halving" and one.rounds is not None
    ]
    if halved:
        row = rows.make(
            "search_rounds",
            "rounds",
            "number",
            lambda column: once([one.rounds for one in searches_of(column)]),
            "Rounds of halving: the best of each go on to the next, which gives them more.",
            blank=True,
        )
        yield from [row] if row else []
    if resource is not None and any(resource.of_winners(one.records) for one in rows.columns):
        yield rows.texts(
            "winner_resources",
            "resources of winner",
            lambda column: " or ".join(
                dict.fromkeys(map(resource.in_words, resource.of_winners(column.records)))
            ),
            "What the round that chose the winner gave to each candidate: its score over the folds "
            "is that of models of so much, and what is refitted learns from all training rows.",
            blank=True,
        )


def _cost_rows(rows: Rows, each_round: str, kind: _Kind = _ALL) -> Iterable[Row]:
    spread = any(
        one.parallel_over == "rows" for column in rows.columns for one in searches_of(column)
    )
    inside = f" {SPREAD_INSIDE}" if spread else ""
    made = (
        rows.make(
            f"candidates_per_minute{kind.suffix}",
            "candidates a minute",
            "number",
            _cost("candidates_per_minute", kind),
            f"Completed candidates for each minute of the search.{each_round}",
            ratio=True,
            blank=True,
        ),
        rows.make(
            f"search_fits_and_scores_s{kind.suffix}",
            "its fits and scores",
            "seconds",
            lambda column: [
                (one.numbers["fits_s"] or 0.0) + (one.numbers["scores_s"] or 0.0)
                for one in searches_of(column, warm=kind.warm)
                if one.numbers["fits_s"] is not None and one.numbers["completed"] != 0
            ],
            "Seconds of all fits and of all scoring of a search, added up over the workers."
            f"{inside}",
            ratio=True,
            blank=True,
        ),
        rows.make(
            f"search_beyond_fits_s{kind.suffix}",
            "cost beyond its fits",
            "seconds",
            _cost("beyond_fits_s", kind),
            "Seconds of a search beyond those of its fits and scores divided by the fits at a "
            f"time, and their share of the search.{inside}",
            share_of=_cost("wall_s", kind),
            blank=True,
        ),
    )
    yield from (row for row in made if row)


def _cost(name: str, kind: _Kind) -> Callable[[Column], list[float | None]]:
    """Return the numbers of searches that completed anything: others have no price of it."""
    return lambda column: [
        one.numbers[name]
        for one in searches_of(column, warm=kind.warm)
        if one.numbers["completed"] != 0
    ]


def _score_rows(rows: Rows) -> Iterable[Row]:
    searches = [one for column in rows.columns for one in searches_of(column)]
    folds = next((one.folds for one in searches if one.folds is not None), None)
    over = "" if folds is None else f", {folds:,.0f} folds"
    refit = next((one.refit for one in searches if one.refit), "")
    chosen = f", chosen by {metric_title(refit)}" if refit else ""
    names = dict.fromkeys(
        name for one in searches if one.best is not None for name in one.best.scores
    )
    for name in sorted(names, key=lambda one: one != refit):
        metric = METRICS.get(name)
        row = rows.make(
            f"best_mean_{name}",
            f"{metric.title if metric else name}{over}",
            "score",
            lambda column, name=name: once(  # type: ignore[misc]
                [one.best.scores.get(name) for one in searches_of(column) if one.best]
            ),
            "Mean and standard deviation over the held-out folds of the best candidate"
            f"{chosen}. {metric.description if metric else ''}".strip(),
            deviation=lambda column, name=name: [  # type: ignore[misc]
                one.best.std.get(name) for one in searches_of(column) if one.best
            ],
        )
        if row:
            yield row


def _count_rows(rows: Rows, notes: Footnotes, each_round: str, kind: _Kind = _ALL) -> Iterable[Row]:
    """Return the rows that say how candidates ended, and if need be that they count each round."""
    marks = tuple(dict.fromkeys(_failures(rows, notes)))
    made = (
        _count(rows, "completed", f"Candidates scored on every fold.{each_round}", kind),
        _count(
            rows,
            "failed",
            "Candidates that could not be fitted or scored on some fold; the search goes on."
            f"{each_round}",
            kind,
            marks,
        ),
        _count(
            rows,
            "not_run",
            f"Candidates for which the time budget left no time.{each_round}",
            kind,
        ),
    )
    yield from (row for row in made if row)


def _count(
    rows: Rows, name: str, meaning: str, kind: _Kind, marks: tuple[int, ...] = ()
) -> Row | None:
    """Return a row of a count; None where it is what a reader expects: zero, but for completed."""
    values = _number(name, kind)
    label = f"candidates {name.replace('_', ' ')}"
    if name != "completed" and not any(any(values(one)) for one in rows.columns):
        return None
    return rows.make(
        f"candidates_{name}{kind.suffix}",
        label,
        "number",
        lambda column: once(values(column)),
        meaning,
        marks=marks,
    )


def _number(name: str, kind: _Kind = _ALL) -> Callable[[Column], list[float | None]]:
    return lambda column: [one.numbers[name] for one in searches_of(column, warm=kind.warm)]


def _failures(rows: Rows, notes: Footnotes) -> Iterable[int]:
    """Note the first error of each engine whose candidates failed, as it comes."""
    for column in rows.columns:
        for one in searches_of(column):
            failed = one.numbers["failed"]
            if not failed:
                continue
            of = "" if one.planned is None else f" of {one.planned:,.0f}"
            counted = ", each counted in every round that it is in" if one.halves else ""
            text = f"{failed:,.0f}{of} candidates failed{counted}"
            if one.first_error:
                text += f"; the first error: {_shortened(one.first_error)}"
            yield notes.add(column.title, sentence(text))
            break


def _shortened(error: str) -> str:
    text = clean(error)
    return text if len(text) <= _LONGEST_ERROR else f"{text[:_LONGEST_ERROR].rstrip()} ..."


def _parameter(column: Column, name: str) -> str:
    """Return the value of a parameter in the best candidate, of all repeats."""
    found = [one.best.params for one in searches_of(column) if one.best]
    return " or ".join(dict.fromkeys(parameter_value(one[name]) for one in found if name in one))


def _best_of(column: Column) -> Best | None:
    return next((one.best for one in searches_of(column) if one.best), None)
