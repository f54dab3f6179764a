"""The Python API loads, runs, and gives what came out as pandas tables."""

from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import pytest

from experiments import Run, load, run
from experiments.errors import RequestError
from experiments.report import write as write_module

DEFINITION = """
name: tiny
dataset: {source: iris}
workload: {kind: kmeans, n_clusters: 3, init: shared, max_iter: 5}
engines: {sklearn: {}, dask: {}}
resources: {cores: 1, memory: 2 GiB}
measure: {rounds: 1, warm_repeats: 1, timeout: 2 min}
metrics: [inertia]
"""


@pytest.fixture
def definition(tmp_path, monkeypatch):
    """Return the path of a definition that runs in seconds."""
    monkeypatch.setenv("ENGINEBENCH_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "tiny.yaml"
    path.write_text(DEFINITION, encoding="utf-8")
    return path


def test_importing_loads_nothing_heavy():
    program = (
        "import sys, experiments\n"
        "heavy = 'sklearn dask pyspark xgboost pydantic numpy pandas pyarrow yaml rich typer'\n"
        "print([name for name in heavy.split() if name in sys.modules], experiments.__all__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[] ['Run', 'load', 'run']\n"


def test_a_name_that_does_not_exist_is_an_attribute_error():
    import experiments

    with pytest.raises(AttributeError, match="nonsense"):
        _ = experiments.nonsense


def test_load_takes_overrides_and_engines(definition):
    experiment = load(definition, overrides=["workload.n_clusters=4"], engines=["dask"])
    assert experiment.workload.n_clusters == 4
    assert list(experiment.engines.selected()) == ["dask"]


def test_run_takes_a_loaded_experiment_and_gives_its_tables(definition, tmp_path, capsys):
    done = run(load(definition), engines=["sklearn"], output=tmp_path / "out")
    assert done.completed
    assert done.folder == tmp_path / "out"
    assert (done.folder / "report.md").exists()
    assert list(done.table().columns) == ["sklearn"]
    assert len(done.records) == 2
    # nobody asked for progress
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_a_report_that_cannot_be_written_is_a_warning_and_the_run_is_returned(
    definition, tmp_path, monkeypatch
):
    def write(report):
        raise RequestError("The disk is full; make room.")

    monkeypatch.setattr(write_module, "write_report", write)
    with pytest.warns(UserWarning, match="The report was not written: The disk is full"):
        done = run(definition, engines=["sklearn"], output=tmp_path / "out")
    assert done.completed
    assert len(done.records) == 2


@pytest.mark.parametrize("engines", [["dusk"], []])
def test_an_engine_that_does_not_exist_is_refused(definition, engines, tmp_path):
    with pytest.raises(RequestError, match="sklearn, dask, spark"):
        run(load(definition), engines=engines, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_records_are_flat_and_numbers_are_in_full(runs, tmp_path):
    records = [*runs.complete(), runs.failed("spark", "crashed", "gone", round=1)]
    frame = Run.load(runs.write(tmp_path, records, rounds=2)).records
    assert len(frame) == 7
    assert frame.loc[0, "fit_wall_s"] == 2.0
    assert frame.loc[0, "inertia"] == 1165133.7172
    assert frame.loc[0, "n_iter"] == 17
    assert frame.loc[0, "granted_threads_per_worker"] == 2
    assert frame.loc[6, "error"] == "gone"
    assert frame.loc[6, "outcome"] == "crashed"
    assert pd.isna(frame.loc[6, "fit_wall_s"])
    medians = frame[frame.warm].groupby("engine").fit_wall_s.median()
    assert dict(medians) == {"sklearn": 1.0, "dask": 4.0, "spark": 10.0}


def test_the_table_has_engines_as_columns(runs, tmp_path):
    table = Run.load(runs.write(tmp_path, runs.complete())).table()
    assert list(table.columns) == ["sklearn", "dask", "spark"]
    assert list(table.loc["Time", "fit_warm_wall_s"]) == [1.0, 4.0, 10.0]
    assert list(table.loc["Outcome", "outcome"]) == ["completed"] * 3
    assert table.loc[("Resources", "granted_workers"), "dask"] == "2 x 1 thread"


def test_the_table_has_the_values_that_the_report_shows(runs, tmp_path):
    records = []
    for number, seconds in enumerate((1.0, 1.0, 8.0)):
        for one in runs.complete(("sklearn",), round=number):
            for phase in one["phases"]:
                phase["wall_s"] = seconds
            records.append(one)
    folder = runs.write(tmp_path, records, engines=("sklearn",), rounds=3)
    # the mean over rounds on logarithms, of which there is an interval, and not the median of 1
    shown = Run.load(folder).table().loc["Time", "fit_warm_wall_s"]["sklearn"]
    assert shown == pytest.approx(2.0)


def test_the_tables_of_a_sweep_are_indexed_by_its_keys(runs, tmp_path):
    points = ({"dataset.n_samples": 10}, {"dataset.n_samples": 20})
    records = [record for point in points for record in runs.complete(point=point)]
    done = Run.load(runs.write(tmp_path, records, points=points))
    both = done.table()
    assert both.index.names == ["dataset.n_samples", "group", "measure"]
    assert list(both.loc[20, "Time", "fit_warm_wall_s"]) == [1.0, 4.0, 10.0]
    assert list(done.table(points[0]).loc[10].columns) == ["sklearn", "dask", "spark"]
    with pytest.raises(KeyError, match="n_samples"):
        done.table({"dataset.n_samples": 30})


@pytest.mark.parametrize(
    "values",
    [
        ({"source": "iris"}, {"source": "wine"}),
        ([1, 2], [2, 1]),
        (None, {"a": [1]}),
        (None, 3),
        ("a", "b"),
    ],
    ids=str,
)
def test_a_sweep_over_sections_or_lists_is_indexed_by_their_text(runs, tmp_path, values):
    points = tuple({"dataset": value, "workload.seed": 1} for value in values)
    records = [record for point in points for record in runs.complete(point=point)]
    for record in records[6:]:
        record["phases"][-2]["wall_s"] = 50.0
    done = Run.load(runs.write(tmp_path, records, points=points))
    both = done.table()
    assert len(both) == 2 * len(done.table(points[0]))
    for value, seconds in zip(values, (1.0, 50.0), strict=True):
        key = value if isinstance(value, str | int) else json.dumps(value)
        assert both.loc[key, 1, "Time", "fit_warm_wall_s"]["sklearn"] == seconds
        own = done.table({"dataset": value, "workload.seed": 1})
        assert own.xs("fit_warm_wall_s", level="measure")["sklearn"].item() == seconds
    # the records can be grouped by it as well
    assert len(done.records.groupby("dataset")) == 2


def test_a_phase_that_was_cut_short_is_no_measurement_of_that_phase(runs, tmp_path):
    failed = runs.failed("dask", "crashed", "gone")
    failed["phases"].append(runs.phase("fit", 12.3, ended=False))
    frame = Run.load(runs.write(tmp_path, [runs.record(), failed])).records
    assert pd.isna(frame.loc[1, "fit_wall_s"])
    assert frame.loc[1, "cut_short"] == "fit"
    assert frame.loc[1, "cut_short_wall_s"] == 12.3
    assert pd.isna(frame.loc[0, "cut_short"])


def test_a_run_shows_itself_as_text_and_in_a_notebook(runs, tmp_path):
    done = Run.load(runs.write(tmp_path, runs.complete(), question="<b>why</b>"))
    assert "fit, warm" in repr(done)
    html = done._repr_html_()
    assert html.count("<table>") == 1
    assert "<b>why" not in html
    assert "&lt;b&gt;why" in html


def test_the_candidates_of_a_run_are_a_table_with_numbers_in_full(runs, tmp_path):
    # a name that a reader of data sets would take for a partition
    folder = runs.write(tmp_path / "engine=other", [runs.search_record()], engines=("sklearn",))
    rows = [runs.candidate(number) for number in range(3)]
    rows[1] |= {"outcome": "failed", "error": "ValueError: no", "mean_test_accuracy": None}
    runs.write_candidates(folder, rows)
    frame = Run.load(folder).candidates
    assert list(frame.columns) == list(rows[0])
    assert list(frame.engine) == ["sklearn"] * 3
    assert frame.loc[2, "mean_test_accuracy"] == rows[2]["mean_test_accuracy"]
    assert pd.isna(frame.loc[1, "mean_test_accuracy"])
    assert frame.loc[1, "error"] == "ValueError: no"
    assert list(frame.param_C) == [row["param_C"] for row in rows]


@pytest.mark.parametrize(("content", "said"), [(None, "only a run with a search"), (b"x", "read")])
def test_candidates_that_are_not_there_are_a_sentence(runs, tmp_path, content, said):
    folder = runs.write(tmp_path, runs.complete())
    if content:
        (folder / "candidates.parquet").write_bytes(content)
    with pytest.raises(RequestError, match=said):
        _ = Run.load(folder).candidates


def test_the_records_of_a_search_have_a_column_for_each_part_of_it(runs, tmp_path):
    folder = runs.write(tmp_path, [runs.search_record()], engines=("sklearn",))
    frame = Run.load(folder).records
    row = frame.loc[0]
    assert row.search_wall_s == 4.0
    assert row.search_candidates_per_minute == 90.0
    assert row.search_best_candidate == 4
    assert row.search_best_mean_accuracy == 0.9736842105
    assert row.search_best_std_log_loss == 0.00031
    assert json.loads(row.search_best_params) == {"C": 10.0, "kernel": "rbf"}
    assert "search" not in frame.columns
    assert row.accuracy == 0.9580419
