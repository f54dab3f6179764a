"""Write files of a report so that a reader finds the old one or the new one, never half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from experiments.errors import RequestError


def write_whole(path: Path, text: str) -> Path:
    """Write a text into a file, whole or not at all, and return its path.

    Parameters
    ----------
    path : pathlib.Path
        The file, new or to be replaced; its folder exists.
    text : str
        Its content, written as UTF-8.

    Raises
    ------
    RequestError
        If the folder cannot be written.
    """
    try:
        descriptor, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                # mkstemp makes files for the owner alone; a report is for whoever sees the folder
                os.fchmod(file.fileno(), 0o644)
                file.write(text)
            Path(aside).replace(path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise RequestError(f"The report {path} cannot be written: {exc.strerror}.") from exc
    return path
