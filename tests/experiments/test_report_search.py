"""A search is told as it went: its winner, what failed, what it cost, and who agrees."""

from __future__ import annotations

import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from experiments.errors import RequestError
from experiments.report import build_report
from experiments.report.data import as_data
from experiments.report.markdown import as_markdown
from experiments.report.notebook import as_html
from experiments.report.terminal import as_text

ENGINES = ("sklearn", "dask", "spark")
SVC = "{kind: estimator, class: sklearn.svm.SVC, parameters: {gamma: auto}}"
GRID = "{strategy: grid, space: {C: [1, 10]}}"
HOSTILE = "<script>alert(1)</script> a|b `c` \x1b[31mred\x1b[0m [x](y)\nnext"


def write(runs, folder, records, rows=(), **other):
    """Write a run folder with a search."""
    asked = {"workload": SVC, "search": GRID, "warm_repeats": 0, **other}
    folder = runs.write(folder, records, **asked)
    if rows:
        runs.write_candidates(folder, list(rows))
    return folder


def build(runs, folder, records, rows=(), **other):
    """Return the report of a run folder with a search."""
    return build_report(write(runs, folder, records, rows, **other))


def rows_of(table):
    """Return the rows of a table by key."""
    return {row.key: row for group in table.groups for row in group.rows}


def best(candidate=5, accuracy=0.9738, **params):
    """Return a best candidate as a record tells of it."""
    return {
        "candidate": candidate,
        "params": params or {"C": 100.0, "kernel": "rbf"},
        "scores": {"accuracy": accuracy, "log_loss": 0.0712},
        "std": {"accuracy": 0.02, "log_loss": 0.001},
    }


def test_the_search_stands_first_with_a_row_for_each_parameter_of_the_best(runs, tmp_path):
    (table,) = build(runs, tmp_path, [runs.search_record(one) for one in ENGINES]).tables
    search, accuracy, *_ = table.groups
    assert [group.title for group in table.groups] == ["Search", "Accuracy", "Time", "Resources"]
    assert accuracy.heading == "Accuracy of the refitted winner"
    assert [row.key for row in search.rows] == [
        "best_param_C", "best_param_kernel", "best_mean_accuracy", "best_mean_log_loss",
        "candidates_completed", "search_slots", "candidates_per_minute",
        "search_fits_and_scores_s", "search_beyond_fits_s",
    ]  # fmt: skip
    rows = rows_of(table)
    assert [cell.text for cell in rows["best_param_C"].cells] == ["10", "10", "10"]
    assert rows["best_mean_accuracy"].cells[0].summary.median == 0.9736842105
    assert rows["best_mean_accuracy"].cells[0].deviation == 0.0123456
    assert rows["candidates_per_minute"].cells[1].summary.median == 22.5
    assert rows["candidates_per_minute"].cells[1].ratio == 0.25
    assert rows["search_fits_and_scores_s"].cells[1].summary.median == pytest.approx(30.4)
    assert rows["search_beyond_fits_s"].cells[1].summary.median == pytest.approx(0.8)
    assert rows["search_beyond_fits_s"].cells[1].share == pytest.approx(0.05)


def test_the_metric_that_chose_the_winner_comes_first(runs, tmp_path):
    found = runs.search_record("sklearn", search={"refit": "log_loss"})
    (table,) = build(runs, tmp_path, [found], engines=("sklearn",)).tables
    keys = [key for key in rows_of(table) if key.startswith("best_mean_")]
    assert keys == ["best_mean_log_loss", "best_mean_accuracy"]


def test_times_and_cpu_are_those_of_the_search(runs, tmp_path):
    report = build(runs, tmp_path, [runs.search_record(one) for one in ENGINES])
    (table,) = report.tables
    rows = rows_of(table)
    assert [cell.summary.median for cell in rows["search_cold_wall_s"].cells] == [4, 16, 40]
    assert rows["refit_wall_s"].cells[0].summary.median == pytest.approx(0.7)
    assert rows["search_cpu_s"].cells[0].summary.median == pytest.approx(6)
    assert rows["search_cores_used"].label == "cores used, search cold"
    assert not any(key.startswith("fit_") for key in rows)
    # refit and search have rows of their own
    assert rows["other_wall_s"].label == "stop"
    assert report.granted.endswith("1 round of 1 cold search and 0 warm")
    assert report.completed


def test_without_being_asked_a_search_is_not_repeated(runs, tmp_path):
    folder = write(runs, tmp_path, [runs.search_record(one) for one in ENGINES])
    path = folder / "definition.yaml"
    text = path.read_text(encoding="utf-8").replace(", warm_repeats: 0", "")
    path.write_text(text, encoding="utf-8")
    assert build_report(folder).completed


def test_what_was_searched_and_why_so_is_said_above_the_table(runs, tmp_path):
    report = build(runs, tmp_path, [runs.search_record(one) for one in ENGINES])
    said = (
        "Grid search: 6 candidates x 3 folds; scored by accuracy and log loss; the best chosen by "
        "accuracy; in parallel over candidates (chosen, as 0.7 MiB of training rows, 3 times, fit "
        "the 2.0 GiB that a worker has)"
    )
    assert report.tables[0].searched == said
    for form in (as_text(report, 400), as_markdown(report), as_html(report)):
        assert said in form
    assert as_data(report)["tables"][0]["searched"] == said
    assert report.workload == "estimator: class sklearn.svm.SVC, gamma auto"
    assert any("too good by chance" in limit for limit in report.limits)


def test_the_answer_speaks_of_searches_and_names_the_winner(runs, tmp_path):
    (table,) = build(runs, tmp_path, [runs.search_record(one) for one in ENGINES]).tables
    assert table.answer == (
        "Perhaps scikit-learn searched fastest: Dask's cold search took 4.0 times as long and "
        "Spark's 10 "
        "times (one search each, so chance is not excluded and no interval can be given); all "
        "three chose the same candidate, "
        "C 10, kernel rbf (accuracy 0.974 over the folds)."
    )
    assert table.disagreements == ()


def test_one_engine_alone_says_what_it_chose(runs, tmp_path):
    (table,) = build(runs, tmp_path, [runs.search_record("dask")], engines=("dask",)).tables
    assert table.answer == (
        "Dask's cold search took 16.0 s; Dask chose C 10, kernel rbf (accuracy 0.974 over the "
        "folds)."
    )


