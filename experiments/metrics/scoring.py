"""Score predictions: of a model on the held-out rows, of a candidate of a search on a fold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.metrics import classification, clustering, ranking, regression
from experiments.metrics.catalogue import CLASSIFICATION, METRICS
from experiments.metrics.errors import PredictionsError, UndefinedMetricError
from experiments.metrics.rows import rows_in_memory, rows_of_fold, rows_of_split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from engines.prepared import Prepared, Rows
    from engines.types import Predictions
    from experiments.metrics.catalogue import Task
    from experiments.metrics.rows import ScoredRows

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
        not finite, are not probabilities, class or cluster numbers where they should be, or are
        classes where a metric needs probabilities.
    ValueError
        If a metric is unknown, does not fit the task, or needs a label that there is none of.
    """
    names = tuple(names)
    check_fit(names, task)
    _check_label(names, task, prepared)
    scored = rows_of_split(prepared)
    return _score(scored, predictions, names, task=task, centers=centers, seed=seed)


def score_held_out(
    prepared: Prepared,
    predictions: Predictions,
    names: Iterable[str],
    *,
    task: Task,
    centers: NDArray[np.float64] | None,
    seed: int,
    rows: Rows | None,
) -> Scores:
    """Compute metrics of the predictions for the rows of one fold, or of a sample of them.

    Parameters
    ----------
    prepared : Prepared
        The dataset.
    predictions : Predictions
        Of the rows held out.
    names, task, centers, seed
        As for `score`.
    rows : Rows or None
        The rows held out, in the order of ``row_id``. None where they are not in memory: the
        training rows that have the predictions' ``row_id`` are then read from the dataset, a row
        group at a time.

    Returns
    -------
    Scores
        The same in both forms, but for the rounding of sums.

    Raises
    ------
    PredictionsError
        As for `score`; and if the rows are read, and are not training rows of one fold in the
        order of ``row_id``.
    ValueError
        As for `score`.
    """
    names = tuple(names)
    check_fit(names, task)
    _check_label(names, task, prepared)
    if rows is None:
        scored = rows_of_fold(prepared, predictions.row_id)
    else:
        scored = rows_in_memory(prepared, rows)
    return _score(scored, predictions, names, task=task, centers=centers, seed=seed)


def check_fit(names: tuple[str, ...], task: Task) -> None:
    """Refuse metrics that do not exist or do not fit a task.

    Raises
    ------
    ValueError
        Naming the first that is wrong.
    """
    for name in names:
        if name not in METRICS or task not in METRICS[name].tasks:
            raise ValueError(f"There is no metric {name!r} for {task}.")


def gather(finish: Mapping[str, Callable[[], float]]) -> Scores:
    """Call what finishes each metric; where it has no finite value, keep the reason."""
    values: dict[str, float | None] = {}
    undefined: dict[str, str] = {}
    for name, function in finish.items():
        try:
            value = function()
        except UndefinedMetricError as exc:
            values[name], undefined[name] = None, str(exc)
            continue
        if math.isfinite(value):
            values[name] = value
        else:
            values[name], undefined[name] = None, "it is beyond the range of float64"
    return Scores(values, undefined)


def _score(
    scored: ScoredRows,
    predictions: Predictions,
    names: tuple[str, ...],
    *,
    task: Task,
    centers: NDArray[np.float64] | None,
    seed: int,
) -> Scores:
    _check_row_ids(predictions.row_id, scored.row_id)
    _check_values(predictions, scored, task)
    # squares of values beyond 1e154 overflow, which is told as a reason instead
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        finish = _scorers(scored, predictions, names, task=task, centers=centers, seed=seed)
        return gather({name: finish[name] for name in names})


def _scorers(
    scored: ScoredRows,
    predictions: Predictions,
    names: tuple[str, ...],
    *,
    task: Task,
    centers: NDArray[np.float64] | None,
    seed: int,
) -> dict[str, Callable[[], float]]:
    """Return a function without arguments for each metric, once the features have been read."""
    value: NDArray[Any] = predictions.value
    if task == "clustering":
        return clustering.scorers(clustering.Clustered(scored, value, centers, seed), names)
    if task == "regression":
        regressed = regression.Regressed(scored.y.astype(np.float64), value.astype(np.float64))
        return {name: partial(regression.SCORERS[name], regressed) for name in names}
    probability: NDArray[np.float64] | None = None
    choice: NDArray[Any] | None = value
    if gives_classes(predictions):
        if needing := unanswered(predictions, names):
            raise PredictionsError(
                f"The metric {needing[0]} needs probabilities, and the predictions are classes."
            )
    else:
        probability, choice = value.astype(np.float64), predictions.label
    classified = classification.Classified(
        scored.y, probability, scored.classes, choice, predictions.decision
    )
    functions = {**classification.SCORERS, **ranking.SCORERS}
    return {name: partial(functions[name], classified) for name in names}


