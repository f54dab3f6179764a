"""A search over candidates on Dask: what it scores, what it moves, and what it survives."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, replace
from itertools import pairwise, product

import cloudpickle
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import log_loss, silhouette_score
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.svm import SVC
from xgboost import XGBClassifier

from engines.base import Engine
from engines.dask import DaskEngine, session
from engines.errors import EngineMemoryError, SpecError, WorkerLostError
from engines.folds import positions
from engines.prepared import Rows, read_rows
from engines.specs import EstimatorSpec, KMeansSpec, XGBoostSpec
from engines.types import Data, Judgement, Sample, Source, Trial
from experiments.datasets import prepare
from experiments.datasets.options import (
    BlobsOptions,
    ClassificationOptions,
    FoldOptions,
    SplitOptions,
)

FOLDS = 3


@pytest.fixture(scope="module", autouse=True)
def by_value():
    """Let workers have the judges below, whose module they cannot import."""
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    yield
    cloudpickle.unregister_pickle_by_value(module)


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    options = ClassificationOptions(
        source="classification", n_samples=360, n_features=6, n_informative=4, seed=1
    )
    return prepare(
        options,
        SplitOptions(folds=FOLDS, seed=0),
        label_kind="classes",
        min_row_groups=2,
        cache=tmp_path_factory.mktemp("prepared"),
    )


@pytest.fixture(scope="module")
def contiguous(tmp_path_factory):
    """Folds that are thirds of the rows in their order, of which one worker holds one whole."""
    options = BlobsOptions(
        source="blobs", n_samples=900, n_features=5, centers=4, cluster_std=6.0, seed=3
    )
    made = prepare(
        options,
        None,
        folds=FoldOptions(n_folds=FOLDS, shuffle=False, seed=0, stratify=False),
        label_kind="classes",
        min_row_groups=2,
        cache=tmp_path_factory.mktemp("prepared"),
    )
    assert (np.diff(rows_of(made).fold) >= 0).all()
    return made


@pytest.fixture(scope="module")
def everywhere(dask_engine, binary):
    return dask_engine.load(Source(binary, "train", "everywhere"))


def rows_of(prepared):
    return read_rows(prepared, prepared.row_groups, "train")


@dataclass(frozen=True)
class JudgeBy:
    """Score held-out rows with a function of the rows and the predictions."""

    metric: object

    def __call__(self, fit, predict, rows):
        return Judgement({"score": float(self.metric(rows, predict(fit()).value))}, 0.1, 0.0)


@dataclass(frozen=True)
class Slow:
    """Tell which process judged, from when until when, and how many threads it might run."""

    seconds: float

    def __call__(self, fit, predict, rows):
        import threadpoolctl

        del rows

        began = time.monotonic()
        predict(fit())
        time.sleep(self.seconds)
        pools = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
        scores = {
            "pid": os.getpid(),
            "began": began,
            "ended": time.monotonic(),
            "most": max(pools),
            "least": min(pools),
        }
        return Judgement(scores, self.seconds, 0.0)


@dataclass(frozen=True)
class SlowButForTheFirst:
    """Return at once for the first fold, and after a while for the others."""

    seconds: float

    def __call__(self, fit, predict, rows):
        del fit, predict
        time.sleep(self.seconds if rows.fold[0] else 0)
        return Judgement({}, 0.1, 0.0)


@dataclass(frozen=True)
class KillsItsWorker:
    """End the process that judges one candidate."""

    candidate_clusters: int

    def __call__(self, fit, predict, rows):
        del predict, rows
        model = fit()
        if len(model.centers) == self.candidate_clusters:
            os.kill(os.getpid(), signal.SIGKILL)
        return Judgement({"score": 0.0}, 0.1, 0.0)


def trials_of(specs):
    return [Trial(n, fold, spec) for n, spec in enumerate(specs) for fold in range(FOLDS)]


def tiny_trials(number):
    return trials_of([KMeansSpec(n_clusters=2, init="random", seed=n) for n in range(number)])


def worker_pids(opened):
    return opened._session.client.run(os.getpid)


def kill(pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def wait_until(fact):
    """Give what is released a moment to be gone."""
    deadline = time.monotonic() + 10
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def grid_scores(estimator, grid, scoring, prepared):
    """Return scikit-learn's score of each candidate and fold."""
    rows = rows_of(prepared)
    search = GridSearchCV(
        estimator, grid, scoring=scoring, cv=PredefinedSplit(rows.fold), refit=False
    ).fit(rows.X, rows.y)
    columns = [search.cv_results_[f"split{fold}_test_score"] for fold in range(FOLDS)]
    return search.cv_results_["params"], np.array(columns).T


