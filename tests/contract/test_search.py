"""A search: the same candidates, fits and scores on every engine, and those of scikit-learn."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import silhouette_score
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from xgboost import XGBClassifier

from engines import strategies
from engines.errors import SpecError
from engines.folds import positions
from engines.gaps import Feature
from engines.prepared import Rows, read_rows
from engines.specs import EstimatorSpec, KMeansSpec, XGBoostSpec
from engines.types import Judgement, Sample, Source, Trial
from experiments.metrics.judge import HeldOutJudge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from engines.base import Engine
    from engines.prepared import Prepared
    from engines.specs import Spec
    from engines.types import Data, Model, Predictions, Resources, Score

# the judges below travel to workers, which cannot import a test
cloudpickle.register_pickle_by_value(sys.modules[__name__])

over_candidates = pytest.mark.feature(Feature.SEARCH_OVER_CANDIDATES)
over_rows = pytest.mark.feature(Feature.SEARCH_OVER_ROWS)
N_FOLDS = 3
SEED = 7


def said(values: np.ndarray) -> dict[str, float]:
    """Return two numbers that change when any prediction does, or when their order does."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    return {
        "sum": float(flat.sum()),
        "coded": float(np.dot(flat, np.cos(np.arange(1, len(flat) + 1)))),
    }


@dataclass(frozen=True)
class Probe:
    """Score predictions in a way that scikit-learn's searches can be given too."""

    prepared: Prepared
    clusters: bool = False

    def __call__(
        self,
        fit: Callable[[], Model],
        predict: Callable[[Model], Predictions],
        rows: Rows | None,
    ) -> Judgement:
        began = time.perf_counter()
        model = fit()
        fitted = time.perf_counter()
        predictions = predict(model)
        if rows is None:  # no single process has them
            whole = train_rows(self.prepared)
            at = np.searchsorted(whole.row_id, predictions.row_id)
            rows = Rows(*(column[at] for column in whole))
        assert (np.diff(predictions.row_id) > 0).all()
        np.testing.assert_array_equal(predictions.row_id, rows.row_id)
        scores = said(predictions.value)
        if self.clusters:
            scores["silhouette"] = float(silhouette_score(rows.X, predictions.value))
        else:
            chosen = predictions.value
            if chosen.dtype == np.float64:
                chosen = chosen >= 0.5
            scores["accuracy"] = float(np.mean(chosen == rows.y))
        return Judgement(scores, fitted - began, time.perf_counter() - fitted)


def train_rows(prepared: Prepared) -> Rows:
    """Return the training rows."""
    return read_rows(prepared, prepared.row_groups, "train")


def splits(prepared: Prepared) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the folds as scikit-learn takes them."""
    fold_of = train_rows(prepared).fold
    return [
        (np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold))
        for fold in range(prepared.n_folds)
    ]


def trials_of(
    base: Spec, candidates: Sequence[dict[str, Any]], initial_centers: Any = None
) -> list[Trial]:
    """Return candidates times folds."""
    return [
        Trial(number, fold, base.with_values(values), None, initial_centers)
        for (number, values), fold in product(enumerate(candidates), range(N_FOLDS))
    ]


def in_order(scores: Sequence[Score]) -> list[Score]:
    """Sort by candidate and fold; each must be there once."""
    found = sorted(scores, key=lambda one: (one.candidate, one.fold))
    pairs = [(one.candidate, one.fold) for one in found]
    assert len(set(pairs)) == len(pairs), "a trial was scored twice"
    return found


def table(scores: Sequence[Score], metric: str) -> np.ndarray:
    """Return the scores of a metric, a row a candidate and a column a fold."""
    judged = [one.judgement for one in in_order(scores)]
    assert all(judged), [one.error for one in scores if one.error]
    return np.array([one.scores[metric] for one in judged]).reshape(-1, N_FOLDS)


def by_class(estimator: Any, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Score as `Probe` does: a classifier of scikit-learn."""
    predicted = estimator.predict(X)
    return {**said(predicted), "accuracy": float(np.mean(predicted == y))}


