"""CSV files, read in blocks as text, so that no type is guessed from their first rows."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pv

from experiments.datasets.columns import Batch, Columns
from experiments.datasets.files import find_files, titled
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from experiments.datasets.options import CsvOptions

# a block must hold the longest line
_BLOCK_BYTES = 4 * 2**20


def open_csv(options: CsvOptions) -> Columns:
    """Return the columns of one or several CSV files.

    Raises
    ------
    RequestError
        If there is no file, one is empty, unreadable, not UTF-8 or malformed, or they differ in
        their columns.
    """
    files = find_files(options.path, "csv")
    title = titled(files, options.path)
    headers = {file: _header(file, options.delimiter) for file in files}
    names = headers[files[0]]
    for file, header in headers.items():
        if set(header) != set(names) or len(header) != len(names):
            odd = sorted(set(names) ^ set(header)) or sorted(header)
            raise RequestError(
                f"The files of {options.path} differ in their columns: {odd[0]!r} is not alike in "
                f"{files[0].name} and {file.name}; name files of one kind."
            )

    def read(columns: Sequence[str], numeric: frozenset[str], block_rows: int) -> Iterator[Batch]:
        types = {name: pa.float64() if name in numeric else pa.string() for name in columns}
        convert = pv.ConvertOptions(
            column_types=types, include_columns=list(columns), null_values=[]
        )
        for file in files:
            row = 1
            with _told(file), _open(file, options.delimiter, convert) as reader:
                for batch in reader:
                    for start in range(0, batch.num_rows, block_rows):
                        part = batch.slice(start, block_rows)
                        yield Batch(file.name, row, part.columns)
                        row += part.num_rows

    return Columns(title, names, spelled=True, read=read)


def _open(file: Path, delimiter: str, convert: pv.ConvertOptions | None) -> Any:
    return pv.open_csv(
        file,
        # without threads, a malformed line is reported with its number
        read_options=pv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
        parse_options=pv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=convert,
    )


def _header(file: Path, delimiter: str) -> tuple[str, ...]:
    with _told(file):
        with file.open("rb") as stream:
            if stream.read(2) in {b"\xff\xfe", b"\xfe\xff"}:
                raise RequestError(f"{file.name} is UTF-16 text; save it as UTF-8.")
        with _open(file, delimiter, None) as reader:
            return tuple(reader.schema.names)


@contextmanager
def _told(file: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as exc:
        raise RequestError(f"{file.name} is not UTF-8 text; save it as UTF-8.") from exc
    except pa.ArrowException as exc:
        message = str(exc)
        if "UTF8" in message:
            raise RequestError(f"{file.name} is not UTF-8 text; save it as UTF-8.") from exc
        if message.startswith("Empty CSV"):
            raise RequestError(f"{file.name} is empty.") from exc
        if "cannot infer number of columns" in message:
            raise RequestError(f"{file.name} has no rows, only column names.") from exc
        detail = message.removeprefix("CSV parse error: ").splitlines()[0][:200]
        raise RequestError(f"{file.name} is not a well-formed CSV file: {detail}.") from exc
    except OSError as exc:
        raise RequestError(f"{file.name} cannot be read: {exc.strerror or exc}.") from exc
