"""From the ``path`` of a definition to the files it means."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.errors import RequestError
from experiments.paths import user_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SUFFIXES = {
    "csv": (".csv", ".csv.gz", ".csv.bz2", ".tsv", ".txt"),
    "parquet": (".parquet", ".parq", ".pq"),
}


def find_files(path: str, source: str) -> tuple[Path, ...]:
    """Return the files that a path means, sorted by name.

    Parameters
    ----------
    path : str
        A file, a folder (whose files with the source's suffixes are meant) or a pattern.
    source : {"csv", "parquet"}
        What they should hold.

    Raises
    ------
    RequestError
        If there is none.
    """
    given = user_path(path, "dataset.path")
    try:
        if given.is_file():
            return (given.absolute(),)
        if given.is_dir():
            found = _only_data(given.iterdir())
            found = [file for file in found if file.name.lower().endswith(SUFFIXES[source])]
            if not found:
                raise RequestError(
                    f"The folder {path} holds no {source} file, whose names end in "
                    f"{', '.join(SUFFIXES[source])}; name the files with a pattern."
                )
            return tuple(sorted(file.absolute() for file in found))
        matches = glob.glob(str(given), recursive=True)  # noqa: PTH207 - absolute patterns too
        found = _only_data(map(Path, matches))
    except OSError as exc:
        raise RequestError(f"The path {path} cannot be read: {exc.strerror}.") from exc
    if found:
        return tuple(sorted(file.absolute() for file in found))
    if glob.has_magic(str(given)):
        raise RequestError(
            f"No file matches the pattern {path}, seen from the folder {Path.cwd()}."
        )
    raise RequestError(
        f"There is no file or folder {path}, seen from the folder {Path.cwd()}; check dataset.path."
    )


def titled(files: Sequence[Path], path: str) -> str:
    """Return what messages call the files."""
    return files[0].name if len(files) == 1 else f"the {len(files)} files of {path}"


def _only_data(paths: Iterable[Path]) -> list[Path]:
    # names that start so are not data: what Spark and file managers leave beside it
    return [path for path in paths if path.is_file() and not path.name.startswith(("_", "."))]
