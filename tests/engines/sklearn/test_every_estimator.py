"""Every estimator of scikit-learn that stands alone can be fitted, or says why not."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.utils import all_estimators

from engines import single_node
from engines.errors import SpecError, headline
from engines.estimators import find_estimator, kind_of, parallel_parameter
from engines.prepared import Prepared, Rows
from engines.specs import EstimatorSpec, KMeansSpec, XGBoostSpec

N_ROWS = 60
rng = np.random.default_rng(0)
X = rng.normal(size=(N_ROWS, 3))
CLASSES = ((X[:, 0] + X[:, 1] > 0).astype(np.int32) + (X[:, 2] > 1)).astype(np.int32)
VALUES = X @ [1.0, 2.0, 3.0] + 0.1 * rng.normal(size=N_ROWS)
# built around another estimator, or a clusterer of features
REFUSED = {
    "ClassifierChain",
    "FeatureAgglomeration",
    "FixedThresholdClassifier",
    "MultiOutputClassifier",
    "MultiOutputRegressor",
    "OneVsOneClassifier",
    "OneVsRestClassifier",
    "OutputCodeClassifier",
    "RegressorChain",
    "SelfTrainingClassifier",
    "StackingClassifier",
    "StackingRegressor",
    "TunedThresholdClassifierCV",
    "VotingClassifier",
    "VotingRegressor",
}


@dataclass(frozen=True)
class Needs:
    """What an estimator needs beside the ordinary, or why it never fits one label."""

    parameters: tuple[tuple[str, Any], ...] = ()
    features: int = 3
    positive: bool = False
    error: str | None = None


# what these ask of the data or of their parameters
NEEDS = {
    "CCA": Needs((("n_components", 1),)),
    "CategoricalNB": Needs(positive=True),
    "ComplementNB": Needs(positive=True),
    "GammaRegressor": Needs(positive=True),
    "IsotonicRegression": Needs(features=1),
    "MultiTaskElasticNet": Needs(error="For mono-task outputs, use ElasticNet"),
    "MultiTaskElasticNetCV": Needs(error="For mono-task outputs, use ElasticNetCV"),
    "MultiTaskLasso": Needs(error="For mono-task outputs, use"),
    "MultiTaskLassoCV": Needs(error="For mono-task outputs, use LassoCV"),
    "MultinomialNB": Needs(positive=True),
    "NuSVC": Needs((("nu", 0.1),)),
    "PLSCanonical": Needs((("n_components", 1),)),
    "PoissonRegressor": Needs(positive=True),
}
ESTIMATORS = {
    name: found
    for kind in ("classifier", "regressor", "cluster")
    for name, found in all_estimators(type_filter=kind)
}


def public_path(found: type) -> str:
    """Return the path that scikit-learn's documentation gives."""
    package, module = found.__module__.split(".")[:2]
    return f"{package}.{module}.{found.__name__}"


def dataset(label_kind: str, n_classes: int = 0) -> Prepared:
    """Describe rows that are in memory only."""
    classes = tuple(map(str, range(n_classes)))
    counts = {"train": N_ROWS, "test": 0}
    return Prepared(
        Path(), "", ("a", "b", "c"), "float64", label_kind, classes, counts, 1.0, 0, (), ()
    )


def rows_of(features: np.ndarray, y: np.ndarray) -> Rows:
    """Return rows in no fold."""
    return Rows(features, y, np.arange(len(features)), np.full(len(features), -1, np.int8))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_fits_and_predicts_or_says_why_not(name: str):
    found = ESTIMATORS[name]
    path = public_path(found)
    if name in REFUSED:
        with pytest.raises(SpecError, match=r"is built around other objects|clusters features"):
            find_estimator(path)
        return
    assert find_estimator(path) is found
    needs = NEEDS.get(name, Needs())
    kind = kind_of(found)
    spec = EstimatorSpec.model_validate({"class": path, "parameters": dict(needs.parameters)})
    features = X[:, : needs.features]
    values = VALUES
    if needs.positive:
        features, values = np.floor(np.abs(features)), np.abs(values) + 0.1
    data = dataset("numbers") if kind == "regressor" else dataset("classes", 3)
    rows = rows_of(features, values if kind == "regressor" else CLASSES)
    before = [array.copy() for array in rows]
    if needs.error is not None:
        with pytest.raises(ValueError, match=needs.error):
            single_node.fit(spec, rows, data, threads=1)
        return
    model = single_node.fit(spec, rows, data, threads=1)
    predictions = single_node.predict(model, rows)
    assert predictions.value.shape == (N_ROWS,)
    assert predictions.value.dtype == (np.float64 if kind == "regressor" else np.int32)
    for now, then in zip(rows, before, strict=True):
        np.testing.assert_array_equal(now, then)
    assert rows.X.flags.writeable == features.flags.writeable
    if kind == "classifier":
        assert set(predictions.value) <= {0, 1, 2}
        _check_probabilities(spec, rows, data)


