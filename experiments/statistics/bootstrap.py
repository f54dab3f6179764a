"""Intervals for times and for ratios of times, from repeats within rounds.

Everything is done on logarithms, because a disturbance makes a time longer by a factor rather than
by an amount, and because the interval of a ratio is then that of a difference.

The rounds are the sample. Repeats of one round share its process, its memory layout and its moment,
so they are no independent draws: the bootstrap resamples whole rounds and leaves the repeats where
they are (Davison & Hinkley 1997, *Bootstrap Methods and their Application*, section 3.8, where this
is the better of two ways to resample nested data). A round counts with the median of its repeats.

The statistic is the mean over rounds of the logarithms. For a mean, the bootstrap's standard error
needs no resampling: it is ``sqrt(sum((x - mean)**2)) / n`` (Efron & Tibshirani 1993, *An
Introduction to the Bootstrap*, chapter 5), too small by ``sqrt((n - 1) / n)``, for which it is
corrected. The percentiles of the resamples cannot serve for few rounds: of three rounds they never
leave the range of the three values, which holds the true value three times in four. So the interval
is the t interval with bootstrap standard error (Hesterberg 2015, *What Teachers Should Know About
the Bootstrap*, The American Statistician 69(4)).

A ratio of two engines that took turns is that of pairs: each round gives one ratio, in which what
the host did to both during the round cancels out (blocks: Box, Hunter & Hunter 2005, *Statistics
for Experimenters*, section 3.2). Where there are no pairs, the two sides are independent, and the
interval takes the degrees of freedom of Welch and Satterthwaite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# Two rounds have one degree of freedom: their interval would span a factor of thousands
FEWEST_ROUNDS: Final = 3
CONFIDENCE: Final = 0.95
# exp() of more is no number; no time nor amount of memory comes near
_GREATEST_LOG: Final = 700.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, and the interval in which the true one lies.

    Parameters
    ----------
    value : float
        Seconds, bytes or a ratio.
    low, high : float or None
        Bounds of the interval, which holds the true value in 95 % of runs; None where no interval
        can be given.
    rounds : int
        Rounds that it rests on; of a ratio, the smaller number of the two.
    """

    value: float
    low: float | None
    high: float | None
    rounds: int

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval."""
        return self.low is not None and self.high is not None


@dataclass(frozen=True, slots=True)
class LogMean:
    """The mean over rounds of the logarithm of a positive quantity.

    Parameters
    ----------
    mean : float
        Mean of the logarithms.
    squares : float
        Sum of their squared deviations from it; 0 exactly if all rounds are alike.
    rounds : int
        Number of rounds.
    value : float
        Geometric mean over rounds, in the unit of the quantity.
    """

    mean: float
    squares: float
    rounds: int
    value: float

    @property
    def variance(self) -> float:
        """Variance of the mean: the square of its corrected bootstrap standard error."""
        return self.squares / (self.rounds * (self.rounds - 1))

    @classmethod
    def of(cls, logs: Sequence[float]) -> LogMean:
        """Return the mean of logarithms, at least one."""
        n = len(logs)
        mean = math.fsum(logs) / n
        # the sum of alike numbers may be rounded, which would give them a spread
        alike = min(logs) == max(logs)
        squares = 0.0 if alike else math.fsum([(one - mean) ** 2 for one in logs])
        return cls(mean, squares, n, math.exp(mean))


def estimate(rounds: Sequence[Sequence[float]]) -> Estimate | None:
    """Return the typical value over rounds, with its interval.

    Parameters
    ----------
    rounds : sequence of sequence of float
        ``rounds[i][j]`` is repeat j of round i: seconds or bytes. A round without repeats is left
        out.

    Returns
    -------
    Estimate or None
        The geometric mean over rounds of the median of their repeats. There is no interval below
        `FEWEST_ROUNDS` rounds, nor where a round's median is not positive, since zero has no
        logarithm: the value is then the median over rounds. None without values.
    """
    middles = middles_of(rounds)
    if not middles:
        return None
    logs = log_mean_of(middles)
    if logs is None:
        return Estimate(_median(middles), None, None, len(middles))
    if logs.rounds < FEWEST_ROUNDS:
        return Estimate(logs.value, None, None, logs.rounds)
    return _interval(logs.value, logs.variance, logs.rounds - 1, logs.rounds)


def estimate_ratio(
    of: Sequence[Sequence[float]], to: Sequence[Sequence[float]], *, paired: bool = False
) -> Estimate | None:
    """Return how many times as much one quantity is as another, with its interval.

    Parameters
    ----------
    of, to : sequence of sequence of float
        Numerator and denominator, each as in `estimate`.
    paired : bool
        Whether round i of the one took turns with round i of the other. They are then compared
        round by round, with one degree of freedom less than there are rounds, whatever the two
        have in common and however unlike their spreads are. Where a round lacks one side, or fewer
        than `FEWEST_ROUNDS` have both, the two are taken as independent all the same.

    Returns
    -------
    Estimate or None
        ``of / to``, of their geometric means: the value is the quotient of what `estimate` gives
        for either. There is no interval if either has fewer than `FEWEST_ROUNDS` rounds or a round
        that is not positive. None if either has no values or the denominator is zero.
    """
    first, second = middles_of(of), middles_of(to)
    if not first or not second:
        return None
    fewer = min(len(first), len(second))
    above, below = log_mean_of(first), log_mean_of(second)
    if above is None or below is None:
        divisor = _median(second) if below is None else below.value
        dividend = _median(first) if above is None else above.value
        return Estimate(dividend / divisor, None, None, fewer) if divisor else None
    value = above.value / below.value
    if fewer < FEWEST_ROUNDS:
        return Estimate(value, None, None, fewer)
    if paired and are_pairs(of, to):
        apart = LogMean.of([math.log(a) - math.log(b) for a, b in zip(first, second, strict=True)])
        return _interval(value, apart.variance, fewer - 1, fewer)
    return ratio_interval(
        value,
        (above.variance, above.rounds - 1),
        (below.variance, below.rounds - 1),
        fewer,
    )


def are_pairs(of: Sequence[Sequence[float]], to: Sequence[Sequence[float]]) -> bool:
    """Tell whether both have values of the same rounds, none of which is without the other."""
    return all(bool(one) == bool(other) for one, other in zip_longest(of, to, fillvalue=()))


def ratio_interval(
    value: float, of: tuple[float, float], to: tuple[float, float], rounds: int
) -> Estimate:
    """Return a ratio with its interval, from the spread of its two sides.

    Parameters
    ----------
    value : float
        The ratio.
    of, to : (float, float)
        Variance of the mean logarithm of each side, and the degrees of freedom it has.
    rounds : int
        Rounds that it rests on.

    Returns
    -------
    Estimate
        With the degrees of freedom of `welch`.
    """
    return _interval(value, of[0] + to[0], welch(of, to), rounds)


def welch(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Return the degrees of freedom of the sum of two variances (Welch 1947, Satterthwaite 1946).

    Parameters
    ----------
    first, second : (float, float)
        A variance and its degrees of freedom.

    Returns
    -------
    float
        At least the smaller number of degrees, at most their sum.
    """
    total = first[0] + second[0]
    if total == 0:
        return first[1] + second[1]
    # shares, not variances: the square of a tiny variance would vanish
    one, other = first[0] / total, second[0] / total
    return 1 / (one * one / first[1] + other * other / second[1])


