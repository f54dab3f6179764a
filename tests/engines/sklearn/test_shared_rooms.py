"""What all engines share in a search: folds, batches, and the loop over distributed fits."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.model_selection import KFold
from sklearn.model_selection._search_successive_halving import _SubsampleMetaSplitter

from engines.batches import Batches
from engines.errors import WorkerLostError
from engines.folds import positions
from engines.sklearn import SklearnEngine
from engines.specs import KMeansSpec
from engines.types import Data, Judgement, Sample, Score, Source, Trial

if TYPE_CHECKING:
    from engines.prepared import Prepared
    from engines.types import Resources

SPEC = KMeansSpec(n_clusters=2, init="random")


def judged(trial: Trial, seconds: float) -> Score:
    """Return the score of a trial that took so long."""
    return Score(trial.candidate, trial.fold, Judgement({}, seconds, 0.0), "here")


def test_a_sample_is_the_one_that_scikit_learn_draws():
    base = KFold(3)
    fold_of = np.empty(100, dtype=np.int8)
    for fold, (_, held_out) in enumerate(base.split(fold_of)):
        fold_of[held_out] = fold
    drawn = _SubsampleMetaSplitter(base_cv=base, fraction=0.3, subsample_test=True, random_state=4)
    sample = Sample(0.3, 4)
    for fold, (train, test) in enumerate(drawn.split(np.zeros(100), None)):
        # a fit may depend on the order of its rows; what is predicted is sorted by row
        np.testing.assert_array_equal(
            positions(fold_of, fold, held_out=False, sample=sample), train
        )
        np.testing.assert_array_equal(
            positions(fold_of, fold, held_out=True, sample=sample), np.sort(test)
        )


def test_rows_in_no_fold_are_fitted_and_never_held_out():
    fold_of = np.array([0, -1, 1, 0], dtype=np.int8)
    assert positions(fold_of, 0, held_out=False).tolist() == [1, 2]
    assert positions(fold_of, 0, held_out=True).tolist() == [0, 3]


@pytest.mark.parametrize("seconds", [10.0, 0.06, 1e-5, 0.0])
def test_batches_hand_out_every_trial_once_and_in_order(seconds: float):
    trials = [Trial(number, 0, SPEC) for number in range(500)]
    batches = Batches(trials, workers=2)
    sizes = []
    seen: list[Trial] = []
    while taken := batches.take():
        sizes.append(len(taken))
        seen.extend(taken)
        batches.observe([judged(trial, seconds) for trial in taken])
    assert seen == trials
    assert sizes[0] == 1
    if seconds == 10.0:
        assert set(sizes) == {1}
    else:
        assert max(sizes) > 1
        # they shrink, so that the workers finish together
        assert sizes[-1] == 1
        assert all(after <= before for before, after in pairwise(sizes[1:]))


def test_what_is_given_back_is_next():
    trials = [Trial(number, 0, SPEC) for number in range(4)]
    batches = Batches(trials, workers=1)
    first, second = batches.take(), batches.take()
    for lost in reversed([first, second]):
        batches.give_back(lost)
    assert [trial.candidate for _ in range(4) for trial in batches.take()] == [0, 1, 2, 3]


def test_failures_and_trials_without_time_teach_nothing_of_how_long_trials_take():
    trials = [Trial(number, 0, SPEC) for number in range(100)]
    batches = Batches(trials, workers=1)
    batches.observe([Score(0, 0, None, "here", "ValueError"), judged(trials[0], 0.1)][:1])
    batches.observe([Score(0, 0, Judgement({}, None, None), "here")])
    assert len(batches.take()) == 1


class Counting(SklearnEngine):
    """Count the selections that are held, and break when told to."""

    held = 0
    breaks = False

    def _select(self, data: Data[Any], fold: int, *, held_out: bool, sample: Any) -> Data[Any]:
        if self.breaks and held_out:
            raise WorkerLostError("sklearn: a worker died.")
        self.held += 1
        return super()._select(data, fold, held_out=held_out, sample=sample)

    def _release(self, data: Data[Any]) -> None:
        self.held -= 1
        if self.breaks:
            raise WorkerLostError("sklearn: nobody is left to release rows.")
        super()._release(data)


def judge(fit: Any, predict: Any, rows: Any) -> Judgement:
    """Fit and predict; there are no rows to be had."""
    assert rows is None
    return Judgement({"rows": float(len(predict(fit()).row_id))}, 0.0, 0.0)


def test_rows_of_folds_are_released_when_a_search_ends_however_it_does(
    granted: Resources, prepared: Prepared
):
    with Counting(granted) as engine:
        data = engine.load(Source(prepared, "train"))
        trials = [Trial(number, fold, SPEC) for number in range(2) for fold in range(3)]
        assert len(list(engine.score_candidates(trials, data, judge))) == 6
        assert engine.held == 0

        scores = engine.score_candidates(trials, data, judge)
        next(scores)
        assert engine.held == 2
        scores.close()
        assert engine.held == 0

        # what broke the engine is told, and not that it cannot release its rows any more
        scores = engine.score_candidates(trials, data, judge)
        next(scores)
        engine.breaks = True
        with pytest.raises(WorkerLostError, match=r"a worker died\."):
            list(scores)
        assert engine.held <= 1