def _check_probabilities(spec: EstimatorSpec, rows: Rows, data: Prepared) -> None:
    asked = spec.model_copy(update={"response": "probabilities"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a deprecated class warns when it is made
        unfitted = single_node.build_estimator(spec, 1)
    if not hasattr(unfitted, "predict_proba"):
        with pytest.raises(SpecError, match="gives no probabilities"):
            single_node.fit(asked, rows, data, threads=1)
        return
    predictions = single_node.predict(single_node.fit(asked, rows, data, threads=1), rows)
    assert predictions.value.shape == (N_ROWS, 3)
    np.testing.assert_allclose(predictions.value.sum(axis=1), 1.0, rtol=0, atol=1e-9)
    assert predictions.label.dtype == np.int32


@pytest.mark.parametrize("present", [[0, 1], [0, 2], [1, 2], [1]])
@pytest.mark.parametrize(
    "path", ["sklearn.naive_bayes.GaussianNB", "sklearn.ensemble.RandomForestClassifier"]
)
def test_a_class_that_no_row_to_learn_from_has_is_given_no_probability(
    path: str, present: list[int]
):
    y = rng.choice(present, N_ROWS).astype(np.int32)
    y[: len(present)] = present
    spec = EstimatorSpec.model_validate({"class": path, "response": "probabilities"})
    rows = rows_of(X, y)
    model = single_node.fit(spec, rows, dataset("classes", 3), threads=1)
    predictions = single_node.predict(model, rows)
    absent = sorted({0, 1, 2} - set(present))
    assert not predictions.value[:, absent].any()
    np.testing.assert_allclose(predictions.value[:, present].sum(axis=1), 1.0, atol=1e-12)
    assert set(predictions.label) <= set(present)


@pytest.mark.parametrize("present", [[0, 1], [0, 2], [1]])
def test_xgboost_says_which_class_it_misses(present: list[int]):
    y = np.resize(np.array(present, dtype=np.int32), N_ROWS)
    absent = ", ".join(repr(str(one)) for one in sorted({0, 1, 2} - set(present)))
    spec = XGBoostSpec(task="multiclass", n_estimators=1)
    with pytest.raises(SpecError, match=f"there is none of {absent}"):
        single_node.fit(spec, rows_of(X, y), dataset("classes", 3), threads=1)


def test_a_task_left_open_is_refused_where_one_model_is_fitted():
    with pytest.raises(SpecError, match="'auto' does not fit the label"):
        single_node.fit(XGBoostSpec(), rows_of(X, CLASSES), dataset("classes", 3), threads=1)


def test_what_k_means_warns_of_is_noted():
    rows = rows_of(np.repeat(X[:2], 5, axis=0), CLASSES[:10])
    spec = KMeansSpec(n_clusters=3, init="random")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = single_node.fit(spec, rows, dataset("classes", 3), threads=1)
    assert any("distinct clusters" in note for note in model.notes)


def test_affinity_propagation_that_finds_no_centre_has_none():
    spec = EstimatorSpec.model_validate(
        {"class": "sklearn.cluster.AffinityPropagation", "parameters": {"max_iter": 1}}
    )
    rows = rows_of(X, CLASSES)
    model = single_node.fit(spec, rows, dataset("classes", 3), threads=1)
    assert model.centers is None
    assert any("did not converge" in note for note in model.notes)


def test_logistic_regression_is_given_no_jobs_for_they_have_no_effect():
    assert parallel_parameter(find_estimator("sklearn.linear_model.LogisticRegression")) is None
    forest = find_estimator("sklearn.ensemble.RandomForestClassifier")
    assert parallel_parameter(forest) == "n_jobs"


@pytest.mark.parametrize(
    "path",
    ["os.path.join", "sklearn.svm", "sklearn.svm._classes.SVC", "sklearn.tree.BaseDecisionTree"],
)
def test_what_is_no_public_estimator_is_refused(path: str):
    with pytest.raises(SpecError, match="is no classifier, regressor or clusterer") as raised:
        find_estimator(path)
    assert "\n" not in headline(raised.value)


def test_a_class_that_a_module_only_imports_is_not_its_own():
    """sklearn.calibration lists nothing, and imports LinearSVC."""
    with pytest.raises(SpecError, match=r"did you mean sklearn\.svm\.LinearSVC"):
        find_estimator("sklearn.calibration.LinearSVC")
    assert find_estimator("sklearn.calibration.CalibratedClassifierCV")
