"""Answer the question of a sweep in a few sentences, with their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from experiments.report.columns import NOT_FINISHED
from experiments.report.sweeps.beyond import tell_what_could_change
from experiments.report.sweeps.comparisons import never_up_to, tell_comparisons
from experiments.report.sweeps.cores import tell_costs, tell_division, tell_speedups
from experiments.report.sweeps.keys import CORES
from experiments.report.sweeps.words import at_value, at_values, capital, times_as_long
from experiments.report.text import definition_value
from experiments.report.wording import joined, tell_outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from experiments.report.sweeps.values import Sweep
    from experiments.report.tables import Table

# Sweeps over the same key that are told one by one
_MOST_TOLD = 3


def tell_sweep(sweep: Sweep) -> str:
    """Say what one sweep shows, with its numbers; empty where there is nothing to compare."""
    if not any(point.counts for one in sweep.series for point in one.points):
        failed = _tell_outcomes(sweep)
        return f"No times to compare: {failed}." if failed else ""
    parts = []
    if sweep.key == CORES:
        parts += [tell_speedups(sweep), tell_costs(sweep.costs)]
    elif sweep.kind == "workers":
        parts.append(tell_division(sweep))
    if sweep.comparisons:
        parts.append(tell_comparisons(sweep))
    told = "; ".join(part for part in parts if part)
    sentences = [f"{capital(sweep.measure_label)}: {told}" if told else "", _tell_outcomes(sweep)]
    return " ".join(f"{one}." for one in sentences if one)


def tell_comparison_alone(sweep: Sweep) -> str:
    """Say how the engines of a sweep compare, and nothing else of it."""
    told = tell_comparisons(sweep) if any(one.points for one in sweep.comparisons) else ""
    return f"{capital(told)}." if told else ""


def answer_run(tables: Sequence[Table], sweeps: Sequence[Sweep]) -> str:
    """Answer the question of a whole run in a few sentences.

    Parameters
    ----------
    tables : sequence of Table
        One for each point.
    sweeps : sequence of Sweep
        As `experiments.report.sweeps.build.build_sweeps` makes them.

    Returns
    -------
    str
        The answer of the table where there is one alone. Of a sweep: what its main measure shows,
        whether the whole process shows the same, and what could change it. Empty where nothing was
        measured.
    """
    if not sweeps:
        return tables[0].answer if len(tables) == 1 else ""
    main = sweeps[0]
    alike = [one for one in sweeps if (one.key, one.measure) == (main.key, main.measure)]
    told = [_told_at(one) for one in alike[:_MOST_TOLD] if one.answer]
    if not told:
        return ""
    if (more := len(alike) - _MOST_TOLD) > 0:
        told.append(f"{more} more such sweeps are told with their tables.")
    told += [one.single.answer for one in alike[_MOST_TOLD:] if one.single is not None]
    if len(alike) == 1:
        told += [_tell_whole(main, sweeps), tell_what_could_change(main)]
    told.append(_tell_disagreements(tables))
    return " ".join(one for one in told if one)


def sweep_limits(sweeps: Iterable[Sweep]) -> tuple[str, ...]:
    """Return what the sweeps of a run do not show."""
    fitted = {one.label for one in sweeps for series in one.series if series.growth is not None}
    return tuple(
        f"Other numbers of {label}: a fitted line stands for those between the least and the "
        "greatest measured; beyond these memory, caches and networks can change how times grow."
        for label in sorted(fitted)
    )


def tell_held(sweep: Sweep) -> str:
    """Return the values of the other swept keys in words; empty with one key."""
    return ", ".join(f"{key} = {definition_value(value)}" for key, value in sweep.held.items())


def _told_at(sweep: Sweep) -> str:
    held = tell_held(sweep)
    return f"With {held}: {sweep.answer}" if held else sweep.answer


def _tell_outcomes(sweep: Sweep) -> str:
    """Name who did not complete at some value, and who did where the baseline failed."""
    groups: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for one in sweep.series:
        for outcome in dict.fromkeys(point.outcome for point in one.points):
            places = tuple(i for i, point in enumerate(one.points) if point.outcome == outcome)
            if outcome != "completed":
                groups.setdefault((outcome, places), []).append(one.title)
    told = []
    for (outcome, places), titles in groups.items():
        values = [sweep.values[place] for place in places]
        happened = tell_outcome(outcome, several=len(titles) > 1)
        text = f"{joined(titles)} {happened} at {at_values(sweep, values)}"
        failed = outcome != NOT_FINISHED and sweep.baseline in titles
        others = _completed(sweep, values) if failed else []
        told.append(f"{text}, which {joined(others)} completed" if others else text)
    return "; ".join(told)


def _completed(sweep: Sweep, values: Sequence[Any]) -> list[str]:
    """Return the engines that completed all of some values."""
    return [
        one.title
        for one in sweep.series
        if all(point.outcome == "completed" for point in one.points if point.value in values)
    ]


def _tell_whole(main: Sweep, sweeps: Iterable[Sweep]) -> str:
    """Say shortly whether the whole process answers as the main measure does."""
    whole = next(
        (one for one in sweeps if one.measure == "total" and _same_points(one, main)), None
    )
    if whole is None or not whole.comparisons or whole is main:
        return ""
    lasts = [never_up_to(one) for one in whole.comparisons]
    known = [one for one in lasts if one is not None]
    same = all(never_up_to(one) is not None for one in main.comparisons)
    at = {at_value(whole, one.value) for one in known}
    if same and len(known) == len(lasts) and len(at) == 1:
        return f"The whole process answers the same: {times_as_long(known)} at {at.pop()}."
    told = tell_comparisons(whole, shortly=True)
    return f"The whole process, from start to stop with all repeats: {told}."


def _same_points(one: Sweep, other: Sweep) -> bool:
    return (one.key, one.held) == (other.key, other.held)


def _tell_disagreements(tables: Sequence[Table]) -> str:
    """Admit that the times are of different answers."""
    differing = sum(bool(table.disagreements) for table in tables)
    if not differing:
        return ""
    where = "every point" if differing == len(tables) else f"{differing} of {len(tables)} points"
    return f"The engines do not agree on the result at {where}: see the tables."
