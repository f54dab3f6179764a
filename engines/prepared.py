"""The prepared dataset at rest, as every engine reads it.

A folder holds Parquet files with one column a feature, and ``label``, ``row_id``, ``split`` and
``fold``; its ``dataset.json`` says what they hold. `experiments.datasets` writes it, whole or not
at all; nothing here writes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from engines.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from engines.types import Split

SCHEMA = 1
MANIFEST = "dataset.json"
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


@dataclass(frozen=True)
class Prepared:
    """What ``dataset.json`` says of a prepared dataset.

    Parameters
    ----------
    path : pathlib.Path
        The folder.
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
    """

    path: Path
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


def open_prepared(path: Path) -> Prepared:
    """Read the description of a prepared dataset and check that the folder is whole.

    Raises
    ------
    SpecError
        If ``dataset.json`` is missing or unreadable, was written by a newer version, or a file it
        names is missing or has another size.
    """
    manifest = path / MANIFEST
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SpecError(_incomplete(path, f"{MANIFEST} is missing")) from None
    except (OSError, ValueError) as exc:
        raise SpecError(_incomplete(path, f"{MANIFEST} cannot be read")) from exc
    if content.get("schema") != SCHEMA:
        raise SpecError(
            f"The dataset folder {path} has schema {content.get('schema')!r}, and this version "
            f"reads {SCHEMA}; delete the folder and run again."
        )
    for file in content["files"]:
        part = path / file["name"]
        if not part.is_file():
            raise SpecError(_incomplete(path, f"{file['name']} is missing"))
        if part.stat().st_size != file["bytes"]:
            raise SpecError(_incomplete(path, f"{file['name']} is not {file['bytes']} bytes long"))
    return Prepared(
        path=path,
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
    import pyarrow.parquet as pq

    n_rows = sum(group.train if split == "train" else group.test for group in row_groups)
    X = np.empty((n_rows, prepared.n_features), dtype=prepared.dtype)
    labelled = prepared.label_kind != "none"
    y_dtype = np.int32 if prepared.label_kind == "classes" else np.float64
    y = np.empty(n_rows if labelled else 0, dtype=y_dtype)
    row_id = np.empty(n_rows, dtype=np.int64)
    fold = np.empty(n_rows, dtype=np.int8)

    start = 0
    for name, groups in groupby(row_groups, key=lambda group: group.file):
        with pq.ParquetFile(prepared.path / name) as file:
            for group in groups:
                table = file.read_row_group(group.index, use_threads=False)
                kept = table["split"].to_numpy() == SPLIT_CODES[split]
                stop = start + int(kept.sum())
                for column, feature in enumerate(prepared.features):
                    X[start:stop, column] = table[feature].to_numpy()[kept]
                if labelled:
                    y[start:stop] = table["label"].to_numpy()[kept]
                row_id[start:stop] = table["row_id"].to_numpy()[kept]
                fold[start:stop] = table["fold"].to_numpy()[kept]
                start = stop
    return Rows(X, y, row_id, fold)


def read_labels(prepared: Prepared, split: Split) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Read the labels and row numbers of one split, without the features.

    Returns
    -------
    y : ndarray of shape (n_rows,)
        int32 class numbers or float64 values; empty (length 0) where there is no label.
    row_id : ndarray of shape (n_rows,), dtype int64
        Increasing.
    """
    import pyarrow.parquet as pq

    labelled = prepared.label_kind != "none"
    y_dtype = np.int32 if prepared.label_kind == "classes" else np.float64
    y = np.empty(prepared.counts[split] if labelled else 0, dtype=y_dtype)
    row_id = np.empty(prepared.counts[split], dtype=np.int64)
    columns = ["split", "row_id", *(["label"] if labelled else [])]

    start = 0
    for name, groups in groupby(prepared.row_groups, key=lambda group: group.file):
        with pq.ParquetFile(prepared.path / name) as file:
            for group in groups:
                table = file.read_row_group(group.index, columns=columns, use_threads=False)
                kept = table["split"].to_numpy() == SPLIT_CODES[split]
                stop = start + int(kept.sum())
                row_id[start:stop] = table["row_id"].to_numpy()[kept]
                if labelled:
                    y[start:stop] = table["label"].to_numpy()[kept]
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
    import pyarrow.parquet as pq

    folds, numbers = [], []
    for name, groups in groupby(prepared.row_groups, key=lambda group: group.file):
        with pq.ParquetFile(prepared.path / name) as file:
            table = file.read_row_groups(
                [group.index for group in groups],
                columns=["split", "fold", "row_id"],
                use_threads=False,
            )
        kept = table["split"].to_numpy() == SPLIT_CODES[split]
        folds.append(table["fold"].to_numpy()[kept])
        numbers.append(table["row_id"].to_numpy()[kept])
    return np.concatenate(folds), np.concatenate(numbers)


def _incomplete(path: Path, what: str) -> str:
    return f"The dataset folder {path} is incomplete: {what}; delete the folder and run again."
