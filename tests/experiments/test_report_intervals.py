"""Intervals, noise floors and what they show are told in every form, and never too much of them."""

from __future__ import annotations

import json
import math
import re
import statistics

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.report import build_report
from experiments.report.cells import show
from experiments.report.data import as_data
from experiments.report.markdown import as_markdown
from experiments.report.notebook import as_html
from experiments.report.numbers import bounds, excess, multiple, ratio_range
from experiments.report.terminal import as_text
from experiments.statistics.bootstrap import estimate, estimate_ratio
from experiments.statistics.noise import difference_shown, noise_floor

SAME = {"{}": {"sklearn~dask": 1.0, "sklearn~spark": 1.0, "dask~spark": 1.0}}
# each round's warm fits, in seconds
STEADY = ((1.00, 1.02), (1.03, 1.01), (0.99, 1.00))
NEAR = ((1.02, 1.03), (1.01, 1.06), (1.04, 1.01))
FAR = ((4.0, 4.1), (4.2, 4.1), (3.9, 4.0))
# apart from STEADY by an interval, but by less than NOISY
SLIGHTLY = ((1.10, 1.11), (1.12, 1.11), (1.09, 1.10))
NOISY = ((1.08, 1.30), (1.15, 1.05), (1.20, 1.18))


def records_of(runs, engine, rounds, **other):
    """Return the records of processes: a cold fit of twice the first warm one, and warm ones."""
    found = []
    for number, warm in enumerate(rounds):
        for repeat, wall_s in enumerate((2 * warm[0], *warm)):
            one = runs.record(engine, round=number, repeat=repeat, schema=2, null_run=False)
            one.update(other)
            for phase in one["phases"]:
                if phase["name"] == "fit":
                    phase.update(wall_s=wall_s, cpu_s=wall_s * 1.5)
            found.append(one)
    return found


def build(runs, folder, times, *, null=None, asked=None, extra=(), **other):
    """Return the report of warm fits by engine; `null` has those of the null run."""
    records = [one for engine, rounds in times.items() for one in records_of(runs, engine, rounds)]
    if null is not None:
        records += records_of(runs, "sklearn", null, null_run=True)
    records += extra
    first = next(iter(times.values()))
    options = {"rounds": len(first), "engines": tuple(times), "agreement": SAME, **other}
    runs.write(folder, records, warm_repeats=len(first[0]), **options)
    if asked or (asked is None and null is not None):
        path = folder / "definition.yaml"
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("measure: {", "measure: {null_run: true, "), encoding="utf-8")
    return build_report(folder)


def row_of(report, key="fit_warm_wall_s"):
    """Return one row of the only table."""
    (table,) = report.tables
    return next(row for group in table.groups for row in group.rows if row.key == key)


def forms(report):
    """Return every form of a report that a person reads, on one line and without escapes."""
    every = as_text(report, 200), as_markdown(report), as_html(report)
    return tuple(" ".join(form.replace("\\", "").split()) for form in every)


def test_times_and_ratios_have_the_intervals_of_their_rounds(runs, tmp_path):
    row = row_of(build(runs, tmp_path, {"sklearn": STEADY, "dask": FAR}))
    assert [cell.interval for cell in row.cells] == [estimate(STEADY), estimate(FAR)]
    between = estimate_ratio(FAR, STEADY, paired=True)
    assert [cell.ratio_interval for cell in row.cells] == [None, between]
    assert [cell.difference for cell in row.cells] == [None, True]
    assert row.cells[1].ratio_interval.low < 4 < row.cells[1].ratio_interval.high


def test_the_rounds_of_a_whole_process_are_one_value_each(runs, tmp_path):
    row = row_of(build(runs, tmp_path, {"sklearn": STEADY, "dask": FAR}), "peak_memory_bytes")
    assert row.cells[0].rounds == ((200 * 2**20,),) * 3
    assert row.cells[0].interval.rounds == 3


