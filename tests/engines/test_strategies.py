"""Candidates and schedules are those of scikit-learn, found out by running it."""

from __future__ import annotations

import json
import math
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - makes the import work
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    ParameterGrid,
    ParameterSampler,
)

from engines.errors import SpecError
from engines.strategies import (
    Distribution,
    best,
    grid,
    halving,
    kept,
    sample,
    smallest_rows,
    survivors,
)

QUICK = settings(deadline=None, max_examples=60)
FEW = settings(deadline=None, max_examples=25)

NAMES = st.text("abcdXYZ_", min_size=1, max_size=4)
VALUES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.text(max_size=3)
LISTS = st.lists(VALUES, min_size=1, max_size=4)
SPACES = st.dictionaries(NAMES, LISTS, min_size=1, max_size=4)
BOUNDS = st.tuples(st.integers(1, 50), st.integers(1, 50)).map(lambda pair: (pair[0], sum(pair)))
DISTRIBUTIONS = st.builds(
    lambda kind, bounds: Distribution(kind, *bounds),
    st.sampled_from(["uniform", "loguniform", "randint"]),
    BOUNDS,
)


def of_scipy(values: Any) -> Any:
    """Return what a person would hand to scikit-learn."""
    if not isinstance(values, Distribution):
        return values
    if values.kind == "uniform":
        return scipy.stats.uniform(loc=values.low, scale=values.high - values.low)
    return getattr(scipy.stats, values.kind)(values.low, values.high)


class Scored(ClassifierMixin, BaseEstimator):
    """Has the score that its parameters say; a candidate without one gets none."""

    def __init__(self, score: float | None = 0.0, trees: int = 1) -> None:
        self.score_ = None
        self.score = score
        self.trees = trees

    def fit(self, _x: Any, _y: Any) -> Scored:
        return self


def told(estimator: Scored, _x: Any, _y: Any) -> float:
    return math.nan if estimator.score is None else estimator.score


def run(search: Any, n_rows: int = 60, n_classes: int = 2) -> Any:
    """Run a search of scikit-learn's on as many rows, each class having an equal share."""
    x, y = np.zeros((n_rows, 1)), np.arange(n_rows) % n_classes
    with warnings.catch_warnings():
        # candidates without a score are part of what is asked
        warnings.simplefilter("ignore")
        return search.fit(x, y)


def rounds(search: Any) -> list[list[int]]:
    """Return which candidates each round of a search scored, by their place in the first one."""
    results = search.cv_results_
    each = [
        [results["params"][i] for i in np.flatnonzero(results["iter"] == iteration)]
        for iteration in range(search.n_iterations_)
    ]
    first = [one["score"] for one in each[0]]
    return [[first.index(one["score"]) for one in candidates] for candidates in each]


# ---- grid and random -----------------------------------------------------------------------------


@QUICK
@given(space=SPACES)
def test_a_grid_is_scikit_learns_in_its_order(space):
    assert grid(space) == list(ParameterGrid(space))


def test_the_last_name_of_a_grid_varies_fastest():
    assert grid({"b": [1, 2], "a": ["x", "y"]}) == [
        {"a": "x", "b": 1},
        {"a": "x", "b": 2},
        {"a": "y", "b": 1},
        {"a": "y", "b": 2},
    ]


@QUICK
@given(space=SPACES, n=st.integers(1, 12), seed=st.integers(0, 2**31 - 1))
def test_draws_from_lists_are_scikit_learns(space, n, seed):
    most = math.prod(len(values) for values in space.values())
    expected = list(ParameterSampler(space, n_iter=min(n, most), random_state=seed))
    assert sample(space, n, seed) == expected


@QUICK
@given(
    space=st.dictionaries(NAMES, LISTS | DISTRIBUTIONS, min_size=1, max_size=4).filter(
        lambda space: any(isinstance(values, Distribution) for values in space.values())
    ),
    n=st.integers(1, 12),
    seed=st.integers(0, 2**31 - 1),
)
def test_draws_from_distributions_are_scikit_learns_to_the_last_bit(space, n, seed):
    theirs = {name: of_scipy(values) for name, values in space.items()}
    ours = sample(space, n, seed)
    assert ours == list(ParameterSampler(theirs, n_iter=n, random_state=seed))
    assert len(ours) == n


@QUICK
@given(distribution=DISTRIBUTIONS, seed=st.integers(0, 1000))
def test_what_is_drawn_is_a_plain_number_within_its_bounds(distribution, seed):
    (candidate,) = sample({"a": distribution}, 1, seed)
    assert type(candidate["a"]) is (int if distribution.kind == "randint" else float)
    assert distribution.low <= candidate["a"] <= distribution.high
    assert distribution.kind != "randint" or candidate["a"] < distribution.high
    json.dumps(candidate)


def test_values_of_a_list_are_drawn_as_they_were_written():
    layers = [[5], [5, 5]]
    drawn = sample({"layers": layers, "alpha": Distribution("uniform", 0, 1)}, 20, 0)
    assert all(candidate["layers"] in layers for candidate in drawn)
    assert all(type(candidate["layers"]) is list for candidate in drawn)


# ---- halving -------------------------------------------------------------------------------------


