"""From a source to a prepared folder: check, sample, split, scale, write."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.errors import SpecError
from engines.manifest import DRAWN, MANIFEST, SCHEMA
from experiments.datasets.cache import default_cache, new_folder
from experiments.datasets.labels import kept_labels
from experiments.datasets.moments import Moments, Scaling, scaling
from experiments.datasets.opening import open_dataset
from experiments.datasets.options import (
    BundledOptions,
    CsvOptions,
    GeneratedOptions,
    MakeBlobsOptions,
    MakeClassificationOptions,
    OpenmlOptions,
    ParquetOptions,
)
from experiments.datasets.size import check_size, size_keys
from experiments.datasets.splits import choose_rows, split_rows, unlearnable
from experiments.datasets.table import page_rows, paged
from experiments.datasets.writer import PartCounter, PartWriter, group_rows
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from engines.prepared import Prepared
    from experiments.datasets.labels import LabelKind
    from experiments.datasets.options import FoldOptions, MadeOptions, SplitOptions
    from experiments.datasets.splits import Parts
    from experiments.datasets.table import Page, Progress, Table

# a change of what is written for the same options must change the fingerprint too
_FORMAT = 3
# the manifest's own key for why no model could learn the label: null where one could
UNLEARNABLE = "unlearnable"


@dataclass(frozen=True)
class Request:
    """All that a prepared dataset depends on, and how to work at it.

    Parameters
    ----------
    dataset : MadeOptions
        The source and what is done to its rows.
    split : SplitOptions or None
        What is held out.
    label_kind : {"auto", "classes", "numbers"}
        What the label is to be.
    min_row_groups : int
        Least number of row groups, where there are as many rows.
    exact_rows : int
        Most rows that are sampled and split exactly.
    block_rows : int
        Most rows held at a time while reading; changes nothing in the result.
    learns_label : bool
        Whether a label that no model could learn is refused; changes nothing in the result.
    folds : FoldOptions or None
        Folds of a search.
    """

    dataset: MadeOptions
    split: SplitOptions | None
    label_kind: LabelKind
    min_row_groups: int
    exact_rows: int
    block_rows: int
    learns_label: bool
    folds: FoldOptions | None = None


def prepare_folder(request: Request, cache: Path | None, on_progress: Progress) -> Prepared:
    """Return the prepared dataset from the cache, writing it there first if need be.

    Raises
    ------
    RequestError
        If the request cannot be carried out, or the cache cannot be used.
    """
    where = default_cache() if cache is None else cache.absolute()
    fingerprint = fingerprint_of(request)
    # the rows are the same, and what the folder holds is not
    drawn = "" if _drawn_by_workers(request) is None else "-drawn"
    final = where / f"{request.dataset.source}-{fingerprint[:16]}{drawn}"
    try:
        if not final.is_dir():
            check_size(request.dataset, where)
            table = open_table(request, on_progress)
            with new_folder(final) as folder:
                _fill(folder, request, table, fingerprint, on_progress)
        prepared = open_dataset(final)
        refuse_unlearnable(
            json.loads((final / MANIFEST).read_bytes())[UNLEARNABLE], learns=request.learns_label
        )
    except SpecError as exc:
        raise RequestError(str(exc)) from exc
    except MemoryError as exc:
        keys = size_keys(request.dataset)
        raise RequestError(
            f"Preparing the data takes more memory than there is; lower {keys}."
        ) from exc
    except OSError as exc:
        raise RequestError(
            f"The prepared dataset cannot be kept in {final}: {exc.strerror or exc}; free space "
            f"or set ENGINEBENCH_CACHE to another folder."
        ) from exc
    return prepared


def fingerprint_of(request: Request) -> str:
    """Return the SHA-256 of everything that determines the content.

    Files count by path, size and time of change; libraries that draw, split or bundle rows by
    their version.
    """
    options = request.dataset
    content: dict[str, Any] = {
        "format": _FORMAT,
        "dataset": options.model_dump(mode="json"),
        "split": request.split.model_dump(mode="json") if request.split is not None else None,
        "folds": asdict(request.folds) if request.folds is not None else None,
        "label_kind": request.label_kind,
        "min_row_groups": request.min_row_groups,
        "exact_rows": request.exact_rows,
        "versions": {name: metadata.version(name) for name in ("numpy", "scikit-learn")},
    }
    content["dataset"].pop("generate", None)  # the rows are the same
    if isinstance(options, CsvOptions | ParquetOptions):
        from experiments.datasets.files import find_files

        del content["dataset"]["path"]
        files = find_files(options.path, options.source)
        content["files"] = [
            (str(file), status.st_size, status.st_mtime_ns)
            for file in files
            for status in (file.stat(),)
        ]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def open_table(request: Request, on_progress: Progress) -> Table:
    """Open the source that is asked for and check its content.

    Raises
    ------
    RequestError
        If it cannot be opened, or holds what it must not.
    """
    options = request.dataset
    if isinstance(options, BundledOptions):
        from experiments.datasets.bundled import open_bundled

        return open_bundled(options, request.label_kind)
    if isinstance(options, CsvOptions | ParquetOptions | OpenmlOptions):
        return _open_columns(options, request, on_progress)
    if isinstance(options, MakeClassificationOptions | MakeBlobsOptions):
        from experiments.datasets.made import open_made

        return open_made(options, request.label_kind)
    from experiments.datasets.generated import open_generated

    return open_generated(options, request.label_kind)


def _open_columns(
    options: CsvOptions | ParquetOptions | OpenmlOptions, request: Request, on_progress: Progress
) -> Table:
    from experiments.datasets.columns import open_columns

    label = options.label
    if isinstance(options, CsvOptions):
        from experiments.datasets.csv_files import open_csv

        source = open_csv(options)
    elif isinstance(options, ParquetOptions):
        from experiments.datasets.parquet_files import open_parquet

        source = open_parquet(options)
    else:
        from experiments.datasets.openml import open_openml

        source, label = open_openml(options)
    if label is None and request.label_kind != "auto":
        raise RequestError(
            f"{source.title} is given without a label, and learning needs one; name its column "
            f"with dataset.label."
        )
    return open_columns(
        source,
        features=options.features,
        label=label,
        label_kind=request.label_kind,
        block_rows=min(request.block_rows, page_rows(len(source.names))),
        on_rows=on_progress,
    )


def _fill(
    folder: Path, request: Request, table: Table, fingerprint: str, on_progress: Progress
) -> None:
    options = request.dataset
    refuse_unlearnable(table.unlearnable, learns=request.learns_label)
    keep, sample_note = choose_rows(
        table.n_rows, options.sample, options.sample_seed, request.exact_rows
    )
    n_rows = table.n_rows if keep is None else int(keep.sum())
    labels = table.labels if keep is None else kept_labels(table.labels, keep)
    parts = split_rows(n_rows, request.split, labels, request.exact_rows, request.folds)

    unfit = table.unlearnable or unlearnable(
        parts.split, labels, stratified=request.split is not None and request.split.stratify
    )
    refuse_unlearnable(unfit, learns=request.learns_label)

    passes = 2 if options.standardize or options.levels else 1
    pages = _Pages(request, table, keep, n_rows * passes, on_progress)
    how = None
    if passes == 2:
        how = _scaling(pages, table, parts, request)
    final = Moments(len(table.features))
    targets = Moments(1)
    label_dtype = {"none": None, "classes": "int32", "numbers": "float64"}[labels.kind]
    size = group_rows(n_rows, len(table.features), request.min_row_groups)
    source = _drawn_by_workers(request)
    with (
        PartWriter(folder, table.features, options.dtype, label_dtype, size)
        if source is None
        else PartCounter(size)
    ) as writer:
        for page in pages:
            columns = page.columns if how is None else how.apply(page.columns)
            if options.dtype == "float32":
                columns = _cast(columns, table)
            split = parts.split[page.rows]
            final.add(_training(columns, split))
            y = labels.codes[page.rows] if labels.kind == "classes" else page.y
            if labels.kind == "numbers":
                targets.add(_training(y[None, :], split))
            writer.append(columns, y, split, parts.fold[page.rows])
        writer.finish()
    constant = len(labels.classes) == 1
    if labels.kind == "numbers" and targets.low[0] == targets.high[0]:
        constant = True
        unfit = (
            f"The label {labels.name!r} of {table.title} has the same value {targets.low[0]:g} in "
            f"every training row, so there is nothing to learn; choose another label, or none."
        )
    refuse_unlearnable(unfit, learns=request.learns_label)
    mean_variance = float(final.variance.mean())
    if not np.isfinite(mean_variance):
        raise RequestError(
            f"The features of {table.title} are too large for their variance to be a number; "
            f"scale them down."
        )
    n_test = int(parts.split.sum(dtype=np.int64))
    notes = [
        *table.notes,
        sample_note,
        *parts.notes,
        f"The label {labels.name!r} has the same value in every training row."
        if constant
        else None,
        "Folds are written to the data; only a search uses them."
        if request.split is not None and request.split.folds
        else None,
    ]
    drawn, files = None, writer.files
    if source is not None:
        from experiments.datasets.drawn import PARTS, describe_drawn, write_parts

        fold = parts.fold if parts.n_folds else None
        write_parts(folder, source, keep=keep, split=parts.split, fold=fold, scaling=how)
        drawn, files = describe_drawn(source, size), [PARTS]
        notes.append(
            "Every worker draws its own rows when they are loaded, so that the time to load is "
            "that of drawing; prepared files would hold the same rows."
        )
    _write_manifest(
        folder,
        {
            "schema": SCHEMA,
            "fingerprint": fingerprint,
            "source": options.source,
            "files": [{"name": name, "bytes": (folder / name).stat().st_size} for name in files],
            "features": list(table.features),
            "dtype": options.dtype,
            "label": {"kind": labels.kind, "classes": list(labels.classes), "name": labels.name},
            "counts": {"train": n_rows - n_test, "test": n_test},
            "mean_variance": mean_variance,
            "folds": parts.n_folds,
            "row_groups": writer.row_groups,
            "notes": [note for note in notes if note is not None],
            UNLEARNABLE: unfit,
            **({} if drawn is None else {DRAWN: drawn}),
        },
    )


def refuse_unlearnable(why: str | None, *, learns: bool) -> None:
    """Refuse a label that no model could learn, where one is to learn it.

    Raises
    ------
    RequestError
        With the reason.
    """
    if why is not None and learns:
        raise RequestError(why)


def _drawn_by_workers(request: Request) -> GeneratedOptions | None:
    """Return the options of a source whose rows the workers draw; None for all others."""
    options = request.dataset
    if isinstance(options, GeneratedOptions) and options.generate == "on_workers":
        return options
    return None


def _scaling(pages: _Pages, table: Table, parts: Parts, request: Request) -> Scaling:
    moments = Moments(len(table.features))
    for page in pages:
        moments.add(_training(page.columns, parts.split[page.rows]))
    options = request.dataset
    with np.errstate(over="ignore", invalid="ignore"):
        how = scaling(moments, standardize=options.standardize, levels=options.levels)
        finite = np.isfinite(how.high - how.low) & np.isfinite(how.scale)
    if not finite.all():
        name = table.features[int(np.argmin(finite))]
        raise RequestError(
            f"The feature {name!r} of {table.title} is too large for its variance to be a number; "
            f"scale it down."
        )
    return how


def _training(columns: NDArray[np.float64], split: NDArray[np.int8]) -> NDArray[np.float64]:
    rows = np.flatnonzero(split == 0)
    return columns if len(rows) == len(split) else np.take(columns, rows, axis=1)


def _cast(columns: NDArray[np.float64], table: Table) -> NDArray[np.float64]:
    """Round to float32, kept as float64 so that moments are added up alike for both types."""
    with np.errstate(over="ignore"):
        rounded = columns.astype(np.float32).astype(np.float64)
    too_large = np.isinf(rounded).any(axis=1)
    if too_large.any():
        feature = int(np.argmax(too_large))
        value = columns[feature][np.isinf(rounded[feature])][0]
        raise RequestError(
            f"The feature {table.features[feature]!r} of {table.title} has the value {value:g}, "
            f"which float32 cannot hold; set dataset.dtype to float64 or scale it down."
        )
    return rounded


def _write_manifest(folder: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


class _Pages:
    """The rows that are kept, page by page, as often as asked, with progress over all passes."""

    def __init__(
        self,
        request: Request,
        table: Table,
        keep: NDArray[np.bool_] | None,
        total: int,
        on_progress: Progress,
    ) -> None:
        self._block_rows = min(request.block_rows, page_rows(len(table.features)))
        self._table, self._keep = table, keep
        self._total, self._on_progress = total, on_progress
        self._done = 0

    def __iter__(self) -> Iterator[Page]:
        blocks = self._table.blocks(self._block_rows)
        for page in paged(blocks, len(self._table.features), self._keep):
            yield page
            self._done += page.columns.shape[1]
            self._on_progress(self._done, self._total)
