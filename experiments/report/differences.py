"""Whether what was measured of two engines shows a difference between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.statistics.noise import difference_shown

if TYPE_CHECKING:
    from experiments.report.summary import Summary
    from experiments.statistics.bootstrap import Estimate
    from experiments.statistics.noise import NoiseFloor


def differ(of: Summary, to: Summary, ratio: Estimate | None, floor: NoiseFloor | None) -> bool:
    """Tell whether a difference is shown between two engines.

    It is where the interval of their ratio excludes one and the ratio lies beyond the noise floor.
    Where there is no interval, the spreads that the table shows must not overlap instead.

    Parameters
    ----------
    of, to : Summary
        What was measured of both.
    ratio : Estimate or None
        How many times as much the one is as the other.
    floor : NoiseFloor or None
        By how much an engine differed from itself; None where that is unknown.
    """
    if ratio is not None and ratio.has_interval:
        return difference_shown(ratio, floor)
    return not overlap(of, to) and not within(floor, of.median, to.median)


def overlap(one: Summary, other: Summary) -> bool:
    """Tell whether the spreads of two engines overlap, or touch."""
    return one.low <= other.high and other.low <= one.high


def within(floor: NoiseFloor | None, one: float, other: float) -> bool:
    """Tell whether two numbers differ by no more than the noise floor."""
    if floor is None or min(one, other) <= 0:
        return False
    return max(one, other) / min(one, other) <= floor.factor
