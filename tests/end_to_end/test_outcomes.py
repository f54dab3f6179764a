"""However an engine ends, the table says how, the others go on, and nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from experiments.definition import load_experiment
from experiments.records import read_records
from experiments.runner import protocol
from experiments.runner.events import CandidateScored, ChildStarted, PhaseStarted, RecordWritten
from experiments.runner.run import run_experiment
from experiments.search.log import write_table

# long enough in the fit, on every engine, for something to happen in the middle of it
LONG_FIT = """
name: long-fit
dataset: {source: blobs, n_samples: 300_000, n_features: 20, centers: 5, cluster_std: 9, seed: 0}
workload: {kind: kmeans, n_clusters: 60, init: shared, max_iter: 100_000, tol: 0}
engines: {sklearn: {}}
resources: {cores: 2, memory: 6 GiB}
measure: {rounds: 1, warm_repeats: 0, timeout: 5 min}
metrics: [inertia]
"""
MARK = "ENGINEBENCH_TESTS"
SHORT_FIT = """
name: short-fit
dataset: {source: iris}
workload: {kind: kmeans, n_clusters: 3, init: shared, max_iter: 10}
engines: {sklearn: {}}
resources: {cores: 2, memory: 4 GiB}
measure: {rounds: 1, warm_repeats: 0, timeout: 5 min}
metrics: [inertia]
"""


@pytest.fixture
def experiment(tmp_path):
    """Return a function that loads a definition from its text."""

    def load(text, *overrides):
        path = tmp_path / "experiment.yaml"
        path.write_text(text)
        return load_experiment(path, overrides)

    return load


@pytest.fixture(autouse=True, scope="module")
def mark():
    """Mark all that these tests start, so that nobody else's runs are taken for theirs."""
    os.environ[MARK] = str(os.getpid())
    yield
    del os.environ[MARK]


def carriers():
    """Return the live processes that any child of these tests' runs has left."""
    found = []
    for process in psutil.process_iter():
        try:
            carried = process.environ()
            ours = carried.get(MARK) == str(os.getpid()) and protocol.TOKEN in carried
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def scratch_folders():
    return {path.name for path in Path(tempfile.gettempdir()).glob("enginebench-*")}


@pytest.fixture(autouse=True)
def nothing_left():
    """Fail when a process or a temporary folder outlives the run."""
    before = scratch_folders()
    yield
    assert carriers() == []
    assert scratch_folders() <= before


class Strike:
    """Do something once, a moment after a phase of an engine began; and remember the events."""

    def __init__(self, phase, engine, action, after_s=1.0):
        self.events = []
        self._phase, self._engine, self._action, self._after_s = phase, engine, action, after_s
        self._running = None

    def __call__(self, event):
        self.events.append(event)
        self._running = getattr(event, "engine", self._running)
        due = isinstance(event, PhaseStarted) and event.name == self._phase
        if due and self._running == self._engine:
            self._phase = None
            threading.Timer(self._after_s, self._action).start()


def process_named(*words):
    """Return the one process of the running child whose command line holds the words."""
    found = [one for one in carriers() if all(word in " ".join(one.cmdline()) for word in words)]
    assert found, [one.cmdline() for one in carriers()]
    return found[0]


def test_a_killed_process_is_a_crash_and_the_other_engine_goes_on(experiment, tmp_path):
    asked = experiment(LONG_FIT, "engines=[sklearn, dask]", "workload.max_iter=30")
    strike = Strike("fit", "sklearn", lambda: process_named("experiments.runner.child").kill(), 0.2)
    result = run_experiment(asked, output=tmp_path / "run", on_event=strike)
    first, second = read_records(result.folder / "records.jsonl")
    assert (first.engine, first.outcome) == ("sklearn", "crashed")
    assert "signal 9" in first.error.message
    assert "phase fit" in first.error.message
    assert (result.folder / first.error.log).is_file()
    assert [(phase.name, phase.ended) for phase in first.phases] == [
        ("start", True),
        ("load", True),
        ("fit", False),
    ]
    assert (second.engine, second.outcome) == ("dask", "completed")
    assert second.metrics["inertia"] > 0


def test_a_killed_jvm_is_a_crash(experiment, tmp_path):
    asked = experiment(LONG_FIT, "engines=[spark]", "dataset.n_samples=60_000")
    strike = Strike("fit", "spark", lambda: process_named("pyspark-shell").kill(), 3.0)
    result = run_experiment(asked, output=tmp_path / "run", on_event=strike)
    (record,) = read_records(result.folder / "records.jsonl")
    assert record.outcome == "crashed"
    assert "JVM" in record.error.message


