"""Say in one or two sentences what a table says, for whoever decides from it."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING

from experiments.metrics import AGREEMENT_RAND, METRICS
from experiments.report.columns import name_among
from experiments.report.disagreements import (
    find_consequences,
    labels_compared,
    median_or_none,
)
from experiments.report.numbers import distinct, number_range, score
from experiments.report.searches import budget_cut, searches_of
from experiments.report.simulations import tell_estimates
from experiments.report.times import tell_times
from experiments.report.winners import (
    find_winners,
    group_winners,
    same_winners,
    tell_briefly,
    tell_chosen,
    winners_differ_beyond_tolerance,
)
from experiments.report.wording import joined, metric_title, tell_outcome
from experiments.report.work import FIT, SEARCH, TASKS
from experiments.titles import title

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from experiments.report.columns import Column
    from experiments.report.disagreements import Disagreement
    from experiments.report.halving import Resource
    from experiments.report.winners import Winner
    from experiments.report.work import Work
    from experiments.statistics.noise import NoiseFloor

_ALL = {2: "both", 3: "all three", 4: "all four"}
_UNDEFINED = "undefined"


def answer(
    columns: Sequence[Column],
    agreement: Mapping[frozenset[str], float],
    disagreements: Sequence[Disagreement],
    *,
    clusters: bool,
    work: Work = FIT,
    resource: Resource | None = None,
    budget: str = "",
    floor: NoiseFloor | None = None,
) -> str:
    """Say which engine was fastest, whether they found the same, and which did not complete.

    Where a time budget ended a search, all times are about the budget: what is told then is how far
    each came, and what it had found.

    Only what completed takes part in the comparison of times: of warm repeats where there are any,
    else of cold ones. A difference is told only where the interval of the ratio excludes one and
    the ratio lies beyond the noise floor. With too few rounds for an interval it is told with a
    "perhaps", where no measurement of one engine lies among those of the other.

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
    work : Work
        What was done: fits, searches or tasks.
    resource : Resource or None
        What halving gave more of from round to round.
    budget : str
        The time budget of a search, in words.
    floor : NoiseFloor or None
        By how much an engine differed from itself in these times; None where that is unknown.

    Returns
    -------
    str
        One or two sentences with their numbers.
    """
    complete = [one for one in columns if one.counts]
    happened = joined(
        [
            f"{name_among(one, columns)} {tell_outcome(one.outcome)}"
            for one in columns
            if one.outcome != "completed"
        ]
    )
    if not complete:
        return f"No engine completed: {happened}." if happened else ""
    if work is SEARCH and budget_cut(columns):
        told = _cut_short(columns, budget)
        differ = _refits(columns, agreement, disagreements)
        return f"{told}{differ}. {happened}." if happened else f"{told}{differ}."
    if work is SEARCH:
        found = _searched(columns, agreement, disagreements, resource)
    elif work is TASKS:
        answered = [one for one in columns if one.answered]
        found = tell_estimates(columns, _who(answered, columns))
    else:
        found = _found(columns, agreement, disagreements, clusters=clusters)
    first = "; ".join(part for part in (tell_times(columns, complete, work, floor), found) if part)
    return f"{first}. {happened}." if happened else f"{first}."


def _cut_short(columns: Sequence[Column], budget: str) -> str:
    """Say how far each search came before its time was over, and what it had found by then."""
    answered = [one for one in columns if one.answered and searches_of(one)]
    tried = {
        name_among(one, columns): [search.tried for search in searches_of(one)] for one in answered
    }
    cut = [one for one in answered if any(search.cut for search in searches_of(one))]
    names = [name_among(one, columns) for one in cut]
    if len(columns) == 1:
        after = _counted(tried[names[0]])
    else:
        after = joined([f"{_counted(tried[name])} ({name})" for name in names])
    searches = [search for one in cut for search in searches_of(one)]
    planned = next((search.planned for search in searches if search.planned is not None), None)
    of = "" if planned is None else f" of {planned:,.0f}"
    rounds = " in all rounds" if any(search.halves for search in searches) else ""
    limit = f"The time budget of {budget}" if budget else "The time budget"
    ended = "searches" if len(searches) > 1 else "search"
    told = f"{limit} ended the {ended} after {after}{of} candidates{rounds}"
    parts = [f"{told}, so the times are those of the budget and say nothing of speed"]
    whole = [name_among(one, columns) for one in answered if one not in cut]
    if whole:
        parts.append(f"{joined(whole)} came to the end")
    elif len(answered) > 1:
        parts.append(_furthest(answered, columns))
    parts.append(_best_so_far(find_winners(columns)))
    return "; ".join(part for part in parts if part)


def _furthest(answered: Sequence[Column], columns: Sequence[Column]) -> str:
    """Say who completed most, as far as the repeats do not overlap."""
    completed = {
        one: [search.numbers["completed"] or 0.0 for search in searches_of(one)] for one in answered
    }
    most = max(min(counts) for counts in completed.values())
    leading = [one for one, counts in completed.items() if max(counts) >= most]
    if len(leading) == len(answered):
        return f"{_who(answered, columns)} completed about as many"
    return f"{_who(leading, columns)} completed most"


def _counted(counts: Sequence[float]) -> str:
    least, most = min(counts), max(counts)
    return f"{least:,.0f}" if least == most else number_range(least, most)


def _best_so_far(winners: Sequence[Winner]) -> str:
    """Tell the best score that each found in its time."""
    if not winners:
        return ""
    told = []
    for one in winners:
        scores = " or ".join(dict.fromkeys(map(_score, one.scores)))
        params = tell_briefly(one)
        whose = f" on {one.name}" if len(winners) > 1 else ""
        told.append(f"{scores}{whose}{f' ({params})' if params else ''}")
    return f"the best {metric_title(winners[0].refit)} by then is {joined(told)}"


def _searched(
    columns: Sequence[Column],
    agreement: Mapping[frozenset[str], float],
    disagreements: Sequence[Disagreement],
    resource: Resource | None,
) -> str:
    """Say whether those that answered chose the same candidate, and how it did."""
    winners = find_winners(columns)
    answered = [one for one in columns if one.answered]
    if len(winners) < len(answered):
        without = joined(
            [
                name_among(one, columns)
                for one in answered
                if name_among(one, columns) not in {winner.name for winner in winners}
            ]
        )
        return f"which candidate is best on {without} is not known"
    if not winners:
        return ""
    chosen = _winner(winners, columns, disagreements, resource)
    return f"{chosen}{_refits(columns, agreement, disagreements)}"


def _refits(
    columns: Sequence[Column],
    agreement: Mapping[frozenset[str], float],
    disagreements: Sequence[Disagreement],
) -> str:
    """Say in what the refitted models differ: those of one candidate, and those of several."""
    winners = find_winners(columns)
    alone = len(winners) > 1 and same_winners(winners) and winners[0].settled
    differing = _metrics([one.about for one in disagreements])
    follows = _metrics(find_consequences(columns, agreement))
    told = ""
    if follows:
        told = f"; the refitted models are of different candidates, and so differ in {follows}"
    if differing and alone:
        told += f", but its refits differ in {differing}"
    elif differing and len(winners) < sum(one.answered for one in columns):
        told += f"; the refitted models differ in {differing}"
    elif differing:
        told += f"; refitted models of the same candidate differ in {differing} as well"
    return told


def _metrics(names: Sequence[str]) -> str:
    told = [metric_title(name) for name in names if name in METRICS]
    if "labels" in names:
        told.append("the clusters that they find")
    return joined(told)


def _winner(
    winners: Sequence[Winner],
    columns: Sequence[Column],
    disagreements: Sequence[Disagreement],
    resource: Resource | None,
) -> str:
    first, names = winners[0], {one.name for one in winners}
    who = _who([one for one in columns if name_among(one, columns) in names], columns)
    metric = metric_title(first.refit)
    same = same_winners(winners)
    if not same or not first.settled:
        near = "beyond" if winners_differ_beyond_tolerance(winners) else "within"
        scores = f"with scores {near} the tolerance of {metric}"
        groups = group_winners(winners)
        if same:
            chosen = tell_chosen(first, winners)
            return f"{who} chose different candidates from repeat to repeat, {chosen}, {scores}"
        if len(groups) == len(winners):
            told = joined([_chosen(one, winners) for one in winners])
            return f"{who} chose different candidates, {told}, {scores}"
        told = joined([_chosen_alike(group, winners) for group in groups])
        return f"{told}, {scores}"
    if any(one.about == f"folds.{first.refit}" for one in disagreements):
        scored = [f"{_score(one.scores[0])} on {one.name}" for one in winners]
        return (
            f"{who} chose {tell_chosen(first)}, but its {metric} differs beyond the tolerance: "
            f"{joined(scored)}"
        )
    chosen = f"{'' if len(winners) == 1 else 'the same candidate, '}{tell_chosen(first)}"
    known = [score for one in winners for score in one.scores if score is not None]
    if not known:
        return f"{who} chose {chosen}"
    least, most = _score(min(known)), _score(max(known))
    value = least if least == most else f"{least} to {most}"
    records = [record for one in winners for record in one.column.records]
    few = "" if resource is None else resource.too_few(records)
    on = f" of only {few}" if few else ""
    return f"{who} chose {chosen} ({metric} {value} over the folds{on})"


def _chosen(winner: Winner, winners: Sequence[Winner]) -> str:
    differ = "" if winner.settled else " (whose repeats differ)"
    return f"{tell_chosen(winner, winners)} on {winner.name}{differ}"


def _chosen_alike(group: Sequence[Winner], winners: Sequence[Winner]) -> str:
    """Say what engines chose that chose the same."""
    who = joined([one.name for one in group])
    differ = "" if group[0].settled else " (as repeats differ)"
    return f"{who} chose {tell_chosen(group[0], winners)}{differ}"


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
    differing = (
        f", but differ in {joined([metric_title(name) for name in metrics])}" if metrics else ""
    )
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
    metric = metric_title(name)
    shown = {name_among(one, columns): _score(median_or_none(one.metric(name))) for one in answered}
    others = [metric_title(one.about) for one in disagreements if one.about not in {name, "labels"}]
    if name in {one.about for one in disagreements}:
        told = joined([f"{value} on {column}" for column, value in shown.items()])
        text = f"{metric} differs beyond its tolerance: {told}"
        return f"{text} (and so does {joined(others)})" if others else text
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
    return f"{text}, but differ in {joined(others)}" if others else text


def _who(some: Sequence[Column], columns: Sequence[Column]) -> str:
    """Name engines; all of them by their number."""
    if len(some) == len(columns) and len(some) in _ALL:
        return _ALL[len(some)]
    return joined([name_among(one, columns) for one in some])


def _score(value: float | None) -> str:
    if value is None:
        return _UNDEFINED
    if value and not 1e-4 <= abs(value) < 1e7:
        return score(value)
    return "1" if value == 1 else distinct(value, 3)


def _down(value: float) -> str:
    """Round down to three decimals, so that a value is at least what is told of it."""
    return f"{math.floor(value * 1000) / 1000:.3f}"