def test_a_process_that_was_cut_short_is_no_round_of_a_whole_process(runs, tmp_path):
    # the third process of Dask was stopped after its cold fit
    cut = records_of(runs, "dask", FAR)[6]
    report = build(runs, tmp_path, {"sklearn": STEADY, "dask": FAR[:2]}, extra=[cut])
    for key in ("total_wall_s", "unaccounted_s", "peak_memory_bytes", "write_bytes"):
        cell = row_of(report, key).cells[1]
        assert cell.summary.n == 2, key
        assert cell.interval.rounds == 2, key
    assert row_of(report, "fit_cold_wall_s").cells[1].interval.rounds == 3


def test_what_was_granted_is_no_measurement_and_has_no_interval(runs, tmp_path):
    report = build(runs, tmp_path, {"sklearn": STEADY, "dask": FAR})
    assert all(cell.interval is None for cell in row_of(report, "granted_memory_bytes").cells)


def test_an_engine_that_failed_has_no_interval(runs, tmp_path):
    failed = runs.failed("dask", "crashed", "gone", round=2)
    report = build(runs, tmp_path, {"sklearn": STEADY, "dask": FAR[:2]}, extra=[failed])
    cell = row_of(report).cells[1]
    assert cell.summary.n == 4
    assert (cell.interval, cell.ratio_interval, cell.difference) == (None, None, None)


def test_a_difference_is_shown_by_the_interval_and_not_by_the_spread(runs, tmp_path):
    # the values overlap, but from round to round Dask is always slower by the same factor
    slow = ((1.0, 2.0, 1.5), (1.01, 2.0, 1.5), (0.99, 2.0, 1.5))
    slower = ((1.0, 2.0, 1.9), (1.01, 2.0, 1.91), (0.99, 2.0, 1.89))
    report = build(runs, tmp_path, {"sklearn": slow, "dask": slower}, engines=("sklearn", "dask"))
    cell = row_of(report).cells[1]
    assert cell.difference is True
    assert report.tables[0].answer.startswith(
        "scikit-learn fitted fastest: Dask's warm fit took 1.27 times as long (95 % interval "
        "1.25 to 1.28)"
    )


def test_an_interval_that_holds_one_is_no_difference_shown(runs, tmp_path):
    report = build(runs, tmp_path, {"sklearn": STEADY, "dask": NEAR, "spark": FAR})
    (table,) = report.tables
    assert [cell.difference for cell in row_of(report).cells] == [None, False, True]
    assert table.answer.startswith(
        "No difference shown in warm fits: Dask took 1.02 times as long as scikit-learn (95 % "
        "interval 0.998 to 1.04); compared with scikit-learn, Spark's warm fit took 4.0 times as "
        "long (95 % interval 3.9 to 4.1"
    )
    for form in forms(report):
        assert "~1.02x" in form
        assert "~4.0x" not in form
        assert "~: no difference shown, as the interval holds 1" in form


def test_a_difference_within_the_noise_floor_is_no_difference_shown(runs, tmp_path):
    times = {"sklearn": STEADY, "dask": SLIGHTLY}
    quiet = build(runs, tmp_path / "quiet", times, null=STEADY)
    noisy = build(runs, tmp_path / "noisy", times, null=NOISY)
    without = build(runs, tmp_path / "without", times)
    assert [row_of(one).cells[1].difference for one in (quiet, noisy, without)] == [
        True,
        False,
        True,
    ]
    assert quiet.tables[0].answer.startswith("scikit-learn fitted fastest: Dask's")
    assert noisy.tables[0].answer.startswith(
        "No difference shown in warm fits: Dask took 1.1 times as long as scikit-learn (95 % "
        "interval 1.09 to 1.11, within the noise floor, 32 %); "
    )
    floor = noisy.tables[0].noise["fit_warm_wall_s"]
    assert floor == noise_floor(STEADY, NOISY, paired=True)
    for form in forms(noisy):
        assert "the ratio is within the noise floor" in form