def test_a_killed_dask_worker_never_passes_for_a_clean_run(experiment, tmp_path):
    asked = experiment(LONG_FIT, "engines=[dask]", "workload.max_iter=40", "measure.timeout=90 s")
    strike = Strike("fit", "dask", lambda: process_named("spawn_main").kill(), 2.0)
    result = run_experiment(asked, output=tmp_path / "run", on_event=strike)
    (record,) = read_records(result.folder / "records.jsonl")
    assert record.outcome in {"crashed", "degraded"}
    assert "worker" in record.error.message


def test_a_killed_dask_worker_ends_an_xgboost_fit(experiment, tmp_path):
    asked = experiment(
        """
name: long-boost
dataset: {source: classification, n_samples: 50_000, n_features: 20, seed: 0}
split: {test_fraction: 0.25, seed: 0}
workload: {kind: xgboost, n_estimators: 3000, max_depth: 6}
engines: {dask: {}}
resources: {cores: 2, memory: 4 GiB}
measure: {rounds: 1, warm_repeats: 0, timeout: 90 s}
metrics: [accuracy]
"""
    )
    strike = Strike("fit", "dask", lambda: process_named("spawn_main").kill(), 3.0)
    result = run_experiment(asked, output=tmp_path / "run", on_event=strike)
    (record,) = read_records(result.folder / "records.jsonl")
    assert record.outcome == "crashed"
    assert "worker" in record.error.message


def test_a_tree_over_its_memory_is_out_of_memory(experiment, tmp_path):
    asked = experiment(LONG_FIT, "dataset.n_features=100", "resources.memory=400 MiB")
    result = run_experiment(asked, output=tmp_path / "run")
    (record,) = read_records(result.folder / "records.jsonl")
    assert record.outcome == "out of memory"
    assert "0.39 GiB" in record.error.message


def test_repeats_measured_before_a_crash_are_kept(experiment, tmp_path):
    asked = experiment(LONG_FIT, "workload.max_iter=40", "measure.warm_repeats=2")
    seen = []

    def strike(event):
        seen.append(event)
        if isinstance(event, PhaseStarted) and event.name == "fit" and event.repeat == 1:
            threading.Timer(0.2, lambda: process_named("experiments.runner.child").kill()).start()

    result = run_experiment(asked, output=tmp_path / "run", on_event=strike)
    cold, warm = read_records(result.folder / "records.jsonl")
    assert (cold.outcome, cold.warm, cold.repeat) == ("completed", False, 0)
    assert cold.metrics["inertia"] > 0
    assert (warm.outcome, warm.warm, warm.repeat) == ("crashed", True, 1)
    # the record was on disk before the next fit began
    kinds = [type(event) for event in seen]
    fits = [i for i, e in enumerate(seen) if isinstance(e, PhaseStarted) and e.name == "fit"]
    assert kinds.index(RecordWritten) < fits[1]


def test_an_unsupported_feature_is_an_outcome_with_its_reason(experiment, tmp_path):
    asked = experiment(SHORT_FIT, "workload.init=k-means||")
    result = run_experiment(asked, output=tmp_path / "run")
    (record,) = read_records(result.folder / "records.jsonl")
    assert record.outcome == "unsupported"
    assert "scikit-learn has no k-means||" in record.error.message


def test_phases_and_the_unaccounted_rest_add_up_to_the_life_of_the_child(experiment, tmp_path):
    started = time.perf_counter()
    result = run_experiment(
        experiment(SHORT_FIT, "measure.warm_repeats=2"), output=tmp_path / "run"
    )
    whole = time.perf_counter() - started
    records = read_records(result.folder / "records.jsonl")
    assert [record.repeat for record in records] == [0, 1, 2]
    first, last = records[0], records[-1]
    assert [phase.name for phase in first.phases] == ["start", "load", "fit", "predict", "save"]
    assert [phase.name for phase in last.phases][-2:] == ["inspect", "stop"]
    accounted = sum(
        sum(phase.wall_s for phase in record.phases) + record.unaccounted_s for record in records
    )
    assert 0.5 * whole < accounted < whole
    for record in records:
        assert record.unaccounted_s < 1.5
    assert first.metrics == last.metrics


