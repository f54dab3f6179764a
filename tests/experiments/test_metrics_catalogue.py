from __future__ import annotations

import subprocess
import sys

import pytest

from experiments.errors import RequestError
from experiments.metrics import (
    METRICS,
    check_metrics,
    default_metrics,
    default_scoring,
    disagree,
)


def test_defaults_of_each_workload_are_all_metrics_that_fit_it() -> None:
    clustering = (
        "inertia",
        "silhouette",
        "silhouette_squared",
        "davies_bouldin",
        "calinski_harabasz",
    )
    classification = ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss")
    assert default_metrics("kmeans", None, labelled=False) == clustering
    assert default_metrics("kmeans", "multiclass", labelled=True) == (*clustering, "adjusted_rand")
    assert default_metrics("xgboost", "binary", labelled=True) == classification
    assert default_metrics("xgboost", "multiclass", labelled=True) == classification
    assert default_metrics("xgboost", "regression", labelled=True) == ("rmse", "mae", "r2")


def test_defaults_of_xgboost_need_its_task() -> None:
    with pytest.raises(ValueError, match="depend on its task"):
        default_metrics("xgboost", None, labelled=True)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_default_metrics_pass_the_check(task: str) -> None:
    check_metrics(default_metrics("xgboost", task, labelled=True), "xgboost", task, labelled=True)
    check_metrics(default_metrics("kmeans", None, labelled=True), "kmeans", None, labelled=True)


def test_a_misspelt_metric_is_answered_with_the_nearest_and_those_that_fit() -> None:
    with pytest.raises(RequestError) as caught:
        check_metrics(["silhouete"], "kmeans", None, labelled=False)
    assert str(caught.value) == (
        "metrics: there is no metric 'silhouete' (did you mean silhouette?); choose from inertia, "
        "silhouette, silhouette_squared, davies_bouldin, calinski_harabasz."
    )


def test_a_metric_like_no_other_is_answered_without_a_guess() -> None:
    with pytest.raises(RequestError, match=r"no metric 'xyz'; choose from rmse, mae, r2\."):
        check_metrics(["xyz"], "xgboost", "regression", labelled=True)


def test_a_metric_of_another_task_is_refused() -> None:
    with pytest.raises(RequestError, match=r"rmse scores regression, .* is clustering; choose"):
        check_metrics(["inertia", "rmse"], "kmeans", None, labelled=True)
    with pytest.raises(RequestError, match=r"accuracy scores binary .* is regression; choose"):
        check_metrics(["accuracy"], "xgboost", "regression", labelled=True)


def test_any_supervised_metric_passes_while_the_task_is_unknown() -> None:
    check_metrics(["rmse", "accuracy"], "xgboost", None, labelled=True)
    with pytest.raises(RequestError, match="inertia scores clustering"):
        check_metrics(["inertia"], "xgboost", None, labelled=True)


def test_true_labels_are_asked_of_a_dataset_without_any() -> None:
    with pytest.raises(RequestError, match="adjusted_rand compares with true labels"):
        check_metrics(["adjusted_rand"], "kmeans", None, labelled=False)
    check_metrics(["adjusted_rand"], "kmeans", None, labelled=True)


def test_a_metric_named_twice_is_refused() -> None:
    with pytest.raises(RequestError, match="mae is named twice"):
        check_metrics(["mae", "mae"], "xgboost", "regression", labelled=True)


def test_defaults_of_an_estimator_are_what_it_can_be_scored_by() -> None:
    classes = ("accuracy", "balanced_accuracy", "f1_macro")
    found = default_metrics("estimator", "binary", labelled=True)
    assert found == (*classes, "roc_auc", "log_loss")
    found = default_metrics("estimator", "binary", labelled=True, probabilities=False)
    assert found == classes
    assert default_metrics("estimator", "regression", labelled=True) == ("rmse", "mae", "r2")
    with_centers = default_metrics("estimator", "clustering", labelled=False)
    assert with_centers == default_metrics("kmeans", None, labelled=False)
    without = default_metrics("estimator", "clustering", labelled=False, centers=False)
    assert without == with_centers[1:]
    with pytest.raises(ValueError, match="metrics of estimator depend on its task"):
        default_metrics("estimator", None, labelled=True)


