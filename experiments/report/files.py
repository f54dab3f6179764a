"""Write files of a report so that a reader finds the old one or the new one, never half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from experiments.errors import RequestError


def write_whole(path: Path, content: str | bytes) -> Path:
    """Write a file, whole or not at all, and return its path.

    Parameters
    ----------
    path : pathlib.Path
        The file, new or to be replaced; its folder exists.
    content : str or bytes
        What is written: a text as UTF-8, with its line ends.

    Raises
    ------
    RequestError
        If the folder cannot be written.
    """
    try:
        descriptor, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                # mkstemp makes files for the owner alone; a report is for whoever sees the folder
                os.fchmod(file.fileno(), 0o644)
                file.write(content.encode() if isinstance(content, str) else content)
            Path(aside).replace(path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise RequestError(f"The report {path} cannot be written: {exc.strerror}.") from exc
    return path
