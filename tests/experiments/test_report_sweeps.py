"""A sweep answers from which size an engine is faster, and claims no more than was measured."""

from __future__ import annotations

import json
import math
import re

import pytest

from experiments.report import build_report
from experiments.report.data import as_data
from experiments.report.markdown import as_markdown
from experiments.report.notebook import as_html
from experiments.report.sweeps.tables import sweep_sections, sweep_tables, tell_others
from experiments.report.terminal import as_text
from experiments.statistics.bootstrap import estimate_ratio

ROWS = "dataset.n_samples"
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
SKLEARN = (0.01, 1e-6)
# meets scikit-learn's line at 990,000 / 0.7 rows
DASK = (1.0, 3e-7)
TRUE_CROSSOVER = 0.99 / 0.7e-6
SPARK = (2.0, 4e-6)
LINES = {"sklearn": SKLEARN, "dask": DASK, "spark": SPARK}


def line(engine, size):
    """Return the true seconds of a warm fit."""
    fixed, per_row = LINES[engine]
    return fixed + per_row * size


@pytest.fixture
def sweep_run(runs, tmp_path):
    """Return a function that writes a run over sizes; its rounds lie about the true times."""

    def write(
        sizes=SIZES,
        engines=("sklearn", "dask", "spark"),
        seconds=line,
        *,
        key=ROWS,
        held=({},),
        rounds=3,
        spread=0.03,
        start=None,
        outcomes=None,
        lost=None,
        null=None,
        iterations=17,
        **other,
    ):
        records, points = [], []
        turns = {engine: place for place, engine in enumerate(engines)}
        for beside in held:
            for size in sizes:
                point = {key: size, **beside}
                points.append(point)
                for number in range(rounds):
                    run = [(engine, False) for engine in engines]
                    run += [("sklearn", True)] if null is not None else []
                    for engine, again in run:
                        if lost == (engine, size, number):
                            continue
                        outcome = (outcomes or {}).get((engine, str(size)), "completed")
                        for repeat in (0, 1):
                            # each engine has its slow round elsewhere, so that ratios vary
                            turn = (number + turns[engine] + 3 * again) % rounds
                            off = spread * (turn - (rounds - 1) / 2)
                            took = seconds(engine, size) * math.exp(off)
                            took *= (null(size) if callable(null) else null) if again else 1
                            phases = [runs.phase("fit", took * (2 if repeat == 0 else 1))]
                            if repeat == 0:
                                begin = (start or {}).get(engine, 1.0)
                                first = [runs.phase("start", begin), runs.phase("load", 0.5)]
                                phases = [*first, *phases]
                            record = runs.record(
                                engine,
                                point=point,
                                round=number,
                                repeat=repeat,
                                phases=phases,
                                outcome=outcome,
                                model={"n_iter": iterations or sizes.index(size) + 10},
                                parameters=[],
                                warnings=[],
                            )
                            if outcome != "completed":
                                record["error"] = {"type": "E", "message": "no", "log": None}
                            records.append({**record, "schema": 2, "null_run": again})
        folder = runs.write(
            tmp_path / "run",
            records,
            engines=engines,
            points=tuple(points),
            rounds=rounds,
            agreement={
                json.dumps(point, sort_keys=True): {
                    f"{one}~{two}": 1.0 for one in engines for two in engines if one < two
                }
                for point in points
            },
            **other,
        )
        return build_report(folder)

    return write


def comparison(report, engine, measure="fit_warm"):
    """Return how one engine compares over the sweep."""
    sweep = next(one for one in report.sweeps if one.measure == measure)
    return next(one for one in sweep.comparisons if one.engine == engine)


def numbers_in(text):
    """Return the numbers of a text that have a thousands separator."""
    return [float(one.replace(",", "")) for one in re.findall(r"\d{1,3}(?:,\d{3})+", text)]


def test_the_true_crossover_lies_in_the_interval_that_is_told(sweep_run):
    report = sweep_run(sizes=(100_000, 300_000, 1_000_000, 3_000_000, 10_000_000))
    crossover = comparison(report, "dask").crossover
    assert crossover.verdict == "from"
    assert crossover.low < TRUE_CROSSOVER < crossover.high
    told = re.search(
        r"Dask is faster than scikit-learn from about ([\d,]+) rows on "
        r"\(95 % interval ([\d,]+) to ([\d,]+)\)",
        report.answer,
    )
    size, low, high = (float(one.replace(",", "")) for one in told.groups())
    assert low <= size <= high
    assert size == pytest.approx(crossover.size, rel=0.05)


