"""Searches: what a record tells of one, and how it is told in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.report.text import clean
from experiments.report.wording import (
    joined,
    metric_title,
    number_or_none,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from experiments.report.columns import Column


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
