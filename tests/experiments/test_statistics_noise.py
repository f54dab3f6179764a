"""A difference is shown only where it stands out from how much the baseline differs from itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from experiments.statistics.bootstrap import Estimate, estimate_ratio
from experiments.statistics.noise import (
    NoiseFloor,
    apart,
    difference_shown,
    greater_floor,
    noise_floor,
)


def times(rng, typical, rounds=5, spread=0.05):
    return [(float(value),) for value in typical * np.exp(spread * rng.standard_normal(rounds))]


def test_the_floor_is_the_farthest_that_the_null_run_may_lie_from_the_baseline():
    rng = np.random.default_rng(0)
    baseline, null = times(rng, 2.0), times(rng, 2.1)
    floor = noise_floor(baseline, null)
    assert floor.ratio == estimate_ratio(null, baseline)
    assert floor.factor == max(floor.ratio.high, 1 / floor.ratio.low)
    # which run is called the null run makes no difference
    assert noise_floor(null, baseline).factor == pytest.approx(floor.factor, rel=1e-12)


@pytest.mark.parametrize(("null", "factor"), [(2.5, 1.25), (1.6, 1.25), (2.0, 1.0)])
def test_without_an_interval_the_floor_is_the_difference_itself(null, factor):
    floor = noise_floor([(2.0,)], [(null,)])
    assert not floor.ratio.has_interval
    assert floor.factor == pytest.approx(factor)


def test_there_is_no_floor_without_a_null_run_that_gave_times():
    assert noise_floor([(1.0,)], []) is None
    assert noise_floor([], [(1.0,)]) is None
    assert noise_floor([(0.0,)], [(1.0,)]) is None
    assert noise_floor([(1.0,)], [(0.0,)]) is None


@pytest.mark.parametrize(
    ("ratio", "factor", "shown"),
    [
        (Estimate(1.2, 1.1, 1.3, 3), None, True),
        (Estimate(0.8, 0.7, 0.9, 3), None, True),
        (Estimate(1.2, 0.9, 1.5, 3), None, False),
        (Estimate(1.2, 1.0, 1.5, 3), None, False),
        (Estimate(1.0, 1.0, 1.0, 3), None, False),
        (Estimate(1.2, 1.1, 1.3, 3), 1.1, True),
        (Estimate(1.2, 1.1, 1.3, 3), 1.2, False),
        (Estimate(0.8, 0.7, 0.9, 3), 1.2, True),
        (Estimate(0.8, 0.7, 0.9, 3), 1.3, False),
        (Estimate(30.0, None, None, 2), None, False),
        (Estimate(30.0, None, None, 2), 1.01, False),
    ],
)
def test_a_difference_needs_an_interval_without_1_and_a_ratio_beyond_the_floor(
    ratio, factor, shown
):
    floor = None if factor is None else NoiseFloor(Estimate(factor, None, None, 1), factor)
    assert difference_shown(ratio, floor) is shown


def test_engines_that_do_not_differ_are_shown_to_differ_in_at_most_1_of_20_runs():
    rng = np.random.default_rng(1)
    alone = floored = 0
    for _ in range(2000):
        baseline, null, other = (times(rng, 3.0) for _ in range(3))
        ratio = estimate_ratio(other, baseline)
        alone += difference_shown(ratio, None)
        floored += difference_shown(ratio, noise_floor(baseline, null))
    assert 0.03 <= alone / 2000 <= 0.065
    assert floored / 2000 < 0.01


def test_a_drift_between_rounds_and_null_run_is_not_taken_for_a_difference():
    rng = np.random.default_rng(2)
    baseline, null, other = times(rng, 3.0), times(rng, 3.6), times(rng, 3.4)
    ratio = estimate_ratio(other, baseline)
    assert difference_shown(ratio, None)
    assert not difference_shown(ratio, noise_floor(baseline, null))


def test_half_and_twice_lie_equally_far_from_1():
    assert apart(0.5) == apart(2.0) == 2.0
    assert apart(0.0) == math.inf


def test_a_drift_between_rounds_that_null_run_and_baseline_share_is_no_noise():
    rng = np.random.default_rng(3)
    baseline = times(rng, 3.0, spread=0.5)
    null = [(one * factor,) for (one,), (factor,) in zip(baseline, times(rng, 1.0), strict=True)]
    floor = noise_floor(baseline, null, paired=True)
    assert floor.ratio == estimate_ratio(null, baseline, paired=True)
    assert floor.factor < 1.2 < noise_floor(baseline, null).factor


def test_the_floor_of_two_places_is_the_greater_one():
    low, high = (NoiseFloor(Estimate(one, None, None, 1), one) for one in (1.1, 1.4))
    assert greater_floor(low, None, high) == greater_floor(high, low) == high
    assert greater_floor(None, None) is None