def assert_scores_are_scikit_learns(engine, data, spec, judge, expected):
    params, scores = expected
    found = np.full(scores.shape, np.nan)
    for score in engine.score_candidates(
        trials_of([spec.with_values(values) for values in params]), data, judge
    ):
        assert score.error is None
        assert np.isnan(found[score.candidate, score.fold]), "a trial was scored twice"
        found[score.candidate, score.fold] = score.judgement.scores["score"]
    np.testing.assert_allclose(found, scores, rtol=0, atol=1e-12)


def test_svc_scores_are_those_of_grid_search(dask_engine, everywhere, binary):
    expected = grid_scores(
        SVC(random_state=0), {"C": [0.5, 2.0], "kernel": ["rbf", "poly"]}, "accuracy", binary
    )
    spec = EstimatorSpec.model_validate({"class": "sklearn.svm.SVC"})
    judge = JudgeBy(lambda rows, value: (rows.y == value).mean())
    assert_scores_are_scikit_learns(dask_engine, everywhere, spec, judge, expected)


def test_kmeans_scores_are_those_of_grid_search(dask_engine, everywhere, binary):
    def silhouette(estimator, X, y=None):
        return silhouette_score(X, estimator.predict(X))

    expected = grid_scores(
        KMeans(random_state=0),
        {"init": ["k-means++", "random"], "n_clusters": [2, 5], "n_init": [1, 3]},
        silhouette,
        binary,
    )
    spec = KMeansSpec(n_clusters=2, init="random")
    judge = JudgeBy(lambda rows, value: silhouette_score(rows.X, value))
    assert_scores_are_scikit_learns(dask_engine, everywhere, spec, judge, expected)


def test_xgboost_scores_are_those_of_grid_search(dask_engine, everywhere, binary):
    def in_float64(estimator, X, y):
        return -log_loss(y, estimator.predict_proba(X)[:, 1].astype(np.float64))

    expected = grid_scores(
        XGBClassifier(n_estimators=8, tree_method="hist", n_jobs=1, random_state=0),
        {"max_depth": [2, 4], "subsample": [0.5, 1.0]},
        in_float64,
        binary,
    )
    spec = XGBoostSpec(task="binary", n_estimators=8)
    judge = JudgeBy(lambda rows, value: -log_loss(rows.y, value))
    assert_scores_are_scikit_learns(dask_engine, everywhere, spec, judge, expected)


def test_a_candidate_that_fails_is_a_result_and_the_search_goes_on(dask_engine, everywhere):
    specs = [
        EstimatorSpec.model_validate({"class": "sklearn.svm.SVC", "parameters": {"C": C}})
        for C in (-1.0, 1.0)
    ]
    judge = JudgeBy(lambda rows, value: 1.0)
    scores = list(dask_engine.score_candidates(trials_of(specs), everywhere, judge))
    assert len(scores) == 2 * FOLDS
    for score in scores:
        assert (score.error is not None) == (score.candidate == 0)
        assert (score.judgement is None) == (score.candidate == 0)


