"""Searches of every strategy and mode, from the definition to the table, on every engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - as scikit-learn asks
from sklearn.model_selection import HalvingGridSearchCV, StratifiedKFold
from sklearn.svm import SVC

from experiments.definition import load_experiment
from experiments.records import read_records
from experiments.runner.run import run_experiment

COMMAND = str(Path(sys.executable).with_name("enginebench"))


@pytest.fixture
def finished(tmp_path):
    """Return a function that runs a definition and returns its records and candidates."""

    def run(text, *overrides):
        path = tmp_path / "experiment.yaml"
        path.write_text(text)
        folder = run_experiment(load_experiment(path, overrides), output=tmp_path / "run").folder
        records = read_records(folder / "records.jsonl")
        assert {record.outcome for record in records} == {"completed"}, records
        return records, pd.read_parquet(folder / "candidates.parquet"), folder

    return run


HALVING = """
name: halving
dataset: {source: breast_cancer, standardize: true}
split: null
workload: {kind: estimator, class: sklearn.svm.SVC, seed: 0}
search:
  strategy: halving
  space: {C: [0.001, 0.01, 0.1, 0.5, 1.0, 10.0], kernel: [rbf, sigmoid]}
  folds: 3
  shuffle: true
  seed: 4
  scoring: accuracy
  factor: 2
engines: [sklearn, dask, spark]
resources: {cores: 2}
metrics: [accuracy]
"""


def test_halving_over_rows_goes_as_scikit_learns_does(finished):
    records, candidates, _ = finished(HALVING)
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    plain = HalvingGridSearchCV(
        SVC(random_state=0),
        {"C": [0.001, 0.01, 0.1, 0.5, 1.0, 10.0], "kernel": ["rbf", "sigmoid"]},
        cv=StratifiedKFold(3, shuffle=True, random_state=4),
        factor=2,
        random_state=4,
        scoring="accuracy",
    ).fit(X, y)
    expected = pd.DataFrame(plain.cv_results_)
    for record in records:
        own = candidates[candidates["engine"] == record.engine]
        assert list(own.groupby("iter").size()) == plain.n_candidates_
        assert list(own.groupby("iter")["n_resources"].first()) == plain.n_resources_
        for iteration, theirs in expected.groupby("iter"):
            ours = own[own["iter"] == iteration]
            named = theirs.set_index(theirs["params"].map(json.dumps))["mean_test_score"]
            assert named.to_dict() == pytest.approx(
                ours.set_index("params")["mean_test_accuracy"].to_dict(), abs=1e-12
            )
        assert record.model["search"]["best"]["params"] == plain.best_params_
        assert record.model["search"]["rungs"] == plain.n_iterations_
        assert record.metrics["accuracy"] == plain.score(X, y)


def test_halving_over_a_parameter_gives_each_rung_more_of_it(finished):
    records, candidates, _ = finished(
        HALVING,
        "engines=[sklearn]",
        "workload={kind: estimator, class: sklearn.ensemble.RandomForestClassifier}",
        "search={strategy: halving, space: {max_depth: [1, 2, 3, 4], max_features: [1, 2]}, "
        "folds: 3, resource: n_estimators, min_resources: 2, max_resources: 8, factor: 2}",
    )
    assert list(candidates.groupby("iter").size()) == [8, 4, 2]
    assert list(candidates.groupby("iter")["param_n_estimators"].first()) == [2, 4, 8]
    assert records[0].model["search"]["best"]["params"]["n_estimators"] == 8


OVER_ROWS = """
name: over-rows
dataset: {source: breast_cancer, levels: 200}
workload: {kind: xgboost, n_estimators: 5}
search:
  strategy: grid
  space: {max_depth: [1, 3]}
  folds: 2
  scoring: [accuracy, log_loss]
  parallel_over: rows
engines: [sklearn, dask]
resources: {cores: 2}
"""


def test_a_search_over_rows_finds_the_same_on_one_process_and_on_many(finished):
    records, candidates, folder = finished(OVER_ROWS)
    assert set(candidates["worker"]) == {"all workers"}
    reference = candidates[candidates["engine"] == "sklearn"]
    for record in records:
        own = candidates[candidates["engine"] == record.engine]
        for name in ("split0_test_log_loss", "split1_test_log_loss"):
            # the cuts are the same, and only the order of sums in 32 bits differs
            np.testing.assert_allclose(own[name], reference[name], rtol=1e-5)
        assert record.model["search"]["parallel_over"] == "rows"
        best = record.model["search"]["best"]
        assert best["params"] == records[0].model["search"]["best"]["params"]
    shown = subprocess.run(
        [COMMAND, "report", str(folder)], capture_output=True, text=True, check=True
    ).stdout
    assert "in parallel over rows" in " ".join(shown.split())
    assert "both chose the same candidate" in " ".join(shown.split())


REPEATED = """
name: repeated
dataset: {source: iris}
workload: {kind: estimator, class: sklearn.tree.DecisionTreeClassifier}
search: {strategy: grid, space: {max_depth: [1, 2, 3]}, folds: 3, scoring: accuracy}
engines: [sklearn]
resources: {cores: 2}
measure: {rounds: 2, warm_repeats: 1}
sweep: {search.folds: [2, 3]}
"""


def test_rounds_repeats_and_points_of_a_sweep_are_searches_of_their_own(finished):
    records, candidates, _ = finished(REPEATED)
    assert len(records) == 2 * 2 * 2
    found = candidates.groupby(["point", "round", "repeat"]).size()
    assert list(found) == [3] * 8
    for _, same in candidates.groupby(["point", "candidate"]):
        assert len(set(same["mean_test_accuracy"])) == 1  # the same seed gives the same scores
    by_folds = candidates["point"].map(json.loads).map(lambda point: point["search.folds"])
    assert candidates.loc[by_folds == 2, "split2_test_accuracy"].isna().all()
    assert candidates.loc[by_folds == 3, "split2_test_accuracy"].notna().all()


def test_a_metric_that_is_undefined_for_every_candidate_is_named_with_its_reason(tmp_path):
    path = tmp_path / "experiment.yaml"
    path.write_text(
        """
name: undefined
dataset: {source: iris}
workload: {kind: kmeans, n_clusters: 1, init: random}
search: {strategy: grid, space: {n_init: [1, 2]}, folds: 3, scoring: silhouette}
engines: [sklearn]
resources: {cores: 2}
metrics: [inertia]
"""
    )
    result = run_experiment(load_experiment(path), output=tmp_path / "run")
    (record,) = read_records(result.folder / "records.jsonl")
    assert record.outcome == "failed"
    assert "silhouette is undefined" in record.error.message
    candidates = pd.read_parquet(result.folder / "candidates.parquet")
    assert list(candidates["outcome"]) == ["failed", "failed"]
    assert candidates["error"].str.contains("silhouette is undefined").all()


def test_shared_centres_follow_the_number_of_clusters_of_each_candidate(finished):
    records, candidates, _ = finished(
        """
name: shared
dataset: {source: blobs, n_samples: 400, centers: 4, seed: 1}
workload: {kind: kmeans, n_clusters: 4, init: shared}
search: {strategy: grid, space: {n_clusters: [2, 4, 6]}, folds: 2, scoring: inertia}
engines: [sklearn, dask]
resources: {cores: 2}
metrics: [inertia]
"""
    )
    assert set(candidates["outcome"]) == {"completed"}
    first, second = (
        candidates[candidates["engine"] == name]["mean_test_inertia"]
        for name in ("sklearn", "dask")
    )
    np.testing.assert_allclose(first, second, rtol=1e-12)
    assert len(records) == 2