def test_every_form_prints_the_noise_floor_of_the_times_that_decide(runs, tmp_path):
    report = build(runs, tmp_path, {"sklearn": STEADY, "dask": FAR}, null=NEAR)
    told = report.tables[0].null_run
    factor = noise_floor(STEADY, NEAR, paired=True).factor
    assert told == (
        "Noise floor of warm fits: a second scikit-learn took 1.02 times as long (95 % interval "
        f"0.998 to 1.04 over 3 rounds); differences below {excess(factor)} are told as no "
        "difference shown."
    )
    assert 0.02 < factor - 1 < 0.06
    for form in forms(report):
        assert told in form
    assert (
        "- Noise floor: A null run runs the baseline once more at the end of each round"
        in as_markdown(report)
    )
    content = json.loads(json.dumps(as_data(report), allow_nan=False))["tables"][0]
    assert content["null_run"] == told
    assert content["noise"]["fit_warm_wall_s"]["factor"] == factor


def test_one_engine_alone_has_its_noise_floor_and_its_interval(runs, tmp_path):
    report = build(runs, tmp_path, {"sklearn": STEADY}, null=NEAR)
    assert report.tables[0].null_run.startswith("Noise floor of warm fits: a second scikit-learn")
    assert report.tables[0].answer.startswith(
        "scikit-learn's warm fit took 1.01 s (95 % interval 0.977-1.04 s); "
    )
    assert "[0.977-1.04 s]" in as_text(report, 80)


def test_without_a_null_run_nothing_is_said_of_noise(runs, tmp_path):
    report = build(runs, tmp_path, {"sklearn": STEADY, "dask": FAR})
    assert (report.tables[0].null_run, report.tables[0].noise) == ("", {})
    for form in forms(report):
        assert "oise floor" not in form


@pytest.mark.parametrize("outcome", ["timed out", "out of memory", "crashed", "failed"])
def test_a_null_run_that_failed_is_told_and_shows_no_floor(runs, tmp_path, outcome):
    gone = runs.failed("sklearn", outcome, "too much", round=2, null_run=True, schema=2)
    report = build(
        runs, tmp_path, {"sklearn": STEADY, "dask": SLIGHTLY}, null=NOISY[:2], extra=[gone]
    )
    (table,) = report.tables
    assert table.noise == {}
    assert table.null_run == (
        "The noise floor of warm fits is not known: the outcome of the null run of scikit-learn "
        f"is {outcome!r}."
    )
    (problem,) = table.problems
    assert (problem.engine, problem.outcome) == ("scikit-learn (null run)", outcome)
    # it is no engine of the comparison, which is complete
    assert report.completed
    assert [head.outcome for head in table.heads] == ["completed", "completed"]
    assert row_of(report).cells[1].difference is True


def test_a_null_run_that_was_not_made_is_told(runs, tmp_path):
    report = build(runs, tmp_path, {"sklearn": STEADY, "dask": FAR}, asked=True)
    (table,) = report.tables
    assert table.null_run == (
        "The noise floor of warm fits is not known: the null run of scikit-learn was not made "
        "before the run ended."
    )
    (problem,) = table.problems
    assert problem.message == "0 of 9 repeats were measured before the run ended."


def test_a_null_run_that_was_not_finished_shows_the_floor_of_its_rounds_and_says_so(runs, tmp_path):
    report = build(runs, tmp_path, {"sklearn": STEADY, "dask": FAR}, null=NEAR[:2])
    by = excess(noise_floor(STEADY, NEAR[:2]).factor)
    assert report.tables[0].null_run == (
        "Noise floor of warm fits: a second scikit-learn took 1.02 times as long (2 rounds, so no "
        f"interval can be given); although it was not finished, differences below {by} are told "
        "as no difference shown."
    )


def test_where_the_engine_itself_failed_its_null_run_shows_no_floor(runs, tmp_path):
    gone = runs.failed("sklearn", "crashed", "gone", round=2)
    report = build(runs, tmp_path, {"dask": FAR, "sklearn": STEADY[:2]}, null=STEADY, extra=[gone])
    assert report.tables[0].noise == {}
    assert report.tables[0].null_run == (
        "The noise floor of warm fits is not known: the outcome of scikit-learn itself is "
        "'crashed'."
    )