def unanswered(predictions: Predictions, names: Iterable[str]) -> list[str]:
    """Return the metrics that need more than classes, where a classifier gave no more."""
    if not gives_classes(predictions):
        return []
    ranked = predictions.decision is not None
    return [
        name
        for name in names
        if METRICS[name].needs_probability or (METRICS[name].needs_ranking and not ranked)
    ]


def gives_classes(predictions: Predictions) -> bool:
    """Say whether a classifier predicted classes alone, without probabilities."""
    return predictions.value.ndim == 1 and predictions.value.dtype.kind in "iu"


def _check_label(names: tuple[str, ...], task: Task, prepared: Prepared) -> None:
    needs_label = [name for name in names if METRICS[name].needs_label]
    needed = "numbers" if task == "regression" else "classes"
    # class numbers can be regressed on, values cannot be classified
    lacking = prepared.label_kind == "none" or (
        needed == "classes" and prepared.label_kind != "classes"
    )
    if needs_label and lacking:
        raise ValueError(
            f"The metric {needs_label[0]} needs a label of {needed}, and the label of "
            f"{prepared.location} is of kind {prepared.label_kind!r}."
        )


def _check_row_ids(found: NDArray[np.int64], expected: NDArray[np.int64]) -> None:
    """Refuse predictions that are not of every scored row, once, in order."""
    if found is expected or np.array_equal(found, expected):
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


def _check_values(predictions: Predictions, scored: ScoredRows, task: Task) -> None:
    """Refuse predictions that are not what the task predicts."""
    value = predictions.value
    classifies = task in CLASSIFICATION
    classes_alone = classifies and gives_classes(predictions)
    n_rows, n_classes = scored.n_rows, len(scored.classes)
    of_every_class = classifies and n_classes != 2 and not classes_alone
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
    if classifies:
        _check_beside(predictions, n_rows, n_classes)
    if classes_alone:
        _check_classes(value, n_rows, n_classes)
        return
    if not_finite := int((~np.isfinite(value)).sum()):
        raise PredictionsError(f"{not_finite} of {value.size} predicted values are not finite.")
    if classifies:
        if outside := int(((value < 0) | (value > 1)).sum()):
            raise PredictionsError(
                f"{outside} of {value.size} predicted probabilities are not between 0 and 1."
            )
        if of_every_class and (off := int((abs(value.sum(axis=1) - 1) > _SUM_TOLERANCE).sum())):
            raise PredictionsError(
                f"The predicted probabilities of {off} of {n_rows} rows do not sum to 1."
            )


def _check_beside(predictions: Predictions, n_rows: int, n_classes: int) -> None:
    """Refuse what comes beside the values and is no class, or cannot rank rows of two classes."""
    if predictions.label is not None:
        _check_classes(predictions.label, n_rows, n_classes)
    decision = predictions.decision
    if decision is None:
        return
    if n_classes != 2 or decision.shape != (n_rows,):
        raise PredictionsError(
            f"The decisions have the shape {decision.shape}, and should be one number for each of "
            f"{n_rows} rows of two classes; there are {n_classes} classes."
        )
    if not_finite := int((~np.isfinite(decision)).sum()):
        raise PredictionsError(f"{not_finite} of {n_rows} decisions are not finite.")


def _check_classes(classes: NDArray[Any], n_rows: int, n_classes: int) -> None:
    """Refuse class numbers that the label does not have."""
    if classes.shape != (n_rows,) or classes.dtype.kind not in "iu":
        raise PredictionsError(
            f"The predicted classes are {classes.dtype} of the shape {classes.shape}, and should "
            f"be a class number for each of {n_rows} rows."
        )
    if outside := int(((classes < 0) | (classes >= n_classes)).sum()):
        raise PredictionsError(
            f"{outside} of {n_rows} predicted classes are not among the numbers 0 to "
            f"{n_classes - 1}."
        )
