"""Rows exactly as scikit-learn's own generators make them, all in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.datasets.labels import class_labels, code_dtype, number_labels
from experiments.datasets.options import MakeClassificationOptions
from experiments.datasets.table import Block, Table
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from experiments.datasets.labels import LabelKind
    from experiments.datasets.options import MakeBlobsOptions, SourceOptions


def open_made(
    options: MakeClassificationOptions | MakeBlobsOptions, label_kind: LabelKind
) -> Table:
    """Draw all rows of a generated source.

    Raises
    ------
    RequestError
        If scikit-learn refuses the arguments.
    """
    import sklearn.datasets

    make: Any = getattr(sklearn.datasets, options.source)
    title = f"the source {options.source!r}"
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            X, y = make(**_arguments(options))
    except (ValueError, OverflowError) as exc:
        why = str(exc).partition("\n")[0].rstrip(".")
        raise RequestError(
            f"dataset: scikit-learn cannot draw {title} with these values: {why}."
        ) from exc
    if isinstance(options, MakeClassificationOptions):
        n_classes = options.n_classes
    else:
        n_classes = options.n_centers
    labels = number_labels("label")
    as_classes = label_kind != "numbers"
    if as_classes:
        names = tuple(map(str, range(n_classes)))
        labels = class_labels(y.astype(code_dtype(n_classes)), names, "label")
    values = np.empty(0) if as_classes else y.astype(np.float64)

    def blocks(block_rows: int) -> Iterator[Block]:
        for first in range(0, len(X), block_rows):
            cut = slice(first, first + block_rows)
            yield Block(X[cut].T, values[cut])

    features = tuple(f"feature_{number}" for number in range(X.shape[1]))
    return Table(title, features, len(X), labels, blocks)


def _arguments(options: SourceOptions) -> dict[str, Any]:
    """Return the arguments of scikit-learn's function: the fields that are not every source's."""
    from experiments.datasets.options import SourceOptions as Common

    own = [name for name in type(options).model_fields if name not in Common.model_fields]
    return {name: _plain(name, getattr(options, name)) for name in own}


def _plain(name: str, value: Any) -> Any:
    """Return lists for tuples, but where scikit-learn asks for a tuple."""
    if not isinstance(value, tuple) or name == "center_box":
        return value
    return [_plain(name, part) for part in value]