def middles_of(rounds: Sequence[Sequence[float]]) -> list[float]:
    """Return the median of each round's repeats, without the rounds that have none."""
    return [repeats[0] if len(repeats) == 1 else _median(repeats) for repeats in rounds if repeats]


def log_mean_of(values: Sequence[float]) -> LogMean | None:
    """Return the mean of logarithms, or None if a value has none.

    Parameters
    ----------
    values : sequence of float
        One value a round, at least one.

    Returns
    -------
    LogMean or None
        None if a value is not a positive number.
    """
    least, greatest = min(values), max(values)
    # written so that a NaN in any place fails one of them
    if not (least > 0 and greatest < math.inf and sum(values) > 0):
        return None
    n = len(values)
    if least == greatest:
        return LogMean(math.log(least), 0.0, n, least)
    return LogMean.of([math.log(value) for value in values])


@lru_cache(maxsize=4096)
def t_quantile(degrees: float) -> float:
    """Return the upper bound of Student's t for a two-sided interval at `CONFIDENCE`.

    Parameters
    ----------
    degrees : float
        Degrees of freedom, positive; infinity gives the normal distribution's.
    """
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + CONFIDENCE / 2))


def _interval(value: float, variance: float, degrees: float, rounds: int) -> Estimate:
    """Return a value with its t interval, given the variance of its logarithm."""
    if variance == 0:
        return Estimate(value, value, value, rounds)
    half = min(t_quantile(degrees) * math.sqrt(variance), _GREATEST_LOG)
    return Estimate(value, value * math.exp(-half), value * math.exp(half), rounds)


def _median(values: Sequence[float]) -> float:
    """Return the middle value; between two of them, the middle of their logarithms."""
    ordered = sorted(values)
    half, odd = divmod(len(ordered), 2)
    upper = ordered[half]
    if odd:
        return upper
    lower = ordered[half - 1]
    if lower == upper:
        return upper
    if lower > 0 and upper > 0:
        return math.sqrt(lower) * math.sqrt(upper)
    return (lower + upper) / 2
