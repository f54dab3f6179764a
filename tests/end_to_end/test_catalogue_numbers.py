"""Ready experiments give the numbers of a plain scikit-learn script, on every engine."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, davies_bouldin_score, log_loss, silhouette_score
from sklearn.model_selection import GridSearchCV, ParameterSampler, train_test_split
from sklearn.svm import SVC
from xgboost import XGBClassifier

from experiments.definition import load_experiment
from experiments.records import read_records
from experiments.runner.run import run_experiment

ENGINES = ("sklearn", "dask", "spark")
EXACT = 1e-12


@pytest.fixture
def finished(tmp_path):
    """Return a function that runs a ready experiment and returns its records and candidates."""

    def run(name, *overrides, variant=None, engines=None):
        experiment = load_experiment(
            name, [*overrides, "resources.cores=2"], engines=engines, variant=variant
        )
        folder = run_experiment(experiment, output=tmp_path / "run").folder
        records = read_records(folder / "records.jsonl")
        assert {record.outcome for record in records} == {"completed"}, [
            record.error for record in records
        ]
        table = folder / "candidates.parquet"
        return records, pd.read_parquet(table) if table.exists() else None

    return run


def of(candidates, engine):
    """Return the candidates of an engine, in the order drawn."""
    return candidates[candidates["engine"] == engine].sort_values("candidate")


def splits(candidates, metric):
    """Return the scores on each fold, of shape (n_candidates, n_folds)."""
    names = [name for name in candidates.columns if name.startswith("split")]
    return candidates[[name for name in names if name.endswith(f"_test_{metric}")]].to_numpy()


def splits_of(search, metric="score"):
    results = search.cv_results_
    names = [f"split{fold}_test_{metric}" for fold in range(search.n_splits_)]
    return np.column_stack([results[name] for name in names])


def by_engine(records):
    """Return the first record of each engine."""
    found = {}
    for record in records:
        found.setdefault(record.engine, record)
    return found


def test_svc_grid(finished):
    records, candidates = finished("svc-grid", "dataset.n_samples=240")
    X, y = make_classification(n_samples=240, random_state=0)
    space = {
        "C": [0.001, 0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0],
        "kernel": ["rbf", "poly", "sigmoid"],
        "shrinking": [True, False],
    }
    plain = GridSearchCV(SVC(gamma="auto", random_state=0), space, cv=3).fit(X, y)
    for engine, record in by_engine(records).items():
        own = of(candidates, engine)
        assert [json.loads(one) for one in own["params"]] == plain.cv_results_["params"]
        np.testing.assert_allclose(splits(own, "accuracy"), splits_of(plain), rtol=0, atol=EXACT)
        means = plain.cv_results_["mean_test_score"]
        np.testing.assert_allclose(own["mean_test_accuracy"], means, rtol=0, atol=EXACT)
        np.testing.assert_array_equal(
            own["rank_test_accuracy"], plain.cv_results_["rank_test_score"]
        )
        best = record.model["search"]["best"]
        assert best["candidate"] == plain.best_index_
        assert best["params"] == plain.best_params_
        assert record.metrics["accuracy"] == plain.score(X, y)


def test_svc_small_has_the_same_grid_on_four_features(finished):
    records, candidates = finished("svc-small", "dataset.n_samples=150", engines=["sklearn"])
    X, y = make_classification(n_samples=150, n_features=4, random_state=0)
    space = {
        "C": [0.001, 0.01, 0.1, 1.0, 5.0, 10.0],
        "kernel": ["rbf", "poly", "sigmoid"],
        "shrinking": [True, False],
    }
    plain = GridSearchCV(SVC(gamma="auto", random_state=0), space, cv=5).fit(X, y)
    own = of(candidates, "sklearn")
    np.testing.assert_allclose(splits(own, "accuracy"), splits_of(plain), rtol=0, atol=EXACT)
    assert records[0].model["search"]["best"]["params"] == plain.best_params_


def clusterings(model, rows, _=None):
    labels = model.predict(rows)
    return {
        "silhouette": silhouette_score(rows, labels),
        "davies_bouldin": -davies_bouldin_score(rows, labels),
    }


KMEANS_SPACE = {
    "init": ["k-means++", "random"],
    "max_iter": [100, 200, 300],
    "n_clusters": [2, 5, 8],
    "n_init": [10, 20, 30],
}


def test_kmeans_grid(finished):
    records, candidates = finished("kmeans-grid", "search.space.n_init=[10]")
    X = load_breast_cancer().data
    space = {**KMEANS_SPACE, "n_init": [10]}
    plain = GridSearchCV(
        KMeans(random_state=0), space, scoring=clusterings, refit="silhouette", cv=5
    ).fit(X)
    for engine, record in by_engine(records).items():
        own = of(candidates, engine)
        assert [json.loads(one) for one in own["params"]] == plain.cv_results_["params"]
        for metric, sign in (("silhouette", 1), ("davies_bouldin", -1)):
            expected = sign * splits_of(plain, metric)
            np.testing.assert_allclose(splits(own, metric), expected, rtol=EXACT, atol=EXACT)
        best = record.model["search"]["best"]
        assert best["params"] == plain.best_params_
        labels = plain.best_estimator_.labels_
        assert record.metrics["silhouette"] == pytest.approx(silhouette_score(X, labels), abs=1e-9)


def test_kmeans_grid_at_random_draws_as_scikit_learn_does(finished):
    _, candidates = finished(
        "kmeans-grid", "search.candidates=4", variant="random", engines=["sklearn"]
    )
    drawn = list(ParameterSampler(KMEANS_SPACE, 4, random_state=0))
    assert [json.loads(one) for one in of(candidates, "sklearn")["params"]] == drawn


def test_xgboost_grid(finished):
    records, candidates = finished("xgboost-grid", "workload.n_estimators=20")
    X, y = load_breast_cancer(return_X_y=True)
    space = {
        "max_depth": [3, 4, 5],
        "learning_rate": [1.0, 0.1, 0.2],
        "subsample": [0.5, 0.7, 1.0],
    }
    estimator = XGBClassifier(n_estimators=20, tree_method="hist", random_state=0, n_jobs=1)
    plain = GridSearchCV(estimator, space, scoring="accuracy", cv=5).fit(X, y)
    for engine, record in by_engine(records).items():
        own = of(candidates, engine)
        np.testing.assert_allclose(splits(own, "accuracy"), splits_of(plain), rtol=0, atol=EXACT)
        assert record.model["search"]["best"]["params"] == plain.best_params_
        assert record.metrics["accuracy"] == accuracy_score(y, plain.predict(X))


def test_digits_logistic(finished):
    records, _ = finished("digits-logistic", "measure.warm_repeats=0", engines=["sklearn", "dask"])
    X, y = load_digits(return_X_y=True)
    rows = np.arange(len(X))
    train, test = train_test_split(rows, test_size=0.25, random_state=0)
    train = np.sort(train)
    plain = LogisticRegression(max_iter=10000).fit(X[train], y[train])
    for record in by_engine(records).values():
        assert record.metrics["accuracy"] == accuracy_score(y[test], plain.predict(X[test]))
        expected = log_loss(y[test], plain.predict_proba(X[test]))
        assert record.metrics["log_loss"] == pytest.approx(expected, rel=1e-9)


def test_forest_scaling(finished):
    records, _ = finished(
        "forest-scaling",
        "workload.parameters.n_estimators=12",
        "dataset.n_samples=2000",
        "measure.warm_repeats=0",
        engines=["sklearn", "dask"],
    )
    X, y = make_classification(n_samples=2000, random_state=0)
    plain = RandomForestClassifier(n_estimators=12, random_state=0).fit(X, y)
    expected = log_loss(y, plain.predict_proba(X))
    assert [record.metrics["log_loss"] for record in records] == pytest.approx([expected] * 4)
    assert {record.metrics["accuracy"] for record in records} == {plain.score(X, y)}
    assert {record.point["resources.cores"] for record in records} == {1, 2}


def test_asian_option(finished):
    records, _ = finished(
        "asian-option", "measure.warm_repeats=0", "workload.reference_paths=20000"
    )
    payoffs = []
    for block in np.random.SeedSequence(0).spawn(20):
        steps = np.random.default_rng(block).standard_normal((500, 1008))
        logs = np.cumsum((0.05 - 0.02) / 252 + 0.2 / math.sqrt(252) * steps, axis=1)
        means = 100 * np.exp(logs).mean(axis=1)
        payoffs.append(np.maximum(means - 100, 0) * math.exp(-0.05 * 4))
    expected = np.concatenate(payoffs)
    estimates = {record.engine: record.model["estimate"] for record in records}
    assert set(estimates) == set(ENGINES)
    assert len(set(estimates.values())) == 1
    assert estimates["sklearn"] == pytest.approx(expected.mean(), rel=EXACT)
    error = expected.std(ddof=1) / math.sqrt(10_000)
    assert records[0].model["standard_error"] == pytest.approx(error, rel=1e-9)
    assert records[0].metrics["reference_z"] < 3


def test_blobs_out_of_core_finds_the_clouds(finished):
    records, _ = finished("blobs-out-of-core", "dataset.n_samples=6000", "measure.warm_repeats=0")
    assert [record.engine for record in records] == ["dask", "spark"]
    for record in records:
        assert record.metrics["adjusted_rand"] > 0.75