@pytest.mark.parametrize(
    ("accuracy", "answer", "box"),
    [
        (
            0.9738,
            "with scores within the tolerance of accuracy.",
            "Their scores are within the tolerance, 0.01, so that none is shown to be better.",
        ),
        (
            0.99,
            "with scores beyond the tolerance of accuracy.",
            "Their scores differ by more than the tolerance, 0.01.",
        ),
        (
            None,
            "with scores beyond the tolerance of accuracy.",
            "Their scores differ by more than the tolerance, 0.01.",
        ),
    ],
)
def test_other_winners_are_a_disagreement_with_their_scores(runs, tmp_path, accuracy, answer, box):
    records = [runs.search_record(one) for one in ENGINES]
    records[1]["model"]["search"]["best"] = best(accuracy=accuracy)
    report = build(runs, tmp_path, records)
    (table,) = report.tables
    (found,) = table.disagreements
    assert found.about == "winner"
    assert found.values == {"sklearn": 0.9736842105, "dask": accuracy, "spark": 0.9736842105}
    told = "undefined" if accuracy is None else f"{accuracy:g}"
    # the kernel is the same, and so is not told
    assert found.text == (
        "Winner of the search: scikit-learn chose C 10 with accuracy 0.973684; Dask chose C 100 "
        f"with accuracy {told}; Spark chose C 10 with accuracy 0.973684. {box}"
    )
    assert table.answer.endswith(
        f"; scikit-learn and Spark chose C 10 and Dask chose C 100, {answer}"
    )
    assert "all three" not in table.answer
    for form in (as_text(report, 300), as_markdown(report), as_html(report)):
        words = " ".join(form.replace("┃", " ").split())
        assert "Dask chose C 100 with accuracy" in words


def test_the_same_winner_with_another_score_is_a_disagreement(runs, tmp_path):
    records = [runs.search_record(one) for one in ENGINES]
    records[2]["model"]["search"]["best"] = best(4, 0.9, C=10, kernel="rbf")
    (table,) = build(runs, tmp_path, records).tables
    (found,) = table.disagreements
    assert found.about == "folds.accuracy"
    assert "the same best candidate" in found.text
    assert table.answer.endswith(
        "all three chose C 10, kernel rbf, but its accuracy differs beyond the tolerance: 0.974 on "
        "scikit-learn, 0.974 on Dask and 0.900 on Spark."
    )


def chose(runs, engine, *candidates):
    """Return the cold and the warm records of an engine whose repeats chose so."""
    return [
        runs.search_record(engine, repeat=repeat, warm=repeat > 0, search={"best": one})
        for repeat, one in enumerate(candidates)
    ]


def test_an_engine_whose_repeats_choose_differently_is_not_of_one_mind(runs, tmp_path):
    three, five = best(3, 0.97, depth=3), best(5, 0.975, depth=5)
    records = [*chose(runs, "sklearn", three, three), *chose(runs, "dask", three, five)]
    (table,) = build(runs, tmp_path, records, engines=ENGINES[:2], warm_repeats=1).tables
    (found,) = table.disagreements
    assert found.about == "winner"
    assert found.values == {"sklearn": 0.97, "dask": pytest.approx(0.9725)}
    assert found.text.startswith(
        "Winner of the search: scikit-learn chose depth 3 with accuracy 0.97; Dask chose depth 3 "
        "with accuracy 0.97 or depth 5 with accuracy 0.975, as its repeats differ. Their scores "
        "are within the tolerance"
    )
    assert table.answer.endswith(
        "both chose different candidates, depth 3 on scikit-learn and depth 3 or depth 5 on Dask "
        "(whose repeats differ), with scores within the tolerance of accuracy."
    )
    # not all that is found best in some repeat is within the tolerance of what is found in another
    records[3]["model"]["search"]["best"]["scores"]["accuracy"] = 0.9
    (table,) = build(runs, tmp_path, records, engines=ENGINES[:2], warm_repeats=1).tables
    assert "differ by more than the tolerance" in table.disagreements[0].text


def test_engines_that_choose_the_same_in_other_repeats_are_not_told_to_agree(runs, tmp_path):
    three, five = best(3, 0.97, depth=3), best(5, 0.975, depth=5)
    records = [*chose(runs, "sklearn", three, five), *chose(runs, "dask", five, three)]
    report = build(runs, tmp_path, records, engines=ENGINES[:2], warm_repeats=1)
    (table,) = report.tables
    assert table.disagreements == ()
    assert table.answer.endswith(
        "both chose different candidates from repeat to repeat, depth 3 or depth 5, with scores "
        "within the tolerance of accuracy."
    )
    records[2]["model"]["search"]["best"] = best(5, 0.9, depth=5)
    (table,) = build(runs, tmp_path, records, engines=ENGINES[:2], warm_repeats=1).tables
    (found,) = table.disagreements
    assert found.about == "folds.accuracy"
    assert "accuracy of the same best candidate, depth 5, is scikit-learn 0.975, Dask 0.9;" in (
        found.text
    )


def test_one_engine_alone_can_choose_differently_from_repeat_to_repeat(runs, tmp_path):
    records = chose(runs, "dask", best(3, 0.97, depth=3), best(5, 0.975, depth=5))
    (table,) = build(runs, tmp_path, records, engines=("dask",), warm_repeats=1).tables
    assert table.disagreements == ()
    assert "Dask chose different candidates from repeat to repeat, depth 3 or depth 5" in (
        table.answer
    )


def test_cold_and_warm_refits_are_apart_where_there_are_both(runs, tmp_path):
    records = [runs.search_record(repeat=repeat, warm=repeat > 0) for repeat in range(3)]
    for record, wall in zip(records, (5.0, 1.0, 2.0), strict=True):
        (refit,) = [one for one in record["phases"] if one["name"] == "refit"]
        refit["wall_s"] = wall
    (table,) = build(runs, tmp_path, records, engines=("sklearn",), warm_repeats=2).tables
    rows = rows_of(table)
    assert rows["refit_cold_wall_s"].label == "refit, cold"
    assert rows["refit_cold_wall_s"].cells[0].summary.median == 5
    assert rows["refit_warm_wall_s"].label == "refit, warm"
    assert rows["refit_warm_wall_s"].cells[0].summary.median == 1.5
    assert "refit_wall_s" not in rows
    keys = list(rows)
    assert keys.index("search_warm_wall_s") < keys.index("refit_cold_wall_s")


