"""The table says what the records say: medians, ratios, outcomes and disagreements."""

from __future__ import annotations

import json

import pytest

from experiments.errors import RequestError
from experiments.report import build_report


def rows_of(table):
    """Return the rows of a table by key."""
    return {row.key: row for group in table.groups for row in group.rows}


def build(runs, folder, records, **other):
    """Return the report of a run folder written by hand."""
    return build_report(runs.write(folder, records, **other))


def test_engines_are_columns_and_time_comes_with_the_ratio_to_sklearn(runs, tmp_path):
    report = build(runs, tmp_path, runs.complete())
    (table,) = report.tables
    assert [head.title for head in table.heads] == ["scikit-learn", "Dask", "Spark"]
    assert [group.title for group in table.groups] == ["Accuracy", "Time", "Resources"]
    assert table.baseline.engine == "sklearn"
    rows = rows_of(table)
    expected = {
        "start_wall_s": (3.0, 12.0, 30.0),
        "load_wall_s": (0.5, 2.0, 5.0),
        "fit_cold_wall_s": (2.0, 8.0, 20.0),
        "fit_warm_wall_s": (1.0, 4.0, 10.0),
        "predict_cold_wall_s": (0.1, 0.4, 1.0),
        "predict_warm_wall_s": (0.1, 0.4, 1.0),
        "total_wall_s": (6.8, 26.9, 67.1),
        "unaccounted_s": (0.1, 0.1, 0.1),
    }
    for key, values in expected.items():
        assert [cell.summary.median for cell in rows[key].cells] == pytest.approx(values), key
    assert [cell.ratio for cell in rows["fit_warm_wall_s"].cells] == pytest.approx([1, 4, 10])
    assert [cell.share for cell in rows["unaccounted_s"].cells] == pytest.approx(
        [0.1 / 6.8, 0.1 / 26.9, 0.1 / 67.1]
    )
    assert report.completed


def test_resources_are_those_of_the_whole_process(runs, tmp_path):
    records = runs.complete(("sklearn",))
    records[1]["phases"][0]["peak_memory_bytes"] = 900
    records[0]["phases"][1]["peak_memory_bytes"] = 300 * 2**20
    rows = rows_of(build(runs, tmp_path, records, engines=("sklearn",)).tables[0])
    assert rows["peak_memory_bytes"].cells[0].summary.median == 300 * 2**20
    assert rows["fit_cpu_s"].cells[0].summary.median == pytest.approx(1.5)
    assert rows["total_cpu_s"].cells[0].summary.median == pytest.approx(6.7 * 1.5)
    assert rows["fit_cores_used"].cells[0].summary.median == pytest.approx(1.5)
    assert rows["write_bytes"].cells[0].summary.median == 6 * 4096
    assert rows["granted_workers"].cells[0].text == "1 x 2 threads"
    assert rows["granted_memory_bytes"].cells[0].summary.median == 4 * 2**30


def test_phases_without_a_row_of_their_own_are_one_row_so_that_all_add_up(runs, tmp_path):
    records = runs.complete(("sklearn",))
    records[1]["phases"] += [runs.phase("stop", 0.25), runs.phase("save", 0.5)]
    rows = rows_of(build(runs, tmp_path, records, engines=("sklearn",)).tables[0])
    assert rows["other_wall_s"].label == "save, stop"
    assert rows["other_wall_s"].cells[0].summary.median == 0.75
    assert rows["total_wall_s"].cells[0].summary.median == pytest.approx(7.55)


def test_rounds_and_repeats_come_down_to_median_and_spread(runs, tmp_path):
    records = []
    for number in range(3):
        for repeat in range(3):
            one = runs.record("sklearn", round=number, repeat=repeat)
            for phase in one["phases"]:
                phase["wall_s"] = 1 + number + repeat / 10
            records.append(one)
    report = build(runs, tmp_path, records, engines=("sklearn",), rounds=3, warm_repeats=2)
    rows = rows_of(report.tables[0])
    cold, warm = (rows[f"fit_{which}_wall_s"].cells[0].summary for which in ("cold", "warm"))
    assert (cold.n, cold.median, cold.low, cold.high, cold.spread) == (3, 2, 1, 3, "range")
    assert (warm.n, warm.spread) == (6, "quartiles")
    assert warm.median == pytest.approx(2.15)
    assert rows["start_wall_s"].n == 3
    assert not any("one process only" in warning for warning in report.warnings)


def test_one_round_is_told_to_have_no_spread(runs, tmp_path):
    report = build(runs, tmp_path, runs.complete())
    assert any("one process only" in warning for warning in report.warnings)