def test_a_disk_without_room_for_samples_costs_no_run_and_is_one_warning(experiment, tmp_path):
    asked = experiment(SHORT_FIT, "measure.rounds=2", "measure.warm_repeats=1")

    def strike(event):
        if isinstance(event, ChildStarted) and event.round == 0:
            (tmp_path / "run" / "samples" / "sklearn-p0-r0.csv").symlink_to("/dev/full")

    result = run_experiment(asked, output=tmp_path / "run", on_event=strike)
    records = read_records(result.folder / "records.jsonl")
    assert [one.outcome for one in records] == ["completed"] * 4
    told = [[text for text in one.warnings if "samples/" in text] for one in records]
    assert list(map(len, told)) == [1, 0, 0, 0]
    assert told[0][0].startswith("samples/sklearn-p0-r0.csv could not be written (no space left")
    assert (result.folder / "samples" / "sklearn-p0-r1.csv").stat().st_size > 0


def test_ctrl_c_while_an_engine_stops_keeps_the_fit_that_was_measured(experiment, tmp_path):
    asked = experiment(SHORT_FIT, "engines=[sklearn, dask]")

    def strike(event):
        if isinstance(event, PhaseStarted) and event.name == "stop":
            signal.raise_signal(signal.SIGINT)

    result = run_experiment(asked, output=tmp_path / "run", on_event=strike)
    assert result.interrupted
    (record,) = read_records(result.folder / "records.jsonl")
    assert (record.engine, record.outcome) == ("sklearn", "completed")
    assert {"fit", "predict"} <= {phase.name for phase in record.phases}


def test_a_fit_over_its_time_is_timed_out_and_keeps_what_it_used(experiment, tmp_path):
    asked = experiment(LONG_FIT, "measure.timeout=6 s")
    result = run_experiment(asked, output=tmp_path / "run")
    (record,) = read_records(result.folder / "records.jsonl")
    assert record.outcome == "timed out"
    assert "6 s" in record.error.message
    assert "phase fit" in record.error.message
    fit = record.phases[-1]
    assert (fit.name, fit.ended) == ("fit", False)
    assert 1 < fit.cpu_s < 15
    assert fit.wall_s > 2
    assert record.unaccounted_s < 2


@pytest.mark.parametrize("engines", ["sklearn", "dask", "spark"])
def test_ctrl_c_stops_everything_within_five_seconds_and_keeps_what_is_done(engines, tmp_path):
    (tmp_path / "long.yaml").write_text(LONG_FIT)
    (tmp_path / "short.yaml").write_text(SHORT_FIT)
    command = [Path(sys.executable).with_name("enginebench"), "run", "short.yaml", "long.yaml"]
    command += ["--engines", engines, "--output", "runs"]
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        log = tmp_path / "runs" / "long-fit" / "logs"
        deadline = time.monotonic() + 120
        while not (log.is_dir() and any(log.iterdir())) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(4)
        run.send_signal(signal.SIGINT)
        pressed = time.monotonic()
        _, said = run.communicate(timeout=30)
        assert time.monotonic() - pressed < 5
        assert run.returncode == 130
    assert "Traceback" not in said
    (done,) = read_records(tmp_path / "runs" / "short-fit" / "records.jsonl")
    assert done.outcome == "completed"
    assert json.loads((tmp_path / "runs" / "long-fit" / "run.json").read_text())["interrupted"]


def test_a_killed_runner_leaves_no_process_and_no_folder_behind(tmp_path):
    (tmp_path / "long.yaml").write_text(LONG_FIT)
    command = [Path(sys.executable).with_name("enginebench"), "run", "long.yaml"]
    command += ["--engines", "spark", "--output", "run"]
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as run:
        deadline = time.monotonic() + 60
        while len(carriers()) < 2 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert len(carriers()) >= 2
        run.kill()
    deadline = time.monotonic() + 10
    while carriers() and time.monotonic() < deadline:
        time.sleep(0.1)  # the fixture then looks for processes and folders


# 90 fits of up to a tenth of a second, so that something can happen in the middle of them
LONG_SEARCH = """
name: long-search
dataset: {source: blobs, n_samples: 6_000, n_features: 10, centers: 5, cluster_std: 9, seed: 0}
workload: {kind: kmeans, n_clusters: 8, init: random, tol: 0}
search:
  strategy: grid
  space: {n_clusters: [20, 21, 22, 23, 24, 25], max_iter: [60, 61, 62, 63, 64], n_init: [2]}
  folds: 3
  scoring: davies_bouldin
  parallel_over: candidates
engines: {sklearn: {}}
resources: {cores: 2, memory: 6 GiB}
measure: {rounds: 1, timeout: 5 min}
metrics: [inertia]
"""


