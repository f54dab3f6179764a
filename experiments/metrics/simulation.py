"""What a simulated price is compared with: a reference that is more precise by orders.

The reference takes the discounted payoff of the geometric mean of the daily prices as a control
variate (Kemna and Vorst, "A pricing method for options based on average asset values", 1990;
Glasserman, "Monte Carlo Methods in Financial Engineering", 2003, sections 4.1.1 and 4.1.2). The
logarithm of that mean is normal, so the control's expectation has the closed form of a European
call (Glasserman, section 3.2.2), and of the payoff of the arithmetic mean only what the control
does not explain is left to chance. The coefficient comes from paths of its own, which keeps the
estimate unbiased.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from engines.monte_carlo import BlockSums, Estimate, combine, discount, stream, walks
from experiments.errors import RequestError
from experiments.metrics.errors import UndefinedMetricError
from experiments.metrics.scoring import check_fit, gather

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from engines.specs import TasksSpec
    from experiments.metrics.scoring import Scores

# values of a block of paths; the same on every machine, as each block has a random stream
_VALUES = 2**20
_PILOT_PATHS = 2000
# payoffs whose deviation is a smaller share of the greatest differ by little more than rounding
_CERTAIN = 1e-6
# The blocks of the tasks are the children (0), (1), ... of the seed. A child with a longer key
# shares its stream with none of them.
_REFERENCE = (0, 0, 0)
_PILOT = (0, 0, 1)


def reference_price(spec: TasksSpec) -> Estimate:
    """Return the price of the option that `spec` describes, from ``spec.reference_paths`` paths.

    Parameters
    ----------
    spec : TasksSpec
        The option. Neither its paths nor its blocks matter.

    Returns
    -------
    engines.monte_carlo.Estimate
        Memory holds one block of paths at a time, of 8 MiB or one path.

    Raises
    ------
    RequestError
        If prices leave the range of float64.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            expected = geometric_price(spec)
            coefficient = _coefficient(spec)
            parts = [
                _sums(spec, n_paths, block, coefficient)
                for block, n_paths in enumerate(_block_sizes(spec))
            ]
            left = combine(parts)
            found = Estimate(
                left.price + coefficient * expected, left.standard_error, spec.reference_paths
            )
            finite = math.isfinite(found.price) and math.isfinite(found.standard_error)
        except (OverflowError, ValueError):  # as math has it for infinite and undefined numbers
            finite = False
    if not finite:
        raise RequestError(
            "workload: the prices of this option leave the range of float64; lower s0, drift, "
            "volatility or days."
        )
    return found


def geometric_price(spec: TasksSpec) -> float:
    """Return the price of the call on the geometric mean of the daily prices, in closed form.

    Over ``n`` days of ``dt`` years the logarithm of that mean is normal, with the mean
    ``log(s0) + (drift - volatility^2 / 2) dt (n + 1) / 2`` and the variance
    ``volatility^2 dt (n + 1) (2 n + 1) / (6 n)``.
    """
    n, dt = spec.days, 1.0 / spec.days_per_year
    mean = math.log(spec.s0) + (spec.drift - 0.5 * spec.volatility**2) * dt * (n + 1) / 2
    variance = spec.volatility**2 * dt * (n + 1) * (2 * n + 1) / (6 * n)
    forward = math.exp(mean + 0.5 * variance)
    deviation = math.sqrt(variance)
    if spec.strike == 0 or deviation == 0:
        return discount(spec) * max(forward - spec.strike, 0.0)
    above = (mean - math.log(spec.strike)) / deviation
    return discount(spec) * (forward * _normal(above + deviation) - spec.strike * _normal(above))


def score_estimate(estimate: Estimate, reference: Estimate, names: Iterable[str]) -> Scores:
    """Compare an estimate with the reference.

    Parameters
    ----------
    estimate, reference : engines.monte_carlo.Estimate
        Of the same option, from other random streams.
    names : iterable of str
        Names of `experiments.metrics.METRICS` for simulations.

    Returns
    -------
    Scores

    Raises
    ------
    ValueError
        If a metric is unknown or does not score simulations.
    """
    names = tuple(names)
    check_fit(names, "simulation")
    error = estimate.price - reference.price
    finish: dict[str, Callable[[], float]] = {
        "estimate": lambda: estimate.price,
        "standard_error": lambda: estimate.standard_error,
        "reference_error": lambda: error,
        "reference_z": partial(
            _z, error, math.hypot(estimate.standard_error, reference.standard_error)
        ),
    }
    return gather({name: finish[name] for name in names})


def _z(error: float, deviation: float) -> float:
    if deviation > 0:
        return abs(error) / deviation
    raise UndefinedMetricError("neither the estimate nor the reference has a standard error")


def _block_sizes(spec: TasksSpec) -> list[int]:
    size = max(1, _VALUES // spec.days)
    whole, rest = divmod(spec.reference_paths, size)
    return [size] * whole + ([rest] if rest else [])


def _sums(spec: TasksSpec, n_paths: int, block: int, coefficient: float) -> BlockSums:
    payoffs, controls = _payoffs(spec, n_paths, stream(spec.seed, *_REFERENCE, block))
    left = payoffs - coefficient * controls
    return BlockSums(n_paths, math.fsum(left), math.fsum(left * left))


def _coefficient(spec: TasksSpec) -> float:
    """Return the slope of the payoffs over those of the geometric mean.

    It is 1 where these hardly vary, as then the slope would be one of rounding errors.
    """
    n_paths = max(2, min(_PILOT_PATHS, _VALUES // spec.days))
    payoffs, controls = _payoffs(spec, n_paths, stream(spec.seed, *_PILOT))
    apart = controls - controls.mean()
    if apart.std() <= _CERTAIN * controls.max():
        return 1.0
    return float(apart @ payoffs) / float(apart @ apart)


def _payoffs(
    spec: TasksSpec, n_paths: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the discounted payoffs of the arithmetic and of the geometric means of paths."""
    logs = walks(spec, n_paths, rng)
    geometric = spec.s0 * np.exp(logs.mean(axis=1))
    arithmetic = spec.s0 * np.exp(logs, out=logs).mean(axis=1)
    factor = discount(spec)
    return (
        np.maximum(arithmetic - spec.strike, 0.0) * factor,
        np.maximum(geometric - spec.strike, 0.0) * factor,
    )


def _normal(x: float) -> float:
    """Return the standard normal distribution function, exact in both tails."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))
