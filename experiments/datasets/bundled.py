"""The real datasets that come with scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.datasets.labels import code_dtype, decide_kind, number_labels
from experiments.datasets.table import Block, Labels, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from experiments.datasets.labels import LabelKind
    from experiments.datasets.options import BundledOptions


def open_bundled(options: BundledOptions, label_kind: LabelKind) -> Table:
    """Load a bundled dataset.

    The classes keep scikit-learn's numbers, so that class 0 of breast_cancer is malignant.

    Raises
    ------
    RequestError
        If the label cannot be what was asked.
    """
    import sklearn.datasets

    load = {
        "digits": sklearn.datasets.load_digits,
        "breast_cancer": sklearn.datasets.load_breast_cancer,
        "wine": sklearn.datasets.load_wine,
        "iris": sklearn.datasets.load_iris,
        "diabetes": sklearn.datasets.load_diabetes,
    }[options.source]
    bunch: Any = load()
    title = f"the source {options.source!r}"
    columns = np.ascontiguousarray(bunch.data.T, dtype=np.float64)
    y = np.asarray(bunch.target, dtype=np.float64)
    names = tuple(str(name) for name in getattr(bunch, "target_names", ()))
    distinct = len(np.unique(y))
    kind, _ = decide_kind(
        label_kind,
        "target",
        title,
        text=any(not name.isdigit() for name in names),
        integers=bool(names),
        n_distinct=distinct,
    )
    labels: Labels = number_labels("target")
    if kind == "classes":
        names = names or tuple(f"{value:g}" for value in np.unique(y))
        codes = np.searchsorted(np.unique(y), y).astype(code_dtype(distinct))
        labels = Labels("classes", names, codes, "target")

    def blocks(block_rows: int) -> Iterator[Block]:
        for first in range(0, len(y), block_rows):
            cut = slice(first, first + block_rows)
            yield Block(columns[:, cut], y[:0] if kind == "classes" else y[cut])

    features = tuple(str(name) for name in bunch.feature_names)
    return Table(title, features, len(y), labels, blocks)