def test_an_engine_that_is_slower_at_every_size_is_never_said_to_be_faster(sweep_run):
    report = sweep_run()
    assert comparison(report, "spark").crossover.verdict == "never"
    assert "Spark is never faster than scikit-learn up to 10,000,000 rows on this host" in (
        report.answer
    )
    assert "Spark is faster" not in report.answer


def test_two_engines_that_are_never_faster_are_told_in_one_breath(sweep_run):
    slow = {"sklearn": SKLEARN, "dask": (1.0, 2e-6), "spark": SPARK}
    report = sweep_run(seconds=lambda engine, size: slow[engine][0] + slow[engine][1] * size)
    assert "neither Dask nor Spark is ever faster than scikit-learn up to 10,000,000 rows" in (
        report.answer
    )
    assert "where they take 2.1 (95 % interval" in report.answer
    assert "The whole process answers the same" in report.answer


def test_an_engine_whose_rows_cost_more_is_not_promised_a_crossover(sweep_run):
    report = sweep_run()
    assert "each further row takes it 4.0 times as long" in report.answer
    assert "extrapolated" not in report.answer
    assert comparison(report, "spark").crossover.beyond is None


def test_a_crossing_beyond_the_sizes_measured_is_said_to_be_extrapolated(sweep_run):
    report = sweep_run(sizes=(10_000, 100_000, 300_000), engines=("sklearn", "dask"))
    assert comparison(report, "dask").crossover.verdict == "never"
    assert "Dask is never faster than scikit-learn up to 300,000 rows" in report.answer
    (told,) = re.findall(r"would meet that of scikit-learn at about ([\d,]+) rows", report.answer)
    assert float(told.replace(",", "")) == pytest.approx(TRUE_CROSSOVER, rel=0.3)
    assert "which is extrapolated beyond what was measured" in report.answer


def test_a_crossing_far_beyond_the_sizes_measured_has_no_number(sweep_run):
    report = sweep_run(sizes=(1_000, 3_000, 10_000), engines=("sklearn", "dask"), spread=0.005)
    assert "only beyond 10 times the greatest size measured, if at all" in report.answer
    assert max(numbers_in(report.answer)) == 10_000


def test_what_could_change_a_never_is_told_with_the_fixed_cost(sweep_run):
    report = sweep_run(sizes=(10_000, 100_000, 300_000), engines=("sklearn", "dask"))
    assert "What could change it and was not measured: more cores, more machines" in report.answer
    assert "a lower fixed cost of a warm fit (now 1.00 s on Dask)" in report.answer


def test_fewer_than_three_rounds_give_medians_and_no_claim(sweep_run):
    report = sweep_run(rounds=2)
    assert all(one.verdict == "no interval" for one in comparison(report, "dask").points)
    assert (
        "by medians of 2 rounds, which allow no interval, Dask takes longer than scikit-learn at "
        "10,000 to 1,000,000 rows"
    ) in report.answer
    for claim in ("is faster", "never faster", "95 %", "would meet"):
        assert claim not in report.answer


def test_engines_that_cross_and_cross_back_have_no_size_from_which_one_is_faster(sweep_run):
    ratios = {10_000: 2.0, 100_000: 0.5, 1_000_000: 2.0, 10_000_000: 0.5}
    report = sweep_run(
        engines=("sklearn", "dask"),
        seconds=lambda engine, size: size * 1e-6 * (1 if engine == "sklearn" else ratios[size]),
    )
    crossover = comparison(report, "dask").crossover
    assert crossover is None or crossover.verdict == "undecided"
    assert "slower at 10,000 rows" in report.answer
    assert "faster at 100,000 rows" in report.answer
    assert "the order changes more than once, so there is no one size" in report.answer


def test_an_engine_that_is_faster_at_small_sizes_only_is_said_to_be(sweep_run):
    report = sweep_run(
        engines=("sklearn", "dask"),
        seconds=lambda engine, size: line("dask" if engine == "sklearn" else "sklearn", size),
    )
    assert "faster at 10,000 to 1,000,000 rows" in report.answer
    assert "slower at 10,000,000 rows" in report.answer
    assert "it stops being faster between 1,000,000 and 10,000,000 rows" in report.answer