def test_the_null_run_is_that_of_the_same_point(runs, tmp_path):
    points = ({"workload.n_clusters": 3}, {"workload.n_clusters": 10})
    records = [
        one
        for point, null in zip(points, (STEADY, NOISY), strict=True)
        for one in (
            *records_of(runs, "sklearn", STEADY, point=point),
            *records_of(runs, "sklearn", null, point=point, null_run=True),
        )
    ]
    runs.write(tmp_path, records, engines=("sklearn",), points=points, rounds=3, warm_repeats=2)
    floors = [table.noise["fit_warm_wall_s"] for table in build_report(tmp_path).tables]
    assert floors == [
        noise_floor(STEADY, STEADY, paired=True),
        noise_floor(STEADY, NOISY, paired=True),
    ]


@pytest.mark.parametrize("n_rounds", [1, 2])
def test_with_fewer_than_three_rounds_no_interval_is_given_and_that_is_said(
    runs, tmp_path, n_rounds
):
    times = {"sklearn": STEADY[:n_rounds], "dask": NEAR[:n_rounds], "spark": FAR[:n_rounds]}
    report = build(runs, tmp_path, times, null=NEAR[:n_rounds])
    (table,) = report.tables
    row = row_of(report)
    assert not any(cell.interval.has_interval for cell in row.cells)
    # by the overlap of the spreads instead
    assert [cell.difference for cell in row.cells] == [None, False, True]
    assert "fewer than 3 rounds, so no interval can be given" in table.answer
    assert "no interval can be given)" in table.null_run
    assert any("no interval can be given" in warning for warning in report.warnings)
    for form in forms(report):
        assert "95 % interval" not in form
        assert "the measurements overlap" in form.partition("~: no difference shown, as ")[2]


def test_the_noise_floor_counts_without_an_interval_too(runs, tmp_path):
    times = {"sklearn": ((1.0, 1.0),), "dask": ((1.1, 1.1),)}
    report = build(runs, tmp_path, times, null=((1.2, 1.2),))
    assert row_of(report).cells[1].difference is False
    assert report.tables[0].answer.startswith(
        "No difference shown in warm fits: Dask took 1.1 times as long as scikit-learn (within the "
        "noise floor, 20 %); fewer than 3 rounds, so no interval can be given; "
    )


def test_an_engine_is_not_called_slower_than_one_that_its_interval_says_it_beats(runs, tmp_path):
    # by its many repeats of one round Dask has the greater median, and by rounds the lesser mean
    times = {
        "sklearn": ((2.0,),) * 20 + ((2.01,),),
        "dask": ((1.9,),) * 20 + ((2.5,) * 30,),
        "spark": ((10.0,),),
    }
    report = build(runs, tmp_path, times, rounds=1)
    assert estimate_ratio(times["dask"], times["sklearn"], paired=True).high < 1
    # the order is that of the numbers shown; Spark has no interval, so that it is not sure
    assert report.tables[0].answer.startswith(
        "Perhaps Dask fitted fastest: scikit-learn's warm fit took 1.04 times as long (95 % "
        "interval 1.01 to 1.07) and Spark's 5.2 times ("
    )


def test_with_three_rounds_no_warning_says_that_intervals_are_missing(runs, tmp_path):
    report = build(runs, tmp_path, {"sklearn": STEADY, "dask": FAR})
    assert not any("interval" in warning for warning in report.warnings)
    assert any("between days, machines or datasets" in limit for limit in report.limits)


def test_an_engine_with_too_few_rounds_is_named_beside_intervals_of_others(runs, tmp_path):
    report = build(runs, tmp_path, {"sklearn": STEADY, "dask": FAR[:1], "spark": FAR})
    answer = report.tables[0].answer
    # Dask's measurements lie apart from the others', which one round cannot make sure of
    assert answer.startswith("Perhaps scikit-learn fitted fastest: Spark's")
    assert "(no interval can be given for Dask); " in answer
    assert "95 % interval 3.9 to 4.1" in answer


