"""Tiny fits must not spend their time waiting in a loop: the environment of a child prevents it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from experiments.runner.environment import child_environment

TINY = """
import time
import numpy as np
from sklearn.cluster import KMeans
from xgboost import XGBClassifier
X = np.random.default_rng(0).normal(size=(2000, 20))
y = (X[:, 0] > 0).astype(int)
def fits():
    for _ in range(20):
        KMeans(12, init=X[:12], n_init=1, max_iter=20, tol=0).fit(X)
    XGBClassifier(n_estimators=50, n_jobs=2).fit(X, y)
fits()
started = time.perf_counter()
fits()
print(time.perf_counter() - started)
"""
BUSY = "while True: pass"


def seconds(environment):
    done = subprocess.run(
        [sys.executable, "-c", TINY], env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def test_tiny_fits_beside_a_busy_process_take_less_time_than_in_a_plain_environment(
    benchmark, tmp_path
):
    ours = child_environment(2, tmp_path)
    plain = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    with_limits, without = [], []

    def one_of_each():
        with subprocess.Popen([sys.executable, "-c", BUSY]) as busy:
            with_limits.append(seconds(ours))
            without.append(seconds(plain))
            busy.kill()

    benchmark.pedantic(one_of_each, rounds=5)
    ratio = statistics.median(with_limits) / statistics.median(without)
    benchmark.extra_info["ratio"] = ratio
    print(f"\ntiny fits beside a busy process: with limits / without = {ratio:.2f}")
    assert ratio <= 1.0
