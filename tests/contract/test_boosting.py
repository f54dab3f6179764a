"""XGBoost: with at most as many levels as bins, every engine grows the same trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engines.errors import EngineFailedError, SpecError
from engines.gaps import Feature
from engines.prepared import read_rows
from engines.specs import XGBoostSpec
from engines.types import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engines.base import Engine
    from engines.prepared import Prepared
    from engines.types import Data

pytestmark = pytest.mark.feature(Feature.XGBOOST)
TREES = 8


@pytest.fixture(params=["binary", "multiclass", "regression"])
def labelled(request: pytest.FixtureRequest) -> Prepared:
    """One dataset for each task."""
    return request.getfixturevalue(request.param)


def plain(prepared: Prepared) -> NDArray[np.float64]:
    """Return what XGBoost's scikit-learn interface predicts for the rows held out."""
    from xgboost import XGBClassifier, XGBRegressor

    train = read_rows(prepared, prepared.row_groups, "train")
    held_out = read_rows(prepared, prepared.row_groups, "test").X
    estimator = XGBRegressor if prepared.task == "regression" else XGBClassifier
    fitted = estimator(n_estimators=TREES, max_depth=4, n_jobs=2, random_state=0)
    fitted.fit(train.X, train.y)
    if prepared.task == "regression":
        return fitted.predict(held_out)
    of_classes = fitted.predict_proba(held_out)
    return of_classes[:, 1] if prepared.task == "binary" else of_classes


def test_predictions_are_those_of_plain_xgboost(engine: Engine[Any], labelled: Prepared):
    spec = XGBoostSpec(n_estimators=TREES, max_depth=4).resolved(labelled.task)
    train, held_out = (engine.load(Source(labelled, split)) for split in ("train", "test"))
    predictions = engine.predict(engine.fit_xgboost(spec, train), held_out)
    np.testing.assert_array_equal(
        predictions.row_id, read_rows(labelled, labelled.row_groups, "test").row_id
    )
    expected = plain(labelled)
    assert predictions.value.shape == expected.shape
    assert predictions.value.dtype == np.float64
    # relative to 1 for probabilities, and to the spread of the label for regression
    scale = max(1.0, float(np.std(expected)))
    np.testing.assert_allclose(predictions.value, expected, rtol=0, atol=1e-6 * scale)
    for data in (train, held_out):
        engine.release(data)


def test_the_same_seed_gives_the_same_predictions(engine: Engine[Any], binary: Prepared):
    spec = XGBoostSpec(task="binary", n_estimators=4, subsample=0.7, colsample_bytree=0.6, seed=11)
    data = engine.load(Source(binary, "train"))
    first, second = (engine.predict(engine.fit_xgboost(spec, data), data) for _ in range(2))
    np.testing.assert_array_equal(first.value, second.value)
    np.testing.assert_array_equal(first.row_id, second.row_id)
    engine.release(data)


def test_a_task_that_the_label_is_not_for_is_refused(engine: Engine[Any], train: Data[Any]):
    with pytest.raises(SpecError, match="does not fit the label"):
        engine.fit_xgboost(XGBoostSpec(task="regression"), train)


def test_what_the_library_raises_is_told_with_its_cause(
    engine: Engine[Any], missing_labels: Prepared
):
    data = engine.load(Source(missing_labels, "train"))
    with pytest.raises(EngineFailedError, match=f"^{engine.name}: xgboost: ") as raised:
        engine.fit_xgboost(XGBoostSpec(task="regression", n_estimators=2), data)
    assert raised.value.__cause__ is not None
    assert "Label contains NaN" in str(raised.value.__cause__)
    engine.release(data)
