"""Write prepared rows as Parquet files whose bytes do not depend on how they were read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_MOST_GROUP_ROWS = 131_072
_GROUPS_A_FILE = 16
# wide data has fewer rows a group, so that one takes at most 64 MiB
_GROUP_VALUES = 2**23
_LEAST_GROUP_ROWS = 1024


def group_rows(n_rows: int, n_features: int, min_row_groups: int) -> int:
    """Return the rows of a row group, for at least so many groups where there are the rows."""
    fitting = max(_LEAST_GROUP_ROWS, _GROUP_VALUES // n_features)
    return min(_MOST_GROUP_ROWS, fitting, -(-n_rows // min_row_groups))


class PartCounter:
    """Count rows as `PartWriter` would write them, and write none.

    Parameters
    ----------
    rows_a_group : int
        Rows of every row group but the last.

    Attributes
    ----------
    files : list of str
        None.
    row_groups : list of dict
        Number and counts of each row group, for the manifest.
    """

    def __init__(self, rows_a_group: int) -> None:
        self.files: list[str] = []
        self.row_groups: list[dict[str, Any]] = []
        self._size = rows_a_group
        self._filled = self._test = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Have nothing to close."""

    def append(
        self,
        columns: NDArray[np.float64],
        label: NDArray[Any],
        split: NDArray[np.int8],
        fold: NDArray[np.int8],
    ) -> None:
        """Count rows; the arguments are those of `PartWriter.append`."""
        del columns, label, fold
        offset = 0
        while offset < len(split):
            taken = min(self._size - self._filled, len(split) - offset)
            self._test += int(split[offset : offset + taken].sum(dtype=np.int64))
            self._filled += taken
            offset += taken
            if self._filled == self._size:
                self.finish()

    def finish(self) -> None:
        """Count the last, shorter row group."""
        if not self._filled:
            return
        train = self._filled - self._test
        number = len(self.row_groups)
        self.row_groups.append({"file": "", "index": number, "train": train, "test": self._test})
        self._filled = self._test = 0


class PartWriter:
    """Collect rows into row groups of one size, and write ``part-00000.parquet`` and so on.

    Parameters
    ----------
    folder : pathlib.Path
        An existing folder.
    features : tuple of str
        Names of the features.
    dtype : {"float32", "float64"}
        Type of the features.
    label_dtype : {"int32", "float64"} or None
        Type of the label; None for no label.
    rows_a_group : int
        Rows of every row group but the last.

    Attributes
    ----------
    files : list of dict
        Name of each file, for the manifest.
    row_groups : list of dict
        File, index and counts of each row group, for the manifest.
    """

    def __init__(
        self,
        folder: Path,
        features: tuple[str, ...],
        dtype: str,
        label_dtype: str | None,
        rows_a_group: int,
    ) -> None:
        self.files: list[str] = []
        self.row_groups: list[dict[str, Any]] = []
        self._folder = folder
        self._columns = np.empty((len(features), rows_a_group), dtype=dtype)
        self._label = np.empty(rows_a_group if label_dtype else 0, dtype=label_dtype or "int32")
        self._parts = np.empty((2, rows_a_group), dtype=np.int8)
        self._filled = 0
        self._next_row = 0
        self._file: Any = None
        fields = [pa.field(name, pa.type_for_alias(dtype), nullable=False) for name in features]
        if label_dtype:
            fields.append(pa.field("label", pa.type_for_alias(label_dtype), nullable=False))
        fields.append(pa.field("row_id", pa.int64(), nullable=False))
        fields += [pa.field(name, pa.int8(), nullable=False) for name in ("split", "fold")]
        self._schema = pa.schema(fields)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._file is not None:
            self._file.close()

    def append(
        self,
        columns: NDArray[np.float64],
        label: NDArray[Any],
        split: NDArray[np.int8],
        fold: NDArray[np.int8],
    ) -> None:
        """Add rows.

        Parameters
        ----------
        columns : ndarray of shape (n_features, n_rows)
            Features, which are cast to the dtype here.
        label : ndarray of shape (n_rows,)
            Class numbers or values; ignored where there is no label.
        split, fold : ndarray of shape (n_rows,), dtype int8
            Parts of the rows.
        """
        rows, offset = columns.shape[1], 0
        size = self._columns.shape[1]
        while offset < rows:
            taken = min(size - self._filled, rows - offset)
            new = slice(self._filled, self._filled + taken)
            old = slice(offset, offset + taken)
            self._columns[:, new] = columns[:, old]
            if len(self._label):
                self._label[new] = label[old]
            self._parts[0, new] = split[old]
            self._parts[1, new] = fold[old]
            self._filled += taken
            offset += taken
            if self._filled == size:
                self._write_group()

    def finish(self) -> None:
        """Write the last, shorter row group and complete its file."""
        if self._filled:
            self._write_group()
        self._close_file()

    def _write_group(self) -> None:
        rows = slice(0, self._filled)
        index = len(self.row_groups) % _GROUPS_A_FILE
        if index == 0:
            self._close_file()
            self._open_file()
        arrays: list[Any] = [column[rows] for column in self._columns]
        if len(self._label):
            arrays.append(self._label[rows])
        arrays.append(np.arange(self._next_row, self._next_row + self._filled, dtype=np.int64))
        arrays += [part[rows] for part in self._parts]
        table = pa.Table.from_arrays([pa.array(array) for array in arrays], schema=self._schema)
        self._file.write_table(table, row_group_size=self._filled)
        test = int(self._parts[0, rows].sum())
        self.row_groups.append(
            {
                "file": self.files[-1],
                "index": index,
                "train": self._filled - test,
                "test": test,
            }
        )
        self._next_row += self._filled
        self._filled = 0

    def _open_file(self) -> None:
        name = f"part-{len(self.files):05}.parquet"
        self.files.append(name)
        self._file = pq.ParquetWriter(
            self._folder / name,
            self._schema,
            # a dictionary of floats that hardly repeat costs time and saves nothing
            use_dictionary=[n for n in ("label", "split", "fold") if n in self._schema.names],
            compression="none",
            write_statistics=["row_id"],
            store_schema=False,
        )

    def _close_file(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()
