"""Fit ``time = fixed + per_unit * size``, and refit it to times drawn from their spread.

Errors of times are relative ones, so a fit must not let the longest time decide alone: deviations
count by the inverse square of the fitted time, which is the quasi-likelihood of a constant
coefficient of variation (McCullagh & Nelder 1989, *Generalized Linear Models*, chapter 8), reached
by reweighting. Neither a start nor a row takes negative time, so neither coefficient is negative
(Lawson & Hanson 1974, *Solving Least Squares Problems*, chapter 23; with two coefficients the
solution is in closed form, and many fits are one calculation).

Times of one size can vary far more than those of another, so a spread is pooled over sizes only
where a test does not refute that it is the same (Bartlett 1937, *Properties of Sufficiency and
Statistical Tests*, Proceedings of the Royal Society A 160). Else each size keeps its own, and what
is fitted has the degrees of freedom that its parts leave (Satterthwaite 1946, *An Approximate
Distribution of Estimates of Variance Components*, Biometrics Bulletin 2(6)).
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from experiments.statistics.bootstrap import CONFIDENCE, LogMean, log_mean_of, middles_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

# Any two points lie on a line
FEWEST_SIZES: Final = 3
# The bounds of an interval then vary by some 2 % of its width with the draws
RESAMPLES: Final = 2000
# The same draws each time: a report made again says the same
_SEED: Final = 0
# Begun with the measured times; each leaves less than a tenth of what the one before left to do
_REWEIGHTINGS: Final = 4
# Of lines that hold, one in a hundred is doubted: what it misses by has few degrees of freedom
_DOUBT: Final = 0.99
# Of spreads that are the same, half are taken apart: that costs a little width, while to pool those
# that are not the same costs the truth, and three rounds a size tell the two apart badly
_UNLIKE: Final = 0.5
# Of a logarithm: small beside any spread, large beside rounding
_STEP: Final = 1e-5
# A factor of a million either way: with few degrees of freedom the tails have no end
_GREATEST_NOISE: Final = 14.0


@dataclass(frozen=True)
class Times:
    """What was measured over sizes, on logarithms.

    Parameters
    ----------
    sizes : numpy.ndarray, shape (n_sizes,)
        Ascending.
    logs : numpy.ndarray, shape (n_sizes,)
        Mean over rounds of the logarithm of seconds.
    rounds : numpy.ndarray, shape (n_sizes,)
        Number of rounds behind each.
    variances : numpy.ndarray, shape (n_sizes,)
        Of one round's logarithm at each size; NaN for a single round.
    degrees : numpy.ndarray, shape (n_sizes,)
        Degrees of freedom of these variances.
    pooled : bool
        Whether all variances are one estimate, with the degrees of freedom that each is given.
    """

    sizes: Array
    logs: Array
    rounds: Array
    variances: Array
    degrees: Array
    pooled: bool = False


@dataclass(frozen=True)
class Line:
    """A fitted line, or many fitted lines.

    Parameters
    ----------
    fixed, per_unit : numpy.ndarray, shape (...,)
        Seconds, and seconds for each unit of size; neither is negative.
    """

    fixed: Array
    per_unit: Array

    def at(self, size: float) -> Array:
        """Return the fitted seconds, shape (...,)."""
        return self.fixed + self.per_unit * size


def rounds_by_size(
    points: Iterable[tuple[float, Sequence[Sequence[float]]]],
) -> dict[float, list[Sequence[float]]]:
    """Return the rounds of each size that is positive, ascending by size.

    Parameters
    ----------
    points : iterable of (size, rounds)
        Rounds of one size that come in parts are put together.
    """
    rounds: dict[float, list[Sequence[float]]] = defaultdict(list)
    for size, some in points:
        rounds[size].extend(some)
    return {size: rounds[size] for size in sorted(rounds) if 0 < size < math.inf}


def means_by_size(rounds: Mapping[float, Sequence[Sequence[float]]]) -> dict[float, LogMean]:
    """Return the mean logarithm of each size that has one.

    Parameters
    ----------
    rounds : mapping of float to sequence of sequence of float
        Repeats by round of each size. A size without values and one with a time that is not
        positive are left out.
    """
    middles = {size: middles_of(some) for size, some in rounds.items()}
    known = {size: log_mean_of(values) for size, values in middles.items() if values}
    return {size: mean for size, mean in known.items() if mean is not None}


def times_of(means: Mapping[float, LogMean]) -> Times:
    """Return times over sizes, each with its own spread."""
    import numpy as np

    found = list(means.values())
    squares = np.array([mean.squares for mean in found], dtype=np.float64)
    rounds = np.array([mean.rounds for mean in found], dtype=np.float64)
    return Times(
        sizes=np.array(list(means), dtype=np.float64),
        logs=np.array([mean.mean for mean in found], dtype=np.float64),
        rounds=rounds,
        variances=np.where(rounds > 1, squares / np.maximum(rounds - 1, 1), math.nan),
        degrees=rounds - 1,
    )


def pool(times: Times) -> Times:
    """Return the same times with one spread for all sizes."""
    import numpy as np

    degrees = times.degrees.sum()
    variance = (times.variances * times.degrees).sum() / degrees
    same = np.ones_like(times.sizes)
    return replace(times, variances=variance * same, degrees=degrees * same, pooled=True)


def no_narrower_than_pooled(times: Times) -> Times:
    """Return the same times, in which no size varies less than all of them together.

    With two degrees of freedom a size looks far too steady now and then; where it alone decides a
    coefficient, an interval made from that would hold the truth too rarely.
    """
    import numpy as np

    pooled = pool(times)
    steadier = times.variances < pooled.variances
    return replace(
        times,
        variances=np.where(steadier, pooled.variances, times.variances),
        degrees=np.where(steadier, pooled.degrees, times.degrees),
    )


def vary_alike(variances: Array, degrees: Array) -> bool:
    """Tell whether nothing refutes that several spreads are the same (Bartlett 1937).

    Parameters
    ----------
    variances, degrees : numpy.ndarray, shape (n_sizes,)
        Of one round's logarithm at each size, and their degrees of freedom.
    """
    import numpy as np
    from scipy.special import chdtri

    if not variances.any():
        return True
    if not variances.all():
        return False
    total = degrees.sum()
    others = variances.size - 1
    mean = math.log((variances * degrees).sum() / total)
    found = total * mean - float((degrees * np.log(variances)).sum())
    corrected = 1 + (float((1 / degrees).sum()) - 1 / total) / (3 * others)
    return bool(found / corrected <= chdtri(others, 1 - _UNLIKE))


def fit_line(sizes: Array, seconds: Array) -> Line:
    """Fit lines with equal relative errors and no negative coefficient.

    Parameters
    ----------
    sizes : numpy.ndarray, shape (n_sizes,)
        At least two that differ.
    seconds : numpy.ndarray, shape (..., n_sizes)
        Positive; each row is fitted by itself.

    Returns
    -------
    Line
        Coefficients of shape (...,).
    """
    import numpy as np

    # sums along the first axis of many lines are several times as fast as along a short last one
    seconds = np.ascontiguousarray(np.moveaxis(seconds, -1, 0))
    # sizes of 10^7 beside a constant 1 would cost half the digits
    scale = sizes[-1]
    units = (sizes / scale).reshape(-1, *(1,) * (seconds.ndim - 1))
    fitted = seconds
    for _ in range(1 + _REWEIGHTINGS):
        fixed, slope = _least_squares(units, seconds, fitted)
        fitted = fixed + slope * units
    return Line(fixed, slope / scale)


def doubt(times: Times, line: Line) -> Times:
    """Return times with the spread that they have about the line of their engine.

    Where the line misses the measured times by more than their spread explains (an F test of lack
    of fit: Draper & Smith 1998, *Applied Regression Analysis*, section 2.1), what it misses by is
    the spread: times that follow no line must not give a line with a narrow interval.

    Parameters
    ----------
    times : Times
        At least three sizes, each with a variance.
    line : Line
        The line fitted to them.

    Returns
    -------
    Times
        The same, or with greater variances that have as many degrees of freedom as there are sizes
        more than coefficients.
    """
    import numpy as np
    from scipy.special import fdtri

    left = times.sizes.size - 2
    missed = float(np.sum(times.rounds * deviations(times, line) ** 2))
    # how the misses at all sizes follow from a deviation at one: shape (n_sizes, n_sizes)
    follow = gradient(times, lambda one: np.log([one.at(size) for size in times.sizes]))
    misses = np.sqrt(times.rounds)[:, None] * (np.eye(times.sizes.size) - follow)
    form = misses * np.sqrt(times.variances / times.rounds)
    parts = (form**2).sum(0)
    expected = float(parts.sum())
    if expected > 0:
        crossed = form.T @ form
        above = expected**2 / float((crossed**2).sum())
        below = freedom([(parts, times)])
        if missed <= expected * fdtri(above, below, _DOUBT):
            return times
        variances = times.variances * (missed / expected)
    else:
        variances = np.full_like(times.sizes, missed / left)
    return replace(times, variances=variances, degrees=np.full_like(times.sizes, left), pooled=True)


def gradient(times: Times, of: Callable[[Line], Array]) -> Array:
    """Return how a number of the fitted line follows the logarithm of each time.

    Parameters
    ----------
    times : Times
        What was measured.
    of : callable
        Takes lines with coefficients of shape (n_sizes,), and returns numbers of shape
        (..., n_sizes).

    Returns
    -------
    numpy.ndarray, shape (..., n_sizes)
        Derivatives, by central differences.
    """
    import numpy as np

    steps = _STEP * np.eye(times.sizes.size)
    up, down = (of(fit_line(times.sizes, np.exp(times.logs + one))) for one in (steps, -steps))
    change: Array = (up - down) / (2 * _STEP)
    return change


def freedom(parts: Sequence[tuple[Array, Times]]) -> float:
    """Return the degrees of freedom of a sum of variances (Satterthwaite 1946).

    Parameters
    ----------
    parts : sequence of (numpy.ndarray, Times)
        What each size contributes, and the times that it was estimated from.

    Returns
    -------
    float
        At least the smallest number of degrees of any part.
    """
    import numpy as np

    sums, degrees = [], []
    for part, times in parts:
        sums.append(part.sum(keepdims=True) if times.pooled else part)
        degrees.append(times.degrees[:1] if times.pooled else times.degrees)
    variances, known = np.concatenate(sums), np.concatenate(degrees)
    total = float(variances.sum())
    if total <= 0:
        return float(known.min())
    shares = variances / total
    return 1 / float((shares * shares / known).sum())


def normals(times: Times, stream: int = 0) -> Array:
    """Return standard normal draws, shape (`RESAMPLES`, n_sizes).

    Parameters
    ----------
    times : Times
        What they are for.
    stream : int
        Tells the draws of one engine from those of another.
    """
    import numpy as np

    return np.random.default_rng((_SEED, stream)).standard_normal((RESAMPLES, times.sizes.size))


def refit(times: Times, degrees: float, normal: Array) -> Line:
    """Fit lines to times drawn around the measured ones.

    This is the parametric bootstrap (Efron & Tibshirani 1993, section 6.5) of the mean logarithms,
    which vary as Student's t: all sizes share one draw of how wrong their spread is, and so do all
    engines whose lines have the same degrees of freedom.

    Parameters
    ----------
    times : Times
        What was measured.
    degrees : float
        Degrees of freedom of what is to be read from the lines.
    normal : numpy.ndarray, shape (RESAMPLES, n_sizes)
        Standard normal draws.

    Returns
    -------
    Line
        Coefficients of shape (`RESAMPLES`,).
    """
    import numpy as np

    drawn = np.random.default_rng(_SEED).chisquare(degrees, (RESAMPLES, 1))
    noise = normal * np.sqrt(times.variances * degrees / drawn / times.rounds)
    noise = np.clip(noise, -_GREATEST_NOISE, _GREATEST_NOISE)
    return fit_line(times.sizes, np.exp(times.logs + noise))


def bounds(values: Array) -> tuple[float, float]:
    """Return the interval that holds the middle `CONFIDENCE` of values, which may be infinite."""
    import numpy as np

    outside = (1 - CONFIDENCE) / 2
    # an order statistic, since there is nothing between a number and infinity
    low, high = np.quantile(values, (outside, 1 - outside), method="inverted_cdf")
    return float(low), float(high)


def deviations(times: Times, line: Line) -> Array:
    """Return the logarithm of measured over fitted seconds, shape (n_sizes,)."""
    import numpy as np

    return times.logs - np.log(line.fixed + line.per_unit * times.sizes)


def _least_squares(units: Array, seconds: Array, fitted: Array) -> tuple[Array, Array]:
    """Minimise ``sum(((seconds - fixed - slope * units) / fitted)**2)``, neither negative."""
    import numpy as np

    # around the weighted means: the plain normal equations cancel where one weight is far ahead
    weights = (fitted.min(0) / fitted) ** 2
    total = weights.sum(0)
    unit = (weights * units).sum(0) / total
    second = (weights * seconds).sum(0) / total
    off = units - unit
    lever = weights * off
    slope = (lever * (seconds - second)).sum(0) / (lever * off).sum(0)
    fixed = second - slope * unit
    # with two coefficients, the one that would be negative is zero in the best solution
    no_start, no_slope = fixed < 0, slope < 0
    if no_start.any():
        weights = weights * units
        through_zero = (weights * seconds).sum(0) / (weights * units).sum(0)
        slope = np.where(no_start, through_zero, slope)
    fixed = np.where(no_slope, second, np.maximum(fixed, 0))
    return fixed, np.maximum(slope, 0)
