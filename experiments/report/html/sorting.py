"""Find the number that a cell of text is sorted by."""

from __future__ import annotations

import re

_NUMBER = re.compile(
    r"(?P<number>[-−]?(?:\d[\d,]*)(?:\.\d+)?(?:e[-+]?\d+)?)"  # noqa: RUF001 - a minus
    r"(?:\s?(?:-|±|–)\s?[\d.,]+(?:e[-+]?\d+)?)?"  # noqa: RUF001 - what follows it in a range
    r"\s?(?P<unit>[A-Za-z%µ]+)?",
    re.IGNORECASE,
)
_UNITS = {
    "ms": 1e-3,
    "min": 60.0,
    "h": 3600.0,
    "%": 1e-2,
    "kib": 2.0**10,
    "mib": 2.0**20,
    "gib": 2.0**30,
    "tib": 2.0**40,
}


def sort_value(text: str) -> float | None:
    """Return the number that a text begins with, in the base unit of what it measures.

    Parameters
    ----------
    text : str
        As `experiments.report.numbers` shows it: ``"376 ms"``, ``"1,797"``, ``"3.60 GiB"``.

    Returns
    -------
    float or None
        None where it begins with no number; it is sorted as text then.
    """
    found = _NUMBER.match(text)
    if found is None:
        return None
    number = float(found["number"].replace(",", "").replace("−", "-"))  # noqa: RUF001
    return number * _UNITS.get((found["unit"] or "").lower(), 1.0)
