"""Mean, variance and range of each feature, added up page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Moments:
    """Running mean, sum of squared deviations, least and greatest value of each feature.

    Pages are merged as Chan, Golub and LeVeque do ("Updating formulae and a pairwise algorithm
    for computing sample variances", 1979), which loses no digits to large means. The result
    depends on where pages begin and on nothing else.

    Parameters
    ----------
    n_features : int
        Number of features.
    """

    def __init__(self, n_features: int) -> None:
        self.n_rows = 0
        self.mean = np.zeros(n_features)
        self.low = np.full(n_features, np.inf)
        self.high = np.full(n_features, -np.inf)
        self._squares = np.zeros(n_features)

    def add(self, columns: NDArray[np.float64]) -> None:
        """Add rows.

        Parameters
        ----------
        columns : ndarray of shape (n_features, n_rows), dtype float64
            C-contiguous.
        """
        rows = columns.shape[1]
        if not rows:
            return
        # sums of huge values overflow to infinity, which whoever uses the moments refuses
        with np.errstate(over="ignore", invalid="ignore"):
            mean = columns.sum(axis=1) / rows
            deviations = columns - mean[:, None]
            squares = np.square(deviations, out=deviations).sum(axis=1)
            total = self.n_rows + rows
            shift = mean - self.mean
            self._squares += squares + shift**2 * (self.n_rows * rows / total)
            self.mean += shift * (rows / total)
        self.n_rows = total
        np.minimum(self.low, columns.min(axis=1), out=self.low)
        np.maximum(self.high, columns.max(axis=1), out=self.high)

    @property
    def variance(self) -> NDArray[np.float64]:
        """Variance of each feature (divisor n); exactly 0 where all values are equal."""
        return np.where(self.low == self.high, 0.0, self._squares / max(self.n_rows, 1))


@dataclass(frozen=True)
class Scaling:
    """What happens to each feature before it is written.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_features,)
        Subtracted, then divided by.
    levels : int or None
        Number of equally spaced values from ``low`` to ``high`` that are allowed.
    low, high : ndarray of shape (n_features,)
        Least and greatest training value after scaling.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    levels: int | None
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def apply(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the features, of shape (n_features, n_rows), scaled and moved to the levels."""
        scaled = (columns - self.mean[:, None]) / self.scale[:, None]
        if self.levels is None:
            return scaled
        low = self.low[:, None]
        step = (self.high[:, None] - low) / (self.levels - 1)
        np.clip(scaled, low, self.high[:, None], out=scaled)
        scaled -= low
        # a constant feature has one level, and no distance to the next
        scaled /= np.where(step > 0, step, 1.0)
        return low + np.rint(scaled, out=scaled) * step


def scaling(moments: Moments, *, standardize: bool, levels: int | None) -> Scaling:
    """Return the scaling that the moments of the training rows ask for."""
    mean, scale = np.zeros_like(moments.mean), np.ones_like(moments.mean)
    if standardize:
        deviation = np.sqrt(moments.variance)
        mean, scale = moments.mean, np.where(deviation > 0, deviation, 1.0)
        # the mean of equal values may miss them by a rounding
        mean = np.where(moments.low == moments.high, moments.low, mean)
    return Scaling(mean, scale, levels, (moments.low - mean) / scale, (moments.high - mean) / scale)
