from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.monte_carlo import Estimate, blocks, combine, simulate, stream, walks
from engines.specs import TasksSpec
from experiments.errors import RequestError
from experiments.metrics import default_metrics, reference_price, score_estimate
from experiments.metrics.simulation import _PILOT, _REFERENCE, geometric_price

ALL = ("estimate", "standard_error", "reference_error", "reference_z")


def plain(spec: TasksSpec, n_paths: int) -> Estimate:
    """Simulate the arithmetic option as its definition says, with a generator of its own."""
    rng = np.random.default_rng(99)
    dt = 1 / spec.days_per_year
    total = np.zeros(n_paths)
    price = np.full(n_paths, spec.s0)
    for _ in range(spec.days):
        moved = (spec.drift - spec.volatility**2 / 2) * dt
        price *= np.exp(moved + spec.volatility * np.sqrt(dt) * rng.standard_normal(n_paths))
        total += price
    payoffs = np.maximum(total / spec.days - spec.strike, 0)
    payoffs *= np.exp(-spec.drift * spec.days * dt)
    return Estimate(float(payoffs.mean()), float(payoffs.std(ddof=1)) / math.sqrt(n_paths), n_paths)


@pytest.mark.parametrize(
    "option",
    [
        {"days": 30},
        {"days": 30, "strike": 110, "volatility": 0.6, "drift": -0.1},
        {"days": 50, "days_per_year": 10, "volatility": 0.4, "s0": 20, "strike": 15},
        {"days": 12, "strike": 0},
    ],
)
def test_the_reference_is_what_a_plain_simulation_finds_within_its_standard_error(
    option: dict[str, Any],
) -> None:
    spec = TasksSpec(**option, reference_paths=20_000)
    reference, simple = reference_price(spec), plain(spec, 200_000)
    apart = abs(reference.price - simple.price)
    assert apart < 3 * math.hypot(reference.standard_error, simple.standard_error)
    assert reference.paths == 20_000
    # the control explains nearly all of the payoff: ten times the paths are worth far less
    assert reference.standard_error < simple.standard_error


def test_the_references_standard_error_is_the_spread_of_references() -> None:
    found = [
        reference_price(TasksSpec(days=20, volatility=0.5, reference_paths=3000, seed=seed))
        for seed in range(60)
    ]
    spread = np.std([one.price for one in found], ddof=1)
    # of 60 draws a standard deviation is right to a tenth
    assert spread == pytest.approx(np.mean([one.standard_error for one in found]), rel=0.3)


@pytest.mark.parametrize("strike", [0.0, 60.0, 100.0, 140.0])
def test_without_volatility_the_price_is_that_of_the_certain_mean(strike: float) -> None:
    spec = TasksSpec(volatility=1e-12, strike=strike, drift=0.07, days=40, reference_paths=2000)
    daily = 100 * np.exp(0.07 * np.arange(1, 41) / 252)
    certain = max(daily.mean() - strike, 0) * math.exp(-0.07 * 40 / 252)
    found = reference_price(spec)
    assert found.price == pytest.approx(certain, rel=1e-9, abs=1e-9)
    assert found.standard_error == pytest.approx(0, abs=1e-6)


def test_a_volatility_whose_square_is_zero_is_no_volatility() -> None:
    spec = TasksSpec(volatility=1e-200, strike=90, drift=0.0, days=5, reference_paths=10)
    assert reference_price(spec).price == pytest.approx(10, rel=1e-12)


@pytest.mark.parametrize(
    "option",
    [{"days": 20}, {"days": 5, "strike": 120, "volatility": 0.9}, {"days": 8, "strike": 0}],
)
def test_the_closed_form_is_the_mean_payoff_of_the_geometric_mean(option: dict[str, Any]) -> None:
    spec = TasksSpec(**option)
    logs = walks(spec, 400_000, np.random.default_rng(5))
    payoffs = np.maximum(spec.s0 * np.exp(logs.mean(axis=1)) - spec.strike, 0)
    payoffs *= math.exp(-spec.drift * spec.days / spec.days_per_year)
    error = payoffs.std() / math.sqrt(len(payoffs))
    assert geometric_price(spec) == pytest.approx(payoffs.mean(), abs=3 * error)


