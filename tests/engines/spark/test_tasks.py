"""Independent calls in Spark's Python workers, on one worker of two threads."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import cloudpickle
import pytest

from engines.errors import EngineFailedError
from engines.spark import SparkEngine
from engines.specs import EstimatorSpec, KMeansSpec
from engines.types import Judgement, Source, Trial
from experiments.datasets import prepare
from experiments.datasets.options import BlobsOptions, SplitOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines.types import Resources

cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def engine(resources: Resources) -> Iterator[SparkEngine]:
    with SparkEngine(replace(resources, workers=1, threads_per_worker=2)) as running:
        yield running


def most_threads() -> int:
    import threadpoolctl

    return max(one["num_threads"] for one in threadpoolctl.threadpool_info())


def threads_of(number: int) -> tuple[int, int]:
    return number, most_threads()


def divide(number: int) -> float:
    return 1 / number


def end_once(path: str) -> str:
    import os
    from pathlib import Path

    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), 9)
    return path


def judge_threads(fit, predict, rows):
    predict(fit())
    return Judgement({"threads": most_threads()}, 0.01, 0.0)


@pytest.mark.parametrize("count", [0, 1, 3, 50])
def test_results_are_in_order_and_each_call_has_one_thread(engine, count) -> None:
    assert engine.map_tasks(threads_of, range(count)) == [(number, 1) for number in range(count)]


def test_what_a_call_raises_is_told(engine) -> None:
    with pytest.raises(EngineFailedError, match="ZeroDivisionError: division by zero"):
        engine.map_tasks(divide, [1, 2, 0])


def test_calls_of_a_killed_worker_are_made_again(engine, tmp_path) -> None:
    path = str(tmp_path / "died")
    assert engine.map_tasks(end_once, [path] * 3) == [path] * 3
    assert engine.lost_workers() == ("a Python worker of Spark died",)


def test_a_fit_of_a_search_has_both_threads_of_its_task(engine, cache) -> None:
    options = BlobsOptions(n_samples=200, n_features=2, centers=2)
    prepared = prepare(
        options, SplitOptions(folds=2), label_kind="classes", min_row_groups=1, cache=cache
    )
    data = engine.load(Source(prepared, "train", "everywhere"))
    trials = [Trial(0, fold, KMeansSpec(n_clusters=2, init="random")) for fold in range(2)]
    scores = list(engine.score_candidates(trials, data, judge_threads))
    assert [score.judgement.scores["threads"] for score in scores] == [2, 2]

    host = engine.load(Source(prepared, "train", "host"))
    spec = EstimatorSpec.model_validate(
        {"class": "sklearn.ensemble.RandomForestClassifier", "parameters": {"n_estimators": 2}}
    )
    (note,) = engine.fit_estimator(spec, host).notes
    assert "for one worker joblib sends nothing out" in note