def test_rows_travel_once_to_each_worker_and_never_with_a_trial(dask_engine, tmp_path):
    prepared = prepare(
        BlobsOptions(source="blobs", n_samples=20_000, n_features=12, centers=2, seed=0),
        SplitOptions(folds=FOLDS, seed=0),
        label_kind="classes",
        min_row_groups=2,
        cache=tmp_path,
    )
    opened = dask_engine._session
    one_copy = sum(array.nbytes for array in rows_of(prepared))

    def between_workers():
        sent = opened.client.run(lambda dask_worker: dask_worker.transfer_outgoing_bytes_total)
        return sum(sent.values())

    def messages():
        streams = [
            opened.client.scheduler_comm,
            *opened.cluster.scheduler.stream_comms.values(),
            *opened.cluster.scheduler.client_comms.values(),
        ]
        return sum(stream.byte_count for stream in streams)

    messages_before, between_before = messages(), between_workers()
    data = dask_engine.load(Source(prepared, "train", "everywhere"))
    # one copy goes from here to one worker, and one from that worker to the other
    assert one_copy <= between_workers() - between_before <= 1.02 * one_copy
    assert messages() - messages_before < 0.02 * one_copy
    who_has = opened.client.who_has([data.native.future()])
    assert {len(holders) for holders in who_has.values()} == {2}

    messages_before, between_before = messages(), between_workers()
    judge = JudgeBy(lambda rows, value: len(rows.X))
    scores = list(dask_engine.score_candidates(tiny_trials(8), data, judge))
    assert len({score.worker for score in scores}) == 2
    assert between_workers() - between_before < 0.02 * one_copy
    assert messages() - messages_before < 0.1 * one_copy
    dask_engine.release(data)


def test_idle_workers_keep_their_copies(dask_engine, binary):
    data = dask_engine.load(Source(binary, "train", "everywhere"))
    future = data.native.future()
    # Dask looks for copies to drop every two seconds
    time.sleep(4.5)
    who_has = dask_engine._session.client.who_has([future])
    assert {len(holders) for holders in who_has.values()} == {2}
    dask_engine.release(data)


def test_the_judge_travels_once_a_search(dask_engine, everywhere):
    @dataclass(frozen=True)
    class Heavy:
        ballast: bytes

        def __call__(self, fit, predict, rows):
            del predict, rows
            fit()
            return Judgement({"score": len(self.ballast)}, 0.1, 0.0)

    opened = dask_engine._session
    heavy = Heavy(os.urandom(2_000_000))
    streams = opened.cluster.scheduler.stream_comms
    before = sum(stream.byte_count for stream in streams.values())
    scores = list(dask_engine.score_candidates(tiny_trials(6), everywhere, heavy))
    assert {score.judgement.scores["score"] for score in scores} == {2_000_000}
    sent = sum(stream.byte_count for stream in streams.values()) - before
    assert sent < len(heavy.ballast) / 4


def test_results_come_while_the_search_goes_on(dask_engine, everywhere):
    found = dask_engine.score_candidates(tiny_trials(6), everywhere, Slow(0.2))
    next(found)
    first = time.monotonic()
    last = [score.judgement.scores["ended"] for score in found][-1]
    assert last > first


def test_both_workers_compute_at_the_same_time(dask_engine, everywhere):
    scores = list(dask_engine.score_candidates(tiny_trials(6), everywhere, Slow(0.1)))
    spans = [score.judgement.scores for score in scores]
    overlapping = [
        (one, other)
        for one, other in product(spans, spans)
        if one["pid"] != other["pid"]
        and one["began"] < other["ended"]
        and other["began"] < one["ended"]
    ]
    assert overlapping


def test_a_fit_runs_on_one_thread_where_a_worker_has_one(dask_engine, everywhere):
    scores = list(dask_engine.score_candidates(tiny_trials(2), everywhere, Slow(0)))
    assert {score.judgement.scores["most"] for score in scores} == {1}


