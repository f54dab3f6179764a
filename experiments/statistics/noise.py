"""How much the baseline differs from itself, and which differences stand out from that."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from experiments.statistics.bootstrap import Estimate, estimate_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """By how much two runs of the same thing differed.

    Parameters
    ----------
    ratio : Estimate
        The null run over the baseline. Without an interval, the floor rests on its value alone.
    factor : float
        At least 1. Differences by less than this factor are noise. It is the farthest of the
        ratio and its bounds from 1, on a logarithmic scale.
    """

    ratio: Estimate
    factor: float


# One for all sizes, or for each size its own
Floors: TypeAlias = NoiseFloor | Mapping[float, NoiseFloor | None] | None


def noise_floor(
    baseline: Sequence[Sequence[float]],
    null: Sequence[Sequence[float]],
    *,
    paired: bool = False,
) -> NoiseFloor | None:
    """Return the noise floor that a null run shows.

    Parameters
    ----------
    baseline, null : sequence of sequence of float
        Repeats by round of the baseline, and of its second run as if it were another engine.
    paired : bool
        Whether round i of the one took turns with round i of the other: see
        `experiments.statistics.bootstrap.estimate_ratio`.

    Returns
    -------
    NoiseFloor or None
        None where there is no ratio of the two.
    """
    ratio = estimate_ratio(null, baseline, paired=paired)
    if ratio is None or not 0 < ratio.value < math.inf:
        return None
    known = [value for value in (ratio.value, ratio.low, ratio.high) if value is not None]
    return NoiseFloor(ratio, max(apart(value) for value in known))


def difference_shown(ratio: Estimate, floor: NoiseFloor | None) -> bool:
    """Tell whether measurements show that two things differ.

    Parameters
    ----------
    ratio : Estimate
        One thing over the other.
    floor : NoiseFloor or None
        None if there was no null run.

    Returns
    -------
    bool
        True if the interval leaves 1 out and the ratio lies beyond the floor. False without an
        interval, which is not to say that there is no difference.
    """
    if ratio.low is None or ratio.high is None:
        return False
    if ratio.low <= 1 <= ratio.high:
        return False
    return floor is None or apart(ratio.value) > floor.factor


def floor_at(floors: Floors, size: float) -> NoiseFloor | None:
    """Return the noise floor at a size; None where there is none."""
    return floors.get(size) if isinstance(floors, Mapping) else floors


def greater_floor(*floors: NoiseFloor | None) -> NoiseFloor | None:
    """Return the floor below which a difference is noise in either of several places."""
    known = [one for one in floors if one is not None]
    return max(known, key=lambda one: one.factor, default=None)


def apart(ratio: float) -> float:
    """Return the factor, at least 1, by which a ratio lies away from 1 on either side."""
    if ratio <= 0:
        return math.inf
    return max(ratio, 1 / ratio)
