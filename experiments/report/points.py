"""Name some of the points of a sweep in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_NAMED = 3


def at_points(some: Sequence[str], every: Sequence[str]) -> str:
    """Name points by their titles; nothing where they are all there are.

    Parameters
    ----------
    some : sequence of str
        Titles of the points that something is true of.
    every : sequence of str
        Titles of all points that it could be true of.

    Returns
    -------
    str
        Three points by name, and how many more there are.
    """
    if len(set(some)) == len(set(every)):
        return ""
    named = "; ".join(some[:_MOST_NAMED])
    more = len(some) - _MOST_NAMED
    return f"{named} and {more:,} more" if more > 0 else named
