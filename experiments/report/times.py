"""Compare the times that decide between engines, as a part of a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.report.columns import name_among
from experiments.report.differences import differ, overlap
from experiments.report.numbers import bounds, excess, multiple, seconds, seconds_range
from experiments.report.rows import rounds_of
from experiments.report.summary import Summary, summarise
from experiments.report.wording import joined
from experiments.statistics.bootstrap import FEWEST_ROUNDS, estimate, estimate_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.report.columns import Column
    from experiments.report.work import Work
    from experiments.statistics.bootstrap import Estimate
    from experiments.statistics.noise import NoiseFloor


@dataclass(frozen=True)
class _Timed:
    """What one engine took for what was asked."""

    name: str
    took: Summary
    rounds: tuple[tuple[float, ...], ...]
    typical: Estimate | None

    @property
    def value(self) -> float:
        """Seconds as the table shows them: typical ones with an interval, else their median."""
        if self.typical is not None and self.typical.has_interval:
            return self.typical.value
        return self.took.median


@dataclass(frozen=True)
class _Compared:
    """An engine beside the fastest: how many times as long it took, and whether that is shown."""

    timed: _Timed
    ratio: Estimate | None
    rounds: int
    differs: bool

    @property
    def name(self) -> str:
        return self.timed.name

    @property
    def bounds(self) -> tuple[str, ...]:
        """Bounds of the interval as text; empty where there is none."""
        ratio = self.ratio
        if ratio is None or ratio.low is None or ratio.high is None:
            return ()
        return bounds(ratio.low, ratio.high)


def main_kind(columns: Sequence[Column]) -> str:
    """Return which repeats decide: "warm" where an engine that counts has any, else "cold"."""
    warm = any(record.warm for one in columns if one.counts for record in one.records)
    return "warm" if warm else "cold"


def tell_times(
    columns: Sequence[Column], complete: Sequence[Column], work: Work, floor: NoiseFloor | None
) -> str:
    """Compare the times of what was asked.

    Parameters
    ----------
    columns : sequence of Column
        The engines at one point.
    complete : sequence of Column
        Those that take part.
    work : Work
        What was done.
    floor : NoiseFloor or None
        By how much an engine differed from itself in these times; None where that is unknown.

    Returns
    -------
    str
        What could be the beginning of a sentence.
    """
    kind = main_kind(complete)
    timed = _timed(columns, complete, work, kind)
    if not timed:
        return f"No {work.one} was measured"
    fastest, *others = timed
    if not others:
        told = f"{kind} {work.one} took {seconds(fastest.value)}{_alone(fastest)}"
        if len(columns) > 1 and [one.outcome for one in complete] == ["completed"]:
            return f"Only {fastest.name} completed, and its {told}"
        return f"{fastest.name}'s {told}"
    compared = [_compare(one, fastest, floor) for one in others]
    level = [one for one in compared if not one.differs]
    slower = [one for one in compared if one.differs]
    if not level:
        # repeats of so few rounds may lie apart by chance
        sure = fastest.name if all(one.bounds for one in slower) else f"Perhaps {fastest.name}"
        text = f"{sure} {work.fastest}: {_slower(slower, f'{kind} {work.one}', fastest)}"
    else:
        text = f"No difference shown in {kind} {work.many}: {_level(level, fastest, floor)}"
        if slower:
            told = _slower(slower, f"{kind} {work.one}", fastest)
            text += f"; compared with {fastest.name}, {told}"
    unsure = _unsure(timed, compared, work)
    if not unsure:
        return text
    return f"{text}; {unsure}" if text.endswith(")") else f"{text} ({unsure})"


def _timed(
    columns: Sequence[Column], complete: Sequence[Column], work: Work, kind: str
) -> list[_Timed]:
    """Return what each engine took, the fastest first."""

    def walls(column: Column) -> list[float | None]:
        return column.of_phase(work.phase, lambda phase: phase.wall_s, warm=kind == "warm")

    timed = []
    for one in complete:
        took = summarise(walls(one))
        if took is not None:
            rounds = rounds_of(one, walls)
            timed.append(_Timed(name_among(one, columns), took, rounds, estimate(rounds)))
    # by what is told, so that no ratio to the fastest is below one; the sort is stable: of equals
    # the one that was asked for first leads
    return sorted(timed, key=lambda one: one.value)


def _alone(one: _Timed) -> str:
    """Return the interval of one engine's seconds in brackets; empty without one."""
    typical = one.typical
    if typical is None or typical.low is None or typical.high is None:
        return ""
    if typical.low == typical.high:
        return ""
    return f" (95 % interval {seconds_range(typical.low, typical.high)})"


