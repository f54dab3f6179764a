"""The metrics that can be asked for, which task each fits, and when two engines disagree."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

Task = Literal["clustering", "binary", "multiclass", "regression", "simulation"]
Kind = Literal["kmeans", "xgboost", "estimator", "tasks"]

CLUSTERING: tuple[Task, ...] = ("clustering",)
CLASSIFICATION: tuple[Task, ...] = ("binary", "multiclass")
REGRESSION: tuple[Task, ...] = ("regression",)
SIMULATION: tuple[Task, ...] = ("simulation",)

# Two engines whose labels have a smaller adjusted Rand index found different clusterings: at 0.95
# between one and three rows in a hundred have changed sides, and rounding moves far fewer.
AGREEMENT_RAND = 0.95


@dataclass(frozen=True)
class Tolerance:
    """How far two values of a metric may lie apart and still say the same.

    Parameters
    ----------
    absolute : float
        Greatest difference, in the metric's own unit.
    relative : float
        Greatest difference as a share of the larger magnitude.
    """

    absolute: float = 0.0
    relative: float = 0.0

    def exceeded(self, a: float, b: float) -> bool:
        """Say whether two values differ by more than both bounds."""
        return abs(a - b) > max(self.absolute, self.relative * max(abs(a), abs(b)))


@dataclass(frozen=True)
class Metric:
    """What a reader must know of a metric.

    Parameters
    ----------
    title : str
        Its name in a table.
    tasks : tuple of {"clustering", "binary", "multiclass", "regression", "simulation"}
        What it can score.
    higher_is_better : bool
        Which way is up.
    tolerance : Tolerance
        The difference between engines beyond which a table says that they disagree.
    needs_label : bool
        Whether it compares with a true label.
    description : str
        One sentence with the definition.
    needs_probability : bool
        Whether it needs the probabilities of the classes.
    needs_ranking : bool
        Whether it needs the order of the rows, which the decision function of two classes gives,
        and which probabilities give.
    needs_centers : bool
        Whether it needs the model's centres.
    """

    title: str
    tasks: tuple[Task, ...]
    higher_is_better: bool
    tolerance: Tolerance
    needs_label: bool
    description: str
    needs_probability: bool = False
    needs_ranking: bool = False
    needs_centers: bool = False


# Tolerances answer "would a reader draw another conclusion?", not "are the bits the same?". Bounded
# scores take absolute bounds, scores with the unit of the data relative ones.

# One row in a hundred changes class: about what another seed does on some thousand rows.
_RATE = Tolerance(absolute=0.01)
# The AUC averages over pairs of rows and varies less than a rate; published leads are this small.
_RANKING = Tolerance(absolute=0.005)
# Unbounded, and a few confident mistakes move it, so it is given more room than an error.
_LOSS = Tolerance(relative=0.05)
# Like a hundredth of R2 for a model that explains three quarters of the variance.
_ERROR = Tolerance(relative=0.02)
# Of two local optima that differ by less than this, neither is worth another run.
_INERTIA = Tolerance(relative=0.01)
# Ratios of distances, in which one moved border counts more than in the inertia.
_RATIO = Tolerance(relative=0.05)
# Between -1 and 1, but clusterings that differ in substance are often a few hundredths apart.
_SILHOUETTE = Tolerance(absolute=0.02)
# The counterpart of AGREEMENT_RAND.
_RAND = Tolerance(absolute=0.05)
# The blocks of a simulation are the same everywhere, and so must be what they add up to.
_EXACT = Tolerance()

METRICS: dict[str, Metric] = {
    "accuracy": Metric(
        title="Accuracy",
        tasks=CLASSIFICATION,
        higher_is_better=True,
        tolerance=_RATE,
        needs_label=True,
        description="Share of the scored rows whose class is predicted; of two classes the second "
        "is predicted when its probability exceeds one half.",
    ),
    "balanced_accuracy": Metric(
        title="Balanced accuracy",
        tasks=CLASSIFICATION,
        higher_is_better=True,
        tolerance=_RATE,
        needs_label=True,
        description="Mean over the classes among the scored rows of the share of their rows that "
        "is predicted.",
    ),
    "f1_macro": Metric(
        title="F1 (macro)",
        tasks=CLASSIFICATION,
        higher_is_better=True,
        tolerance=_RATE,
        needs_label=True,
        description="Unweighted mean of the F1 score of every class that is true or predicted for "
        "a scored row.",
    ),
    "roc_auc": Metric(
        title="ROC AUC",
        tasks=CLASSIFICATION,
        higher_is_better=True,
        tolerance=_RANKING,
        needs_label=True,
        description="Exact area under the ROC curve, ties counted half, by the decision function "
        "where there is one and by the probability otherwise; with more than two classes the "
        "unweighted mean of each class against the rest, by the probabilities.",
        needs_ranking=True,
    ),
    "log_loss": Metric(
        title="Log loss",
        tasks=CLASSIFICATION,
        higher_is_better=False,
        tolerance=_LOSS,
        needs_label=True,
        description="Mean negative natural logarithm of the probability given to the true class, "
        "clipped to [2.2e-16, 1 - 2.2e-16].",
        needs_probability=True,
    ),
    "rmse": Metric(
        title="RMSE",
        tasks=REGRESSION,
        higher_is_better=False,
        tolerance=_ERROR,
        needs_label=True,
        description="Square root of the mean squared error, in the unit of the label.",
    ),
    "mae": Metric(
        title="MAE",
        tasks=REGRESSION,
        higher_is_better=False,
        tolerance=_ERROR,
        needs_label=True,
        description="Mean absolute error, in the unit of the label.",
    ),
    "r2": Metric(
        title="R²",
        tasks=REGRESSION,
        higher_is_better=True,
        tolerance=_RATE,
        needs_label=True,
        description="Coefficient of determination: 1 less the squared error as a share of that of "
        "the mean label of the scored rows.",
    ),
    "inertia": Metric(
        title="Inertia",
        tasks=CLUSTERING,
        higher_is_better=False,
        tolerance=_INERTIA,
        needs_label=False,
        description="Sum of squared distances of the scored rows to the model's centre of the "
        "cluster they were assigned to.",
        needs_centers=True,
    ),
    "silhouette": Metric(
        title="Silhouette (Euclidean)",
        tasks=CLUSTERING,
        higher_is_better=True,
        tolerance=_SILHOUETTE,
        needs_label=False,
        description="Mean silhouette under Euclidean distance over one seeded sample of 5000 "
        "scored rows, the same rows on every engine; all rows where there are no more.",
    ),
    "silhouette_squared": Metric(
        title="Silhouette (sq. Euclidean)",
        tasks=CLUSTERING,
        higher_is_better=True,
        tolerance=_SILHOUETTE,
        needs_label=False,
        description="Mean silhouette under squared Euclidean distance over all scored rows, exact; "
        "larger than the Euclidean one on the same clustering.",
    ),
    "davies_bouldin": Metric(
        title="Davies-Bouldin index",
        tasks=CLUSTERING,
        higher_is_better=False,
        tolerance=_RATIO,
        needs_label=False,
        description="Mean over the clusters of the worst ratio of two clusters' mean distances to "
        "their label means to the distance between those means; as in scikit-learn 0 where no "
        "cluster has an extent or all means coincide.",
    ),
    "calinski_harabasz": Metric(
        title="Calinski-Harabasz index",
        tasks=CLUSTERING,
        higher_is_better=True,
        tolerance=_RATIO,
        needs_label=False,
        description="Dispersion between label means over dispersion within clusters, each divided "
        "by its degrees of freedom; as in scikit-learn 1 where the latter is 0.",
    ),
    "adjusted_rand": Metric(
        title="Adj. Rand to true labels",
        tasks=CLUSTERING,
        higher_is_better=True,
        tolerance=_RAND,
        needs_label=True,
        description="Share of the pairs of scored rows on which the clusters and the true classes "
        "agree, adjusted for chance: 1 for the same partition, about 0 for a random one.",
    ),
    "estimate": Metric(
        title="Estimate",
        tasks=SIMULATION,
        higher_is_better=False,
        tolerance=_EXACT,
        needs_label=False,
        description="Mean of the discounted payoffs of the simulated paths; neither more nor less "
        "of it is better.",
    ),
    "standard_error": Metric(
        title="Standard error",
        tasks=SIMULATION,
        higher_is_better=False,
        tolerance=_EXACT,
        needs_label=False,
        description="Standard deviation of the estimate: that of the payoffs over the root of "
        "their number.",
    ),
    "reference_error": Metric(
        title="Error to reference",
        tasks=SIMULATION,
        higher_is_better=False,
        tolerance=_EXACT,
        needs_label=False,
        description="Estimate less the reference, which more paths and a control variate give; "
        "the nearer to 0 the better.",
    ),
    "reference_z": Metric(
        title="Error / standard error",
        tasks=SIMULATION,
        higher_is_better=False,
        tolerance=_EXACT,
        needs_label=False,
        description="Magnitude of the error over the root of the squared standard errors of "
        "estimate and reference: below 2 in 95 of 100 simulations that are right.",
    ),
}


def default_metrics(
    kind: Kind,
    task: Task | None,
    labelled: bool,
    *,
    probabilities: bool = True,
    decision: bool = False,
    centers: bool = True,
) -> tuple[str, ...]:
    """Return the metrics of an experiment that names none: all that fit, best known first.

    Parameters
    ----------
    kind : {"kmeans", "xgboost", "estimator", "tasks"}
        Kind of the workload.
    task : {"clustering", "binary", "multiclass", "regression", "simulation"} or None
        What XGBoost or the estimator learns; not read for k-means and tasks.
    labelled : bool
        Whether the dataset has true classes to compare with.
    probabilities : bool
        Whether a classifier can give probabilities.
    decision : bool
        Whether a classifier has a decision function, which ranks the rows of two classes.
    centers : bool
        Whether a clusterer has centres.

    Returns
    -------
    tuple of str
        Names of `METRICS`, in its order.

    Raises
    ------
    ValueError
        If XGBoost or an estimator comes without its task.
    """
    tasks = _tasks(kind, task)
    if len(tasks) > 1:
        raise ValueError(f"The default metrics of {kind} depend on its task, and none was given.")
    ranks = probabilities or (decision and tasks == ("binary",))
    return _fitting(tasks, labelled, ranks=ranks, probabilities=probabilities, centers=centers)


def default_scoring(kind: Kind, task: Task | None) -> str:
    """Return the metric that a search goes by when it names none.

    Parameters
    ----------
    kind, task
        As for `default_metrics`.

    Returns
    -------
    str
        What ``GridSearchCV`` takes from a classifier or regressor, and the silhouette for
        clusterings.

    Raises
    ------
    ValueError
        If there is nothing to search: the kind is "tasks", or the task is not given.
    """
    found = _tasks(kind, task)
    if found == SIMULATION or len(found) > 1:
        raise ValueError(f"A search of {kind} with the task {task} has no default metric.")
    if found == CLUSTERING:
        return "silhouette"
    return "r2" if found == REGRESSION else "accuracy"


def check_metrics(
    names: Iterable[str],
    kind: Kind,
    task: Task | None,
    labelled: bool,
    *,
    section: str = "metrics",
    probabilities: bool = True,
    decision: bool = False,
    centers: bool = True,
) -> None:
    """Refuse metrics that do not exist, do not fit the workload or lack what they need.

    Parameters
    ----------
    names : iterable of str
        What was asked for.
    kind, task, labelled, probabilities, decision, centers
        As for `default_metrics`; `task` may be None for xgboost while it is not known, and then
        what fits any of its tasks passes.
    section : str
        Key of the definition that the names stand under, for messages.

    Raises
    ------
    RequestError
        Naming the first metric that is wrong, the nearest that exists and those that fit.
    """
    tasks = _tasks(kind, task)
    ranks = probabilities or (decision and tasks == ("binary",))
    fitting = _fitting(tasks, labelled, ranks=ranks, probabilities=probabilities, centers=centers)
    choices = f"choose from {', '.join(fitting)}."
    seen: set[str] = set()
    for name in names:
        if name not in METRICS:
            raise RequestError(
                f"{section}: there is no metric {name!r}{_nearest(name, fitting)}; {choices}"
            )
        metric = METRICS[name]
        if not set(metric.tasks) & set(tasks):
            raise RequestError(
                f"{section}: {name} scores {_spoken(metric.tasks)}, and this workload ({kind}) is "
                f"{_spoken(tasks)}; {choices}"
            )
        if metric.needs_label and not labelled:
            raise RequestError(
                f"{section}: {name} compares with true labels, and the dataset has none that are "
                f"classes; name a label column or {choices}"
            )
        unranked = metric.needs_ranking and not ranks
        if unranked or (metric.needs_probability and not probabilities):
            raise RequestError(
                f"{section}: {name} needs probabilities, and this classifier gives classes alone; "
                f"{choices}"
            )
        if metric.needs_centers and not centers:
            raise RequestError(
                f"{section}: {name} is measured from centres, and this clusterer has none; "
                f"{choices}"
            )
        if name in seen:
            raise RequestError(f"{section}: {name} is named twice; name each metric once.")
        seen.add(name)


def disagree(name: str, a: float | None, b: float | None) -> bool:
    """Say whether two engines' values of a metric lie further apart than its tolerance.

    Parameters
    ----------
    name : str
        One of `METRICS`.
    a, b : float or None
        The values; None where the metric is undefined. One defined and one undefined value
        disagree, as the engines must have found different things; two undefined ones agree.
    """
    if a is None or b is None:
        return a is not b
    return METRICS[name].tolerance.exceeded(a, b)


def _tasks(kind: Kind, task: Task | None) -> tuple[Task, ...]:
    if kind == "kmeans":
        return CLUSTERING
    if kind == "tasks":
        return SIMULATION
    return (task,) if task is not None else (*CLASSIFICATION, *REGRESSION)


def _fitting(
    tasks: tuple[Task, ...], labelled: bool, *, ranks: bool, probabilities: bool, centers: bool
) -> tuple[str, ...]:
    return tuple(
        name
        for name, metric in METRICS.items()
        if set(metric.tasks) & set(tasks)
        and (labelled or not metric.needs_label)
        and (ranks or not metric.needs_ranking)
        and (probabilities or not metric.needs_probability)
        and (centers or not metric.needs_centers)
    )


def _nearest(name: str, fitting: tuple[str, ...]) -> str:
    """Return the question after an unknown name; a near name that fits comes first."""
    for candidates in (fitting, tuple(METRICS)):
        if close := difflib.get_close_matches(str(name).lower(), candidates, n=1):
            return f" (did you mean {close[0]}?)"
    return ""


def _spoken(tasks: tuple[Task, ...]) -> str:
    words = {
        "clustering": "clustering",
        "binary": "binary classification",
        "multiclass": "multiclass classification",
        "regression": "regression",
        "simulation": "simulation",
    }
    return " or ".join(words[task] for task in tasks)
