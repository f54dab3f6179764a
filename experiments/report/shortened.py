"""Lists that data may make as long as it likes, cut for readers who look at a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from experiments.records import RECORDS_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

# What nobody reads to its end is counted from there on
MOST_LISTED = 50
MOST_ROWS = 300
MOST_SEARCHES = 72

_T = TypeVar("_T")


def shorten(items: Sequence[_T], most: int = MOST_LISTED, foot: int = 0) -> Sequence[_T]:
    """Return the first of some items, and those of them that end a table.

    Parameters
    ----------
    items : sequence
        Any number.
    most : int
        How many are left, without the last ones.
    foot : int
        How many of the last ones are left as well.
    """
    if len(items) <= most + foot:
        return items
    return [*items[:most], *items[len(items) - foot :]]


def tell_rest(
    items: Sequence[object], most: int = MOST_LISTED, where: str = RECORDS_FILE, foot: int = 0
) -> str:
    """Say how many items `shorten` left out and which file has them; empty where it has all."""
    rest = len(items) - most - foot
    return f"And {rest:,} more, which {where} has." if rest > 0 else ""
