"""Parquet files, read in blocks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from experiments.datasets.columns import Batch, Columns
from experiments.datasets.files import find_files, titled
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from experiments.datasets.options import ParquetOptions


# otherwise a whole row group is held, however large the writer made it
_LITTLE_MEMORY = {"buffer_size": 2**18, "pre_buffer": False}


def open_parquet(options: ParquetOptions) -> Columns:
    """Return the columns of one or several Parquet files.

    Raises
    ------
    RequestError
        If there is no file, one is no readable Parquet file, or they differ in their columns.
    """
    files = find_files(options.path, "parquet")
    names = _names(files[0])
    for file in files[1:]:
        if odd := sorted(set(names) ^ set(_names(file))):
            raise RequestError(
                f"The files of {options.path} differ in their columns: only one of "
                f"{files[0].name} and {file.name} has {odd[0]!r}; name files of one kind."
            )

    def read(columns: Sequence[str], _: frozenset[str], block_rows: int) -> Iterator[Batch]:
        for file in files:
            row = 1
            with _told(file), pq.ParquetFile(file, **_LITTLE_MEMORY) as parquet:
                for batch in parquet.iter_batches(
                    block_rows, columns=list(columns), use_threads=False
                ):
                    yield Batch(file.name, row, [batch.column(name) for name in columns])
                    row += batch.num_rows

    return Columns(titled(files, options.path), names, spelled=False, read=read)


def _names(file: Path) -> tuple[str, ...]:
    with _told(file), pq.ParquetFile(file) as parquet:
        return tuple(parquet.schema_arrow.names)


@contextmanager
def _told(file: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as exc:
        detail = str(exc).splitlines()[0][:200]
        raise RequestError(
            f"{file.name} cannot be read as a Parquet file, so it may be damaged: {detail}"
        ) from exc