def test_two_sizes_bracket_a_crossover_without_a_line(sweep_run):
    report = sweep_run(sizes=(10_000, 10_000_000), engines=("sklearn", "dask"))
    assert [one.growth for one in report.sweeps[0].series] == [None, None]
    assert comparison(report, "dask").crossover is None
    assert "it becomes faster between 10,000 and 10,000,000 rows" in report.answer


def test_a_size_at_which_an_engine_ran_out_of_memory_is_named_and_not_fitted(sweep_run):
    report = sweep_run(
        outcomes={("spark", "10000000"): "out of memory", ("spark", "1000000"): "timed out"}
    )
    spark = report.sweeps[0].series[2]
    assert [one.outcome for one in spark.points] == [
        "completed",
        "completed",
        "timed out",
        "out of memory",
    ]
    assert not spark.points[3].counts
    assert spark.growth is None
    assert spark.largest_completed == 100_000
    assert "Spark timed out at 1,000,000 rows" in report.answer
    assert "Spark ran out of memory at 10,000,000 rows" in report.answer
    times = sweep_tables(report.sweeps[0])[0]
    assert times.rows[-1] == ("largest completed", "10,000,000", "10,000,000", "100,000")
    assert times.rows[3][3] == "out of memory"


def test_where_the_baseline_failed_it_is_told_who_completed(sweep_run):
    report = sweep_run(outcomes={("sklearn", "10000000"): "out of memory"})
    assert report.sweeps[0].baseline == "scikit-learn"
    assert [one.value for one in comparison(report, "dask").points] == list(SIZES[:3])
    assert "scikit-learn ran out of memory at 10,000,000 rows, which Dask and Spark completed" in (
        report.answer
    )
    # it is no guess there any more
    assert "data beyond the memory" not in report.answer


def test_times_of_a_degraded_engine_are_compared_with_none(sweep_run):
    report = sweep_run(outcomes={("dask", str(size)): "degraded" for size in SIZES})
    assert comparison(report, "dask").points == ()
    assert "Dask and scikit-learn have completed no size in common" in report.answer
    assert "Dask was degraded at 10,000 to 10,000,000 rows" in report.answer


def test_no_engine_that_completed_is_no_comparison(sweep_run):
    report = sweep_run(
        engines=("sklearn", "dask"),
        outcomes={(one, str(size)): "crashed" for one in ("sklearn", "dask") for size in SIZES},
    )
    assert report.answer == (
        "No times to compare: scikit-learn and Dask crashed at 10,000 to 10,000,000 rows."
    )


def test_a_difference_below_the_noise_floor_decides_nothing(sweep_run):
    seconds = {"sklearn": 1.0, "dask": 0.8}
    report = sweep_run(
        engines=("sklearn", "dask"), seconds=lambda engine, size: size / 1e6 * seconds[engine]
    )
    assert comparison(report, "dask").crossover.verdict == "always"
    assert "Dask is faster than scikit-learn at every size measured" in report.answer
    noisy = sweep_run(
        engines=("sklearn", "dask"),
        seconds=lambda engine, size: size / 1e6 * seconds[engine],
        null=1.5,
    )
    assert {one.verdict for one in comparison(noisy, "dask").points} == {"no difference shown"}
    assert (
        "no difference is shown between scikit-learn and Dask at every size measured (10,000 to "
        "10,000,000 rows)"
    ) in noisy.answer
    assert "is faster" not in noisy.answer


def test_a_size_that_is_noisier_than_the_greatest_has_no_say_beyond_its_own_noise(sweep_run):
    ratios = {10_000: 1.3, 100_000: 0.8, 1_000_000: 0.8, 10_000_000: 0.8}
    given = {
        "engines": ("sklearn", "dask"),
        "seconds": lambda engine, size: size * 1e-6 * (ratios[size] if engine == "dask" else 1),
    }
    calm = sweep_run(**given, null=1.01)
    assert comparison(calm, "dask").points[0].verdict == "slower"
    noisy = sweep_run(**given, null=lambda size: 1.5 if size == 10_000 else 1.01)
    assert comparison(noisy, "dask").crossover is None
    assert "no difference shown at 10,000 rows, faster at 100,000 to 10,000,000 rows" in (
        noisy.answer
    )


