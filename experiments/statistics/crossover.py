"""From which size one engine is faster than another."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from experiments.statistics.bootstrap import (
    FEWEST_ROUNDS,
    Estimate,
    are_pairs,
    estimate_ratio,
    middles_of,
)
from experiments.statistics.lines import (
    FEWEST_SIZES,
    Line,
    bounds,
    doubt,
    fit_line,
    freedom,
    gradient,
    means_by_size,
    normals,
    pool,
    refit,
    rounds_by_size,
    times_of,
    vary_alike,
)
from experiments.statistics.noise import difference_shown, floor_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.statistics.growth import Point
    from experiments.statistics.lines import Array, Times
    from experiments.statistics.noise import Floors, NoiseFloor

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


@dataclass(frozen=True)
class _Both:
    """Times of two engines at the same sizes.

    Parameters
    ----------
    ours, theirs : Times
        Of the engine asked about, and of the other.
    shared : numpy.ndarray, shape (n_sizes,)
        Correlation of their rounds at each size: what the host did to both in one round.
    in_pairs : bool
        Whether their rounds are pairs. If not, `shared` is zero.
    """

    ours: Times
    theirs: Times
    shared: Array
    in_pairs: bool


def find_crossover(
    of: Sequence[Point], to: Sequence[Point], floor: Floors = None, *, paired: bool = False
) -> Crossover | None:
    """Tell from which size one engine is faster than another.

    The size is where two fitted lines meet; its interval is the middle 95 % of where lines meet
    that are fitted to times drawn from their spread (`experiments.statistics.lines.refit`). What a
    single size shows goes before the lines, and is judged by its own rounds alone, as
    `experiments.statistics.bootstrap.estimate_ratio` does: the interval begins at the largest size
    at which the engine was shown to be slower, if not later, and ends at the smallest from which it
    was shown to be faster at every size, if not before. Where the lines do not meet between the
    two, the interval is what lies between them, and the size is interpolated.

    Parameters
    ----------
    of, to : sequence of Point
        Times of the engine asked about, and of the one that it is compared with. Only sizes that
        both have count, and if three of them have `FEWEST_ROUNDS` rounds of both, only those.
    floor : NoiseFloor or mapping of float to NoiseFloor or None, optional
        What a null run showed, at each size where it is a mapping; differences within it decide
        nothing.
    paired : bool
        Whether round i of the one took turns with round i of the other. Times are then drawn with
        what the two have in common in a round, which moves both and not where they meet.

    Returns
    -------
    Crossover or None
        None below three sizes that both have.
    """
    import numpy as np

    rounds = [rounds_by_size((one.size, one.rounds) for one in points) for points in (of, to)]
    first, second = map(means_by_size, rounds)
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
    at_sizes = [(rounds[0][size], rounds[1][size]) for size in sizes]
    ratios = [estimate_ratio(*both, paired=paired) for both in at_sizes]
    known = [one for one in ratios if one is not None]
    floors = [floor_at(floor, size) for size in sizes]
    both = _spreads(ours, theirs, at_sizes, paired=paired)
    return _decide(sizes, known, floors, _fit(both, lines, (floors[0], floors[-1])))


def _decide(
    sizes: list[float], ratios: list[Estimate], floors: list[NoiseFloor | None], fit: _Fit
) -> Crossover:
    sides = [_side(ratio, floor) for ratio, floor in zip(ratios, floors, strict=True)]
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


def _spreads(
    ours: Times,
    theirs: Times,
    at_sizes: Sequence[tuple[Sequence[Sequence[float]], Sequence[Sequence[float]]]],
    *,
    paired: bool,
) -> _Both:
    """Return times with their spreads, which are pooled over sizes if they all vary alike.

    Rounds are pairs only if they are at every size, as for the ratio of a single one.
    """
    import numpy as np

    alike = vary_alike(ours.variances, ours.degrees) and vary_alike(
        theirs.variances, theirs.degrees
    )
    in_pairs = paired and all(are_pairs(*both) for both in at_sizes)
    shared = np.zeros_like(ours.sizes)
    if in_pairs:
        logs = [[np.log(middles_of(rounds)) for rounds in both] for both in at_sizes]
        apart = np.array([np.var(one - other, ddof=1) for one, other in logs])
        alike = alike and vary_alike(apart, ours.degrees)
        common = np.array([np.cov(one, other)[0, 1] for one, other in logs])
        first, second = ours.variances, theirs.variances
        if alike:
            common, first, second = (
                np.full_like(one, (one * ours.degrees).sum() / ours.degrees.sum())
                for one in (common, first, second)
            )
        size = np.sqrt(first * second)
        shared = np.clip(common / np.where(size > 0, size, 1), -1, 1)
    if alike:
        ours, theirs = pool(ours), pool(theirs)
    return _Both(ours, theirs, shared, in_pairs)


def _fit(
    both: _Both, lines: tuple[Line, Line], floors: tuple[NoiseFloor | None, NoiseFloor | None]
) -> _Fit:
    """Return what two fitted lines say, with intervals from lines fitted to drawn times."""
    import numpy as np

    ours, theirs = doubt(both.ours, lines[0]), doubt(both.theirs, lines[1])
    shared = both.shared
    first, other = normals(ours, stream=0), normals(ours, stream=1)
    second = shared * first + np.sqrt(1 - shared**2) * other
    known: dict[float, tuple[Line, Line]] = {}

    def draw(size: float) -> tuple[Line, Line]:
        """Return drawn lines with the degrees of freedom that their ratio has at a size."""
        degrees = _degrees(replace(both, ours=ours, theirs=theirs), size)
        if degrees not in known:
            known[degrees] = refit(ours, degrees, first), refit(theirs, degrees, second)
        return known[degrees]

    def end(size: float, floor: NoiseFloor | None) -> Side:
        ratio = float(lines[0].at(size) / lines[1].at(size))
        drawn = draw(size)
        return _side(Estimate(ratio, *bounds(drawn[0].at(size) / drawn[1].at(size)), rounds), floor)

    smallest, largest = float(ours.sizes[0]), float(ours.sizes[-1])
    rounds = int(min(ours.rounds.min(), theirs.rounds.min()))
    meeting = float(_meeting(*lines, largest))
    low, high = bounds(_meeting(*draw(min(max(meeting, smallest), largest)), largest))
    return _Fit(meeting, low, high, (end(smallest, floors[0]), end(largest, floors[1])))


def _degrees(both: _Both, size: float) -> float:
    """Return the degrees of freedom of the ratio of two fitted lines at a size."""
    import numpy as np

    def follow(line: Line) -> Array:
        logs: Array = np.log(line.at(size))
        return logs

    ours, theirs = both.ours, both.theirs
    first = gradient(ours, follow) * np.sqrt(ours.variances / ours.rounds)
    second = gradient(theirs, follow) * np.sqrt(theirs.variances / theirs.rounds)
    if not both.in_pairs:
        return freedom([(first**2, ours), (second**2, theirs)])
    parts = np.maximum(first**2 + second**2 - 2 * both.shared * first * second, 0)
    return min(freedom([(parts, ours)]), freedom([(parts, theirs)]))


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
