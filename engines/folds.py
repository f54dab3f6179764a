"""Which rows of a training set belong to a fold, in the order that scikit-learn puts them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.prepared import Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engines.types import Data, Sample


def positions(
    fold_of: NDArray[np.int8], fold: int, *, held_out: bool, sample: Sample | None = None
) -> NDArray[Any]:
    """Return the positions of the rows of a fold, or of all others.

    Parameters
    ----------
    fold_of : ndarray of shape (n_rows,), dtype int8
        Number of the fold of each row.
    fold : int
        Number of the fold.
    held_out : bool
        True for the rows of the fold, False for all others.
    sample : Sample, optional
        Part of them to keep.

    Returns
    -------
    ndarray of shape (n_positions,), dtype int64
        Increasing; but a sample of rows to be fitted is in the order drawn, which is that of
        ``sklearn.model_selection.HalvingGridSearchCV`` with the same seed.
    """
    chosen = np.flatnonzero(fold_of == fold if held_out else fold_of != fold)
    if sample is None:
        return chosen
    from sklearn.utils import resample

    n_samples = int(sample.fraction * len(chosen))
    drawn: NDArray[Any] = resample(
        chosen, replace=False, random_state=sample.seed, n_samples=n_samples
    )
    # what is predicted comes back sorted by row; what is fitted may depend on its order
    return np.sort(drawn) if held_out else drawn


def take(rows: Rows, chosen: NDArray[Any]) -> Rows:
    """Return copies of some rows, in the order of their positions."""
    # plain arrays, also where the rows are mapped from a file
    X, y, row_id, fold = (np.asarray(array) for array in rows)
    return Rows(X[chosen], y[chosen] if len(y) else y, row_id[chosen], fold[chosen])


def selected_rows(
    data: Data[Rows], fold: int, *, held_out: bool, sample: Sample | None
) -> Data[Rows]:
    """Return the rows of a fold, or all others, of rows that one process holds."""
    chosen = positions(data.native.fold, fold, held_out=held_out, sample=sample)
    return replace(data, native=take(data.native, chosen), n_rows=len(chosen))