@pytest.mark.parametrize(
    "outcome", ["timed out", "out of memory", "crashed", "failed", "unsupported"]
)
def test_an_engine_that_failed_is_named_in_its_cells_and_has_no_ratio(runs, tmp_path, outcome):
    records = [
        *runs.complete(("sklearn", "dask")),
        runs.failed("spark", outcome, "the tree held 5.00 GiB."),
    ]
    report = build(runs, tmp_path, records)
    (table,) = report.tables
    rows = rows_of(table)
    assert table.heads[2].outcome == outcome
    assert rows["fit_warm_wall_s"].cells[2].text == outcome
    assert rows["inertia"].cells[2].text == outcome
    # what was measured before it failed is kept
    assert rows["start_wall_s"].cells[2].summary.median == 3.0
    assert all(row.cells[2].ratio is None for row in rows.values())
    assert rows["start_wall_s"].cells[1].ratio == 4.0
    (problem,) = table.problems
    assert (problem.engine, problem.outcome) == ("Spark", outcome)
    assert problem.message == "the tree held 5.00 GiB."
    assert problem.log == "logs/spark-p0-r0.log"
    assert not report.completed


def test_a_failure_in_one_round_keeps_the_numbers_of_the_others(runs, tmp_path):
    records = [
        *runs.complete(("sklearn", "dask")),
        *runs.complete(("sklearn",), round=1),
        runs.failed("dask", "crashed", "a worker died", round=1),
    ]
    report = build(runs, tmp_path, records, engines=("sklearn", "dask"), rounds=2)
    rows = rows_of(report.tables[0])
    assert report.tables[0].heads[1].outcome == "crashed"
    assert rows["fit_warm_wall_s"].cells[1].summary.median == 4.0
    assert rows["fit_warm_wall_s"].cells[1].ratio is None
    # the process that failed does not shorten the whole
    assert rows["total_wall_s"].cells[1].summary.n == 1
    assert report.tables[0].problems[0].where == "round 2, repeat 1"


def test_a_degraded_engine_is_marked_and_has_no_ratio(runs, tmp_path):
    records = runs.complete()
    error = {"type": "WorkerLostError", "message": "worker 1 died", "log": "logs/dask-p0-r0.log"}
    for record in records:
        if record["engine"] == "dask":
            record.update(outcome="degraded", error=error)
    report = build(runs, tmp_path, records)
    (table,) = report.tables
    rows = rows_of(table)
    assert table.heads[1].outcome == "degraded"
    assert rows["fit_warm_wall_s"].cells[1].summary.median == 4.0
    assert rows["fit_warm_wall_s"].cells[1].ratio is None
    assert rows["fit_warm_wall_s"].cells[2].ratio == 10.0
    # lost once and told once, though two repeats ran after it
    assert [problem.message for problem in table.problems] == ["worker 1 died"]
    assert not report.completed


def test_without_sklearn_the_first_completed_engine_is_the_baseline(runs, tmp_path):
    records = [runs.failed("sklearn", "timed out", "too long"), *runs.complete(("dask", "spark"))]
    (table,) = build(runs, tmp_path, records).tables
    assert table.baseline.engine == "dask"
    cells = rows_of(table)["fit_warm_wall_s"].cells
    assert [cell.ratio for cell in cells] == [None, 1.0, 2.5]


def test_without_any_completed_engine_there_is_no_baseline(runs, tmp_path):
    records = [runs.failed(name, "failed", "no") for name in ("sklearn", "dask", "spark")]
    report = build(runs, tmp_path, records)
    assert report.tables[0].baseline is None
    assert not report.completed


def test_an_engine_that_never_ran_has_its_column(runs, tmp_path):
    report = build(runs, tmp_path, runs.complete(("sklearn",)), interrupted=True)
    (table,) = report.tables
    assert [head.outcome for head in table.heads] == ["completed", "not finished", "not finished"]
    assert any("ended before its plan was done" in warning for warning in report.warnings)
    assert not report.completed


def test_engines_that_agree_within_tolerance_raise_no_alarm(runs, tmp_path):
    records = runs.complete()
    records[1]["metrics"]["inertia"] *= 1 + 1e-9
    agreement = {"{}": {"sklearn~dask": 1.0, "sklearn~spark": 0.99, "dask~spark": 0.99}}
    (table,) = build(runs, tmp_path, records, agreement=agreement).tables
    assert table.disagreements == ()
    rand = rows_of(table)["adjusted_rand_to_baseline"]
    assert [cell.summary.median for cell in rand.cells] == [1.0, 1.0, 0.99]


