"""Paths as a person writes them."""

from __future__ import annotations

from pathlib import Path

from experiments.errors import RequestError


def user_path(path: str | Path, where: str) -> Path:
    """Return a path with a leading ``~`` or ``~user`` replaced by that user's home folder.

    Parameters
    ----------
    path : str or pathlib.Path
        As it was written.
    where : str
        What it was written for, for the message: a key, an option or a variable.

    Raises
    ------
    RequestError
        If there is no such user, or the user has no home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as exc:
        start = Path(path).parts[0]
        raise RequestError(
            f"{where}: the home folder that {start} stands for is not known; write the path "
            f"{path} in full, or ./{path} for a folder of that name."
        ) from exc
