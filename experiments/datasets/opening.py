"""Open a prepared dataset by its folder or URL, whether its rows are in files or drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.locations import Location
from engines.manifest import DRAWN, read_manifest
from engines.prepared import open_prepared

if TYPE_CHECKING:
    from pathlib import Path

    from engines.prepared import Prepared


def open_dataset(where: Path | str) -> Prepared:
    """Read the description of a prepared dataset and check that the folder is whole.

    Parameters
    ----------
    where : pathlib.Path or str
        The folder, or its URL.

    Raises
    ------
    SpecError
        If the folder is not whole, or was written by a newer version.
    """
    location = Location(str(where))
    if read_manifest(location).get(DRAWN) is None:
        return open_prepared(where)
    from experiments.datasets.drawn import open_drawn

    return open_drawn(location, where)
