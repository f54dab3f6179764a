"""Time over size is told as a fixed time and a time for each row, and how well that fits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import nnls

from experiments.statistics.growth import Point, fit_growth

DECADES = (1e4, 1e5, 1e6, 1e7)


def measured(fixed, per_unit, sizes=DECADES, *, rounds=3, spread=0.05, seed=0):
    """Return points of times that vary about a line by a factor."""
    rng = np.random.default_rng(seed)
    return [
        Point(
            size,
            tuple(
                (float((fixed + per_unit * size) * math.exp(spread * one)),)
                for one in rng.standard_normal(rounds)
            ),
        )
        for size in sizes
    ]


def test_times_on_a_line_give_back_the_line():
    found = fit_growth(measured(2.0, 3e-6, spread=0))
    assert found.fixed.value == pytest.approx(2.0, rel=1e-9)
    assert found.per_unit.value == pytest.approx(3e-6, rel=1e-9)
    assert found.worst_deviation == pytest.approx(1, abs=1e-9)
    assert (found.smallest, found.largest) == (1e4, 1e7)
    assert found.at(5e6) == pytest.approx(17, rel=1e-9)
    assert found.fixed.high == pytest.approx(found.fixed.low, rel=1e-6)


@pytest.mark.parametrize(
    ("fixed", "per_unit", "sizes"),
    [(2.0, 1e-6, DECADES), (0.01, 4e-6, DECADES[:3]), (30.0, 0.5, (1, 2, 5, 10, 20, 50, 100))],
)
def test_both_costs_lie_in_their_intervals_in_95_percent_of_runs(fixed, per_unit, sizes):
    trials = 800
    held = np.zeros(2)
    for seed in range(trials):
        found = fit_growth(measured(fixed, per_unit, sizes, seed=seed))
        held += (
            found.fixed.low <= fixed <= found.fixed.high,
            found.per_unit.low <= per_unit <= found.per_unit.high,
        )
    assert np.all(held / trials >= 0.93)
    assert np.all(held / trials <= 0.97)


def test_the_fit_is_the_least_relative_error_that_scipy_finds():
    for seed in range(20):
        points = measured(0.3, 1e-6, spread=0.3, seed=seed)
        found = fit_growth(points)
        fitted = np.array([found.at(size) for size in DECADES])
        times = [np.exp(np.mean(np.log(np.ravel(point.rounds)))) for point in points]
        columns = np.column_stack([np.ones(4), np.array(DECADES) / 1e7])
        expected, _ = nnls(columns / fitted[:, None], np.array(times) / fitted)
        assert (found.fixed.value, found.per_unit.value * 1e7) == pytest.approx(
            expected, rel=1e-3, abs=1e-9
        )


def test_a_long_time_does_not_decide_alone():
    points = measured(1.0, 1e-6, spread=0)
    slower = [*points[:-1], Point(1e7, ((12.0,),) * 3)]
    found = fit_growth(slower)
    # by absolute errors the start would be a tenth of a second off
    assert found.fixed.value == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("seconds", "fixed", "per_unit"),
    [((1.0, 30.0, 900.0), 0.0, None), ((9.0, 5.0, 3.0), None, 0.0)],
    ids=["faster than a line", "falling"],
)
def test_neither_cost_is_negative(seconds, fixed, per_unit):
    points = [Point(10.0**i, ((one,),) * 3) for i, one in enumerate(seconds)]
    found = fit_growth(points)
    assert found.fixed.value >= 0
    assert found.per_unit.value >= 0
    assert found.fixed.low >= 0
    assert found.per_unit.low >= 0
    if fixed is not None:
        assert found.fixed.value == fixed
    if per_unit is not None:
        assert found.per_unit.value == per_unit


def test_a_size_off_the_line_shows_in_the_worst_deviation_and_widens_the_intervals():
    points = measured(2.0, 1e-6, spread=0.01)
    good = fit_growth(points)
    assert good.worst_deviation < 1.03
    off = [*points[:2], Point(1e6, ((12.0,), (12.1,), (11.9,))), *points[3:]]
    bad = fit_growth(off)
    assert bad.worst_deviation > 2
    assert bad.fixed.high / bad.fixed.value > 3 * good.fixed.high / good.fixed.value


def test_below_three_sizes_there_is_no_fit():
    points = measured(1.0, 1e-6)
    assert fit_growth(points[:2]) is None
    assert fit_growth([]) is None
    assert fit_growth([*points[:2], points[1]]) is None
    assert fit_growth([*points[:2], Point(1e6, ()), Point(1e7, ((),))]) is None
    assert fit_growth([*points[:2], Point(0.0, ((1.0,),)), Point(1e6, ((0.0,),))]) is None


@pytest.mark.parametrize("rounds", [1, 2])
def test_fewer_than_three_rounds_have_a_line_without_intervals(rounds):
    found = fit_growth(measured(2.0, 1e-6, rounds=rounds))
    assert found.at(1e6) == pytest.approx(3.0, rel=0.2)
    assert not found.fixed.has_interval
    assert not found.per_unit.has_interval
    assert found.fixed.rounds == rounds


def test_one_size_with_few_rounds_takes_the_intervals_away():
    points = measured(2.0, 1e-6)
    found = fit_growth([*points[:-1], Point(1e7, points[-1].rounds[:2])])
    assert not found.fixed.has_interval
    assert found.fixed.rounds == 2


def test_the_order_of_points_does_not_matter_and_the_same_times_give_the_same_interval():
    points = measured(2.0, 1e-6)
    assert fit_growth(points) == fit_growth(points[::-1])
    parts = [Point(point.size, (one,)) for point in points for one in point.rounds]
    assert fit_growth(parts) == fit_growth(points)


def test_sizes_that_hardly_differ_and_times_that_differ_wildly_give_numbers():
    for sizes in ((1e7, 1e7 + 1, 1e7 + 2), (1.0, 1e6, 1e12)):
        for seed in range(5):
            found = fit_growth(measured(1.0, 1e-6, sizes, spread=3.0, seed=seed))
            values = [found.fixed, found.per_unit]
            assert all(0 <= one.low <= one.value <= one.high < math.inf for one in values)


def test_costs_lie_in_their_intervals_also_where_sizes_vary_unlike():
    trials, spreads, held = 500, (0.08, 0.03, 0.12, 0.36), np.zeros(2)
    rng = np.random.default_rng(9)
    for _ in range(trials):
        points = [
            Point(size, tuple((float((2 + 1e-6 * size) * math.exp(one)),) for one in noise))
            for size, noise in zip(
                DECADES, np.array(spreads)[:, None] * rng.standard_normal((4, 3)), strict=True
            )
        ]
        found = fit_growth(points)
        held += (
            found.fixed.low <= 2 <= found.fixed.high,
            found.per_unit.low <= 1e-6 <= found.per_unit.high,
        )
    # where spreads are unlike and rounds few, rather too wide than too narrow
    assert np.all(held / trials >= 0.93)
    assert np.all(held / trials <= 0.99)
