"""Whether a label is classes or numbers, and the numbers of the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from experiments.datasets.options import MOST_CLASSES
from experiments.datasets.table import Labels
from experiments.errors import RequestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    LabelKind = Literal["auto", "classes", "numbers"]

# integer labels with more distinct values than this are taken for quantities
MOST_INTEGER_CLASSES = 100
_CHUNK = 2**20


class TooManyClassesError(RequestError):
    """A label that could only be classes has too many distinct values."""


def no_labels() -> Labels:
    """Return what stands for the absence of a label."""
    return Labels("none", (), np.empty(0, dtype=np.uint8), "")


def number_labels(name: str) -> Labels:
    """Return what stands for a label of numbers, which only blocks hold."""
    return Labels("numbers", (), np.empty(0, dtype=np.uint8), name)


def class_labels(codes: NDArray[Any], names: tuple[str, ...], name: str) -> Labels:
    """Return class labels without the classes that no row has.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,), integer
        Positions in ``names``.
    names : tuple of str
        Names of the classes that could occur, in their final order.
    name : str
        Name of the label.
    """
    present = np.flatnonzero(count_codes(codes, len(names)))
    if len(present) < len(names):
        numbers = np.zeros(len(names), dtype=code_dtype(len(present)))
        numbers[present] = np.arange(len(present))
        codes = recode(codes, numbers)
    return Labels("classes", tuple(names[i] for i in present), codes, name)


def count_codes(codes: NDArray[Any], n_classes: int) -> NDArray[np.int64]:
    """Count the rows of each class, without NumPy's 64-bit copy of all codes at once."""
    counts = np.zeros(n_classes, dtype=np.int64)
    for start in range(0, len(codes), _CHUNK):
        counts += np.bincount(codes[start : start + _CHUNK], minlength=n_classes)
    return counts


def recode(codes: NDArray[Any], numbers: NDArray[Any]) -> NDArray[Any]:
    """Return ``numbers[codes]``, without NumPy's 64-bit copy of all codes at once."""
    out = np.empty(len(codes), dtype=numbers.dtype)
    for start in range(0, len(codes), _CHUNK):
        out[start : start + _CHUNK] = numbers[codes[start : start + _CHUNK]]
    return out


def code_dtype(n_classes: int) -> type[np.unsignedinteger[Any]]:
    """Return the smallest type that numbers so many classes: one is held for every row."""
    return np.uint8 if n_classes <= 256 else np.uint16


def kept_labels(labels: Labels, keep: NDArray[np.bool_]) -> Labels:
    """Return the labels of some rows; classes that vanish with the others lose their number."""
    if labels.kind != "classes":
        return labels
    return class_labels(labels.codes[keep], labels.classes, labels.name)


def decide_kind(
    asked: LabelKind, name: str, title: str, *, text: bool, integers: bool, n_distinct: int | None
) -> tuple[Literal["classes", "numbers"], str | None]:
    """Decide what a label is.

    Parameters
    ----------
    asked : {"auto", "classes", "numbers"}
        What the definition says.
    name, title : str
        The label's column and its source, for messages.
    text : bool
        Whether a value is not a number.
    integers : bool
        Whether all values are whole numbers.
    n_distinct : int or None
        Number of distinct values; None where there are more than `MOST_CLASSES`.

    Returns
    -------
    tuple
        The kind, and a sentence where it was chosen for integers.

    Raises
    ------
    TooManyClassesError
        If the label is text, or was asked to be classes, and has too many distinct values.
    RequestError
        If the label cannot be what was asked.
    """
    if text and asked == "numbers":
        raise RequestError(
            f"The label {name!r} of {title} holds text, and regression needs numbers; choose "
            f"another label or task."
        )
    if asked == "numbers":
        return "numbers", None
    if n_distinct is None and (text or asked == "classes"):
        raise TooManyClassesError(
            f"The label {name!r} of {title} has more than {MOST_CLASSES:,} distinct values, too "
            f"many to be classes; choose another label."
        )
    if text or asked == "classes":
        return "classes", None
    if not integers:
        return "numbers", None
    if n_distinct is not None and n_distinct <= MOST_INTEGER_CLASSES:
        return "classes", (
            f"The label {name!r} has {n_distinct} distinct integers, which were taken for classes."
        )
    return "numbers", (
        f"The label {name!r} has more than {MOST_INTEGER_CLASSES} distinct integers, which were "
        f"taken for numbers."
    )


class LabelScan:
    """Collect the distinct values of a label that is read in blocks.

    Rows are held as 16-bit numbers in the order of first appearance, until there are more
    distinct values than there may be classes.
    """

    def __init__(self) -> None:
        self._seen: dict[str | float, int] = {}
        self._codes: list[NDArray[np.int16]] = []
        self._too_many = False

    def add(self, distinct: list[str] | list[float], positions: NDArray[Any]) -> None:
        """Add the rows of a block.

        Parameters
        ----------
        distinct : list of str or float
            Distinct values of the block.
        positions : ndarray of shape (n_rows,), integer
            For each row the position of its value in ``distinct``.
        """
        if self._too_many:
            return
        for value in distinct:
            self._seen.setdefault(value, len(self._seen))
        if len(self._seen) > MOST_CLASSES:
            self._too_many = True
            self._codes.clear()
            return
        numbers = np.array([self._seen[value] for value in distinct], dtype=np.int16)
        self._codes.append(numbers[positions])

    def finish(
        self, asked: LabelKind, name: str, title: str, *, text: bool, integers: bool, boolean: bool
    ) -> tuple[Labels, str | None]:
        """Return the labels of all rows added, and a note on how they were understood.

        ``text``, ``integers`` and ``boolean`` say what the values are: not all numbers, all
        whole numbers, only 0 and 1 that stand for false and true.
        """
        keys = [_key(value, text=text) for value in self._seen]
        ordered = sorted(set(keys))
        kind, note = decide_kind(
            asked,
            name,
            title,
            text=text,
            integers=integers,
            n_distinct=None if self._too_many else len(ordered),
        )
        if kind == "numbers":
            return number_labels(name), note
        rank = {key: number for number, key in enumerate(ordered)}
        ranks = np.array([rank[key] for key in keys], dtype=code_dtype(len(ordered)))
        codes = np.concatenate([ranks[chunk] for chunk in self._codes])
        if boolean:
            names = tuple("true" if key else "false" for key in ordered)
            note = None
        else:
            names = tuple(key if text else _number_name(key) for key in ordered)
        return Labels("classes", names, codes, name), note


def _key(value: str | float, *, text: bool) -> Any:
    """Return what two values of one class have in common: 1 and 1.0, True and true."""
    if text:
        return value if isinstance(value, str) else _number_name(value)
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return float(value.lower() == "true")
    return float(value)


def _number_name(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
