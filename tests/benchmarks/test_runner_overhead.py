"""What the runner adds to a fit: the same library calls, with and without it, in turns."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.datasets import draw_initial_centers, prepare
from experiments.definition import load_experiment
from experiments.runner.environment import child_environment

BARE = Path(__file__).parent / "bare"
TURNS = 3
FITS = 6  # the first of each process is cold and left out
MOST = 1.03

DEFINITION = """
name: overhead
dataset: {{source: blobs, n_samples: 200_000, n_features: 20, centers: 12, seed: 0}}
split: null
workload: {workload}
engines: [{engine}]
resources: {{cores: 2, memory: 6 GiB}}
measure: {{rounds: 1, warm_repeats: {warm}, timeout: 10 min}}
metrics: [{metric}]
"""
WORKLOADS = {
    "kmeans": ("{kind: kmeans, n_clusters: 24, init: shared, max_iter: 30, tol: 0}", "inertia"),
    "xgboost": ("{kind: xgboost, n_estimators: 30}", "accuracy"),
}


def bare_fits(engine, prepared, workload, scratch):
    """Return the seconds of each warm fit in a bare script, under the same limits."""
    environment = child_environment(2, scratch)
    if engine == "spark":
        environment["PYSPARK_PYTHON"] = sys.executable
        environment["OMP_NUM_THREADS"] = "1"
    arguments = [str(prepared.path), json.dumps(workload), str(FITS)]
    done = subprocess.run(
        [sys.executable, str(BARE / f"{engine}_fits.py"), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2]),
    )
    return json.loads(done.stdout.splitlines()[-1])[1:]


@pytest.mark.parametrize("kind", ["kmeans", "xgboost"])
@pytest.mark.parametrize("engine", ["sklearn", "dask", "spark"])
def test_a_fit_through_the_runner_costs_what_it_costs_without(
    benchmark, tmp_path, warm_seconds, engine, kind
):
    text, metric = WORKLOADS[kind]
    path = tmp_path / "overhead.yaml"
    path.write_text(DEFINITION.format(workload=text, engine=engine, warm=FITS - 1, metric=metric))
    experiment = load_experiment(path)
    prepared = prepare(experiment.dataset, experiment.split, label_kind="auto", min_row_groups=8)
    workload = experiment.workload.model_dump()
    if kind == "kmeans":
        workload["centers"] = str(tmp_path / "centers.npy")
        np.save(workload["centers"], draw_initial_centers(prepared, 24, 0))

    bare, through = [], []

    def one_turn():
        bare.append(bare_fits(engine, prepared, workload, tmp_path))
        through.append(warm_seconds(experiment, "fit"))

    benchmark.pedantic(one_turn, rounds=TURNS)
    # Medians within a process, and of the turns the ratio that the noise of the machine moved
    # least: the smallest of each side
    ratio = min(map(statistics.median, through)) / min(map(statistics.median, bare))
    benchmark.extra_info["ratio"] = ratio
    print(f"\n{engine} {kind}: runner / bare = {ratio:.3f} (at most {MOST})")
    assert ratio <= MOST
