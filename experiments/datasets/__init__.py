"""Sources of data, and the prepared Parquet folder that every engine reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from experiments.datasets.centers import draw_initial_centers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engines.locations import Location
    from engines.prepared import Prepared
    from experiments.datasets.options import DatasetOptions, FoldOptions, SplitOptions

__all__ = ["draw_initial_centers", "prepare"]


def prepare(
    dataset: DatasetOptions,
    split: SplitOptions | None,
    *,
    label_kind: Literal["auto", "classes", "numbers"],
    min_row_groups: int,
    folds: FoldOptions | None = None,
    learns_label: bool = True,
    cache: Path | None = None,
    storage: Location | None = None,
    block_rows: int = 65_536,
    exact_rows: int = 10_000_000,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> Prepared:
    """Write a dataset as the Parquet folder that every engine reads, or find it in the cache.

    The data is read in blocks, so that memory holds a few pages of it and never all. The bytes
    written depend on the arguments but not on ``block_rows``.

    Parameters
    ----------
    dataset : DatasetOptions
        The source and what is done to its rows.
    split : SplitOptions or None
        What is held out; None trains and scores on all rows.
    label_kind : {"auto", "classes", "numbers"}
        What the label is to be. "auto" reads it off the values, and needs no label.
    min_row_groups : int
        Least number of row groups, where there are as many rows; at least the number of cores.
    folds : FoldOptions, optional
        Folds among the training rows, for a search; only where the split asks for none.
    learns_label : bool
        Whether a label that no model could learn is refused: the same value in every row, a class
        that no training row has, or text with too many distinct values, which is left out
        otherwise. Changes nothing in what is written.
    cache : pathlib.Path, optional
        Where prepared datasets are kept; ``$ENGINEBENCH_CACHE``, or ``enginebench`` under
        ``$XDG_CACHE_HOME`` or ``~/.cache``, when not given.
    storage : engines.locations.Location, optional
        Folder that engines are to read the dataset from, where it is copied if it is not there; the
        cache when not given. Nothing is copied where the dataset has no files.
    block_rows : int
        Most rows held at a time while reading.
    exact_rows : int
        Most rows that are sampled exactly and split as scikit-learn does. Beyond, a seeded hash
        of the row number decides, and a note in the result says so.
    on_progress : callable, optional
        Called with the rows done and the rows in all, counting each pass over the data; the
        latter is None while the source is first read and its length unknown.

    Returns
    -------
    engines.prepared.Prepared
        Description of the folder; the ``url`` is where engines read it, if not there.

    Raises
    ------
    RequestError
        If the source cannot be read, holds what a feature or label must not, cannot be split as
        asked, or the cache or the storage cannot be written; or if data that was prepared before
        is not what is asked for.
    """
    from experiments.datasets.options import PreparedOptions

    if isinstance(dataset, PreparedOptions):
        from experiments.datasets.existing import open_existing

        prepared = open_existing(
            dataset, split, label_kind=label_kind, folds=folds, learns_label=learns_label
        )
        return _stored(prepared, storage)
    from experiments.datasets.preparation import Request, prepare_folder

    request = Request(
        dataset, split, label_kind, min_row_groups, exact_rows, block_rows, learns_label, folds
    )
    return _stored(prepare_folder(request, cache, on_progress or _nothing), storage)


def _stored(prepared: Prepared, storage: Location | None) -> Prepared:
    if storage is None:
        return prepared
    from experiments.datasets.storage import publish

    return publish(prepared, storage)


def _nothing(done: int, total: int | None) -> None:
    """Report no progress."""
