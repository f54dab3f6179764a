"""The prepared dataset at rest, as every engine reads it.

A folder holds Parquet files with one column a feature, and ``label``, ``row_id``, ``split`` and
``fold``; its ``dataset.json`` says what they hold. `experiments.datasets` writes it, whole or not
at all; nothing here writes. The folder may be anywhere that pyarrow or fsspec can read, and in the
place of files there may be `Blocks`, which make the same rows where they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np

from engines.errors import SpecError
from engines.locations import Location
from engines.manifest import DRAWN, read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from engines.types import Split

RESERVED_COLUMNS = ("label", "row_id", "split", "fold")
SPLIT_CODES: dict[Split, int] = {"train": 0, "test": 1}


@dataclass(frozen=True)
class RowGroup:
    """One row group of one file: the least that a reader can ask for.

    Parameters
    ----------
    file : str
        Name of the file within the folder.
    index : int
        Number of the row group within the file.
    train, test : int
        Rows of each split in it.
    """

    file: str
    index: int
    train: int
    test: int


class Blocks(Protocol):
    """What makes the rows of a dataset that has no files; it pickles to workers."""

    def read(self, row_groups: Sequence[RowGroup], split: Split) -> Rows:
        """Make the rows of one split of some row groups, in order."""
        ...

    def columns(
        self, row_groups: Sequence[RowGroup], names: Sequence[str]
    ) -> Iterator[dict[str, NDArray[Any]]]:
        """Make columns that are no features, of every row of one row group after the other."""
        ...

    def part(self, row_groups: Sequence[RowGroup]) -> Blocks:
        """Return blocks that make these adjacent row groups, and hold no more than that takes."""
        ...


@dataclass(frozen=True)
class Prepared:
    """What ``dataset.json`` says of a prepared dataset.

    Parameters
    ----------
    path : pathlib.Path or None
        The folder on this machine; None where it is read by its URL.
    fingerprint : str
        SHA-256 of everything that determines the content.
    features : tuple of str
        Names of the feature columns, in the order of the matrix.
    dtype : {"float32", "float64"}
        Type of every feature.
    label_kind : {"none", "classes", "numbers"}
        Absent; class numbers 0 ... n_classes - 1 (int32); or values (float64).
    classes : tuple of str
        Names of the classes, in the order of their numbers.
    counts : dict
        Rows of each split; "test" is 0 where nothing is held out.
    mean_variance : float
        Mean over the features of their variance (divisor n) over the training rows.
    n_folds : int
        Folds among the training rows; 0 where none were asked.
    row_groups : tuple of RowGroup
        In the order of the rows.
    notes : tuple of str
        What a reader must know of how the data was prepared.
    url : str or None
        Where every machine of a cluster finds a copy of the folder; None where nowhere but under
        ``path``.
    blocks : Blocks or None
        What makes the rows; None where they are in files.
    """

    path: Path | None
    fingerprint: str
    features: tuple[str, ...]
    dtype: Literal["float32", "float64"]
    label_kind: Literal["none", "classes", "numbers"]
    classes: tuple[str, ...]
    counts: dict[Split, int]
    mean_variance: float
    n_folds: int
    row_groups: tuple[RowGroup, ...]
    notes: tuple[str, ...]
    url: str | None = None
    blocks: Blocks | None = None

    @property
    def location(self) -> Location:
        """Where this process reads it."""
        return Location(self.address if self.path is None else str(self.path))

    @property
    def address(self) -> str:
        """The path or URL by which it is opened for engines."""
        return str(self.path) if self.url is None else self.url

    def part(self, row_groups: Sequence[RowGroup]) -> Prepared:
        """Return adjacent row groups as a dataset, which holds no more than reading them takes."""
        return replace(
            self,
            counts={
                "train": sum(group.train for group in row_groups),
                "test": sum(group.test for group in row_groups),
            },
            row_groups=tuple(row_groups),
            blocks=None if self.blocks is None else self.blocks.part(row_groups),
        )

    @property
    def n_features(self) -> int:
        """Number of feature columns."""
        return len(self.features)

    @property
    def n_rows(self) -> int:
        """Number of rows of both splits."""
        return self.counts["train"] + self.counts["test"]

    @property
    def scored_split(self) -> Split:
        """The rows that predictions are scored on: held out, or all where nothing is."""
        return "test" if self.counts["test"] else "train"

    @property
    def task(self) -> Literal["binary", "multiclass", "regression"] | None:
        """What can be learned from the label; None without one."""
        if self.label_kind == "numbers":
            return "regression"
        if self.label_kind == "classes":
            return "binary" if len(self.classes) == 2 else "multiclass"
        return None


class Rows(NamedTuple):
    """Rows of a prepared dataset in memory, as NumPy arrays of equal length.

    Attributes
    ----------
    X : ndarray of shape (n_rows, n_features)
        Features, C-order, in the dataset's dtype.
    y : ndarray of shape (n_rows,)
        int32 class numbers or float64 values; empty (length 0) where there is no label.
    row_id : ndarray of shape (n_rows,), dtype int64
        Increasing.
    fold : ndarray of shape (n_rows,), dtype int8
        -1 for rows in no fold.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    row_id: NDArray[np.int64]
    fold: NDArray[np.int8]


