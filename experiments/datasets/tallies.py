"""What kinds of values a column holds, counted before any of them is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

if TYPE_CHECKING:
    from numpy.typing import NDArray

NUMBER, BOOLEAN, TEXT, MISSING, INFINITE, OTHER = range(6)
N_KINDS = 6

_MISSING_WORDS = pa.array(["", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "null"])
_INFINITY = r"^[+-]?inf(inity)?$"
_DECIMAL = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$"
_BLANKS = " \t"


class Values(NamedTuple):
    """The values of one column in one block.

    Attributes
    ----------
    kinds : ndarray of shape (n_rows,), dtype uint8, or None
        Kind of each value; None when all are finite numbers, which is the common case.
    numbers : ndarray of shape (n_rows,), dtype float64
        Values of the kinds NUMBER and BOOLEAN; NaN elsewhere.
    texts : pyarrow array of strings or None
        The values as text without blanks around them; None where the column is not text.
    """

    kinds: NDArray[np.uint8] | None
    numbers: NDArray[np.float64]
    texts: Any | None


def examine(array: Any, *, parse: bool) -> Values:
    """Find the kind of every value.

    Parameters
    ----------
    array : pyarrow.Array
        The values.
    parse : bool
        Whether text stands for what it spells, as in CSV. Elsewhere "1" is text.
    """
    if pt.is_dictionary(array.type):
        return examine(array.dictionary_decode(), parse=parse)
    if pt.is_string(array.type) or pt.is_large_string(array.type):
        return _examine_spelled(array) if parse else _examine_text(array)
    if pt.is_boolean(array.type):
        numbers = _as_float(pc.cast(array, pa.uint8()))
        return Values(np.where(np.isnan(numbers), MISSING, BOOLEAN).astype(np.uint8), numbers, None)
    if pt.is_integer(array.type) or pt.is_floating(array.type) or pt.is_decimal(array.type):
        return _examine_numbers(_as_float(array))
    missing = array.is_null().to_numpy(zero_copy_only=False)
    kinds = np.where(missing, MISSING, OTHER).astype(np.uint8)
    return Values(kinds, np.full(len(array), np.nan), None)


class Tally:
    """Count the kinds of a column's values, and remember where each was first met."""

    def __init__(self) -> None:
        self.counts = np.zeros(N_KINDS, dtype=np.int64)
        self.whole_numbers = True
        self._first: dict[int, str] = {}

    def add(self, values: Values, file: str, first_row: int) -> None:
        """Add a block, whose first row is data row ``first_row`` (from 1) of ``file``."""
        if values.kinds is None:
            self.counts[NUMBER] += len(values.numbers)
            finite = values.numbers
        else:
            self.counts += np.bincount(values.kinds, minlength=N_KINDS)
            finite = values.numbers[values.kinds == NUMBER]
            for kind in np.setdiff1d(np.unique(values.kinds), list(self._first)):
                row = int(np.argmax(values.kinds == kind))
                example = ""
                if kind == TEXT and values.texts is not None:
                    example = f"{str(values.texts[row])[:40]!r} in "
                self._first[int(kind)] = f"{example}data row {first_row + row} of {file}"
        if self.whole_numbers:
            self.whole_numbers = bool((finite == np.floor(finite)).all())

    @property
    def total(self) -> int:
        """Number of values of every kind."""
        return int(self.counts.sum())

    def only(self, *kinds: int) -> bool:
        """Whether no value is of another kind."""
        return int(self.counts[list(kinds)].sum()) == self.total

    def problem(self) -> str | None:
        """Say what keeps the column from being a feature; None when nothing does."""
        if self.only(NUMBER) or self.only(BOOLEAN):
            return None
        numbers, words = self.counts[NUMBER], self.counts[TEXT] + self.counts[BOOLEAN]
        if self.counts[OTHER]:
            return f"holds values that are not numbers (first in {self._first[OTHER]})"
        if words and (numbers or self.counts[INFINITE]):
            kind = TEXT if self.counts[TEXT] else BOOLEAN
            return (
                f"mixes numbers with text: {words:,} of {self.total:,} values are text (first "
                f"{self._first[kind]})"
            )
        if self.counts[TEXT]:
            return f"holds text ({self.counts[TEXT]:,} values, first {self._first[TEXT]})"
        return self.gap()

    def gap(self) -> str | None:
        """Say how many values are missing or infinite; None when none is."""
        for kind, word in ((MISSING, "missing"), (INFINITE, "infinite")):
            if count := self.counts[kind]:
                values = "value" if count == 1 else "values"
                return f"has {count:,} {word} {values} (first in {self._first[kind]})"
        return None

    @property
    def leaves_out(self) -> bool:
        """Whether the column is plainly not meant as numbers: text or dates, and no number."""
        plain = self.counts[TEXT] + self.counts[OTHER]
        return bool(plain) and self.only(TEXT, BOOLEAN, OTHER, MISSING)


