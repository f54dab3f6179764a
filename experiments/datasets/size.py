"""Whether generated data can be kept at all, known before the first row is drawn."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import psutil

from experiments.datasets.options import (
    BlobsOptions,
    ClassificationOptions,
    RegressionOptions,
)
from experiments.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from experiments.datasets.options import DatasetOptions

# of every row that is drawn: its class, whether it is kept, its part and its fold
_HELD_BYTES = 5
# beside the features a row has a label, its number, its part and its fold
_ROW_BYTES = 4 + 8 + 1 + 1


def check_size(options: DatasetOptions, cache: Path) -> None:
    """Refuse generated data that is larger than the space left for it, on disk or in memory.

    Other sources are of a size that their files already have.

    Parameters
    ----------
    options : DatasetOptions
        The source.
    cache : pathlib.Path
        Absolute path of the folder that prepared data is kept under; it need not exist.

    Raises
    ------
    RequestError
        With the size it would have, and what to lower.
    """
    if not isinstance(options, BlobsOptions | ClassificationOptions | RegressionOptions):
        return
    width = 4 if options.dtype == "float32" else 8
    needed = _kept_rows(options) * (options.n_features * width + _ROW_BYTES)
    above = next(folder for folder in (cache, *cache.parents) if folder.is_dir())
    free = shutil.disk_usage(above).free
    if needed > free:
        raise RequestError(
            f"dataset: {options.n_samples:,} rows of {options.n_features:,} features take "
            f"{needed / 2**30:,.1f} GiB on disk, and {above} has {free / 2**30:,.1f} GiB left; "
            f"lower {size_keys(options)}, or set ENGINEBENCH_CACHE to a folder with more space."
        )

    held, memory = options.n_samples * _HELD_BYTES, psutil.virtual_memory().total
    if held > memory:
        raise RequestError(
            f"dataset.n_samples: to draw and split {options.n_samples:,} rows takes "
            f"{held / 2**30:,.1f} GiB of memory, and this machine has {memory / 2**30:,.1f} GiB; "
            f"lower it."
        )


def size_keys(options: DatasetOptions) -> str:
    """Return the keys of a definition that make the data smaller, for messages."""
    if isinstance(options, ClassificationOptions):
        return "dataset.n_samples, n_features, n_informative or n_clusters_per_class"
    if isinstance(options, BlobsOptions | RegressionOptions):
        return "dataset.n_samples or dataset.n_features"
    return "the number of rows or columns of the source"


def _kept_rows(options: BlobsOptions | ClassificationOptions | RegressionOptions) -> int:
    sample = options.sample
    if sample is None:
        return options.n_samples
    kept = sample if isinstance(sample, int) else int(sample * options.n_samples)
    return min(kept, options.n_samples)
