"""What is kept of a search's candidates: a journal that grows, and the table made from it."""

from __future__ import annotations

import json
import os

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from engines.types import Judgement, Score
from experiments.records import Phase
from experiments.search.log import JOURNAL_FILE, TABLE_FILE, CandidateLog, SearchKey, write_table
from experiments.search.standing import Standing, deviation, mean
from experiments.search.summary import summarise_search

KEY = SearchKey("dask", "library", "{}", 0, 0)


def plan(candidates, n_folds=2, scoring=("accuracy",), rungs=None, resource=None):
    first = {"iteration": 0, "n_candidates": len(candidates), "n_resources": 0}
    return {
        "strategy": "grid" if rungs is None else "halving",
        "candidates": candidates,
        "rungs": rungs or [first],
        "resource": resource,
        "n_folds": n_folds,
        "scoring": list(scoring),
        "refit": scoring[0],
        "parallel_over": "candidates",
        "why": "asked for",
        "slots": 2,
    }


def scored(candidate, fold, value, rung=0, metric="accuracy", **other):
    return {
        "rung": rung,
        "candidate": candidate,
        "fold": fold,
        "scores": {metric: value},
        "fit_s": 0.5,
        "score_s": 0.25,
        "ended_s": 1.0 + fold,
        "worker": f"worker {fold}",
        "error": None,
        **other,
    }


def table(folder):
    return pd.read_parquet(folder / TABLE_FILE)


def test_the_table_has_the_names_means_and_ranks_of_cv_results(tmp_path):
    X, y = load_iris(return_X_y=True)
    space = {"max_depth": [1, 2, 3, 30], "min_samples_leaf": [1, 2, 60]}
    plain = GridSearchCV(DecisionTreeClassifier(random_state=0), space, cv=4).fit(X, y)
    results = plain.cv_results_
    log = CandidateLog(tmp_path)
    search = log.begin(KEY, plan(results["params"], n_folds=4))
    for number in range(len(results["params"])):
        for fold in range(4):
            value = float(results[f"split{fold}_test_score"][number])
            log.add(search, scored(number, fold, value))
    log.write()
    ours = table(tmp_path)
    for name in ("mean_test", "std_test", "rank_test", "split0_test", "split3_test"):
        np.testing.assert_array_equal(ours[f"{name}_accuracy"], results[f"{name}_score"])
    np.testing.assert_array_equal(ours["param_max_depth"], results["param_max_depth"])
    assert [json.loads(one) for one in ours["params"]] == results["params"]
    assert set(ours["mean_fit_time"]) == {0.5}
    assert set(ours["mean_score_time"]) == {0.25}
    assert set(ours["outcome"]) == {"completed"}
    assert ours["worker"][0] == "worker 0, worker 1, worker 2, worker 3"
    assert search.best().number == plain.best_index_


def test_a_candidate_ended_when_its_last_fold_was_scored(tmp_path):
    log = CandidateLog(tmp_path)
    search = log.begin(KEY, plan([{"C": 1}, {"C": 2}]))
    for fold in (1, 0):
        log.add(search, scored(0, fold, 0.5))
    log.write()
    assert table(tmp_path)["ended_s"][0] == 2.0
    assert table(tmp_path)["ended_s"].isna()[1]


def test_less_is_better_where_the_metric_says_so(tmp_path):
    log = CandidateLog(tmp_path)
    search = log.begin(KEY, plan([{"a": 1}, {"a": 2}], n_folds=1, scoring=["log_loss"]))
    log.add(search, scored(0, 0, 0.7, metric="log_loss"))
    log.add(search, scored(1, 0, 0.3, metric="log_loss"))
    log.write()
    assert list(table(tmp_path)["rank_test_log_loss"]) == [2, 1]
    assert search.best().number == 1


def test_every_way_to_end_is_told_apart(tmp_path):
    log = CandidateLog(tmp_path)
    search = log.begin(KEY, plan([{"a": number} for number in range(4)]))
    for fold in range(2):
        log.add(search, scored(0, fold, 0.9))
        log.add(search, scored(2, fold, None, fit_s=None, score_s=None, scores={}))
    log.add(search, scored(1, 0, 0.8))
    log.add(search, scored(1, 1, None, scores={}, fit_s=None, score_s=None, error="ValueError: a"))
    log.write()
    ours = table(tmp_path)
    assert list(ours["outcome"]) == ["completed", "failed", "not run", "unfinished"]
    assert ours["error"][1] == "ValueError: a"
    assert ours["rank_test_accuracy"][0] == 1
    assert ours["rank_test_accuracy"][1] == 2  # a failure ranks last, as in cv_results_
    assert ours["rank_test_accuracy"][2:].isna().all()
    assert ours["mean_test_accuracy"][1:].isna().all()


def test_the_table_is_there_as_soon_as_a_candidate_is_done(tmp_path):
    log = CandidateLog(tmp_path)
    search = log.begin(KEY, plan([{"a": 1}, {"a": 2}]))
    log.add(search, scored(0, 0, 0.9))
    assert not (tmp_path / TABLE_FILE).exists()
    log.add(search, scored(0, 1, 0.9))
    assert list(table(tmp_path)["outcome"]) == ["completed", "unfinished"]


def test_the_journal_alone_is_enough_even_with_a_torn_last_line(tmp_path):
    log = CandidateLog(tmp_path)
    search = log.begin(KEY, plan([{"a": 1}, {"a": 2}], n_folds=1))
    log.add(search, scored(0, 0, 0.9))
    log.add(search, scored(1, 0, 0.8))
    with (tmp_path / JOURNAL_FILE).open("ab") as file:
        file.write(b'{"search": {"eng')
    (tmp_path / TABLE_FILE).unlink()
    write_table(tmp_path)
    assert list(table(tmp_path)["mean_test_accuracy"]) == [0.9, 0.8]


