"""How time grows with size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.statistics.bootstrap import FEWEST_ROUNDS, Estimate
from experiments.statistics.crossover import Crossover, find_crossover
from experiments.statistics.lines import (
    FEWEST_SIZES,
    Line,
    bounds,
    deviations,
    doubt,
    fit_line,
    freedom,
    gradient,
    means_by_size,
    no_narrower_than_pooled,
    normals,
    pool,
    refit,
    rounds_by_size,
    times_of,
    vary_alike,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from experiments.statistics.lines import Array, Times

__all__ = ["Crossover", "Growth", "Point", "find_crossover", "fit_growth"]


@dataclass(frozen=True)
class Point:
    """Times at one size.

    Parameters
    ----------
    size : float
        Rows, features, clusters, trees or workers; positive.
    rounds : tuple of tuple of float
        ``rounds[i][j]`` is repeat j of round i, in seconds.
    """

    size: float
    rounds: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Growth:
    """A fixed time, and a time for each unit of size.

    Parameters
    ----------
    fixed : Estimate
        Seconds that size does not change.
    per_unit : Estimate
        Seconds for each unit of size.
    worst_deviation : float
        The factor, at least 1, by which the line misses the size that it fits worst.
    smallest, largest : float
        Sizes between which it was measured; beyond them it says nothing.
    """

    fixed: Estimate
    per_unit: Estimate
    worst_deviation: float
    smallest: float
    largest: float

    def at(self, size: float) -> float:
        """Return the fitted seconds at a size."""
        return self.fixed.value + self.per_unit.value * size


def fit_growth(points: Sequence[Point]) -> Growth | None:
    """Fit ``seconds = fixed + per_unit * size``, neither negative, relative errors alike.

    Parameters
    ----------
    points : sequence of Point
        Points without values, and those with a time or size that is not positive, are left out.

    Returns
    -------
    Growth or None
        None below three sizes. The coefficients have no interval if a size has fewer than
        `FEWEST_ROUNDS` rounds.
    """
    import numpy as np

    means = means_by_size(rounds_by_size((point.size, point.rounds) for point in points))
    if len(means) < FEWEST_SIZES:
        return None
    times = times_of(means)
    line = fit_line(times.sizes, np.exp(times.logs))
    fewest = min(mean.rounds for mean in means.values())
    spread = _spread(times, line) if fewest >= FEWEST_ROUNDS else None
    return Growth(
        fixed=_coefficient(line, lambda one: one.fixed, spread, fewest),
        per_unit=_coefficient(line, lambda one: one.per_unit, spread, fewest),
        worst_deviation=math.exp(float(np.abs(deviations(times, line)).max())),
        smallest=float(times.sizes[0]),
        largest=float(times.sizes[-1]),
    )


def _spread(times: Times, line: Line) -> Times:
    """Return times with one spread where they vary alike, and with that about their line."""
    alike = vary_alike(times.variances, times.degrees)
    return doubt(pool(times) if alike else no_narrower_than_pooled(times), line)


def _coefficient(
    line: Line, of: Callable[[Line], Array], times: Times | None, rounds: int
) -> Estimate:
    fitted = float(of(line))
    if times is None:
        return Estimate(fitted, None, None, rounds)
    parts = gradient(times, of) ** 2 * times.variances / times.rounds
    low, high = bounds(of(refit(times, freedom([(parts, times)]), normals(times))))
    return Estimate(fitted, min(low, fitted), max(high, fitted), rounds)
