"""What every source of data turns into: named columns that can be read in blocks, many times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    Progress = Callable[[int, int | None], None]

# A page is the unit of drawing and of adding up, so that neither depends on how rows are read.
PAGE_ROWS = 65_536
# pages of wide data have fewer rows, so that one takes at most 32 MiB up to 4096 features
_PAGE_VALUES = 2**22
_LEAST_PAGE_ROWS = 1024


def page_rows(n_features: int) -> int:
    """Return the rows of a page: 65,536 up to 64 features, and fewer of wider rows."""
    fitting = 1 << (_PAGE_VALUES // n_features).bit_length() >> 1
    return max(_LEAST_PAGE_ROWS, min(PAGE_ROWS, fitting))


def paged(
    blocks: Iterable[Block], n_features: int, keep: NDArray[np.bool_] | None = None
) -> Iterator[Page]:
    """Cut blocks of any sizes into pages of one size; only the last may be shorter.

    Parameters
    ----------
    blocks : iterable of Block
        The rows of a source, in order.
    n_features : int
        Number of features.
    keep : ndarray of shape (n_rows,), dtype bool, optional
        Which rows of the source count; all when not given.

    Yields
    ------
    Page
        Its arrays are C-contiguous, so that sums over them round alike however they were read.
        They are overwritten when the next page is asked for.
    """
    rows = page_rows(n_features)
    buffer: NDArray[np.float64] | None = None
    y_buffer = np.empty(0)
    start = filled = position = 0
    for whole in blocks:
        block = whole
        if keep is not None:
            kept = np.flatnonzero(keep[position : position + whole.n_rows])
            position += whole.n_rows
            if len(kept) < whole.n_rows:
                block = Block(
                    np.take(whole.columns, kept, axis=1), whole.y[kept] if len(whole.y) else whole.y
                )
        offset = 0
        while offset < block.n_rows:
            taken = min(rows - filled, block.n_rows - offset)
            columns = block.columns[:, offset : offset + taken]
            y = block.y[offset : offset + taken]
            offset += taken
            if taken == rows:
                yield Page(start, np.ascontiguousarray(columns), y)
                start += rows
                continue
            if buffer is None:
                buffer, y_buffer = np.empty((n_features, rows)), np.empty(rows)
            buffer[:, filled : filled + taken] = columns
            y_buffer[filled : filled + len(y)] = y
            filled += taken
            if filled == rows:
                yield Page(start, buffer, y_buffer[: rows if len(y) else 0])
                start += rows
                filled = 0
    if filled and buffer is not None:
        labelled = filled if len(y) else 0
        yield Page(start, np.ascontiguousarray(buffer[:, :filled]), y_buffer[:labelled])


class Block(NamedTuple):
    """Some consecutive rows of a source.

    Attributes
    ----------
    columns : ndarray of shape (n_features, n_rows), dtype float64
        Each feature's values lie side by side, as they will in the file.
    y : ndarray of shape (n_rows,) or (0,), dtype float64
        Label, where it is numbers; empty where it is classes or there is none.
    """

    columns: NDArray[np.float64]
    y: NDArray[np.float64]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.columns.shape[1])


class Page(NamedTuple):
    """Consecutive rows that begin at a multiple of the page size.

    Attributes
    ----------
    start : int
        Position of the first row.
    columns, y : ndarray
        As in `Block`.
    """

    start: int
    columns: NDArray[np.float64]
    y: NDArray[np.float64]

    @property
    def rows(self) -> slice:
        """Positions of the rows."""
        return slice(self.start, self.start + self.columns.shape[1])


@dataclass(frozen=True)
class Labels:
    """What a source has to predict.

    Parameters
    ----------
    kind : {"none", "classes", "numbers"}
        Absent; class numbers; or values, which only the blocks hold.
    classes : tuple of str
        Names of the classes, in the order of their numbers.
    codes : ndarray of shape (n_rows,), uint8 or uint16
        Class number of every row; empty unless ``kind`` is "classes".
    name : str
        Name of the column.
    """

    kind: Literal["none", "classes", "numbers"]
    classes: tuple[str, ...]
    codes: NDArray[Any]
    name: str


@dataclass(frozen=True)
class Table:
    """A source whose content has been checked.

    Parameters
    ----------
    title : str
        What messages call it.
    features : tuple of str
        Names of the features.
    n_rows : int
        Number of rows.
    labels : Labels
        What there is to predict.
    blocks : callable
        Takes the most rows that a block may have, and returns an iterator over all rows from the
        first. It may be called again and again, and gives the same rows every time.
    notes : tuple of str
        What a reader must know of how the source was read.
    unlearnable : str or None
        Why the label was left out, in a sentence for whoever wants to learn it.
    """

    title: str
    features: tuple[str, ...]
    n_rows: int
    labels: Labels
    blocks: Callable[[int], Iterator[Block]]
    notes: tuple[str, ...] = ()
    unlearnable: str | None = None