def test_a_table_that_is_up_to_date_is_left_alone(tmp_path):
    log = CandidateLog(tmp_path)
    log.add(log.begin(KEY, plan([{"a": 1}], n_folds=1)), scored(0, 0, 0.9))
    log.write()
    before = (tmp_path / TABLE_FILE).stat().st_mtime_ns + 10**9
    os.utime(tmp_path / TABLE_FILE, ns=(before, before))
    write_table(tmp_path)
    assert (tmp_path / TABLE_FILE).stat().st_mtime_ns == before


def test_nothing_is_written_where_nothing_is_searched(tmp_path):
    CandidateLog(tmp_path).write()
    write_table(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_parameters_of_several_types_are_kept_as_text(tmp_path):
    log = CandidateLog(tmp_path)
    log.begin(KEY, plan([{"gamma": "auto"}, {"gamma": 0.5}, {"gamma": None}]))
    log.begin(
        SearchKey("spark", "library", "{}", 0, 0), plan([{"gamma": "auto", "layers": [5, 2]}])
    )
    log.write()
    ours = table(tmp_path)
    assert list(ours["param_gamma"])[:2] == ["auto", "0.5"]
    assert json.loads(ours["param_layers"][3]) == [5, 2]
    assert json.loads(ours["params"][1]) == {"gamma": 0.5}


def test_halving_has_a_row_for_each_candidate_of_each_rung(tmp_path):
    rungs = [
        {"iteration": 0, "n_candidates": 2, "n_resources": 10},
        {"iteration": 1, "n_candidates": 1, "n_resources": 30},
    ]
    log = CandidateLog(tmp_path)
    candidates = [{"depth": 1}, {"depth": 2}]
    search = log.begin(KEY, plan(candidates, 1, rungs=rungs, resource="n_estimators"))
    for number, value in enumerate((0.95, 0.7)):
        log.add(search, scored(number, 0, value))
    log.add(search, scored(0, 0, 0.9, rung=1))
    log.write()
    ours = table(tmp_path)
    assert list(ours["iter"]) == [0, 0, 1]
    assert list(ours["n_resources"]) == [10, 10, 30]
    assert list(ours["param_n_estimators"]) == [10, 10, 30]
    assert list(ours["rank_test_accuracy"]) == [1, 3, 2]  # of all rungs together
    assert (search.best().rung, search.planned) == (1, 3)


def test_a_candidate_without_a_fold_has_no_mean():
    standing = Standing([4, 7], 2, "log_loss")
    for candidate, fold, value in ((4, 0, 0.5), (4, 1, 0.7), (7, 0, 0.1)):
        standing.add(Score(candidate, fold, Judgement({"log_loss": value}, 0.1, 0.1), "here"))
    standing.add(Score(7, 1, None, "here", error="ValueError: b"))
    assert standing.means() == [-0.6, None]  # turned, so that higher is better
    assert mean([0.5, None]) is None
    assert deviation([1.0, 3.0]) == 1.0


def test_the_summary_tells_what_a_search_cost_beyond_its_fits(tmp_path):
    log = CandidateLog(tmp_path)
    search = log.begin(KEY, plan([{"a": 1}, {"a": 2}]))
    for number, value in enumerate((0.5, 0.75)):
        for fold in range(2):
            log.add(search, scored(number, fold, value))
    phase = Phase("search", 2.0, 1.0, 1, 0, 0)
    summary = summarise_search(search, [phase])
    assert summary["best"]["params"] == {"a": 2}
    assert summary["best"]["scores"] == {"accuracy": 0.75}
    assert (summary["fits_s"], summary["scores_s"], summary["slots"]) == (2.0, 1.0, 2)
    assert summary["beyond_fits_s"] == pytest.approx(2.0 - 3.0 / 2)
    assert summary["candidates_per_minute"] == 60
    assert (summary["planned"], summary["completed"], summary["failed"]) == (2, 2, 0)


RAISED = {"scores": {}, "fit_s": None, "score_s": None, "error": "ValueError: b"}
SKIPPED = {"scores": {}, "fit_s": None, "score_s": None}


@pytest.mark.parametrize(
    ("second", "ended", "known"),
    [
        ((RAISED, {}), True, False),  # however long they took until they raised
        ((RAISED, RAISED), True, False),
        (({},), True, False),  # of the other nothing was told
        (({}, {}), False, False),  # of others nothing may have been told
        ((SKIPPED, SKIPPED), True, True),  # for want of time, so that they took none
        (({"error": "accuracy is undefined"}, {}), True, True),  # but fitted
    ],
)
def test_what_failed_trials_took_is_no_cost_beyond_the_fits(tmp_path, second, ended, known):
    log = CandidateLog(tmp_path)
    search = log.begin(KEY, plan([{"a": 1}, {"a": 2}]))
    for number, folds in enumerate((({}, {}), second)):
        for fold, other in enumerate(folds):
            log.add(search, scored(number, fold, 0.5, **other))
    summary = summarise_search(search, [Phase("search", 9.0, 1.0, 1, 0, 0, ended)])
    told = summary["fits_s"] + summary["scores_s"]
    assert summary["beyond_fits_s"] == (pytest.approx(9.0 - told / 2) if known else None)
    assert summary["wall_s"] == 9.0
    assert summary["candidates_per_minute"] is not None