def test_the_whole_process_may_answer_otherwise_and_is_told_too(sweep_run):
    report = sweep_run(engines=("sklearn", "dask"), start={"dask": 1000.0})
    assert comparison(report, "dask").crossover.verdict == "from"
    assert comparison(report, "dask", "total").crossover.verdict == "never"
    first, whole = report.answer.split("The whole process, from start to stop with all repeats: ")
    assert "Dask is faster than scikit-learn from about" in first
    assert "Dask is never faster than scikit-learn up to 10,000,000 rows" in whole


def test_a_line_that_misses_its_points_is_marked_and_followed_nowhere(sweep_run):
    report = sweep_run(
        sizes=(100, 1_000, 10_000),
        engines=("sklearn", "dask"),
        seconds=lambda engine, size: (size / 1e3) ** 2 * (1 if engine == "sklearn" else 3),
    )
    growth = report.sweeps[0].series[0].growth
    assert growth.worst_deviation > 1.5
    assert "would meet" not in report.answer
    assert "each further row" not in report.answer
    assert "(now" not in report.answer
    table = sweep_tables(report.sweeps[0])[1]
    assert all(row[3].endswith("!") for row in table.rows)
    assert "its costs do not describe the times" in table.legend


def test_the_fitted_costs_are_those_that_the_times_were_made_with(sweep_run):
    sweep = sweep_run(spread=0.01).sweeps[0]
    for series in sweep.series:
        fixed, per_row = LINES[series.engine]
        assert series.growth.fixed.low < fixed < series.growth.fixed.high
        assert series.growth.per_unit.low < per_row < series.growth.per_unit.high
    table = sweep_tables(sweep)[1]
    assert table.heads[2] == "for 1,000,000 rows"
    assert [row[0] for row in table.rows] == ["scikit-learn", "Dask", "Spark"]
    assert re.match(r"300 ms|29\d ms|30\d ms", table.rows[1][2])


def test_iterations_that_differ_between_sizes_are_told_beside_the_costs(sweep_run):
    assert "Iterations differ" not in as_markdown(sweep_run())
    page = as_markdown(sweep_run(engines=("sklearn", "dask"), iterations=None))
    assert (
        "Iterations differ between sizes (scikit-learn 10 to 13, Dask 10 to 13), so that each row "
        "is not the same work everywhere."
    ) in page


def test_two_keys_give_one_sweep_for_each_value_of_the_other(sweep_run):
    report = sweep_run(
        sizes=(10_000, 100_000, 1_000_000),
        held=({"workload.n_clusters": 3}, {"workload.n_clusters": 30}),
    )
    main = [one for one in report.sweeps if one.measure == "fit_warm"]
    assert [(one.key, one.held) for one in main] == [
        (ROWS, {"workload.n_clusters": 3}),
        (ROWS, {"workload.n_clusters": 30}),
        ("workload.n_clusters", {ROWS: 10_000}),
        ("workload.n_clusters", {ROWS: 100_000}),
        ("workload.n_clusters", {ROWS: 1_000_000}),
    ]
    assert report.sweeps[0] is main[0]
    assert "With workload.n_clusters = 3: Warm fit: " in report.answer
    assert "With workload.n_clusters = 30: Warm fit: " in report.answer


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("workload.init", ("shared", "random")),
        ("dataset.seed", (1, 2, 3)),
        ("workload.tol", (1e-4, 1e-3, 1e-2)),
        ("measure.warm_repeats", (1, 2, 3)),
        ("workload.max_depth", (4, 16, 64)),
        ("workload.max_iter", (10, 100, 1000)),
        ("dataset.levels", (2, 4, 8)),
        ("dataset.centers", (2, 4, 8)),
        ("dataset.n_samples", ([10, 20], [30, 40])),
    ],
)
def test_what_is_no_amount_of_work_has_no_line_and_no_crossover(sweep_run, key, values):
    report = sweep_run(sizes=values, key=key, seconds=lambda engine, _: LINES[engine][0])
    sweep = report.sweeps[0]
    assert sweep.kind == "other"
    assert not sweep.crossovers
    assert [one.growth for one in sweep.series] == [None, None, None]
    assert [one.size for one in sweep.series[0].points] == [None] * len(values)
    assert [table.key for table in sweep_tables(sweep)] == ["times"]
    assert "Dask and Spark are slower than scikit-learn at every value measured" in report.answer
    for form in (as_markdown, as_html, as_text):
        assert "fixed cost" not in form(report)