def test_a_search_goes_by_what_scikit_learn_would_score() -> None:
    assert default_scoring("kmeans", None) == "silhouette"
    assert default_scoring("estimator", "clustering") == "silhouette"
    assert default_scoring("xgboost", "binary") == "accuracy"
    assert default_scoring("estimator", "multiclass") == "accuracy"
    assert default_scoring("xgboost", "regression") == "r2"
    for kind, task in (("tasks", None), ("xgboost", None), ("estimator", "simulation")):
        with pytest.raises(ValueError, match="has no default metric"):
            default_scoring(kind, task)


def test_what_is_refused_is_told_under_the_key_it_stands_under() -> None:
    with pytest.raises(RequestError, match=r"^search\.scoring: there is no metric 'acuracy'"):
        check_metrics(["acuracy"], "estimator", "binary", labelled=True, section="search.scoring")
    with pytest.raises(RequestError, match=r"^search\.scoring: rmse scores regression, and this"):
        check_metrics(["rmse"], "estimator", "binary", labelled=True, section="search.scoring")


@pytest.mark.parametrize("name", ["roc_auc", "log_loss"])
def test_probabilities_are_asked_of_a_classifier_that_has_none(name: str) -> None:
    check_metrics([name], "estimator", "binary", labelled=True)
    with pytest.raises(RequestError) as caught:
        check_metrics([name], "estimator", "binary", labelled=True, probabilities=False)
    assert str(caught.value) == (
        f"metrics: {name} needs probabilities, and this classifier gives classes alone; choose "
        "from accuracy, balanced_accuracy, f1_macro."
    )


def test_centres_are_asked_of_a_clusterer_that_has_none() -> None:
    check_metrics(["inertia"], "estimator", "clustering", labelled=False)
    with pytest.raises(RequestError, match="inertia is measured from centres, and this clusterer"):
        check_metrics(["inertia"], "estimator", "clustering", labelled=False, centers=False)


def test_simulations_have_metrics_of_their_own() -> None:
    names = default_metrics("tasks", None, labelled=False)
    assert names == ("estimate", "standard_error", "reference_error", "reference_z")
    check_metrics(names, "tasks", "simulation", labelled=False)
    with pytest.raises(RequestError, match=r"mae scores regression, and this .* simulation"):
        check_metrics(["mae"], "tasks", "simulation", labelled=False)
    with pytest.raises(RequestError, match="estimate scores simulation"):
        check_metrics(["estimate"], "kmeans", None, labelled=True)


def test_engines_disagree_on_a_simulation_at_any_difference() -> None:
    # its blocks are the same on every engine, to the last bit
    for name in default_metrics("tasks", None, labelled=False):
        assert not disagree(name, 5.25, 5.25)
        assert disagree(name, 5.25, 5.25 + 2**-50)


def test_engines_disagree_beyond_an_absolute_tolerance() -> None:
    assert not disagree("accuracy", 0.95, 0.941)
    assert disagree("accuracy", 0.95, 0.939)
    assert disagree("accuracy", 0.939, 0.95)


def test_engines_disagree_beyond_a_relative_tolerance_of_any_sign_and_scale() -> None:
    assert not disagree("inertia", 1000.0, 1009.0)
    assert disagree("inertia", 1000.0, 1011.0)
    assert disagree("inertia", 1.011e-9, 1.0e-9)
    assert not disagree("inertia", 0.0, 0.0)


def test_an_undefined_value_disagrees_with_a_defined_one_alone() -> None:
    assert disagree("silhouette", None, 0.5)
    assert disagree("silhouette", 0.0, None)
    assert not disagree("silhouette", None, None)


def test_every_metric_of_a_model_has_a_tolerance_above_rounding() -> None:
    for metric in METRICS.values():
        if metric.tasks == ("simulation",):
            continue
        assert not metric.tolerance.exceeded(1.0, 1.0 + 1e-9)
        assert metric.tolerance.exceeded(1.0, 1.2)


def test_importing_the_metrics_loads_no_engine_and_no_heavy_library() -> None:
    script = (
        "import sys, experiments.metrics; "
        "heavy = {'sklearn', 'scipy', 'pyarrow', 'pandas', 'dask', 'distributed', 'pyspark', "
        "'xgboost'}; print(sorted(heavy & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert loaded.stdout.strip() == "[]"
