"""Whether what was measured of two engines shows a difference between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.statistics.noise import apart, difference_shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.statistics.bootstrap import Estimate
    from experiments.statistics.noise import NoiseFloor


def differ(
    of: Sequence[Sequence[float]],
    to: Sequence[Sequence[float]],
    ratio: Estimate | None,
    floor: NoiseFloor | None,
) -> bool:
    """Tell whether a difference is shown between two engines.

    It is where the interval of their ratio excludes one and the ratio lies beyond the noise floor.
    Where there is no interval, no measurement of one may lie among those of the other instead:
    that is less, as repeats of one round are no measurements of their own, and whoever tells it
    says that no interval can be given.

    Parameters
    ----------
    of, to : sequence of sequence of float
        What was measured of both, by round.
    ratio : Estimate or None
        How many times as much the one is as the other.
    floor : NoiseFloor or None
        By how much an engine differed from itself; None where that is unknown.
    """
    if ratio is not None and ratio.has_interval:
        return difference_shown(ratio, floor)
    return not overlap(of, to) and not _within(floor, ratio)


def overlap(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> bool:
    """Tell whether the ranges of all measurements of two engines overlap, or touch.

    Parameters
    ----------
    one, other : sequence of sequence of float
        Measurements by round; at least one of each.
    """
    first, second = ([value for repeats in side for value in repeats] for side in (one, other))
    return min(first) <= max(second) and min(second) <= max(first)


def _within(floor: NoiseFloor | None, ratio: Estimate | None) -> bool:
    """Tell whether a ratio without interval is no more than the noise floor."""
    return floor is not None and ratio is not None and apart(ratio.value) <= floor.factor
