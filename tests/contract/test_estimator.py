"""Any estimator of scikit-learn: fitted and predicted on every engine as by scikit-learn itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.cluster import DBSCAN, BisectingKMeans
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import get_scorer
from sklearn.svm import SVC

from engines.errors import EngineFailedError, SpecError
from engines.gaps import Feature
from engines.prepared import Rows, read_rows
from engines.specs import EstimatorSpec
from engines.types import Source
from experiments.metrics import score

if TYPE_CHECKING:
    from engines.base import Engine
    from engines.prepared import Prepared
    from engines.types import Data

pytestmark = pytest.mark.feature(Feature.ESTIMATOR)
SEED = 3


def asked(path: str, **fields: Any) -> EstimatorSpec:
    """Return the specification of an estimator."""
    return EstimatorSpec.model_validate({"class": path, "seed": SEED, **fields})


def rows(prepared: Prepared, split: str) -> Rows:
    """Return the rows of a split."""
    return read_rows(prepared, prepared.row_groups, split)


@pytest.fixture(scope="session")
def host(engine: Engine[Any], folded: Prepared) -> Data[Any]:
    """Training rows of two classes, in the process that drives the engine."""
    return engine.load(Source(folded, "train", "host"))


CLASSIFIERS = {
    "SVC": (asked("sklearn.svm.SVC"), SVC(random_state=SEED)),
    "forest": (
        asked("sklearn.ensemble.RandomForestClassifier", parameters={"n_estimators": 8}),
        RandomForestClassifier(8, random_state=SEED),
    ),
    "logistic": (
        asked("sklearn.linear_model.LogisticRegression"),
        LogisticRegression(random_state=SEED),
    ),
    # its loop wants processes, where a forest is content with threads
    "bagging": (
        asked("sklearn.ensemble.BaggingClassifier", parameters={"n_estimators": 4}),
        BaggingClassifier(n_estimators=4, random_state=SEED),
    ),
}


# all but the forest have a decision function; that of SGD saturates as a probability, with ties
RANKING = {
    "SGD": (
        asked("sklearn.linear_model.SGDClassifier", parameters={"loss": "log_loss", "alpha": 1e-9}),
        SGDClassifier(loss="log_loss", alpha=1e-9, random_state=SEED),
    ),
    "SVC": CLASSIFIERS["SVC"],
    "forest": CLASSIFIERS["forest"],
}


@pytest.mark.parametrize("placement", ["spread", "host"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_chooses_the_classes_that_scikit_learn_does(
    engine: Engine[Any], host: Data[Any], folded: Prepared, name: str, placement: str
):
    spec, plain = CLASSIFIERS[name]
    train, test = rows(folded, "train"), rows(folded, "test")
    held_out = engine.load(Source(folded, "test", placement))
    predictions = engine.predict(engine.fit_estimator(spec, host), held_out)
    np.testing.assert_array_equal(predictions.row_id, test.row_id)
    assert predictions.value.dtype == np.int32
    np.testing.assert_array_equal(predictions.value, plain.fit(train.X, train.y).predict(test.X))
    engine.release(held_out)


@pytest.mark.parametrize("name", ["forest", "logistic", "bagging"])
def test_probabilities_are_those_of_scikit_learn_with_the_class_it_chooses(
    engine: Engine[Any], host: Data[Any], folded: Prepared, name: str
):
    spec, plain = CLASSIFIERS[name]
    train, test = rows(folded, "train"), rows(folded, "test")
    held_out = engine.load(Source(folded, "test"))
    model = engine.fit_estimator(spec.model_copy(update={"response": "probabilities"}), host)
    predictions = engine.predict(model, held_out)
    fitted = plain.fit(train.X, train.y)
    assert predictions.value.dtype == np.float64
    # sums over trees and blocks of rows are made in another order
    np.testing.assert_allclose(
        predictions.value, fitted.predict_proba(test.X)[:, 1], rtol=0, atol=1e-12
    )
    np.testing.assert_array_equal(predictions.label, fitted.predict(test.X))
    assert predictions.label.dtype == np.int32
    engine.release(held_out)


@pytest.mark.parametrize(
    ("name", "response"),
    [
        ("SGD", "ranking"),
        ("SGD", "probabilities"),
        ("SVC", "ranking"),
        ("forest", "ranking"),
        ("forest", "probabilities"),
    ],
)
def test_two_classes_are_ranked_as_by_the_scorer_of_scikit_learn(
    engine: Engine[Any], host: Data[Any], folded: Prepared, name: str, response: str
):
    """By the decision function where there is one, and by the probability otherwise."""
    spec, plain = RANKING[name]
    train, test = rows(folded, "train"), rows(folded, "test")
    held_out = engine.load(Source(folded, "test"))
    model = engine.fit_estimator(spec.model_copy(update={"response": response}), host)
    predictions = engine.predict(model, held_out)
    fitted = plain.fit(train.X, train.y)
    if name == "forest":
        assert predictions.decision is None
    else:
        assert predictions.decision.dtype == np.float64
        np.testing.assert_allclose(
            predictions.decision, fitted.decision_function(test.X), rtol=0, atol=1e-12
        )
    found = score(folded, predictions, ["roc_auc", "accuracy"], task="binary").values
    assert found["roc_auc"] == pytest.approx(
        get_scorer("roc_auc")(fitted, test.X, test.y), rel=0, abs=1e-12
    )
    assert found["accuracy"] == pytest.approx(fitted.score(test.X, test.y), rel=0, abs=1e-12)
    engine.release(held_out)


@pytest.mark.parametrize(
    ("spec", "plain"),
    [
        (asked("sklearn.linear_model.Ridge"), Ridge(random_state=SEED)),
        (
            asked("sklearn.ensemble.RandomForestRegressor", parameters={"n_estimators": 5}),
            RandomForestRegressor(5, random_state=SEED),
        ),
    ],
    ids=["Ridge", "forest"],
)
def test_a_regressor_predicts_what_scikit_learn_does(
    engine: Engine[Any], regression: Prepared, spec: EstimatorSpec, plain: Any
):
    train, test = rows(regression, "train"), rows(regression, "test")
    data = engine.load(Source(regression, "train", "host"))
    held_out = engine.load(Source(regression, "test"))
    predictions = engine.predict(engine.fit_estimator(spec, data), held_out)
    np.testing.assert_array_equal(predictions.row_id, test.row_id)
    assert predictions.value.dtype == np.float64
    reference = plain.fit(train.X, train.y).predict(test.X)
    # the features are float32, and so are the products that a linear model adds up
    np.testing.assert_allclose(predictions.value, reference, rtol=1e-5, atol=1e-4)
    for one in (data, held_out):
        engine.release(one)


def test_a_clusterer_that_predicts_labels_other_rows(engine: Engine[Any], folded_blobs: Prepared):
    train, test = rows(folded_blobs, "train"), rows(folded_blobs, "test")
    data = engine.load(Source(folded_blobs, "train", "host"))
    held_out = engine.load(Source(folded_blobs, "test"))
    spec = asked("sklearn.cluster.BisectingKMeans", parameters={"n_clusters": 4})
    model = engine.fit_estimator(spec, data)
    plain = BisectingKMeans(4, random_state=SEED).fit(train.X)
    np.testing.assert_allclose(model.centers, plain.cluster_centers_, rtol=0, atol=1e-12)
    predictions = engine.predict(model, held_out)
    np.testing.assert_array_equal(predictions.value, plain.predict(test.X))
    assert predictions.value.dtype == np.int32
    for one in (data, held_out):
        engine.release(one)


def test_a_clusterer_that_cannot_predict_labels_the_rows_it_was_fitted_on_and_no_others(
    engine: Engine[Any], folded_blobs: Prepared
):
    train = rows(folded_blobs, "train")
    data = engine.load(Source(folded_blobs, "train", "host"))
    held_out = engine.load(Source(folded_blobs, "test", "host"))
    spec = asked("sklearn.cluster.DBSCAN", parameters={"eps": 4.0, "min_samples": 5})
    model = engine.fit_estimator(spec, data)
    predictions = engine.predict(model, data)
    np.testing.assert_array_equal(predictions.row_id, train.row_id)
    labels = DBSCAN(eps=4.0, min_samples=5).fit(train.X).labels_
    assert set(labels) > {-1, 0}, "the data must have noise and clusters"
    np.testing.assert_array_equal(predictions.value, labels)
    with pytest.raises(SpecError, match="DBSCAN labels only the rows that it was fitted on"):
        engine.predict(model, held_out)
    for one in (data, held_out):
        engine.release(one)


def test_fitting_leaves_the_rows_as_they_were(engine: Engine[Any], regression: Prepared):
    """Also an estimator that is told to work in place, whose second fit would see other rows."""
    spec = asked("sklearn.linear_model.Ridge", parameters={"copy_X": False})
    data = engine.load(Source(regression, "train", "host"))
    first, second = (engine.predict(engine.fit_estimator(spec, data), data) for _ in range(2))
    train = rows(regression, "train")
    np.testing.assert_array_equal(first.value, second.value)
    reference = Ridge().fit(train.X, train.y).predict(train.X)
    np.testing.assert_allclose(first.value, reference, rtol=1e-5, atol=1e-4)
    engine.release(data)


def test_what_the_library_warns_of_is_noted(engine: Engine[Any], host: Data[Any]):
    spec = asked("sklearn.linear_model.LogisticRegression", parameters={"max_iter": 1})
    notes = engine.fit_estimator(spec, host).notes
    assert any(note.startswith("LogisticRegression: lbfgs failed to converge") for note in notes)
    quiet = engine.fit_estimator(CLASSIFIERS["logistic"][0], host).notes
    assert not any("n_jobs" in note for note in quiet)


def test_a_parameter_that_the_estimator_refuses_is_told_with_its_cause(
    engine: Engine[Any], host: Data[Any]
):
    spec = asked("sklearn.svm.SVC", parameters={"C": -1.0})
    with pytest.raises(EngineFailedError, match=f"^{engine.name}: .*The 'C' parameter of SVC"):
        engine.fit_estimator(spec, host)


def test_a_label_that_the_estimator_is_not_for_is_refused(
    engine: Engine[Any], host: Data[Any], regression: Prepared
):
    data = engine.load(Source(regression, "train", "host"))
    with pytest.raises(SpecError, match=r"SVC is a classifier.*label is 'numbers'"):
        engine.fit_estimator(asked("sklearn.svm.SVC"), data)
    with pytest.raises(SpecError, match=r"Ridge is a regressor.*label is 'classes'"):
        engine.fit_estimator(asked("sklearn.linear_model.Ridge"), host)
    engine.release(data)


def test_probabilities_of_a_classifier_that_has_none_are_refused_before_it_is_fitted(
    engine: Engine[Any], host: Data[Any]
):
    spec = asked("sklearn.svm.LinearSVC", response="probabilities")
    with pytest.raises(SpecError, match=r"LinearSVC gives no probabilities"):
        engine.fit_estimator(spec, host)


def test_rows_that_are_not_on_the_host_are_refused(
    engine: Engine[Any], everywhere: Data[Any], train: Data[Any]
):
    for data in (everywhere, train):
        with pytest.raises(SpecError, match="needs rows placed 'host'"):
            engine.fit_estimator(CLASSIFIERS["SVC"][0], data)