HALVING = {"strategy": "halving", "candidates": 6, "rungs": 3, "planned": 11, "completed": 11}


def test_halving_tells_its_candidates_apart_from_those_of_all_rounds(runs, tmp_path):
    records = [runs.search_record(one, search=HALVING) for one in ENGINES]
    records[1]["model"]["search"] |= {"completed": 9, "failed": 2, "first_error": "ValueError: no"}
    records[2]["model"]["search"] |= {"completed": 10, "not_run": 1}
    rows = [runs.candidate(number, iter=rung) for rung in range(2) for number in range(3 - rung)]
    report = build(runs, tmp_path, records, rows)
    (table,) = report.tables
    assert table.searched.startswith(
        "Halving search: 6 candidates in 3 rounds (11 in all) x 3 folds; "
    )
    rows = rows_of(table)
    counted = "A candidate counts in each round that it is in."
    for key in ("completed", "failed", "not_run"):
        assert rows[f"candidates_{key}"].meaning.endswith(counted)
    assert rows["candidates_per_minute"].meaning.endswith(counted)
    (mark,) = rows["candidates_failed"].marks
    assert report.footnotes[mark - 1] == (
        "Dask: 2 of 11 candidates failed, each counted in every round that it is in; the first "
        "error: ValueError: no."
    )
    for form in (as_text(report, 400), as_markdown(report), as_html(report)):
        assert counted in form
    listed = "Candidates, each counted in every round that it is in: 5 completed; ordered by"
    assert listed in as_markdown(report)


@pytest.mark.parametrize(
    ("search", "told"),
    [
        ({**HALVING, "candidates": None, "rungs": None}, "11 candidates in all rounds x 3 folds"),
        ({**HALVING, "planned": None}, "6 candidates in 3 rounds x 3 folds"),
        ({**HALVING, "rungs": 1, "planned": 6}, "6 candidates x 3 folds"),
        ({"candidates": 6, "rungs": 1}, "6 candidates x 3 folds"),
    ],
)
def test_candidates_are_told_as_far_as_a_record_tells_of_them(runs, tmp_path, search, told):
    report = build(runs, tmp_path, [runs.search_record(search=search)], engines=("sklearn",))
    assert report.tables[0].searched.partition(": ")[2].startswith(f"{told}; ")
    assert ("counts in each round" in as_text(report, 400)) is ("rounds" in told)


def test_refits_of_the_same_winner_that_score_differently_are_told(runs, tmp_path):
    records = [runs.search_record(one) for one in ENGINES]
    records[2]["metrics"]["accuracy"] = 0.8
    (table,) = build(runs, tmp_path, records).tables
    assert [one.about for one in table.disagreements] == ["accuracy"]
    assert table.answer.endswith("over the folds), but its refits differ in accuracy.")


def test_an_engine_that_failed_takes_no_part_in_the_choice(runs, tmp_path):
    lost = runs.failed("spark", "timed out", "too long")
    lost["phases"].append(runs.phase("search", 12.3, ended=False))
    lost["model"] = {"search": {**runs.searched(best=best()), "wall_s": None}}
    records = [*(runs.search_record(one) for one in ENGINES[:2]), lost]
    (table,) = build(runs, tmp_path, records).tables
    assert table.disagreements == ()
    assert "scikit-learn and Dask chose the same candidate" in table.answer
    assert table.answer.endswith("Spark timed out.")
    rows = rows_of(table)
    # what it had found by then is kept
    assert rows["best_param_C"].cells[2].text == "100"
    assert rows["search_cold_wall_s"].cells[2].text == "timed out"


def test_an_engine_that_tells_of_no_winner_is_admitted(runs, tmp_path):
    records = [runs.search_record(one) for one in ENGINES]
    records[1]["model"] = {}
    (table,) = build(runs, tmp_path, records).tables
    assert table.answer.endswith("; which candidate is best on Dask is not known.")


def test_failing_candidates_are_counted_and_the_first_error_is_a_footnote(runs, tmp_path):
    failures = {"completed": 4, "failed": 2, "first_error": f"ValueError: C is 0\n{'x' * 999}"}
    records = [
        runs.search_record("sklearn"),
        runs.search_record("dask", search=failures),
        runs.search_record("spark", search=failures),
    ]
    report = build(runs, tmp_path, records)
    (table,) = report.tables
    row = rows_of(table)["candidates_failed"]
    assert [cell.summary.median for cell in row.cells] == [0, 2, 2]
    (mark,) = row.marks
    told = report.footnotes[mark - 1]
    assert told.startswith("Dask, Spark: 2 of 6 candidates failed; the first error: ValueError:")
    assert len(told) < 400
    # the search went on, and so the engine completed
    assert report.completed
    assert "candidates_not_run" not in rows_of(table)


def test_candidates_that_were_not_run_are_counted(runs, tmp_path):
    short = runs.search_record("sklearn", search={"completed": 2, "not_run": 4})
    (table,) = build(runs, tmp_path, [short], engines=("sklearn",)).tables
    assert rows_of(table)["candidates_not_run"].cells[0].summary.median == 4


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_long_and_many_parameters_do_not_break_the_table(runs, tmp_path, width):
    params = {f"parameter_{n}": [64, 32, 16] * n if n % 2 else f"v{n}_" * 12 for n in range(9)}
    found = runs.searched(best=best(**params))
    records = [runs.search_record(one, search=found) for one in ENGINES]
    report = build(runs, tmp_path, records)
    lines = as_text(report, width).splitlines()
    assert all(cell_len(line) <= width for line in lines)
    text = "".join("".join(lines).split())
    assert "…" not in text
    if width >= 80:
        (header,) = [line for line in lines if line.split()[:2] == ["scikit-learn", "Dask"]]
        assert len(header) <= width
        # such parameters are no part of a sentence
        assert "chose the same candidate, number 5 (" in " ".join(" ".join(lines).split())
    else:
        assert "v8_v8_v8_v8_" in text


