"""Numbers are rounded for display alike everywhere, and never so far that a difference is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.report import numbers
from experiments.report.summary import summarise


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0, "0 s"),
        (1.234e-5, "0.0123 ms"),
        (0.01234, "12.3 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (12.345, "12.3 s"),
        (99.96, "100 s"),
        (12345.6, "12,346 s"),
    ],
)
def test_durations_have_three_digits_and_milliseconds_below_a_second(value, shown):
    assert numbers.seconds(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (200 * 2**20, "200 MiB"),
        (1023.99 * 2**20, "1.00 GiB"),
        (4 * 2**30, "4.00 GiB"),
        (5000 * 2**40, "5,000 TiB"),
    ],
)
def test_memory_is_shown_in_binary_units(value, shown):
    assert numbers.memory(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (1, "1.0x"),
        (0.0432, "0.043x"),
        (4.12, "4.1x"),
        (9.96, "10x"),
        # what is not 1 is not shown as 1, unless no digit would tell
        (1.04, "1.04x"),
        (0.9996, "0.9996x"),
        (1.0000001, "1.0x"),
        (1e-9, "1.0e-09x"),
        (2e9, "2.0e+09x"),
        (15.7, "16x"),
        (1234.5, "1,234x"),
    ],
)
def test_ratios_have_two_digits(value, shown):
    assert numbers.ratio(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (1.0, "1"),
        (0.951, "0.951"),
        (0.9876543, "0.987654"),
        (-0.25, "-0.25"),
        (1165133.7172, "1,165,134"),
        (1278901607.0, "1.27890e+09"),
        (0.0000123456789, "1.23457e-05"),
    ],
)
def test_scores_have_six_digits(value, shown):
    assert numbers.score(value) == shown


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_a_shown_duration_is_within_half_a_percent(value):
    amount, unit = numbers.seconds(value).split()
    seconds = float(amount.replace(",", "")) * (1e-3 if unit == "ms" else 1)
    assert seconds == pytest.approx(value, rel=0.00501)


@given(st.floats(min_value=1e-12, max_value=1e12))
def test_scores_that_differ_in_the_fifth_digit_are_shown_apart(value):
    assert numbers.score(value) != numbers.score(value * 1.00002)


def test_ranges_have_the_digits_of_single_values_and_one_unit_where_that_loses_none():
    assert numbers.seconds_range(0.9, 12.34) == "0.900-12.3 s"
    # never 0 for what is above it, whatever the other bound is
    assert numbers.seconds_range(0.0004, 1.23) == "0.400 ms-1.23 s"
    assert numbers.seconds_range(1e-9, 0.5) == "1.00e-09 s-500 ms"
    assert numbers.seconds_range(0, 1.23) == "0-1.23 s"
    assert numbers.seconds_range(0.0119, 0.0131) == "11.9-13.1 ms"
    assert numbers.memory_range(1.5 * 2**20, 2 * 2**20) == "1.50-2.00 MiB"
    assert numbers.memory_range(2**20, 2**30) == "1.00 MiB-1.00 GiB"
    assert numbers.score_range(-0.5, -0.25) == "-0.5 to -0.25"


def test_the_spread_is_the_range_below_five_values_and_the_quartiles_from_five_on():
    assert summarise([]) is None
    assert summarise([None]) is None
    one = summarise([3.0])
    assert (one.median, one.spread, one.n) == (3.0, "none", 1)
    four = summarise([4.0, 1.0, None, 2.0, 3.0])
    assert (four.median, four.low, four.high, four.spread, four.n) == (2.5, 1.0, 4.0, "range", 4)
    assert summarise([1.0, 2.0, 3.0, 4.0, 100.0]).high == 4.0


@given(st.lists(st.floats(min_value=-1e9, max_value=1e9), min_size=5, max_size=40))
def test_median_and_quartiles_are_those_of_numpy(values):
    summary = summarise(values)
    expected = np.quantile(values, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(
        [summary.low, summary.median, summary.high], expected, rtol=1e-9, atol=1e-6
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0, "0"),
        (0.0123456, "0.012"),
        (1.39e-17, "1.4e-17"),
        (0.5, "0.50"),
        (12345.6, "12,346"),
    ],
)
def test_a_deviation_has_two_digits(value, shown):
    assert numbers.deviation(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-1.0, "0 s"),
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (5369, "89 min"),
        (5400, "1.5 h"),
        (360000, "100 h"),
    ],
)
def test_a_duration_that_was_guessed_is_told_as_one_would_say_it(value, shown):
    assert numbers.rough_duration(value) == shown
