"""Scores of a held-out fold must cost a search no more than scikit-learn's own would."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import accuracy_score, davies_bouldin_score, silhouette_score
from sklearn.model_selection import KFold

from engines.prepared import Prepared, Rows
from engines.types import Predictions
from experiments.metrics import score_held_out

REPEATS = 50


def held_out_rows():
    """Return one of five folds of the breast-cancer data: 114 rows of 30 features."""
    data = load_breast_cancer()
    _, chosen = next(iter(KFold(5).split(data.data)))
    X, y = data.data[chosen], data.target[chosen].astype(np.int32)
    names = tuple(map(str, data.feature_names))
    prepared = Prepared(
        path=Path("held in memory alone"),
        fingerprint="",
        features=names,
        dtype="float64",
        label_kind="classes",
        classes=("malignant", "benign"),
        counts={"train": len(data.data), "test": 0},
        mean_variance=1.0,
        n_folds=5,
        row_groups=(),
        notes=(),
    )
    return prepared, Rows(X, y, chosen.astype(np.int64), np.zeros(len(X), dtype=np.int8))


def seconds(call):
    started = time.perf_counter()
    for _ in range(REPEATS):
        call()
    return (time.perf_counter() - started) / REPEATS


def compare(benchmark, what, ours, theirs):
    """Time both in turn, print the ratio of the medians, and hold it to 1."""
    with_ours, with_theirs = [], []

    def one_of_each():
        with_ours.append(seconds(ours))
        with_theirs.append(seconds(theirs))

    benchmark.pedantic(one_of_each, rounds=7, warmup_rounds=1)
    ratio = statistics.median(with_ours) / statistics.median(with_theirs)
    benchmark.extra_info["ratio"] = ratio
    print(
        f"\n{what} of 114 rows: {statistics.median(with_ours) * 1e6:.0f} us, scikit-learn's own "
        f"{statistics.median(with_theirs) * 1e6:.0f} us, ratio {ratio:.2f}"
    )
    assert ratio <= 1.0


def test_scores_of_clusters_take_no_longer_than_scikit_learns_own(benchmark):
    prepared, rows = held_out_rows()
    model = KMeans(5, n_init=1, random_state=0).fit(rows.X)
    labels = model.labels_.astype(np.int32)
    predictions = Predictions(rows.row_id, labels)

    def ours():
        return score_held_out(
            prepared,
            predictions,
            ("silhouette", "davies_bouldin"),
            task="clustering",
            centers=model.cluster_centers_,
            seed=0,
            rows=rows,
        )

    compare(
        benchmark,
        "silhouette and Davies-Bouldin index",
        ours,
        lambda: (silhouette_score(rows.X, labels), davies_bouldin_score(rows.X, labels)),
    )


def test_the_accuracy_takes_no_longer_than_scikit_learns_own(benchmark):
    prepared, rows = held_out_rows()
    probability = np.random.default_rng(0).random(len(rows.y))
    predictions = Predictions(rows.row_id, probability)

    def ours():
        return score_held_out(
            prepared, predictions, ("accuracy",), task="binary", centers=None, seed=0, rows=rows
        )

    compare(benchmark, "accuracy", ours, lambda: accuracy_score(rows.y, probability > 0.5))
