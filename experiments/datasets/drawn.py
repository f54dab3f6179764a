"""Rows that are in no file: every worker draws its own, with the code that prepares them.

What cannot be known without all rows (the part and the fold of each, the scaling of the features)
is found once, while the rows pass by and are forgotten, and kept beside the description.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.errors import SpecError
from engines.manifest import DRAWN, read_manifest
from engines.prepared import SPLIT_CODES, Rows, open_prepared
from experiments.datasets.generated import draw_page, n_pages, recipe_of
from experiments.datasets.moments import Scaling
from experiments.datasets.options import (
    BlobsOptions,
    ClassificationOptions,
    RegressionOptions,
)
from experiments.datasets.table import page_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from engines.locations import Location
    from engines.prepared import Prepared, RowGroup
    from engines.types import Split
    from experiments.datasets.generated import DrawnPage, Options, Recipe

# what is known of each row, and of each feature
PARTS = "parts.npz"

_SOURCES: dict[str, type[Options]] = {
    "blobs": BlobsOptions,
    "classification": ClassificationOptions,
    "regression": RegressionOptions,
}


@dataclass(frozen=True)
class Kept:
    """Which rows of some adjacent pages of a source belong to the dataset.

    Parameters
    ----------
    first_page : int
        Number of the first page.
    starts : ndarray of shape (n_pages + 1,), dtype int64
        How many rows of the dataset come before each page, and before the page behind the last.
    bits : ndarray of dtype uint8 or None
        A bit for each row of these pages, as `numpy.packbits` packs them; None where all are kept.
    """

    first_page: int
    starts: NDArray[np.int64]
    bits: NDArray[np.uint8] | None

    def pages_of(self, start: int, stop: int) -> range:
        """Return the numbers of the pages that hold some rows of the dataset."""
        first = int(np.searchsorted(self.starts, start, side="right")) - 1
        last = int(np.searchsorted(self.starts, stop, side="left"))
        return range(self.first_page + first, self.first_page + last)

    def before(self, page: int) -> int:
        """Return how many rows of the dataset come before a page."""
        return int(self.starts[page - self.first_page])

    def rows_of(self, page: int, size: int, n_rows: int) -> NDArray[np.bool_] | None:
        """Return which of a page's rows are kept; None for all.

        ``size`` is the rows of a whole page, ``n_rows`` those of this one.
        """
        if self.bits is None:
            return None
        first = (page - self.first_page) * size // 8
        packed = self.bits[first : first + -(-n_rows // 8)]
        return np.unpackbits(packed, count=n_rows).view(np.bool_)

    def part(self, start: int, stop: int, size: int) -> Kept:
        """Return what it takes to know of the pages that hold some rows."""
        pages = self.pages_of(start, stop)
        first, last = pages.start - self.first_page, pages.stop - self.first_page
        bits = None if self.bits is None else self.bits[first * size // 8 : last * size // 8]
        return Kept(pages.start, self.starts[first : last + 1], bits)


@dataclass(frozen=True)
class DrawnBlocks:
    """Row groups of a source that is drawn (`engines.prepared.Blocks`).

    Parameters
    ----------
    options : BlobsOptions, ClassificationOptions or RegressionOptions
        The source.
    classes : tuple of str or None
        Names of the classes that some row has, which are numbers of the source; None where the
        label is numbers.
    scaling : Scaling or None
        What happens to the features after they are drawn.
    rows_a_group : int
        Rows of every row group but the last.
    kept : Kept
        Which rows of the source there are.
    first_row : int
        Number of the first row whose part is known.
    held_out : ndarray of dtype uint8
        A bit for each row, as `numpy.packbits` packs them: set where it is held out.
    fold : ndarray of shape (n_rows,), dtype int8, or None
        Fold of each row; None where there are no folds.
    numpy : str
        Version of NumPy that the dataset was prepared with: another may draw other numbers.
    """

    options: Options
    classes: tuple[str, ...] | None
    scaling: Scaling | None
    rows_a_group: int
    kept: Kept
    first_row: int
    held_out: NDArray[np.uint8]
    fold: NDArray[np.int8] | None
    numpy: str

    def read(self, row_groups: Sequence[RowGroup], split: Split) -> Rows:
        """Draw the rows of one split of some row groups, in order.

        Raises
        ------
        SpecError
            If NumPy here is another than the one that prepared the dataset.
        """
        spans = _spans(row_groups, self.rows_a_group)
        n_rows = sum(group.train if split == "train" else group.test for group in row_groups)
        X = np.empty((n_rows, self.options.n_features), dtype=self.options.dtype)
        y = np.empty(n_rows, dtype=np.float64 if self.classes is None else np.int32)
        row_id = np.empty(n_rows, dtype=np.int64)
        fold = np.empty(n_rows, dtype=np.int8)
        filled = 0
        recipe = recipe_of(self.options)
        for first, stop in spans:
            for start, page in self._pages(recipe, first, stop):
                of_page = slice(start, start + len(page.y))
                kept = np.flatnonzero(self._parts(of_page) == SPLIT_CODES[split])
                rows = slice(filled, filled + len(kept))
                columns = page.columns if self.scaling is None else self.scaling.apply(page.columns)
                for feature, values in enumerate(columns):
                    X[rows, feature] = values[kept]
                y[rows] = self._label(page)[kept]
                row_id[rows] = start + kept
                fold[rows] = self._folds(of_page)[kept]
                filled += len(kept)
        return Rows(X, y, row_id, fold)

    def columns(
        self, row_groups: Sequence[RowGroup], names: Sequence[str]
    ) -> Iterator[dict[str, NDArray[Any]]]:
        """Draw columns that are no features, of every row of one row group after the other."""
        labels = self._labels()
        for group in row_groups:
            ((start, stop),) = _spans([group], self.rows_a_group)
            rows = slice(start, stop)
            made: dict[str, NDArray[Any]] = {}
            for name in names:
                match name:
                    case "label":
                        made[name] = labels(rows)
                    case "row_id":
                        made[name] = np.arange(start, stop, dtype=np.int64)
                    case "split":
                        made[name] = self._parts(rows)
                    case _:
                        made[name] = self._folds(rows)
            yield made

    def part(self, row_groups: Sequence[RowGroup]) -> DrawnBlocks:
        """Return blocks that draw these adjacent row groups, and hold no more than that takes."""
        spans = _spans(row_groups, self.rows_a_group)
        start, stop = spans[0][0], spans[-1][1]
        rows = slice(start - self.first_row, stop - self.first_row)
        return replace(
            self,
            kept=self.kept.part(start, stop, page_rows(self.options.n_features)),
            first_row=start,
            held_out=np.packbits(self._parts(slice(start, stop)).view(np.bool_)),
            fold=None if self.fold is None else self.fold[rows],
        )

    def _labels(self) -> Callable[[slice], NDArray[Any]]:
        """Return what draws the labels of some rows; of rows in order it draws no page twice."""
        last: tuple[int, NDArray[Any]] = (-1, np.empty(0))
        recipe = recipe_of(self.options)

        def draw(rows: slice) -> NDArray[Any]:
            nonlocal last
            found = []
            for number in self.kept.pages_of(rows.start, rows.stop):
                if last[0] != number:
                    page = self._page(recipe, number, features=self.classes is None)
                    last = (number, self._label(page))
                before = self.kept.before(number)
                found.append(last[1][max(0, rows.start - before) : rows.stop - before])
            return np.concatenate(found)

        return draw

    def _pages(self, recipe: Recipe, start: int, stop: int) -> Iterator[tuple[int, DrawnPage]]:
        """Draw all pages that hold some rows, each cut to these rows, and say where it begins."""
        for number in self.kept.pages_of(start, stop):
            page, before = self._page(recipe, number), self.kept.before(number)
            cut = slice(max(0, start - before), min(len(page.y), stop - before))
            yield (
                before + cut.start,
                page._replace(
                    classes=page.classes[cut], columns=page.columns[:, cut], y=page.y[cut]
                ),
            )

    def _page(self, recipe: Recipe, number: int, *, features: bool = True) -> DrawnPage:
        """Draw those rows of a page that are kept."""
        if np.__version__ != self.numpy:
            raise SpecError(
                f"The rows were prepared with NumPy {self.numpy}, and NumPy {np.__version__} would "
                f"draw others here; install the same version on every machine."
            )
        page = draw_page(self.options, recipe, number, features=features)
        size, n_rows = page_rows(self.options.n_features), len(page.classes)
        kept = self.kept.rows_of(number, size, n_rows)
        if kept is None:
            return page
        return page._replace(
            classes=page.classes[kept],
            columns=page.columns[:, kept] if features else page.columns,
            y=page.y[kept] if len(page.y) else page.y,
        )

    def _label(self, page: DrawnPage) -> NDArray[Any]:
        if self.classes is None:
            return page.y
        numbers = np.empty(int(self.classes[-1]) + 1, dtype=np.int32)
        numbers[[int(name) for name in self.classes]] = np.arange(len(self.classes))
        return numbers[page.classes]

    def _parts(self, rows: slice) -> NDArray[np.int8]:
        """Return the code of the split of each row."""
        first, stop = rows.start - self.first_row, rows.stop - self.first_row
        bits = np.unpackbits(self.held_out[first // 8 : -(-stop // 8)])
        return bits[first % 8 : first % 8 + stop - first].view(np.int8)

    def _folds(self, rows: slice) -> NDArray[np.int8]:
        if self.fold is None:
            return np.full(rows.stop - rows.start, -1, dtype=np.int8)
        return self.fold[rows.start - self.first_row : rows.stop - self.first_row]


def write_parts(
    folder: Path,
    options: Options,
    *,
    keep: NDArray[np.bool_] | None,
    split: NDArray[np.int8],
    fold: NDArray[np.int8] | None,
    scaling: Scaling | None,
) -> None:
    """Write what a worker cannot know without all rows.

    Parameters
    ----------
    folder : pathlib.Path
        Where to.
    options : BlobsOptions, ClassificationOptions or RegressionOptions
        The source.
    keep : ndarray of shape (n_rows_of_source,), dtype bool, or None
        Which rows are kept; None for all.
    split, fold : ndarray of shape (n_rows,), dtype int8
        Parts of the rows that are kept; None where there are no folds.
    scaling : Scaling or None
        What happens to the features.
    """
    size = page_rows(options.n_features)
    starts = np.minimum(np.arange(n_pages(options) + 1) * size, options.n_samples)
    arrays: dict[str, NDArray[Any]] = {"held_out": np.packbits(split.view(np.bool_))}
    if keep is not None:
        arrays["kept"] = np.packbits(keep)
        pages = range(0, len(keep), size)
        starts = np.cumsum([0, *(np.count_nonzero(keep[at : at + size]) for at in pages)])
    arrays["starts"] = starts.astype(np.int64)
    if fold is not None:
        arrays["fold"] = fold
    if scaling is not None:
        arrays |= {name: one for name, one in asdict(scaling).items() if name != "levels"}
    np.savez(folder / PARTS, allow_pickle=False, **arrays)


def describe_drawn(options: Options, rows_a_group: int) -> dict[str, Any]:
    """Return what the manifest says of rows that are drawn, beside what it says of all."""
    return {
        "options": options.model_dump(mode="json"),
        "rows_a_group": rows_a_group,
        "numpy": np.__version__,
    }


def open_drawn(location: Location, where: Path | str) -> Prepared:
    """Open a dataset whose rows are drawn.

    Parameters
    ----------
    location : Location
        The folder.
    where : pathlib.Path or str
        The same, as it was given.

    Raises
    ------
    SpecError
        If the folder is not whole.
    """
    content = read_manifest(location)
    drawn = content[DRAWN]
    with np.load(BytesIO(location.connect().read(PARTS)), allow_pickle=False) as file:
        arrays = dict(file)
    options = _SOURCES[content["source"]].model_validate(drawn["options"])
    scaling = None
    if "mean" in arrays:
        scaling = Scaling(
            arrays["mean"], arrays["scale"], options.levels, arrays["low"], arrays["high"]
        )
    label = content["label"]
    blocks = DrawnBlocks(
        options=options,
        classes=tuple(label["classes"]) if label["kind"] == "classes" else None,
        scaling=scaling,
        rows_a_group=drawn["rows_a_group"],
        kept=Kept(0, arrays["starts"], arrays.get("kept")),
        first_row=0,
        held_out=arrays["held_out"],
        fold=arrays.get("fold"),
        numpy=drawn["numpy"],
    )
    return open_prepared(where, blocks)


def _spans(row_groups: Sequence[RowGroup], rows_a_group: int) -> list[tuple[int, int]]:
    """Return the first row, and the row behind the last, of each run of adjacent row groups."""
    spans: list[tuple[int, int]] = []
    for group in row_groups:
        start = group.index * rows_a_group
        stop = start + group.train + group.test
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], stop)
        else:
            spans.append((start, stop))
    return spans