class StrikeSearch:
    """Do something once, when so many candidates of a search are done; and count them."""

    def __init__(self, done, action):
        self._done, self._action = done, action
        self.told = 0

    def __call__(self, event):
        if isinstance(event, CandidateScored):
            self.told = event.done
            if event.done >= self._done and self._action is not None:
                action, self._action = self._action, None
                action()


def candidates_of(folder):
    return pd.read_parquet(folder / "candidates.parquet")


def a_worker_of(engine):
    """Return a process of the running child that fits candidates."""
    if engine == "spark":
        return max(
            (one for one in carriers() if "engines.spark.daemon" in " ".join(one.cmdline())),
            key=lambda one: one.cpu_times().user,
        )
    words = {"sklearn": "popen_loky_posix", "dask": "spawn_main"}
    return process_named(words[engine])


@pytest.mark.parametrize("engine", ["sklearn", "dask", "spark"])
def test_a_worker_killed_in_a_search_loses_no_finished_candidate(experiment, tmp_path, engine):
    asked = experiment(LONG_SEARCH, f"engines=[{engine}]")
    strike = StrikeSearch(3, lambda: a_worker_of(engine).kill())
    result = run_experiment(asked, output=tmp_path / "run", on_event=strike)
    (record,) = read_records(result.folder / "records.jsonl")
    candidates = candidates_of(result.folder)
    assert len(candidates) == 30
    assert record.outcome in {"degraded", "crashed"}
    assert record.error.message
    completed = int((candidates["outcome"] == "completed").sum())
    assert completed >= 3
    assert record.model["search"]["completed"] == completed
    if record.outcome == "degraded":
        assert completed == 30
        assert record.metrics["inertia"] > 0


def test_a_search_killed_with_its_process_keeps_what_it_had(experiment, tmp_path):
    asked = experiment(LONG_SEARCH)
    child = "experiments.runner.child"
    strike = StrikeSearch(5, lambda: process_named(child).kill())
    result = run_experiment(asked, output=tmp_path / "run", on_event=strike)
    (record,) = read_records(result.folder / "records.jsonl")
    assert record.outcome == "crashed"
    outcomes = candidates_of(result.folder)["outcome"].value_counts()
    assert outcomes["completed"] >= 5
    assert outcomes["unfinished"] >= 1
    assert record.model["search"]["best"]["scores"]["davies_bouldin"] > 0


@pytest.mark.parametrize("engine", ["sklearn", "dask", "spark"])
def test_ctrl_c_in_a_search_loses_no_finished_candidate(tmp_path, engine):
    (tmp_path / "long.yaml").write_text(LONG_SEARCH)
    command = [Path(sys.executable).with_name("enginebench"), "run", "long.yaml"]
    command += ["--engines", engine, "--output", "run"]
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        journal = tmp_path / "run" / "candidates.jsonl"
        scores = wait_for_scores(journal, 12)
        run.send_signal(signal.SIGINT)
        pressed = time.monotonic()
        _, said = run.communicate(timeout=30)
        assert time.monotonic() - pressed < 5
        assert run.returncode == 130
    assert "Traceback" not in said
    candidates = candidates_of(tmp_path / "run")
    assert scores
    assert set(candidates.query("outcome == 'completed'")["candidate"]) >= scores
    assert int((candidates["outcome"] == "unfinished").sum()) >= 1