def _compare(one: _Timed, fastest: _Timed, floor: NoiseFloor | None) -> _Compared:
    ratio = estimate_ratio(one.rounds, fastest.rounds, paired=True)
    fewer = min(sum(map(bool, side.rounds)) for side in (one, fastest))
    return _Compared(one, ratio, fewer, differ(one.rounds, fastest.rounds, ratio, floor))


def _slower(slower: Sequence[_Compared], what: str, fastest: _Timed) -> str:
    """Say how many times as long the others took, or how long where that is no number."""
    told: list[str] = []
    named = False
    for one in slower:
        whose = f"{one.name}'s" if told else f"{one.name}'s {what} took"
        if fastest.value <= 0:
            told.append(f"{whose} {seconds(one.timed.value)}")
            continue
        long = "times" if told else "times as long"
        # only the first interval says what it is
        interval = f" ({'' if named else '95 % interval '}{_bounds(one)})" if one.bounds else ""
        told.append(f"{whose} {_times_as_much(one, fastest)} {long}{interval}")
        named = named or bool(one.bounds)
    return joined(told)


def _level(level: Sequence[_Compared], fastest: _Timed, floor: NoiseFloor | None) -> str:
    """Say of which engines no difference is shown, and why."""
    told = []
    noise = "" if floor is None else f"within the noise floor, {excess(floor.factor)}"
    overlapping = [one for one in level if _overlaps(one, fastest)]
    if overlapping:
        told.append(
            f"the times of {_with_times([one.timed for one in overlapping])} overlap with those "
            f"of {_with_times([fastest])}"
        )
    for one in level:
        if one in overlapping:
            continue
        text = f"{one.name} took {_times_as_much(one, fastest)} times as long as {fastest.name}"
        reasons = [f"95 % interval {_bounds(one)}"] if one.bounds else []
        # an interval that holds one needs no further reason
        if one.ratio is None or one.ratio.low is None or one.ratio.low > 1:
            reasons.append(noise)
        told.append(f"{text} ({', '.join(reasons)})")
    return joined(told)


def _overlaps(one: _Compared, fastest: _Timed) -> bool:
    """Tell whether the spreads are why no difference is shown: there is no interval to say it."""
    return not one.bounds and overlap(one.timed.rounds, fastest.rounds)


def _times_as_much(one: _Compared, fastest: _Timed) -> str:
    """Return the quotient of the seconds that are told, within the interval that is told."""
    ratio = one.timed.value / fastest.value
    if one.ratio is None or not one.bounds:
        return multiple(ratio)
    return multiple(one.ratio.value, one.ratio.low, one.ratio.high)


def _bounds(one: _Compared) -> str:
    return " to ".join(one.bounds)


def _unsure(timed: Sequence[_Timed], compared: Sequence[_Compared], work: Work) -> str:
    """Admit that a single repeat has no spread, and that too few rounds have no interval."""
    parts = []
    once = [one.name for one in timed if one.took.n == 1]
    lacking = [one for one in compared if not one.bounds]
    if len(once) == len(timed):
        parts.append(f"one {work.one} each, so chance is not excluded")
    elif once:
        parts.append(f"one {work.one} only of {joined(once)}, so chance is not excluded")
    if len(lacking) < len(compared) and lacking:
        parts.append(f"no interval can be given for {joined([one.name for one in lacking])}")
    elif lacking and all(one.rounds < FEWEST_ROUNDS for one in lacking) and not parts:
        parts.append(f"fewer than {FEWEST_ROUNDS} rounds, so no interval can be given")
    elif lacking:
        parts.append("no interval can be given")
    return " and ".join(parts)


def _with_times(timed: Sequence[_Timed]) -> str:
    return joined([f"{one.name} ({seconds(one.value)})" for one in timed])
