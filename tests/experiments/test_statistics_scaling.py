"""Speed-up is told relative to the fewest workers, and an engine must beat one thread to count."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.statistics.bootstrap import Estimate, estimate_ratio
from experiments.statistics.growth import Point
from experiments.statistics.noise import NoiseFloor
from experiments.statistics.scaling import cost, scaling


def point(workers, typical, rounds=5, spread=0.02, seed=0):
    rng = np.random.default_rng((seed, int(workers)))
    values = typical * np.exp(spread * rng.standard_normal(rounds))
    return Point(workers, tuple((float(value),) for value in values))


def test_speed_up_and_efficiency_are_relative_to_the_fewest_workers():
    points = [point(8, 2.5), point(2, 8.0), point(4, 4.0)]
    found = scaling(points)
    assert found.workers == (2, 4, 8)
    assert found.speedup[1] == estimate_ratio(points[1].rounds, points[2].rounds)
    assert [one.value for one in found.speedup] == pytest.approx([1, 2, 3.2], rel=0.05)
    assert [one.value for one in found.efficiency] == pytest.approx([1, 1, 0.8], rel=0.05)
    for speedup, efficiency, factor in zip(found.speedup, found.efficiency, (1, 2, 4), strict=True):
        assert efficiency.low == speedup.low / factor
        assert efficiency.high == speedup.high / factor


def test_the_fewest_workers_are_as_fast_as_themselves_without_doubt():
    found = scaling([point(1, 8.0), point(2, 4.0)])
    assert found.speedup[0] == found.efficiency[0] == Estimate(1.0, 1.0, 1.0, 5)


def test_few_rounds_have_a_speed_up_without_an_interval():
    found = scaling([point(1, 8.0, rounds=2), point(2, 4.0, rounds=2)])
    assert not any(one.has_interval for one in (*found.speedup, *found.efficiency))
    assert found.efficiency[1].value == found.speedup[1].value / 2


def test_numbers_of_workers_that_failed_are_left_out():
    found = scaling([Point(1, ()), point(2, 4.0), point(4, 2.0), Point(8, ((),))])
    assert found.workers == (2, 4)


@pytest.mark.parametrize(
    "points",
    [[], [point(2, 1.0)], [Point(1, ()), point(2, 1.0)], [point(0, 1.0), point(1, 1.0)]],
    ids=["none", "one", "one left", "zero workers"],
)
def test_one_number_of_workers_does_not_scale(points):
    assert scaling(points) is None


def test_the_cost_is_the_fewest_workers_that_beat_one_thread():
    points = [point(8, 1.5), point(1, 9.0), point(4, 2.5), point(2, 5.0)]
    one_thread = point(1, 4.0, seed=1).rounds
    assert cost(points, one_thread) == 4
    assert cost(points[:0], one_thread) is None
    assert cost(points, point(1, 1.0, seed=1).rounds) is None


def test_being_faster_must_be_shown_to_count():
    one_thread = point(1, 4.0, seed=1).rounds
    assert cost([point(2, 1.0, rounds=2)], one_thread) is None
    doubtful = Point(2, ((1.5,), (2.0,), (4.5,), (2.5,), (5.0,)))
    assert cost([doubtful], one_thread) is None
    floor = NoiseFloor(Estimate(1.5, None, None, 1), 1.5)
    assert cost([point(2, 3.0), point(4, 2.0)], one_thread) == 2
    assert cost([point(2, 3.0), point(4, 2.0)], one_thread, floor) == 4


def test_each_number_of_workers_must_beat_one_thread_beyond_its_own_noise():
    one_thread = point(1, 4.0, seed=1).rounds
    points = [point(2, 3.0), point(4, 2.0)]
    floor = NoiseFloor(Estimate(1.5, None, None, 1), 1.5)
    assert cost(points, one_thread, {2: floor, 4: None}) == 4
    assert cost(points, one_thread, {4: floor}) == 2
