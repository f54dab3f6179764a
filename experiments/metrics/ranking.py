"""Scores of the order that decisions or probabilities put the rows in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from experiments.metrics.errors import UndefinedMetricError

if TYPE_CHECKING:
    from collections.abc import Callable

    from experiments.metrics.classification import Classified

# Names of absent classes that a reason spells out.
_NAMED = 5


def roc_auc(rows: Classified) -> float:
    """Return the exact area under the ROC curve.

    Two classes are ranked by the decision function where there is one and by the probability
    otherwise, which is what the scorer ``roc_auc`` of scikit-learn does.

    With more than two classes it is the unweighted mean of each class against the rest, taken one
    class at a time so that no second array of shape (n_rows, n_classes) is made.

    Raises
    ------
    UndefinedMetricError
        If a class has no row: there is nothing to rank it against.
    """
    from sklearn.metrics import roc_auc_score

    absent = np.setdiff1d(np.arange(len(rows.classes)), rows.present)
    if absent.size:
        names = ", ".join(rows.classes[number] for number in absent[:_NAMED])
        more = f" and {absent.size - _NAMED} more" if absent.size > _NAMED else ""
        raise UndefinedMetricError(f"no scored row has the class {names}{more}")
    if rows.decision is not None:
        return float(roc_auc_score(rows.y, rows.decision))
    if rows.probability.ndim == 1:
        return float(roc_auc_score(rows.y, rows.probability))
    areas = [
        roc_auc_score(rows.y == number, rows.probability[:, number]) for number in rows.present
    ]
    return float(np.mean(areas))


SCORERS: dict[str, Callable[[Classified], float]] = {"roc_auc": roc_auc}
