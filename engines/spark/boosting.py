"""Gradient boosting by ``xgboost.spark``: one XGBoost worker in each Python worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engines import boosting
from engines.parameters import Convert, apply, native_arguments
from engines.spark.data import LABEL, ROW_ID, collect
from engines.types import Model, Predictions

if TYPE_CHECKING:
    from engines.parameters import VerdictTable
    from engines.spark.data import Frame
    from engines.specs import XGBoostSpec
    from engines.types import Data

_VALUE = "value"

VERDICTS: VerdictTable = {
    **boosting.VERDICTS,
    "task": Convert(
        None,
        boosting.objective,
        "xgboost.spark takes no objective for classes: it counts the labels and chooses"
        " binary:logistic or multi:softprob itself; for numbers it is reg:squarederror.",
    ),
    "subsample": boosting.SUBSAMPLE_OF_WORKERS,
}


def fit(spec: XGBoostSpec, train: Data[Frame]) -> Model:
    """Boost trees with one XGBoost worker a partition, each with the threads of one task."""
    from xgboost.spark import SparkXGBClassifier, SparkXGBRegressor

    applied = apply(VERDICTS, spec, train.source.prepared)
    estimator = SparkXGBRegressor if spec.task == "regression" else SparkXGBClassifier
    fitted = estimator(
        features_col=list(train.native.features),
        label_col=LABEL,
        # as many as partitions, or the rows would be shuffled at random
        num_workers=train.native.partitions,
        tree_method="hist",
        # the tracker ends with the worker that holds it, also when a fit breaks off
        launch_tracker_on_driver=False,
        # xgboost.spark always scores the training rows after each tree; without a metric there
        # is next to nothing to do, as on the other engines
        disable_default_eval_metric=True,
        verbose=False,
        **native_arguments(applied),
    ).fit(train.native.rows)
    return Model(native=fitted, parameters=applied)


def predict(model: Model, data: Data[Frame]) -> Predictions:
    """Predict values, or probabilities of the classes."""
    from pyspark.ml.functions import vector_to_array
    from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

    rows = model.native.transform(data.native.rows)
    classes = "probability" in rows.columns
    value = vector_to_array("probability") if classes else F.col("prediction")
    table = collect(rows.select(ROW_ID, value.alias(_VALUE)))
    row_id = table[ROW_ID].to_numpy().astype(np.int64, copy=False)
    column = table[_VALUE].combine_chunks()
    if not classes:
        return Predictions(row_id, column.to_numpy().astype(np.float64, copy=False))
    flat = column.flatten().to_numpy()
    return Predictions(row_id, boosting.probabilities(flat.reshape(len(row_id), -1)))
