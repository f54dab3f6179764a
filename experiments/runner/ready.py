"""Everything that is fixed before any engine starts: data, folds, candidates, centres, metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from engines.errors import SpecError
from engines.single_node import check_values, offer
from engines.specs import EstimatorSpec, KMeansSpec, TasksSpec, XGBoostSpec
from experiments.datasets import draw_initial_centers, prepare
from experiments.datasets.options import FoldOptions
from experiments.datasets.storage import asked_storage
from experiments.definition.host import granted_cores
from experiments.errors import RequestError
from experiments.metrics import METRICS, check_metrics, default_metrics, default_scoring
from experiments.metrics.simulation import reference_price
from experiments.runner.search_plan import plan_search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from numpy.typing import NDArray

    from engines.monte_carlo import Estimate
    from engines.prepared import Prepared
    from engines.specs import Spec
    from engines.types import Placement
    from experiments.definition import Experiment
    from experiments.definition.search import SearchOptions
    from experiments.metrics.catalogue import Kind
    from experiments.runner.clusters import Joined
    from experiments.runner.search_plan import ReadySearch

# more than most machines have cores, so that the same data is prepared for most of them
_LEAST_ROW_GROUPS = 8
_DEFAULT_FOLDS = 5

ScoredTask = Literal["clustering", "binary", "multiclass", "regression", "simulation"]


@dataclass(frozen=True)
class ReadyPoint:
    """One point of a sweep, with all that its engines will share.

    Parameters
    ----------
    point : dict
        Values of the swept keys.
    experiment : Experiment
        The definition at this point.
    spec : Spec
        The workload, with nothing left to be found out.
    prepared : Prepared or None
        The dataset at rest; None where nothing is learned.
    task : {"clustering", "binary", "multiclass", "regression", "simulation"}
        How predictions are scored.
    metrics : tuple of str
        What they are scored by.
    initial_centers : dict of int to ndarray of shape (n_clusters, n_features)
        Shared starting centres of k-means, by number of clusters.
    search : ReadySearch or None
        What is searched.
    searched : Spec or None
        What candidates are put into: `spec`, but predicting no more than its scoring needs.
    reference : Estimate or None
        What simulated estimates are compared with.
    """

    point: dict[str, Any]
    experiment: Experiment
    spec: Spec
    prepared: Prepared | None
    task: ScoredTask
    metrics: tuple[str, ...]
    initial_centers: dict[int, NDArray[np.float64]]
    search: ReadySearch | None = None
    searched: Spec | None = None
    reference: Estimate | None = None

    @property
    def seed(self) -> int:
        """Seed of what scoring draws."""
        return int(getattr(self.spec, "seed", 0))

    @property
    def placement(self) -> Placement:
        """Where the training rows are held."""
        if self.search is not None and self.search.parallel_over == "candidates":
            return "everywhere"
        return "host" if isinstance(self.spec, EstimatorSpec) else "spread"

    @property
    def predicts_host_rows(self) -> bool:
        """Whether the rows that were fitted are all that can be predicted."""
        return isinstance(self.spec, EstimatorSpec) and not self.spec.can_predict

    @property
    def scored_on(self) -> str:
        """Which rows the metrics are computed on, in words."""
        if self.prepared is None:
            paths = self.reference.paths if self.reference else 0
            return f"the difference from a reference of {paths:,} paths"
        if self.prepared.scored_split == "test":
            return f"{self.prepared.counts['test']:,} held-out rows"
        return f"all {self.prepared.n_rows:,} rows, which are the training rows"


def make_ready(
    point: dict[str, Any],
    experiment: Experiment,
    on_progress: Callable[[int, int | None], None],
    joined: Joined | None = None,
    storage_key: str = "storage",
) -> ReadyPoint:
    """Prepare the data of one point, and refuse what cannot be run on it.

    `joined` says what the engines get that join a cluster; without it they get what is asked for.
    `storage_key` is what messages call the place where the storage of the experiment was given.

    Raises
    ------
    RequestError
        If the data is not fit for what is asked.
    """
    spec = experiment.workload
    if isinstance(spec, TasksSpec):
        return _ready_tasks(point, experiment, spec)
    if experiment.dataset is None:
        raise AssertionError("a definition without a dataset is one of tasks")
    if isinstance(spec, EstimatorSpec):
        _check_values(spec, experiment.search)
    prepared = prepare(
        experiment.dataset,
        experiment.split,
        folds=_folds(experiment),
        label_kind=_label_kind(spec),
        min_row_groups=max(granted_cores(experiment), _LEAST_ROW_GROUPS),
        learns_label=_learns(spec),
        storage=asked_storage(experiment.storage, key=storage_key),
        on_progress=on_progress,
    )
    _check_held_out(spec, prepared)
    task = _task(spec, prepared)
    if isinstance(spec, XGBoostSpec):
        spec = _resolved(spec, task)
    search = _search(experiment, spec, task, prepared, joined)
    answers = _answers(spec, task, search)
    names = _metrics(experiment, spec, task, prepared, answers)
    searched = None
    if search is not None:
        _check(search.scoring, spec, task, prepared, answers, section="search.scoring")
        searched = _responding(spec, task, search.scoring)
    return ReadyPoint(
        point,
        experiment,
        _responding(spec, task, names),
        prepared,
        task,
        names,
        _initial_centers(spec, prepared, search),
        search,
        searched,
    )


def _check_values(spec: EstimatorSpec, search: SearchOptions | None) -> None:
    """Refuse values that no fit of an estimator would take.

    Those that candidates try are not among them: a candidate that fails is a result.
    """
    tried = search.space if search is not None else {}
    fixed = {name: value for name, value in spec.parameters.items() if name not in tried}
    try:
        check_values(spec.model_copy(update={"parameters": fixed}))
    except SpecError as exc:
        raise RequestError(f"workload.parameters: {exc}") from exc


def _check_held_out(spec: Spec, prepared: Prepared) -> None:
    """Refuse rows that were held out when the data was prepared, where none can be predicted."""
    if isinstance(spec, EstimatorSpec) and not spec.can_predict and prepared.counts["test"]:
        raise RequestError(
            f"dataset.url: {spec.class_} cannot predict rows that it was not fitted to, and "
            f"{prepared.location} has {prepared.counts['test']:,} that are held out; prepare the "
            f"data without a split."
        )


def _ready_tasks(point: dict[str, Any], experiment: Experiment, spec: TasksSpec) -> ReadyPoint:
    names = experiment.metrics
    if names is None:
        names = default_metrics("tasks", "simulation", labelled=False)
    check_metrics(names, "tasks", "simulation", labelled=False)
    reference = reference_price(spec)
    return ReadyPoint(
        point, experiment, spec, None, "simulation", tuple(names), {}, reference=reference
    )


def _folds(experiment: Experiment) -> FoldOptions | None:
    """Return the folds of a search; None where there is none, or the split deals them."""
    options = experiment.search
    if options is None or (experiment.split is not None and experiment.split.folds is not None):
        return None
    # as scikit-learn does: where classes are learned, folds keep their shares
    unsaid = None if _learns(experiment.workload) else False
    return FoldOptions(
        n_folds=options.folds or _DEFAULT_FOLDS,
        shuffle=options.shuffle,
        seed=options.seed,
        stratify=unsaid if options.stratify is None else options.stratify,
    )


def _learns(spec: Spec) -> bool:
    """Tell whether a label is learned."""
    if isinstance(spec, EstimatorSpec):
        return spec.estimator_kind != "clusterer"
    return isinstance(spec, XGBoostSpec)


def _label_kind(spec: Spec) -> Literal["auto", "classes", "numbers"]:
    if isinstance(spec, EstimatorSpec):
        kinds: dict[str, Literal["auto", "classes", "numbers"]] = {
            "classifier": "classes",
            "regressor": "numbers",
        }
        return kinds.get(spec.estimator_kind, "auto")
    if not isinstance(spec, XGBoostSpec) or spec.task == "auto":
        return "auto"
    return "numbers" if spec.task == "regression" else "classes"


def _task(
    spec: Spec, prepared: Prepared
) -> Literal["clustering", "binary", "multiclass", "regression"]:
    """Return how to score, having checked that the label is fit to learn from."""
    if not _learns(spec):
        return "clustering"
    found = prepared.task
    if found is None:
        what = spec.class_ if isinstance(spec, EstimatorSpec) else spec.kind
        raise RequestError(
            f"The workload {what} learns from a label, and the dataset has none; name its column "
            f"with dataset.label."
        )
    if isinstance(spec, XGBoostSpec) and spec.task not in {"auto", found}:
        classes = f"{len(prepared.classes)} classes" if prepared.classes else "numbers"
        raise RequestError(
            f"workload.task: {spec.task} does not fit the label, which holds {classes}; "
            f"use task: {found} or auto."
        )
    return found


def _resolved(spec: XGBoostSpec, task: ScoredTask) -> XGBoostSpec:
    """Replace task auto, now that the label is known, which may forbid what was open before."""
    try:
        return spec.resolved(task)  # type: ignore[arg-type]  # checked: the label's own task
    except ValidationError as exc:
        found = "; ".join(str(detail["ctx"]["error"]) for detail in exc.errors())
        raise RequestError(f"workload.{found}, and task: auto found it in the label.") from exc


@dataclass(frozen=True)
class _Answers:
    """What a model can be asked for; in a search, what any of its candidates can be."""

    probabilities: bool = True
    decision: bool = True
    centers: bool = True


def _metrics(
    experiment: Experiment, spec: Spec, task: ScoredTask, prepared: Prepared, answers: _Answers
) -> tuple[str, ...]:
    """Return what the predictions are scored by."""
    names = experiment.metrics
    if names is None:
        names = default_metrics(
            _kind(spec),
            task,
            _labelled(spec, prepared),
            probabilities=answers.probabilities,
            decision=answers.decision,
            centers=answers.centers,
        )
    _check(names, spec, task, prepared, answers)
    return tuple(names)


def _search(
    experiment: Experiment,
    spec: Spec,
    task: ScoredTask,
    prepared: Prepared,
    joined: Joined | None,
) -> ReadySearch | None:
    """Return what is searched, its scoring still to be checked."""
    options = experiment.search
    if options is None:
        return None
    scoring = options.scoring or (default_scoring(_kind(spec), task),)
    n_classes = len(prepared.classes) if task in {"binary", "multiclass"} else 0
    return plan_search(experiment, options, prepared, tuple(scoring), n_classes, joined=joined)


def _check(
    names: Iterable[str],
    spec: Spec,
    task: ScoredTask,
    prepared: Prepared,
    answers: _Answers,
    *,
    section: str = "metrics",
) -> None:
    """Refuse metrics that nothing which is fitted can be scored by."""
    check_metrics(
        names,
        _kind(spec),
        task,
        _labelled(spec, prepared),
        section=section,
        probabilities=answers.probabilities,
        decision=answers.decision,
        centers=answers.centers,
    )


def _kind(spec: Spec) -> Kind:
    return spec.kind  # type: ignore[return-value]  # every kind of workload has metrics


def _labelled(spec: Spec, prepared: Prepared) -> bool:
    """Tell whether there are true values to score by: classes, or what was learned."""
    return prepared.label_kind == "classes" or _learns(spec)


def _answers(spec: Spec, task: ScoredTask, search: ReadySearch | None) -> _Answers:
    if not isinstance(spec, EstimatorSpec):
        return _Answers()
    centers = spec.class_.rpartition(".")[2] in _WITH_CENTERS
    if task not in {"binary", "multiclass"} or spec.response == "classes":
        return _Answers(probabilities=False, decision=False, centers=centers)
    found = offer(spec, ({},) if search is None else search.candidates)
    if spec.response == "ranking" and task == "binary":
        ranks = found.probabilities or found.decision
        return _Answers(probabilities=False, decision=ranks, centers=centers)
    return _Answers(found.probabilities, found.decision, centers)


# clusterers of scikit-learn whose centres have one row a cluster
_WITH_CENTERS = frozenset(
    {"AffinityPropagation", "BisectingKMeans", "KMeans", "MeanShift", "MiniBatchKMeans"}
)


def _responding(spec: Spec, task: ScoredTask, names: tuple[str, ...]) -> Spec:
    """Return an estimator's specification that predicts what its metrics need, and no more."""
    if not isinstance(spec, EstimatorSpec) or spec.response != "auto":
        return spec
    response = "classes"
    if any(METRICS[name].needs_ranking for name in names):
        # more than two classes are each ranked against the rest, by probability
        response = "ranking" if task == "binary" else "probabilities"
    if any(METRICS[name].needs_probability for name in names):
        response = "probabilities"
    return spec.model_copy(update={"response": response})


def _initial_centers(
    spec: Spec, prepared: Prepared, search: ReadySearch | None
) -> dict[int, NDArray[np.float64]]:
    """Draw the shared starting centres of k-means, for every number of clusters that is asked."""
    if not isinstance(spec, KMeansSpec):
        return {}
    n_train = prepared.counts["train"]
    if search is None and spec.n_clusters > n_train:
        raise RequestError(
            f"workload.n_clusters must be at most the number of training rows, {n_train:,}; "
            f"got {spec.n_clusters:,}."
        )
    values = [{}] if search is None else search.candidates
    asked = {
        one.get("n_clusters", spec.n_clusters)
        for one in values
        if one.get("init", spec.init) == "shared"
    }
    if search is not None and search.resource == "n_clusters":
        asked = {rung.n_resources for rung in search.rungs}
    # a candidate with more clusters than there are rows fails by itself, and the search goes on
    return {
        n_clusters: draw_initial_centers(prepared, n_clusters, spec.seed)
        for n_clusters in sorted(asked)
        if n_clusters <= n_train
    }
