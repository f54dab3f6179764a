"""The features of the scored rows, in blocks that fit memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from engines.prepared import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from engines.prepared import Prepared

# Each temporary array of a block; a few of them fit a processor's last-level cache.
BLOCK_BYTES = 4 * 2**20
LEAST_BLOCK_ROWS = 256


class Accumulator(Protocol):
    """What is built up while the features pass by once."""

    def add(self, X: NDArray[np.float64], rows: slice) -> None:
        """Take in the features `X` of the scored rows at positions `rows`."""


def feed(prepared: Prepared, accumulators: Sequence[Accumulator], *, width: int) -> None:
    """Read the features of all scored rows once, in order, for several accumulators together.

    Parameters
    ----------
    prepared : Prepared
        The dataset.
    accumulators : sequence of Accumulator
        Each is given every block; with none, nothing is read.
    width : int
        Columns of the widest array that an accumulator makes for a block beside the features,
        which bounds the memory: the number of clusters.
    """
    if not accumulators:
        return
    columns = max(prepared.n_features, width)
    block_rows = max(LEAST_BLOCK_ROWS, BLOCK_BYTES // (8 * columns))
    for X, rows in _blocks(prepared, block_rows):
        for accumulator in accumulators:
            accumulator.add(X, rows)


def _blocks(prepared: Prepared, block_rows: int) -> Iterator[tuple[NDArray[np.float64], slice]]:
    split = prepared.scored_split
    start = 0
    for group in prepared.row_groups:
        if not (group.test if split == "test" else group.train):
            continue
        X = read_rows(prepared, [group], split).X
        for first in range(0, len(X), block_rows):
            # float32 values are exact in float64, in which all sums are taken
            block = X[first : first + block_rows].astype(np.float64, copy=False)
            yield block, slice(start + first, start + first + len(block))
        start += len(X)