def test_of_one_day_the_price_is_that_of_black_and_scholes() -> None:
    # the only daily price is the last one, so both means are the price itself
    spec = TasksSpec(days=1, days_per_year=1, s0=42, strike=40, drift=0.1, volatility=0.2)
    # Hull, "Options, Futures, and Other Derivatives", example 15.6, for half a year is 4.76
    half = TasksSpec(days=1, days_per_year=2, s0=42, strike=40, drift=0.1, volatility=0.2)
    assert geometric_price(half) == pytest.approx(4.76, abs=0.005)
    found = reference_price(spec)
    assert found.price == pytest.approx(geometric_price(spec), rel=1e-12)
    assert found.standard_error == pytest.approx(0, abs=1e-12)


def test_the_reference_does_not_depend_on_the_paths_and_blocks_of_the_tasks() -> None:
    one = TasksSpec(days=300, paths=100, block_paths=7, reference_paths=9000)
    other = TasksSpec(days=300, paths=2000, block_paths=500, reference_paths=9000)
    assert reference_price(one) == reference_price(other)
    assert reference_price(one) != reference_price(one.model_copy(update={"seed": 1}))


@given(st.integers(0, 2**31 - 1), st.integers(0, 10**12))
@settings(max_examples=50, deadline=None)
def test_no_task_shares_its_stream_with_the_reference(seed: int, block: int) -> None:
    of_task = stream(seed, block).integers(2**63, size=4).tolist()
    for child in (_PILOT, (*_REFERENCE, 0), (*_REFERENCE, block)):
        assert stream(seed, *child).integers(2**63, size=4).tolist() != of_task


def test_paths_beyond_one_block_are_all_counted() -> None:
    # 2**20 values a block: 1000 days leave 1048 paths to each
    spec = TasksSpec(days=1000, days_per_year=1000, reference_paths=2100)
    few = spec.model_copy(update={"reference_paths": 1048})
    assert reference_price(spec).paths == 2100
    assert reference_price(spec).standard_error < reference_price(few).standard_error


@pytest.mark.parametrize(
    "option", [{"drift": 1e4}, {"drift": -1e6}, {"volatility": 1e200}, {"s0": 1e308, "drift": 3}]
)
def test_prices_beyond_float64_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="leave the range of float64; lower s0, drift"):
        reference_price(TasksSpec(**option, reference_paths=100))


def test_an_estimate_is_scored_against_the_reference() -> None:
    estimate, reference = Estimate(5.0, 0.3, 100), Estimate(4.5, 0.4, 1000)
    found = score_estimate(estimate, reference, ALL)
    assert found.values == {
        "estimate": 5.0,
        "standard_error": 0.3,
        "reference_error": 0.5,
        "reference_z": pytest.approx(1.0),
    }
    assert found.undefined == {}
    assert default_metrics("tasks", None, labelled=False) == ALL
    assert list(score_estimate(estimate, reference, ["reference_z"]).values) == ["reference_z"]


def test_an_error_below_the_reference_is_negative_and_its_z_is_not() -> None:
    found = score_estimate(Estimate(4.0, 0.3, 100), Estimate(4.5, 0.4, 1000), ALL).values
    assert found["reference_error"] == -0.5
    assert found["reference_z"] == pytest.approx(1.0)


def test_certain_estimates_have_no_z() -> None:
    found = score_estimate(Estimate(0.0, 0.0, 100), Estimate(0.0, 0.0, 1000), ALL)
    assert found.values["reference_z"] is None
    assert found.undefined == {
        "reference_z": "neither the estimate nor the reference has a standard error"
    }


def test_a_metric_of_a_model_does_not_score_an_estimate() -> None:
    with pytest.raises(ValueError, match="no metric 'accuracy' for simulation"):
        score_estimate(Estimate(0.0, 0.0, 2), Estimate(0.0, 0.0, 2), ["accuracy"])


def test_the_engines_estimate_agrees_with_the_reference() -> None:
    spec = TasksSpec(days=60, paths=20_000, reference_paths=20_000)
    estimate = combine([simulate(spec, block) for block in blocks(spec)])
    z = score_estimate(estimate, reference_price(spec), ["reference_z"]).values["reference_z"]
    assert z is not None
    assert z < 3
