"""Gradient boosting by XGBoost's interface for Dask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engines import boosting
from engines.dask.data import require_spread
from engines.dask.session import watched
from engines.parameters import apply, native_arguments
from engines.types import Model, Predictions

if TYPE_CHECKING:
    from engines.dask.data import Arrays
    from engines.dask.session import Session
    from engines.parameters import VerdictTable
    from engines.specs import XGBoostSpec
    from engines.types import Data

# seconds in which all workers must have joined the training
TRACKER_TIMEOUT = 120

VERDICTS: VerdictTable = {**boosting.VERDICTS, "subsample": boosting.SUBSAMPLE_OF_WORKERS}


def fit(session: Session, spec: XGBoostSpec, train: Data[Arrays]) -> Model:
    """Boost trees on all workers, with the threads that each of them has."""
    from xgboost.collective import Config
    from xgboost.dask import DaskXGBClassifier, DaskXGBRegressor

    applied = apply(VERDICTS, spec, train.source.prepared)
    estimator = DaskXGBRegressor if spec.task == "regression" else DaskXGBClassifier
    # Left to itself XGBoost lets its tracker listen on an address that others can reach
    collective = Config(tracker_host_ip=session.crew.tracker_host, tracker_timeout=TRACKER_TIMEOUT)
    unfitted = estimator(tree_method="hist", coll_cfg=collective, **native_arguments(applied))
    unfitted.client = session.client
    # XGBoost trains on the workers that hold rows, and on no other
    require_spread(session, train.native)
    fitted = watched(session, lambda: unfitted.fit(train.native.X, train.native.y), recovers=False)
    return Model(native=fitted, parameters=applied)


def predict(session: Session, model: Model, data: Data[Arrays]) -> Predictions:
    """Predict values, or probabilities of the classes."""
    import dask

    classifies = hasattr(model.native, "predict_proba")
    of_rows = model.native.predict_proba if classifies else model.native.predict

    def predicted() -> tuple[Any, Any]:
        value, row_id = dask.compute(of_rows(data.native.X), data.native.row_id)
        return value, row_id

    value, row_id = watched(session, predicted, recovers=True)
    return Predictions(
        row_id, boosting.probabilities(value) if classifies else value.astype(np.float64)
    )
