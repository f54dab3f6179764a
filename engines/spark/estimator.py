"""Any estimator of scikit-learn, its parallel loops spread over the Python workers by joblib.

It is also how Spark predicts with a model that one process fitted.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from engines import in_worker, single_node
from engines.estimators import find_estimator, parallel_parameter
from engines.prepared import Rows
from engines.spark.data import ROW_ID, Everywhere, collect
from engines.spark.parallel import loops_on_spark
from engines.spark.pool import broadcast
from engines.types import Predictions

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from engines.spark.data import Frame
    from engines.spark.session import Session
    from engines.specs import EstimatorSpec
    from engines.types import Data, Model


def fit(session: Session, spec: EstimatorSpec, train: Data[Rows]) -> Model:
    """Fit the estimator in this process, with one job a worker where it has jobs."""
    rows, prepared = train.native, train.source.prepared
    if parallel_parameter(find_estimator(spec.class_)) is None:
        cores = session.workers * session.threads
        return in_worker.fit_in_driver("spark", spec, rows, prepared, cores)
    with loops_on_spark(session):
        model = single_node.fit_estimator(spec, rows, prepared, session.workers)
    if session.workers > 1:
        return model
    alone = (
        f"spark: for one worker joblib sends nothing out; the fit of {spec.class_} ran in the "
        f"process that drives it."
    )
    return replace(model, notes=(*model.notes, alone))


def predict(session: Session, model: Model, data: Data[Any]) -> Predictions:
    """Predict with a model that one process fitted, wherever the rows lie."""
    if isinstance(data.native, Rows):
        return in_worker.predict(model, data.native)
    if isinstance(data.native, Everywhere):
        return _of_whole(session, model, data.native)
    frame: Frame = data.native
    if model.native.labelled is not None:
        return _of_labelled(model, frame)
    return _of_partitions(session, model, frame)


def _of_whole(session: Session, model: Model, whole: Everywhere) -> Predictions:
    """Predict all rows in one Python worker."""
    with broadcast(session, model) as sent:
        rows = whole.rows
        task = session.spark.sparkContext.parallelize([None], 1)
        (predictions,) = task.map(
            lambda _: in_worker.predict(sent.value.value, rows.value)
        ).collect()
        return predictions  # type: ignore[no-any-return]


def _of_labelled(model: Model, frame: Frame) -> Predictions:
    """Return the labels that a clusterer gave rows as it was fitted; only their numbers count."""
    row_id = collect(frame.rows.select(ROW_ID))[ROW_ID].to_numpy().astype(np.int64, copy=False)
    return single_node.predict(model, _unlabelled(np.empty((len(row_id), 0)), row_id))


def _of_partitions(session: Session, model: Model, frame: Frame) -> Predictions:
    """Predict rows where they lie, with the model broadcast once."""
    features = frame.features

    with broadcast(session, model) as sent:

        def predicted(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            import pyarrow as pa

            for batch in batches:
                rows = _from_arrow(batch, features)
                part = pickle.dumps(in_worker.predict(sent.value.value, rows))
                yield pa.RecordBatch.from_pydict({"part": [part]})

        answers = frame.rows.select(*features, ROW_ID).mapInArrow(predicted, "part binary")
        parts = [pickle.loads(answer["part"]) for answer in answers.collect()]  # noqa: S301 - ours
    return _joined(parts)


def _from_arrow(batch: pa.RecordBatch, features: tuple[str, ...]) -> Rows:
    row_id = batch.column(batch.schema.get_field_index(ROW_ID)).to_numpy()
    columns = [batch.column(batch.schema.get_field_index(name)).to_numpy() for name in features]
    X = np.empty((len(row_id), len(features)), dtype=columns[0].dtype)
    for number, column in enumerate(columns):
        X[:, number] = column
    return _unlabelled(X, row_id)


def _unlabelled(X: np.ndarray[Any, Any], row_id: np.ndarray[Any, Any]) -> Rows:
    return Rows(X, np.empty(0), row_id, np.full(len(row_id), -1, dtype=np.int8))


def _joined(parts: list[Predictions]) -> Predictions:
    row_id = np.concatenate([part.row_id for part in parts])
    order = np.argsort(row_id, kind="stable")
    labels = [part.label for part in parts if part.label is not None]
    decisions = [part.decision for part in parts if part.decision is not None]
    return Predictions(
        row_id[order],
        np.concatenate([part.value for part in parts])[order],
        np.concatenate(labels)[order] if labels else None,
        np.concatenate(decisions)[order] if decisions else None,
    )