def test_a_search_of_three_engines_wraps_no_row_at_80_columns(runs, tmp_path):
    report = build(runs, tmp_path, [runs.search_record(one) for one in ENGINES])
    lines = as_text(report, 80).splitlines()
    (score,) = [line for line in lines if line.startswith("  Accuracy, 3 folds")]
    assert score.count("0.973684 ± 0.012") == 3
    for group in report.tables[0].groups:
        for row in group.rows:
            assert any(line.startswith(f"  {row.label}  ") for line in lines), row.label


def test_the_legend_explains_what_only_a_search_has(runs, tmp_path):
    searched = build(runs, tmp_path / "a", [runs.search_record(one) for one in ENGINES])
    fitted = build_report(runs.write(tmp_path / "b", runs.complete()))
    for part in ("±: standard deviation over the folds.", "Cost beyond its fits: seconds of"):
        assert part in as_text(searched, 500)
        assert part not in as_text(fitted, 500)


def test_data_for_programs_has_the_deviation_and_the_best_candidates(runs, tmp_path):
    rows = [runs.candidate(number, engine=one) for one in ENGINES for number in range(12)]
    report = build(runs, tmp_path, [runs.search_record(one) for one in ENGINES], rows)
    content = json.loads(json.dumps(as_data(report), allow_nan=False))
    cells = {row["key"]: row["cells"] for row in content["tables"][0]["rows"]}
    assert cells["best_mean_accuracy"]["dask/library"]["std"] == 0.0123456
    assert [one["engine"] for one in content["candidates"]] == list(ENGINES)
    (first, *_), number = (
        content["candidates"][0]["candidates"],
        len(content["candidates"][0]["candidates"]),
    )
    assert number == 10
    assert first["number"] == 4
    assert json.loads(first["params"]) == {"C": 10.0, "kernel": "rbf"}
    assert content["candidates"][0]["outcomes"] == {"completed": 12}


def numbers(report, engine="sklearn"):
    """Return the numbers of the best candidates of an engine."""
    (found,) = [one for one in report.candidates if one.engine == engine]
    return [one.number for one in found.candidates]


def test_the_ten_best_are_listed_best_first_and_those_that_failed_are_not(runs, tmp_path):
    rows = [runs.candidate(number) for number in range(12)]
    rows[4] |= {"outcome": "failed", "error": "ValueError: no", "mean_test_accuracy": None}
    rows[3] |= {"outcome": "not run", "mean_test_accuracy": None}
    report = build(runs, tmp_path, [runs.search_record()], rows, engines=("sklearn",))
    assert numbers(report) == [5, 2, 6, 1, 7, 0, 8, 9, 10, 11]
    text = as_markdown(report)
    section = text[text.index("## Candidates") : text.index("## What this")]
    counted = "Candidates: 10 completed, 1 not run, 1 failed; ordered by accuracy."
    assert counted in section
    lines = [line for line in section.splitlines() if line.startswith("|")]
    assert lines[0] == "|  | Parameters | Accuracy | Log loss | Fit | Score |"
    assert lines[2] == (
        "| 1 | C 100, kernel rbf | 0.97 ± 0.012 | 0.08 ± 0.00031 | 400 ms | 30.0 ms |"
    )
    assert len(lines) == 12


def test_less_of_a_loss_is_better(runs, tmp_path):
    rows = [runs.candidate(number, mean_test_log_loss=number / 10) for number in (3, 1, 2)]
    record = runs.search_record(search={"refit": "log_loss"})
    report = build(runs, tmp_path, [record], rows, engines=("sklearn",))
    assert numbers(report) == [1, 2, 3]
    assert report.candidates[0].metrics == ("log_loss", "accuracy")


def test_halving_lists_a_candidate_once_as_its_last_round_saw_it(runs, tmp_path):
    rows = [
        runs.candidate(number, iter=rung, n_resources=100 * (1 + rung))
        for rung, kept in enumerate(([0, 1, 4], [0, 1]))
        for number in kept
    ]
    report = build(runs, tmp_path, [runs.search_record()], rows, engines=("sklearn",))
    assert numbers(report) == [1, 0, 4]
    found = report.candidates[0].candidates
    assert [one.n_resources for one in found] == [200, 200, 100]
    assert "| Resources |" in as_markdown(report)


def test_halving_lists_the_last_round_first_however_good_an_earlier_one_was(runs, tmp_path):
    # candidate to its loss, round by round; ranks are over all rounds together
    rounds = ({0: 0.3, 1: 0.4, 2: 0.1, 3: 0.05}, {0: 0.8, 1: 0.7, 2: 0.9}, {0: 0.95, 1: 0.99})
    losses = sorted(loss for one in rounds for loss in one.values())
    rows = [
        runs.candidate(
            number, iter=rung, mean_test_log_loss=loss, rank_test_log_loss=1 + losses.index(loss)
        )
        for rung, one in enumerate(rounds)
        for number, loss in one.items()
    ]
    record = runs.search_record(search={"refit": "log_loss"})
    report = build(runs, tmp_path, [record], rows, engines=("sklearn",))
    assert numbers(report) == [0, 1, 2, 3]
    shown = [one.scores["log_loss"] for one in report.candidates[0].candidates]
    assert shown == [0.95, 0.99, 0.9, 0.05]


def test_the_metric_that_orders_is_known_of_a_search_that_left_no_record(runs, tmp_path):
    points = ({"search.seed": 1}, {"search.seed": 2})
    losses = {0: 0.3, 1: 0.1, 2: 0.2}
    rows = [
        runs.candidate(number, point=json.dumps(point), mean_test_log_loss=loss)
        for point in points
        for number, loss in losses.items()
    ]
    records = [runs.search_record(point=points[0], search={"refit": "log_loss"})]
    folder = write(runs, tmp_path, records, rows, engines=("sklearn",), points=points)
    path = folder / "run.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    about["points"][json.dumps(points[1])]["search"] = {"refit": "log_loss"}
    path.write_text(json.dumps(about), encoding="utf-8")
    report = build_report(folder)
    assert [one.metrics[0] for one in report.candidates] == ["log_loss", "log_loss"]
    for one in report.candidates:
        assert [candidate.number for candidate in one.candidates] == [1, 2, 0]


