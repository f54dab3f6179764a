"""A search over candidates in Python workers: what travels, what it gives, and how it ends."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cloudpickle
import numpy as np
import psutil
import pytest

from engines.errors import WorkerLostError
from engines.prepared import read_rows
from engines.spark import SparkEngine
from engines.specs import EstimatorSpec, KMeansSpec, XGBoostSpec
from engines.types import Judgement, Sample, Source, Trial
from experiments.datasets import prepare
from experiments.datasets.options import BlobsOptions, ClassificationOptions, SplitOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines.prepared import Prepared
    from engines.types import Data, Resources

cloudpickle.register_pickle_by_value(sys.modules[__name__])

FOLDS = 3
SVC = EstimatorSpec.model_validate({"class": "sklearn.svm.SVC"})


def accuracy(fit, predict, rows):
    label = predict(fit()).value
    label = label > 0.5 if label.dtype.kind == "f" else label
    return Judgement({"accuracy": float((label == rows.y).mean())}, 0.01, 0.0)


def silhouette(fit, predict, rows):
    from sklearn.metrics import silhouette_score

    value = float(silhouette_score(rows.X, predict(fit()).value))
    return Judgement({"silhouette": value}, 0.01, 0.0)


def native_threads(fit, predict, rows):
    import threadpoolctl

    predict(fit())
    pools = threadpoolctl.threadpool_info()
    return Judgement({"threads": max(one["num_threads"] for one in pools)}, 0.01, 0.0)


def slow(fit, predict, rows):
    time.sleep(0.1)
    return Judgement({}, 0.1, 0.0)


def of_predictions(fit, predict, rows):
    """Needs no rows, so that it judges in both modes."""
    return Judgement({"mean": float(predict(fit()).value.mean())}, 0.01, 0.0)


@pytest.fixture(scope="module")
def engine(resources: Resources) -> Iterator[SparkEngine]:
    with SparkEngine(resources) as running:
        yield running


@pytest.fixture(scope="session")
def folded(cache: Path) -> Prepared:
    options = ClassificationOptions(n_samples=600, n_features=6, n_informative=4, levels=256)
    split = SplitOptions(folds=FOLDS, test_fraction=0.25)
    return prepare(options, split, label_kind="classes", min_row_groups=2, cache=cache)


@pytest.fixture
def everywhere(engine: SparkEngine, folded: Prepared) -> Iterator[Data]:
    data = engine.load(Source(folded, "train", "everywhere"))
    yield data
    engine.release(data)


def grid(spec, candidates: int, **of_candidate) -> list[Trial]:
    return [
        Trial(
            number,
            fold,
            spec.with_values({name: value(number) for name, value in of_candidate.items()}),
        )
        for number in range(candidates)
        for fold in range(FOLDS)
    ]


def table(scores, metric: str, candidates: int) -> np.ndarray:
    found = np.full((candidates, FOLDS), np.nan)
    for score in scores:
        assert score.error is None
        found[score.candidate, score.fold] = score.judgement.scores[metric]
    return found


def grid_search(prepared: Prepared, estimator, parameters, scoring) -> np.ndarray:
    """Return what scikit-learn itself finds, candidates in rows and folds in columns."""
    from sklearn.model_selection import GridSearchCV, PredefinedSplit

    rows = read_rows(prepared, prepared.row_groups, "train")
    search = GridSearchCV(
        estimator, parameters, scoring=scoring, cv=PredefinedSplit(rows.fold), refit=False
    ).fit(rows.X, rows.y)
    return np.stack(
        [search.cv_results_[f"split{fold}_test_score"] for fold in range(FOLDS)], axis=1
    )


def has_rows(engine: SparkEngine, data: Data) -> list[bool]:
    """Tell for the Python worker of each slot whether it has rows before anything asks for them."""
    rows = data.native.rows

    def ask(slot: Iterator[int]) -> Iterator[bool]:
        for _ in slot:
            yield hasattr(rows, "_value")

    slots = engine._session.spark.sparkContext.parallelize(range(2), 2).barrier()
    return slots.mapPartitions(ask).collect()


def broadcast_files(engine: SparkEngine) -> dict[str, int]:
    """Return the files that broadcasts travel in, with their bytes."""
    folder = Path(engine._session.spark.sparkContext._temp_dir)
    return {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}


def test_scores_of_svc_are_those_of_scikit_learn(engine, everywhere, folded) -> None:
    from sklearn.svm import SVC as Classifier  # noqa: N811

    costs = [0.1, 1.0, 10.0]
    trials = grid(SVC, len(costs), C=lambda number: costs[number])
    found = table(engine.score_candidates(trials, everywhere, accuracy), "accuracy", len(costs))
    expected = grid_search(folded, Classifier(random_state=0), {"C": costs}, "accuracy")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_scores_of_kmeans_are_those_of_scikit_learn(engine, everywhere, folded) -> None:
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score
    from threadpoolctl import threadpool_limits

    counts = [2, 3, 5]
    spec = KMeansSpec(n_clusters=2, init="k-means++", n_init=3)
    trials = grid(spec, len(counts), n_clusters=lambda number: counts[number])
    scores = engine.score_candidates(trials, everywhere, silhouette)
    found = table(scores, "silhouette", len(counts))
    with threadpool_limits(1):
        expected = grid_search(
            folded,
            KMeans(n_init=3, max_iter=300, random_state=0),
            {"n_clusters": counts},
            lambda fitted, X, y=None: silhouette_score(X, fitted.predict(X)),
        )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_scores_of_xgboost_are_those_of_scikit_learn(engine, everywhere, folded) -> None:
    from xgboost import XGBClassifier

    depths = [2, 4]
    spec = XGBoostSpec(task="binary", n_estimators=5, subsample=0.7)
    trials = grid(spec, len(depths), max_depth=lambda number: depths[number])
    found = table(engine.score_candidates(trials, everywhere, accuracy), "accuracy", len(depths))
    arguments = {"n_estimators": 5, "subsample": 0.7, "learning_rate": 0.3, "random_state": 0}
    expected = grid_search(
        folded,
        XGBClassifier(tree_method="hist", n_jobs=1, **arguments),
        {"max_depth": depths},
        "accuracy",
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_a_fit_has_the_threads_of_its_task(engine, everywhere) -> None:
    trials = grid(KMeansSpec(n_clusters=2, init="random"), 4)
    scores = list(engine.score_candidates(trials, everywhere, native_threads))
    assert {score.judgement.scores["threads"] for score in scores} == {1}
    assert len({score.worker for score in scores}) == 2


def test_rows_are_shipped_once(engine, tmp_path_factory) -> None:
    options = BlobsOptions(n_samples=16_000, n_features=32, centers=3)
    prepared = prepare(
        options,
        SplitOptions(folds=FOLDS),
        label_kind="none",
        min_row_groups=2,
        cache=tmp_path_factory.mktemp("wide"),
    )
    n_bytes = prepared.n_rows * prepared.n_features * 8
    before = broadcast_files(engine)

    data = engine.load(Source(prepared, "train", "everywhere"))
    (rows,) = broadcast_files(engine).keys() - before.keys()
    assert n_bytes < broadcast_files(engine)[rows] < 1.1 * n_bytes

    spec = KMeansSpec(n_clusters=2, init="random", max_iter=2)
    seen = list(engine.score_candidates(grid(spec, 6), data, of_predictions))
    workers = [psutil.Process(int(pid)) for pid in {one.worker.split()[1] for one in seen}]
    assert len(workers) == 2
    read = [worker.io_counters().read_chars for worker in workers]
    scores = engine.score_candidates(grid(spec, 20), data, of_predictions)
    next(scores)
    (bench,) = broadcast_files(engine).keys() - before.keys() - {rows}
    assert broadcast_files(engine)[bench] < 20_000
    assert len(list(scores)) == 20 * FOLDS - 1
    again = [worker.io_counters().read_chars for worker in workers]
    for first, last in zip(read, again, strict=True):
        # two hundred bytes a trial, not four million
        assert last - first < 0.05 * n_bytes

    assert broadcast_files(engine).keys() - before.keys() == {rows}
    engine.release(data)
    assert broadcast_files(engine).keys() == before.keys()


def test_every_worker_has_the_rows_when_they_are_loaded(engine, folded) -> None:
    train = engine.load(Source(folded, "train", "everywhere"))
    assert has_rows(engine, train) == [True, True]
    engine.release(train)
    train = engine.load(Source(folded, "train", "everywhere"))
    test = engine.load(Source(folded, "test", "everywhere"))
    assert has_rows(engine, train) == [True, True]  # and others take no room from them
    engine.release(train)
    engine.release(test)
    assert engine._session.held == []


def test_closing_ends_the_search_and_its_threads(engine, everywhere) -> None:
    before = set(threading.enumerate())
    scores = engine.score_candidates(grid(SVC, 100), everywhere, slow)
    next(scores)
    began = time.monotonic()
    scores.close()
    assert time.monotonic() - began < 5
    assert set(threading.enumerate()) == before
    tracker = engine._session.spark.sparkContext.statusTracker()
    assert not tracker.getActiveJobsIds()
    again = list(engine.score_candidates(grid(SVC, 2), everywhere, accuracy))
    assert len(again) == 2 * FOLDS


def test_searches_leave_no_open_files(engine, everywhere) -> None:
    def search() -> int:
        list(engine.score_candidates(grid(SVC, 2), everywhere, of_predictions))
        return psutil.Process().num_fds()

    search()
    first = search()
    assert max(search() for _ in range(4)) <= first + 4


def test_a_single_fit_is_that_of_scikit_learn(engine, everywhere, folded) -> None:
    from sklearn.svm import SVC as Classifier  # noqa: N811

    rows = read_rows(folded, folded.row_groups, "train")
    expected = Classifier(random_state=0).fit(rows.X, rows.y).predict(rows.X)
    model = engine.fit_single_node(SVC, everywhere)
    spread = engine.load(Source(folded, "train"))
    for data in (spread, everywhere):
        predictions = engine.predict(model, data)
        np.testing.assert_array_equal(predictions.row_id, rows.row_id)
        np.testing.assert_array_equal(predictions.value, expected)
    engine.release(spread)


@pytest.mark.parametrize("held_out", [True, False])
@pytest.mark.parametrize("sample", [None, Sample(0.4, 7)])
def test_selected_rows_are_those_of_the_fold_evenly_spread(
    engine, folded, held_out, sample
) -> None:
    from engines.folds import positions

    rows = read_rows(folded, folded.row_groups, "train")
    chosen = np.sort(positions(rows.fold, 1, held_out=held_out, sample=sample))
    train = engine.load(Source(folded, "train"))
    selected = engine.select(train, 1, held_out=held_out, sample=sample)
    table = selected.native.rows.toArrow()
    assert selected.n_rows == len(chosen)
    # partitions come one after the other, each sorted
    np.testing.assert_array_equal(table["row_id"].to_numpy(), rows.row_id[chosen])
    np.testing.assert_array_equal(table["label"].to_numpy(), rows.y[chosen])
    np.testing.assert_array_equal(table["f0"].to_numpy(), rows.X[chosen, 0])
    heights = selected.native.rows.rdd.glom().map(len).collect()
    assert len(heights) == 2
    assert max(heights) - min(heights) <= 1
    assert selected.native.rows.is_cached
    engine.release(selected)
    engine.release(train)


def test_candidates_fitted_over_all_rows_come_close_to_those_of_one_node(
    engine, everywhere, folded
) -> None:
    centers = read_rows(folded, folded.row_groups, "train").X[[3, 50, 99]].astype(np.float64)
    trials = [
        Trial(0, fold, KMeansSpec(n_clusters=3, tol=0), initial_centers=centers)
        for fold in range(FOLDS)
    ] + [Trial(1, 0, XGBoostSpec(task="binary", n_estimators=3, base_score=0.5))]
    spread = engine.load(Source(folded, "train"))
    alone = engine.score_candidates(trials, everywhere, of_predictions)
    together = engine.score_candidates(trials, spread, of_predictions)
    found = [
        {(one.candidate, one.fold): one.judgement.scores["mean"] for one in scores}
        for scores in (alone, together)
    ]
    assert found[1] == pytest.approx(found[0], abs=1e-6)
    engine.release(spread)


def test_a_killed_worker_loses_nothing_that_was_finished_and_is_replaced_once(
    engine, everywhere
) -> None:
    assert not engine.lost_workers()
    trials = grid(SVC, 8)
    scores = engine.score_candidates(trials, everywhere, slow)
    seen = [next(scores) for _ in range(5)]
    os.kill(int(seen[-1].worker.split()[1]), 9)
    seen += scores
    assert sorted((one.candidate, one.fold) for one in seen) == [
        (trial.candidate, trial.fold) for trial in trials
    ]
    assert engine.lost_workers() == ("a Python worker of Spark died",)

    scores = engine.score_candidates(trials, everywhere, slow)
    seen = [next(scores) for _ in range(5)]
    os.kill(int(seen[-1].worker.split()[1]), 9)
    with pytest.raises(WorkerLostError, match="a Python worker died"):
        list(scores)
    # the session goes on
    assert len(list(engine.score_candidates(trials, everywhere, accuracy))) == len(trials)


def test_a_killed_jvm_ends_the_search_at_once(engine, folded) -> None:
    data = engine.load(Source(folded, "train", "everywhere"))
    scores = engine.score_candidates(grid(SVC, 100), data, slow)
    next(scores)
    began = time.monotonic()
    psutil.Process(engine._session.jvm.pid).kill()
    with pytest.raises(WorkerLostError, match="SIGKILL"):
        list(scores)
    assert time.monotonic() - began < 15
    engine.stop()
    assert threading.enumerate() == [threading.main_thread()]