@FEW
@given(
    n_candidates=st.integers(1, 30),
    factor=st.sampled_from([1.5, 2, 2.5, 3, 4, 10]),
    min_resources=st.integers(1, 40) | st.sampled_from(["exhaust", "smallest"]),
    max_resources=st.integers(1, 500),
    aggressive=st.booleans(),
)
def test_the_schedule_with_a_parameter_is_that_of_halving_grid_search(
    *, n_candidates, factor, min_resources, max_resources, aggressive
):
    asked = {
        "factor": factor,
        "min_resources": min_resources,
        "max_resources": max_resources,
        "aggressive_elimination": aggressive,
    }
    scores = [((7 * i) % 31) / 31 for i in range(n_candidates)]
    theirs = HalvingGridSearchCV(
        Scored(), {"score": scores}, scoring=told, cv=KFold(2), resource="trees", **asked
    )
    if isinstance(min_resources, int) and min_resources > max_resources:
        with pytest.raises(ValueError, match="is greater than max_resources"):
            run(theirs)
        with pytest.raises(SpecError, match="is more than max_resources"):
            halving(n_candidates, smallest=1, **asked)
        return
    run(theirs)
    rungs = halving(n_candidates, smallest=1, **asked)
    assert [rung.iteration for rung in rungs] == list(range(theirs.n_iterations_))
    assert [rung.n_candidates for rung in rungs] == theirs.n_candidates_
    assert [rung.n_resources for rung in rungs] == theirs.n_resources_


@FEW
@given(
    n_candidates=st.integers(1, 20),
    factor=st.sampled_from([2, 3]),
    min_resources=st.integers(8, 30) | st.sampled_from(["exhaust", "smallest"]),
    n_folds=st.integers(2, 4),
    n_classes=st.integers(2, 3),
    aggressive=st.booleans(),
)
def test_the_schedule_with_rows_is_that_of_halving_grid_search(
    *, n_candidates, factor, min_resources, n_folds, n_classes, aggressive
):
    asked = {
        "factor": factor,
        "min_resources": min_resources,
        "aggressive_elimination": aggressive,
    }
    scores = list(range(n_candidates))
    theirs = run(
        HalvingGridSearchCV(Scored(), {"score": scores}, scoring=told, cv=KFold(n_folds), **asked),
        n_rows=60,
        n_classes=n_classes,
    )
    rungs = halving(
        n_candidates, smallest=smallest_rows(n_folds, n_classes), max_resources=60, **asked
    )
    assert [rung.n_candidates for rung in rungs] == theirs.n_candidates_
    assert [rung.n_resources for rung in rungs] == theirs.n_resources_


def test_without_classes_two_rows_a_fold_are_the_least():
    assert smallest_rows(5, None) == smallest_rows(5, 0) == 10
    assert smallest_rows(5, 3) == 30


@FEW
@given(
    scores=st.lists(
        st.none() | st.integers(0, 6).map(lambda score: score / 6), min_size=1, max_size=40
    ),
    factor=st.sampled_from([2, 3]),
)
def test_the_survivors_are_those_of_halving_grid_search_and_in_its_order(scores, factor):
    # the position tells candidates of equal score apart, as `trees` is the resource
    class Numbered(Scored):
        def __init__(self, score: int = 0, trees: int = 1) -> None:
            super().__init__(score, trees)

    def by_position(estimator: Numbered, _x: Any, _y: Any) -> float:
        score = scores[int(estimator.score or 0)]
        return math.nan if score is None else score

    theirs = run(
        HalvingGridSearchCV(
            Numbered(),
            {"score": list(range(len(scores)))},
            scoring=by_position,
            cv=KFold(2),
            resource="trees",
            max_resources=10_000,
            min_resources=1,
            factor=factor,
        )
    )
    candidates = list(range(len(scores)))
    ours = [candidates]
    for _ in range(theirs.n_iterations_ - 1):
        going_on = survivors([scores[i] for i in candidates], kept(len(candidates), factor))
        candidates = [candidates[position] for position in going_on]
        ours.append(candidates)
    assert ours == rounds(theirs)
    winner = theirs.cv_results_["params"][theirs.best_index_]["score"]
    assert candidates[best([scores[i] for i in candidates])] == winner


def test_halving_with_draws_starts_with_those_of_the_sampler():
    space = {"score": Distribution("uniform", 0, 1)}
    theirs = run(
        HalvingRandomSearchCV(
            Scored(),
            {"score": scipy.stats.uniform(0, 1)},
            n_candidates=9,
            scoring=told,
            cv=KFold(2),
            resource="trees",
            max_resources=9,
            random_state=3,
        )
    )
    drawn = sample(space, 9, 3)
    first = np.flatnonzero(theirs.cv_results_["iter"] == 0)
    assert [theirs.cv_results_["params"][i]["score"] for i in first] == [
        candidate["score"] for candidate in drawn
    ]
    rungs = halving(
        9,
        factor=3,
        min_resources="smallest",
        smallest=1,
        max_resources=9,
        aggressive_elimination=False,
    )
    assert [rung.n_candidates for rung in rungs] == theirs.n_candidates_
    assert best([candidate["score"] for candidate in drawn]) == [
        candidate["score"] for candidate in drawn
    ].index(theirs.best_params_["score"])


# ---- the winner ----------------------------------------------------------------------------------


@QUICK
@given(scores=st.lists(st.none() | st.integers(0, 3).map(float), min_size=1, max_size=12))
def test_the_winner_is_that_of_grid_search(scores):
    def by_position(estimator: Scored, _x: Any, _y: Any) -> float:
        score = scores[int(estimator.score or 0)]
        return math.nan if score is None else score

    theirs = run(
        GridSearchCV(Scored(), {"score": list(range(len(scores)))}, scoring=by_position, cv=2),
        n_rows=4,
    )
    assert best(scores) == theirs.best_index_


def test_the_first_of_equal_scores_wins():
    assert best([1.0, 3.0, None, 3.0]) == 1


@pytest.mark.parametrize("scores", [[], [None], [None, None]])
def test_without_any_score_the_first_candidate_wins(scores):
    assert best(scores) == 0
