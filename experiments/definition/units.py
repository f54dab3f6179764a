"""Sizes such as ``4 GiB`` and durations such as ``10 min``: read, and written back exactly."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from experiments.definition.wording import shown

# ordered from small to large, so that formatting can try the largest first
SIZE_UNITS = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
DURATION_UNITS = {"s": 1, "min": 60, "h": 3600}

SIZE_PATTERN = r"^[0-9]+(\.[0-9]+)? ?([KkMmGgTt][Ii]?)?[Bb]$"
DURATION_PATTERN = r"^[0-9]+(\.[0-9]+)? ?(s|min|h)$"

LONGEST_S = 30 * 24 * 3600.0

# a longer text is no number that anybody means
_MOST_CHARACTERS = 40
_SIZE_EXPECTED = "must be a size above zero such as 4 GiB or 500 MB, or a whole number of bytes"
_DURATION_EXPECTED = (
    "must be a duration above zero and of at most 30 days such as 10 min, 90 s or 1.5 h, "
    "or a number of seconds"
)


def parse_size(value: Any) -> int:
    """Return a size in bytes.

    Parameters
    ----------
    value : int or str
        Bytes, or a number and a unit: KB, MB, GB and TB are powers of 1000, KiB, MiB, GiB and TiB
        powers of 1024. Capitals do not matter.

    Returns
    -------
    int
        Bytes, at least 1; a fraction of a byte is cut off.

    Raises
    ------
    ValueError
        If it is no such size.
    """
    refusal = f"{_SIZE_EXPECTED}; got {shown(value)}"
    if isinstance(value, str):
        units = {unit.lower(): factor for unit, factor in SIZE_UNITS.items()}
        amount = int(_amount(value.lower(), SIZE_PATTERN, units, refusal))
    elif isinstance(value, int) and not isinstance(value, bool):
        amount = value
    else:
        raise ValueError(refusal)  # noqa: TRY004 - the error that pydantic translates
    if amount <= 0:
        raise ValueError(refusal)
    return amount


def parse_duration(value: Any) -> float:
    """Return a duration in seconds.

    Parameters
    ----------
    value : int, float or str
        Seconds, or a number and one of the units s, min and h.

    Returns
    -------
    float
        Seconds, above 0 and at most `LONGEST_S`.

    Raises
    ------
    ValueError
        If it is no such duration.
    """
    refusal = f"{_DURATION_EXPECTED}; got {shown(value)}"
    seconds: Fraction | float
    if isinstance(value, str):
        seconds = _amount(value, DURATION_PATTERN, DURATION_UNITS, refusal)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value
    else:
        raise ValueError(refusal)  # noqa: TRY004 - the error that pydantic translates
    if not 0 < seconds <= LONGEST_S:
        raise ValueError(refusal)
    return float(seconds)


def format_size(size: int) -> str:
    """Return the shortest text that `parse_size` reads as exactly `size` bytes."""
    exact = [unit for unit, factor in reversed(SIZE_UNITS.items()) if size % factor == 0]
    texts = [f"{size // SIZE_UNITS[unit]} {unit}" for unit in exact]
    return min(texts, key=len)


def format_duration(seconds: float) -> str | float:
    """Return a text in the largest unit that fits exactly, or the number if none does."""
    for unit, factor in reversed(DURATION_UNITS.items()):
        if seconds % factor == 0:
            return f"{int(seconds // factor)} {unit}"
    return seconds


def _amount(text: str, pattern: str, units: dict[str, int], refusal: str) -> Fraction:
    """Return the exact amount that a number with a unit stands for."""
    if len(text) > _MOST_CHARACTERS or not re.search(pattern.replace("$", r"\Z"), text):
        raise ValueError(refusal)
    number = re.match(r"[0-9.]+", text)
    digits = number.group() if number else ""
    return Fraction(digits) * units[text[len(digits) :].strip()]


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": SIZE_PATTERN},
            ],
            "examples": ["4 GiB", "500 MB"],
        }
    ),
]
Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": DURATION_PATTERN},
            ],
            "examples": ["10 min", "90 s", "1.5 h"],
        }
    ),
]
