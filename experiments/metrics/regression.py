"""Scores of predicted values, which need labels and predictions alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from experiments.metrics.errors import UndefinedMetricError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


class Regressed(NamedTuple):
    """True values beside predicted ones.

    Attributes
    ----------
    y, predicted : ndarray of shape (n_rows,), dtype float64
    """

    y: NDArray[np.float64]
    predicted: NDArray[np.float64]


def rmse(rows: Regressed) -> float:
    """Return the square root of the mean squared error."""
    from sklearn.metrics import root_mean_squared_error

    return float(root_mean_squared_error(rows.y, rows.predicted))


def mae(rows: Regressed) -> float:
    """Return the mean absolute error."""
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(rows.y, rows.predicted))


def r2(rows: Regressed) -> float:
    """Return the coefficient of determination.

    Raises
    ------
    UndefinedMetricError
        If all labels are equal: there is no variance to explain. scikit-learn's 0 or 1 would read
        like a result.
    """
    from sklearn.metrics import r2_score

    if rows.y.min() == rows.y.max():
        raise UndefinedMetricError("every scored row has the same label")
    return float(r2_score(rows.y, rows.predicted, force_finite=False))


SCORERS: dict[str, Callable[[Regressed], float]] = {"rmse": rmse, "mae": mae, "r2": r2}
