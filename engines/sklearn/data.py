"""Prepared rows to NumPy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.reading import read_here
from engines.types import Data

if TYPE_CHECKING:
    from engines.prepared import Rows
    from engines.types import Source


def load(source: Source) -> Data[Rows]:
    """Read one split whole into this process, wherever it is then to be placed."""
    rows = read_here("sklearn", source)
    return Data(rows, n_rows=len(rows.X), n_features=rows.X.shape[1], source=source)
