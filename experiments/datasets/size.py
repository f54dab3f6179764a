"""Whether generated data can be kept at all, known before the first row is drawn."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import psutil

from experiments.datasets.options import (
    BlobsOptions,
    ClassificationOptions,
    DrawnOptions,
    MakeBlobsOptions,
    MakeClassificationOptions,
    RegressionOptions,
)
from experiments.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from experiments.datasets.options import MadeOptions, SourceOptions

_Drawn = (
    BlobsOptions
    | ClassificationOptions
    | RegressionOptions
    | MakeClassificationOptions
    | MakeBlobsOptions
)

# of every row that is drawn: its class, whether it is kept, its part and its fold
_HELD_BYTES = 5
# beside the features a row has a label, its number, its part and its fold
_ROW_BYTES = 4 + 8 + 1 + 1
# where the workers draw the rows: its part and its fold
_DRAWN_ROW_BYTES = 2
# while scikit-learn draws a matrix, shuffles its rows and then its features
_COPIES = 3.2
# and what it holds of a row beside: its class, its place, whether the class is drawn anew
_MADE_ROW_BYTES = 64


def check_size(options: MadeOptions, cache: Path) -> None:
    """Refuse generated data that is larger than the space left for it, on disk or in memory.

    Other sources are of a size that their files already have.

    Parameters
    ----------
    options : MadeOptions
        The source.
    cache : pathlib.Path
        Absolute path of the folder that prepared data is kept under; it need not exist.

    Raises
    ------
    RequestError
        With the size it would have, and what to lower.
    """
    if not isinstance(options, _Drawn):
        return
    n_rows, n_features = _shape(options)
    what = f"{n_rows:,} rows of {n_features:,} features"
    width = 4 if options.dtype == "float32" else 8
    row_bytes = n_features * width + _ROW_BYTES
    if isinstance(options, DrawnOptions) and options.generate == "on_workers":
        row_bytes = _DRAWN_ROW_BYTES
    needed = _kept_rows(options, n_rows) * row_bytes
    above = next(folder for folder in (cache, *cache.parents) if folder.is_dir())
    free = shutil.disk_usage(above).free
    if needed > free:
        raise RequestError(
            f"dataset: {what} take {needed / 2**30:,.1f} GiB on disk, and {above} has "
            f"{free / 2**30:,.1f} GiB left; lower {size_keys(options)}, or set ENGINEBENCH_CACHE "
            f"to a folder with more space."
        )

    if isinstance(options, MakeClassificationOptions | MakeBlobsOptions):
        _check_made(options, what)
        return
    held, memory = n_rows * _HELD_BYTES, psutil.virtual_memory().total
    if held > memory:
        raise RequestError(
            f"dataset.n_samples: to draw and split {n_rows:,} rows takes {held / 2**30:,.1f} GiB "
            f"of memory, and this machine has {memory / 2**30:,.1f} GiB; lower it."
        )


def size_keys(options: MadeOptions) -> str:
    """Return the keys of a definition that make the data smaller, for messages."""
    if isinstance(options, ClassificationOptions | MakeClassificationOptions):
        return "dataset.n_samples, n_features, n_informative or n_clusters_per_class"
    if isinstance(options, BlobsOptions | RegressionOptions | MakeBlobsOptions):
        return "dataset.n_samples or dataset.n_features"
    return "the number of rows or columns of the source"


def _check_made(options: MakeClassificationOptions | MakeBlobsOptions, what: str) -> None:
    """Refuse what scikit-learn could not draw in the memory that is free."""
    held, free = _made_bytes(options), psutil.virtual_memory().available
    if held > free:
        raise RequestError(
            f"dataset: scikit-learn draws all {what} in memory, which takes "
            f"{held / 2**30:,.1f} GiB, and {free / 2**30:,.1f} GiB are free; lower "
            f"{size_keys(options)}, or choose the source {options.source.removeprefix('make_')!r}, "
            f"which is drawn in blocks."
        )


def _made_bytes(options: MakeClassificationOptions | MakeBlobsOptions) -> float:
    """Return the most bytes that scikit-learn holds while it draws all rows."""
    n_rows, n_features = options.shape
    held = n_rows * (n_features * 8 * _COPIES + _MADE_ROW_BYTES)
    if isinstance(options, MakeClassificationOptions):
        n_clouds = options.n_classes * options.n_clusters_per_class
        # corners as bits, then as numbers; and the mixing of one cloud
        held += 24 * n_clouds * options.n_informative + 24 * options.n_informative**2
    return held


def _shape(options: _Drawn) -> tuple[int, int]:
    if isinstance(options, MakeClassificationOptions | MakeBlobsOptions):
        return options.shape
    return options.n_samples, options.n_features


def _kept_rows(options: SourceOptions, n_rows: int) -> int:
    sample = options.sample
    if sample is None:
        return n_rows
    kept = sample if isinstance(sample, int) else int(sample * n_rows)
    return min(kept, n_rows)