def test_a_worker_of_two_threads_does_one_fit_at_a_time_with_both(granted, binary):
    with DaskEngine(replace(granted, workers=1, threads_per_worker=2)) as opened:
        data = opened.load(Source(binary, "train", "everywhere"))
        scores = list(opened.score_candidates(tiny_trials(4), data, Slow(0.1)))
        spans = sorted((one.judgement.scores for one in scores), key=lambda one: one["began"])
        assert {one["least"] for one in spans} == {one["most"] for one in spans} == {2}
        for before, after in pairwise(spans):
            assert before["ended"] <= after["began"]
        spec = EstimatorSpec.model_validate(
            {"class": "sklearn.ensemble.BaggingClassifier", "parameters": {"n_estimators": 4}}
        )
        judge = JudgeBy(lambda rows, value: 1.0)
        jobs = list(opened.score_candidates(trials_of([spec]), data, judge))
        assert [score.error for score in jobs] == [None] * FOLDS


def test_closing_early_takes_back_what_is_queued(dask_engine, everywhere):
    found = dask_engine.score_candidates(tiny_trials(30), everywhere, Slow(0.3))
    next(found)
    found.close()
    began = time.monotonic()
    again = list(dask_engine.score_candidates(tiny_trials(1), everywhere, Slow(0)))
    assert len(again) == FOLDS
    # one trial of 0.3 s was under way on each worker, and one waited behind it
    assert time.monotonic() - began < 2.5
    tasks = dask_engine._session.cluster.scheduler.tasks
    wait_until(lambda: not [key for key in list(tasks) if str(key).startswith("_evaluate")])


def test_closing_early_ends_a_trial_that_would_go_on(granted, binary):
    with DaskEngine(granted) as opened:
        data = opened.load(Source(binary, "train", "everywhere"))
        before = set(worker_pids(opened).values())
        found = opened.score_candidates(tiny_trials(4), data, SlowButForTheFirst(60.0))
        next(found)
        time.sleep(0.5)
        found.close()
        again = list(opened.score_candidates(tiny_trials(1), data, Slow(0)))
        assert len(again) == FOLDS
        assert len(before - set(worker_pids(opened).values())) >= 1
        assert opened.lost_workers() == (), "what was ended on purpose did not get lost"


def test_a_killed_worker_costs_no_score(granted, binary):
    with DaskEngine(granted) as opened:
        data = opened.load(Source(binary, "train", "everywhere"))
        asked = tiny_trials(14)
        seen = []
        for score in opened.score_candidates(asked, data, Slow(0.1)):
            seen.append(score)
            if len(seen) == 6:
                kill(list(worker_pids(opened).values())[:1])
        assert sorted((one.candidate, one.fold) for one in seen) == sorted(
            (one.candidate, one.fold) for one in asked
        )
        assert {one.error for one in seen} == {None}
        (line,) = opened.lost_workers()
        assert "died" in line


def test_rows_are_sent_again_when_every_worker_was_killed(granted, binary):
    with DaskEngine(granted) as opened:
        data = opened.load(Source(binary, "train", "everywhere"))
        seen = []
        for score in opened.score_candidates(tiny_trials(8), data, Slow(0.1)):
            seen.append(score)
            if len(seen) == 4:
                kill(worker_pids(opened).values())
        assert len({(one.candidate, one.fold) for one in seen}) == len(seen) == 8 * FOLDS
        assert len(opened.lost_workers()) == 2
        spec = KMeansSpec(n_clusters=2, init="random")
        assert opened.fit_single_node(spec, data).centers.shape == (2, 6)


def test_a_candidate_that_kills_every_worker_ends_the_search(granted, binary):
    specs = [KMeansSpec(n_clusters=k, init="random") for k in (2, 3)]
    seen = []
    with DaskEngine(granted) as opened:
        data = opened.load(Source(binary, "train", "everywhere"))
        with pytest.raises(WorkerLostError, match="died"):
            seen.extend(opened.score_candidates(trials_of(specs), data, KillsItsWorker(3)))
        assert len(opened.lost_workers()) >= 3


