"""What is fixed of a search before any engine starts."""

from __future__ import annotations

import pytest

from engines.prepared import Prepared
from experiments.definition import load_experiment
from experiments.errors import RequestError
from experiments.runner.ready import make_ready
from experiments.runner.search_plan import plan_search
from experiments.runner.task import SearchTask, Task

GRID = """
name: grid
dataset: {source: iris}
workload: {kind: xgboost, n_estimators: 5}
search: {strategy: grid, space: {max_depth: [2, 3]}, folds: 3}
engines: [sklearn, dask]
resources: {cores: 2, memory: 2 GiB}
"""


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """Return a function that loads a definition from its text."""
    monkeypatch.setenv("ENGINEBENCH_CACHE", str(tmp_path / "cache"))

    def load(text, *overrides):
        path = tmp_path / "experiment.yaml"
        path.write_text(text)
        return load_experiment(path, overrides)

    return load


def ready(experiment):
    return make_ready({}, experiment, lambda *_: None)


def prepared_of(tmp_path, n_rows):
    return Prepared(
        path=tmp_path,
        fingerprint="",
        features=tuple(f"f{number}" for number in range(16)),
        dtype="float64",
        label_kind="classes",
        classes=("a", "b"),
        counts={"train": n_rows, "test": 0},
        mean_variance=1.0,
        n_folds=3,
        row_groups=(),
        notes=(),
    )


@pytest.mark.parametrize(
    ("n_rows", "chosen"),
    [
        (2**21, "candidates"),  # 256 MiB, four times: exactly the 1 GiB that a worker has
        (2**21 + 1, "rows"),
    ],
)
def test_auto_chooses_by_what_fits_a_worker(experiment, tmp_path, n_rows, chosen):
    asked = experiment(GRID)
    search = plan_search(asked, asked.search, prepared_of(tmp_path, n_rows), ("accuracy",), 2)
    assert search.parallel_over == chosen
    assert "1.0 GiB that a worker has" in search.why
    assert "256.0 MiB" in search.why


def test_what_is_asked_for_is_done_whatever_the_size(experiment, tmp_path):
    asked = experiment(GRID, "search.parallel_over=rows")
    search = plan_search(asked, asked.search, prepared_of(tmp_path, 10), ("accuracy",), 2)
    assert (search.parallel_over, search.why) == ("rows", "asked for")


def test_rows_lie_where_the_search_needs_them(experiment):
    grid = experiment(GRID)
    assert ready(grid).placement == "everywhere"
    assert ready(experiment(GRID, "search.parallel_over=rows")).placement == "spread"
    estimator = "workload={kind: estimator, class: sklearn.tree.DecisionTreeClassifier}"
    assert ready(experiment(GRID, estimator, "search.parallel_over=rows")).placement == "host"


def test_an_estimator_gives_probabilities_only_where_a_metric_needs_them(experiment):
    estimator = "workload={kind: estimator, class: sklearn.tree.DecisionTreeClassifier}"
    both = ready(experiment(GRID, estimator, "metrics=[log_loss]", "search.scoring=accuracy"))
    assert (both.spec.response, both.searched.response) == ("probabilities", "classes")
    other = ready(experiment(GRID, estimator, "metrics=[accuracy]", "search.scoring=log_loss"))
    assert (other.spec.response, other.searched.response) == ("classes", "probabilities")


def test_shared_centres_are_drawn_for_every_number_of_clusters(experiment):
    asked = experiment(
        GRID,
        "workload={kind: kmeans, n_clusters: 3, init: shared}",
        "search.space={n_clusters: [2, 4, 1000]}",
    )
    centers = ready(asked).initial_centers
    assert {number: array.shape for number, array in centers.items()} == {2: (2, 4), 4: (4, 4)}


def test_folds_are_stratified_where_classes_are_learned_and_only_there(experiment):
    assert ready(experiment(GRID)).prepared.n_folds == 3
    with pytest.raises(RequestError, match=r"search\.folds.*every class"):
        ready(experiment(GRID, "search.folds=40"))
    clustering = "workload={kind: kmeans, n_clusters: 3, init: random}"
    space = "search.space={n_clusters: [2]}"
    assert ready(experiment(GRID, clustering, space, "search.folds=60")).prepared.n_folds == 60


def test_more_of_a_resource_than_there_is_is_refused(experiment):
    halving = "search={strategy: halving, space: {max_depth: [2, 3]}, folds: 3, max_resources: 900}"
    with pytest.raises(RequestError, match=r"search\.max_resources.*112"):
        ready(experiment(GRID, halving))


