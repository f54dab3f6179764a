"""Estimators of scikit-learn and independent tasks on Dask."""

from __future__ import annotations

import math
import operator
import os
import pickle
import threading
import time

import numpy as np
import pytest
from distributed import get_task_stream
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from engines import monte_carlo
from engines.dask import DaskEngine
from engines.errors import EngineFailedError, WorkerLostError
from engines.prepared import read_rows
from engines.specs import EstimatorSpec, TasksSpec
from engines.types import Source
from experiments.datasets import prepare
from experiments.datasets.options import ClassificationOptions, SplitOptions

FOREST = "sklearn.ensemble.RandomForestClassifier"


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    options = ClassificationOptions(
        source="classification",
        n_samples=3000,
        n_features=8,
        n_informative=4,
        n_classes=3,
        n_clusters_per_class=1,
        seed=1,
    )
    cache = tmp_path_factory.mktemp("prepared")
    split = SplitOptions(test_fraction=0.25)
    return prepare(options, split, label_kind="classes", min_row_groups=2, cache=cache)


@pytest.fixture(scope="module")
def host(dask_engine, classes):
    return dask_engine.load(Source(classes, "train", "host"))


def rows_of(prepared, split):
    return read_rows(prepared, prepared.row_groups, split)


def estimator(path, **parameters):
    return EstimatorSpec.model_validate({"class": path, "parameters": parameters})


def probabilities(path, **parameters):
    return EstimatorSpec.model_validate(
        {"class": path, "parameters": parameters, "response": "probabilities"}
    )


def between_workers(opened):
    sent = opened.client.run(lambda dask_worker: dask_worker.transfer_outgoing_bytes_total)
    return sum(sent.values())


