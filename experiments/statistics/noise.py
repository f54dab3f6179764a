"""How much the baseline differs from itself, and which differences stand out from that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

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


def noise_floor(
    baseline: Sequence[Sequence[float]], null: Sequence[Sequence[float]]
) -> NoiseFloor | None:
    """Return the noise floor that a null run shows.

    Parameters
    ----------
    baseline, null : sequence of sequence of float
        Repeats by round of the baseline, and of its second run as if it were another engine.

    Returns
    -------
    NoiseFloor or None
        None where there is no ratio of the two.
    """
    ratio = estimate_ratio(null, baseline)
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


def apart(ratio: float) -> float:
    """Return the factor, at least 1, by which a ratio lies away from 1 on either side."""
    if ratio <= 0:
        return math.inf
    return max(ratio, 1 / ratio)
