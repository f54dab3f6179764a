"""What every engine checks of a fit before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.errors import SpecError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engines.prepared import Prepared
    from engines.specs import EstimatorSpec, KMeansSpec, XGBoostSpec
    from engines.types import Trial

# what an estimator is for -> the label that it learns
_LABELS = {"classifier": ("classes", "class numbers"), "regressor": ("numbers", "values")}


def check_kmeans(
    spec: KMeansSpec,
    n_rows: int,
    n_features: int,
    initial_centers: NDArray[np.float64] | None,
) -> None:
    """Check that starting centres fit the request, and that there are rows for all clusters.

    Raises
    ------
    SpecError
        If they do not.
    """
    if (spec.init == "shared") != (initial_centers is not None):
        raise SpecError("initial_centers must be given with init: shared, and only with it.")
    expected = (spec.n_clusters, n_features)
    if initial_centers is not None and initial_centers.shape != expected:
        raise SpecError(f"initial_centers must have shape {expected}; got {initial_centers.shape}.")
    if spec.n_clusters > n_rows:
        raise SpecError(
            f"n_clusters must be at most the number of rows, {n_rows}; got {spec.n_clusters}."
        )


def check_xgboost(spec: XGBoostSpec, prepared: Prepared) -> None:
    """Check that the label is for the task.

    Raises
    ------
    SpecError
        If it is not.
    """
    if spec.task != prepared.task:
        raise SpecError(
            f"The task {spec.task!r} does not fit the label, which is for {prepared.task!r}."
        )


def check_estimator(spec: EstimatorSpec, prepared: Prepared) -> None:
    """Check that the label is what the estimator learns; a clusterer learns without.

    Raises
    ------
    SpecError
        If it is not.
    """
    kind = spec.estimator_kind
    if kind not in _LABELS:
        return
    needed, described = _LABELS[kind]
    if prepared.label_kind != needed:
        raise SpecError(
            f"{spec.class_} is a {kind}, which learns a label of {described}; the dataset's label "
            f"is {prepared.label_kind!r}."
        )


def check_trials(trials: tuple[Trial, ...], prepared: Prepared) -> None:
    """Check that the training rows have the folds that trials hold out.

    Raises
    ------
    SpecError
        If they have not.
    """
    missing = next((one.fold for one in trials if not 0 <= one.fold < prepared.n_folds), None)
    if missing is not None:
        raise SpecError(
            f"A search needs folds among the training rows; fold {missing} was asked for, and the "
            f"dataset has {prepared.n_folds}."
        )