def test_the_fastest_is_not_always_the_baseline(runs, tmp_path):
    report = build(runs, tmp_path, {"sklearn": FAR, "dask": STEADY})
    assert report.tables[0].answer.startswith(
        "Dask fitted fastest: scikit-learn's warm fit took 4.0 times as long (95 % interval 3.9"
    )
    cell = row_of(report).cells[1]
    assert show(row_of(report), cell).beside == "0.25x"
    assert cell.ratio_interval.high < 1


def test_the_ratio_beside_an_interval_is_the_one_that_it_is_of(runs, tmp_path):
    # one round apart: the median of all values is not the mean over rounds
    uneven = ((1.0, 1.0), (1.0, 1.0), (3.0, 3.0))
    row = row_of(build(runs, tmp_path, {"sklearn": STEADY, "dask": uneven}))
    shown = show(row, row.cells[1])
    ratio = row.cells[1].ratio_interval.value
    assert shown.beside == f"~{ratio:.1f}x"
    assert row.cells[1].ratio == ratio
    assert ratio > 1.4
    # the seconds beside it are those that it is the quotient of, and not the median of 1 second
    assert [show(row, cell).value for cell in row.cells] == ["1.01 s", "1.44 s"]
    assert statistics.median(value for one in uneven for value in one) == 1.0


def test_data_for_programs_has_the_intervals_in_full(runs, tmp_path):
    report = build(runs, tmp_path, {"sklearn": STEADY, "dask": NEAR})
    content = json.loads(json.dumps(as_data(report), allow_nan=False))
    rows = {row["key"]: row["cells"] for row in content["tables"][0]["rows"]}
    dask = rows["fit_warm_wall_s"]["dask/library"]
    ratio = estimate_ratio(NEAR, STEADY, paired=True)
    assert dask["ratio_interval"] == {
        "value": ratio.value,
        "low": ratio.low,
        "high": ratio.high,
        "rounds": 3,
    }
    assert dask["interval"]["low"] == estimate(NEAR).low
    # the ratio is the one that the interval is of, and that of the medians is named so
    assert dask["ratio"] == ratio.value
    assert dask["typical"] == dask["interval"]["value"] == estimate(NEAR).value
    medians = (statistics.median(value for one in side for value in one) for side in (NEAR, STEADY))
    assert dask["ratio_of_medians"] == pytest.approx(next(medians) / next(medians))
    assert dask["difference_shown"] is False
    assert "ratio_interval" not in rows["fit_warm_wall_s"]["sklearn/library"]


def test_times_of_zero_have_no_interval_and_cost_no_report(runs, tmp_path):
    zero = ((0.0, 0.0),) * 3
    report = build(runs, tmp_path, {"sklearn": zero, "dask": FAR}, null=zero)
    assert report.tables[0].answer.startswith(
        "Perhaps scikit-learn fitted fastest: Dask's warm fit took 4.05 s (no interval can be "
        "given); "
    )
    assert "is not known: scikit-learn and its null run" in report.tables[0].null_run
    for form in forms(report):
        assert "nan" not in form


def test_rounds_that_differ_beyond_measure_cost_no_report(runs, tmp_path):
    wild = ((1e-300, 1e-300), (1.0, 1.0), (1e300, 1e300))
    report = build(runs, tmp_path, {"sklearn": STEADY, "dask": wild}, null=wild)
    for form in forms(report):
        assert "or more]" in form
    assert report.tables[0].answer.startswith("No difference shown in warm fits")
    json.dumps(as_data(report), allow_nan=False)


