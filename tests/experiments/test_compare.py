"""Two runs of one experiment are compared: what changed first, then each number."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from experiments import cli
from experiments.compare import compare_runs
from experiments.compare.data import as_data
from experiments.compare.gate import judge
from experiments.compare.terminal import as_text
from experiments.compare.threshold import parse_threshold
from experiments.compare.words import tell_number
from experiments.errors import RequestError
from experiments.records import point_key

# as little as three fits of an engine differ between rounds; they never reach 2 %
NEARLY_ONE = (0.99, 1.0, 1.01)
SIZES = ({"dataset.n_samples": 1000}, {"dataset.n_samples": 10000})
DEFINITION = """
name: {name}
question: Does distributing k-means pay off on one machine?
dataset: {{source: iris}}
workload: {{kind: kmeans, n_clusters: {clusters}, init: shared}}
engines: {{sklearn: {{}}, dask: {{}}}}
resources: {{cores: 2, memory: 4 GiB}}
measure: {{rounds: 3{measure}}}
"""


@pytest.fixture
def build(runs, tmp_path):
    """Return a function that writes a run whose times are some factor of the usual ones."""

    def write(
        name,
        factor=1.0,
        *,
        spread=NEARLY_ONE,
        engines=("sklearn", "dask"),
        points=({},),
        null=None,
        change=None,
        **description,
    ):
        records = [
            slowed(one, factor * share)
            for number, share in enumerate(spread)
            for point in points
            for one in runs.complete(engines, round=number, point=point)
        ]
        if null is not None:
            records += [
                {**slowed(one, factor * null * share), "schema": 2, "null_run": True}
                for number, share in enumerate(spread)
                for point in points
                for one in runs.complete(("sklearn",), round=number, point=point)
            ]
        if change is not None:
            records = [kept for one in records if (kept := change(one)) is not None]
        return runs.write(
            tmp_path / name,
            records,
            engines=engines,
            points=points,
            rounds=len(spread),
            **description,
        )

    return write


def slowed(record, factor):
    """Return a record all of whose seconds are so many times as many."""
    phases = [
        {**one, "wall_s": one["wall_s"] * factor, "cpu_s": one["cpu_s"] * factor}
        for one in record["phases"]
    ]
    return {**record, "phases": phases}


def only(engine, change):
    """Return a change of the records of one engine."""
    return lambda record: change(record) if record["engine"] == engine else record


def main_of(comparison, engine="sklearn"):
    """Return the main time of an engine at the first point that both runs have."""
    (pair,) = (one for one in comparison.points[0].pairs if one.first.engine == engine)
    return pair.main


def number_of(comparison, key, engine="sklearn"):
    """Return a row of an engine at the first point that both runs have."""
    (pair,) = (one for one in comparison.points[0].pairs if one.first.engine == engine)
    (found,) = (one for _, rows in pair.groups for one in rows if one.row.key == key)
    return found


def changes_of(comparison):
    """Return what changed by section and key."""
    return {(one.section, one.key): (one.first, one.second) for one in comparison.changes}


@pytest.fixture
def command(capsys):
    """Return a function that runs the command here and gives code, output and errors."""

    def run(*arguments):
        code = cli.run_command(["compare", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


# --- differences and noise


def test_a_slower_second_run_has_its_ratio_with_an_interval_that_leaves_one_out(build):
    comparison = compare_runs(build("a"), build("b", 1.3))
    main = main_of(comparison)
    assert main.row.key == "fit_warm_wall_s"
    assert main.ratio.value == pytest.approx(1.3)
    assert 1.2 < main.ratio.low < 1.3 < main.ratio.high < 1.4
    assert (main.difference, main.direction) == ("shown", "more")
    assert comparison.answers[0].startswith(
        "scikit-learn: warm fit slower, 1.30x (95 % interval 1."
    )


def test_a_faster_second_run_is_told_as_faster_and_passes(build):
    comparison = compare_runs(build("a"), build("b", 0.5))
    assert "warm fit faster, 0.500x" in comparison.answers[0]
    assert not judge(comparison, 0.0).failed


def test_a_ratio_whose_interval_holds_one_is_no_difference_shown(build):
    comparison = compare_runs(build("a"), build("b", 1.005))
    assert main_of(comparison).difference == "none shown"
    assert "no difference shown in warm fit" in comparison.answers[0]
    assert "not shown" in as_text(comparison)


@pytest.mark.parametrize("null_in", ["first", "second"])
def test_the_null_run_of_either_run_is_the_noise_floor_of_both(build, null_in):
    noisy = {"null": 1.5}
    first = build("a", **(noisy if null_in == "first" else {}))
    second = build("b", 1.3, **(noisy if null_in == "second" else {}))
    comparison = compare_runs(first, second)
    assert main_of(comparison).noise.factor > 1.5
    assert main_of(comparison).difference == "within noise"
    assert "no difference shown in warm fit" in comparison.answers[0]
    assert "within the noise floor of" in comparison.answers[0]
    assert not judge(comparison, 0.1).failed


def test_of_two_null_runs_the_wider_one_counts(build):
    comparison = compare_runs(build("a", null=1.5), build("b", 1.3, null=1.01))
    assert main_of(comparison).noise.factor > 1.5


def test_null_runs_are_no_engine_of_the_comparison(build):
    comparison = compare_runs(build("a", null=1.5), build("b", null=1.5))
    assert [one.first.engine for one in comparison.points[0].pairs] == ["sklearn", "dask"]


@pytest.mark.parametrize("spread", [(1.0,), (1.0, 1.01)])
def test_fewer_than_three_rounds_have_no_interval_and_say_that_chance_is_not_excluded(
    build, spread
):
    comparison = compare_runs(build("a", spread=spread), build("b", 1.3, spread=spread))
    main = main_of(comparison)
    assert (main.ratio.low, main.difference) == (None, "uncertain")
    assert "perhaps slower" in comparison.answers[0]
    assert "chance is not excluded" in comparison.answers[0]
    assert any("Fewer than 3 rounds" in one for one in comparison.warnings)
    assert "slower?" in as_text(comparison)


def test_without_an_interval_values_that_overlap_are_no_difference(build):
    comparison = compare_runs(build("a", spread=(1.0, 2.0)), build("b", 1.3, spread=(1.0, 2.0)))
    assert main_of(comparison).difference == "none shown"
    assert "the values of the runs overlap" in comparison.answers[0]


def test_a_round_that_measured_nothing_is_left_out_and_shifts_no_other(build):
    def without_first(record):
        return None if record["round"] == 0 else record

    spread = (*NEARLY_ONE, 1.02)
    first = build("a", spread=spread)
    comparison = compare_runs(first, build("b", 1.3, spread=spread, change=without_first))
    main = main_of(comparison)
    assert main.fewest_rounds == main.ratio.rounds == 3
    assert main.ratio.value == pytest.approx(1.3, rel=0.01)
    assert main.difference == "shown"


def test_a_ratio_is_shown_within_its_interval(build):
    spread = (1.0, 1.0, 1.0)
    main = main_of(compare_runs(build("a", spread=spread), build("b", 1.23456, spread=spread)))
    assert (main.ratio.low, main.ratio.high) == (main.ratio.value,) * 2
    told = tell_number(main)
    value, low, high = (float(one) for one in re.findall(r"1\.\d+", told))
    assert low <= value <= high


def test_rounds_may_differ_and_the_fewer_decide_whether_there_is_an_interval(build):
    several = compare_runs(build("a"), build("b", 1.3, spread=(*NEARLY_ONE, 1.02, 0.98)))
    assert main_of(several).ratio.rounds == 3
    assert main_of(several).ratio.has_interval
    single = compare_runs(build("c"), build("d", 1.3, spread=(1.0,)))
    assert not main_of(single).ratio.has_interval


def test_warm_repeats_in_one_run_only_leave_the_cold_ones_to_be_compared(build):
    def cold(record):
        return None if record["warm"] else record

    comparison = compare_runs(build("a"), build("b", 1.3, change=cold, warm_repeats=0))
    assert main_of(comparison).row.key == "fit_cold_wall_s"
    assert "cold fit slower" in comparison.answers[0]


def test_the_values_shown_are_those_whose_quotient_is_the_ratio(build):
    comparison = compare_runs(
        build("a", spread=(1.0, 1.0, 4.0)), build("b", spread=(1.0, 2.0, 2.0))
    )
    main = main_of(comparison)
    assert main.texts == ("1.59 s", "1.59 s")
    assert main.ratio.value == pytest.approx(1)


def test_scores_are_compared_by_the_tolerance_of_their_metric(build):
    def other(inertia):
        return lambda record: {**record, "metrics": {**record["metrics"], "inertia": inertia}}

    first = build("a")
    same = compare_runs(first, build("b"))
    close = compare_runs(first, build("c", change=other(1165134.0)))
    far = compare_runs(first, build("d", change=other(2000000.0)))
    found = [number_of(one, "inertia").difference for one in (same, close, far)]
    assert found == ["same", "within tolerance", "beyond tolerance"]
    assert number_of(far, "inertia").change == pytest.approx(2000000.0 - 1165133.7172)
    assert number_of(far, "inertia").ratio is None


def test_a_score_that_is_undefined_in_one_run_differs_and_one_that_is_missing_is_no_difference(
    build,
):
    def undefined(record):
        return {**record, "metrics": {"inertia": None, "silhouette": 0.18231145}}

    def missing(record):
        return {**record, "metrics": {"silhouette": 0.18231145}}

    first = build("a")
    assert number_of(compare_runs(first, build("b", change=undefined)), "inertia").texts == (
        "1,165,134",
        "undefined",
    )
    comparison = compare_runs(first, build("c", change=missing))
    assert number_of(comparison, "inertia").texts[1] == "-"
    assert number_of(comparison, "inertia").difference == ""


# --- what changed


def write_definition(folder, name="kmeans", clusters=3, measure=""):
    """Write a definition that is valid, as a run does."""
    text = DEFINITION.format(name=name, clusters=clusters, measure=measure)
    (folder / "definition.yaml").write_text(text, encoding="utf-8")
    return folder


def describe_rows(folder, points, letters):
    """Write into run.json which rows were prepared for each point."""
    path = folder / "run.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    about["points"] = {
        point_key(point): {"dataset": {"fingerprint": letter * 64}}
        for point, letter in zip(points, letters, strict=True)
    }
    path.write_text(json.dumps(about), encoding="utf-8")
    return folder


def test_a_changed_definition_is_told_by_its_keys_before_any_number(build):
    first = write_definition(build("a"))
    second = write_definition(build("b", 1.1), clusters=5)
    comparison = compare_runs(first, second)
    assert changes_of(comparison)["definition", "workload.n_clusters"] == ("3", "5")
    text = as_text(comparison)
    assert text.index("workload.n_clusters: 3 -> 5") < text.index("In short")
    assert any("Not the same was asked" in one for one in comparison.warnings)


def test_an_option_that_an_older_run_did_not_know_is_its_default_and_no_change(build):
    first = write_definition(build("a"))
    second = write_definition(build("b"), measure=", null_run: false")
    assert changes_of(compare_runs(first, second)) == {}
    third = write_definition(build("c", 1.1), measure=", null_run: true")
    comparison = compare_runs(first, third)
    assert changes_of(comparison) == {("definition", "measure.null_run"): ("false", "true")}
    # how often it is measured is no other work
    assert not any("Not the same was asked" in one for one in comparison.warnings)


def test_versions_host_commit_resources_and_data_that_changed_are_told(build):
    first = describe_rows(build("a", commit="aaa"), ({},), "a")
    second = build(
        "b",
        versions={"python": "3.11.7", "scikit-learn": "1.10.0"},
        host={"system": "Linux 6.2", "memory_bytes": 16 * 2**30, "usable_cores": 2},
        commit="bbb",
        resources={"cores": 4, "memory_bytes": 8 * 2**30},
    )
    describe_rows(second, ({},), "b")
    assert changes_of(compare_runs(first, second)) == {
        ("data", "contents of the prepared rows"): ("a" * 12, "b" * 12),
        ("granted", "cores for each engine"): ("2", "4"),
        ("granted", "memory for each engine"): ("4.00 GiB", "8.00 GiB"),
        ("versions", "scikit-learn"): ("1.9.1", "1.10.0"),
        ("versions", "commit"): ("aaa", "bbb"),
        ("host", "system"): ("Linux 6.1", "Linux 6.2"),
        ("host", "memory"): ("8.00 GiB", "16.0 GiB"),
    }


def test_nothing_that_changed_is_said_so(build):
    assert "Nothing of what both runs tell" in as_text(compare_runs(build("a"), build("b")))


def test_what_became_of_a_parameter_and_what_an_engine_was_granted_are_told(build):
    def other(record):
        parameters = [{**one, "value": 0.5} for one in record["parameters"]]
        return {**record, "parameters": parameters, "facts": {**record["facts"], "workers": 1}}

    comparison = compare_runs(build("a"), build("b", change=only("dask", other)))
    assert changes_of(comparison) == {
        ("granted", "Dask: workers"): ("2", "1"),
        ("parameters", "Dask: tol 0.0001"): ("tol 0.000321", "tol 0.5"),
    }


def test_a_change_at_some_points_names_one_and_counts_the_others(build):
    def told(first, second):
        return list(changes_of(compare_runs(first, second)))

    first = describe_rows(build("a", points=SIZES), SIZES, "ab")
    second = describe_rows(build("b", points=SIZES), SIZES, "ac")
    assert told(first, second) == [
        ("data", "contents of the prepared rows at dataset.n_samples = 10000")
    ]
    describe_rows(second, SIZES, "cd")
    assert told(first, second) == [
        ("data", "contents of the prepared rows at dataset.n_samples = 1000 and 1 other point")
    ]


def test_a_long_value_is_shown_from_where_it_begins_to_differ(build):
    first, second = build("a"), build("b")
    for folder, last in ((first, "x"), (second, "y")):
        text = (folder / "definition.yaml").read_text() + f"notes: {'a' * 900}{last}\n"
        (folder / "definition.yaml").write_text(text)
    shown = " ".join(as_text(compare_runs(first, second)).split())
    assert f"notes: ... {'a' * 20}x -> ... {'a' * 20}y" in shown


def test_what_a_run_does_not_tell_is_no_change_but_a_warning(build):
    first, second = build("a"), build("b", 1.1)
    (second / "run.json").unlink()
    (second / "definition.yaml").unlink()
    comparison = compare_runs(first, second)
    assert comparison.changes == ()
    said = " ".join(comparison.warnings)
    assert "Of the second run run.json does not tell the versions and the machine" in said
    assert "The second run has no definition.yaml" in said


def test_the_same_commit_with_uncommitted_changes_is_doubted(build):
    comparison = compare_runs(build("a", commit="a+changes"), build("b", 1.1, commit="a+changes"))
    assert any("uncommitted changes" in one for one in comparison.warnings)


# --- what is missing


def test_points_are_matched_by_their_values_in_whatever_order(build):
    def at_large(record):
        factor = 2.0 if record["point"] == SIZES[1] else 1.0
        return slowed(record, factor)

    first = build("a", points=SIZES, change=at_large)
    second = build("b", points=SIZES[::-1], change=at_large)
    comparison = compare_runs(first, second)
    assert [one.point for one in comparison.points] == list(SIZES)
    ratios = [pair.main.ratio.value for one in comparison.points for pair in one.pairs]
    assert ratios == pytest.approx([1.0] * 4)
    assert comparison.missing == ()


def test_over_several_points_it_is_told_at_how_many_and_where(build):
    sizes = tuple({"dataset.n_samples": 10**power} for power in range(1, 7))

    def grown(record):
        return slowed(record, 2.0 if record["point"]["dataset.n_samples"] > 10 else 1.0)

    comparison = compare_runs(build("a", points=sizes), build("b", points=sizes, change=grown))
    told = comparison.answers[0]
    assert told.startswith("scikit-learn: warm fit no difference shown at 1 of 6 points; slower at")
    assert "slower at 5 of 6 points (2.00x (1.96-2.05x) at dataset.n_samples = 100; " in told
    assert told.endswith("; and 2 more).")


def test_points_and_engines_of_one_run_only_are_named_and_nothing_is_made_up_for_them(build):
    first = build("a", points=SIZES)
    second = build("b", points=SIZES[:1], engines=("sklearn", "spark"))
    comparison = compare_runs(first, second)
    assert [one.point for one in comparison.points] == [SIZES[0]]
    assert [one.first.engine for one in comparison.points[0].pairs] == ["sklearn"]
    assert comparison.missing == (
        "In the first run only: dataset.n_samples = 10000.",
        "In the first run only: Dask.",
        "In the second run only: Spark.",
    )
    assert "Only in one run" in as_text(comparison)


def test_runs_without_a_common_point_say_so(build):
    comparison = compare_runs(build("a", points=SIZES[:1]), build("b", points=SIZES[1:]))
    assert comparison.points == ()
    assert comparison.missing[0].startswith("The runs have no point in common")
    assert as_text(comparison)


def test_a_row_that_only_one_run_has_is_shown_with_a_dash(build):
    def scored(record):
        return {**record, "metrics": {**record["metrics"], "adjusted_rand": 0.5}}

    found = number_of(compare_runs(build("a"), build("b", change=scored)), "adjusted_rand")
    assert found.texts == ("-", "0.5")
    assert (found.ratio, found.change) == (None, None)


def test_outcomes_that_changed_are_named_with_their_reason_and_have_no_ratio(build, runs):
    def fail(record):
        if record["repeat"]:
            return None
        return runs.failed("dask", "out of memory", "It took 9 GiB.", round=record["round"])

    comparison = compare_runs(build("a"), build("b", change=only("dask", fail)))
    assert comparison.outcomes == (
        "Dask: completed in the first run, out of memory in the second: It took 9 GiB.",
    )
    assert main_of(comparison, "dask") is None
    assert number_of(comparison, "start_wall_s", "dask").ratio is None
    assert "Dask: not compared, out of memory in the second run." in comparison.answers
    # the other way round there is as little to compare, and nothing was lost
    back = compare_runs(comparison.second.folder, comparison.first.folder)
    assert back.outcomes[0].startswith("Dask: out of memory in the first run, completed in the")
    assert judge(back, 0.1).lost == ()


def test_a_torn_last_line_is_told(build):
    first, second = build("a"), build("b")
    with (second / "records.jsonl").open("a") as file:
        file.write('{"schema": 2, "run"')
    comparison = compare_runs(first, second)
    assert any("of the second run was only half written" in one for one in comparison.warnings)


def test_a_run_that_ended_early_is_compared_as_far_as_it_came(build):
    def early(record):
        return record if record["round"] == 0 or record["engine"] == "sklearn" else None

    comparison = compare_runs(build("a"), build("b", 1.3, change=early, interrupted=True))
    assert any("second run was stopped before" in one for one in comparison.warnings)
    assert main_of(comparison, "dask").ratio.value == pytest.approx(1.3, rel=0.02)
    assert main_of(comparison, "dask").ratio.low is None
    assert judge(comparison, 10.0).lost == ("Dask: not finished in the second run.",)


def test_a_run_is_compared_with_itself_and_with_its_copy(build, tmp_path):
    run = build("a")
    comparison = compare_runs(run, run)
    assert comparison.warnings == ("Both are the same run folder, so nothing can differ.",)
    assert {pair.main.difference for pair in comparison.points[0].pairs} == {"none shown"}
    copied = shutil.copytree(run, tmp_path / "copy")
    (warning,) = compare_runs(run, copied).warnings
    assert "one folder is a copy of the other" in warning


def test_another_experiment_is_refused_and_a_variant_is_not(build):
    first = write_definition(build("a"))
    variant = write_definition(build("b", experiment="kmeans-full"), "kmeans-full", 5)
    comparison = compare_runs(first, variant)
    assert changes_of(comparison) == {("definition", "workload.n_clusters"): ("3", "5")}
    assert as_text(comparison).startswith("kmeans and kmeans-full\n")

    other = write_definition(build("c", experiment="kmeans-blobs"), "kmeans-blobs")
    definition = other / "definition.yaml"
    definition.write_text(definition.read_text().replace("iris", "digits"))
    with pytest.raises(RequestError, match="compare two runs of the same experiment"):
        compare_runs(first, other)
    asked = build("d", experiment="kmeans-full", question="Is it something else?")
    with pytest.raises(RequestError, match="is a run of kmeans and"):
        compare_runs(first, write_definition(asked, "kmeans-full"))


# --- searches and simulations


def search_run(runs, folder, factor=1.0, *, rounds=3, **search):
    records = [
        slowed(runs.search_record(engine, round=number, search=search), factor * share)
        for number, share in enumerate(NEARLY_ONE[:rounds])
        for engine in ("sklearn", "dask")
    ]
    return runs.write(
        folder,
        records,
        engines=("sklearn", "dask"),
        rounds=rounds,
        warm_repeats=0,
        search="{strategy: grid}",
    )


def test_searches_are_compared_by_their_time_and_their_winners(runs, tmp_path):
    best = runs.searched()["best"]
    other = {**best, "params": {"C": 1.0, "kernel": "rbf"}}
    first = search_run(runs, tmp_path / "a")
    comparison = compare_runs(first, search_run(runs, tmp_path / "b", 1.3, best=other))
    assert main_of(comparison).row.key == "search_cold_wall_s"
    assert "cold search slower, 1.30x" in comparison.answers[0]
    assert number_of(comparison, "best_param_C").difference == "changed"
    assert number_of(comparison, "best_param_kernel").difference == "same"


def test_a_search_that_its_budget_ended_has_no_time_to_be_compared(runs, tmp_path):
    first = search_run(runs, tmp_path / "a")
    second = search_run(runs, tmp_path / "b", 3.0, completed=4, not_run=2)
    comparison = compare_runs(first, second)
    assert "a time budget ended the search" in comparison.answers[0]
    judgement = judge(comparison, 0.1)
    assert (judgement.slower, judgement.judged, judgement.empty) == ((), 0, True)
    assert any("time budget" in one for one in judgement.unjudged)


def test_simulations_are_compared_by_their_tasks_and_to_the_last_bit(runs, tmp_path):
    def run(name, factor, estimate):
        records = [
            slowed(runs.tasks_record(repeat=repeat, round=number), factor * share)
            for number, share in enumerate(NEARLY_ONE)
            for repeat in (0, 1)
        ]
        for one in records:
            one["metrics"]["estimate"] = estimate
        return runs.write(
            tmp_path / name, records, engines=("sklearn",), rounds=3, workload="{kind: tasks}"
        )

    first = run("a", 1.0, 12.345678901234567)
    comparison = compare_runs(first, run("b", 1.3, 12.345678901234569))
    assert main_of(comparison).row.key == "tasks_warm_wall_s"
    assert "warm run of the tasks slower, 1.30x" in comparison.answers[0]
    assert number_of(comparison, "estimate").difference == "beyond tolerance"


# --- the judgement


@pytest.mark.parametrize(
    ("text", "share"),
    [("10%", 0.1), ("10 %", 0.1), ("0.1", 0.1), (".5", 0.5), ("0", 0.0), ("150%", 1.5)],
)
def test_a_threshold_is_a_percentage_or_a_share_below_one(text, share):
    assert parse_threshold(text) == pytest.approx(share)


@pytest.mark.parametrize(
    "text",
    [
        "10",
        "1",
        "1.5",
        "nonsense",
        "",
        "%",
        "-5%",
        "10,5%",
        "nan",
        "inf",
        "1e400",
        "10%%",
        "9" * 99,
    ],
)
def test_any_other_threshold_is_refused_in_one_sentence(command, tmp_path, text):
    code, out, err = command(tmp_path, tmp_path, f"--fail-above={text}")
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("error: --fail-above: ")


@pytest.mark.parametrize(
    ("factor", "above", "code"),
    [(1.3, "10%", 1), (1.3, "0.1", 1), (1.3, "50%", 0), (1.105, "10%", 0), (1.0, "0%", 0)],
)
def test_the_exit_code_says_whether_a_main_time_is_slower_beyond_the_noise(
    build, command, factor, above, code
):
    found, out, err = command(build("a"), build("b", factor), "--fail-above", above)
    assert (found, err) == (code, "")
    assert (
        "Failed: 2 of 2 main times" if code else "Passed: no main time is shown to be slower"
    ) in " ".join(out.split())


def test_without_a_threshold_a_slower_run_is_no_failure(build, command):
    code, out, _ = command(build("a"), build("b", 3.0))
    assert code == 0
    assert "Judged" not in out


def test_one_slow_engine_at_one_point_fails_and_is_named(build):
    def slow(record):
        return slowed(record, 2.0 if record["point"] == SIZES[1] else 1.0)

    second = build("b", points=SIZES, change=only("dask", slow))
    judgement = judge(compare_runs(build("a", points=SIZES), second), 0.1)
    (slower,) = judgement.slower
    assert slower.startswith("Dask at dataset.n_samples = 10000: warm fit 2.00x (95 % interval")
    assert judgement.judged == 4


def test_other_times_than_the_main_one_are_not_judged(build):
    def slow_start(record):
        phases = [
            {**one, "wall_s": one["wall_s"] * (9 if one["name"] == "start" else 1)}
            for one in record["phases"]
        ]
        return {**record, "phases": phases}

    assert not judge(compare_runs(build("a"), build("b", change=slow_start)), 0.1).failed


def test_noise_that_hides_the_threshold_passes_but_is_told(build, command):
    wide = (1.0, 2.0, 3.0)
    code, out, _ = command(
        build("a", spread=wide), build("b", 1.3, spread=wide), "--fail-above", "10%"
    )
    assert code == 0
    said = " ".join(out.split())
    assert "of which 2 may be for all that is known" in said
    assert "the noise is too great or not known: scikit-learn (up to " in said
    assert not judge(compare_runs(build("c"), build("d")), 0.1).not_excluded


def test_two_rounds_whose_values_lie_apart_are_judged_and_it_is_said_that_noise_is_not_known(
    build, command
):
    spread = (1.0, 1.05)
    first = build("a", spread=spread)
    code, out, _ = command(first, build("b", 1.3, spread=spread), "--fail-above", "10%")
    assert code == 1
    assert "judged without an interval" in " ".join(out.split())
    code, out, _ = command(first, build("c", 0.5, spread=spread), "--fail-above", "10%")
    assert code == 0
    assert "2 judged" in out


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ((1.0,), (1.0,), "one round of a run is too few rounds to judge"),
        ((1.0,), NEARLY_ONE, "one round of a run is too few rounds to judge"),
        ((1.0, 2.0), (1.0, 2.0), "the values of the runs overlap, and 2 rounds of a run are too"),
    ],
)
def test_the_less_is_known_the_less_is_judged(build, command, first, second, why):
    one, other = build("a", spread=first), build("b", 1.9, spread=second)
    judgement = judge(compare_runs(one, other), 0.1)
    assert (judgement.slower, judgement.judged, judgement.too_few) == ((), 0, 2)
    assert judgement.empty
    assert f"scikit-learn: {why}" in judgement.unjudged[0]
    code, out, err = command(one, other, "--fail-above", "10%")
    assert code == 2
    assert "Nothing could be judged." in out
    assert err == (
        "error: --fail-above: too few rounds to judge anything, as fewer than three have no "
        "interval; raise measure.rounds and run both again.\n"
    )


def test_a_time_with_enough_rounds_is_judged_beside_one_with_too_few(build):
    def early(record):
        return record if record["round"] == 0 or record["engine"] == "sklearn" else None

    comparison = compare_runs(build("a", change=early), build("b", 1.3, change=early))
    judgement = judge(comparison, 0.1)
    assert (judgement.judged, judgement.too_few, len(judgement.slower)) == (1, 1, 1)


def test_that_intervals_are_for_one_number_each_is_said(build, command):
    code, out, _ = command(build("a"), build("b", 1.001), "--fail-above", "10%")
    assert code == 0
    said = " ".join(out.split())
    assert "one number each, so chance shows one of 2 times as slower more often than" in said
    assert "one of twenty still leaves out 1 by chance" in said
    alone = compare_runs(build("c", spread=(1.0,)), build("d", spread=(1.0,)))
    assert not any("one number each" in one for one in alone.warnings)


def test_an_engine_that_no_longer_completes_fails_and_one_that_was_not_asked_for_does_not(
    build, command, runs
):
    def fail(record):
        if record["repeat"]:
            return None
        return runs.failed("dask", "crashed", "It died.", round=record["round"])

    first = build("a")
    code, out, _ = command(first, build("b", change=only("dask", fail)), "--fail-above", "10%")
    assert code == 1
    assert "lost: Dask: crashed in the second run." in out
    code, out, _ = command(first, build("c", engines=("sklearn",)), "--fail-above", "10%")
    assert code == 0
    assert "not judged: In the first run only: Dask." in out


def test_nothing_to_judge_is_no_success(build, command):
    first, second = build("a", points=SIZES[:1]), build("b", points=SIZES[1:])
    code, out, err = command(first, second, "--fail-above", "10%")
    assert code == 2
    assert "Nothing could be judged." in out
    assert err.startswith("error: --fail-above: there is nothing to judge")


# --- the command


def test_help_lists_it_and_says_what_it_judges(capsys):
    assert cli.run_command(["--help"]) == 0
    assert "compare" in capsys.readouterr().out
    assert cli.run_command(["compare", "--help"]) == 0
    assert "--fail-above" in capsys.readouterr().out


def test_json_has_the_numbers_in_full_and_the_judgement(build, command):
    first, second = build("a"), build("b", 1.3)
    code, out, err = command(first, second, "--fail-above", "10%", "--json")
    assert (code, err) == (1, "")
    data = json.loads(out)
    assert data == as_data(compare_runs(first, second), judge(compare_runs(first, second), 0.1))
    assert data["judgement"]["failed"] is True
    engine = data["points"][0]["engines"]["sklearn/library"]
    assert engine["main"] == "fit_warm_wall_s"
    (row,) = (one for one in engine["rows"] if one["key"] == "fit_warm_wall_s")
    assert row["ratio"]["value"] == pytest.approx(1.3)
    assert row["ratio"]["low"] < 1.3 < row["ratio"]["high"]
    assert row["difference"] == "shown"


def test_a_folder_that_is_no_run_a_newer_one_and_one_without_records_are_refused(
    build, command, tmp_path
):
    run = build("a")
    newer = build("newer", change=lambda record: {**record, "schema": 99})
    empty = build("empty", change=lambda record: None)
    (empty / "records.jsonl").unlink()
    for other, said in (
        (tmp_path / "nowhere", "There is no run folder"),
        (tmp_path, "is not a run"),
        (newer, "update enginebench"),
        (empty, "ended before its first record"),
    ):
        for pair in ((run, other), (other, run)):
            code, out, err = command(*pair)
            assert (code, out) == (2, "")
            (line,) = err.splitlines()
            assert said in line


def test_a_run_with_an_empty_file_of_records_says_that_it_has_no_numbers(build, command):
    empty = build("b", change=lambda record: None)
    code, out, err = command(build("a"), empty)
    assert (code, err) == (0, "")
    assert "second run ended before its first record" in " ".join(out.split())
    assert command(build("c"), empty, "--fail-above", "10%")[0] == 1


@pytest.mark.parametrize("width", [40, 80, 200])
def test_text_from_data_neither_steers_the_terminal_nor_breaks_the_lines(build, width):
    hostile = "\x1b[31m<b>[bold]" + "x" * 200

    def renamed(record):
        return {**record, "engine": f"{record['engine']}{hostile}"}

    runs = [
        build(name, change=renamed, question=hostile, versions={hostile: name})
        for name in ("a", "b")
    ]
    text = as_text(compare_runs(*runs), width=width)
    assert "\x1b" not in text
    assert "[bold]" in text


def test_three_engines_fit_eighty_columns(build):
    engines = ("sklearn", "dask", "spark")
    first, second = build("a", engines=engines), build("b", 1.3, engines=engines, null=1.01)
    text = as_text(compare_runs(first, second))
    paths = ("first: ", "second: ")
    assert all(len(line) <= 80 for line in text.splitlines() if not line.startswith(paths))
