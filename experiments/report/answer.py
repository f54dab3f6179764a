"""Say in one or two sentences what a table says, for whoever decides from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from experiments.metrics import AGREEMENT_RAND, METRICS
from experiments.report.columns import NOT_FINISHED, name_among, title
from experiments.report.disagreements import labels_compared, median_or_none
from experiments.report.numbers import score, seconds, significant
from experiments.report.summary import Summary, summarise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from experiments.report.columns import Column
    from experiments.report.disagreements import Disagreement

_HAPPENED = {
    "timed out": "timed out",
    "out of memory": "ran out of memory",
    "crashed": "crashed",
    "failed": "failed",
    "unsupported": "does not support what was asked",
    "degraded": "was degraded",
    NOT_FINISHED: "was not finished",
}
_ALL = {2: "both", 3: "all three", 4: "all four"}
_MOST_DIGITS = 6
_UNDEFINED = "undefined"


@dataclass(frozen=True)
class _Timed:
    """The fits of one engine."""

    name: str
    fit: Summary


def answer(
    columns: Sequence[Column],
    agreement: Mapping[frozenset[str], float],
    disagreements: Sequence[Disagreement],
    *,
    clusters: bool,
) -> str:
    """Say which engine fitted fastest, whether they found the same, and which did not complete.

    Only what completed takes part in the comparison of times: of warm fits where there are any,
    else of cold ones. A difference is told only where the spreads of the repeats that the table
    shows do not overlap.

    Parameters
    ----------
    columns : sequence of Column
        The engines at one point.
    agreement : mapping of a pair of engines to float
        Adjusted Rand index between their labels.
    disagreements : sequence of Disagreement
        Where they answer differently.
    clusters : bool
        Whether clusters were looked for.

    Returns
    -------
    str
        One or two sentences with their numbers.
    """
    complete = [one for one in columns if one.counts]
    happened = _joined(
        [
            f"{name_among(one, columns)} {_HAPPENED.get(one.outcome, one.outcome)}"
            for one in columns
            if one.outcome != "completed"
        ]
    )
    if not complete:
        return f"No engine completed: {happened}." if happened else ""
    found = _found(columns, agreement, disagreements, clusters=clusters)
    first = "; ".join(part for part in (_times(columns, complete), found) if part)
    return f"{first}. {happened}." if happened else f"{first}."


def _times(columns: Sequence[Column], complete: Sequence[Column]) -> str:
    """Compare the times of a fit."""
    warm = any(record.warm for one in complete for record in one.records)
    kind = "warm" if warm else "cold"
    timed = []
    for one in complete:
        fit = summarise(one.of_phase("fit", lambda phase: phase.wall_s, warm=warm))
        if fit is not None:
            timed.append(_Timed(name_among(one, columns), fit))
    if not timed:
        return "No fit was measured"
    # the sort is stable: of equals the one that was asked for first leads
    fastest, *others = sorted(timed, key=lambda one: one.fit.median)
    if not others:
        took = f"{kind} fit took {seconds(fastest.fit.median)}"
        if len(columns) > 1 and [one.outcome for one in complete] == ["completed"]:
            return f"Only {fastest.name} completed, and its {took}"
        return f"{fastest.name}'s {took}"
    level = [one for one in others if one.fit.low <= fastest.fit.high]
    slower = [one for one in others if one not in level]
    if not level:
        text = f"{fastest.name} fitted fastest: {_slower(slower, kind, fastest)}"
    else:
        text = (
            f"No difference shown in {kind} fits: the times of {_with_times(level)} overlap with "
            f"those of {_with_times([fastest])}"
        )
        if slower:
            text += f"; compared with {fastest.name}, {_slower(slower, kind, fastest)}"
    return text + _once_only(timed)


def _slower(slower: Sequence[_Timed], kind: str, fastest: _Timed) -> str:
    """Say how many times as long the others took, or how long where that is no number."""
    first, *further = slower
    if fastest.fit.median <= 0:
        told = [f"{first.name}'s {kind} fit took {seconds(first.fit.median)}"]
        told += [f"{one.name}'s {seconds(one.fit.median)}" for one in further]
    else:
        told = [f"{first.name}'s {kind} fit took {_times_as_much(first, fastest)} times as long"]
        told += [f"{one.name}'s {_times_as_much(one, fastest)} times" for one in further]
    return _joined(told)


def _times_as_much(one: _Timed, fastest: _Timed) -> str:
    ratio = one.fit.median / fastest.fit.median
    return _distinct(ratio, 3 if ratio >= 100 else 2)


def _once_only(timed: Sequence[_Timed]) -> str:
    """Admit that a single fit has no spread."""
    once = [one.name for one in timed if one.fit.n == 1]
    if not once:
        return ""
    which = "one fit each" if len(once) == len(timed) else f"one fit only of {_joined(once)}"
    return f" ({which}, so chance is not excluded)"


def _with_times(timed: Sequence[_Timed]) -> str:
    return _joined([f"{one.name} ({seconds(one.fit.median)})" for one in timed])


def _found(
    columns: Sequence[Column],
    agreement: Mapping[frozenset[str], float],
    disagreements: Sequence[Disagreement],
    *,
    clusters: bool,
) -> str:
    """Say whether those that answered found the same."""
    answered = [one for one in columns if one.answered and one.metric_names()]
    if not answered:
        return ""
    if clusters and len(answered) > 1:
        return _clusters(answered, columns, agreement, disagreements)
    metric = next((name for name in answered[0].metric_names() if name in METRICS), None)
    return "" if metric is None else _scores(metric, answered, columns, disagreements)


def _clusters(
    answered: Sequence[Column],
    columns: Sequence[Column],
    agreement: Mapping[frozenset[str], float],
    disagreements: Sequence[Disagreement],
) -> str:
    everyone = len(answered) == len(columns)
    who = _who(answered, columns)
    metrics = [one.about for one in disagreements if one.about != "labels"]
    differing = f", but differ in {_joined([_title(name) for name in metrics])}" if metrics else ""
    if not labels_compared(answered, agreement):
        # two implementations of one engine have no pair of labels either
        return f"whether {who} found the same clusters is not known{differing}"
    pairs = combinations(dict.fromkeys(one.engine for one in answered), 2)
    rand, first, second = min((agreement[frozenset(pair)], *pair) for pair in pairs)
    if rand < AGREEMENT_RAND:
        return (
            f"{'they' if everyone else who} did not find the same clusters (adjusted Rand "
            f"{_down(rand)} between {title(first)} and {title(second)}), so the times are of "
            "different answers"
        )
    if rand >= 1:
        return f"{who} found the same clusters (adjusted Rand 1){differing}"
    return f"{who} found nearly the same clusters (adjusted Rand at least {_down(rand)}){differing}"


def _scores(
    name: str,
    answered: Sequence[Column],
    columns: Sequence[Column],
    disagreements: Sequence[Disagreement],
) -> str:
    metric = _title(name)
    shown = {name_among(one, columns): _score(median_or_none(one.metric(name))) for one in answered}
    others = [_title(one.about) for one in disagreements if one.about not in {name, "labels"}]
    if name in {one.about for one in disagreements}:
        told = _joined([f"{value} on {column}" for column, value in shown.items()])
        text = f"{metric} differs beyond its tolerance: {told}"
        return f"{text} (and so does {_joined(others)})" if others else text
    if len(answered) == 1:
        ((column, value),) = shown.items()
        return f"{column}'s {metric} is {value}"
    texts = list(dict.fromkeys(shown.values()))
    if texts == [_UNDEFINED]:
        text = f"{metric} is undefined on {_who(answered, columns)}"
    elif len(texts) == 1:
        text = f"{_who(answered, columns)} scored {metric} {texts[0]}"
    else:
        values = [median_or_none(one.metric(name)) for one in answered]
        known = [value for value in values if value is not None]
        text = (
            f"{_who(answered, columns)} scored alike ({metric} {_score(min(known))} to "
            f"{_score(max(known))})"
        )
    return f"{text}, but differ in {_joined(others)}" if others else text


def _who(some: Sequence[Column], columns: Sequence[Column]) -> str:
    """Name engines; all of them by their number."""
    if len(some) == len(columns) and len(some) in _ALL:
        return _ALL[len(some)]
    return _joined([name_among(one, columns) for one in some])


def _title(name: str) -> str:
    """Return a metric's title as it stands within a sentence."""
    shown = METRICS[name].title if name in METRICS else name
    return f"{shown[0].lower()}{shown[1:]}" if shown[1:2].islower() else shown


def _score(value: float | None) -> str:
    if value is None:
        return _UNDEFINED
    if value and not 1e-4 <= abs(value) < 1e7:
        return score(value)
    return "1" if value == 1 else _distinct(value, 3)


def _distinct(value: float, digits: int) -> str:
    """Round, with more digits where that would make it one: 0.9996 is not 1."""
    text = ""
    for more in range(digits, _MOST_DIGITS + 1):
        text = significant(value, more)
        if float(text.replace(",", "")) != 1:
            break
    return text


def _down(value: float) -> str:
    """Round down to three decimals, so that a value is at least what is told of it."""
    return f"{math.floor(value * 1000) / 1000:.3f}"


def _joined(texts: Sequence[str]) -> str:
    *first, last = texts or [""]
    return f"{', '.join(first)} and {last}" if first else last