ROUND = st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=2)
ROUNDS = st.lists(ROUND, min_size=3, max_size=5)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(ROUNDS, min_size=2, max_size=3), st.none() | ROUNDS)
def test_the_answer_claims_no_more_than_intervals_and_the_noise_floor_show(
    runs, tmp_path, gave, null
):
    times = dict(zip(("sklearn", "dask", "spark"), gave, strict=False))
    report = build(runs, tmp_path, times, null=null, rounds=1)
    (table,) = report.tables
    floor = None if null is None else noise_floor(times["sklearn"], null, paired=True)
    assert table.noise.get("fit_warm_wall_s") == floor
    fastest = min(times, key=lambda name: estimate(times[name]).value)
    others = [
        estimate_ratio(times[name], times[fastest], paired=True)
        for name in times
        if name != fastest
    ]
    shown = [difference_shown(ratio, floor) for ratio in others]
    assert table.answer.startswith("No difference shown") is not all(shown)
    for cell, name in zip(row_of(report).cells[1:], list(times)[1:], strict=True):
        ratio = estimate_ratio(times[name], times["sklearn"], paired=True)
        assert cell.difference is difference_shown(ratio, floor)
    for form in forms(report):
        assert not re.search(r"\bnan\b|\binf\b", form)


def test_three_engines_with_intervals_stand_side_by_side_at_80_columns(runs, tmp_path):
    report = build(runs, tmp_path, {"sklearn": STEADY, "dask": NEAR, "spark": FAR}, null=NEAR)
    lines = as_text(report, 80).splitlines()
    assert all(len(line) <= 80 for line in lines)
    place = next(n for n, line in enumerate(lines) if line.startswith("  fit, warm (n=6)"))
    values, spreads, intervals = (lines[place + step].split("  ") for step in range(3))
    assert [one.strip() for one in values if one.strip()] == [
        "fit, warm (n=6)", "1.01 s", "1.0x", "1.03 s", "~1.02x", "4.05 s", "4.0x",
    ]  # fmt: skip
    assert sum(bool(one.strip()) for one in spreads) == 3
    assert [one.strip() for one in intervals if one.strip()] == [
        "[0.977-1.04 s]", "[0.998-1.04x]", "[3.9-4.1x]",
    ]  # fmt: skip


def number_of(text):
    """Return a number that a report shows in any unit."""
    amount, _, unit = text.replace(",", "").removesuffix("x").removeprefix("~").partition(" ")
    scale = {"ms": 1e-3, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
    return float(amount) * scale.get(unit, 1.0)


def bounds_of(text):
    """Return the bounds of an interval that a report shows."""
    low, high = re.split(r"(?<=[\dsB])-(?=\d)", text)
    unit = high.partition(" ")[2]
    return number_of(low if " " in low or not unit else f"{low} {unit}"), number_of(high)


NEIGHBOURS = st.tuples(st.floats(1e-5, 1e5), st.lists(st.floats(0.5, 2), min_size=9, max_size=9))


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(NEIGHBOURS, min_size=3, max_size=3))
def test_a_shown_value_lies_within_its_interval_and_ratios_are_of_the_values_shown(
    runs, tmp_path, gave
):
    times = {
        name: tuple(tuple(scale * one for one in near[i : i + 3]) for i in (0, 3, 6))
        for name, (scale, near) in zip(("sklearn", "dask", "spark"), gave, strict=True)
    }
    report = build(runs, tmp_path, times)
    compared = [
        row
        for group in report.tables[0].groups
        for row in group.rows
        if row.cells[1].ratio_interval is not None
    ]
    assert {row.unit for row in compared} == {"seconds", "bytes"}
    for row in compared:
        base = row.cells[0]
        for cell in row.cells:
            shown = show(row, cell)
            assert cell.ratio == pytest.approx(cell.value / base.value, rel=1e-12)
            # three digits of each value, and two of the ratio
            quotient = number_of(shown.value) / number_of(show(row, base).value)
            assert number_of(shown.beside) == pytest.approx(quotient, rel=0.063)
            for value, interval in (
                (shown.value, shown.interval),
                (shown.beside, shown.ratio_interval),
            ):
                if interval:
                    low, high = bounds_of(interval)
                    slack = 1e-12 * high
                    assert low - slack <= number_of(value) <= high + slack, (value, interval)
                    assert low > 0


@settings(deadline=None)
@given(st.floats(1e-6, 1e6), st.floats(0, 1), st.floats(1, 1e4))
def test_a_ratio_is_shown_within_its_bounds_and_on_its_side_of_one(low, place, wide):
    high = low * wide
    value = min(max(low * wide**place, low), high)
    shown = multiple(value, low, high)
    least, most = (float(text.replace(",", "")) for text in bounds(low, high))
    assert least <= float(shown.replace(",", "")) <= most
    if abs(value - 1) > 1e-4:
        assert (float(shown.replace(",", "")) > 1) == (value > 1)