def test_repeats_of_a_search_and_points_of_a_sweep_are_kept_apart(runs, tmp_path):
    points = ({"search.seed": 1}, {"search.seed": 2})
    records = [runs.search_record(point=point) for point in points]
    rows = [
        runs.candidate(number, point=json.dumps(point), repeat=repeat)
        for repeat in (1, 0)
        for point in points
        for number in range(2 + repeat)
    ]
    report = build(runs, tmp_path, records, rows, engines=("sklearn",), points=points)
    assert [one.point for one in report.candidates] == list(points)
    assert all(one.outcomes == {"completed": 2} for one in report.candidates)
    assert "### scikit-learn (library), search.seed = 2" in as_markdown(report)


def test_hostile_candidates_make_no_markup(runs, tmp_path):
    rows = [
        runs.candidate(0, params=json.dumps({HOSTILE: HOSTILE}), outcome="completed"),
        runs.candidate(1, params=HOSTILE),
        runs.candidate(2, engine=HOSTILE, implementation=HOSTILE),
        runs.candidate(3, outcome=HOSTILE),
    ]
    rows = [{**row, f"mean_test_{HOSTILE}": 1.0, f"std_test_{HOSTILE}": 0.5} for row in rows]
    hostile = {
        "strategy": HOSTILE, "parallel_over": HOSTILE, "why": HOSTILE, "refit": HOSTILE,
        "scoring": [HOSTILE], "failed": 1, "first_error": HOSTILE,
        "best": {"candidate": 1, "params": {HOSTILE: HOSTILE}, "scores": {HOSTILE: 1.0},
                 "std": {HOSTILE: 1.0}},
    }  # fmt: skip
    records = [runs.search_record(one, search=hostile) for one in ENGINES]
    records[1]["model"]["search"]["best"] = {**hostile["best"], "params": {HOSTILE: 1}}
    report = build(runs, tmp_path, records, rows)
    text = as_markdown(report)
    assert "## Candidates" in text
    prose = text.partition("## Definition as run")[0]
    prose = re.sub(r"(?<!\\)(`+)(?!`).*?(?<!`)\1(?!`)", "", prose)
    assert "<script" not in prose
    assert not re.search(r"(?<!\\)\]\(", prose)
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in prose.splitlines() if line[:1] == "|"}
    assert widths == {5, 8}
    for form in (as_text(report, 80), text, as_html(report)):
        assert "\x1b" not in form
        assert "31m" not in form
    assert "<script" not in as_html(report)


