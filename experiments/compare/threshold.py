"""The share by which a time may grow before it counts as a failure, as a person writes it."""

from __future__ import annotations

import re
from typing import Final

from experiments.errors import RequestError

_PATTERN: Final = re.compile(r"(?P<amount>[0-9]+(?:\.[0-9]*)?|\.[0-9]+) ?(?P<percent>%?)")
# a longer text is no number that anybody means
_MOST_CHARACTERS: Final = 40


def parse_threshold(text: str) -> float:
    """Return a share of one.

    Parameters
    ----------
    text : str
        A percentage such as ``10%``, or a share below 1 such as ``0.1``.

    Returns
    -------
    float
        0.1 for both; 0 or more.

    Raises
    ------
    RequestError
        If it is neither. A plain number of 1 or more is refused: ``10`` may be meant either way.
    """
    found = _PATTERN.fullmatch(text.strip()) if len(text) <= _MOST_CHARACTERS else None
    if found is None:
        raise RequestError(
            "--fail-above: must be a percentage such as 10%, or a share below 1 such as 0.1; got "
            f"{text[:_MOST_CHARACTERS]!r}."
        )
    amount = float(found["amount"])
    if found["percent"]:
        return amount / 100
    if amount >= 1:
        raise RequestError(
            f"--fail-above: {found['amount']} can be meant as a percentage or as a factor; write "
            f"{found['amount']}% for the percentage."
        )
    return amount