def test_probabilities_that_an_estimator_has_not_are_refused(experiment):
    svc = "workload={kind: estimator, class: sklearn.svm.SVC}"
    space = "search.space={C: [1.0]}"
    with pytest.raises(RequestError, match=r"search\.scoring: log_loss needs probabilities"):
        ready(experiment(GRID, svc, space, "search.scoring=log_loss", "metrics=[accuracy]"))


SGD = (
    "workload={kind: estimator, class: sklearn.linear_model.SGDClassifier, parameters: {loss: %s}}"
)
BINARY = "dataset={source: breast_cancer}"


@pytest.mark.parametrize(("base", "others"), [("hinge", "log_loss"), ("log_loss", "hinge")])
def test_what_one_candidate_could_give_is_asked_for(experiment, base, others):
    space = f"search.space={{loss: [{base}, {others}]}}"
    found = ready(experiment(GRID, SGD % base, space, BINARY, "search.scoring=log_loss"))
    assert {"log_loss", "roc_auc"} <= set(found.metrics)
    assert (found.spec.response, found.searched.response) == ("probabilities", "probabilities")


def test_what_no_candidate_could_give_is_refused_and_no_default(experiment):
    space = "search.space={loss: [hinge, squared_hinge]}"
    search = (GRID, SGD % "log_loss", space, BINARY)
    found = ready(experiment(*search))
    assert "log_loss" not in found.metrics
    assert "roc_auc" in found.metrics
    with pytest.raises(RequestError, match=r"^metrics: log_loss needs probabilities"):
        ready(experiment(*search, "metrics=[log_loss]"))


def test_two_classes_are_ranked_without_probabilities_and_more_are_not(experiment):
    svc = "workload={kind: estimator, class: sklearn.svm.SVC}"
    asked = (GRID, svc, "search.space={C: [1.0]}", "search.scoring=roc_auc", "metrics=[roc_auc]")
    found = ready(experiment(*asked, BINARY))
    assert (found.spec.response, found.searched.response) == ("ranking", "ranking")
    with pytest.raises(RequestError, match="roc_auc needs probabilities, and this classifier"):
        ready(experiment(*asked))
    tree = "workload={kind: estimator, class: sklearn.tree.DecisionTreeClassifier}"
    several = ready(experiment(*asked, tree, "search.space={max_depth: [2]}"))
    assert several.spec.response == "probabilities"


def test_a_classifier_that_is_asked_for_classes_is_scored_by_no_more(experiment):
    response = "workload={kind: estimator, class: sklearn.naive_bayes.GaussianNB, response: %s}"
    alone = (GRID, "search=null", BINARY)
    assert ready(experiment(*alone, response % "classes")).metrics == (
        "accuracy",
        "balanced_accuracy",
        "f1_macro",
    )
    assert "roc_auc" in ready(experiment(*alone, response % "ranking")).metrics


def test_fixed_values_that_no_fit_would_take_are_refused_and_tried_ones_are_not(experiment):
    bad = "workload={kind: estimator, class: sklearn.svm.SVC, parameters: {kernel: rbff}}"
    space = "search.space={C: [1.0]}"
    with pytest.raises(RequestError, match=r"workload\.parameters: The 'kernel' parameter of SVC"):
        ready(experiment(GRID, bad, space))
    good = "workload={kind: estimator, class: sklearn.svm.SVC}"
    assert ready(experiment(GRID, good, "search.space={kernel: [rbff]}")).search is not None
    assert ready(experiment(GRID, bad, "search.space={kernel: [rbf]}")).search is not None


def test_a_task_survives_its_file(experiment, tmp_path):
    from experiments.runner.tasks import work_task

    asked = experiment(
        GRID,
        "search={strategy: halving, space: {max_depth: [2, 3, 4]}, folds: 3, "
        "resource: n_estimators, max_resources: 9, time_budget: 5 min}",
    )
    task = work_task("dask", ready(asked), (2, 1), tmp_path / "predictions", tmp_path)
    task.write(tmp_path / "task.json")
    again = Task.read(tmp_path / "task.json")
    assert again == task
    assert isinstance(again.search, SearchTask)
    assert again.search.time_budget_s == 300
    assert [rung.n_candidates for rung in again.search.rungs] == [3, 1]
    assert again.search.resource == "n_estimators"
