"""Gradient boosting by XGBoost's scikit-learn interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines import single_node
from engines.boosting import VERDICTS

__all__ = ["VERDICTS", "fit"]

if TYPE_CHECKING:
    from engines.prepared import Rows
    from engines.specs import XGBoostSpec
    from engines.types import Data, Model


def fit(spec: XGBoostSpec, train: Data[Rows], cores: int) -> Model:
    """Boost trees with one thread a core."""
    return single_node.fit(spec, train.native, train.source.prepared, threads=cores)
