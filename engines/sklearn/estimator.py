"""Any estimator of scikit-learn, its parallel loops on scikit-learn's own joblib backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines import single_node

if TYPE_CHECKING:
    from engines.prepared import Rows
    from engines.specs import EstimatorSpec
    from engines.types import Data, Model


def fit(spec: EstimatorSpec, train: Data[Rows], cores: int) -> Model:
    """Fit the estimator with one job a core, where it has jobs."""
    return single_node.fit_estimator(spec, train.native, train.source.prepared, cores)
