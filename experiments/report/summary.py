"""Median and spread of repeated measurements."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

# From so many values on the quartiles say more than the extremes, which only grow with n
FEWEST_FOR_QUARTILES = 5


@dataclass(frozen=True)
class Summary:
    """What repeated measurements come down to.

    Parameters
    ----------
    median : float
        Of all values.
    low, high : float
        Least and greatest value, or the quartiles.
    spread : {"none", "range", "quartiles"}
        What `low` and `high` are; "none" for a single value.
    n : int
        Number of values.
    """

    median: float
    low: float
    high: float
    spread: Literal["none", "range", "quartiles"]
    n: int


def summarise(values: Iterable[float | None]) -> Summary | None:
    """Summarise repeated measurements; None if there are none.

    Parameters
    ----------
    values : iterable of float or None
        None stands for a measurement that failed, and is left out.

    Returns
    -------
    Summary or None
        The spread is the range below five values, and the quartiles from five on (linear
        interpolation between order statistics: Hyndman & Fan 1996, definition 7, which is also
        NumPy's).
    """
    known = sorted(float(value) for value in values if value is not None)
    if not known:
        return None
    median = statistics.median(known)
    if len(known) == 1:
        return Summary(median, median, median, "none", 1)
    if len(known) < FEWEST_FOR_QUARTILES:
        return Summary(median, known[0], known[-1], "range", len(known))
    low, _, high = statistics.quantiles(known, n=4, method="inclusive")
    return Summary(median, low, high, "quartiles", len(known))
