"""A worker that dies under a run is told, in time; the cluster and the next run go on."""

from __future__ import annotations

import threading
import time

import pytest

from experiments.definition import load_experiment
from experiments.records import read_records
from experiments.runner.events import PhaseStarted
from experiments.runner.run import run_experiment

TIMEOUT_S = 180
# the longest that a run waits for a cluster before it gives up
JOINING_S = 120
MEASURE = f"""
resources: {{cores: 2, memory: 4 GiB}}
measure: {{rounds: 1, warm_repeats: 0, timeout: {TIMEOUT_S} s}}
"""
# long enough, in each phase, for something to happen in the middle of it
CLUSTERS = f"""
name: clusters
dataset: {{source: blobs, n_samples: 150_000, n_features: 20, centers: 5, cluster_std: 9, seed: 0}}
workload: {{kind: kmeans, n_clusters: 40, init: shared, max_iter: 60, tol: 0}}
engines: {{dask: {{workers: 2}}, spark: {{workers: 2}}}}
metrics: [inertia]
{MEASURE}
"""
TREES = f"""
name: trees
dataset: {{source: classification, n_samples: 40_000, n_features: 20, seed: 0}}
split: {{test_fraction: 0.25, seed: 0}}
workload: {{kind: xgboost, n_estimators: 1500, max_depth: 6}}
engines: {{dask: {{workers: 2}}, spark: {{workers: 2}}}}
metrics: [accuracy]
{MEASURE}
"""
SHORT = f"""
name: short
dataset: {{source: iris}}
workload: {{kind: kmeans, n_clusters: 3, init: shared, max_iter: 5}}
engines: {{dask: {{workers: 2}}, spark: {{workers: 2}}}}
metrics: [inertia]
{MEASURE}
"""
# a fit takes Spark longer, and it begins anew where Dask's are over
LESS = {"spark": {"clusters": "workload.max_iter=15", "trees": "workload.n_estimators=400"}}
# what is killed, by its command line
WORKERS = {"dask": "spawn_main", "spark": "CoarseGrainedExecutorBackend"}
MOMENTS = {
    "loads": (CLUSTERS, "load", 0.2),
    "finds clusters": (CLUSTERS, "fit", 1.5),
    "grows trees": (TREES, "fit", 3.0),
}


class Strike:
    """Kill a worker a moment after a phase began, once."""

    def __init__(self, phase, after_s, kill):
        self._phase, self._after_s, self._kill = phase, after_s, kill
        self.struck = threading.Event()

    def __call__(self, event):
        if isinstance(event, PhaseStarted) and event.name == self._phase:
            self._phase = None
            threading.Timer(self._after_s, self._strike).start()

    def _strike(self):
        self._kill()
        self.struck.set()


@pytest.fixture
def run(cluster, tmp_path):
    """Return a function that runs a definition on an engine of the cluster."""

    def run_on(engine, text, on_event=lambda event: None):
        path = tmp_path / "experiment.yaml"
        path.write_text(text)
        address = {
            "dask": f"engines.dask.address={cluster.dask_address}",
            "spark": f"engines.spark.master={cluster.spark_master}",
        }
        asked = load_experiment(path, [address[engine]], engines=[engine])
        if less := LESS.get(engine, {}).get(asked.name):
            asked = load_experiment(path, [address[engine], less], engines=[engine])
        started = time.monotonic()
        folder = run_experiment(asked, output=tmp_path / asked.name, on_event=on_event).folder
        (record,) = read_records(folder / "records.jsonl")
        return record, time.monotonic() - started

    return run_on


@pytest.mark.usefixtures("left_alone")
@pytest.mark.parametrize("engine", ["dask", "spark"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_killed_while_it_works_never_passes_for_a_clean_run(engine, moment, run, marked):
    def kill():
        victims = marked.processes(WORKERS[engine])
        assert len(victims) >= 2
        # the youngest: an executor of the session that only looked may still be on its way out
        max(victims, key=lambda one: one.create_time()).kill()

    definition, phase, after_s = MOMENTS[moment]
    strike = Strike(phase, after_s, kill)
    record, seconds = run(engine, definition, strike)
    assert strike.struck.is_set()
    assert record.outcome in {"degraded", "crashed", "failed"}, record
    assert "worker" in record.error.message or "executor" in record.error.message
    assert seconds < JOINING_S + TIMEOUT_S
    # whoever comes next finds the cluster as it was
    if moment == "grows trees":
        again, _ = run(engine, SHORT)
        assert (again.outcome, again.error) == ("completed", None)
