"""Round numbers for display; nowhere else is a number rounded.

Every function takes None for a number that does not exist, and shows a dash.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MISSING = "-"
_MOST_DIGITS = 6
_UNITS = (1, 10**3, 10**6, 10**9)
_LEAST_SECONDS = 0.01
# Seconds below which milliseconds would be a row of zeros
_LEAST_DECIMAL = 5e-7
# A duration that may still be told in seconds beside one of seconds
_LEAST_SHARED = 0.01
# Ratios beyond these are told by their power of ten
_LEAST_PLAIN, _MOST_PLAIN = 1e-4, 1e7
_MEMORY_UNITS = ("KiB", "MiB", "GiB", "TiB")


def significant(value: float, digits: int) -> str:
    """Return a number with so many significant digits, and with no fewer before its point."""
    if value == 0:
        return "0"
    shown = f"{value:.{digits - 1}e}"
    exponent = int(shown.partition("e")[2])
    return f"{value:,.{max(0, digits - 1 - exponent)}f}"


def distinct(value: float, digits: int) -> str:
    """Round to so many digits, with more where that would make it one: 0.9996 is not 1."""
    text = ""
    for more in range(digits, _MOST_DIGITS + 1):
        text = significant(value, more)
        if _number(text) != 1:
            break
    return text


def seconds(value: float | None) -> str:
    """Return a duration: milliseconds below a second, three digits."""
    if value is None:
        return MISSING
    if value and abs(value) < _LEAST_DECIMAL:
        return f"{value:.2e} s"
    if float(f"{abs(value):.2e}") < 1:
        return f"{significant(value * 1e3, 3)} ms" if value else "0 s"
    return f"{significant(value, 3)} s"


def seconds_range(low: float, high: float) -> str:
    """Return two durations, each with the digits of `seconds`: what lies between is shown between.

    They are in the unit of the greater one, unless the lesser is a hundredth of it or less.
    """
    first, second = seconds(low), seconds(high)
    if second.endswith(" s") and first.endswith(" ms") and low >= _LEAST_SHARED:
        first = f"{significant(low, 3)} s"
    return _range(first, second)


def memory(value: float | None) -> str:
    """Return bytes in the binary unit that leaves at most four digits before the point."""
    if value is None:
        return MISSING
    if value < 1024:
        return f"{value:.0f} B"
    scaled, unit = _scaled(value)
    return f"{significant(scaled, 3)} {unit}"


def memory_range(low: float, high: float) -> str:
    """Return two amounts of bytes, each in a unit of its own where these differ."""
    return _range(memory(low), memory(high))


def score(value: float | None) -> str:
    """Return a score with six significant digits, enough to see where engines differ."""
    if value is None:
        return MISSING
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.5e}"
    if float(value).is_integer():
        return f"{value:,.0f}"
    shown = significant(value, 6)
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def deviation(value: float | None) -> str:
    """Return a standard deviation, of which two digits say all."""
    if value is None:
        return MISSING
    return f"{value:.1e}" if value and abs(value) < 1e-4 else significant(value, 2)


def score_range(low: float, high: float) -> str:
    """Return two scores, which may be negative: a dash between them would be a sign."""
    return f"{score(low)} to {score(high)}"


def number(value: float | None) -> str:
    """Return a plain number with three significant digits."""
    if value is None:
        return MISSING
    return f"{value:,.0f}" if float(value).is_integer() else significant(value, 3)


def number_range(low: float, high: float) -> str:
    """Return two plain numbers."""
    return f"{number(low)}-{number(high)}"


def ratio(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """Return how many times as much something is: ``"4.1x"``; see `multiple`."""
    return "" if value is None else f"{multiple(value, low, high)}x"


def multiple(value: float, low: float | None = None, high: float | None = None) -> str:
    """Return how many times as much something is as a number alone: ``"4.1"``.

    It has two digits, three from a hundred on, and more where two would make it one.

    Parameters
    ----------
    value : float
        The ratio.
    low, high : float, optional
        Its interval: the text then lies within the texts that `bounds` gives for it.
    """
    digits = 2 if float(f"{value:.1e}") < 100 else 3
    if low is None or high is None:
        return _multiple(value, digits)
    least, most = bounds(low, high)
    if value <= _number(least):
        return least
    if value >= _number(most):
        return most
    text = ""
    for more in range(digits, _MOST_DIGITS + 2):
        text = _multiple(value, more)
        if _number(least) <= _number(text) <= _number(most):
            break
    return text


def bounds(low: float, high: float) -> tuple[str, str]:
    """Return the bounds of a ratio's interval, with as many digits as keep them apart, and from 1.

    An interval from 1.003 to 1.02 excludes 1, which ``"1.0"`` and ``"1.0"`` would hide.
    """
    texts = ("", "")
    for digits in range(2, _MOST_DIGITS + 1):
        first = _bound(low, digits)
        decimals = len(first.partition(".")[2])
        texts = first, _bound(high, max(digits, 3), decimals)
        if texts[0] != texts[1] or low == high:
            break
    return texts


def ratio_range(low: float, high: float) -> str:
    """Return the interval of how many times as much something is: ``"3.9-4.3x"``."""
    return f"{'-'.join(bounds(low, high))}x"


def excess(factor: float) -> str:
    """Return by how much a factor of at least 1 differs from 1."""
    if not math.isfinite(factor):
        return "a factor without bound"
    if factor >= 2:
        return f"a factor of {_bound(factor, 2)}"
    percent = (factor - 1) * 100
    return "0 %" if percent < 0.005 else f"{significant(percent, 1 if percent < 1 else 2)} %"


def share(value: float | None) -> str:
    """Return a share of one as a percentage."""
    if value is None:
        return ""
    percent = value * 100
    return "0%" if percent < 0.05 else f"{significant(percent, 1 if percent < 1 else 2)}%"


def rough(value: float, digits: int = 2) -> str:
    """Return a count that was estimated: so many significant digits, also before its point."""
    return significant(float(f"{value:.{digits - 1}e}"), digits)


def units_told(costs: Iterable[float]) -> int:
    """Return for how many units costs are told, so that none is a tiny part of a second.

    Parameters
    ----------
    costs : iterable of float
        Seconds for one unit each; zero has no say.

    Returns
    -------
    int
        1, a thousand, a million or a billion.
    """
    least = min((cost for cost in costs if cost > 0), default=1.0)
    return next((one for one in _UNITS if least * one >= _LEAST_SECONDS), _UNITS[-1])


def rough_duration(value: float) -> str:
    """Return a duration that was only guessed, in the unit that one would say it in."""
    if value < 59.5:
        return f"{max(value, 0):.0f} s"
    if value < 5370:
        return f"{value / 60:.0f} min"
    return f"{significant(value / 3600, 2)} h"


def _bound(value: float, digits: int, decimals: int = _MOST_DIGITS) -> str:
    """Return a bound of an interval, with no more decimals than the other unless it needs them."""
    if value and not _LEAST_PLAIN <= value < _MOST_PLAIN:
        # few rounds that differ much can put it anywhere
        return f"{value:.1e}"
    text = significant(value, digits)
    if len(text.partition(".")[2]) > decimals:
        text = f"{value:,.{decimals}f}"
    for more in range(digits, _MOST_DIGITS + 1):
        if _on_its_side(value, text):
            break
        text = significant(value, more)
    return text


def _multiple(value: float, digits: int) -> str:
    if value and not _LEAST_PLAIN <= value < _MOST_PLAIN:
        return f"{value:.1e}"
    text = distinct(value, digits)
    # so near to one that no digit shown would tell
    return significant(value, digits) if _number(text) == 1 else text


def _on_its_side(value: float, text: str) -> bool:
    shown = _number(text)
    return (shown > 1) == (value > 1) and (shown < 1) == (value < 1)


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _range(first: str, second: str) -> str:
    """Return two amounts with their units, of which one is enough where both have the same."""
    amount, _, unit = first.partition(" ")
    return f"{amount}-{second}" if second.endswith(f" {unit}") else f"{first}-{second}"


def _scaled(value: float) -> tuple[float, str]:
    power = min(len(_MEMORY_UNITS), int(math.log(value, 1024)))
    # 1023.96 MiB rounds to four digits: show it in the next unit
    if power < len(_MEMORY_UNITS) and float(f"{value / 1024**power:.2e}") >= 1000:
        power += 1
    return value / 1024**power, _MEMORY_UNITS[power - 1]