def test_a_metric_beyond_its_tolerance_names_engines_values_and_tolerance(runs, tmp_path):
    records = runs.complete()
    for record in records:
        if record["engine"] == "dask":
            record["metrics"]["inertia"] = 1300000.0
    (table,) = build(runs, tmp_path, records).tables
    (found,) = table.disagreements
    assert found.about == "inertia"
    for part in ("Inertia", "scikit-learn 1,165,134", "Dask 1,300,000", "Spark", "1 %"):
        assert part in found.text


def test_labels_that_differ_are_told_with_their_adjusted_rand(runs, tmp_path):
    agreement = {"{}": {"sklearn~dask": 0.94, "sklearn~spark": 1.0, "dask~spark": 0.96}}
    (table,) = build(runs, tmp_path, runs.complete(), agreement=agreement).tables
    (found,) = table.disagreements
    assert found.about == "labels"
    for part in ("scikit-learn", "Dask", "0.94", "0.95"):
        assert part in found.text


def test_a_metric_defined_on_one_engine_only_is_a_disagreement(runs, tmp_path):
    records = runs.complete(("sklearn", "dask"))
    for record in records:
        if record["engine"] == "dask":
            record["metrics"]["silhouette"] = None
    (table,) = build(runs, tmp_path, records, engines=("sklearn", "dask")).tables
    assert [one.about for one in table.disagreements] == ["silhouette"]
    assert "Dask undefined" in table.disagreements[0].text


def test_an_engine_that_failed_takes_no_part_in_a_disagreement(runs, tmp_path):
    bad = runs.failed("spark", "failed", "no")
    bad["metrics"] = {"inertia": 1.0}
    records = [*runs.complete(("sklearn", "dask")), bad]
    assert build(runs, tmp_path, records).tables[0].disagreements == ()


def test_a_metric_that_differs_between_repeats_shows_its_spread_and_a_footnote(runs, tmp_path):
    records = runs.complete()
    records[3]["metrics"]["silhouette"] = 0.1825
    assert records[3]["engine"] == "dask"
    report = build(runs, tmp_path, records)
    row = rows_of(report.tables[0])["silhouette"]
    assert row.cells[1].summary.n == 2
    assert row.cells[0].summary.n == 1
    (mark,) = row.marks
    assert "differs between repeats" in report.footnotes[mark - 1]


def test_every_converted_or_rejected_parameter_and_warning_has_a_footnote(runs, tmp_path):
    records = runs.complete()
    records[0]["parameters"] = [
        {"name": "subsample", "asked": 0.5, "verdict": "same", "native": "subsample",
         "value": 0.5, "why": "drawn from each worker's rows"},
        {"name": "seed", "asked": 0, "verdict": "rename", "native": "random_state", "value": 0,
         "why": None},
    ]  # fmt: skip
    report = build(runs, tmp_path, records)
    heads = report.tables[0].heads
    texts = [[report.footnotes[mark - 1] for mark in head.marks] for head in heads]
    assert texts[0] == ["scikit-learn: subsample 0.5: drawn from each worker's rows."]
    assert texts[1][0].startswith("Dask: tol 0.0001 is converted to tol 0.000321.")
    assert texts[1][1].startswith("Dask: n_init 1 is not given to the engine.")
    assert texts[2] == ["Spark: Spark computes in float64."]


def test_a_sweep_has_one_table_a_point(runs, tmp_path):
    points = ({"dataset.n_samples": 10}, {"dataset.n_samples": 20})
    records = [record for point in points for record in runs.complete(point=point)]
    for record in records[6:]:
        for phase in record["phases"]:
            phase["wall_s"] *= 2
    agreement = {json.dumps(points[1]): {"sklearn~dask": 0.5}}
    report = build(runs, tmp_path, records, points=points, agreement=agreement)
    assert [table.point for table in report.tables] == list(points)
    fits = [rows_of(table)["fit_warm_wall_s"].cells[0].summary.median for table in report.tables]
    assert fits == [1.0, 2.0]
    assert [len(table.disagreements) for table in report.tables] == [0, 1]
    # the same fact at both points is one footnote
    assert len(report.footnotes) == 3


def test_the_rows_that_were_scored_are_said(runs, tmp_path):
    (table,) = build(runs, tmp_path, runs.complete()).tables
    assert table.rows_asked == (
        "1,797 rows x 64 features (float64); trained on 1,347; scored on 450 held-out rows"
    )