@pytest.mark.parametrize(
    ("key", "told", "kind"),
    [
        ("dataset.n_features", "4 to 64 features", "size"),
        ("workload.n_clusters", "4 to 64 clusters", "size"),
        ("workload.parameters.n_estimators", "4 to 64 trees", "size"),
        ("workload.max_depth", "max_depth 4 to 64", "other"),
    ],
)
def test_values_are_told_with_what_they_count(sweep_run, key, told, kind):
    report = sweep_run(
        sizes=(4, 16, 64),
        key=key,
        engines=("sklearn", "dask"),
        seconds=lambda engine, size: size * (1.0 if engine == "sklearn" else 0.5),
    )
    assert report.sweeps[0].kind == kind
    assert told in report.answer


def test_values_are_in_order_whatever_the_order_in_which_they_were_written(sweep_run):
    report = sweep_run(sizes=(1_000_000, 10_000, 10_000_000, 100_000))
    assert report.sweeps[0].values == SIZES


def test_one_value_is_no_sweep_and_the_table_answers(sweep_run):
    report = sweep_run(sizes=(10_000,))
    assert report.sweeps == ()
    assert report.answer == report.tables[0].answer != ""


def scaled(engine, cores):
    """Return seconds that shrink with cores: scikit-learn's best, Dask's with a cost of its own."""
    return {"sklearn": 0.5 + 7.5 / cores, "dask": 1.0 + 12.0 / cores, "spark": 20.0 / cores**0.1}[
        engine
    ]


def test_cores_give_speed_up_efficiency_and_what_it_takes_to_beat_one_thread(sweep_run):
    report = sweep_run(sizes=(1, 2, 4), key="resources.cores", seconds=scaled, spread=0.01)
    sweep = report.sweeps[0]
    assert sweep.kind == "workers"
    assert not sweep.crossovers
    grown = dict(sweep.scaling)["scikit-learn"]
    truth = 8.0 / (0.5 + 7.5 / 4)
    assert grown.speedup[-1].low < truth < grown.speedup[-1].high
    assert grown.efficiency[-1].value == pytest.approx(truth / 4, rel=0.05)
    assert [(one.engine, one.verdict, one.workers) for one in sweep.costs] == [
        ("dask", "from", 2),
        ("spark", "never", None),
    ]
    assert (
        "on 4 cores instead of 1, scikit-learn is 3.4 times as fast (95 % interval 3.3 to 3.4, "
        "efficiency 84%)"
    ) in report.answer
    assert "with 2 cores Dask beats scikit-learn on one core" in report.answer
    assert "with up to 4 cores Spark does not beat scikit-learn on one core" in report.answer
    assert [table.key for table in sweep_tables(sweep)] == ["times", "scaling"]


def test_without_a_single_thread_nobody_is_said_to_beat_it(sweep_run):
    report = sweep_run(sizes=(2, 4), key="resources.cores", seconds=scaled)
    assert {one.verdict for one in report.sweeps[0].costs} == {"unknown"}
    assert "it is not known whether Dask or Spark beats scikit-learn on one core" in report.answer


def test_too_few_rounds_say_nothing_of_beating_one_thread(sweep_run):
    report = sweep_run(sizes=(1, 2, 4), key="resources.cores", seconds=scaled, rounds=2)
    assert {one.verdict for one in report.sweeps[0].costs} == {"unknown"}
    assert "scikit-learn is 3.4 times as fast (no interval, efficiency 84%)" in report.answer


def test_more_workers_on_the_same_cores_are_no_speed_up(sweep_run):
    report = sweep_run(
        sizes=(1, 2, 4),
        key="engines.dask.workers",
        seconds=lambda engine, workers: {"sklearn": 1, "dask": 2 + abs(workers - 2)}.get(engine, 3),
    )
    sweep = report.sweeps[0]
    assert sweep.kind == "workers"
    assert sweep.scaling == sweep.costs == ()
    assert (
        "Dask takes 2.00 s with 2 workers and 3.00 s with 1 and 4.00 s with 4, all on the same "
        "cores"
    ) in report.answer


