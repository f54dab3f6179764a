"""Searches: what a record tells of one, and the rows of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.metrics import METRICS
from experiments.report.footnotes import sentence
from experiments.report.rows import once
from experiments.report.text import clean
from experiments.report.wording import (
    joined,
    metric_title,
    number_or_none,
    parameter_value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from experiments.report.columns import Column
    from experiments.report.footnotes import Footnotes
    from experiments.report.halving import Resource
    from experiments.report.rows import Row, Rows

_LONGEST_ERROR = 300
EACH_ROUND = "A candidate counts in each round that it is in."
SPREAD_INSIDE = (
    "With parallel_over: rows all workers share each fit, so the price of spreading the rows over "
    "them lies inside its fits and scores."
)


@dataclass(frozen=True)
class Best:
    """The best candidate of a search.

    Parameters
    ----------
    candidate : int or None
        Its number, in the order drawn.
    params : dict
        Its parameters.
    scores, std : dict
        Metric to mean and to standard deviation over the held-out folds.
    """

    candidate: int | None
    params: dict[str, Any]
    scores: dict[str, float | None]
    std: dict[str, float | None]


@dataclass(frozen=True)
class Searched:
    """What a record tells of its search; None and empty where it tells nothing.

    Parameters
    ----------
    strategy, parallel_over, why, refit : str
        How it searched, and by which metric it chose.
    folds : float or None
        Number of folds.
    planned : float or None
        Candidates, each counted in every round of halving that it is planned for.
    candidates, rounds : float or None
        Candidates drawn, and rounds; None in records of a time that did not tell them.
    scoring : tuple of str
        Metrics on the held-out folds.
    numbers : dict
        The counts and seconds that have a row of their own, by the record's names.
    first_error : str
        The error of the first candidate that failed.
    best : Best or None
        None where no candidate was scored.
    """

    strategy: str
    parallel_over: str
    why: str
    refit: str
    folds: float | None
    planned: float | None
    candidates: float | None
    rounds: float | None
    scoring: tuple[str, ...]
    numbers: dict[str, float | None]
    first_error: str
    best: Best | None

    @property
    def cut(self) -> bool:
        """Whether its time budget ended it before all candidates had their turn."""
        return bool(self.numbers["not_run"])

    @property
    def tried(self) -> float:
        """Candidates that had their turn, with whatever result."""
        return (self.numbers["completed"] or 0.0) + (self.numbers["failed"] or 0.0)

    @property
    def halves(self) -> bool:
        """Whether its counts may have a candidate more than once: in each of several rounds."""
        return self.strategy == "halving" if self.rounds is None else self.rounds > 1


def read_search(model: Mapping[str, Any]) -> Searched | None:
    """Read what a record's model tells of a search; None if it tells of none."""
    content = model.get("search")
    if not isinstance(content, dict):
        return None
    scoring = content.get("scoring")
    return Searched(
        strategy=str(content.get("strategy") or ""),
        parallel_over=str(content.get("parallel_over") or ""),
        why=str(content.get("why") or ""),
        refit=str(content.get("refit") or ""),
        folds=number_or_none(content.get("folds")),
        planned=number_or_none(content.get("planned")),
        candidates=number_or_none(content.get("candidates")),
        rounds=number_or_none(content.get("rungs")),
        scoring=tuple(map(str, scoring)) if isinstance(scoring, list) else (),
        numbers={name: number_or_none(content.get(name)) for name in _NUMBERS},
        first_error=str(content.get("first_error") or ""),
        best=_read_best(content.get("best")),
    )


_NUMBERS = (
    "completed",
    "failed",
    "not_run",
    "fits_s",
    "scores_s",
    "slots",
    "wall_s",
    "candidates_per_minute",
    "beyond_fits_s",
)


def searches_of(column: Column, *, warm: bool | None = None) -> list[Searched]:
    """Return the searches of an engine, in the order of its records: all, or warm or cold ones."""
    found = (
        read_search(record.model)
        for record in column.searching
        if warm is None or record.warm == warm
    )
    return [one for one in found if one is not None]


def budget_cut(columns: Iterable[Column]) -> bool:
    """Tell whether a time budget ended any search of those that answered."""
    return any(one.cut for column in columns if column.answered for one in searches_of(column))


def time_budget(asked: Mapping[str, Any]) -> str:
    """Return the time budget that a definition gives to a search, in words; empty without one."""
    from experiments.definition.units import format_duration, parse_duration

    search = asked.get("search")
    value = search.get("time_budget") if isinstance(search, dict) else None
    if value is None:
        return ""
    try:
        told = format_duration(parse_duration(value))
    except ValueError:
        return clean(value)
    return told if isinstance(told, str) else f"{told:g} s"


def about_search(columns: Sequence[Column], budget: str = "") -> str:
    """Say what was searched and how; empty where no record tells."""
    told = next((_about(one) for column in columns for one in searches_of(column)), "")
    return f"{told}; time budget {budget}" if told and budget else told


def _about(one: Searched) -> str:
    size = _size(one)
    if one.folds is not None:
        size = f"{size or 'candidates'} x {one.folds:,.0f} folds"
    parts = [f"{one.strategy.capitalize()} search".strip() + (f": {size}" if size else "")]
    if one.scoring:
        parts.append(f"scored by {joined([metric_title(name) for name in one.scoring])}")
    if len(one.scoring) > 1 and one.refit:
        parts.append(f"the best chosen by {metric_title(one.refit)}")
    if one.parallel_over:
        why = f" ({one.why})" if one.why else ""
        parts.append(f"in parallel over {one.parallel_over}{why}")
    return "; ".join(parts)


def _size(one: Searched) -> str:
    """Say how many candidates there are, apart from how many the rounds have together."""
    planned, drawn = (
        "" if number is None else f"{number:,.0f}" for number in (one.planned, one.candidates)
    )
    if not one.halves:
        return f"{drawn or planned} candidates" if drawn or planned else ""
    if not drawn or one.rounds is None:
        return f"{planned} candidates in all rounds" if planned else ""
    text = f"{drawn} candidates in {one.rounds:,.0f} rounds"
    return f"{text} ({planned} in all)" if planned else text


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


def _read_best(content: object) -> Best | None:
    if not isinstance(content, dict):
        return None
    params = content.get("params")
    return Best(
        candidate=content["candidate"] if isinstance(content.get("candidate"), int) else None,
        params=dict(params) if isinstance(params, dict) else {},
        scores=_read_numbers(content.get("scores")),
        std=_read_numbers(content.get("std")),
    )


def _read_numbers(content: object) -> dict[str, float | None]:
    if not isinstance(content, dict):
        return {}
    return {str(name): number_or_none(value) for name, value in content.items()}