def test_engines_that_slow_down_together_are_compared_round_by_round(runs, tmp_path):
    # the host was busy in the second round: both took three times as long in it
    slow = tuple(tuple(value * factor for value in one) for factor, one in
                 zip((1, 3, 1), STEADY, strict=True))  # fmt: skip
    slower = tuple(tuple(value * 1.2 for value in one) for one in slow)
    cell = row_of(build(runs, tmp_path, {"sklearn": slow, "dask": slower})).cells[1]
    assert cell.ratio_interval.low == pytest.approx(1.2)
    assert cell.difference is True
    apart = estimate_ratio(slower, slow)
    assert apart.low < 1 < apart.high


def test_a_round_that_measured_nothing_keeps_its_place(runs, tmp_path):
    # Dask has the rounds 0, 2 and 3: its second value is of the third round
    records = records_of(runs, "dask", FAR)
    for one in records[3:]:
        one["round"] += 1
    report = build(runs, tmp_path, {"sklearn": (*STEADY, STEADY[0])}, extra=records,
                   engines=("sklearn", "dask"))  # fmt: skip
    cell = row_of(report).cells[1]
    assert cell.rounds == (FAR[0], (), FAR[1], FAR[2])
    # no pairs of the same rounds: two independent means
    assert cell.ratio_interval == estimate_ratio(FAR, (*STEADY, STEADY[0]))


def test_a_round_of_an_absurd_number_costs_no_report(runs, tmp_path):
    records = records_of(runs, "sklearn", STEADY)
    for one in records[6:]:
        one["round"] = 10**12
    runs.write(tmp_path, records, engines=("sklearn",), rounds=3, warm_repeats=2)
    cell = row_of(build_report(tmp_path)).cells[0]
    assert (cell.summary.n, cell.interval.rounds) == (6, 2)


def test_a_null_run_that_differs_by_its_own_interval_raises_a_warning(runs, tmp_path):
    report = build(runs, tmp_path, {"sklearn": STEADY, "dask": FAR}, null=SLIGHTLY)
    (warning,) = [one for one in report.warnings if "identical" in one]
    assert warning == (
        "The machine or the order in a round favours one of two identical runs in warm fits: a "
        "second scikit-learn took 1.1 times as long (95 % interval 1.09 to 1.11 over 3 rounds). "
        "The null run is always the last of its round."
    )
    assert warning in as_text(report, 400)
    for null in (NEAR, NOISY[:2]):
        other = build(runs, tmp_path / str(len(null)), {"sklearn": STEADY}, null=null)
        assert not any("identical" in one for one in other.warnings)


def test_a_warning_of_a_null_run_names_its_point(runs, tmp_path):
    points = ({"workload.n_clusters": 3}, {"workload.n_clusters": 10})
    records = [
        one
        for point, null in zip(points, (STEADY, SLIGHTLY), strict=True)
        for one in (
            *records_of(runs, "sklearn", STEADY, point=point),
            *records_of(runs, "sklearn", null, point=point, null_run=True),
        )
    ]
    runs.write(tmp_path, records, engines=("sklearn",), points=points, rounds=3, warm_repeats=2)
    (warning,) = [one for one in build_report(tmp_path).warnings if "identical" in one]
    assert warning.startswith("At workload.n_clusters = 10: The machine or the order")


def searches(runs, engine="sklearn", *, factor=1.0, cut=False, **other):
    """Return the record of one search in each of three rounds."""
    found = []
    for number in range(3):
        search = {"not_run": 2, "completed": 4} if cut else {}
        one = runs.search_record(engine, round=number, search=search, **other)
        one.update(schema=2, null_run=one.get("null_run", False))
        for phase in one["phases"]:
            phase["wall_s"] *= factor * (1 + number / 100)
        found.append(one)
    return found


