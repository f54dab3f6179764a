"""What a swept key counts, and how a report speaks of its values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.report.numbers import number
from experiments.report.text import definition_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from experiments.report.sweeps.values import Kind

# last part of a key -> what its values count: many, one
_COUNTED = {
    "n_samples": ("rows", "row"),
    "sample": ("rows", "row"),
    "n_features": ("features", "feature"),
    "n_clusters": ("clusters", "cluster"),
    "n_estimators": ("trees", "tree"),
    "paths": ("paths", "path"),
    "candidates": ("candidates", "candidate"),
    "folds": ("folds", "fold"),
}
# More of any other whole number, such as a depth or a greatest number of iterations, need not be
# more work: times over it are told point by point, and no line is fitted to them
CORES = "resources.cores"
# what is counted there is no amount of work: how often to measure, and what is granted
_NO_WORK = ("measure.", "resources.", "engines.")


@dataclass(frozen=True)
class SweptKey:
    """A key of a definition with several values.

    Parameters
    ----------
    key : str
        Dotted.
    values : tuple
        From the least to the greatest; in the order written where they are no positive numbers.
    kind, label, unit
        See `experiments.report.sweeps.Sweep`.
    """

    key: str
    values: tuple[Any, ...]
    kind: Kind
    label: str
    unit: str


def find_keys(points: Iterable[dict[str, Any]]) -> tuple[SweptKey, ...]:
    """Return the keys that take several values: those of numbers first, each in the order swept."""
    values: dict[str, list[Any]] = {}
    for point in points:
        for key, value in point.items():
            # a value may be a list, which no set can hold
            known = values.setdefault(key, [])
            if value not in known:
                known.append(value)
    found = [_key(key, known) for key, known in values.items() if len(known) >= 2]
    return tuple(sorted(found, key=lambda one: one.kind == "other"))


def size_of(value: object) -> float | None:
    """Return a value as a positive number; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value > 0 else None


def tell_value(key: str, label: str, unit: str, value: Any) -> str:
    """Return a value with what it counts: ``"10,000 rows"``, or else ``"max_depth 3"``."""
    size = size_of(value)
    if size is None or label == unit:
        return f"{key.rpartition('.')[2]} {definition_value(value)}"
    return f"{number(size)} {unit if size == 1 else label}"


def tell_values(key: str, label: str, unit: str, values: Sequence[Any]) -> str:
    """Return neighbouring values as a range: ``"10,000 to 1,000,000 rows"``."""
    first, last = values[0], values[-1]
    if len(values) == 1:
        return tell_value(key, label, unit, first)
    if size_of(first) is None or size_of(last) is None:
        told = ", ".join(definition_value(value) for value in values)
        return f"{key.rpartition('.')[2]} {told}"
    between = " and " if len(values) == 2 else " to "
    if label == unit:
        name = key.rpartition(".")[2]
        return f"{name} {definition_value(first)}{between}{definition_value(last)}"
    return f"{number(size_of(first))}{between}{number(size_of(last))} {label}"


def _key(key: str, values: list[Any]) -> SweptKey:
    kind = _kind(key, values)
    last = key.rpartition(".")[2]
    label, unit = _COUNTED[last] if kind == "size" else (last, last)
    if kind == "workers":
        label, unit = ("cores", "core") if key == CORES else ("workers", "worker")
    ordered = values if any(size_of(one) is None for one in values) else sorted(values)
    return SweptKey(key, tuple(ordered), kind, label, unit)


def _kind(key: str, values: list[Any]) -> Kind:
    """Tell what is known to be an amount of work from what only is a number."""
    last = key.rpartition(".")[2]
    if not all(isinstance(one, int) and not isinstance(one, bool) and one > 0 for one in values):
        return "other"
    if key == CORES or (key.startswith("engines.") and last == "workers"):
        return "workers"
    return "size" if last in _COUNTED and not key.startswith(_NO_WORK) else "other"