def wait_for_scores(journal, at_least):
    """Wait until a journal holds so many scores; return the candidates that are complete in it."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        lines = journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []
        scores = [content["score"] for content in map(json.loads, lines) if "score" in content]
        if len(scores) >= at_least:
            candidates = [score["candidate"] for score in scores]
            return {one for one in candidates if candidates.count(one) == 3}
        time.sleep(0.1)
    raise AssertionError("the search never came so far")


def test_a_killed_runner_leaves_the_candidates_that_were_done(tmp_path):
    (tmp_path / "long.yaml").write_text(LONG_SEARCH)
    command = [Path(sys.executable).with_name("enginebench"), "run", "long.yaml", "--output", "run"]
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as run:
        scores = wait_for_scores(tmp_path / "run" / "candidates.jsonl", 12)
        run.kill()
    assert scores
    assert (candidates_of(tmp_path / "run")["outcome"] == "completed").any()
    write_table(tmp_path / "run")  # from the journal, which has all of them
    completed = candidates_of(tmp_path / "run").query("outcome == 'completed'")
    assert set(completed["candidate"]) >= scores
    deadline = time.monotonic() + 10
    while carriers() and time.monotonic() < deadline:
        time.sleep(0.1)


def test_a_time_budget_ends_a_search_with_what_was_done_by_then(experiment, tmp_path):
    more = f"search.space.max_iter={list(range(60, 100))}"
    asked = experiment(LONG_SEARCH, "search.time_budget=3 s", more)
    result = run_experiment(asked, output=tmp_path / "run")
    (record,) = read_records(result.folder / "records.jsonl")
    assert record.outcome == "completed"
    outcomes = candidates_of(result.folder)["outcome"].value_counts()
    assert outcomes["completed"] >= 1
    assert outcomes["not run"] >= 1
    search = record.model["search"]
    assert (search["completed"], search["not_run"]) == (
        outcomes["completed"],
        outcomes["not run"],
    )
    assert record.metrics["inertia"] > 0


def test_a_failing_candidate_is_a_row_and_the_search_goes_on(experiment, tmp_path):
    asked = experiment(
        """
name: failing
dataset: {source: iris}
workload: {kind: estimator, class: sklearn.svm.SVC}
search: {strategy: grid, space: {C: [-1.0, 1.0]}, folds: 3, scoring: accuracy}
engines: [sklearn, dask, spark]
resources: {cores: 2}
"""
    )
    result = run_experiment(asked, output=tmp_path / "run")
    candidates = candidates_of(result.folder).set_index(["engine", "param_C"])
    for record in read_records(result.folder / "records.jsonl"):
        assert record.outcome == "completed"
        failed, completed = (candidates.loc[(record.engine, C)] for C in (-1.0, 1.0))
        assert failed["outcome"] == "failed"
        assert "'C' parameter of SVC" in failed["error"]
        assert completed["outcome"] == "completed"
        assert completed["mean_test_accuracy"] > 0.9
        assert record.model["search"]["best"]["params"] == {"C": 1.0}


MIXED_SEARCH = """
name: mixed-search
dataset: {source: breast_cancer}
split: {test_fraction: 0.25, stratify: false}
workload:
  kind: estimator
  class: sklearn.linear_model.SGDClassifier
  parameters: {loss: log_loss}
  seed: 4
search: {strategy: grid, space: {loss: [log_loss, hinge]}, folds: 3, scoring: accuracy}
engines: {sklearn: {}}
resources: {cores: 2, memory: 4 GiB}
measure: {rounds: 1, warm_repeats: 0, timeout: 5 min}
metrics: [accuracy, log_loss, roc_auc]
"""


def test_a_winner_without_probabilities_is_scored_by_what_it_gives(experiment, tmp_path):
    result = run_experiment(experiment(MIXED_SEARCH), output=tmp_path / "run")
    (record,) = read_records(result.folder / "records.jsonl")
    assert (record.outcome, record.error) == ("completed", None)
    assert record.model["search"]["best"]["params"] == {"loss": "hinge"}
    assert record.metrics["accuracy"] > 0.5
    assert record.metrics["roc_auc"] > 0.5
    assert record.metrics["log_loss"] is None
    assert "log_loss: the winner of the search gives no probabilities" in record.warnings


def test_candidates_that_cannot_be_scored_lose_to_one_that_can(experiment, tmp_path):
    asked = experiment(MIXED_SEARCH, "workload.parameters={loss: hinge}", "search.scoring=log_loss")
    result = run_experiment(asked, output=tmp_path / "run")
    (record,) = read_records(result.folder / "records.jsonl")
    assert (record.outcome, record.error) == ("completed", None)
    search = record.model["search"]
    assert (search["completed"], search["failed"]) == (1, 1)
    assert search["best"]["params"] == {"loss": "log_loss"}
    assert record.metrics["log_loss"] > 0
    assert not any("probabilities" in told for told in record.warnings)


def test_a_search_of_which_nothing_can_be_fitted_fails_with_the_first_reason(experiment, tmp_path):
    asked = experiment(
        LONG_SEARCH, "search.space={n_clusters: [50_000], n_init: [1]}", "search.folds=2"
    )
    result = run_experiment(asked, output=tmp_path / "run")
    (record,) = read_records(result.folder / "records.jsonl")
    assert record.outcome == "failed"
    assert "candidate 0" in record.error.message
    assert "n_clusters must be at most the number of rows" in record.error.message
    assert list(candidates_of(result.folder)["outcome"]) == ["failed"]