def spoil(path, how):  # noqa: C901 - one way after the other
    """Spoil a table of candidates in one of the ways in which files break."""
    content = path.read_bytes()
    match how:
        case "torn":
            path.write_bytes(content[: len(content) // 2])
        case "empty":
            path.write_bytes(b"")
        case "flipped":
            middle = len(content) // 2
            path.write_bytes(content[:middle] + bytes(64) + content[middle + 64 :])
        case "text":
            path.write_text("engine,candidate\n", encoding="utf-8")
        case "columns":
            pq.write_table(pa.table({"engine": ["sklearn"]}), path)
        case "types":
            table = pq.read_table(path)
            names = ["params", "point", "outcome", "mean_test_accuracy", "candidate"]
            for name in names:
                index = table.schema.get_field_index(name)
                table = table.set_column(index, name, pa.array([[1]] * table.num_rows))
            pq.write_table(table, path)
        case "point":
            table = pq.read_table(path)
            index = table.schema.get_field_index("point")
            pq.write_table(table.set_column(index, "point", pa.array(["{"] * len(table))), path)
        case "nulls":
            rows = pq.read_table(path).to_pylist()
            names = dict.fromkeys(rows[0])
            pq.write_table(pa.Table.from_pylist([names] * 3), path)
        case "no rows":
            pq.write_table(pq.read_table(path).slice(0, 0), path)
        case "folder":
            path.unlink()
            path.mkdir()
        case "missing":
            path.unlink()


@pytest.mark.parametrize(
    "how", ["torn", "empty", "text", "columns", "types", "point", "nulls", "folder", "missing"]
)
def test_a_table_of_candidates_that_cannot_be_read_costs_a_sentence(runs, tmp_path, how):
    rows = [runs.candidate(number) for number in range(6)]
    folder = write(runs, tmp_path, [runs.search_record()], rows, engines=("sklearn",))
    spoil(folder / "candidates.parquet", how)
    report = build_report(folder)
    assert report.candidates == ()
    (said,) = [one for one in report.warnings if "candidates.parquet" in one]
    assert said.startswith("The best candidates are not listed")
    assert said.endswith(".")
    assert "\n" not in said
    assert "Search" in as_text(report)
    assert "## Candidates" not in as_markdown(report)


@pytest.mark.parametrize("how", ["flipped", "no rows"])
def test_a_table_of_candidates_with_nothing_to_show_is_no_error(runs, tmp_path, how):
    rows = [runs.candidate(number) for number in range(6)]
    folder = write(runs, tmp_path, [runs.search_record()], rows, engines=("sklearn",))
    spoil(folder / "candidates.parquet", how)
    assert "Search" in as_text(build_report(folder))


def test_a_journal_that_nothing_can_be_made_of_is_no_error(runs, tmp_path):
    folder = write(runs, tmp_path, [runs.search_record()], engines=("sklearn",))
    (folder / "candidates.jsonl").write_text('{"search": 1}\n[1]\n{"', encoding="utf-8")
    report = build_report(folder)
    assert any("best candidates are not listed" in one for one in report.warnings)


def test_a_run_without_a_search_says_nothing_of_candidates(runs, tmp_path):
    report = build_report(runs.write(tmp_path, runs.complete()))
    assert report.candidates == ()
    assert not any("candidates" in one for one in report.warnings)
    assert [group.title for group in report.tables[0].groups] == ["Accuracy", "Time", "Resources"]
    assert report.tables[0].groups[0].heading == "Accuracy"


JSON = st.recursive(
    # NaN and infinity are no JSON, and refused before a report is built
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_whatever_stands_in_a_record_of_a_search_is_shown_or_passed_over(runs, tmp_path, data):
    records = []
    for engine in ENGINES[:2]:
        search = runs.searched()
        for key in data.draw(st.lists(st.sampled_from([*search, "best.params", "best.scores"]))):
            value = data.draw(JSON)
            if "." in key and isinstance(search["best"], dict):
                search["best"] = {**search["best"], key.partition(".")[2]: value}
            elif "." not in key:
                search[key] = value
        model = {"search": search} if data.draw(st.integers(0, 9)) else {"search": data.draw(JSON)}
        records.append(runs.search_record(engine, model=model))
    report = build(runs, tmp_path, records, engines=ENGINES[:2])
    for form in (as_text(report), as_markdown(report), as_html(report)):
        assert "search, cold" in form
    json.dumps(as_data(report), allow_nan=False)


def simulated(runs, folder, records, **other):
    """Return the report of a run of tasks."""
    asked = {"workload": "{kind: tasks, function: asian_option, paths: 10000}", **other}
    return build_report(runs.write(folder, records, **asked))


def test_tasks_have_their_times_and_the_reference_beside_the_estimate(runs, tmp_path):
    records = [runs.tasks_record(one, repeat=n, warm=n > 0) for one in ENGINES for n in (0, 1)]
    report = simulated(runs, tmp_path, records)
    (table,) = report.tables
    rows = rows_of(table)
    assert [cell.summary.median for cell in rows["tasks_warm_wall_s"].cells] == [2, 8, 20]
    assert rows["tasks_cpu_s"].label == "CPU time, tasks warm"
    assert rows["reference"].cells[0].summary.median == 12.3421
    assert rows["reference_standard_error"].cells[0].summary.median == 0.00012
    assert rows["paths"].cells[0].summary.median == 10000
    # the metric has the row, and no other repeats it
    assert [row.key for group in table.groups for row in group.rows].count("estimate") == 1
    assert table.answer == (
        "Perhaps scikit-learn ran the tasks fastest: Dask's warm run of the tasks took 4.0 "
        "times as long "
        "and Spark's 10 times (one run of the tasks each, so chance is not excluded and no "
        "interval can be given); all three estimated the same, 12.3457 ± 0.051 (reference 12.3421 "
        "± 0.00012)."
    )
    assert report.granted.endswith("1 round of 1 cold run of the tasks and 1 warm")
    assert not any("dataset" in limit or "page cache" in limit for limit in report.limits)
    assert table.disagreements == ()
    assert report.completed


def test_estimates_that_differ_in_the_last_bit_disagree(runs, tmp_path):
    records = [runs.tasks_record(one) for one in ENGINES]
    records[1]["model"]["estimate"] = records[1]["metrics"]["estimate"] = 12.345678901234569
    (table,) = simulated(runs, tmp_path, records, warm_repeats=0).tables
    (found,) = table.disagreements
    assert found.about == "estimate"
    assert "Dask 12.34567890123457," in found.text
    assert "the estimates differ, which they must not" in table.answer


def test_an_estimate_without_a_metric_of_it_has_its_row(runs, tmp_path):
    record = runs.tasks_record(metrics={"reference_z": 0.07})
    (table,) = simulated(runs, tmp_path, [record], engines=("sklearn",), warm_repeats=0).tables
    assert rows_of(table)["estimate"].cells[0].summary.median == 12.345678901234567
    assert table.answer.endswith(
        "scikit-learn estimated 12.3457 ± 0.051 (reference 12.3421 ± 0.00012)."
    )


@pytest.mark.parametrize("workload", [SVC, "{kind: tasks, function: asian_option}"])
def test_an_engine_that_died_before_its_work_is_told_in_the_words_of_that_work(
    runs, tmp_path, workload
):
    tasks = "tasks" in workload
    records = [runs.failed(one, "crashed", "gone") for one in ENGINES]
    report = build(runs, tmp_path, records, workload=workload, search="null" if tasks else GRID)
    assert f"1 cold {'run of the tasks' if tasks else 'search'}" in report.granted
    assert report.tables[0].answer.startswith("No engine completed: ")


def cut(runs, engine, completed, **other):
    """Return the record of a search of 40 candidates that its time budget ended."""
    counts = {"planned": 40, "completed": completed, "not_run": 40 - completed}
    return runs.search_record(engine, search={**counts, **other})


BUDGET = "{strategy: grid, space: {C: [1, 10]}, time_budget: 20.0}"


def test_searches_that_the_time_budget_ended_are_not_compared_by_their_times(runs, tmp_path):
    records = [
        cut(runs, "sklearn", 10, best=best(2, 0.97, C=1)),
        cut(runs, "dask", 9, best=best(5, 0.9, C=10)),
        cut(runs, "spark", 10, best=best(7, 0.8, **{f"long_name_{n}": n for n in range(9)})),
    ]
    records[1]["metrics"]["accuracy"] = 0.5
    report = build(runs, tmp_path, records, search=BUDGET)
    (table,) = report.tables
    assert table.disagreements == ()
    assert table.answer == (
        "The time budget of 20 s ended the searches after 10 (scikit-learn), 9 (Dask) and 10 "
        "(Spark) of 40 candidates, so the times are those of the budget and say nothing of speed; "
        "scikit-learn and Spark completed most; the best accuracy by then is 0.970 on scikit-learn "
        "(C 1), 0.900 on Dask (C 10) and 0.800 on Spark; the refitted models are of different "
        "candidates, and so differ in accuracy."
    )
    assert table.searched.endswith("; time budget 20 s")
    for form in (as_text(report, 300), as_markdown(report), as_html(report)):
        assert "time budget 20 s" in form
        assert "do not agree" not in form.lower()
        assert "fastest" not in form


def test_one_search_that_was_cut_makes_all_times_those_of_the_budget(runs, tmp_path):
    records = [
        runs.search_record("sklearn", search={"planned": 40, "completed": 40}),
        cut(runs, "dask", 9, failed=1, not_run=30),
    ]
    lost = runs.failed("spark", "crashed", "gone")
    (table,) = build(runs, tmp_path, [*records, lost], search=BUDGET).tables
    assert table.answer.startswith(
        "The time budget of 20 s ended the search after 10 (Dask) of 40 candidates, so the times "
        "are those of the budget and say nothing of speed; scikit-learn came to the end; the best "
    )
    assert table.answer.endswith(". Spark crashed.")


def test_the_same_candidate_scored_differently_in_searches_cut_short_is_a_disagreement(
    runs, tmp_path
):
    records = [
        cut(runs, "sklearn", 10, best=best(2, 0.97, C=1)),
        cut(runs, "dask", 10, best=best(2, 0.5, C=1)),
    ]
    (table,) = build(runs, tmp_path, records, engines=ENGINES[:2], search=BUDGET).tables
    assert [one.about for one in table.disagreements] == ["folds.accuracy"]
    assert "both completed about as many" in table.answer


@pytest.mark.parametrize(
    ("budget", "told"), [("20.5", "20.5 s"), ("90 s", "90 s"), ("7200.0", "2 h"), ("soon", "soon")]
)
def test_the_time_budget_is_named_as_the_definition_gives_it(runs, tmp_path, budget, told):
    search = f"{{strategy: grid, space: {{C: [1]}}, time_budget: {budget}}}"
    record = runs.search_record()
    report = build(runs, tmp_path, [record], engines=("sklearn",), search=search)
    assert report.tables[0].searched.endswith(f"; time budget {told}")


def test_refits_of_other_candidates_differ_without_disagreeing(runs, tmp_path):
    records = [runs.search_record(one) for one in ENGINES]
    for record, number in zip(records, (1, 2, 3), strict=True):
        record["model"]["search"]["best"] = best(number, 0.97, C=number)
        record["metrics"]["log_loss"] = number / 5
    (table,) = build(runs, tmp_path, records).tables
    assert [one.about for one in table.disagreements] == ["winner"]
    assert table.answer.endswith(
        "all three chose different candidates, C 1 on scikit-learn, C 2 on Dask and C 3 on Spark, "
        "with scores within the tolerance of accuracy; the refitted models are of different "
        "candidates, and so differ in log loss."
    )


def test_refits_of_the_same_candidate_disagree_though_another_engine_chose_another(runs, tmp_path):
    records = [runs.search_record(one) for one in ENGINES]
    records[1]["model"]["search"]["best"] = best(5)
    records[2]["metrics"]["accuracy"] = 0.8
    (table,) = build(runs, tmp_path, records).tables
    winner, accuracy = table.disagreements
    assert winner.about == "winner"
    assert accuracy.values == {"sklearn": 0.9580419, "spark": 0.8}
    assert "Dask" not in accuracy.text
    assert table.answer.endswith(
        "; the refitted models are of different candidates, and so differ in accuracy; refitted "
        "models of the same candidate differ in accuracy as well."
    )


def test_clusters_of_other_candidates_differ_without_disagreeing(runs, tmp_path):
    records = [runs.search_record(one) for one in ENGINES[:2]]
    labels = {"{}": {"sklearn~dask": 0.2}}
    other = {"engines": ENGINES[:2], "agreement": labels}
    (table,) = build(runs, tmp_path / "same", records, **other).tables
    assert [one.about for one in table.disagreements] == ["labels"]
    records[1]["model"]["search"]["best"] = best(5)
    (table,) = build(runs, tmp_path / "other", records, **other).tables
    assert [one.about for one in table.disagreements] == ["winner"]
    assert table.answer.endswith("and so differ in the clusters that they find.")


def halved(runs, folder, rungs, rows=(), *, asked="", **search):
    """Return the report of a halving search of 150 training rows, whose winner is number 4."""
    records = [runs.search_record(search={**HALVING, **search})]
    text = f"{{strategy: halving, space: {{C: [1]}}{asked}}}"
    folder = write(runs, folder, records, rows, engines=("sklearn",), search=text)
    path = folder / "run.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    point = about["points"]["{}"]
    point["dataset"]["counts"] = {"train": 150, "test": 0}
    point["search"] = {
        "refit": "accuracy",
        "rungs": [
            {"iteration": place, "n_candidates": 1, "n_resources": given}
            for place, given in enumerate(rungs)
        ],
    }
    path.write_text(json.dumps(about), encoding="utf-8")
    return build_report(folder)


def test_halving_shows_its_rounds_and_what_the_winner_was_given(runs, tmp_path):
    rows = [
        runs.candidate(4, iter=0, n_resources=2),
        runs.candidate(4, iter=1, n_resources=5),
        runs.candidate(4, iter=2, n_resources=15, outcome="not run"),
        runs.candidate(4, repeat=1, n_resources=150),
        runs.candidate(4, engine="dask", n_resources=150),
        runs.candidate(3, n_resources=150),
    ]
    report = halved(runs, tmp_path, (2, 5, 15), rows, asked=", min_resources: smallest")
    (table,) = report.tables
    rows = rows_of(table)
    assert rows["search_rounds"].label == "rounds"
    assert rows["search_rounds"].cells[0].summary.median == 3
    assert rows["winner_resources"].cells[0].text == "5 of 150 rows"
    keys = list(rows)
    assert keys.index("winner_resources") + 1 == keys.index("best_mean_accuracy")
    (said,) = [one for one in report.warnings if "Halving" in one]
    assert said.startswith("Halving chose a winner on 5 of 150 rows, less than half of those")
    assert "search.min_resources: exhaust" in said
    assert table.answer.endswith("(accuracy 0.974 over the folds of only 5 of 150 rows).")
    for line in as_text(report, 80).splitlines():
        assert cell_len(line) <= 80


@pytest.mark.parametrize(("rungs", "few"), [((25, 74), True), ((25, 75), False)])
def test_a_last_round_of_half_of_the_rows_is_no_warning(runs, tmp_path, rungs, few):
    # without a table of candidates the plan tells what the last round gave
    report = halved(runs, tmp_path, rungs)
    assert rows_of(report.tables[0])["winner_resources"].cells[0].text == f"{rungs[1]} of 150 rows"
    said = [one for one in report.warnings if "Halving chose" in one]
    assert bool(said) is few
    assert ("of only" in report.tables[0].answer) is few
    # what is asked for already is no advice
    assert not any("exhaust" in one for one in said)


def test_without_a_table_a_search_cut_short_does_not_tell_what_its_winner_was_given(runs, tmp_path):
    report = halved(runs, tmp_path, (25, 75), completed=5, not_run=6)
    assert "winner_resources" not in rows_of(report.tables[0])


def test_halving_over_a_parameter_names_it(runs, tmp_path):
    rows = [runs.candidate(4, n_resources=45)]
    asked = ", resource: n_estimators, max_resources: 45"
    report = halved(runs, tmp_path, (5, 45), rows, asked=asked)
    assert rows_of(report.tables[0])["winner_resources"].cells[0].text == "45 n_estimators"
    assert not any("Halving chose" in one for one in report.warnings)


def test_what_cold_and_warm_searches_cost_is_told_apart(runs, tmp_path):
    records = [
        runs.search_record(
            one, repeat=repeat, warm=repeat > 0,
            search={"candidates_per_minute": 10.0 * (1 + repeat), "beyond_fits_s": 4.0 - repeat},
        )
        for one in ENGINES
        for repeat in range(4)
    ]  # fmt: skip
    report = build(runs, tmp_path, records, warm_repeats=3)
    (table,) = report.tables
    assert [one.title for one in table.groups[:3]] == ["Search", "Search, cold", "Search, warm"]
    rows = rows_of(table)
    assert rows["candidates_per_minute_cold"].cells[0].summary.median == 10
    assert rows["candidates_per_minute_warm"].cells[0].summary.median == 30
    assert rows["candidates_per_minute_warm"].n == 3
    assert rows["search_beyond_fits_s_cold"].cells[0].share == 1
    assert rows["search_beyond_fits_s_warm"].cells[0].summary.median == 2
    # neither what was found nor what was granted is of several measurements
    assert {rows[key].n for key in ("candidates_completed", "search_slots")} == {1}
    lines = as_text(report, 80).splitlines()
    assert all(cell_len(line) <= 80 for line in lines)
    for group in table.groups[:3]:
        assert group.title in lines
        for row in group.rows:
            assert any(line.startswith(f"  {row.label}  ") for line in lines), row.label
    assert "Cost beyond its fits:" in as_text(report, 300)


def test_how_far_the_budget_let_cold_and_warm_searches_come_is_told_apart(runs, tmp_path):
    records = [
        runs.search_record(
            repeat=repeat, warm=repeat > 0,
            search={"planned": 40, "completed": 5 + repeat, "not_run": 35 - repeat},
        )
        for repeat in range(3)
    ]  # fmt: skip
    other = {"engines": ("sklearn",), "warm_repeats": 2, "search": BUDGET}
    (table,) = build(runs, tmp_path, records, **other).tables
    rows = rows_of(table)
    assert rows["candidates_completed_cold"].cells[0].summary.median == 5
    assert rows["candidates_not_run_warm"].cells[0].summary.median == 33.5
    assert "candidates_completed" not in rows
    assert "ended the searches after 5-7 of 40 candidates" in table.answer


def test_with_rows_spread_the_price_of_it_is_said_to_lie_in_the_fits(runs, tmp_path):
    for over in ("rows", "candidates"):
        records = [runs.search_record(one, search={"parallel_over": over}) for one in ENGINES]
        report = build(runs, tmp_path / over, records)
        rows = rows_of(report.tables[0])
        said = "the price of spreading the rows over them lies inside its fits and scores"
        for key in ("search_fits_and_scores_s", "search_beyond_fits_s"):
            assert (said in rows[key].meaning) is (over == "rows")
        assert (said in as_text(report, 900)) is (over == "rows")


def test_what_nothing_was_completed_for_is_left_empty(runs, tmp_path):
    nothing = {
        "completed": 0, "failed": 0, "best": None, "fits_s": 0.0, "scores_s": 0.0,
        "candidates_per_minute": 0.0, "beyond_fits_s": 4.0, "wall_s": 4.0,
    }  # fmt: skip
    lost = runs.failed("spark", "failed", "no")
    lost["model"] = {"search": runs.searched(**nothing)}
    records = [runs.search_record(one) for one in ENGINES[:2]]
    report = build(runs, tmp_path, [*records, lost])
    rows = rows_of(report.tables[0])
    for key in (
        "candidates_per_minute", "search_fits_and_scores_s", "search_beyond_fits_s",
        "granted_workers", "granted_memory_bytes",
    ):  # fmt: skip
        cell = rows[key].cells[2]
        assert (cell.summary, cell.text, cell.share) == (None, "", None), key
    # why there is no time of it is told
    assert rows["search_cold_wall_s"].cells[2].text == "failed"


def stopped(runs, folder, rows):
    """Return the folder of a run that was stopped in its first search."""
    folder = write(runs, folder, [], rows)
    (folder / "records.jsonl").unlink()
    return folder


def test_a_run_that_was_stopped_in_its_first_search_shows_the_best_so_far(runs, tmp_path):
    rows = [runs.candidate(number) for number in range(4)]
    rows += [runs.candidate(number, outcome="failed") for number in range(4, 6)]
    rows += [runs.candidate(number, outcome="unfinished") for number in range(6, 12)]
    folder = stopped(runs, tmp_path, rows)
    report = build_report(folder)
    assert not report.completed
    (said,) = [one for one in report.warnings if "first search" in one]
    assert "6 of 12 candidates had been tried by then" in said
    assert str(folder / "candidates.parquet") in said
    text, page = as_text(report, 120), as_markdown(report)
    assert "4 completed, 2 failed, 6 unfinished; ordered by" in text
    for place, params in enumerate(("C 1", "C 0.1", "C 0.01", "C 0.001"), start=1):
        assert re.search(rf"^\s*{place}\s+{params}, kernel rbf ", text, re.MULTILINE)
        assert f"| {place} | {params}, kernel rbf |" in page
    assert "0 of 1 repeats were measured before the run ended" in text
    for width in (40, 80):
        assert all(cell_len(line) <= width for line in as_text(report, width).splitlines())
    json.dumps(as_data(report), allow_nan=False)
    # there is no table to read
    for form in (text, page, as_html(report)):
        assert "No engine completed: " in form
        assert "ratios" not in form


def test_a_run_that_was_stopped_before_any_candidate_has_nothing_to_report(runs, tmp_path):
    folder = stopped(runs, tmp_path, [runs.candidate(0, outcome="unfinished")])
    with pytest.raises(RequestError, match="ended before its first record"):
        build_report(folder)