def test_searches_that_a_time_budget_ended_say_nothing_of_speed(runs, tmp_path):
    points = [{ROWS: size} for size in (100, 1_000, 10_000)]
    records = [
        runs.search_record(engine, point=point, round=number, search={"not_run": 2, "completed": 4})
        for point in points
        for number in range(3)
        for engine in ("sklearn", "dask")
    ]
    folder = runs.write(
        tmp_path,
        records,
        engines=("sklearn", "dask"),
        points=tuple(points),
        rounds=3,
        warm_repeats=0,
        search="{strategy: grid, time_budget: 10 s}",
    )
    report = build_report(folder)
    assert report.sweeps[0].measure == "search_cold"
    assert not any(point.rounds for one in report.sweeps[0].series for point in one.points)
    assert "times as long" not in report.answer


def test_disagreeing_results_are_admitted_beside_the_times(runs, tmp_path):
    points = [{ROWS: size} for size in (100, 1_000)]
    records = [one for point in points for one in runs.complete(("sklearn", "dask"), point=point)]
    for record in records:
        if record["engine"] == "dask" and record["point"] == points[0]:
            record["metrics"]["inertia"] *= 2
    folder = runs.write(tmp_path, records, engines=("sklearn", "dask"), points=tuple(points))
    assert "The engines do not agree on the result at 1 of 2 points" in build_report(folder).answer


def test_every_form_shows_the_answer_and_the_tables_of_a_sweep(sweep_run):
    report = sweep_run()
    text = " ".join(as_text(report).split())
    assert report.answer in text
    assert "largest completed" in text
    page = as_markdown(report)
    assert "## Warm fit over rows (dataset.n\\_samples)" in page or (
        "## Warm fit over rows (dataset.n_samples)" in page
    )
    for section in sweep_sections(report.sweeps):
        for table in section.tables:
            assert f"### {table.title}" in page
            assert table.title in as_html(report)
    data = as_data(report)
    assert json.loads(json.dumps(data, allow_nan=False))["answer"] == report.answer
    assert data["sweeps"][0]["comparisons"][0]["crossover"]["verdict"] == "from"
    assert data["sweeps"][0]["series"][0]["growth"]["per_unit"]["value"] > 0


def test_the_tables_of_a_sweep_fit_80_columns(sweep_run):
    text = as_text(sweep_run(), 80)
    assert max(map(len, text.splitlines())) <= 80


def test_hostile_values_do_no_harm_in_a_sweep(sweep_run):
    hostile = ("<script>alert(1)</script>|`x`\x1b[31m", "مرحبا **b**")
    report = sweep_run(
        sizes=hostile, key="dataset.path", seconds=lambda engine, _: LINES[engine][0]
    )
    assert report.sweeps[0].values == hostile
    for page in (as_markdown(report), as_html(report)):
        assert "<script>" not in page
    assert "\x1b" not in as_text(report) + as_markdown(report)


def test_many_sweeps_are_cut_short_and_it_is_said(sweep_run):
    report = sweep_run(
        sizes=(10, 20, 30),
        held=tuple({"workload.n_clusters": number} for number in range(2, 12)),
        rounds=1,
    )
    assert len(report.sweeps) == (10 + 3) * 4
    fitted = {one.measure for one in report.sweeps if one.series[0].growth is not None}
    assert fitted == {"fit_warm", "total"}
    assert len(sweep_sections(report.sweeps)) == 24
    assert tell_others(report.sweeps) in as_markdown(report)
    assert "28 more sweeps" in tell_others(report.sweeps)
    assert "7 more such sweeps are told with their tables." in report.answer


def test_a_run_without_records_has_no_sweep(runs, tmp_path):
    folder = runs.write(tmp_path, [], points=({ROWS: 10}, {ROWS: 20}))
    runs.write_candidates(folder, [runs.candidate(number) for number in range(6)])
    report = build_report(folder)
    assert report.sweeps == ()
    assert report.answer == ""


def shown_seconds(text):
    """Return the seconds of a text such as ``"1.20 s"`` or ``"31.0 ms"``."""
    number, unit = text.split()
    return float(number.replace(",", "")) * {"s": 1, "ms": 1e-3}[unit]


