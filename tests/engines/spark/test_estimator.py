"""Estimators whose parallel loops run on Spark, and predictions of models of one process."""

from __future__ import annotations

import sys
import threading
import warnings
from typing import TYPE_CHECKING

import cloudpickle
import numpy as np
import psutil
import pytest

from engines.errors import EngineFailedError, WorkerLostError
from engines.gaps import Feature
from engines.prepared import read_rows
from engines.spark import SparkEngine
from engines.spark.parallel import _Arrays, loops_on_spark
from engines.specs import EstimatorSpec
from engines.types import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines.types import Resources

cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def engine(resources: Resources) -> Iterator[SparkEngine]:
    with SparkEngine(resources) as running:
        yield running


def asked(path: str, response: str = "auto", **parameters) -> EstimatorSpec:
    return EstimatorSpec.model_validate(
        {"class": path, "parameters": parameters, "response": response}
    )


def divide(number: int) -> float:
    return 1 / number


def own_id(number: int) -> int:
    import os

    return os.getpid()


def end(number: int) -> None:
    import os

    os.kill(os.getpid(), 9)


def test_a_forest_grown_on_spark_is_that_of_scikit_learn(engine, binary) -> None:
    from sklearn.ensemble import RandomForestClassifier

    before = set(threading.enumerate())
    rows = read_rows(binary, binary.row_groups, "train")
    expected = RandomForestClassifier(n_estimators=12, random_state=0).fit(rows.X, rows.y)
    data = engine.load(Source(binary, "train", "host"))
    spec = asked("sklearn.ensemble.RandomForestClassifier", "probabilities", n_estimators=12)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = engine.fit_estimator(spec, data)
    assert not model.notes
    assert set(threading.enumerate()) == before
    spread = engine.load(Source(binary, "train"))
    for where in (data, spread):
        predictions = engine.predict(model, where)
        np.testing.assert_array_equal(predictions.row_id, rows.row_id)
        np.testing.assert_array_equal(predictions.value, expected.predict_proba(rows.X)[:, 1])
        np.testing.assert_array_equal(predictions.label, expected.predict(rows.X))
    engine.release(spread)


def test_a_loop_runs_in_the_python_workers(engine) -> None:
    from joblib import Parallel, delayed

    with loops_on_spark(engine._session):
        ids = set(Parallel()(delayed(own_id)(number) for number in range(40)))
    assert len(ids) == 2
    for one in ids:
        assert "engines.spark.daemon" in psutil.Process(one).parent().cmdline()


def test_arguments_of_a_loop_are_broadcast_once(engine) -> None:
    X, y = np.zeros((5000, 40)), np.zeros(5000)
    arrays = _Arrays(engine._session)
    content, first = arrays.taken_out_of((X, {"again": X, "label": y}, 1))
    more, second = arrays.taken_out_of((X, {"again": X, "label": y}, 2))
    # y is small enough to travel along
    assert len(content) == len(more) < y.nbytes + 2000
    assert len(first) == 1
    assert first[0] is second[0]
    arrays.release()


def test_what_a_loop_raises_is_told(engine) -> None:
    from joblib import Parallel, delayed

    before = set(threading.enumerate())
    with (
        pytest.raises(EngineFailedError, match="ZeroDivisionError: division by zero"),
        engine._step(Feature.ESTIMATOR),
        loops_on_spark(engine._session),
    ):
        Parallel()(delayed(divide)(number) for number in (1, 0, 2, 3))
    assert set(threading.enumerate()) == before


def test_a_worker_that_dies_in_a_loop_is_told(engine) -> None:
    from joblib import Parallel, delayed

    with (
        pytest.raises(WorkerLostError, match="a Python worker died"),
        engine._step(Feature.ESTIMATOR),
        loops_on_spark(engine._session),
    ):
        Parallel()(delayed(end)(number) for number in range(2))


def test_what_has_no_loop_says_so(engine, binary) -> None:
    data = engine.load(Source(binary, "train", "host"))
    (note,) = engine.fit_estimator(asked("sklearn.svm.SVC"), data).notes
    assert note == (
        "spark: one fit of sklearn.svm.SVC has no parallel loop to spread over the workers; it "
        "ran in the process that drives them."
    )


def test_a_clusterer_that_cannot_predict_labels_its_rows_wherever_they_lie(engine, blobs) -> None:
    data = engine.load(Source(blobs, "train", "host"))
    model = engine.fit_estimator(asked("sklearn.cluster.DBSCAN", eps=2.0), data)
    spread = engine.load(Source(blobs, "train"))
    found = engine.predict(model, spread)
    np.testing.assert_array_equal(found.value, model.native.estimator.labels_)
    np.testing.assert_array_equal(found.row_id, data.native.row_id)
    engine.release(spread)


def test_values_of_three_classes_keep_their_shape(engine, blobs) -> None:
    data = engine.load(Source(blobs, "train", "host"))
    spread = engine.load(Source(blobs, "train"))
    spec = asked("sklearn.naive_bayes.GaussianNB", "probabilities")
    model = engine.fit_estimator(spec, data)
    found = engine.predict(model, spread)
    expected = engine.predict(model, data)
    assert found.value.shape == (data.n_rows, len(blobs.classes))
    np.testing.assert_array_equal(found.value, expected.value)
    engine.release(spread)
