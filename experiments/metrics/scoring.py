"""Score the predictions of one engine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.prepared import read_labels
from experiments.metrics import classification, clustering, ranking, regression
from experiments.metrics.catalogue import CLASSIFICATION, METRICS
from experiments.metrics.errors import PredictionsError, UndefinedMetricError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from engines.prepared import Prepared
    from engines.types import Predictions
    from experiments.metrics.catalogue import Task

# The probabilities of a row, float32 in XGBoost, sum to one far closer than this.
_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Scores:
    """The values of the metrics asked for.

    Parameters
    ----------
    values : dict of str to float or None
        In the order asked for; None where a metric is undefined, never NaN or infinite.
    undefined : dict of str to str
        Why, for each metric that is None.
    """

    values: dict[str, float | None]
    undefined: dict[str, str]


def score(
    prepared: Prepared,
    predictions: Predictions,
    names: Iterable[str],
    *,
    task: Task,
    centers: NDArray[np.float64] | None = None,
    seed: int = 0,
) -> Scores:
    """Compute metrics of the predictions for the scored rows of a dataset.

    Parameters
    ----------
    prepared : Prepared
        The dataset; its held-out rows are scored, or all where none are held out.
    predictions : Predictions
        Of every scored row, once, in the order of ``row_id``.
    names : iterable of str
        Names of `experiments.metrics.METRICS` that fit the task.
    task : {"clustering", "binary", "multiclass", "regression"}
        What the predictions are.
    centers : ndarray of shape (n_clusters, n_features), optional
        Centres of the model, for the inertia.
    seed : int
        Seed of the sample of rows of the Euclidean silhouette.

    Returns
    -------
    Scores

    Raises
    ------
    PredictionsError
        If the predictions are not of exactly the scored rows, have the wrong shape or type, are
        not finite, or are not probabilities or cluster numbers where they should be.
    ValueError
        If a metric is unknown, does not fit the task, or needs a label that there is none of.
    """
    names = tuple(names)
    _check_fit(names, task, prepared)
    y, row_id = read_labels(prepared, prepared.scored_split)
    _check_row_ids(predictions.row_id, row_id)
    _check_values(predictions.value, len(row_id), task, prepared)

    values: dict[str, float | None] = {}
    undefined: dict[str, str] = {}
    # squares of values beyond 1e154 overflow, which is told as a reason instead
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        finish = _scorers(
            prepared, predictions.value, y, names, task=task, centers=centers, seed=seed
        )
        for name in names:
            try:
                value = finish[name]()
            except UndefinedMetricError as exc:
                values[name], undefined[name] = None, str(exc)
                continue
            if math.isfinite(value):
                values[name] = value
            else:
                values[name], undefined[name] = None, "it is beyond the range of float64"
    return Scores(values, undefined)


def _scorers(
    prepared: Prepared,
    value: NDArray[Any],
    y: NDArray[Any],
    names: tuple[str, ...],
    *,
    task: Task,
    centers: NDArray[np.float64] | None,
    seed: int,
) -> dict[str, Callable[[], float]]:
    """Return a function without arguments for each metric, once the features have been read."""
    if task == "clustering":
        clustered = clustering.Clustered(prepared, value, y, centers, seed)
        return clustering.scorers(clustered, names)
    if task == "regression":
        regressed = regression.Regressed(y.astype(np.float64), value.astype(np.float64))
        return {name: partial(regression.SCORERS[name], regressed) for name in names}
    classified = classification.Classified(y, value.astype(np.float64), prepared.classes)
    functions = {**classification.SCORERS, **ranking.SCORERS}
    return {name: partial(functions[name], classified) for name in names}


def _check_fit(names: tuple[str, ...], task: Task, prepared: Prepared) -> None:
    for name in names:
        if name not in METRICS or task not in METRICS[name].tasks:
            raise ValueError(f"There is no metric {name!r} for {task}.")
    needs_label = [name for name in names if METRICS[name].needs_label]
    needed = "numbers" if task == "regression" else "classes"
    # class numbers can be regressed on, values cannot be classified
    lacking = prepared.label_kind == "none" or (
        needed == "classes" and prepared.label_kind != "classes"
    )
    if needs_label and lacking:
        raise ValueError(
            f"The metric {needs_label[0]} needs a label of {needed}, and the label of "
            f"{prepared.path} is of kind {prepared.label_kind!r}."
        )


def _check_row_ids(found: NDArray[np.int64], expected: NDArray[np.int64]) -> None:
    """Refuse predictions that are not of every scored row, once, in order."""
    if np.array_equal(found, expected):
        return
    distinct = np.unique(found)
    wrong = {
        "missing": len(np.setdiff1d(expected, distinct, assume_unique=True)),
        "duplicate": len(found) - len(distinct),
        "not among the scored rows": len(np.setdiff1d(distinct, expected, assume_unique=True)),
    }
    counts = ", ".join(f"{count} {what}" for what, count in wrong.items() if count)
    raise PredictionsError(
        f"The predictions do not hold each of the {len(expected)} scored rows once, in the order "
        f"of row_id: {counts or 'all are there, out of order'}."
    )


def _check_values(value: NDArray[Any], n_rows: int, task: Task, prepared: Prepared) -> None:
    """Refuse predictions that are not what the task predicts."""
    n_classes = len(prepared.classes)
    of_every_class = task in CLASSIFICATION and n_classes != 2
    shape = (n_rows, n_classes) if of_every_class else (n_rows,)
    if value.shape != shape:
        raise PredictionsError(
            f"The predictions for {task} have the shape {value.shape}, and should have {shape}."
        )
    if task == "clustering":
        if value.dtype.kind not in "iu":
            raise PredictionsError(
                f"The predictions for clustering are {value.dtype}, and should be cluster numbers."
            )
        return
    if not_finite := int((~np.isfinite(value)).sum()):
        raise PredictionsError(f"{not_finite} of {value.size} predicted values are not finite.")
    if task in CLASSIFICATION:
        if outside := int(((value < 0) | (value > 1)).sum()):
            raise PredictionsError(
                f"{outside} of {value.size} predicted probabilities are not between 0 and 1."
            )
        if of_every_class and (off := int((abs(value.sum(axis=1) - 1) > _SUM_TOLERANCE).sum())):
            raise PredictionsError(
                f"The predicted probabilities of {off} of {n_rows} rows do not sum to 1."
            )
