"""The tables of a report as CSV: every number in full, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest

from experiments.report import build_report
from experiments.report.csv_tables import COLUMNS, as_csv


@pytest.fixture
def swept(runs, tmp_path):
    """Return the report of a sweep with three rounds, in which one engine failed at one point."""
    points = ({"dataset.n_samples": 1000}, {"dataset.n_samples": 20000})
    records = [
        one
        for point in points
        for number in range(3)
        for one in runs.complete(point=point, round=number)
    ]
    kept = [one for one in records if not (one["engine"] == "spark" and one["point"] == points[1])]
    for place, one in enumerate(kept):
        one["phases"] = [
            {**phase, "wall_s": phase["wall_s"] * (1 + place / 1000)} for phase in one["phases"]
        ]
    kept.append(runs.failed("spark", "out of memory", "It was killed.", point=points[1]))
    return build_report(runs.write(tmp_path, kept, points=points, rounds=3))


def read(report):
    return pd.read_csv(io.StringIO(as_csv(report)), keep_default_na=False)


def test_there_is_a_line_for_each_cell_and_a_column_for_each_swept_key(swept):
    frame = read(swept)
    assert list(frame.columns) == ["dataset.n_samples", *COLUMNS]
    cells = sum(
        len(row.cells) for table in swept.tables for group in table.groups for row in group.rows
    )
    outcomes = sum(len(table.heads) for table in swept.tables)
    # what the sweeps come down to stands in groups of its own
    sweeps = frame["group"].str.startswith("Sweep of ")
    assert sum(~sweeps) == cells + outcomes
    assert set(frame.loc[~sweeps, "dataset.n_samples"].astype(int)) == {1000, 20000}


def test_numbers_are_those_of_the_tables_in_full(swept):
    frame = read(swept)
    for table in swept.tables:
        here = frame[frame["dataset.n_samples"] == str(table.point["dataset.n_samples"])]
        for group in table.groups:
            for row in group.rows:
                for head, cell in zip(table.heads, row.cells, strict=True):
                    line = here[(here["engine"] == head.engine) & (here["key"] == row.key)]
                    assert len(line) == 1
                    found = line.iloc[0]
                    assert found["unit"] == row.unit
                    if cell.summary is None:
                        assert (found["median"], found["text"]) == ("", cell.text)
                        continue
                    assert float(found["median"]) == cell.summary.median
                    assert int(found["n"]) == cell.summary.n


def test_intervals_of_times_and_of_ratios_are_there(swept):
    frame = read(swept)
    dask = frame[(frame["engine"] == "dask") & (frame["key"] == "fit_warm_wall_s")].iloc[0]
    assert float(dask["interval_low"]) < float(dask["typical"]) < float(dask["interval_high"])
    assert float(dask["ratio_low"]) < float(dask["ratio"]) < float(dask["ratio_high"])
    base = frame[(frame["engine"] == "sklearn") & (frame["key"] == "fit_warm_wall_s")].iloc[0]
    typical, medians = (float(dask[name]) / float(base[name]) for name in ("typical", "median"))
    assert float(dask["ratio"]) == pytest.approx(typical)
    assert float(dask["ratio_of_medians"]) == pytest.approx(medians)


def test_with_too_few_rounds_there_is_no_typical_value_and_ratios_are_of_medians(runs, tmp_path):
    frame = read(build_report(runs.write(tmp_path, runs.complete())))
    spark = frame[(frame["engine"] == "spark") & (frame["key"] == "fit_warm_wall_s")].iloc[0]
    assert (spark["typical"], spark["interval_low"], spark["ratio_low"]) == ("", "", "")
    assert float(spark["ratio"]) == float(spark["ratio_of_medians"]) == 10.0


@pytest.fixture
def grown(runs, tmp_path):
    """Return the report of times that are 1 second and 1 ms a row, at three sizes."""
    sizes = (1000, 3000, 9000)
    records = []
    for size in sizes:
        for number in range(3):
            for one in runs.complete(("sklearn", "dask"), round=number):
                unit = {"sklearn": 1.0, "dask": 2.0}[one["engine"]]
                for phase in one["phases"]:
                    phase["wall_s"] = unit * (1 + size / 1000) * (1 + number / 500)
                records.append({**one, "point": {"dataset.n_samples": size}})
    points = tuple({"dataset.n_samples": size} for size in sizes)
    folder = runs.write(tmp_path, records, points=points, engines=("sklearn", "dask"), rounds=3)
    return build_report(folder)


def test_what_a_sweep_comes_down_to_has_one_line_a_number(grown):
    frame = read(grown)
    found = frame[frame["group"] == "Sweep of dataset.n_samples"]
    assert not found.duplicated(["engine", "implementation", "key"]).any()
    # of all sizes, and so of none of them
    assert set(found["dataset.n_samples"]) == {""}
    dask = found[found["engine"] == "dask"].set_index("key")
    main = grown.sweeps[0].series[1].growth
    assert float(dask.loc["fit_warm_fixed_s", "typical"]) == main.fixed.value
    assert float(dask.loc["fit_warm_fixed_s", "interval_low"]) == main.fixed.low
    assert float(dask.loc["fit_warm_per_unit_s", "typical"]) == main.per_unit.value
    assert float(dask.loc["fit_warm_largest_completed", "typical"]) == 9000
    assert dask.loc["fit_warm_crossover", ["text", "typical"]].tolist() == ["never", ""]
    assert set(found["unit"]) == {"seconds", "number"}


def test_speed_ups_stand_at_their_number_of_cores(runs, tmp_path):
    points = tuple({"resources.cores": cores} for cores in (1, 2))
    records = []
    for point in points:
        for number in range(3):
            for one in runs.complete(("sklearn", "dask"), round=number):
                for phase in one["phases"]:
                    phase["wall_s"] *= (1 + number / 500) / point["resources.cores"]
                records.append({**one, "point": point})
    folder = runs.write(tmp_path, records, points=points, engines=("sklearn", "dask"), rounds=3)
    report = build_report(folder)
    frame = read(report)
    found = frame[(frame["engine"] == "dask") & (frame["key"] == "fit_warm_speedup")]
    assert found["resources.cores"].astype(int).tolist() == [1, 2]
    assert found["typical"].astype(float).tolist() == pytest.approx([1, 2])
    (cost,) = frame[(frame["engine"] == "dask") & (frame["key"] == "fit_warm_cost_cores")]["text"]
    assert cost == "never"


def test_a_failure_is_a_line_with_its_outcome(swept):
    frame = read(swept)
    outcome = frame[(frame["key"] == "outcome") & (frame["engine"] == "spark")]
    assert list(outcome["text"]) == ["completed", "out of memory"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d", "\t=", "\r@", " ="])
def test_no_text_becomes_a_formula_in_a_spreadsheet(runs, tmp_path, start):
    text = f'{start}HYPERLINK("http://x","y")'
    point = {text: text}
    records = [
        *runs.complete(("sklearn",), point=point),
        runs.record(text, metrics={text: 1.0}, point=point),
        runs.failed("dask", "failed", text, point=point),
    ]
    folder = runs.write(tmp_path, records, points=(point,), engines=("sklearn", "dask"))
    rows = list(csv.reader(io.StringIO(as_csv(build_report(folder)), newline="")))
    texts = [cell for row in rows for cell in row if "HYPERLINK" in cell]
    assert texts
    assert all(cell.startswith("'") for cell in texts)


def test_a_negative_number_stays_a_number(runs, tmp_path):
    records = runs.complete(("sklearn",), metrics={"silhouette": -0.25})
    frame = read(build_report(runs.write(tmp_path, records, engines=("sklearn",))))
    assert frame.loc[frame["key"] == "silhouette", "median"].astype(float).tolist() == [-0.25]


def test_quotes_commas_and_other_scripts_survive(runs, tmp_path):
    name = 'a "quoted", name 数据 مرحبا'
    records = runs.complete(("sklearn",), metrics={name: 1.0})
    frame = read(build_report(runs.write(tmp_path, records, engines=("sklearn",))))
    assert name in set(frame["key"])


def test_a_run_without_measurements_is_a_head_and_outcomes(runs, tmp_path):
    records = [{**runs.failed("sklearn", "crashed", "It ended."), "phases": []}]
    frame = read(build_report(runs.write(tmp_path, records, engines=("sklearn",))))
    assert "crashed" in set(frame["text"])
