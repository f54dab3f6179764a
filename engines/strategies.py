"""How candidates of a search are drawn and thinned out: pure schedules, without any engine.

Grids, draws and the halving schedule are those of scikit-learn, to the last bit, so that a search
here and one written by hand with scikit-learn try the same candidates in the same order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from engines.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scipy.stats.distributions import rv_frozen

DistributionKind = Literal["uniform", "loguniform", "randint"]

# scikit-learn's: two rows of each class in each fold
_ROWS_OF_A_CLASS_IN_A_FOLD = 2


@dataclass(frozen=True)
class Distribution:
    """What random values of one parameter are drawn from.

    Parameters
    ----------
    kind : {"uniform", "loguniform", "randint"}
        Even over the values, even over their logarithms, or even over whole numbers.
    low, high : float
        Bounds; `high` itself is never drawn where the values are whole.
    """

    kind: DistributionKind
    low: float
    high: float


@dataclass(frozen=True)
class Rung:
    """One round of halving.

    Parameters
    ----------
    iteration : int
        Its number.
    n_candidates : int
        Candidates that are scored in it.
    n_resources : int
        How much of the resource each of them is given.
    """

    iteration: int
    n_candidates: int
    n_resources: int


def grid(space: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return every combination, in the order of ``sklearn.model_selection.ParameterGrid``.

    Parameters
    ----------
    space : mapping of str to sequence
        The values of each parameter.
    """
    from sklearn.model_selection import ParameterGrid

    return list(ParameterGrid({name: list(values) for name, values in space.items()}))


def sample(
    space: Mapping[str, Sequence[Any] | Distribution], n: int, seed: int
) -> list[dict[str, Any]]:
    """Draw candidates as ``sklearn.model_selection.ParameterSampler`` draws them.

    Parameters
    ----------
    space : mapping of str to sequence or Distribution
        What each parameter is drawn from. With lists alone no candidate is drawn twice, and there
        are at most as many as combinations.
    n : int
        How many to draw.
    seed : int
        Its ``random_state``.

    Returns
    -------
    list of dict
        Values of lists as they are, drawn ones as plain Python numbers.
    """
    from sklearn.model_selection import ParameterSampler

    drawn_from = {
        name: _frozen(values) if isinstance(values, Distribution) else list(values)
        for name, values in space.items()
    }
    lists = [values for values in drawn_from.values() if isinstance(values, list)]
    if len(lists) == len(drawn_from):
        n = min(n, math.prod(len(values) for values in lists))
    return [
        {name: _plain(value) for name, value in candidate.items()}
        for candidate in ParameterSampler(drawn_from, n_iter=n, random_state=seed)
    ]


def smallest_rows(n_folds: int, n_classes: int | None) -> int:
    """Return the fewest rows that halving gives a candidate.

    Parameters
    ----------
    n_folds : int
        Number of folds.
    n_classes : int or None
        Classes that are learned; None or 0 if none are.
    """
    return n_folds * _ROWS_OF_A_CLASS_IN_A_FOLD * (n_classes or 1)


def halving(
    n_candidates: int,
    *,
    factor: float,
    min_resources: int | Literal["exhaust", "smallest"],
    smallest: int,
    max_resources: int,
    aggressive_elimination: bool,
) -> tuple[Rung, ...]:
    """Return the schedule of successive halving.

    It is that of ``sklearn.model_selection.HalvingGridSearchCV`` (Jamieson and Talwalkar,
    "Non-stochastic best arm identification and hyperparameter optimization", 2016).

    Parameters
    ----------
    n_candidates : int
        Candidates of the first round.
    factor : float
        Each round keeps one in so many candidates, and gives each so many times more.
    min_resources : int, "smallest" or "exhaust"
        What a candidate of the first round is given: a number; `smallest`; or what makes the last
        round use as much of `max_resources` as it can, but never less than `smallest`.
    smallest : int
        See `min_resources`.
    max_resources : int
        The most that a candidate is ever given.
    aggressive_elimination : bool
        Whether to thin out with the least resources until enough are left to end with at most
        `factor` candidates, where the resources would not suffice otherwise.

    Raises
    ------
    SpecError
        If the first round needs more than there is.
    """
    least: float = smallest if isinstance(min_resources, str) else min_resources
    if least > max_resources:
        raise SpecError(
            f"min_resources, {least}, is more than max_resources, {max_resources}; lower the first "
            f"or raise the second."
        )
    n_required = 1 + math.floor(math.log(n_candidates, factor))
    if min_resources == "exhaust":
        least = max(least, max_resources // factor ** (n_required - 1))
    n_possible = 1 + math.floor(math.log(max_resources // least, factor))
    rungs = []
    for iteration in range(n_required if aggressive_elimination else min(n_possible, n_required)):
        power = max(0, iteration - n_required + n_possible) if aggressive_elimination else iteration
        n_resources = min(int(factor**power * least), max_resources)
        rungs.append(Rung(iteration, n_candidates, n_resources))
        n_candidates = kept(n_candidates, factor)
    return tuple(rungs)


def kept(n_candidates: int, factor: float) -> int:
    """Return how many candidates a round of halving hands on to the next."""
    return math.ceil(n_candidates / factor)


def survivors(scores: Sequence[float | None], k: int) -> list[int]:
    """Return which candidates of a round go on to the next, and in which order.

    Parameters
    ----------
    scores : sequence of float or None
        Mean score of each candidate, higher being better; None where it has none.
    k : int
        How many go on, at least 1.

    Returns
    -------
    list of int
        Their positions, the worst first, as ``HalvingGridSearchCV`` hands them on: what has no
        score counts as worst, and equal scores are in the order that ``numpy.argsort`` gives them.
    """
    import numpy as np

    values = np.array([math.nan if score is None else score for score in scores], dtype=np.float64)
    # argsort puts those without a score last, where the best belong
    order = np.roll(np.argsort(values), np.count_nonzero(np.isnan(values)))
    return [int(position) for position in order[-k:]]


def best(scores: Sequence[float | None]) -> int:
    """Return the position of the greatest score, the first of equal ones; 0 if there is none."""
    known = [position for position, score in enumerate(scores) if score is not None]
    return max(known, key=lambda position: (scores[position], -position), default=0)


def _frozen(distribution: Distribution) -> rv_frozen:
    from scipy import stats

    low, high = distribution.low, distribution.high
    match distribution.kind:
        case "uniform":
            return stats.uniform(low, high - low)
        case "loguniform":
            return stats.loguniform(low, high)
        case "randint":
            return stats.randint(low, high)


def _plain(value: Any) -> Any:
    """Return a NumPy number as the Python one."""
    import numpy as np

    return value.item() if isinstance(value, np.generic) else value