def open_prepared(where: Path | str, blocks: Blocks | None = None) -> Prepared:
    """Read the description of a prepared dataset and check that the folder is whole.

    Parameters
    ----------
    where : pathlib.Path or str
        The folder, or its URL.
    blocks : Blocks, optional
        What makes the rows, for a folder that has none.

    Raises
    ------
    SpecError
        If ``dataset.json`` is missing or unreadable, was written by a newer version, or a file it
        names is missing or has another size.
    """
    location = Location(str(where))
    content = read_manifest(location)
    if content.get(DRAWN) is not None and blocks is None:
        raise SpecError(
            f"The dataset folder {location} has no rows, only how to draw them; set "
            f"dataset.generate to prepared to have them in files."
        )
    return Prepared(
        path=where if isinstance(where, Path) else None if location.is_url else Path(where),
        fingerprint=content["fingerprint"],
        features=tuple(content["features"]),
        dtype=content["dtype"],
        label_kind=content["label"]["kind"],
        classes=tuple(content["label"]["classes"]),
        counts={"train": content["counts"]["train"], "test": content["counts"]["test"]},
        mean_variance=content["mean_variance"],
        n_folds=content["folds"],
        row_groups=tuple(RowGroup(**group) for group in content["row_groups"]),
        notes=tuple(content["notes"]),
        url=str(location) if location.is_url else None,
        blocks=blocks,
    )


def read_rows(prepared: Prepared, row_groups: Sequence[RowGroup], split: Split) -> Rows:
    """Read the rows of one split from some row groups.

    Parameters
    ----------
    prepared : Prepared
        The dataset.
    row_groups : sequence of RowGroup
        Which of its row groups, in order.
    split : {"train", "test"}
        Which of their rows.

    Returns
    -------
    Rows
        Freshly allocated; the matrix is filled one row group after the other, so that no second
        copy of it ever exists.
    """
    if prepared.blocks is not None:
        return prepared.blocks.read(row_groups, split)
    rows = empty_rows(prepared, _rows_of(row_groups, split))
    X, y, row_id, fold = rows
    start = 0
    folder = prepared.location.connect()
    for name, groups in groupby(row_groups, key=lambda group: group.file):
        with folder.parquet(name) as file:
            for group in groups:
                table = file.read_row_group(group.index, use_threads=False)
                kept = table["split"].to_numpy() == SPLIT_CODES[split]
                stop = start + int(kept.sum())
                for column, feature in enumerate(prepared.features):
                    X[start:stop, column] = table[feature].to_numpy()[kept]
                if len(y):
                    y[start:stop] = table["label"].to_numpy()[kept]
                row_id[start:stop] = table["row_id"].to_numpy()[kept]
                fold[start:stop] = table["fold"].to_numpy()[kept]
                start = stop
    return rows


def empty_rows(prepared: Prepared, n_rows: int) -> Rows:
    """Return room for so many rows of a dataset, still to be filled."""
    return Rows(
        X=np.empty((n_rows, prepared.n_features), dtype=prepared.dtype),
        y=_empty_labels(prepared, n_rows),
        row_id=np.empty(n_rows, dtype=np.int64),
        fold=np.empty(n_rows, dtype=np.int8),
    )


def read_columns(
    prepared: Prepared, row_groups: Sequence[RowGroup], names: Sequence[str]
) -> Iterator[dict[str, NDArray[Any]]]:
    """Read some columns of all rows, of one row group after the other.

    Parameters
    ----------
    prepared : Prepared
        The dataset.
    row_groups : sequence of RowGroup
        Which of its row groups, in order.
    names : sequence of str
        Which of ``label``, ``row_id``, ``split`` and ``fold``.

    Yields
    ------
    dict
        Name to values, in order.
    """
    if prepared.blocks is not None:
        yield from prepared.blocks.columns(row_groups, names)
        return
    folder = prepared.location.connect()
    for file_name, groups in groupby(row_groups, key=lambda group: group.file):
        with folder.parquet(file_name) as file:
            for group in groups:
                table = file.read_row_group(group.index, columns=list(names), use_threads=False)
                yield {name: table[name].to_numpy() for name in names}


def read_labels(prepared: Prepared, split: Split) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Read the labels and row numbers of one split, without the features.

    Returns
    -------
    y : ndarray of shape (n_rows,)
        int32 class numbers or float64 values; empty (length 0) where there is no label.
    row_id : ndarray of shape (n_rows,), dtype int64
        Increasing.
    """
    y = _empty_labels(prepared, prepared.counts[split])
    row_id = np.empty(prepared.counts[split], dtype=np.int64)
    columns = ["split", "row_id", *(["label"] if prepared.label_kind != "none" else [])]

    start = 0
    for group in read_columns(prepared, prepared.row_groups, columns):
        kept = group["split"] == SPLIT_CODES[split]
        stop = start + int(kept.sum())
        row_id[start:stop] = group["row_id"][kept]
        if "label" in group:
            y[start:stop] = group["label"][kept]
        start = stop
    return y, row_id


def read_folds(prepared: Prepared, split: Split) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Read the folds and row numbers of one split, without the features.

    Returns
    -------
    fold : ndarray of shape (n_rows,), dtype int8
        -1 for rows in no fold.
    row_id : ndarray of shape (n_rows,), dtype int64
        Increasing.
    """
    folds, numbers = [], []
    for group in read_columns(prepared, prepared.row_groups, ("split", "fold", "row_id")):
        kept = group["split"] == SPLIT_CODES[split]
        folds.append(group["fold"][kept])
        numbers.append(group["row_id"][kept])
    return np.concatenate(folds), np.concatenate(numbers)


def _rows_of(row_groups: Sequence[RowGroup], split: Split) -> int:
    return sum(group.train if split == "train" else group.test for group in row_groups)


def _empty_labels(prepared: Prepared, n_rows: int) -> NDArray[Any]:
    y_dtype = np.int32 if prepared.label_kind == "classes" else np.float64
    return np.empty(n_rows if prepared.label_kind != "none" else 0, dtype=y_dtype)