def by_probability(estimator: Any, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Score as `Probe` does: probabilities of the second class."""
    value = estimator.predict_proba(X)[:, 1].astype(np.float64)
    return {**said(value), "accuracy": float(np.mean((value >= 0.5) == y))}


def by_cluster(estimator: Any, X: np.ndarray, y: Any = None) -> dict[str, float]:
    """Score as `Probe` does: a clusterer of scikit-learn."""
    predicted = estimator.predict(X)
    return {**said(predicted), "silhouette": float(silhouette_score(X, predicted))}


def expected(
    estimator: Any, space: dict[str, list[Any]], scorer: Any, prepared: Prepared
) -> GridSearchCV:
    """Search with scikit-learn itself, on the same folds."""
    rows = train_rows(prepared)
    grid = GridSearchCV(estimator, space, scoring=scorer, cv=splits(prepared), refit=False)
    return grid.fit(rows.X, rows.y)


def reference(plain: GridSearchCV, metric: str) -> np.ndarray:
    """Return scikit-learn's scores of a metric, a row a candidate and a column a fold."""
    return np.column_stack(
        [plain.cv_results_[f"split{fold}_test_{metric}"] for fold in range(N_FOLDS)]
    )


def assert_same_scores(
    scores: Sequence[Score], plain: GridSearchCV, candidates: Sequence[dict[str, Any]]
) -> None:
    """Compare every score of every fold."""
    assert plain.cv_results_["params"] == list(candidates)
    assert len(scores) == len(candidates) * N_FOLDS
    metrics = [
        name.split("_", 2)[2] for name in plain.cv_results_ if name.startswith("split0_test")
    ]
    assert len(metrics) >= 3
    for metric in metrics:
        np.testing.assert_allclose(
            table(scores, metric), reference(plain, metric), rtol=1e-12, atol=1e-12
        )


def estimator_spec(path: str, **fields: Any) -> EstimatorSpec:
    """Return the specification of an estimator."""
    return EstimatorSpec.model_validate({"class": path, **fields})


SVC_SPEC = estimator_spec("sklearn.svm.SVC")
FOREST = estimator_spec(
    "sklearn.ensemble.RandomForestClassifier",
    parameters={"n_estimators": 5},
    response="probabilities",
    seed=SEED,
)
LOGISTIC = estimator_spec("sklearn.linear_model.LogisticRegression", response="probabilities")
BOOSTED = XGBoostSpec(task="binary", n_estimators=5, seed=SEED)
SEARCHES = {
    "SVC": (
        SVC_SPEC,
        SVC(random_state=0),
        {"C": [0.1, 10.0], "kernel": ["rbf", "poly"]},
        by_class,
    ),
    "LogisticRegression": (
        LOGISTIC,
        LogisticRegression(random_state=0),
        {"C": [0.01, 1.0], "fit_intercept": [True, False]},
        by_probability,
    ),
    "RandomForest": (
        FOREST,
        RandomForestClassifier(5, random_state=SEED),
        {"max_depth": [2, None], "max_features": [2, 4]},
        by_probability,
    ),
    "XGBoost": (
        BOOSTED,
        XGBClassifier(n_estimators=5, tree_method="hist", n_jobs=1, random_state=SEED),
        {"learning_rate": [0.1, 1.0], "max_depth": [2, 4], "subsample": [0.7, 1.0]},
        by_probability,
    ),
}


@over_candidates
@pytest.mark.parametrize("name", SEARCHES)
def test_each_fold_of_each_candidate_scores_as_in_grid_search_cv(
    engine: Engine[Any], everywhere: Data[Any], folded: Prepared, name: str
):
    spec, estimator, space, scorer = SEARCHES[name]
    candidates = strategies.grid(space)
    scores = list(engine.score_candidates(trials_of(spec, candidates), everywhere, Probe(folded)))
    assert_same_scores(scores, expected(estimator, space, scorer, folded), candidates)


@over_candidates
def test_a_grid_of_k_means_scores_as_in_grid_search_cv(engine: Engine[Any], folded_blobs: Prepared):
    space = {"init": ["k-means++", "random"], "n_clusters": [2, 5], "n_init": [1, 3]}
    candidates = strategies.grid(space)
    spec = KMeansSpec(n_clusters=2, init="random", seed=SEED)
    data = engine.load(Source(folded_blobs, "train", "everywhere"))
    trials = trials_of(spec, candidates)
    judge = Probe(folded_blobs, clusters=True)
    scores = list(engine.score_candidates(trials, data, judge))
    plain = expected(KMeans(random_state=SEED), space, by_cluster, folded_blobs)
    assert_same_scores(scores, plain, candidates)

    # the project's own metrics, which is what a search uses
    own = HeldOutJudge(folded_blobs, ("silhouette",), "clustering", seed=0)
    judged = list(engine.score_candidates(trials, data, own))
    np.testing.assert_allclose(
        table(judged, "silhouette"), table(scores, "silhouette"), rtol=1e-12, atol=1e-12
    )
    engine.release(data)


RANKED = {
    "SVC": (SVC(random_state=0), "sklearn.svm.SVC", {"C": [0.1, 10.0], "kernel": ["rbf", "poly"]}),
    # steps this long make probabilities of 0 and 1, and their ties
    "SGDClassifier": (
        SGDClassifier(random_state=0),
        "sklearn.linear_model.SGDClassifier",
        {"alpha": [1e-9, 1e-2], "loss": ["log_loss", "hinge"]},
    ),
    "KNeighborsClassifier": (
        KNeighborsClassifier(),
        "sklearn.neighbors.KNeighborsClassifier",
        {"n_neighbors": [3, 9]},
    ),
}


@over_candidates
@pytest.mark.parametrize("name", RANKED)
def test_the_area_under_the_curve_is_that_of_grid_search_cv(
    engine: Engine[Any], everywhere: Data[Any], folded: Prepared, name: str
):
    estimator, path, space = RANKED[name]
    candidates = strategies.grid(space)
    trials = trials_of(estimator_spec(path, response="ranking"), candidates)
    judge = HeldOutJudge(folded, ("roc_auc",), "binary", seed=0)
    scores = list(engine.score_candidates(trials, everywhere, judge))
    plain = expected(estimator, space, "roc_auc", folded)
    np.testing.assert_allclose(
        table(scores, "roc_auc"), reference(plain, "score"), rtol=0, atol=1e-12
    )


@over_candidates
def test_only_the_candidates_that_give_no_probabilities_fail_where_they_are_scored_by_them(
    engine: Engine[Any], everywhere: Data[Any], folded: Prepared
):
    spec = estimator_spec("sklearn.linear_model.SGDClassifier", response="probabilities")
    trials = trials_of(spec, [{"loss": "hinge"}, {"loss": "log_loss"}])
    judge = HeldOutJudge(folded, ("log_loss",), "binary", seed=0)
    scores = in_order(list(engine.score_candidates(trials, everywhere, judge)))
    assert [one.judgement is None for one in scores] == [True] * N_FOLDS + [False] * N_FOLDS
    assert all("gives no probabilities" in one.error for one in scores[:N_FOLDS])


@over_candidates
def test_shared_centres_travel_with_the_trials(engine: Engine[Any], folded_blobs: Prepared):
    start = train_rows(folded_blobs).X[:4].copy()
    spec = KMeansSpec(n_clusters=4, tol=0.0)
    candidates = strategies.grid({"max_iter": [1, 3]})
    data = engine.load(Source(folded_blobs, "train", "everywhere"))
    trials = trials_of(spec, candidates, start)
    scores = list(engine.score_candidates(trials, data, Probe(folded_blobs, clusters=True)))
    plain = expected(
        KMeans(4, init=start, n_init=1, tol=0.0), {"max_iter": [1, 3]}, by_cluster, folded_blobs
    )
    assert_same_scores(scores, plain, candidates)
    engine.release(data)


@over_candidates
def test_the_refitted_winner_is_what_scikit_learn_fits_on_all_training_rows(
    engine: Engine[Any], everywhere: Data[Any], folded: Prepared
):
    train, test = train_rows(folded), read_rows(folded, folded.row_groups, "test")
    held_out = engine.load(Source(folded, "test"))
    plain = {
        "SVC": SVC(random_state=0).fit(train.X, train.y).predict(test.X),
        "XGBoost": SEARCHES["XGBoost"][1].fit(train.X, train.y).predict_proba(test.X)[:, 1],
    }
    for name, values in plain.items():
        predictions = engine.predict(
            engine.fit_single_node(SEARCHES[name][0], everywhere), held_out
        )
        np.testing.assert_array_equal(predictions.row_id, test.row_id)
        np.testing.assert_array_equal(predictions.value, values.astype(predictions.value.dtype))
    engine.release(held_out)


@over_candidates
def test_a_candidate_that_raises_is_a_score_with_its_error_and_the_others_are_there(
    engine: Engine[Any], everywhere: Data[Any], folded: Prepared
):
    trials = trials_of(SVC_SPEC, [{"C": 1.0}, {"C": -1.0}, {"C": 2.0}])
    scores = in_order(list(engine.score_candidates(trials, everywhere, Probe(folded))))
    assert [(one.candidate, one.fold) for one in scores] == [
        (number, fold) for number in range(3) for fold in range(N_FOLDS)
    ]
    for one in scores:
        assert (one.judgement is None) == (one.candidate == 1)
        assert one.worker
        assert not one.unsupported
        if one.candidate == 1:
            assert one.error.startswith("InvalidParameterError: The 'C' parameter of SVC")
        else:
            assert one.error is None


@over_candidates
def test_a_candidate_that_one_machine_cannot_fit_is_told_apart(
    engine: Engine[Any], everywhere: Data[Any], folded: Prepared
):
    spec = KMeansSpec(n_clusters=2, init="k-means||")
    trials = [Trial(0, 0, spec), Trial(1, 0, spec.with_values({"init": "random"}))]
    lacks, has = in_order(list(engine.score_candidates(trials, everywhere, Probe(folded))))
    assert lacks.unsupported
    assert "scikit-learn has no k-means||" in lacks.error
    assert has.judgement is not None


@over_candidates
def test_folds_that_the_rows_do_not_have_are_refused(
    engine: Engine[Any], everywhere: Data[Any], folded: Prepared
):
    with pytest.raises(SpecError, match=r"needs folds.*fold 3 was asked for.*has 3\."):
        list(engine.score_candidates([Trial(0, 3, SVC_SPEC)], everywhere, Probe(folded)))


@dataclass(frozen=True)
class Looker:
    """Look at the process that fits instead of scoring."""

    seconds: float

    def __call__(self, fit: Any, predict: Any, _rows: Any) -> Judgement:
        import threadpoolctl
        from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

        predict(fit())
        pools = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
        time.sleep(self.seconds)
        scores = {
            "pools": float(len(pools)),
            "threads": float(max(pools)),
            "openmp": float(_openmp_effective_n_threads()),
            "pid": float(os.getpid()),
        }
        return Judgement(scores, 0.0, self.seconds)


@over_candidates
def test_workers_share_the_trials_and_each_fit_has_its_share_of_the_cores(
    engine: Engine[Any], everywhere: Data[Any], resources: Resources
):
    trials = trials_of(BOOSTED, [{"max_depth": depth} for depth in (1, 2, 3, 4)])
    scores = list(engine.score_candidates(trials, everywhere, Looker(0.05)))
    seen = [one.judgement.scores for one in scores]
    assert min(one["pools"] for one in seen) >= 2
    assert {one["threads"] for one in seen} == {1.0}
    assert {one["openmp"] for one in seen} == {1.0}
    pids = {int(one["pid"]) for one in seen}
    assert len(pids) == resources.cores
    assert os.getpid() not in pids
    assert len({one.worker for one in scores}) == resources.cores


@dataclass(frozen=True)
class Beating:
    """Take a moment until told to go on for long; then go on, and leave signs."""

    folder: Path
    told: Path
    seconds: float

    def __call__(self, _fit: Any, _predict: Any, _rows: Rows) -> Judgement:
        if not self.told.exists():
            time.sleep(0.5)
        else:
            sign = self.folder / f"{os.getpid()}-{time.monotonic_ns()}"
            end = time.monotonic() + self.seconds
            while time.monotonic() < end:
                sign.write_text("here", encoding="ascii")
                time.sleep(0.05)
        return Judgement({"one": 1.0}, 0.5, 0.0)


@over_candidates
def test_closing_the_iterator_leaves_nothing_running(
    engine: Engine[Any], everywhere: Data[Any], folded: Prepared, tmp_path: Path
):
    trials = trials_of(SVC_SPEC, [{}] * 4)
    told = tmp_path.with_name(f"{tmp_path.name}-told")
    scores = engine.score_candidates(trials, everywhere, Beating(tmp_path, told, seconds=60.0))
    assert next(scores).judgement
    told.touch()
    # An engine may send further trials only when it is asked for a further score. What was sent
    # before has ended after a moment, so that to ask never waits for one that goes on for long.
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        time.sleep(1.5)
        if list(tmp_path.iterdir()):
            break
        assert next(scores).judgement
    assert list(tmp_path.iterdir()), "nothing was running"
    scores.close()

    def newest() -> float:
        return max(path.stat().st_mtime for path in tmp_path.iterdir())

    deadline = time.monotonic() + 5
    while time.time() - newest() < 1.0 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert time.time() - newest() >= 1.0, "a trial still runs"
    started = len(list(tmp_path.iterdir()))

    # and the session goes on, without what was left of the other search
    again = list(engine.score_candidates(trials_of(SVC_SPEC, [{}]), everywhere, Probe(folded)))
    assert len(in_order(again)) == N_FOLDS
    assert all(one.judgement for one in again)
    assert len(list(tmp_path.iterdir())) == started


@dataclass(frozen=True)
class Drawn:
    """Tell which rows were fitted, and in which order, and which were held out."""

    def __call__(self, fit: Any, predict: Any, rows: Rows) -> Judgement:
        model = fit()
        correct = np.mean(predict(model).value == rows.y)
        fitted = said(model.native.estimator._fit_X)
        held_out = said(rows.X)
        scores = {
            "accuracy": float(correct),
            "fitted": fitted["coded"],
            "held_out": held_out["coded"],
        }
        return Judgement(scores, 0.0, 0.0)


@over_candidates
def test_halving_uses_the_rows_and_keeps_the_candidates_that_scikit_learn_does(
    engine: Engine[Any], everywhere: Data[Any], folded: Prepared
):
    rows = train_rows(folded)
    space = {"n_neighbors": [1, 2, 3, 4, 5], "weights": ["uniform", "distance"]}
    plain = HalvingGridSearchCV(
        KNeighborsClassifier(),
        space,
        factor=2,
        resource="n_samples",
        random_state=SEED,
        cv=splits(folded),
        scoring="accuracy",
        refit=False,
    ).fit(rows.X, rows.y)
    rungs = strategies.halving(
        10,
        factor=2,
        min_resources="exhaust",
        smallest=strategies.smallest_rows(N_FOLDS, 2),
        max_resources=len(rows.X),
        aggressive_elimination=False,
    )
    assert [rung.n_resources for rung in rungs] == plain.n_resources_
    spec = estimator_spec("sklearn.neighbors.KNeighborsClassifier")
    left = list(strategies.grid(space))
    for rung in rungs:
        here = np.flatnonzero(plain.cv_results_["iter"] == rung.iteration)
        assert [plain.cv_results_["params"][at] for at in here] == left
        sample = Sample(rung.n_resources / len(rows.X), SEED)
        trials = [Trial(one.candidate, one.fold, one.spec, sample) for one in trials_of(spec, left)]
        scores = list(engine.score_candidates(trials, everywhere, Drawn()))
        accuracy = table(scores, "accuracy")
        for fold in range(N_FOLDS):
            theirs = plain.cv_results_[f"split{fold}_test_score"][here]
            np.testing.assert_allclose(accuracy[:, fold], theirs, rtol=1e-12, atol=1e-12)
            fitted = rows.X[positions(rows.fold, fold, held_out=False, sample=sample)]
            held_out = rows.X[positions(rows.fold, fold, held_out=True, sample=sample)]
            np.testing.assert_array_equal(table(scores, "fitted")[:, fold], said(fitted)["coded"])
            np.testing.assert_array_equal(
                table(scores, "held_out")[:, fold], said(held_out)["coded"]
            )
        keep = strategies.kept(rung.n_candidates, 2)
        left = [left[at] for at in strategies.survivors(accuracy.mean(axis=1).tolist(), keep)]


@over_rows
@pytest.mark.feature(Feature.KMEANS_INIT_SHARED)
def test_k_means_over_all_workers_scores_as_in_one_process(
    engine: Engine[Any], folded_blobs: Prepared
):
    """Centres agree to rounding, so that no row changes its cluster and scores agree to 1e-9."""
    start = train_rows(folded_blobs).X[:4].copy()
    space = {"max_iter": [1, 4]}
    candidates = strategies.grid(space)
    data = engine.load(Source(folded_blobs, "train"))
    trials = trials_of(KMeansSpec(n_clusters=4, tol=0.0), candidates, start)
    scores = list(engine.score_candidates(trials, data, Probe(folded_blobs, clusters=True)))
    assert [(one.candidate, one.fold) for one in scores] == [
        (one.candidate, one.fold) for one in trials
    ]
    plain = expected(KMeans(4, init=start, n_init=1, tol=0.0), space, by_cluster, folded_blobs)
    for metric in ("sum", "coded", "silhouette"):
        found = table(scores, metric)
        np.testing.assert_allclose(found, reference(plain, metric), rtol=1e-9, atol=1e-9)
    engine.release(data)


@over_rows
@pytest.mark.feature(Feature.XGBOOST)
def test_xgboost_over_all_workers_scores_as_in_one_process(engine: Engine[Any], folded: Prepared):
    """Trees agree where features have no more levels than bins; XGBoost adds up in 32 bits.

    Hence 1e-6 a probability, and the accuracy, which only a probability within that of one half
    could change, to the last bit.
    """
    space = {"max_depth": [2, 4]}
    candidates = strategies.grid(space)
    data = engine.load(Source(folded, "train"))
    scores = list(engine.score_candidates(trials_of(BOOSTED, candidates), data, Probe(folded)))
    plain = expected(SEARCHES["XGBoost"][1], space, by_probability, folded)
    for metric, tolerance in (("accuracy", 0.0), ("sum", 1e-4), ("coded", 1e-4)):
        found = table(scores, metric)
        np.testing.assert_allclose(found, reference(plain, metric), rtol=0, atol=tolerance)
    engine.release(data)


@over_rows
@pytest.mark.feature(Feature.ESTIMATOR)
def test_a_forest_spread_over_the_engine_scores_as_in_grid_search_cv(
    engine: Engine[Any], folded: Prepared
):
    """A tree has a seed of its own, wherever it is grown; only the order of the sum may differ."""
    spec, estimator, _, scorer = SEARCHES["RandomForest"]
    space = {"max_depth": [2, None]}
    candidates = strategies.grid(space)
    data = engine.load(Source(folded, "train", "host"))
    scores = list(engine.score_candidates(trials_of(spec, candidates), data, Probe(folded)))
    assert_same_scores(scores, expected(estimator, space, scorer, folded), candidates)
    engine.release(data)


@over_rows
def test_a_candidate_that_raises_in_turn_is_a_score_with_its_error(
    engine: Engine[Any], folded_blobs: Prepared
):
    data = engine.load(Source(folded_blobs, "train"))
    more = KMeansSpec(n_clusters=folded_blobs.n_rows, init="random")
    fewer = KMeansSpec(n_clusters=2, init="random", max_iter=2)
    trials = [Trial(0, 0, more), Trial(1, 0, fewer)]
    failed, scored = engine.score_candidates(trials, data, Probe(folded_blobs, clusters=True))
    assert (failed.candidate, scored.candidate) == (0, 1)
    assert failed.judgement is None
    assert failed.error.startswith("SpecError: n_clusters must be at most the number of rows")
    assert scored.judgement is not None
    engine.release(data)


@over_rows
@pytest.mark.parametrize("placement", ["spread", "host"])
def test_rows_of_a_fold_and_all_others_are_selected(
    engine: Engine[Any], folded_blobs: Prepared, placement: str
):
    rows = train_rows(folded_blobs)
    data = engine.load(Source(folded_blobs, "train", placement))
    spec = KMeansSpec(n_clusters=2, init="random", max_iter=2)
    model = (
        engine.fit_kmeans(spec, data)
        if placement == "spread"
        else engine.fit_estimator(estimator_spec("sklearn.cluster.KMeans"), data)
    )
    for held_out, sample in product((True, False), (None, Sample(0.5, SEED))):
        part = engine.select(data, 1, held_out=held_out, sample=sample)
        chosen = np.sort(positions(rows.fold, 1, held_out=held_out, sample=sample))
        assert (part.n_rows, part.n_features) == (len(chosen), data.n_features)
        found = engine.predict(model, part).row_id
        # rows to be fitted may come in the order drawn
        np.testing.assert_array_equal(found if held_out else np.sort(found), rows.row_id[chosen])
        engine.release(part)
    engine.release(data)
