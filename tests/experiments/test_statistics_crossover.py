"""From which size an engine is faster is claimed with an interval that holds, or not at all."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from experiments.statistics.bootstrap import Estimate, estimate_ratio
from experiments.statistics.growth import Point, find_crossover
from experiments.statistics.noise import NoiseFloor, difference_shown

DECADES = (1e4, 1e5, 1e6, 1e7)
HALVES = (1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7)
START = (2.0, 1e-6)  # a slow start and cheap rows
LEAN = (0.01, 4e-6)  # no start to speak of, and dear rows
MEETING = (START[0] - LEAN[0]) / (LEAN[1] - START[1])


def measured(line, sizes, rng, rounds=3, spread=0.05):
    """Return points of times that vary about a line (fixed, per unit) by a factor."""
    return [
        Point(
            size,
            tuple(
                (float((line[0] + line[1] * size) * math.exp(spread * one)),)
                for one in rng.standard_normal(rounds)
            ),
        )
        for size in sizes
    ]


def points(seconds, rounds=3, spread=0.01):
    """Return points of given typical times, each with the same small spread."""
    factors = np.exp(spread * np.linspace(-1, 1, rounds)) if rounds > 1 else [1.0]
    return [
        Point(size, tuple((float(typical * factor),) for factor in factors))
        for size, typical in seconds.items()
    ]


def trials(of, to, sizes, number, **noise):
    rng = np.random.default_rng(number)
    return [
        find_crossover(measured(of, sizes, rng, **noise), measured(to, sizes, rng, **noise))
        for _ in range(number)
    ]


def holds(found, truth):
    """Tell whether the interval, open where it is not bounded, holds the true size."""
    low = -math.inf if found.low is None else found.low
    high = math.inf if found.high is None else found.high
    return low <= truth <= high


@pytest.mark.parametrize(
    ("sizes", "rounds", "spread"),
    [
        (DECADES, 3, 0.05),
        (DECADES[:3], 3, 0.05),
        (HALVES, 5, 0.02),
        (DECADES, 10, 0.2),
    ],
)
def test_the_true_size_lies_in_the_interval_in_95_percent_of_runs(sizes, rounds, spread):
    found = trials(START, LEAN, sizes, 600, rounds=rounds, spread=spread)
    claims = [one for one in found if one.verdict == "from"]
    # three sizes of three rounds, of which by chance one varies too much to decide
    assert len(claims) >= 0.97 * len(found)
    assert {one.verdict for one in found} <= {"from", "undecided"}
    held = sum(holds(one, MEETING) for one in found) / len(found)
    assert 0.93 <= held <= 0.97
    assert all(one.low <= one.size <= one.high for one in claims)


@pytest.mark.parametrize(
    ("of", "to"),
    [
        ((2.0, 4e-6), (0.01, 4e-6)),
        ((2.0, 5e-6), (0.01, 4e-6)),
        ((2.0, 3e-6), (0.01, 4e-6)),
        ((0.02, 4e-6), (0.01, 3e-6)),
    ],
    ids=["as dear rows", "dearer rows", "meeting past the largest", "both dearer"],
)
def test_an_engine_that_is_never_faster_is_never_said_to_be(of, to):
    verdicts = Counter(one.verdict for one in trials(of, to, DECADES[:3], 500))
    assert verdicts["from"] == verdicts["always"] == 0
    assert verdicts["never"] > 450


def test_where_lines_meet_just_past_the_largest_size_a_claim_is_wrong_in_1_of_40_runs():
    of = (2.0, LEAN[1] - (2.0 - LEAN[0]) / 1.01e6)
    verdicts = Counter(one.verdict for one in trials(of, LEAN, DECADES[:3], 800))
    assert verdicts["from"] / 800 <= 0.04
    assert verdicts["always"] == 0
    assert verdicts["undecided"] > 700


def test_never_tells_where_the_lines_would_meet_and_that_this_is_beyond():
    found = find_crossover(
        points({1e4: 2.01, 1e5: 2.1, 1e6: 3.0}), points({1e4: 0.02, 1e5: 0.2, 1e6: 2.0})
    )
    assert (found.verdict, found.size, found.low, found.high) == ("never", None, None, None)
    assert found.beyond == pytest.approx(2e6, rel=0.01)
    assert found.largest == 1e6


def test_lines_that_never_meet_have_no_size_beyond():
    found = find_crossover(
        points({1e4: 2.0, 1e5: 2.2, 1e6: 4.2}), points({1e4: 0.02, 1e5: 0.2, 1e6: 2.0})
    )
    assert found.verdict == "never"
    assert found.beyond is None


def test_an_engine_that_is_faster_at_every_size_is_always_faster():
    slow, fast = {1e4: 1.1, 1e5: 2.0, 1e6: 11.0}, {1e4: 0.3, 1e5: 0.6, 1e6: 3.6}
    found = find_crossover(points(fast), points(slow))
    assert (found.verdict, found.size, found.low, found.high, found.beyond) == (
        "always",
        *[None] * 4,
    )
    assert find_crossover(points(slow), points(fast)).verdict == "never"


def test_an_engine_that_is_faster_at_small_sizes_only_is_not_said_to_be_never_faster():
    rng = np.random.default_rng(0)
    of, to = measured(LEAN, DECADES, rng), measured(START, DECADES, rng)
    found = find_crossover(of, to)
    assert found.verdict == "undecided"
    assert find_crossover(to, of).verdict == "from"


@pytest.mark.parametrize("rounds", [1, 2])
def test_with_fewer_than_three_rounds_nothing_is_decided(rounds):
    of, to = {1e4: 2.01, 1e5: 2.1, 1e6: 3.0}, {1e4: 0.04, 1e5: 0.4, 1e6: 4.0}
    found = find_crossover(points(of, rounds), points(to, rounds))
    assert found.verdict == "undecided"
    assert (found.low, found.high) == (None, None)
    assert found.size == pytest.approx(2e6 / 3, rel=0.02)
    assert find_crossover(points(of, rounds), points(to, 5)).verdict == "undecided"


def test_sizes_with_few_rounds_or_of_one_engine_only_do_not_count():
    of = points({1e3: 2.0, 1e4: 2.01, 1e5: 2.1, 1e6: 3.0})
    to = points({1e4: 0.04, 1e5: 0.4, 1e6: 4.0, 1e7: 40.0})
    found = find_crossover([*of, Point(1e7, ((12.0,),))], to)
    assert found.verdict == "from"
    assert found.largest == 1e6


@pytest.mark.parametrize(
    "of",
    [{}, {1e4: 1.0, 1e5: 2.0}, {1e4: 1.0, 1e5: 2.0, 3e6: 3.0}],
    ids=["none", "two", "two that both have"],
)
def test_below_three_common_sizes_there_is_no_answer(of):
    assert find_crossover(points(of), points({1e4: 1.0, 1e5: 2.0, 1e6: 3.0})) is None


def test_a_failed_size_is_no_size():
    of, to = {1e4: 2.01, 1e5: 2.1, 1e6: 3.0}, {1e4: 0.04, 1e5: 0.4, 1e6: 4.0}
    failed = [Point(1e7, ()), Point(1e8, ((),))]
    assert find_crossover([*points(of), *failed], points(to)) == find_crossover(
        points(of), [*points(to), *failed]
    )


def test_differences_within_the_noise_floor_decide_nothing():
    of, to = {1e4: 0.95, 1e5: 1.9, 1e6: 9.5}, {1e4: 1.0, 1e5: 2.0, 1e6: 10.0}
    floor = NoiseFloor(Estimate(1.1, None, None, 1), 1.1)
    for one, other, verdict in ((of, to, "always"), (to, of, "never")):
        assert find_crossover(points(one), points(other)).verdict == verdict
        assert find_crossover(points(one), points(other), floor).verdict == "undecided"


def test_engines_alike_are_rarely_told_apart():
    verdicts = Counter(one.verdict for one in trials(LEAN, LEAN, DECADES, 500))
    assert verdicts["undecided"] / 500 > 0.9


def test_an_engine_faster_from_the_first_sizes_on_has_no_lower_bound():
    of, to = {1e4: 0.99, 1e5: 1.8, 1e6: 9.0}, {1e4: 1.0, 1e5: 2.0, 1e6: 12.0}
    found = find_crossover(points(of, spread=0.05), points(to, spread=0.05))
    assert found.verdict == "from"
    assert found.low is None
    assert 1e4 <= found.size <= found.high < 1e6


@pytest.mark.parametrize("curve", [1.6, 1.3, 0.7])
def test_times_that_follow_no_line_are_bounded_by_what_single_sizes_show(curve):
    sizes = (1e3, 1e4, 1e5, 1e6)
    to = {size: (size / 1e3) ** curve for size in sizes}
    of = {size: seconds * 4 * (size / 1e3) ** -0.4 for size, seconds in to.items()}
    found = find_crossover(points(of), points(to))
    assert found.verdict == "from"
    # 4 * x**-0.4 is 1 at 32 times the smallest size
    assert found.low >= 1e4
    assert found.high <= 1e5
    assert found.low <= found.size <= found.high


def test_where_a_line_misses_a_size_that_decides_the_sizes_around_it_are_the_interval():
    of, to = {10: 0.96, 100: 2.18, 1000: 12.0}, {10: 0.39, 100: 1.96, 1000: 20.91}
    found = find_crossover(points(of, spread=0.04), points(to, spread=0.04))
    # the lines meet at 88, but at 100 the engine was shown to be slower
    assert (found.verdict, found.low, found.high) == ("from", 100, 1000)
    assert found.size == pytest.approx(
        100 * 10 ** (math.log(2.18 / 1.96) / math.log(2.18 / 1.96 * 20.91 / 12))
    )


def test_a_claim_never_reaches_past_the_sizes_measured():
    rng = np.random.default_rng(11)
    claims = 0
    for _ in range(300):
        lines = 10 ** rng.uniform(-1, 0.5, (2, 2)) * (1, 1e-6)
        of, to = (measured(line, DECADES, rng, spread=0.2) for line in lines)
        found = find_crossover(of, to)
        bounds = [one for one in (found.low, found.size, found.high) if one is not None]
        assert bounds == sorted(bounds)
        assert all(DECADES[0] <= one <= found.largest == DECADES[-1] for one in bounds)
        assert found.beyond is None or found.beyond > found.largest
        if found.verdict == "from":
            claims += 1
            assert None not in {found.size, found.high}
    assert claims > 50


def test_lines_show_what_single_sizes_are_too_few_rounds_to_show():
    of, to = {10: 1.08, 100: 1.99, 1000: 9.8}, {10: 1.26, 100: 2.15, 1000: 11.9}
    found = find_crossover(points(of, spread=0.05), points(to, spread=0.05))
    assert found.verdict == "always"
    # at 100 the two differ by less than the interval there
    at_100 = {100: 1.99}, {100: 2.15}
    ratio = estimate_ratio(*(points(one, spread=0.05)[0].rounds for one in at_100))
    assert not difference_shown(ratio, None)


def test_sizes_that_contradict_one_another_decide_nothing():
    of, to = {1e4: 1.0, 1e5: 1.0, 1e6: 1.0, 1e7: 1.0}, {1e4: 0.5, 1e5: 2.0, 1e6: 0.5, 1e7: 2.0}
    found = find_crossover(points(of), points(to))
    assert found.verdict == "undecided"
    assert (found.low, found.high) == (None, None)


def test_times_without_any_spread_give_an_interval_of_no_width():
    of, to = {1e4: 2.01, 1e5: 2.1, 1e6: 3.0}, {1e4: 0.04, 1e5: 0.4, 1e6: 4.0}
    found = find_crossover(points(of, spread=0), points(to, spread=0))
    assert found.verdict == "from"
    assert found.low == pytest.approx(2e6 / 3, rel=1e-6)
    assert found.high == pytest.approx(2e6 / 3, rel=1e-6)


def test_the_same_times_give_the_same_answer():
    rng = np.random.default_rng(7)
    of, to = measured(START, DECADES, rng), measured(LEAN, DECADES, rng)
    assert find_crossover(of, to) == find_crossover(of[::-1], to)


def test_a_size_in_the_middle_that_shows_nothing_is_not_past_the_interval():
    of, to = {10: 0.5, 100: 1.02, 1000: 0.5}, {10: 1.0, 100: 1.0, 1000: 1.0}
    found = find_crossover(points(of, spread=0.03), points(to, spread=0.03))
    assert (found.verdict, found.low, found.high) == ("from", None, 1000)


def test_an_engine_not_seen_to_be_faster_at_the_smallest_size_is_not_faster_from_there():
    of, to = {10: 1.01, 100: 1.7, 1000: 8.0}, {10: 1.0, 100: 2.0, 1000: 11.0}
    found = find_crossover(points(of, spread=0.08), points(to, spread=0.08))
    assert found.verdict == "from"
    assert found.low is None
    assert 10 < found.size < found.high <= 1000


def test_lines_alone_do_not_claim_sizes_below_one_that_was_measured_slower():
    of = {10: 0.9, 40: 1.12, 160: 2.12, 640: 5.72, 2560: 27.86, 10240: 77.61}
    to = {10: 1.1, 40: 1.4, 160: 2.6, 640: 7.4, 2560: 26.6, 10240: 103.4}
    found = find_crossover(points(of, spread=0.1), points(to, spread=0.1))
    assert (found.verdict, found.low, found.high) == ("from", None, 10240)
    assert 2560 < found.size < 10240


def in_turns(of, to, sizes, rng, spreads, *, rounds=3, drift=0.0):
    """Return points of two engines that share a drift, whose own spread is another at each size."""
    found = ([], [])
    for size, spread in zip(sizes, spreads, strict=True):
        shared = drift * rng.standard_normal(rounds)
        for (fixed, per_unit), points in zip((of, to), found, strict=True):
            off = shared + spread * rng.standard_normal(rounds)
            times = tuple((float((fixed + per_unit * size) * math.exp(one)),) for one in off)
            points.append(Point(size, times))
    return found


@pytest.mark.parametrize(
    ("sizes", "rounds", "spreads", "drift", "paired"),
    [
        (DECADES, 3, (0.03,) * 4, 0.3, True),
        (HALVES, 5, (0.03,) * 7, 0.1, True),
        (DECADES, 3, (0.08, 0.03, 0.12, 0.36), 0.0, True),
        (DECADES, 3, (0.08, 0.03, 0.12, 0.36), 0.0, False),
        (DECADES, 5, (0.4, 0.2, 0.1, 0.03), 0.0, True),
        (DECADES, 5, (0.03, 0.1, 0.2, 0.4), 0.1, True),
    ],
    ids=["drift", "slight drift", "unlike", "unlike, no pairs", "noisy start", "noisy end"],
)
def test_the_true_size_lies_in_the_interval_whatever_rounds_share_and_sizes_vary(
    sizes, rounds, spreads, drift, paired
):
    rng = np.random.default_rng(5)
    trials, claims = 500, Counter()
    held = 0
    for _ in range(trials):
        of, to = in_turns(START, LEAN, sizes, rng, spreads, rounds=rounds, drift=drift)
        found = find_crossover(of, to, paired=paired)
        claims[found.verdict] += 1
        held += holds(found, MEETING)
    # where spreads are unlike and rounds few, rather too wide than too narrow
    assert 0.93 <= held / trials <= 0.98
    assert claims["from"] > 0.85 * trials
    assert claims["always"] == claims["never"] == 0


def test_a_calm_size_never_shows_what_a_noisy_one_does_not():
    of = [*points({1e4: 2.0, 1e5: 2.1}, spread=0.01), *points({1e6: 3.0}, spread=0.5)]
    to = [*points({1e4: 0.04, 1e5: 0.4}, spread=0.01), *points({1e6: 4.0}, spread=0.5)]
    to[-1] = Point(1e6, to[-1].rounds[::-1])
    ratio = estimate_ratio(of[-1].rounds, to[-1].rounds, paired=True)
    assert not difference_shown(ratio, None)
    assert find_crossover(of, to, paired=True).verdict == "undecided"


def test_what_rounds_share_does_not_hide_a_difference_at_every_size():
    rng = np.random.default_rng(8)
    of, to = in_turns((0.8, 8e-7), (1.0, 1e-6), DECADES, rng, (0.02,) * 4, drift=0.5)
    assert find_crossover(of, to, paired=True).verdict == "always"
    assert find_crossover(of, to).verdict == "undecided"


def test_each_size_has_its_own_noise_floor():
    of, to = {1e4: 0.95, 1e5: 1.9, 1e6: 9.5}, {1e4: 1.0, 1e5: 2.0, 1e6: 10.0}
    floor = NoiseFloor(Estimate(1.1, None, None, 1), 1.1)
    assert find_crossover(points(of), points(to), {1e4: None}).verdict == "always"
    assert find_crossover(points(of), points(to), dict.fromkeys(of, floor)).verdict == "undecided"
    assert find_crossover(points(of), points(to), {1e6: floor}).verdict == "undecided"