def test_every_ratio_of_a_sweep_is_that_of_the_two_times_shown(sweep_run):
    def jumps(engine, size):
        # so that the mean over rounds is not the median of all
        jumps.calls += 1
        return line(engine, size) * (1 + (jumps.calls % 7 == 0))

    jumps.calls = 0
    for rounds in (5, 2):
        sweep = sweep_run(seconds=jumps, rounds=rounds, spread=0.2).sweeps[0]
        table = sweep_tables(sweep)[0]
        checked = 0
        for row in table.rows[: len(SIZES)]:
            baseline = shown_seconds(row[1].split("\n")[0])
            for cell in row[2:]:
                shown, ratio = re.fullmatch(r"(.+) \(~?(.+)x\)", cell.split("\n")[0]).groups()
                expected = shown_seconds(shown) / baseline
                assert float(ratio.replace(",", "")) == pytest.approx(expected, rel=0.06)
                checked += 1
        assert checked == 2 * len(SIZES)
        for one in comparison_points(sweep):
            of, to = one
            assert of[0] / to == pytest.approx(of[1], rel=1e-12)


def comparison_points(sweep):
    """Return for every comparison at a value: what is shown of the engine, and of the baseline."""
    series = {one.title: {point.value: point for point in one.points} for one in sweep.series}
    for one in sweep.comparisons:
        for point in one.points:
            of = series[one.title][point.value].typical
            yield (of, point.times), series[sweep.baseline][point.value].typical


def test_times_are_said_to_be_medians_only_where_there_is_no_interval(sweep_run):
    told = "Times are the geometric mean over rounds of the median of each."
    assert told in sweep_tables(sweep_run().sweeps[0])[0].legend
    legend = sweep_tables(sweep_run(rounds=2).sweeps[0])[0].legend
    assert "Times are medians of all repeats" in legend
    assert "geometric" not in legend


def test_the_legend_explains_a_ratio_only_where_there_is_one(sweep_run):
    alone = sweep_run(engines=("sklearn",))
    assert "times as much" not in sweep_tables(alone.sweeps[0])[0].legend
    assert "x: times as much as scikit-learn" in sweep_tables(sweep_run().sweeps[0])[0].legend


def test_rounds_of_engines_stand_beside_each_other(sweep_run):
    report = sweep_run(rounds=5, lost=("dask", 10_000, 1))
    sklearn, dask, _ = report.sweeps[0].series
    assert [bool(one) for one in dask.points[0].rounds] == [True, False, True, True, True]
    assert [bool(one) for one in sklearn.points[0].rounds] == [True] * 5
    assert dask.points[0].counts
    at = {one.value: one for one in comparison(report, "dask").points}
    assert at[10_000].ratio == estimate_ratio(dask.points[0].rounds, sklearn.points[0].rounds)
    assert at[100_000].ratio == estimate_ratio(
        dask.points[1].rounds, sklearn.points[1].rounds, paired=True
    )


def test_what_only_the_lines_show_is_said_to_be_by_the_lines(sweep_run):
    ratios = {10_000: 0.85, 100_000: 0.92, 1_000_000: 0.85, 10_000_000: 0.85}
    report = sweep_run(
        engines=("sklearn", "dask"),
        seconds=lambda engine, size: size * 1e-6 * (ratios[size] if engine == "dask" else 1),
        spread=0.035,
    )
    one = comparison(report, "dask")
    shown = [point.value for point in one.points if point.verdict == "faster"]
    assert one.crossover.verdict == "always"
    assert shown == [10_000, 1_000_000, 10_000_000]
    assert (
        "By the fitted lines, Dask is faster than scikit-learn at every size measured (10,000 to "
        "10,000,000 rows); single sizes show it at 10,000 rows, 1,000,000 rows and 10,000,000 "
        "rows only"
    ).lower() in report.answer.lower()


def test_a_crossover_that_no_single_size_shows_is_said_to_be_by_the_lines(sweep_run):
    ratios = {10_000: 1.5, 100_000: 1.2, 1_000_000: 0.93, 10_000_000: 0.93}
    report = sweep_run(
        engines=("sklearn", "dask"),
        seconds=lambda engine, size: (
            (0.02 + size * 1e-6) * (ratios[size] if engine == "dask" else 1)
        ),
        spread=0.03,
    )
    points = comparison(report, "dask").points
    assert not [one for one in points if one.verdict == "faster"]
    assert "Dask is faster" not in report.answer.replace("By the fitted lines, Dask is faster", "")


