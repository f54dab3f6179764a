"""The rows that are scored, their features in blocks that fit memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from engines.prepared import SPLIT_CODES, read_columns, read_labels, read_rows
from experiments.metrics.errors import PredictionsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from engines.prepared import Prepared, Rows
    from engines.types import Split

# Each temporary array of a block; a few of them fit a processor's last-level cache.
BLOCK_BYTES = 4 * 2**20
LEAST_BLOCK_ROWS = 256


class Accumulator(Protocol):
    """What is built up while the features pass by once."""

    def add(self, X: NDArray[np.float64], rows: slice) -> None:
        """Take in the features `X` of the scored rows at positions `rows`."""


@dataclass(frozen=True)
class ScoredRows:
    """What predictions are compared with.

    Parameters
    ----------
    n_features : int
        Number of features.
    y : ndarray of shape (n_rows,)
        int32 class numbers or float64 values; empty (length 0) where there is no label.
    row_id : ndarray of shape (n_rows,), dtype int64
        In the order of the predictions.
    label_kind : {"none", "classes", "numbers"}
        What the label is.
    classes : tuple of str
        Names of the classes, in the order of their numbers.
    title : str
        What messages call the dataset.
    parts : callable
        Returns an iterator over the features of all rows, in order, in pieces of shape
        (n_rows_of_piece, n_features), float32 or float64; nothing is read before.
    """

    n_features: int
    y: NDArray[Any]
    row_id: NDArray[np.int64]
    label_kind: Literal["none", "classes", "numbers"]
    classes: tuple[str, ...]
    title: str
    parts: Callable[[], Iterator[NDArray[Any]]]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.row_id)


def rows_of_split(prepared: Prepared) -> ScoredRows:
    """Return the rows that a dataset is scored on: held out, or all where nothing is."""
    split = prepared.scored_split
    y, row_id = read_labels(prepared, split)
    return _scored(prepared, y, row_id, partial(_read, prepared, split))


def rows_of_fold(prepared: Prepared, row_id: NDArray[np.int64]) -> ScoredRows:
    """Return training rows by their numbers, which are read from the dataset in blocks.

    Parameters
    ----------
    prepared : Prepared
        The dataset.
    row_id : ndarray of shape (n_rows,), dtype int64
        Which rows, increasing; all from one fold.

    Raises
    ------
    PredictionsError
        If the numbers are not increasing, or not those of training rows of one fold.
    """
    row_id = np.asarray(row_id)
    if (row_id[1:] <= row_id[:-1]).any():
        raise PredictionsError("The predictions are not in the order of row_id, each row once.")
    columns = ["split", "row_id", "fold", *(["label"] if prepared.label_kind != "none" else [])]
    kept_groups, labels, folds = [], [], []
    groups = read_columns(prepared, prepared.row_groups, columns)
    for number, of_group in enumerate(groups):
        training = of_group["split"] == SPLIT_CODES["train"]
        ids = of_group["row_id"][training]
        first, last = np.searchsorted(row_id, (ids[0], ids[-1] + 1)) if len(ids) else (0, 0)
        if first == last:
            continue
        chosen = np.isin(ids, row_id[first:last], assume_unique=True)
        kept_groups.append((number, chosen))
        folds.append(of_group["fold"][training][chosen])
        if "label" in of_group:
            labels.append(of_group["label"][training][chosen])
    found = np.concatenate(folds) if folds else np.empty(0, dtype=np.int8)
    if lost := len(row_id) - len(found):
        raise PredictionsError(f"{lost} of {len(row_id)} predictions are not of training rows.")
    if len(row_id) == 0 or found.min() != found.max():
        numbers = ", ".join(str(fold) for fold in np.unique(found)) or "none"
        raise PredictionsError(
            f"The predictions should be of the rows of one fold, and are of folds {numbers}."
        )
    y = np.concatenate(labels) if labels else np.empty(0)
    return _scored(prepared, y, row_id, partial(_read_chosen, prepared, tuple(kept_groups)))


def rows_in_memory(prepared: Prepared, rows: Rows) -> ScoredRows:
    """Return rows of a dataset that are in memory already."""
    return _scored(prepared, rows.y, rows.row_id, lambda: iter((rows.X,)))


def feed(rows: ScoredRows, accumulators: Sequence[Accumulator], *, width: int) -> None:
    """Read the features of all scored rows once, in order, for several accumulators together.

    Parameters
    ----------
    rows : ScoredRows
        The rows.
    accumulators : sequence of Accumulator
        Each is given every block; with none, nothing is read.
    width : int
        Columns of the widest array that an accumulator makes for a block beside the features,
        which bounds the memory: the number of clusters.
    """
    if not accumulators:
        return
    columns = max(rows.n_features, width)
    block_rows = max(LEAST_BLOCK_ROWS, BLOCK_BYTES // (8 * columns))
    start = 0
    for part in rows.parts():
        for first in range(0, len(part), block_rows):
            # float32 values are exact in float64, in which all sums are taken
            block = part[first : first + block_rows].astype(np.float64, copy=False)
            where = slice(start + first, start + first + len(block))
            for accumulator in accumulators:
                accumulator.add(block, where)
        start += len(part)


def _scored(
    prepared: Prepared,
    y: NDArray[Any],
    row_id: NDArray[np.int64],
    parts: Callable[[], Iterator[NDArray[Any]]],
) -> ScoredRows:
    return ScoredRows(
        n_features=prepared.n_features,
        y=y,
        row_id=row_id,
        label_kind=prepared.label_kind,
        classes=prepared.classes,
        title=str(prepared.location),
        parts=parts,
    )


def _read(prepared: Prepared, split: Split) -> Iterator[NDArray[Any]]:
    for group in prepared.row_groups:
        if group.test if split == "test" else group.train:
            yield read_rows(prepared, [group], split).X


def _read_chosen(
    prepared: Prepared, chosen: tuple[tuple[int, NDArray[np.bool_]], ...]
) -> Iterator[NDArray[Any]]:
    """Read the chosen training rows of some row groups, one group at a time."""
    for number, of_group in chosen:
        yield read_rows(prepared, [prepared.row_groups[number]], "train").X[of_group]
