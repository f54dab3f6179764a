"""Read a prepared dataset into one process, and say who could not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.errors import UnseenDataError, headline
from engines.prepared import read_rows

if TYPE_CHECKING:
    from engines.locations import Location
    from engines.prepared import Rows
    from engines.types import Source


def read_here(engine: str, source: Source) -> Rows:
    """Read all rows of a split into this process.

    Parameters
    ----------
    engine : str
        Name of the engine that this process drives.
    source : Source
        What to read.

    Raises
    ------
    UnseenDataError
        If this process cannot read the dataset where it is.
    """
    prepared = source.prepared
    try:
        return read_rows(prepared, prepared.row_groups, source.split)
    except OSError as exc:
        who = f"{engine}: load: the process that drives the engine"
        raise unseen(who, prepared.location, headline(exc)) from exc


def unseen(who: str, location: Location, why: str) -> UnseenDataError:
    """Return the error that says who cannot read a folder, and what to do.

    Parameters
    ----------
    who : str
        The engine and the process, such as ``dask: load: the worker at tcp://10.0.0.5:40001``.
    location : Location
        The prepared dataset that it was to read.
    why : str
        What it met instead.
    """
    return UnseenDataError(
        f"{who} cannot see {location} ({why.rstrip('.')}); put the data where every process can "
        f"read it, with storage or ENGINEBENCH_STORAGE, or have the workers draw it, with "
        f"dataset.generate: on_workers."
    )
