"""The price of an Asian option by simulation, in blocks that do not depend on each other.

The price follows ``dS = drift S dt + volatility S dW``, so that over one trading day its logarithm
moves by ``(drift - volatility^2 / 2) dt + volatility sqrt(dt) Z`` with ``dt = 1 / days_per_year``
and standard normal ``Z``. The option pays ``max(mean of the daily prices - strike, 0)``, discounted
by ``exp(-drift days dt)`` (Glasserman, "Monte Carlo Methods in Financial Engineering", 2003,
sections 1.1 and 3.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from engines.specs import TasksSpec

# values of a block that are held at a time, so that long paths do not fill the memory
_VALUES = 2**20


class BlockSums(NamedTuple):
    """What one block of paths contributes.

    Attributes
    ----------
    paths : int
        Their number.
    total, squares : float
        Sum of the discounted payoffs, and of their squares.
    """

    paths: int
    total: float
    squares: float


@dataclass(frozen=True)
class Estimate:
    """A price estimated by simulation.

    Parameters
    ----------
    price : float
        Mean of the discounted payoffs, in the unit of the strike.
    standard_error : float
        Standard deviation of the price: that of the payoffs (divisor n - 1) over the root of
        their number.
    paths : int
        How many were simulated.
    """

    price: float
    standard_error: float
    paths: int


def blocks(spec: TasksSpec) -> range:
    """Return the numbers of the blocks of a simulation."""
    return range(math.ceil(spec.paths / spec.block_paths))


def simulation(spec: TasksSpec) -> Callable[[int], BlockSums]:
    """Return the function that simulates a block, given its number; it pickles."""
    return partial(simulate, spec)


def simulate(spec: TasksSpec, block: int) -> BlockSums:
    """Simulate one block of paths.

    Its random stream is child `block` of ``numpy.random.SeedSequence(seed)``, whoever simulates it
    and whatever else is simulated there.
    """
    n_paths = min(spec.block_paths, spec.paths - block * spec.block_paths)
    payoffs = _payoffs(spec, n_paths, stream(spec.seed, block))
    return BlockSums(n_paths, math.fsum(payoffs), math.fsum(payoffs * payoffs))


def combine(parts: Sequence[BlockSums]) -> Estimate:
    """Add blocks up; the sums are exact, so their order does not count."""
    paths = sum(part.paths for part in parts)
    total = math.fsum(part.total for part in parts)
    squares = math.fsum(part.squares for part in parts)
    price = total / paths
    variance = max(0.0, (squares - paths * price * price) / (paths - 1))
    return Estimate(price, math.sqrt(variance / paths), paths)


def stream(seed: int, *child: int) -> np.random.Generator:
    """Return the random stream of a child of a seed, as ``SeedSequence.spawn`` numbers them."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=child))


def walks(spec: TasksSpec, n_paths: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the logarithms of daily prices over today's, of shape (n_paths, days)."""
    dt = 1.0 / spec.days_per_year
    steps = rng.standard_normal((n_paths, spec.days))
    steps *= spec.volatility * math.sqrt(dt)
    steps += (spec.drift - 0.5 * spec.volatility**2) * dt
    return np.cumsum(steps, axis=1, out=steps)


def discount(spec: TasksSpec) -> float:
    """Return what one unit at the option's end is worth today."""
    return math.exp(-spec.drift * spec.days / spec.days_per_year)


def _payoffs(spec: TasksSpec, n_paths: int, rng: np.random.Generator) -> NDArray[np.float64]:
    payoffs = np.empty(n_paths)
    rows = max(1, _VALUES // spec.days)
    for first in range(0, n_paths, rows):
        logs = walks(spec, min(rows, n_paths - first), rng)
        means = spec.s0 * np.exp(logs, out=logs).mean(axis=1)
        payoffs[first : first + rows] = np.maximum(means - spec.strike, 0.0)
    return payoffs * discount(spec)
