"""Fits of one model in one process, with the libraries that a single machine has.

It is the scikit-learn engine's way, and that of every worker in a search over candidates, whatever
engine the worker belongs to: the same call gives the same model everywhere.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from engines import boosting
from engines.checks import check_estimator, check_kmeans, check_xgboost
from engines.errors import SpecError, UnsupportedFeatureError
from engines.estimators import find_estimator, parallel_parameter, parameter_names
from engines.gaps import Feature, Gap
from engines.parameters import Reject, Rename, Same, apply, native_arguments
from engines.types import Model, Predictions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from engines.parameters import VerdictTable
    from engines.prepared import Prepared, Rows
    from engines.specs import EstimatorSpec, KMeansSpec, Spec, XGBoostSpec

KMEANS_VERDICTS: VerdictTable = {
    "n_clusters": Same(),
    "init": Same(),
    "max_iter": Same(),
    "tol": Same(),
    "n_init": Same(),
    "oversampling_factor": Reject("scikit-learn has no k-means||."),
    "init_max_iter": Reject("scikit-learn has no k-means||."),
    "seed": Rename("random_state"),
}


# every parameter of the estimator itself is given as it is
ESTIMATOR_VERDICTS: VerdictTable = {"response": Same(), "seed": Rename("random_state")}

GAPS: Mapping[Feature, Gap] = {
    Feature.KMEANS_INIT_PARALLEL: Gap(
        "upstream",
        "scikit-learn has no k-means||; use init: shared, or k-means++ for scikit-learn alone.",
    ),
}


@dataclass(frozen=True)
class Fitted:
    """An estimator of scikit-learn or XGBoost, fitted in one process.

    Parameters
    ----------
    estimator : object
        It.
    kind : {"classifier", "regressor", "clusterer"}
        What it is for.
    probabilities : bool
        Whether a classifier is asked for probabilities.
    n_classes : int
        Classes of the label; 0 where it has none.
    own_choice : bool
        Whether the class it chooses need not be the most probable one, and is asked for too.
    decision : bool
        Whether a classifier of two classes is asked for its decision function.
    labelled : ndarray of shape (n_rows,), dtype int64, optional
        The rows that a clusterer which cannot predict has labelled: those it was fitted on.
    """

    estimator: Any
    kind: str
    probabilities: bool
    n_classes: int
    own_choice: bool = False
    decision: bool = False
    labelled: NDArray[np.int64] | None = None


def fit(
    spec: Spec,
    rows: Rows,
    prepared: Prepared,
    *,
    threads: int,
    initial_centers: NDArray[np.float64] | None = None,
) -> Model:
    """Fit what a specification asks for.

    Parameters
    ----------
    spec : KMeansSpec, XGBoostSpec or EstimatorSpec
        What is asked.
    rows : Rows
        Rows to learn from.
    prepared : Prepared
        The dataset that they are from.
    threads : int
        Native threads or jobs of the fit.
    initial_centers : ndarray of shape (n_clusters, n_features), dtype float64, optional
        Starting centres of k-means.

    Returns
    -------
    Model
        Its ``native`` is `Fitted`; its notes say what the library warned of.

    Raises
    ------
    UnsupportedFeatureError
        If scikit-learn lacks what is asked.
    SpecError
        If what is asked does not fit the rows.
    """
    if met := next((one for one in spec.features() if one in GAPS), None):
        raise UnsupportedFeatureError(f"{met.value}: {GAPS[met]}")
    match spec.kind:
        case "kmeans":
            return _fit_kmeans(cast("KMeansSpec", spec), rows, prepared, initial_centers)
        case "xgboost":
            return _fit_xgboost(cast("XGBoostSpec", spec), rows, prepared, threads)
        case "estimator":
            return fit_estimator(cast("EstimatorSpec", spec), rows, prepared, threads)
    raise SpecError(f"A workload of kind {spec.kind!r} is not fitted.")


def predict(model: Model, rows: Rows) -> Predictions:
    """Predict rows in this process with a model that `fit` made.

    Raises
    ------
    SpecError
        If the estimator labels only the rows that it was fitted on, and these are others.
    """
    fitted: Fitted = model.native
    estimator, X = fitted.estimator, rows.X
    if fitted.kind == "clusterer":
        if fitted.labelled is None:
            labels = estimator.predict(X)
        elif np.array_equal(fitted.labelled, rows.row_id):
            labels = estimator.labels_
        else:
            raise SpecError(
                f"{type(estimator).__name__} labels only the rows that it was fitted on; choose a "
                f"clusterer that has 'predict' to label others."
            )
        return Predictions(rows.row_id, np.asarray(labels, dtype=np.int32))
    if fitted.kind == "regressor":
        values = np.asarray(estimator.predict(X), dtype=np.float64)
        # some regressors return a column
        return Predictions(rows.row_id, values.reshape(len(X)))
    decision = np.asarray(estimator.decision_function(X), np.float64) if fitted.decision else None
    if not fitted.probabilities:
        chosen = estimator.predict(X).astype(np.int32)
        return Predictions(rows.row_id, chosen, decision=decision)
    of_classes = estimator.predict_proba(X)
    if of_classes.shape[1] < fitted.n_classes:
        # a class that no row it learned from has is given no probability
        every = np.zeros((len(X), fitted.n_classes))
        every[:, estimator.classes_] = of_classes
        of_classes = every
    value = boosting.probabilities(of_classes)
    if fitted.own_choice:
        chosen = estimator.predict(X).astype(np.int32)
        return Predictions(rows.row_id, value, chosen, decision)
    return Predictions(rows.row_id, value)


@dataclass(frozen=True)
class Offer:
    """What an estimator can give beside classes.

    Parameters
    ----------
    probabilities : bool
        Probabilities of the classes.
    decision : bool
        A decision function, which ranks the rows of two classes.
    """

    probabilities: bool
    decision: bool


def offer(spec: EstimatorSpec, candidates: Iterable[Mapping[str, Any]] = ({},)) -> Offer:
    """Return what an estimator can give, as it is or as any of some candidates.

    Parameters
    ----------
    spec : EstimatorSpec
        The estimator.
    candidates : iterable of dict
        Parameters of each candidate, in the place of those of the specification. With values that
        make no estimator it gives nothing; its fit fails, and says why.
    """
    made = find_estimator(spec.class_)
    probabilities, decision = False, False
    for values in candidates:
        try:
            found = _offer(made(**{**spec.parameters, **values}))
        except Exception:  # noqa: BLE001, S112 - the fit tells of it by name
            continue
        probabilities |= found.probabilities
        decision |= found.decision
        if probabilities and decision:
            break
    return Offer(probabilities, decision)


def within_offer(spec: EstimatorSpec, n_classes: int) -> EstimatorSpec:
    """Return a classifier's specification asking for no more than it can give.

    Parameters
    ----------
    spec : EstimatorSpec
        What is asked.
    n_classes : int
        Classes of the label.
    """
    if spec.estimator_kind != "classifier" or spec.response in {"auto", "classes"}:
        return spec
    found = offer(spec)
    if found.probabilities:
        return spec
    response = "ranking" if found.decision and n_classes == 2 else "classes"
    return spec.model_copy(update={"response": response})


def build_estimator(spec: EstimatorSpec, jobs: int) -> Any:
    """Make the estimator, unfitted, with its seed and its jobs in place."""
    made = find_estimator(spec.class_)
    arguments = dict(spec.parameters)
    if "random_state" in parameter_names(made):
        arguments.setdefault("random_state", spec.seed)
    if parallel_parameter(made):
        arguments["n_jobs"] = jobs
    return made(**arguments)


def check_values(spec: EstimatorSpec) -> None:
    """Check the values of an estimator's parameters as scikit-learn does before a fit.

    Raises
    ------
    SpecError
        With scikit-learn's own sentence.
    """
    try:
        estimator = build_estimator(spec, jobs=1)
        # what every fit of scikit-learn begins with; it has no public name
        validate = getattr(estimator, "_validate_params", None)
        if validate is not None:
            validate()
    except (TypeError, ValueError) as exc:
        raise SpecError(str(exc).strip().partition("\n")[0]) from exc


def fit_estimator(spec: EstimatorSpec, rows: Rows, prepared: Prepared, jobs: int) -> Model:
    """Fit an estimator of scikit-learn with so many jobs, where it has jobs; see `fit`."""
    check_estimator(spec, prepared)
    kind = spec.estimator_kind
    with _heard() as caught, _read_only(rows.X, rows.y):
        estimator = build_estimator(spec, jobs)
        n_classes = len(prepared.classes)
        ranks = kind == "classifier" and spec.response in {"ranking", "probabilities"}
        found = _offer(estimator)
        decision = ranks and found.decision and n_classes == 2
        probabilities = ranks and not (decision and spec.response == "ranking")
        if probabilities and not found.probabilities:
            raise SpecError(
                f"{spec.class_} gives no probabilities with these parameters; choose "
                f"response: classes, and metrics that need no more."
            )
        estimator.fit(rows.X) if kind == "clusterer" else estimator.fit(rows.X, rows.y)
    centers = getattr(estimator, "cluster_centers_", None) if kind == "clusterer" else None
    # a clusterer that finds none leaves an empty matrix
    of_rows = isinstance(centers, np.ndarray) and centers.ndim == 2 and len(centers) > 0
    transductive = kind == "clusterer" and not hasattr(estimator, "predict")
    return Model(
        native=Fitted(
            estimator,
            kind,
            probabilities=probabilities,
            n_classes=n_classes,
            own_choice=True,
            decision=decision,
            labelled=rows.row_id if transductive else None,
        ),
        parameters=apply(ESTIMATOR_VERDICTS, spec, prepared),
        centers=np.asarray(centers, dtype=np.float64) if of_rows else None,
        notes=_notes(estimator, caught),
    )


def _offer(estimator: Any) -> Offer:
    return Offer(
        probabilities=hasattr(estimator, "predict_proba"),
        decision=hasattr(estimator, "decision_function"),
    )


def _fit_kmeans(
    spec: KMeansSpec,
    rows: Rows,
    prepared: Prepared,
    initial_centers: NDArray[np.float64] | None,
) -> Model:
    from sklearn.cluster import KMeans

    check_kmeans(spec, len(rows.X), rows.X.shape[1], initial_centers)
    applied = apply(KMEANS_VERDICTS, spec, prepared)
    arguments = native_arguments(applied)
    if initial_centers is not None:
        arguments["init"] = initial_centers.astype(rows.X.dtype)
    with _heard() as caught:
        fitted = KMeans(algorithm="lloyd", copy_x=True, **arguments).fit(rows.X)
    return Model(
        native=Fitted(fitted, "clusterer", probabilities=False, n_classes=0),
        parameters=applied,
        centers=fitted.cluster_centers_.astype(np.float64),
        n_iter=int(fitted.n_iter_),
        notes=_notes(fitted, caught),
    )


def _fit_xgboost(spec: XGBoostSpec, rows: Rows, prepared: Prepared, threads: int) -> Model:
    from xgboost import XGBClassifier, XGBRegressor

    check_xgboost(spec, prepared)
    applied = apply(boosting.VERDICTS, spec, prepared)
    regresses = spec.task == "regression"
    if not regresses:
        _check_classes(rows.y, prepared)
    made = XGBRegressor if regresses else XGBClassifier
    fitted = made(tree_method="hist", n_jobs=threads, **native_arguments(applied))
    with _heard() as caught:
        fitted.fit(rows.X, rows.y)
    return Model(
        native=Fitted(
            fitted,
            "regressor" if regresses else "classifier",
            probabilities=not regresses,
            n_classes=len(prepared.classes),
        ),
        parameters=applied,
        notes=_notes(fitted, caught),
    )


def _check_classes(y: NDArray[np.int32], prepared: Prepared) -> None:
    present = np.bincount(y, minlength=len(prepared.classes)) > 0
    missing = [name for name, there in zip(prepared.classes, present, strict=True) if not there]
    if missing:
        raise SpecError(
            f"XGBoost needs a row of every class to learn from; there is none of "
            f"{', '.join(map(repr, missing))}."
        )


@contextmanager
def _read_only(*arrays: NDArray[Any]) -> Iterator[None]:
    """Protect arrays inside: an estimator that is told to work in place then copies them.

    They are fitted and predicted again. No views are made of them, because joblib knows what it has
    sent to workers by the array itself.
    """
    writeable = [array for array in arrays if array.flags.writeable]
    for array in writeable:
        array.flags.writeable = False
    try:
        yield
    finally:
        for array in writeable:
            array.flags.writeable = True


@contextmanager
def _heard() -> Iterator[list[warnings.WarningMessage]]:
    """Record what is warned of inside, instead of printing it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def _notes(estimator: Any, caught: Sequence[warnings.WarningMessage]) -> tuple[str, ...]:
    said = [str(one.message).strip().partition("\n")[0] for one in caught]
    return tuple(dict.fromkeys(f"{type(estimator).__name__}: {text}" for text in said))
