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
    assert len(frame) == cells + outcomes
    assert set(frame["dataset.n_samples"]) == {1000, 20000}


def test_numbers_are_those_of_the_tables_in_full(swept):
    frame = read(swept)
    for table in swept.tables:
        here = frame[frame["dataset.n_samples"] == table.point["dataset.n_samples"]]
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
    assert float(dask["interval_low"]) < float(dask["median"]) < float(dask["interval_high"])
    assert float(dask["ratio_low"]) < float(dask["ratio"]) < float(dask["ratio_high"])


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
