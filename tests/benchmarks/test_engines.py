"""What each engine takes to load, cluster, boost and search: for comparing one time with another.

Run with `make bench`, and again after a change with `make bench-compare`.
"""

from __future__ import annotations

import pytest

BLOBS = ("kmeans-blobs", "sweep=null")
BOOSTING = ("xgboost-scaling", "sweep=null", "workload.n_estimators=20")
SMALL, LARGE = 10_000, 100_000
ROUNDS = 3


@pytest.mark.parametrize("rows", [SMALL, LARGE])
def test_load(bench_experiment, rows):
    bench_experiment(*BLOBS, f"dataset.n_samples={rows}", phase="load", rounds=ROUNDS)


@pytest.mark.parametrize("rows", [SMALL, LARGE])
def test_kmeans(bench_experiment, rows):
    *_, last = bench_experiment(*BLOBS, f"dataset.n_samples={rows}", rounds=ROUNDS)
    assert last.metrics["adjusted_rand"] > 0.9


@pytest.mark.parametrize("rows", [SMALL, LARGE])
def test_xgboost(bench_experiment, rows):
    *_, last = bench_experiment(*BOOSTING, f"dataset.n_samples={rows}", rounds=ROUNDS)
    assert last.metrics["accuracy"] > 0.7


def test_search(bench_experiment):
    *_, last = bench_experiment("svc-small", rounds=ROUNDS)
    assert last.model["search"]["best"]["scores"]["accuracy"] > 0.8