def test_workers_that_never_come_back_are_told(granted, binary, monkeypatch):
    monkeypatch.setattr(session, "RESTART_TIMEOUT", 1.0)
    with DaskEngine(granted) as opened:
        data = opened.load(Source(binary, "train", "everywhere"))
        found = opened.score_candidates(tiny_trials(8), data, Slow(0.1))
        next(found)
        for nanny in opened._session.cluster.workers.values():
            nanny.close_gracefully()  # hence it starts no other
        kill(worker_pids(opened).values())
        with pytest.raises(WorkerLostError, match="died"):
            list(found)


def test_workers_short_of_memory_are_told_and_not_waited_for(dask_engine, everywhere, monkeypatch):
    monkeypatch.setattr(session, "RESTART_TIMEOUT", 1.0)
    client = dask_engine._session.client

    def pause_at(dask_worker, share):
        before = dask_worker.memory_manager.memory_pause_fraction
        dask_worker.memory_manager.memory_pause_fraction = share
        return before

    found = dask_engine.score_candidates(tiny_trials(20), everywhere, Slow(0.05))
    next(found)
    (before,) = set(client.run(pause_at, share=1e-6).values())
    try:
        with pytest.raises(EngineMemoryError, match="short of memory"):
            list(found)
    finally:
        client.run(pause_at, share=before)
    again = dask_engine.score_candidates(tiny_trials(1), everywhere, Slow(0))
    assert len(list(again)) == FOLDS


def test_one_fit_of_all_rows_is_that_of_one_process(dask_engine, everywhere, binary):
    rows = rows_of(binary)
    spec = XGBoostSpec(task="binary", n_estimators=5)
    model = dask_engine.fit_single_node(spec, everywhere)
    expected = XGBClassifier(n_estimators=5, tree_method="hist", n_jobs=1, random_state=0)
    probabilities = expected.fit(rows.X, rows.y).predict_proba(rows.X)[:, 1]
    for placement in ("spread", "host", "everywhere"):
        found = dask_engine.predict(model, dask_engine.load(Source(binary, "train", placement)))
        assert (found.row_id == rows.row_id).all()
        np.testing.assert_array_equal(found.value, probabilities)


@pytest.mark.parametrize("sample", [None, Sample(0.4, 7)], ids=["all", "sample"])
@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("fold", [0, 2])
def test_selected_rows_are_those_of_the_fold_and_every_worker_holds_some(
    dask_engine, contiguous, *, fold, held_out, sample
):
    from distributed import futures_of

    rows = rows_of(contiguous)
    data = dask_engine.load(Source(contiguous, "train"))
    selected = dask_engine.select(data, fold, held_out=held_out, sample=sample)
    chosen = np.sort(positions(rows.fold, fold, held_out=held_out, sample=sample))
    native = selected.native
    np.testing.assert_array_equal(native.row_id.compute(), rows.row_id[chosen])
    np.testing.assert_array_equal(native.X.compute(), rows.X[chosen])
    np.testing.assert_array_equal(native.y.compute(), rows.y[chosen])
    np.testing.assert_array_equal(native.fold.compute(), rows.fold[chosen])
    assert selected.n_rows == len(chosen)
    heights = native.X.chunks[0]
    assert heights == native.row_id.chunks[0]
    assert max(heights) - min(heights) <= 0.1 * len(chosen)
    opened = dask_engine._session
    who_has = opened.client.who_has(futures_of(list(native.all)))
    assert {one for held in who_has.values() for one in held} == set(opened.addresses)
    before = len(opened.cluster.scheduler.tasks)
    dask_engine.release(selected)
    dask_engine.release(data)
    del selected, data, native
    wait_until(lambda: len(opened.cluster.scheduler.tasks) < before)


def test_a_fold_without_rows_is_told(dask_engine, contiguous):
    data = dask_engine.load(Source(contiguous, "train"))
    with pytest.raises(SpecError, match="fold 99 of the training rows has no rows"):
        dask_engine.select(data, 99, held_out=True)