def spelled_boolean(array: Any) -> NDArray[np.float64]:
    """Return 1 for each "true" and 0 for each "false", in any case."""
    low = pc.utf8_lower(pc.utf8_trim(array, _BLANKS))
    return _true(pc.equal(low, "true")).astype(np.float64)


def as_numbers(array: Any) -> NDArray[np.float64]:
    """Return the values of a column whose kinds are all NUMBER or all BOOLEAN."""
    if pt.is_dictionary(array.type):
        return as_numbers(array.dictionary_decode())
    if pt.is_boolean(array.type):
        return _as_float(pc.cast(array, pa.uint8()))
    return _as_float(array)


def _as_float(array: Any) -> NDArray[np.float64]:
    # not safe: integers beyond 2**53 are rounded, as NumPy does
    numbers = pc.cast(array, pa.float64(), safe=False)
    converted: NDArray[np.float64] = numbers.to_numpy(zero_copy_only=False)
    return converted


def _examine_numbers(numbers: NDArray[np.float64]) -> Values:
    if np.isfinite(numbers).all():
        return Values(None, numbers, None)
    kinds = np.where(np.isnan(numbers), MISSING, np.where(np.isinf(numbers), INFINITE, NUMBER))
    return Values(kinds.astype(np.uint8), numbers, None)


def _examine_text(array: Any) -> Values:
    missing = array.is_null().to_numpy(zero_copy_only=False)
    kinds = np.where(missing, MISSING, TEXT).astype(np.uint8)
    return Values(kinds, np.full(len(array), np.nan), array)


def _examine_spelled(array: Any) -> Values:
    texts = pc.utf8_trim(array, _BLANKS)
    try:
        numbers = _as_float(texts)
    except pa.ArrowInvalid:
        pass  # some value is not a number: they are told apart one by one below
    else:
        if np.isfinite(numbers).all():
            return Values(None, numbers, texts)
    low = pc.utf8_lower(texts)
    kinds = np.full(len(array), TEXT, dtype=np.uint8)
    kinds[_true(pc.is_in(low, value_set=_MISSING_WORDS))] = MISSING
    kinds[_true(pc.match_substring_regex(low, _INFINITY))] = INFINITE
    kinds[_true(pc.is_in(low, value_set=pa.array(["true", "false"])))] = BOOLEAN
    decimal = pc.match_substring_regex(low, _DECIMAL)
    kinds[_true(decimal)] = NUMBER
    numbers = np.full(len(array), np.nan)
    numbers[_true(decimal)] = _as_float(low.filter(decimal))
    kinds[np.isinf(numbers)] = INFINITE  # 1e999
    words = kinds == BOOLEAN
    numbers[words] = spelled_boolean(low.filter(pa.array(words)))
    return Values(kinds, numbers, texts)


def _true(mask: Any) -> NDArray[np.bool_]:
    positions: NDArray[np.bool_] = mask.to_numpy(zero_copy_only=False)
    return positions
