"""Any estimator of scikit-learn, its parallel loops spread over the workers by joblib.

It is also how the workers predict with a model that one process fitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engines import in_worker, single_node
from engines.dask.data import Everywhere
from engines.dask.session import watched
from engines.estimators import find_estimator, parallel_parameter
from engines.prepared import Rows
from engines.types import Predictions

if TYPE_CHECKING:
    from engines.dask.data import Arrays
    from engines.dask.session import Session
    from engines.specs import EstimatorSpec
    from engines.types import Data, Model


def fit(session: Session, spec: EstimatorSpec, train: Data[Rows]) -> Model:
    """Fit the estimator, with one job a thread of the workers where it has jobs."""
    rows, prepared = train.native, train.source.prepared
    if parallel_parameter(find_estimator(spec.class_)) is None:
        return in_worker.fit_in_driver("dask", spec, rows, prepared, session.resources.cores)
    jobs = session.resources.cores

    def spread() -> Model:
        import joblib

        # joblib keeps its configuration for each thread, and this is the one that fits. It is not
        # told to scatter the rows: it knows an array by its identity, and most estimators hand
        # their loops a converted copy, which it sends by itself, once; the rows would only be sent
        # besides.
        with joblib.parallel_config(backend="dask", client=session.client, n_jobs=jobs):
            return single_node.fit_estimator(spec, rows, prepared, jobs)

    # joblib's loops wait for ever for what was lost with a worker
    return watched(session, spread, recovers=False)


def predict(session: Session, model: Model, data: Data[Any]) -> Predictions:
    """Predict with a model that one process fitted, wherever the rows lie."""
    if isinstance(data.native, Rows):
        return in_worker.predict(model, data.native)
    if isinstance(data.native, Everywhere):
        whole = data.native
        return watched(session, lambda: _of_whole(session, model, whole), recovers=True)
    arrays: Arrays = data.native
    return watched(session, lambda: _of_blocks(session, model, arrays), recovers=True)


def _of_blocks(session: Session, model: Model, arrays: Arrays) -> Predictions:
    """Predict each block where it lies, with the model sent to each worker once."""
    import dask

    (fitted,) = session.client.scatter(
        [model], workers=session.addresses, broadcast=True, direct=True, hash=False
    )
    predicted = dask.delayed(_predict_block, pure=False)
    blocks = zip(arrays.X.to_delayed().ravel(), arrays.row_id.to_delayed().ravel(), strict=True)
    parts = dask.compute(*[predicted(fitted, X, row_id) for X, row_id in blocks])
    return Predictions(
        np.concatenate([part.row_id for part in parts]),
        np.concatenate([part.value for part in parts]),
        _joined([part.label for part in parts]),
        _joined([part.decision for part in parts]),
    )


def _joined(parts: list[Any]) -> Any:
    return np.concatenate(parts) if parts[0] is not None else None


def _of_whole(session: Session, model: Model, rows: Everywhere) -> Predictions:
    """Predict all rows on one of the workers."""
    done = session.client.submit(in_worker.predict, model, rows.future(), pure=False)
    predictions: Predictions = done.result()
    return predictions


def _predict_block(model: Model, X: Any, row_id: Any) -> Predictions:
    return in_worker.predict(model, Rows(X, np.empty(0), row_id, np.empty(0, np.int8)))
