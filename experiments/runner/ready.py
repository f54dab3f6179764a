"""Everything that is fixed before any engine starts: data, split, starting centres, metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from engines.specs import KMeansSpec, XGBoostSpec
from experiments.datasets import draw_initial_centers, prepare
from experiments.definition.host import granted_cores
from experiments.errors import RequestError
from experiments.metrics import check_metrics, default_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from engines.prepared import Prepared
    from experiments.definition import Experiment

# more than most machines have cores, so that the same data is prepared for most of them
_LEAST_ROW_GROUPS = 8

ScoredTask = Literal["clustering", "binary", "multiclass", "regression"]


@dataclass(frozen=True)
class ReadyPoint:
    """One point of a sweep, with all that its engines will share.

    Parameters
    ----------
    point : dict
        Values of the swept keys.
    experiment : Experiment
        The definition at this point.
    spec : KMeansSpec or XGBoostSpec
        The workload, its task resolved.
    prepared : Prepared
        The dataset at rest.
    task : {"clustering", "binary", "multiclass", "regression"}
        How predictions are scored.
    metrics : tuple of str
        What they are scored by.
    initial_centers : ndarray of shape (n_clusters, n_features) or None
        Shared starting centres of k-means.
    """

    point: dict[str, Any]
    experiment: Experiment
    spec: KMeansSpec | XGBoostSpec
    prepared: Prepared
    task: ScoredTask
    metrics: tuple[str, ...]
    initial_centers: NDArray[np.float64] | None

    @property
    def scored_on(self) -> str:
        """Which rows the metrics are computed on, in words."""
        prepared = self.prepared
        if prepared.scored_split == "test":
            return f"{prepared.counts['test']:,} held-out rows"
        return f"all {prepared.n_rows:,} rows, which are the training rows"


def make_ready(
    point: dict[str, Any],
    experiment: Experiment,
    on_progress: Callable[[int, int | None], None],
) -> ReadyPoint:
    """Prepare the data of one point, and refuse what cannot be run on it.

    Raises
    ------
    RequestError
        If the data is not fit for what is asked.
    """
    prepared = prepare(
        experiment.dataset,
        experiment.split,
        label_kind=_label_kind(experiment),
        min_row_groups=max(granted_cores(experiment), _LEAST_ROW_GROUPS),
        learns_label=isinstance(experiment.workload, XGBoostSpec),
        on_progress=on_progress,
    )
    spec = experiment.workload
    centers, task = None, _task(experiment, prepared)
    # to score clusters a label must be classes; what XGBoost learned it is scored by
    labelled = prepared.label_kind == "classes" or isinstance(spec, XGBoostSpec)
    if isinstance(spec, XGBoostSpec):
        spec = _resolved(spec, prepared.task or "regression")
    else:
        n_train = prepared.counts["train"]
        if spec.n_clusters > n_train:
            raise RequestError(
                f"workload.n_clusters must be at most the number of training rows, {n_train:,}; "
                f"got {spec.n_clusters:,}."
            )
        if spec.init == "shared":
            centers = draw_initial_centers(prepared, spec.n_clusters, spec.seed)
    names = experiment.metrics
    if names is None:
        names = default_metrics(spec.kind, prepared.task, labelled)
    check_metrics(names, spec.kind, prepared.task, labelled)
    return ReadyPoint(point, experiment, spec, prepared, task, tuple(names), centers)


def _resolved(
    spec: XGBoostSpec, task: Literal["binary", "multiclass", "regression"]
) -> XGBoostSpec:
    """Replace task auto, now that the label is known, which may forbid what was open before."""
    try:
        return spec.resolved(task)
    except ValidationError as exc:
        found = "; ".join(str(detail["ctx"]["error"]) for detail in exc.errors())
        raise RequestError(f"workload.{found}, and task: auto found it in the label.") from exc


def _label_kind(experiment: Experiment) -> Literal["auto", "classes", "numbers"]:
    spec = experiment.workload
    if isinstance(spec, KMeansSpec) or spec.task == "auto":
        return "auto"
    return "numbers" if spec.task == "regression" else "classes"


def _task(experiment: Experiment, prepared: Prepared) -> ScoredTask:
    """Return how to score, having checked that the label is fit to learn from."""
    spec = experiment.workload
    if isinstance(spec, KMeansSpec):
        return "clustering"
    found = prepared.task
    if found is None:
        raise RequestError(
            "The workload xgboost learns from a label, and the dataset has none; name its column "
            "with dataset.label."
        )
    if spec.task not in {"auto", found}:
        classes = f"{len(prepared.classes)} classes" if prepared.classes else "numbers"
        raise RequestError(
            f"workload.task: {spec.task} does not fit the label, which holds {classes}; "
            f"use task: {found} or auto."
        )
    return found
