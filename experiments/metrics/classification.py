"""Scores of predicted classes and probabilities, which need labels and predictions alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from experiments.metrics.errors import PredictionsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Classified:
    """True classes beside predicted ones.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Class numbers 0 ... n_classes - 1.
    of_classes : ndarray of shape (n_rows,) or (n_rows, n_classes), dtype float64, or None
        Probabilities of the second class for two classes, of every class for more; None from a
        classifier that was asked for classes alone.
    classes : tuple of str
        Names of the classes, in the order of their numbers.
    choice : ndarray of shape (n_rows,), integer, or None
        The classifier's own choice of class, where it need not be the most probable one.
    decision : ndarray of shape (n_rows,), dtype float64, or None
        What ranks the rows of two classes, where that is not the probability.
    """

    y: NDArray[np.int32]
    of_classes: NDArray[np.float64] | None
    classes: tuple[str, ...]
    choice: NDArray[np.integer] | None = None
    decision: NDArray[np.float64] | None = None

    @property
    def probability(self) -> NDArray[np.float64]:
        """The probabilities.

        Raises
        ------
        PredictionsError
            If there are none.
        """
        if self.of_classes is None:
            raise PredictionsError("The predictions are classes, without probabilities.")
        return self.of_classes

    @cached_property
    def predicted(self) -> NDArray[np.integer]:
        """Class numbers: the classifier's choice, or else the most probable.

        Of two classes the second is predicted when its probability is above one half.
        """
        if self.choice is not None:
            return self.choice
        if self.probability.ndim == 1:
            return (self.probability > 0.5).astype(np.int64)
        return np.asarray(self.probability.argmax(axis=1), dtype=np.int64)

    @cached_property
    def present(self) -> NDArray[np.int64]:
        """Numbers of the classes that at least one row has."""
        return np.flatnonzero(np.bincount(self.y, minlength=len(self.classes)))


def accuracy(rows: Classified) -> float:
    """Return the share of rows whose class is predicted."""
    return float(np.mean(rows.y == rows.predicted))


def balanced_accuracy(rows: Classified) -> float:
    """Return the mean recall over the classes that the rows have.

    ``balanced_accuracy_score`` is this mean, and warns where a class is predicted that no row has.
    """
    from sklearn.metrics import recall_score

    return float(
        recall_score(
            rows.y, rows.predicted, labels=rows.present, average="macro", zero_division=0.0
        )
    )


def f1_macro(rows: Classified) -> float:
    """Return the mean F1 score over the classes that are true or predicted for a row."""
    from sklearn.metrics import f1_score

    return float(f1_score(rows.y, rows.predicted, average="macro", zero_division=0.0))


def log_loss(rows: Classified) -> float:
    """Return the mean negative log of the probability given to the true class.

    The formula and the clipping are those of ``sklearn.metrics.log_loss`` on float64. That
    function is not called: it warns about XGBoost's probabilities, whose float32 rows sum to one
    only within 1e-7, and makes two more arrays of shape (n_rows, n_classes).
    """
    if rows.probability.ndim == 1:
        given = np.where(rows.y == 1, rows.probability, 1.0 - rows.probability)
    else:
        given = rows.probability[np.arange(len(rows.y)), rows.y]
    eps = np.finfo(np.float64).eps
    return float(-np.log(np.clip(given, eps, 1.0 - eps)).mean())


SCORERS: dict[str, Callable[[Classified], float]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "f1_macro": f1_macro,
    "log_loss": log_loss,
}
