"""Names of the engines, for a reader."""

from __future__ import annotations

from typing import Final

TITLES: Final = {"sklearn": "scikit-learn", "dask": "Dask", "spark": "Spark"}


def title(engine: str) -> str:
    """Return an engine's name as its makers write it."""
    return TITLES.get(engine, engine)
