"""From which size one engine is faster than another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from experiments.statistics.bootstrap import FEWEST_ROUNDS, Estimate, ratio_interval, welch
from experiments.statistics.lines import (
    FEWEST_SIZES,
    Line,
    bounds,
    fit_line,
    means_by_size,
    refit,
    spread_about,
    times_of,
)
from experiments.statistics.noise import difference_shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.statistics.growth import Point
    from experiments.statistics.lines import Array, Times
    from experiments.statistics.noise import NoiseFloor

Side: TypeAlias = Literal["faster", "slower", "unknown"]


@dataclass(frozen=True)
class Crossover:
    """From which size one engine is faster than another.

    Parameters
    ----------
    verdict : {"from", "always", "never", "undecided"}
        "from": faster from `size` on. "always": faster at every size measured. "never": slower at
        every size measured. "undecided": there are fewer than three rounds, differences are within
        noise, the sizes contradict one another, or it is the other way round: faster at small
        sizes only, of which asking with the two exchanged tells.
    size : float or None
        Where the two take equally long, if that lies within the sizes measured. If undecided, it
        is no more than where two fitted lines meet.
    low, high : float or None
        The interval of `size`; None on a side on which the sizes measured do not bound it. A
        verdict of "from" always has `high`; without `low`, the smallest size may be enough.
    beyond : float or None
        Where the fitted lines would meet past `largest`: extrapolated, and no result. None if they
        never do.
    largest : float
        Largest size at which both were measured.
    """

    verdict: Literal["from", "always", "never", "undecided"]
    size: float | None
    low: float | None
    high: float | None
    beyond: float | None
    largest: float


@dataclass(frozen=True)
class _Fit:
    """What the fitted lines say: where they meet, and who leads at both ends of the sizes."""

    meeting: float
    low: float
    high: float
    ends: tuple[Side, Side]


def find_crossover(
    of: Sequence[Point], to: Sequence[Point], floor: NoiseFloor | None = None
) -> Crossover | None:
    """Tell from which size one engine is faster than another.

    The size is where two fitted lines meet; its interval is the middle 95 % of where lines meet
    that are fitted to times drawn from their spread (`experiments.statistics.lines.refit`), with
    degrees of freedom as for a ratio. What a single size shows goes before the lines: the interval
    begins at the largest size at which the engine was shown to be slower, if not later, and ends at
    the smallest from which it was shown to be faster at every size, if not before. Where the lines
    do not meet between the two, the interval is what lies between them, and the size is
    interpolated.

    Parameters
    ----------
    of, to : sequence of Point
        Times of the engine asked about, and of the one that it is compared with. Only sizes that
        both have count, and if three of them have `FEWEST_ROUNDS` rounds of both, only those.
    floor : NoiseFloor, optional
        What a null run showed; differences within it decide nothing.

    Returns
    -------
    Crossover or None
        None below three sizes that both have.
    """
    import numpy as np

    first = means_by_size((point.size, point.rounds) for point in of)
    second = means_by_size((point.size, point.rounds) for point in to)
    common = [size for size in first if size in second]
    if len(common) < FEWEST_SIZES:
        return None
    repeated = [
        size for size in common if min(first[size].rounds, second[size].rounds) >= FEWEST_ROUNDS
    ]
    decidable = len(repeated) >= FEWEST_SIZES
    sizes = repeated if decidable else common
    ours, theirs = (times_of({size: means[size] for size in sizes}) for means in (first, second))
    lines = (fit_line(ours.sizes, np.exp(ours.logs)), fit_line(theirs.sizes, np.exp(theirs.logs)))
    if not decidable:
        meeting = float(_meeting(*lines, sizes[-1]))
        return _answer("undecided", sizes, meeting)
    return _decide(sizes, _ratios(ours, theirs), _fit(ours, theirs, lines, floor), floor)


def _decide(
    sizes: list[float], ratios: list[Estimate], fit: _Fit, floor: NoiseFloor | None
) -> Crossover:
    sides = [_side(ratio, floor) for ratio in ratios]
    if _all("slower", sides, ratios, fit):
        return _answer("never", sizes, fit.meeting)
    if _all("faster", sides, ratios, fit):
        return _answer("always", sizes, fit.meeting)
    slower = [size for size, side in zip(sizes, sides, strict=True) if side == "slower"]
    faster = [size for size, side in zip(sizes, sides, strict=True) if side == "faster"]
    if slower and faster and faster[0] < slower[-1]:
        return _answer("undecided", sizes, fit.meeting)
    # what single sizes bound: slower at the one, faster at the other and at every later one
    since = max(i for i, side in enumerate(sides) if side != "faster") + 1
    after = max([-math.inf, *slower[-1:]])
    by = min([math.inf, *sizes[since:]])
    low, high = max(fit.low, after), min(fit.high, by)
    if sides[-1] == "slower" or "faster" not in {sides[-1], fit.ends[1]}:
        return _answer("undecided", sizes, fit.meeting, low)
    size = fit.meeting
    if not low <= size <= high or high < sizes[0]:
        # the lines meet where single sizes say that it cannot be: these alone decide
        if sides[-1] != "faster":
            return _answer("undecided", sizes, fit.meeting)
        low, high, size = after, by, _interpolated(sizes, ratios)
    size = min(max(size, low, sizes[0]), high)
    return _answer("from", sizes, size, low, high)


def _answer(
    verdict: Literal["from", "always", "never", "undecided"],
    sizes: list[float],
    meeting: float,
    low: float = -math.inf,
    high: float = math.inf,
) -> Crossover:
    """Keep of a meeting and its bounds what the verdict and the sizes measured support."""
    smallest, largest = sizes[0], sizes[-1]
    told = verdict in {"from", "undecided"}
    return Crossover(
        verdict=verdict,
        size=meeting if told and smallest <= meeting <= largest else None,
        low=low if told and smallest <= low <= largest else None,
        high=high if told and high <= largest else None,
        beyond=meeting if verdict != "always" and largest < meeting < math.inf else None,
        largest=largest,
    )


def _ratios(ours: Times, theirs: Times) -> list[Estimate]:
    """Return the ratio at each size, with the spread pooled over sizes."""
    rounds = zip(ours.rounds.tolist(), theirs.rounds.tolist(), strict=True)
    return [
        ratio_interval(
            math.exp(difference),
            (ours.variance / first, ours.degrees),
            (theirs.variance / second, theirs.degrees),
            int(min(first, second)),
        )
        for difference, (first, second) in zip(
            (ours.logs - theirs.logs).tolist(), rounds, strict=True
        )
    ]


def _fit(ours: Times, theirs: Times, lines: tuple[Line, Line], floor: NoiseFloor | None) -> _Fit:
    """Return what two fitted lines say, with intervals from lines fitted to drawn times."""
    spreads = spread_about(ours, lines[0]), spread_about(theirs, lines[1])
    degrees = welch(*spreads)
    drawn = (
        refit(ours, spreads[0][0], degrees, stream=0),
        refit(theirs, spreads[1][0], degrees, stream=1),
    )
    smallest, largest = float(ours.sizes[0]), float(ours.sizes[-1])
    rounds = int(min(ours.rounds.min(), theirs.rounds.min()))

    def end(size: float) -> Side:
        ratio = float(lines[0].at(size) / lines[1].at(size))
        return _side(Estimate(ratio, *bounds(drawn[0].at(size) / drawn[1].at(size)), rounds), floor)

    low, high = bounds(_meeting(*drawn, largest))
    meeting = float(_meeting(*lines, largest))
    return _Fit(meeting, low, high, (end(smallest), end(largest)))


def _meeting(ours: Line, theirs: Line, largest: float) -> Array:
    """Return the size from which `ours` is faster, shape (...,).

    It is minus infinity where `ours` is faster at every size up to `largest`, and plus infinity
    where it does not become faster with size.
    """
    import numpy as np

    gain = theirs.per_unit - ours.per_unit
    ahead = ours.at(largest) < theirs.at(largest)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        meeting: Array = np.where(
            gain > 0,
            (ours.fixed - theirs.fixed) / gain,
            np.where(ahead, -math.inf, math.inf),
        )
    return meeting


def _side(ratio: Estimate, floor: NoiseFloor | None) -> Side:
    if not difference_shown(ratio, floor):
        return "unknown"
    return "faster" if ratio.value < 1 else "slower"


def _all(
    side: Literal["faster", "slower"], sides: list[Side], ratios: list[Estimate], fit: _Fit
) -> bool:
    """Tell whether an engine is on one side at every size.

    Each size shows it by itself, or the lines show it at both ends and no size was measured on the
    other side.
    """
    if all(one == side for one in sides):
        return True
    return fit.ends == (side, side) and all(
        (ratio.value < 1) == (side == "faster") for ratio in ratios
    )


def _interpolated(sizes: list[float], ratios: list[Estimate]) -> float:
    """Return where the measured ratio last falls below 1, on logarithms of both."""
    logs = [math.log(ratio.value) for ratio in ratios]
    for i in reversed(range(len(sizes) - 1)):
        if logs[i] >= 0 > logs[i + 1]:
            share = logs[i] / (logs[i] - logs[i + 1])
            return float(sizes[i] * (sizes[i + 1] / sizes[i]) ** share)
    return sizes[0]