def test_a_torn_line_is_told_and_the_rest_is_shown(runs, tmp_path):
    folder = runs.write(tmp_path, runs.complete())
    with (folder / "records.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"schema": 1, "run"')
    report = build_report(folder)
    assert report.completed
    assert any("half written" in warning for warning in report.warnings)


def test_records_alone_are_enough(runs, tmp_path):
    folder = runs.write(tmp_path, runs.complete())
    (folder / "run.json").unlink()
    (folder / "definition.yaml").unlink()
    report = build_report(folder)
    assert report.completed
    assert len(report.tables[0].heads) == 3


@pytest.mark.parametrize("definition", ["a: [", "- 1", "engines: [sklearn, dask, spark]", "\x00"])
def test_a_definition_that_cannot_be_read_costs_no_table(runs, tmp_path, definition):
    folder = runs.write(tmp_path, runs.complete())
    (folder / "definition.yaml").write_text(definition, encoding="utf-8")
    assert len(build_report(folder).tables[0].heads) == 3


def test_a_sweep_over_the_cores_says_at_each_point_what_was_granted_there(runs, tmp_path):
    points = ({"resources.cores": 1}, {"resources.cores": 2})
    records = [
        {**one, "point": point, "facts": {**one["facts"], "cores": point["resources.cores"]}}
        for point in points
        for one in runs.complete()
    ]
    folder = runs.write(tmp_path, records, points=points)
    about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    for key, point in about["points"].items():
        cores = json.loads(key)["resources.cores"]
        point["resources"] = {"cores": cores, "memory_bytes": 4 * 2**30}
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    report = build_report(folder)
    assert [table.granted.partition(";")[0] for table in report.tables] == [
        "1 core and 4.00 GiB for each engine",
        "2 cores and 4.00 GiB for each engine",
    ]
    assert report.granted == ""
    # each engine had what its own point granted
    assert not any("core" in warning for warning in report.warnings)


def test_what_is_the_same_at_every_point_is_said_once_above_all(runs, tmp_path):
    points = ({"workload.n_clusters": 3}, {"workload.n_clusters": 10})
    records = [record for point in points for record in runs.complete(point=point)]
    report = build(runs, tmp_path, records, points=points)
    assert report.granted == (
        "2 cores and 4.00 GiB for each engine; 1 round of 1 cold fit and 1 warm"
    )
    # the headline names no value that only one of the points has
    assert report.workload == "kmeans: init shared, tol 0.0001"


def test_swept_rounds_count_at_their_own_point_also_as_a_section(runs, tmp_path):
    points = ({"measure": {"rounds": 1, "warm_repeats": 1}}, {"measure": {"warm_repeats": 0}})
    records = [
        *runs.complete(point=points[0]),
        *(runs.record(engine, point=points[1]) for engine in ("sklearn", "dask", "spark")),
    ]
    report = build(runs, tmp_path, records, points=points, rounds=7)
    assert report.completed
    assert [table.granted.partition("; ")[2] for table in report.tables] == [
        "1 round of 1 cold fit and 1 warm",
        "1 round of 1 cold fit and 0 warm",
    ]


def test_what_an_engine_had_otherwise_than_asked_is_a_footnote_of_its_column(runs, tmp_path):
    records = runs.complete()
    for record in records:
        if record["engine"] == "dask":
            record["warnings"] = ["It had 1 core, and 2 were asked for."]
            record["facts"]["cores"] = 1
    report = build(runs, tmp_path, records)
    texts = [report.footnotes[mark - 1] for mark in report.tables[0].heads[1].marks]
    assert "Dask: It had 1 core, and 2 were asked for." in texts
    assert not any("core" in warning for warning in report.warnings)


def test_what_is_true_of_several_engines_is_one_footnote(runs, tmp_path):
    task = {
        "name": "task", "asked": "binary", "verdict": "convert", "native": "objective",
        "value": "binary:logistic", "why": "XGBoost names tasks so.",
    }  # fmt: skip
    records = runs.complete()
    for record in records:
        record["parameters"] = [{**task, "why": "Else."} if record["engine"] == "spark" else task]
        record["warnings"] = []
    report = build(runs, tmp_path, records)
    converted = "task binary is converted to objective binary:logistic."
    assert report.footnotes == (
        f"scikit-learn, Dask: {converted} XGBoost names tasks so.",
        f"Spark: {converted} Else.",
    )
    assert [head.marks for head in report.tables[0].heads] == [(1,), (1,), (2,)]


def cut_short(runs, engine="spark", outcome="out of memory", **other):
    """Return the record of an engine that died 12.3 s into its first fit."""
    one = runs.failed(engine, outcome, "over the limit", **other)
    one["phases"].append(
        runs.phase("fit", 12.3, cpu_s=20.0, peak_memory_bytes=int(4.1 * 2**30), ended=False)
    )
    return one


def test_a_fit_that_was_cut_short_is_no_fit_time_but_counts_in_the_whole(runs, tmp_path):
    records = [*runs.complete(("sklearn", "dask")), cut_short(runs)]
    (table,) = build(runs, tmp_path, records).tables
    rows = rows_of(table)
    for key in ("fit_cold_wall_s", "fit_warm_wall_s", "fit_cpu_s", "fit_cores_used"):
        assert rows[key].cells[2].summary is None, key
        assert rows[key].cells[2].text == "out of memory"
    assert rows["total_wall_s"].cells[2].summary.median == pytest.approx(3.0 + 0.5 + 12.3 + 0.05)
    assert rows["total_cpu_s"].cells[2].summary.median == pytest.approx(3.5 * 1.5 + 20)
    assert rows["peak_memory_bytes"].cells[2].summary.median == int(4.1 * 2**30)
    assert all(row.cells[2].ratio is None for row in rows.values())


def test_a_problem_says_how_far_its_phase_was_and_what_it_held(runs, tmp_path):
    records = [*runs.complete(("sklearn", "dask")), cut_short(runs)]
    (problem,) = build(runs, tmp_path, records).tables[0].problems
    assert problem.when == "repeat 1, in phase fit after 12.3 s, peak 4.10 GiB"


def test_a_phase_of_another_name_that_was_cut_short_makes_no_row(runs, tmp_path):
    one = runs.failed("spark", "crashed", "gone")
    one["phases"].append(runs.phase("save", 9.0, ended=False))
    records = [*runs.complete(("sklearn", "dask")), one]
    rows = rows_of(build(runs, tmp_path, records).tables[0])
    assert "other_wall_s" not in rows
    assert rows["total_wall_s"].cells[2].summary.median == pytest.approx(12.55)


def test_a_process_that_the_end_of_the_run_cut_short_has_no_ratio_of_the_whole(runs, tmp_path):
    records = [*runs.complete(("sklearn",)), runs.record("dask")]
    (table,) = build(runs, tmp_path, records, engines=("sklearn", "dask")).tables
    rows = rows_of(table)
    assert table.heads[1].outcome == "not finished"
    assert rows["fit_cold_wall_s"].cells[1].ratio == 4.0
    for key in ("total_wall_s", "total_cpu_s", "peak_memory_bytes"):
        assert rows[key].cells[1].summary is not None
        assert rows[key].cells[1].ratio is None, key
        assert rows[key].cells[0].ratio == 1.0, key


def test_labels_that_were_never_compared_are_told_with_the_reason(runs, tmp_path):
    report = build(runs, tmp_path, runs.complete(), interrupted=True)
    (said,) = [warning for warning in report.warnings if "labels" in warning]
    assert "were not compared" in said
    assert "the run ended before" in said
    assert not report.tables[0].labels_compared


@pytest.mark.parametrize("interrupted", [True, False, None])
def test_nothing_is_told_of_labels_where_there_is_nothing_to_compare(runs, tmp_path, interrupted):
    everyone = {"sklearn~dask": 1.0, "sklearn~spark": 1.0, "dask~spark": 1.0}
    compared = build(
        runs, tmp_path / "a", runs.complete(), agreement={"{}": everyone}, interrupted=interrupted
    )
    alone = build(runs, tmp_path / "b", runs.complete(("sklearn",)), interrupted=interrupted)
    classes = [{**one, "metrics": {"accuracy": 0.9}} for one in runs.complete()]
    supervised = build(runs, tmp_path / "c", classes, interrupted=interrupted)
    for report in (compared, alone, supervised):
        assert report.tables[0].labels_compared
        assert not any("labels" in warning for warning in report.warnings)


def test_clusters_are_compared_with_an_engine_that_found_some(runs, tmp_path):
    records = [runs.failed("sklearn", "timed out", "long"), *runs.complete(("dask", "spark"))]
    (table,) = build(runs, tmp_path, records, agreement={"{}": {"dask~spark": 0.97}}).tables
    row = rows_of(table)["adjusted_rand_to_baseline"]
    assert row.label == "Adj. Rand to Dask"
    assert [cell.summary and cell.summary.median for cell in row.cells] == [None, 1.0, 0.97]


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "not a JSON object"), ("[]", "not a JSON object"), ('{"schema": 9}', "newer version")],
)
def test_a_description_that_cannot_be_read_is_a_sentence(runs, tmp_path, content, said):
    folder = runs.write(tmp_path, runs.complete())
    (folder / "run.json").write_text(content, encoding="utf-8")
    with pytest.raises(RequestError, match=said):
        build_report(folder)
