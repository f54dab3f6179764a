"""Say from which size an engine is faster than the baseline, or what else the points show.

What the points themselves show always goes before what the fitted lines say, and what only the
lines say is told as such.
"""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from experiments.report.numbers import rough
from experiments.report.sweeps.words import (
    POOR_FIT,
    at_value,
    at_values,
    between_values,
    digits_to_tell_apart,
    estimated,
    place,
    ratio_range,
    times,
    times_as_long,
)
from experiments.report.wording import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.report.sweeps.values import ComparedPoint, Comparison, Sweep
    from experiments.statistics.growth import Crossover, Growth


_NEVER, _NEVER_SHOWN = "never", "never shown"
_LESS_OR_MORE = {"longer": "longer than", "shorter": "less time than"}


def tell_comparisons(sweep: Sweep, *, shortly: bool = False) -> str:
    """Say of every other engine from which size it is faster than the baseline, in one sentence.

    Engines of which the same is true are told together, those that are ever faster first.

    Parameters
    ----------
    sweep : Sweep
        With a baseline.
    shortly : bool
        Whether to leave out what an engine takes at the greatest size.
    """
    groups: dict[tuple[str, str], list[Comparison]] = {}
    told, medians = [], []
    for one in sweep.comparisons:
        if (last := never_up_to(one)) is not None:
            # the lines may say that it is slower where a size alone does not show it
            shown = all(point.verdict == "slower" for point in _decisive(one))
            what = _NEVER if shown else _NEVER_SHOWN
            groups.setdefault((what, at_value(sweep, last.value)), []).append(one)
        elif (same := _uniform(one)) is not None:
            where = at_values(sweep, [point.value for point in one.points])
            groups.setdefault((same, where), []).append(one)
        elif _has_intervals(one):
            told.append(_tell_comparison(sweep, one, shortly=shortly))
        else:
            medians.append(_tell_medians_apart(sweep, one))
    for (what, where), found in groups.items():
        if what in {_NEVER, _NEVER_SHOWN}:
            told.append(_tell_never(sweep, what, where, found))
        elif what in {"longer", "shorter"}:
            medians.append(_tell_medians(sweep, what, where, found))
        else:
            told.append(_tell_uniform(sweep, what, where, found))
    if medians:
        few = [one for one in sweep.comparisons if one.points and not _has_intervals(one)]
        told.append(f"by medians of {_rounds(few)}, {'; '.join(medians)}")
    return "; ".join(told)


def _has_intervals(one: Comparison) -> bool:
    return not one.points or any(point.verdict != "no interval" for point in one.points)


def never_up_to(one: Comparison) -> ComparedPoint | None:
    """Return the greatest size up to which an engine is never faster; None of all others."""
    never = one.crossover is not None and one.crossover.verdict == "never"
    return decided(one) if never else None


def decided(one: Comparison) -> ComparedPoint | None:
    """Return the greatest size that a crossover rests on: others may have too few rounds."""
    largest = None if one.crossover is None else one.crossover.largest
    return next((point for point in reversed(one.points) if point.size == largest), None)


def _decisive(one: Comparison) -> Sequence[ComparedPoint]:
    """Return the sizes up to the greatest that a crossover rests on."""
    last = decided(one)
    return one.points if last is None else one.points[: one.points.index(last) + 1]


def lines_of(sweep: Sweep, title: str) -> list[Growth]:
    """Return the lines of an engine and of the baseline, as far as they are fitted."""
    found = {one.title: one.growth for one in sweep.series}
    lines = (found.get(title), found.get(sweep.baseline))
    return [one for one in lines if one is not None]


def _uniform(one: Comparison) -> str | None:
    """Return what every point shows alike; None where they differ, and of a crossover."""
    if not one.points or (one.crossover is not None and one.crossover.verdict == "always"):
        return None
    verdicts = {point.verdict for point in one.points}
    if verdicts == {"no interval"}:
        longer = {point.times >= 1 for point in one.points}
        if len(longer) > 1:
            return None
        return "longer" if longer.pop() else "shorter"
    return verdicts.pop() if len(verdicts) == 1 else None


def _tell_never(sweep: Sweep, what: str, where: str, found: Sequence[Comparison]) -> str:
    lasts = [last for one in found if (last := never_up_to(one)) is not None]
    faster = f"{'' if what == _NEVER else 'shown to be '}faster than {sweep.baseline}"
    upto = f"{'never' if len(found) == 1 else 'ever'} {faster} up to {where} on this host"
    titles = [one.title for one in found]
    if len(titles) == 1:
        return f"{titles[0]} is {upto}, where it takes {times_as_long(lasts)}"
    pair = len(titles) == 2
    who = f"neither {titles[0]} nor {titles[1]}" if pair else f"none of {joined(titles)}"
    return f"{who} is {upto}, where they take {times_as_long(lasts)}"


def _tell_uniform(sweep: Sweep, what: str, where: str, found: Sequence[Comparison]) -> str:
    titles = joined([one.title for one in found])
    everywhere = f"at every {place(sweep)} measured ({where})"
    ratios = f"{joined([ratio_range(one.points) for one in found])} times as long"
    if what == "no difference shown":
        return (
            f"no difference is shown between {sweep.baseline} and {titles} {everywhere}: {ratios}"
        )
    are = "is" if len(found) == 1 else "are"
    return f"{titles} {are} {what} than {sweep.baseline} {everywhere}: {ratios}"


