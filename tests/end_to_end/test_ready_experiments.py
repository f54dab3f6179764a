"""The two commands of the README, as a person runs them: installed, on all three engines."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from experiments.measure.samples import read_samples

COMMAND = str(Path(sys.executable).with_name("enginebench"))
TITLES = {"sklearn": "scikit-learn", "dask": "Dask", "spark": "Spark"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Run both ready experiments once; return what was printed and the two run folders."""
    folder = tmp_path_factory.mktemp("quickstart")
    done = subprocess.run(
        [COMMAND, "run", "kmeans-digits", "xgboost-breast-cancer", "--output", "runs"],
        cwd=folder,
        # Java as it is for whoever runs this, and not as tests have it
        env={name: value for name, value in os.environ.items() if name != "JAVA_HOME"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done, folder / "runs" / "kmeans-digits", folder / "runs" / "xgboost-breast-cancer"


def records_of(run):
    lines = (run / "records.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def cells(printed, row):
    """Return the cells of the first printed row that starts with a name."""
    for line in printed.splitlines():
        columns = [cell.strip() for cell in re.split(r"\s{2,}|[│┃|]", line) if cell.strip()]
        if len(columns) > 1 and columns[0] == row:
            return columns[1:]
    raise AssertionError(f"no row {row!r} in:\n{printed}")


def test_kmeans_agrees_on_every_engine_and_the_table_shows_it(finished):
    done, run, _ = finished
    records = records_of(run)
    assert {record["outcome"] for record in records} == {"completed"}
    assert {record["engine"] for record in records} == set(TITLES)
    inertia = {record["engine"]: record["metrics"]["inertia"] for record in records}
    for engine in TITLES:
        assert inertia[engine] == pytest.approx(inertia["sklearn"], rel=1e-9)
    (agreement,) = json.loads((run / "run.json").read_text())["agreement"].values()
    assert set(agreement) == {"sklearn~dask", "sklearn~spark", "dask~spark"}
    assert min(agreement.values()) > 0.999
    for title in TITLES.values():
        assert title in done.stdout
    shown = cells(done.stdout, "Inertia")
    assert len(shown) == 3
    for cell in shown:
        assert float(cell.split()[0].replace(",", "")) == pytest.approx(inertia["sklearn"], 1e-4)


def test_xgboost_predicts_the_held_out_rows_on_every_engine(finished):
    done, _, run = finished
    records = records_of(run)
    assert {record["outcome"] for record in records} == {"completed"}
    for record in records:
        assert 0.9 < record["metrics"]["accuracy"] <= 1
        assert record["metrics"]["roc_auc"] > 0.98
    for engine in TITLES:
        predicted = pq.read_table(run / "predictions" / f"{engine}-p0-r0-0.parquet")
        rows = predicted["row_id"].to_numpy()
        assert len(rows) == len(set(rows)) == 143
        probabilities = predicted["value"].to_numpy()
        assert np.all((probabilities > 0) & (probabilities < 1))
    assert len(cells(done.stdout, "Accuracy")) == 3


def test_every_engine_is_measured_whole(finished):
    for run in finished[1:]:
        for record in records_of(run):
            names = [phase["name"] for phase in record["phases"]]
            assert {"fit", "predict"} <= set(names)
            if not record["warm"]:
                assert {"start", "load"} <= set(names)
            for phase in record["phases"]:
                assert phase["wall_s"] > 0
                assert phase["peak_memory_bytes"] > 50 * 2**20
            if record["engine"] == "spark":  # the JVM counts: Python alone is a tenth of this
                assert record["phases"][0]["peak_memory_bytes"] > 300 * 2**20


def test_no_process_that_ended_took_along_what_it_used(finished):
    cut = 2 / os.sysconf("SC_CLK_TCK")  # of what ended the kernel tells whole ticks, of two kinds
    generations = 3  # nanny and worker; JVM, daemon and worker
    for run in finished[1:]:
        files = sorted((run / "samples").iterdir())
        assert len(files) == len(TITLES)
        for path in files:
            used = [sample.cpu_s for sample in read_samples(path)]
            assert used
            falls = [then - now for then, now in itertools.pairwise(used)]
            assert max(falls) <= generations * cut, path.name


def test_every_engine_was_given_two_cores_and_says_so_itself(finished):
    for run in finished[1:]:
        facts = {record["engine"]: record["facts"] for record in records_of(run) if record["facts"]}
        assert set(facts) == set(TITLES)
        for engine, granted in facts.items():
            assert granted["cores"] == 2, engine
            assert granted["workers"] * granted["threads_per_worker"] == 2, engine
        assert facts["sklearn"]["native_threads"] == {"driver": 2}
        for engine in ("dask", "spark"):
            workers = {
                name: threads
                for name, threads in facts[engine]["native_threads"].items()
                if name != "driver"
            }
            assert list(workers.values()) == [1, 1], engine


def test_a_run_folder_is_whole_and_its_report_can_be_printed_again(finished):
    done, run, _ = finished
    for name in ("definition.yaml", "run.json", "records.jsonl", "report.md", "logs"):
        assert (run / name).exists(), name
    again = subprocess.run(
        [COMMAND, "report", str(run)], capture_output=True, text=True, timeout=60, check=True
    )
    assert cells(again.stdout, "Inertia") == cells(done.stdout, "Inertia")