def test_a_forest_grows_on_all_workers_and_is_scikit_learns(dask_engine, host, classes):
    opened = dask_engine._session
    spec = probabilities(FOREST, n_estimators=24, max_depth=6)
    with get_task_stream(opened.client) as stream:
        model = dask_engine.fit_estimator(spec, host)
    grew = {one["worker"] for one in stream.data if "batch_of" in str(one["key"])}
    assert grew == set(opened.addresses)
    assert not [note for note in model.notes if note.startswith("dask:")]

    train, test = rows_of(classes, "train"), rows_of(classes, "test")
    plain = RandomForestClassifier(n_estimators=24, max_depth=6, random_state=0)
    expected = plain.fit(train.X, train.y).predict_proba(test.X)
    for placement in ("spread", "host"):
        data = dask_engine.load(Source(classes, "test", placement))
        found = dask_engine.predict(model, data)
        np.testing.assert_array_equal(found.row_id, test.row_id)
        np.testing.assert_allclose(found.value, expected, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(found.label, plain.predict(test.X))


def test_a_loop_sends_each_array_to_each_worker_once(dask_engine, host):
    opened = dask_engine._session
    # once for the first import in each worker
    dask_engine.fit_estimator(estimator(FOREST, n_estimators=4, max_depth=2), host)
    streams = [
        opened.client.scheduler_comm,
        *opened.cluster.scheduler.stream_comms.values(),
    ]
    before, messages = between_workers(opened), sum(one.byte_count for one in streams)
    dask_engine.fit_estimator(estimator(FOREST, n_estimators=60, max_depth=1), host)
    X = host.native.X
    # what the forest makes of the rows: float32 features and float64 classes. One worker has them
    # from here, and the other from it; the rest are the stumps themselves on their way here.
    arrays = X.size * 4 + len(X) * 8
    assert between_workers(opened) - before < 2 * arrays + 60 * 4000
    assert sum(one.byte_count for one in streams) - messages < 60 * 5000


def test_what_has_no_parallel_loop_is_fitted_here_and_says_so(dask_engine, host, classes):
    opened = dask_engine._session
    with get_task_stream(opened.client) as stream:
        model = dask_engine.fit_estimator(estimator("sklearn.svm.SVC"), host)
    assert stream.data == []
    (note,) = model.notes
    assert "sklearn.svm.SVC has no parallel loop" in note
    train, test = rows_of(classes, "train"), rows_of(classes, "test")
    expected = SVC(random_state=0).fit(train.X, train.y).predict(test.X)
    with get_task_stream(opened.client) as stream:
        data = dask_engine.load(Source(classes, "test"))
        found = dask_engine.predict(model, data)
    np.testing.assert_array_equal(found.value, expected)
    assert found.label is None
    predicted = [one for one in stream.data if "_predict_block" in str(one["key"])]
    assert {one["worker"] for one in predicted} == set(opened.addresses)


def test_a_model_travels_once_to_each_worker(dask_engine, host, classes):
    opened = dask_engine._session
    model = dask_engine.fit_estimator(estimator(FOREST, n_estimators=60), host)
    size = len(pickle.dumps(model))
    data = dask_engine.load(Source(classes, "train"))
    streams = [
        opened.client.scheduler_comm,
        *opened.cluster.scheduler.stream_comms.values(),
    ]
    before, messages = between_workers(opened), sum(one.byte_count for one in streams)
    dask_engine.predict(model, data)
    assert size > 500_000
    assert between_workers(opened) - before < 1.2 * size
    assert sum(one.byte_count for one in streams) - messages < 0.2 * size


def test_an_estimator_that_cannot_be_fitted_says_why(dask_engine, host):
    spec = estimator(FOREST, n_estimators=4, max_features=-1)
    with pytest.raises(EngineFailedError, match="max_features"):
        dask_engine.fit_estimator(spec, host)


def test_a_killed_worker_does_not_leave_a_fit_waiting(granted, classes):
    with DaskEngine(granted) as opened:
        data = opened.load(Source(classes, "train", "host"))
        pids = list(opened._session.client.run(os.getpid).values())
        killers = [threading.Timer(3.0, os.kill, (pid, 9)) for pid in pids]
        for killer in killers:
            killer.start()
        began = time.monotonic()
        with pytest.raises(WorkerLostError, match="died"):
            opened.fit_estimator(estimator(FOREST, n_estimators=4000), data)
        assert time.monotonic() - began < 40
        for killer in killers:
            killer.join()


def test_tasks_give_their_results_in_order_from_both_workers(dask_engine):
    opened = dask_engine._session
    spec = TasksSpec(paths=4000, block_paths=100, days=60)
    numbers = monte_carlo.blocks(spec)
    with get_task_stream(opened.client) as stream:
        found = dask_engine.map_tasks(monte_carlo.simulation(spec), numbers)
    assert found == [monte_carlo.simulate(spec, number) for number in numbers]
    assert {one["worker"] for one in stream.data} == set(opened.addresses)


def test_the_same_task_asked_for_again_is_carried_out_again(dask_engine):
    found = dask_engine.map_tasks(operator.methodcaller("upper"), ["a", "b", "a"])
    assert found == ["A", "B", "A"]
    opened = dask_engine._session
    with get_task_stream(opened.client) as stream:
        dask_engine.map_tasks(math.sqrt, [4.0, 4.0])
        dask_engine.map_tasks(math.sqrt, [4.0, 4.0])
    assert len([one for one in stream.data if "sqrt" in str(one["key"])]) == 4


def test_a_task_that_raises_says_what(dask_engine):
    with pytest.raises(EngineFailedError, match="ValueError: math domain error") as caught:
        dask_engine.map_tasks(math.sqrt, [4.0, -1.0])
    assert isinstance(caught.value.__cause__, ValueError)
    assert dask_engine.map_tasks(math.sqrt, [4.0, 9.0]) == [2.0, 3.0]


def test_no_tasks_give_no_results(dask_engine):
    assert dask_engine.map_tasks(math.sqrt, []) == []


def test_a_task_that_kills_every_worker_is_not_tried_for_ever(granted):
    with DaskEngine(granted) as opened, pytest.raises(WorkerLostError):
        opened.map_tasks(os._exit, [9])
