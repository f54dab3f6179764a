"""Gradient boosting by XGBoost's scikit-learn interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engines.boosting import VERDICTS, probabilities
from engines.parameters import apply, native_arguments
from engines.types import Model, Predictions

__all__ = ["VERDICTS", "fit", "predict"]

if TYPE_CHECKING:
    from engines.prepared import Rows
    from engines.specs import XGBoostSpec
    from engines.types import Data


def fit(spec: XGBoostSpec, train: Data[Rows], cores: int) -> Model:
    """Boost trees with one thread a core."""
    from xgboost import XGBClassifier, XGBRegressor

    applied = apply(VERDICTS, spec, train.source.prepared)
    estimator = XGBRegressor if spec.task == "regression" else XGBClassifier
    fitted = estimator(tree_method="hist", n_jobs=cores, **native_arguments(applied))
    fitted.fit(train.native.X, train.native.y)
    return Model(native=fitted, parameters=applied)


def predict(model: Model, data: Data[Rows]) -> Predictions:
    """Predict values, or probabilities of the classes."""
    if hasattr(model.native, "predict_proba"):
        value = probabilities(model.native.predict_proba(data.native.X))
    else:
        value = model.native.predict(data.native.X).astype(np.float64)
    return Predictions(data.native.row_id, value)