def test_never_is_shown_only_where_each_size_shows_it(sweep_run):
    ratios = {10_000: 1.15, 100_000: 1.12, 1_000_000: 1.15, 10_000_000: 1.15}
    report = sweep_run(
        engines=("sklearn", "dask", "spark"),
        seconds=lambda engine, size: (
            size * 1e-6 * {"sklearn": 1, "dask": ratios[size], "spark": 3}[engine]
        ),
        spread=0.03,
    )
    assert [one.crossover.verdict for one in report.sweeps[0].comparisons] == ["never", "never"]
    verdicts = {point.verdict for point in comparison(report, "dask").points}
    assert verdicts == {"slower", "no difference shown"}
    assert "Dask is never shown to be faster than scikit-learn up to" in report.answer
    assert "Spark is never faster than scikit-learn up to" in report.answer


def test_the_noise_floor_is_that_of_the_greatest_size_with_its_name(sweep_run):
    report = sweep_run(null=lambda size: 1.5 if size == 10_000 else 1.02)
    sweep = report.sweeps[0]
    assert [one.factor > 1.4 for one in sweep.floors] == [True, False, False, False]
    assert sweep.noise.startswith(
        "Noise floor of the warm fit at 10,000,000 rows: a second scikit-learn took 1.02 times as "
        "long as the first (95 % interval "
    )
    assert "are told as no difference shown. At the other sizes the floor is between" in sweep.noise
    assert sweep_run().sweeps[0].noise == ""
    assert as_data(report)["sweeps"][0]["noise"] == sweep.noise
    assert sweep.noise in sweep_tables(sweep)[0].legend


def test_a_speed_up_within_the_noise_is_no_gain(sweep_run):
    cores = {
        "sizes": (1, 2, 4),
        "key": "resources.cores",
        "seconds": lambda _, cores: 1 + 0.4 / cores,
        "engines": ("sklearn", "dask"),
        "spread": 0.01,
    }
    assert "no gain shown" not in sweep_run(**cores).answer
    noisy = sweep_run(**cores, null=lambda cores: 2.0 if cores == 4 else 1.01)
    assert noisy.answer.count("no gain shown") == 2


def test_a_division_of_workers_within_the_noise_shows_no_difference(sweep_run):
    workers = {
        "sizes": (1, 2),
        "key": "engines.dask.workers",
        "seconds": lambda engine, workers: 1 + 0.2 * workers * (engine == "dask"),
        "engines": ("sklearn", "dask"),
        "spread": 0.01,
    }
    assert "Dask takes 1.20 s with 1 worker and 1.40 s with 2, all on the same cores" in (
        sweep_run(**workers).answer
    )
    noisy = sweep_run(**workers, null=1.5)
    assert "1.40 s with 2 (no difference shown)" in noisy.answer


def test_a_sweep_of_workers_says_why_it_has_no_efficiency(sweep_run):
    report = sweep_run(sizes=(1, 2), key="engines.dask.workers", seconds=lambda _, n: n)
    told = "so there is neither speed-up nor efficiency. A sweep of resources.cores has both."
    assert told in sweep_tables(report.sweeps[0])[0].legend
    assert told in as_markdown(report)


def test_rows_and_cores_tell_from_which_size_all_cores_beat_one_thread(sweep_run):
    def seconds(engine, size):
        return {"sklearn": 1e-6 * size, "dask": 1.0 + 4e-7 * size}[engine]

    report = sweep_run(
        engines=("sklearn", "dask"),
        seconds=seconds,
        held=({"resources.cores": 1}, {"resources.cores": 4}),
        spread=0.01,
    )
    main = {
        one.held["resources.cores"]: one
        for one in report.sweeps
        if (one.key, one.measure) == (ROWS, "fit_warm")
    }
    assert main[1].single is None
    single = main[4].single
    assert single.baseline == "scikit-learn on one core"
    ((title, found),) = single.crossovers
    assert title == "Dask on 4 cores"
    assert found.low < 1 / 6e-7 < found.high
    told = "Dask on 4 cores is faster than scikit-learn on one core from about 1,6"
    assert told in single.answer
    assert told in report.answer
    assert single.answer in main[4].answer
    # rounds of two points are no pairs
    of, to = (main[cores].series[place].points[0] for cores, place in ((4, 1), (1, 0)))
    assert single.comparisons[0].points[0].ratio == estimate_ratio(of.rounds, to.rounds)


def test_without_one_core_in_a_sweep_nothing_is_said_of_one_thread(sweep_run):
    report = sweep_run(held=({"resources.cores": 2}, {"resources.cores": 4}))
    assert {one.single for one in report.sweeps} == {None}
    assert "on one core" not in report.sweeps[0].answer
