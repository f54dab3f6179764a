"""Searches, estimators, tasks and variants in a definition: read, refused, and written back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from sklearn.model_selection import ParameterGrid, ParameterSampler

import experiments
from engines.strategies import Distribution
from experiments.definition import Experiment, load_experiment
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATA = "name: small\ndataset: {source: iris}\n"
KMEANS = f"{DATA}workload: {{kind: kmeans, n_clusters: 3, init: k-means++}}\n"
XGBOOST = f"{DATA}workload: {{kind: xgboost}}\n"
SVC = f"{DATA}workload: {{kind: estimator, class: sklearn.svm.SVC}}\n"
RIDGE = f"{DATA}workload: {{kind: estimator, class: sklearn.linear_model.Ridge}}\n"
DBSCAN = f"{DATA}workload: {{kind: estimator, class: sklearn.cluster.DBSCAN}}\n"
TASKS = "name: small\nworkload: {kind: tasks, paths: 1000}\n"
GRID = "search: {strategy: grid, space: {C: [1, 2]}}\n"
HALVING = "search: {strategy: halving, space: {C: [1, 2, 4]}%s}\n"


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Experiment]:
    monkeypatch.chdir(tmp_path)

    def load(text: str, *overrides: str, variant: str | None = None) -> Experiment:
        (tmp_path / "e.yaml").write_text(text, encoding="utf-8")
        return load_experiment("e.yaml", overrides, variant=variant)

    return load


@pytest.fixture
def refusal(load: Callable[..., Experiment]) -> Callable[..., list[str]]:
    def refusal(text: str, *overrides: str, variant: str | None = None) -> list[str]:
        with pytest.raises(RequestError) as raised:
            load(text, *overrides, variant=variant)
        return str(raised.value).split("\n")

    return refusal


def search(**options: Any) -> str:
    return f"search: {json.dumps(options)}\n"


# ---- what is searched ----------------------------------------------------------------------------


def test_a_grid_tries_every_combination_in_scikit_learns_order(load):
    space = {"kernel": ["rbf", "poly"], "C": [0.1, 1, None], "shrinking": [True, False]}
    experiment = load(SVC + search(strategy="grid", space=space))
    assert experiment.search.draw() == list(ParameterGrid(space))
    assert experiment.search.n_candidates == 12


def test_random_draws_are_scikit_learns(load):
    space = {"kernel": ["rbf", "poly"], "C": [0.1, 1, 10]}
    options = search(strategy="random", space=space, candidates=4, seed=7)
    expected = list(ParameterSampler(space, n_iter=4, random_state=7))
    assert load(SVC + options).search.draw() == expected


def test_distributions_are_read(load):
    text = (
        "search: {strategy: random, candidates: 3, space: {C: {loguniform: [1e-3, 10]}, "
        "tol: {uniform: [0.1, 1]}, degree: {randint: [1, 9]}}}\n"
    )
    assert load(SVC + text).search.space == {
        "C": Distribution("loguniform", 1e-3, 10),
        "tol": Distribution("uniform", 0.1, 1),
        "degree": Distribution("randint", 1, 9),
    }


@pytest.mark.parametrize(
    ("options", "count"),
    [({}, 3), ({"candidates": 2}, 2)],
    ids=["the whole grid", "draws"],
)
def test_halving_starts_with(load, options, count):
    found = load(SVC + search(strategy="halving", space={"C": [1, 2, 4]}, **options)).search
    assert len(found.draw()) == found.n_candidates == count


def test_the_defaults_of_a_search(load):
    found = load(SVC + GRID).search
    assert (found.folds, found.shuffle, found.stratify, found.seed) == (None, False, None, 0)
    assert (found.scoring, found.refit, found.parallel_over) == (None, None, "auto")
    assert found.time_budget is None


def test_the_defaults_of_halving(load):
    found = load(SVC + HALVING % "").search
    assert (found.factor, found.resource, found.min_resources) == (3, "rows", "exhaust")
    assert (found.max_resources, found.aggressive_elimination) == (None, False)


@pytest.mark.parametrize("scoring", ["accuracy", "[accuracy]"])
def test_one_metric_is_a_list_of_it(load, scoring):
    text = f"search: {{strategy: grid, space: {{C: [1]}}, scoring: {scoring}}}\n"
    assert load(SVC + text).search.scoring == ("accuracy",)


def test_a_time_budget_is_a_duration(load):
    options = search(strategy="grid", space={"C": [1]}, time_budget="2 min")
    assert load(SVC + options).search.time_budget == 120.0


def test_a_search_is_repeated_only_when_asked(load):
    assert load(SVC).measure.warm_repeats == 1
    assert load(SVC + GRID).measure.warm_repeats == 0
    assert load(SVC + GRID + "measure: {rounds: 2}\n").measure.warm_repeats == 0
    assert load(SVC + GRID + "measure: {warm_repeats: 2}\n").measure.warm_repeats == 2
    swept = "sweep: {search: [{strategy: grid, space: {C: [1]}}]}\n"
    assert load(SVC + swept).measure.warm_repeats == 0


def test_an_empty_search_is_none(load):
    assert load(SVC + "search:\n") == load(SVC)


def test_a_search_may_vary(load):
    sweep = "sweep: {search.parallel_over: [candidates, rows], search.seed: [1, 2]}\n"
    found = [at.search for _, at in load(SVC + GRID + sweep).points()]
    assert [(one.parallel_over, one.seed) for one in found] == [
        ("candidates", 1),
        ("candidates", 2),
        ("rows", 1),
        ("rows", 2),
    ]


def test_values_of_the_space_may_vary(load):
    sweep = "sweep: {search.space.gamma: [[1], [2, 3]]}\n"
    found = [at.search.space["gamma"] for _, at in load(SVC + GRID + sweep).points()]
    assert found == [(1,), (2, 3)]


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workload", "options", "line"),
    [
        (
            XGBOOST,
            "strategy: grid, space: {}",
            (
                "4: search.space: must name at least one parameter with the values to try, such "
                "as {max_depth: [3, 4, 5]}; got {}."
            ),
        ),
        (
            XGBOOST,
            "space: {max_depth: [3]}",
            "4: search.strategy: is missing; it must be one of grid, random, halving.",
        ),
        (
            XGBOOST,
            "strategy: grd, space: {max_depth: [3]}",
            (
                "4: search.strategy: must be one of grid, random, halving; got 'grd'; did you "
                "mean grid?"
            ),
        ),
        (
            XGBOOST,
            "strategy: grid, space: {max_depht: [3]}",
            (
                "4: search.space.max_depht: xgboost has no parameter 'max_depht'; did you mean "
                "max_depth?"
            ),
        ),
        (
            XGBOOST,
            "strategy: grid, space: {eta: [0.1]}",
            "4: search.space.eta: xgboost has no parameter 'eta'; did you mean learning_rate?",
        ),
        (
            SVC,
            "strategy: grid, space: {gama: [0.1]}",
            "4: search.space.gama: sklearn.svm.SVC has no parameter 'gama'; did you mean gamma?",
        ),
        (
            KMEANS,
            "strategy: grid, space: {seed: [1]}",
            (
                "4: search.space.seed: seed cannot be searched; choose from n_clusters, init, "
                "max_iter, tol, n_init, oversampling_factor, init_max_iter."
            ),
        ),
        (
            DATA + "workload: {kind: estimator, class: sklearn.ensemble.RandomForestClassifier}\n",
            "strategy: grid, space: {n_jobs: [1, 2]}",
            (
                "4: search.space.n_jobs: n_jobs is set by each engine from resources.cores; "
                "remove it."
            ),
        ),
        (
            XGBOOST,
            "strategy: grid, space: {max_depth: [3, 0]}",
            "4: search.space.max_depth: must be an integer from 1 to 2147483647; got 0.",
        ),
        (
            KMEANS,
            "strategy: grid, space: {n_clusters: [2, yes]}",
            "4: search.space.n_clusters: must be an integer of at least 1; got true.",
        ),
        (
            KMEANS,
            'strategy: grid, space: {n_clusters: ["2"]}',
            "4: search.space.n_clusters: must be an integer of at least 1; got '2'.",
        ),
        (
            KMEANS,
            "strategy: grid, space: {init: [random, shared], n_init: [1, 5]}",
            (
                "4: search.space: n_init must be 1 with init: shared, where every run would start "
                "from the same centres; got 5 (with init='shared', n_init=5)."
            ),
        ),
        (
            XGBOOST,
            "strategy: random, candidates: 20, space: {max_depth: {randint: [0, 3]}}",
            "4: search.space.max_depth: must be an integer from 1 to 2147483647; got 0.",
        ),
        (
            SVC,
            "strategy: grid, space: {C: [1, 2, 1]}",
            "4: search.space.C: has the value 1 twice; write each value once.",
        ),
        (
            SVC,
            "strategy: random, space: {C: [1, 2]}",
            "4: search.candidates: is missing; strategy: random needs the number of draws.",
        ),
        (
            SVC,
            "strategy: random, space: {C: [1, 2]}, candidates: 3",
            (
                "4: search.candidates: must be at most the number of combinations, 2; got 3; use "
                "strategy: grid to try them all."
            ),
        ),
        (
            SVC,
            "strategy: grid, space: {C: [1, 2]}, candidates: 2",
            "4: search.candidates: a grid tries every combination; remove candidates.",
        ),
        (
            SVC,
            "strategy: grid, space: {C: {uniform: [1, 2]}}",
            (
                "4: search.space.C: values are drawn from a distribution, which needs strategy: "
                "random; or list the values to try."
            ),
        ),
        (
            SVC,
            "strategy: halving, space: {C: {uniform: [1, 2]}}",
            (
                "4: search.space.C: values are drawn from a distribution, which needs candidates; "
                "or list the values to try."
            ),
        ),
        (
            SVC,
            "strategy: grid, space: {C: [1]}, folds: 1",
            "4: search.folds: must be an integer from 2 to 127 or null; got 1.",
        ),
        (
            SVC,
            "strategy: grid, space: {C: [1]}, refit: accuracy",
            ("4: search.refit: must be one of scoring, which is not given; got 'accuracy'."),
        ),
        (
            SVC,
            "strategy: grid, space: {C: [1]}, scoring: [accuracy, f1_macro], refit: roc_auc",
            "4: search.refit: must be one of scoring, accuracy, f1_macro; got 'roc_auc'.",
        ),
        (
            SVC,
            "strategy: grid, space: {C: [1]}, scoring: acuracy",
            "4: search.scoring: there is no metric 'acuracy'; did you mean accuracy?",
        ),
        (
            SVC,
            "strategy: grid, space: {C: [1]}, scoring: [accuracy, accuracy]",
            "4: search.scoring: accuracy is named twice; name each metric once.",
        ),
        (
            RIDGE,
            "strategy: grid, space: {alpha: [1]}, scoring: accuracy",
            (
                "4: search.scoring: accuracy does not score this workload; choose from rmse, mae, "
                "r2."
            ),
        ),
        (
            DBSCAN,
            "strategy: grid, space: {eps: [1]}",
            (
                "4: search: sklearn.cluster.DBSCAN cannot predict rows that it was not fitted to, "
                "so it cannot be scored on a fold; choose another estimator."
            ),
        ),
        (
            SVC,
            "strategy: grid, space: {C: [1]}, factor: 2",
            "4: search.factor: has a meaning only with strategy: halving; remove factor.",
        ),
        (
            SVC,
            "strategy: grid, space: {C: [1]}, time_budget: soon",
            (
                "4: search.time_budget: must be a duration above zero and of at most 30 days such "
                "as 10 min, 90 s or 1.5 h, or a number of seconds; got 'soon'."
            ),
        ),
    ],
)
def test_one_mistake_in_a_search_gets_one_sentence(refusal, workload, options, line):
    assert refusal(f"{workload}search: {{{options}}}\n") == [f"e.yaml:{line}"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "resource: tol, max_resources: 9",
            (
                "resource: must be rows or a parameter that is a whole number; got tol, which is "
                "0.001; choose from rows, degree, cache_size, max_iter."
            ),
        ),
        (
            "resource: shrinking, max_resources: 9",
            (
                "resource: must be rows or a parameter that is a whole number; got shrinking, "
                "which is true; choose from rows, degree, cache_size, max_iter."
            ),
        ),
        (
            "resource: max_itr, max_resources: 9",
            "resource: sklearn.svm.SVC has no parameter 'max_itr'; did you mean max_iter?",
        ),
        (
            "resource: C, max_resources: 9",
            "resource: C is in the space; take it out, or choose another resource.",
        ),
        (
            "resource: max_iter",
            (
                "max_resources: is missing; with resource: max_iter it says how many the last "
                "round has."
            ),
        ),
        (
            "min_resources: 30, max_resources: 20",
            (
                "min_resources: min_resources, 30, is more than max_resources, 20; lower the first "
                "or raise the second."
            ),
        ),
        ("factor: 1", "factor: must be a number of at most 1000 and greater than 1; got 1."),
        (
            "min_resources: most",
            (
                "min_resources: must be one of exhaust, smallest or an integer from 1 to "
                "2147483647; got 'most'."
            ),
        ),
    ],
)
def test_a_resource_that_halving_cannot_use_is_refused(refusal, options, message):
    assert refusal(SVC + HALVING % f", {options}") == [f"e.yaml:4: search.{message}"]


def test_a_resource_has_values_that_the_workload_takes(refusal, load):
    options = "strategy: halving, space: {max_depth: [1, 2, 3]}, resource: max_bin"
    assert refusal(f"{XGBOOST}search: {{{options}, max_resources: 3}}\n") == [
        (
            "e.yaml:4: search.min_resources: makes a round with max_bin 1; input should be greater "
            "than or equal to 2."
        )
    ]
    load(f"{XGBOOST}search: {{{options}, min_resources: 2, max_resources: 9}}\n")


def test_a_parameter_that_is_given_a_whole_number_can_be_a_resource(load):
    forest = (
        "workload: {kind: estimator, class: sklearn.ensemble.RandomForestClassifier, "
        "parameters: {max_depth: 3}}\n"
    )
    halving = (
        "search: {strategy: halving, space: {criterion: [gini, entropy]}, resource: max_depth, "
        "max_resources: 9}\n"
    )
    assert load(DATA + forest + halving).search.resource == "max_depth"


@pytest.mark.parametrize(
    "values",
    [
        "[]",
        "3",
        "abc",
        "null",
        "{}",
        "{normal: [0, 1]}",
        "{uniform: [0, 1], randint: [0, 1]}",
    ],
)
def test_what_is_neither_a_list_nor_a_distribution_is_refused(refusal, values):
    (line,) = refusal(f"{SVC}search: {{strategy: grid, space: {{C: {values}}}}}\n")
    assert line.startswith("e.yaml:4: search.space.C: must be a non-empty list of values, or one ")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("{uniform: [1, 1]}", "uniform needs two numbers, [low, high] with low less than high"),
        ("{uniform: [2, 1]}", "uniform needs two numbers"),
        ("{uniform: [1]}", "uniform needs two numbers"),
        ("{uniform: 1}", "uniform needs two numbers"),
        ("{uniform: [false, true]}", "uniform needs two numbers"),
        ("{uniform: [-1e308, 1e308]}", "uniform needs two numbers"),
        ("{uniform: ['1', '2']}", "uniform needs two numbers"),
        ("{randint: [1, 2.5]}", "randint needs two whole numbers"),
        ("{loguniform: [0, 1]}", "loguniform needs bounds above zero; got [0, 1]."),
    ],
)
def test_bounds_that_nothing_can_be_drawn_from_are_refused(refusal, values, message):
    (line,) = refusal(f"{SVC}search: {{strategy: random, candidates: 1, space: {{C: {values}}}}}\n")
    assert line.startswith(f"e.yaml:4: search.space.C: {message}")


def test_a_value_is_refused_at_its_own_line(refusal):
    space = "  space:\n    max_depth:\n    - 3\n    - 0\n    subsample: [1]\n    gamma:\n    - -1\n"
    lines = refusal(f"{XGBOOST}search:\n  strategy: grid\n{space}")
    assert [line.split(": ")[:2] for line in lines] == [
        ["e.yaml:9", "search.space.max_depth"],
        ["e.yaml:12", "search.space.gamma"],
    ]


def test_the_values_of_an_estimator_are_left_to_its_fit(load):
    assert load(f"{SVC}search: {{strategy: grid, space: {{C: [-1, abc]}}}}\n").search is not None


def test_at_most_a_hundred_thousand_candidates_are_tried(refusal):
    space = {"max_depth": list(range(1, 318)), "max_bin": list(range(2, 318))}
    (line,) = refusal(XGBOOST + search(strategy="grid", space=space))
    assert line.startswith(
        "e.yaml:4: search.space: has 100172 combinations, and at most 100000 are tried"
    )


@pytest.mark.parametrize("key", ["folds: 3", "shuffle: true", "stratify: false"])
def test_folds_are_said_in_one_place(refusal, load, key):
    text = f"split: {{folds: 3}}\nsearch: {{strategy: grid, space: {{C: [1]}}, {key}}}\n"
    name = key.partition(":")[0]
    assert refusal(SVC + text) == [
        f"e.yaml:5: search.{name}: split.folds already says what the folds are; remove {name}."
    ]
    assert load(SVC + GRID + "split: {folds: 3}\n").split.folds == 3


def test_a_candidate_that_only_a_point_of_the_sweep_refuses_names_the_point(refusal):
    text = "search: {strategy: grid, space: {n_init: [1, 2]}}\nsweep: {workload.init: [shared]}\n"
    assert refusal(KMEANS + text) == [
        (
            "e.yaml:5: sweep: search.space: n_init must be 1 with init: shared, where every run "
            "would start from the same centres; got 2 (with n_init=2) (at workload.init='shared')."
        )
    ]


def test_a_metric_that_needs_probabilities_is_refused_where_classes_are_asked_for(refusal):
    classes = SVC.replace("SVC", "SVC, response: classes")
    for text, key in [
        ("metrics: [roc_auc]\n", "metrics"),
        ("search: {strategy: grid, space: {C: [1]}, scoring: roc_auc}\n", "search.scoring"),
    ]:
        assert refusal(classes + text) == [
            (
                f"e.yaml:4: {key}: roc_auc needs probabilities, and workload.response is classes; "
                "choose from accuracy, balanced_accuracy, f1_macro."
            )
        ]


def test_a_response_that_is_no_word_is_refused(refusal):
    (message,) = refusal(SVC.replace("SVC", "SVC, response: []") + "metrics: [accuracy]\n")
    assert "workload.response: must be" in message


# ---- estimators and tasks ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "fraction"),
    [
        ("sklearn.svm.SVC", 0.25),
        ("sklearn.linear_model.Ridge", 0.25),
        ("sklearn.cluster.MeanShift", None),
        ("sklearn.cluster.DBSCAN", None),
    ],
)
def test_rows_are_held_out_from_what_learns_a_label(load, path, fraction):
    split = load(f"{DATA}workload: {{kind: estimator, class: {path}}}\n").split
    assert (split.test_fraction if split else None) == fraction


def test_one_option_of_an_estimators_default_split_changes_alone(load):
    split = load(SVC, "split.seed=3").split
    assert (split.seed, split.test_fraction) == (3, 0.25)


@pytest.mark.parametrize(
    ("workload", "line"),
    [
        (
            "class: os.system",
            (
                "3: workload.class: 'os.system' is no classifier, regressor or clusterer of "
                "scikit-learn; name one such as sklearn.svm.SVC."
            ),
        ),
        (
            "class: sklearn.svm.SCV",
            (
                "3: workload.class: 'sklearn.svm.SCV' is no classifier, regressor or clusterer of "
                "scikit-learn; did you mean "
            ),
        ),
        ("parameters: {C: 1}", "3: workload.class: is missing; it must be text."),
        (
            "class: sklearn.svm.SVC, parameters: {gama: 1}",
            "3: workload.parameters.gama: sklearn.svm.SVC has no parameter 'gama'; did you mean ",
        ),
        (
            "class: sklearn.neighbors.KNeighborsClassifier, parameters: {n_jobs: 2}",
            (
                "3: workload.parameters.n_jobs: is set by each engine from resources.cores; leave "
                "it out."
            ),
        ),
    ],
)
def test_one_mistake_in_an_estimator_gets_one_sentence(refusal, workload, line):
    (told,) = refusal(f"{DATA}workload: {{kind: estimator, {workload}}}\n")
    assert told.startswith(f"e.yaml:{line}")


def test_a_parameter_is_refused_at_its_own_line(refusal):
    text = "workload:\n  kind: estimator\n  class: sklearn.svm.SVC\n  parameters:\n    D: 1\n"
    assert refusal(DATA + text)[0].startswith("e.yaml:7: workload.parameters.D: ")


def test_rows_cannot_be_held_out_from_what_cannot_predict(refusal):
    assert refusal(DBSCAN + "split: {test_fraction: 0.5}\n") == [
        (
            "e.yaml:4: split: sklearn.cluster.DBSCAN cannot predict rows that it was not fitted "
            "to, so none can be held out; write split: null."
        )
    ]


def test_a_parameter_of_an_estimator_may_vary(load, refusal):
    experiment = load(SVC + "sweep: {workload.parameters.C: [1, 2]}\n")
    assert [at.workload.parameters["C"] for _, at in experiment.points()] == [1, 2]
    (line,) = refusal(SVC + "sweep: {workload.parameters.D: [1]}\n")
    assert line.startswith("e.yaml:4: sweep: workload.parameters.D: sklearn.svm.SVC has no ")


@pytest.mark.parametrize(
    ("workload", "metric"),
    [(SVC, "rmse"), (RIDGE, "accuracy"), (DBSCAN, "accuracy"), (TASKS, "accuracy")],
)
def test_a_metric_of_another_kind_of_workload_is_refused(refusal, workload, metric):
    (line,) = refusal(f"{workload}metrics: [{metric}]\n")
    assert f"metrics: {metric} does not score this workload; choose from " in line


def test_tasks_need_no_data(load):
    experiment = load(TASKS)
    assert (experiment.dataset, experiment.split, experiment.search) == (None, None, None)
    assert experiment.workload.paths == 1000


@pytest.mark.parametrize(
    "section",
    ["dataset: {source: iris}", "split: {test_fraction: 0.5}", GRID.strip()],
)
def test_tasks_have_no_use_for(refusal, section):
    name = section.partition(":")[0]
    assert refusal(f"{TASKS}{section}\n") == [
        (
            f"e.yaml:3: {name}: has no meaning with kind: tasks, which learns from no rows; "
            f"remove {name}."
        )
    ]


@pytest.mark.parametrize("workload", [KMEANS, XGBOOST, SVC])
@pytest.mark.parametrize("dataset", ["", "dataset:\n"])
def test_all_other_workloads_need_data(refusal, workload, dataset):
    (line,) = refusal(workload.replace("dataset: {source: iris}\n", dataset))
    assert "dataset: is missing; kind: " in line
    assert line.endswith(" needs rows to learn from, such as {source: digits}.")


def test_missing_data_is_told_of_with_everything_else(refusal):
    lines = refusal("name: A\nworkload: {kind: xgboost, gamma: -1}\n")
    assert [line.split(": ")[1] for line in lines] == [
        "name",
        "dataset",
        "workload.gamma",
    ]


# ---- written back --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        TASKS,
        SVC,
        DBSCAN,
        SVC.replace("SVC", "SVC, parameters: {C: 2, gamma: auto, class_weight: {0: 1}}").replace(
            "{0: 1}", "balanced"
        ),
        SVC + GRID,
        SVC + GRID + "split: {folds: 3}\n",
        SVC + "search: {strategy: grid, space: {C: [1, 1.5, null, abc, yes, [1, 2], {a: 1}]}}\n",
        SVC + HALVING % "",
        SVC + HALVING % ", factor: 2.5, min_resources: smallest, aggressive_elimination: yes",
        SVC + HALVING % ", resource: max_iter, max_resources: 9, min_resources: 3",
        SVC + "search: {strategy: random, candidates: 9, space: {C: {loguniform: [1e-30, 1]}}}\n",
        XGBOOST
        + "search: {strategy: random, candidates: 2, space: {max_depth: {randint: [1, 4]}}, "
        "scoring: accuracy, refit: accuracy, parallel_over: rows, folds: 3, shuffle: yes, "
        "stratify: no, time_budget: 90 s}\n",
        SVC + GRID + "sweep: {search.strategy: [grid], search.space.C: [[1], [1, 2]]}\n",
        SVC + "sweep: {search: [null, {strategy: grid, space: {C: [1]}}]}\n",
    ],
)
def test_reading_it_gives_an_equal_experiment(load, text):
    experiment = load(text)
    again = load(experiment.to_yaml())
    assert again == experiment
    assert again.digest == experiment.digest
    assert again.points() == experiment.points()


def test_what_has_no_part_is_not_written(load):
    assert "search" not in yaml.safe_load(load(SVC).to_yaml())
    assert "dataset" not in yaml.safe_load(load(TASKS).to_yaml())
    written = yaml.safe_load(load(SVC + GRID).to_yaml())["search"]
    assert "factor" not in written
    assert written["parallel_over"] == "auto"


def test_a_time_budget_stays_readable(load):
    text = load(SVC + search(strategy="grid", space={"C": [1]}, time_budget=600)).to_yaml()
    assert "  time_budget: 10 min\n" in text


@pytest.mark.parametrize(
    "change",
    ["search.seed=1", "search.folds=3", "search.space.C=[1]", "search.scoring=accuracy", "search="],
)
def test_the_digest_differs_with_whatever_is_searched(load, change):
    assert load(SVC + GRID, change).digest != load(SVC + GRID).digest


def test_a_definition_without_a_search_keeps_its_digest(load):
    assert "search" not in load(SVC).model_dump(mode="json")


# ---- variants ------------------------------------------------------------------------------------

VARIANTS = """\
variants:
  full:
    search.space.C: [1, 2, 3]
    workload.parameters.gamma: auto
    dataset: {source: wine}
    engines: [dask]
  short: {search: null}
  same:
"""


def test_without_its_name_a_variant_changes_nothing(load):
    assert load(SVC + GRID + VARIANTS) == load(SVC + GRID)


def test_a_variant_replaces_values_and_names_the_experiment(load):
    found = load(SVC + GRID + VARIANTS, variant="full")
    assert found.name == "small-full"
    assert found.search.space == {"C": (1, 2, 3)}
    assert found.workload.parameters == {"gamma": "auto"}
    assert found.dataset.source == "wine"
    assert list(found.engines.selected()) == ["dask"]
    assert load(SVC + GRID + VARIANTS, variant="short").search is None
    same = load(SVC + GRID + VARIANTS, variant="same")
    assert same == load(SVC + GRID, "name=small-same")


def test_the_python_interface_takes_a_variant(tmp_path):
    (tmp_path / "e.yaml").write_text(SVC + GRID + VARIANTS, encoding="utf-8")
    found = experiments.load(tmp_path / "e.yaml", variant="full", overrides=["search.seed=4"])
    assert (found.name, found.search.seed, found.dataset.source) == ("small-full", 4, "wine")


def test_overrides_come_after_the_variant(load):
    found = load(SVC + GRID + VARIANTS, "search.space.C=[9]", variant="full")
    assert found.search.space == {"C": (9,)}
    assert found.dataset.source == "wine"


def test_a_variant_is_gone_once_it_is_read(load):
    assert "variants" not in load(SVC + GRID + VARIANTS, variant="full").to_yaml()


@pytest.mark.parametrize(
    ("text", "variant", "line"),
    [
        (VARIANTS, "ful", "--variant: e.yaml has no variant 'ful'; did you mean full?"),
        (VARIANTS, "zzz", "e.yaml has no variant 'zzz'; choose from full, short, same."),
        ("", "full", "--variant: e.yaml has no variant 'full'; it has none."),
        ("variants:\n", "full", "--variant: e.yaml has no variant 'full'; it has none."),
    ],
)
def test_an_unknown_variant_gets_the_nearest_name(refusal, text, variant, line):
    assert refusal(SVC + GRID + text, variant=variant)[0].endswith(line)


@pytest.mark.parametrize(
    ("variants", "line"),
    [
        (
            "full:\n    dataset.sampel: 3",
            "e.yaml:7: variants.full: dataset.sampel: unknown key; did you mean sample?",
        ),
        (
            "full:\n    search.space.D: [3]",
            "e.yaml:7: variants.full: search.space.D: sklearn.svm.SVC has no parameter 'D'; ",
        ),
        (
            "full:\n    search.folds: 1",
            "e.yaml:7: variants.full: search.folds: must be an integer from 2 to 127 or null; ",
        ),
        (
            "full:\n    dataset:\n      source: iris\n      levels: 1",
            "e.yaml:9: variants.full: dataset.levels: must be an integer of at least 2 or null; ",
        ),
        (
            "full:\n    sweep.dataset.levels: [2, 1]",
            "e.yaml:7: sweep: variants.full: dataset.levels: must be an integer of at least 2 ",
        ),
        (
            "full:\n    metrics: [rmse]",
            "e.yaml:7: variants.full: metrics: rmse does not score this workload; ",
        ),
        (
            "full:\n    name: other",
            "e.yaml:7: variants.full.name: cannot be replaced by a variant.",
        ),
        (
            "full:\n    dataset..x: 1",
            "e.yaml:7: variants.full.dataset..x: must be a dotted key such as dataset.n_samples.",
        ),
        (
            "full:\n    name.x: 1",
            "e.yaml:7: variants.full.name.x: cannot be replaced by a variant.",
        ),
        (
            "full:\n    workload.class.x: 1",
            "e.yaml:7: workload.class is no section, so nothing can be set in it.",
        ),
        ("full: 3", "e.yaml:6: variants.full: must be a mapping of dotted keys to values; got 3."),
        ("A b: {}", "e.yaml:6: variants.'A b': must have a name of lower-case letters, digits, "),
    ],
)
def test_every_variant_is_validated_chosen_or_not(refusal, variants, line):
    (told,) = refusal(f"{SVC}{GRID}variants:\n  {variants}\n")
    assert told.startswith(line)


def test_variants_are_a_mapping(refusal):
    assert refusal(SVC + GRID + "variants: [full]\n") == [
        'e.yaml:5: variants: must be a mapping of names to values; got ["full"].'
    ]


def test_the_name_with_that_of_the_variant_has_at_most_80_characters(refusal, load):
    text = SVC.replace("small", "a" * 76) + "variants: {%s: {}}\n"
    assert load(text % "bcd", variant="bcd").name == f"{'a' * 76}-bcd"
    assert "at most 80 characters" in refusal(text % "bcde")[0]


def test_a_variant_cannot_be_set(refusal):
    assert refusal(SVC, "variants.full.search.folds=3") == [
        ("--set variants.full.search.folds=3: a variant cannot be set; choose one with --variant.")
    ]


def test_what_is_wrong_with_the_definition_itself_is_told_once(refusal):
    assert len(refusal(SVC + "metrics: [rmse]\n" + GRID + VARIANTS)) == 1