def test_rows_on_the_host_are_selected_in_the_order_drawn(dask_engine, contiguous):
    rows = rows_of(contiguous)
    sample = Sample(0.5, 3)
    data = dask_engine.load(Source(contiguous, "train", "host"))
    selected = dask_engine.select(data, 1, held_out=False, sample=sample)
    assert isinstance(selected.native, Rows)
    chosen = positions(rows.fold, 1, held_out=False, sample=sample)
    np.testing.assert_array_equal(selected.native.row_id, rows.row_id[chosen])


def test_a_search_over_rows_comes_near_the_one_over_candidates(dask_engine, contiguous):
    rows = rows_of(contiguous)
    start = rows.X[:: len(rows.X) // 4][:4].astype(np.float64)
    inertia = {}
    for placement in ("everywhere", "spread"):
        data = dask_engine.load(Source(contiguous, "train", placement))
        asked = [
            Trial(0, fold, KMeansSpec(n_clusters=4, tol=0), initial_centers=start)
            for fold in range(FOLDS)
        ]

        def judge(fit, predict, held, *, all_rows=rows):
            model = fit()
            found = predict(model)
            X = all_rows.X[np.searchsorted(all_rows.row_id, found.row_id)]
            distances = np.square(X - model.centers[found.value]).sum()
            return Judgement({"inertia": float(distances)}, 0.1, 0.0)

        scores = list(dask_engine.score_candidates(asked, data, judge))
        assert [one.error for one in scores] == [None] * FOLDS
        inertia[placement] = [
            one.judgement.scores["inertia"] for one in sorted(scores, key=lambda one: one.fold)
        ]
        dask_engine.release(data)
    np.testing.assert_allclose(inertia["spread"], inertia["everywhere"], rtol=1e-9)


def test_trees_searched_over_rows_are_those_of_one_process(dask_engine, tmp_path):
    options = ClassificationOptions(
        source="classification", n_samples=400, n_features=5, n_informative=4, seed=1, levels=256
    )
    prepared = prepare(
        options,
        None,
        folds=FoldOptions(n_folds=FOLDS, shuffle=False, seed=0, stratify=False),
        label_kind="classes",
        min_row_groups=2,
        cache=tmp_path,
    )
    rows = rows_of(prepared)
    spec = XGBoostSpec(task="binary", n_estimators=4, base_score=0.5)
    data = dask_engine.load(Source(prepared, "train"))
    found = {}

    def judge(fit, predict, held):
        predicted = predict(fit())
        found[tuple(predicted.row_id)] = predicted.value
        return Judgement({}, 0.1, 0.0)

    scores = list(dask_engine.score_candidates(trials_of([spec]), data, judge))
    assert [one.error for one in scores] == [None] * FOLDS
    for fold in range(FOLDS):
        rest, held = rows.fold != fold, rows.fold == fold
        one_process = XGBClassifier(
            n_estimators=4, tree_method="hist", n_jobs=1, random_state=0, base_score=0.5
        ).fit(rows.X[rest], rows.y[rest])
        expected = one_process.predict_proba(rows.X[held])[:, 1]
        np.testing.assert_allclose(found[tuple(rows.row_id[held])], expected, atol=1e-6)


def test_no_thread_outlives_a_search(dask_engine, everywhere):
    list(dask_engine.score_candidates(tiny_trials(2), everywhere, Slow(0)))
    before = set(threading.enumerate())
    list(dask_engine.score_candidates(tiny_trials(2), everywhere, Slow(0)))
    left = {one.name for one in set(threading.enumerate()) - before if one.is_alive()}
    assert not {name for name in left if "enginebench" in name}


def test_the_engine_declares_what_becomes_of_an_estimators_parameters(dask_engine, binary):
    assert isinstance(dask_engine, Engine)
    spec = EstimatorSpec.model_validate({"class": "sklearn.svm.SVC", "parameters": {"C": 2.0}})
    (C,) = [one for one in DaskEngine.parameters(spec, binary) if one.name == "C"]
    assert (C.verdict, C.value) == ("same", 2.0)
    assert isinstance(dask_engine.load(Source(binary, "train", "host")), Data)