def test_a_null_run_of_a_search_shows_its_noise_floor(runs, tmp_path):
    records = [
        *searches(runs), *searches(runs, "dask"), *searches(runs, factor=1.1, null_run=True),
    ]  # fmt: skip
    runs.write(tmp_path, records, engines=("sklearn", "dask"), rounds=3, warm_repeats=0)
    (table,) = build_report(tmp_path).tables
    assert table.noise["search_cold_wall_s"].factor == pytest.approx(1.1)
    assert table.null_run.startswith(
        "Noise floor of cold searches: a second scikit-learn took 1.1 times as long (the same in "
        "all 3 rounds); differences below 10 %"
    )


@pytest.mark.parametrize("which", ["first", "again"])
def test_a_search_that_a_time_budget_ended_is_no_noise_floor(runs, tmp_path, which):
    records = [
        *searches(runs, cut=which == "first"),
        *searches(runs, "dask"),
        *searches(runs, factor=0.5, null_run=True, cut=which == "again"),
    ]
    runs.write(tmp_path, records, engines=("sklearn", "dask"), rounds=3, warm_repeats=0)
    report = build_report(tmp_path)
    (table,) = report.tables
    assert table.noise == {}
    assert not any("identical" in one for one in report.warnings)
    if which == "again":
        assert table.null_run == (
            "The noise floor of cold searches is not known: a time budget ended the search of "
            "scikit-learn or of its null run."
        )
    else:
        # all of the table is about the budget
        assert table.null_run == ""


def test_with_intervals_the_limits_say_that_each_is_for_one_number(runs, tmp_path):
    many = build(runs, tmp_path / "three", {"sklearn": STEADY, "dask": FAR})
    few = build(runs, tmp_path / "two", {"sklearn": STEADY[:2], "dask": FAR[:2]})
    assert [
        any("for its one number" in one for one in report.limits) for report in (many, few)
    ] == [
        True,
        False,
    ]


def test_repeats_that_overlap_are_no_difference_even_where_their_quartiles_lie_apart(
    runs, tmp_path
):
    # one round of six repeats: a single slow one reaches into the other's range
    times = {"sklearn": ((1.0, 1.0, 1.0, 1.0, 1.0, 5.0),), "dask": ((2.0,) * 6,)}
    report = build(runs, tmp_path, times)
    assert row_of(report).cells[1].difference is False
    lying_apart = {"sklearn": ((1.0, 1.1),), "dask": ((2.0, 2.1),)}
    apart = build(runs, tmp_path / "apart", lying_apart)
    assert apart.tables[0].answer.startswith("Perhaps scikit-learn fitted fastest")
    for form in forms(apart):
        assert "which perhaps is chance" in form


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (3.91, 4.27, "3.9-4.3x"),
        (0.923, 1.223, "0.92-1.22x"),
        (9.33, 10.44, "9.3-10.4x"),
        (126.3, 128.2, "126-128x"),
        # an interval that excludes one is not shown as if it held it
        (1.003, 1.0212, "1.003-1.02x"),
        (0.2, 0.9996, "0.20-0.9996x"),
        # nor the other way round
        (0.9991, 1.0004, "0.999-1.0004x"),
        (0.023, 0.031, "0.023-0.031x"),
        (1e-9, 1e20, "1.0e-09-1.0e+20x"),
    ],
)
def test_bounds_of_a_ratio_stay_on_their_side_of_one(low, high, shown):
    assert ratio_range(low, high) == shown
    for value, text in zip((low, high), bounds(low, high), strict=True):
        assert math.copysign(1, value - 1) == math.copysign(1, float(text.replace(",", "")) - 1)


@pytest.mark.parametrize(
    ("factor", "shown"),
    [
        (1, "0 %"), (1.0012, "0.1 %"), (1.04, "4.0 %"), (1.123, "12 %"), (2.345, "a factor of 2.3"),
        (math.inf, "a factor without bound"),
    ],
)  # fmt: skip
def test_noise_is_told_as_a_percentage_or_a_factor(factor, shown):
    assert excess(factor) == shown
