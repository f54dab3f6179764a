"""Fit ``time = fixed + per_unit * size``, and refit it to times drawn from their spread.

Errors of times are relative ones, so a fit must not let the longest time decide alone: deviations
count by the inverse square of the fitted time, which is the quasi-likelihood of a constant
coefficient of variation (McCullagh & Nelder 1989, *Generalized Linear Models*, chapter 8), reached
by reweighting. Neither a start nor a row takes negative time, so neither coefficient is negative
(Lawson & Hanson 1974, *Solving Least Squares Problems*, chapter 23; with two coefficients the
solution is in closed form, and many fits are one calculation).
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from experiments.statistics.bootstrap import CONFIDENCE, LogMean, log_mean_of, middles_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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
    variance : float
        Of one round's logarithm, pooled over sizes; NaN if no size has two rounds.
    degrees : int
        Degrees of freedom of that variance.
    """

    sizes: Array
    logs: Array
    rounds: Array
    variance: float
    degrees: int


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


def means_by_size(
    points: Iterable[tuple[float, Sequence[Sequence[float]]]],
) -> dict[float, LogMean]:
    """Return the mean logarithm of each size that has one.

    Parameters
    ----------
    points : iterable of (size, rounds)
        Rounds of one size that come in parts are put together.

    Returns
    -------
    dict of float to LogMean
        Ascending by size. A size that is not positive, one without values and one with a time that
        is not positive are left out.
    """
    middles: dict[float, list[float]] = defaultdict(list)
    for size, rounds in points:
        middles[size].extend(middles_of(rounds))
    known = {
        size: log_mean_of(middles[size])
        for size in sorted(middles)
        if 0 < size < math.inf and middles[size]
    }
    return {size: mean for size, mean in known.items() if mean is not None}


def times_of(means: Mapping[float, LogMean]) -> Times:
    """Pool the spread of several sizes."""
    import numpy as np

    degrees = sum(mean.rounds - 1 for mean in means.values())
    squares = math.fsum(mean.squares for mean in means.values())
    return Times(
        sizes=np.array(list(means), dtype=np.float64),
        logs=np.array([mean.mean for mean in means.values()], dtype=np.float64),
        rounds=np.array([mean.rounds for mean in means.values()], dtype=np.float64),
        variance=squares / degrees if degrees else math.nan,
        degrees=degrees,
    )


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


def spread_about(times: Times, line: Line) -> tuple[float, float]:
    """Return by how much a round varies about the line of its engine.

    Where the line misses the measured times by more than their spread explains (an F test of lack
    of fit: Draper & Smith 1998, *Applied Regression Analysis*, section 2.1), what it misses by is
    the spread: times that follow no line must not give a line with a narrow interval.

    Parameters
    ----------
    times : Times
        At least three sizes, with a variance.
    line : Line
        The line fitted to them.

    Returns
    -------
    (float, float)
        Variance of a round's logarithm, and its degrees of freedom.
    """
    import numpy as np
    from scipy.special import fdtri

    left = times.sizes.size - 2
    missed = float(np.sum(times.rounds * deviations(times, line) ** 2)) / left
    if missed > times.variance * fdtri(left, times.degrees, _DOUBT):
        return missed, left
    return times.variance, times.degrees


def refit(times: Times, variance: float, degrees: float, stream: int = 0) -> Line:
    """Fit lines to times drawn around the measured ones.

    This is the parametric bootstrap (Efron & Tibshirani 1993, section 6.5) of the mean logarithms,
    which vary as Student's t: all sizes share one draw of the spread, and so do all streams that
    have the same degrees of freedom.

    Parameters
    ----------
    times : Times
        What was measured.
    variance, degrees : float
        Variance of a round's logarithm, and degrees of freedom.
    stream : int
        Tells the draws of one engine from those of another.

    Returns
    -------
    Line
        Coefficients of shape (`RESAMPLES`,).
    """
    import numpy as np

    drawn = np.random.default_rng(_SEED).chisquare(degrees, (RESAMPLES, 1))
    normal = np.random.default_rng((_SEED, stream)).standard_normal((RESAMPLES, times.sizes.size))
    noise = normal * np.sqrt(variance * degrees / drawn / times.rounds)
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