def _tell_medians(sweep: Sweep, what: str, where: str, found: Sequence[Comparison]) -> str:
    """Say how the medians stand, where too few rounds allow no more."""
    titles = joined([one.title for one in found])
    take = "takes" if len(found) == 1 else "take"
    ratios = f"{joined([ratio_range(one.points) for one in found])} times as long"
    return (
        f"{titles} {take} {_LESS_OR_MORE[what]} {sweep.baseline} at every {place(sweep)} measured "
        f"({where}): {ratios}"
    )


def _tell_medians_apart(sweep: Sweep, one: Comparison) -> str:
    """Say the same where some are longer and some are shorter."""
    told = [
        f"{_LESS_OR_MORE['longer' if above else 'shorter']} {sweep.baseline} "
        f"{_where(sweep, list(group))}"
        for above, group in groupby(one.points, lambda point: point.times >= 1)
    ]
    return f"{one.title} takes {joined(told)}"


def _rounds(found: Sequence[Comparison]) -> str:
    rounds = min(point.ratio.rounds for one in found for point in one.points)
    return (
        "1 round, which allows no interval"
        if rounds == 1
        else (f"{rounds} rounds, which allow no interval")
    )


def _tell_comparison(sweep: Sweep, one: Comparison, *, shortly: bool) -> str:
    """Tell of one engine alone, whose points differ."""
    if not one.points:
        return f"{one.title} and {sweep.baseline} have completed no {place(sweep)} in common"
    crossover, last = one.crossover, decided(one)
    if crossover is None or crossover.verdict == "undecided" or last is None:
        return _tell_points(sweep, one)
    then = "" if shortly else f"; at {at_value(sweep, last.value)} it takes {times_as_long([last])}"
    if crossover.verdict == "from":
        return _tell_from(sweep, one, crossover, then)
    where = at_values(sweep, [point.value for point in _decisive(one)])
    by_lines, shown_at = _by_lines(sweep, one, _decisive(one))
    return (
        f"{by_lines}{one.title} is faster than {sweep.baseline} at every size measured "
        f"({where}){shown_at}{then}"
    )


def _by_lines(sweep: Sweep, one: Comparison, points: Sequence[ComparedPoint]) -> tuple[str, str]:
    """Return how to tell what the lines say of sizes of which not all show it by themselves.

    Parameters
    ----------
    sweep : Sweep
        What they are of.
    one : Comparison
        With the engine that is said to be faster.
    points : sequence of ComparedPoint
        The sizes at which it is said to be.

    Returns
    -------
    (str, str)
        What stands before the claim, and after it; both empty where each size shows it.
    """
    if all(point.verdict == "faster" for point in points):
        return "", ""
    shown = [point.value for point in one.points if point.verdict == "faster"]
    if shown:
        return "by the fitted lines, ", f"; single sizes show it at {at_values(sweep, shown)} only"
    return "by the fitted lines, ", "; no single size shows it"


def _tell_from(sweep: Sweep, one: Comparison, crossover: Crossover, then: str) -> str:
    """Tell a crossover, which lies among the sizes measured, with its interval."""
    if crossover.size is None or crossover.high is None:
        return _tell_points(sweep, one)
    digits = digits_to_tell_apart(crossover.low, crossover.size, crossover.high)
    low = f"{at_value(sweep, one.points[0].value)} or fewer"
    if crossover.low is not None:
        low = rough(crossover.low, digits)
    size = crossover.size
    above = [point for point in one.points if point.size is not None and point.size >= size]
    by_lines, shown_at = _by_lines(sweep, one, above)
    text = (
        f"{by_lines}{one.title} is faster than {sweep.baseline} from about "
        f"{estimated(sweep, crossover.size, digits)} on (95 % interval {low} to "
        f"{rough(crossover.high, digits)}){shown_at}{then}"
    )
    worst = max((line.worst_deviation for line in lines_of(sweep, one.title)), default=1.0)
    if worst > POOR_FIT:
        text += f", but times differ from the fitted lines by up to a factor of {times(worst)}"
    return text


def _tell_points(sweep: Sweep, one: Comparison) -> str:
    """Say what each value shows, where no line says it for all of them."""
    verdicts = {point.verdict for point in one.points}
    told = []
    for verdict, points in groupby(one.points, lambda point: point.verdict):
        group = list(points)
        if verdict == "no interval":
            told.append(f"too few rounds to tell {_at(sweep, group)}")
        elif verdict == "no difference shown":
            told.append(f"{verdict} {_at(sweep, group)}")
        else:
            told.append(f"{verdict} {_where(sweep, group)}")
    if verdicts <= {"slower", "no difference shown"}:
        text = f"{one.title} is at no {place(sweep)} shown to be faster than {sweep.baseline}"
    else:
        text = f"{one.title} against {sweep.baseline}"
    text += f": {', '.join(told)}"
    return f"{text}{_order(sweep, one)}" if sweep.kind == "size" else text


def _at(sweep: Sweep, points: Sequence[ComparedPoint]) -> str:
    return f"at {at_values(sweep, [point.value for point in points])}"


def _where(sweep: Sweep, points: Sequence[ComparedPoint]) -> str:
    return f"{_at(sweep, points)} ({ratio_range(points)} times as long)"


def _order(sweep: Sweep, one: Comparison) -> str:
    """Say what the order of what was shown means for a size from which an engine is faster."""
    clear = [point for point in one.points if point.verdict in {"faster", "slower"}]
    turns = [(first, then) for first, then in pairwise(clear) if first.verdict != then.verdict]
    if not turns:
        return ""
    if len(turns) > 1:
        return "; the order changes more than once, so there is no one size from which it is faster"
    ((before, after),) = turns
    way = "becomes faster" if after.verdict == "faster" else "stops being faster"
    return f"; it {way} between {between_values(sweep, before.value, after.value)}"
