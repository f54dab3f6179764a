"""What a search in processes survives, what it ships, and what it leaves."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cloudpickle
import psutil
import pytest

from engines.errors import WorkerLostError
from engines.sklearn import SklearnEngine
from engines.sklearn.search import _Batch
from engines.specs import EstimatorSpec
from engines.types import Judgement, Source, Trial

if TYPE_CHECKING:
    from pathlib import Path

    from engines.prepared import Prepared
    from engines.types import Data, Resources

# the judges below travel to workers, which cannot import a test
cloudpickle.register_pickle_by_value(sys.modules[__name__])

TREE = EstimatorSpec.model_validate(
    {"class": "sklearn.tree.DecisionTreeClassifier", "parameters": {"max_depth": 1}}
)


@dataclass(frozen=True)
class Deadly:
    """Kill the process that judges one fold, as often as files are left that allow it."""

    lives: Path
    fold: int | None = 1

    def __call__(self, _fit: Any, _predict: Any, rows: Any) -> Judgement:
        deadly = self.fold is None or rows.fold[0] == self.fold
        if deadly and (left := sorted(self.lives.iterdir())):
            left[0].unlink(missing_ok=True)
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.02)
        return Judgement({"pid": float(os.getpid())}, 0.0, 0.02)


def trials(candidates: int) -> list[Trial]:
    """Return candidates times folds."""
    return [Trial(number, fold, TREE) for number in range(candidates) for fold in range(3)]


def loaded(engine: SklearnEngine, prepared: Prepared) -> Data[Any]:
    """Load the training rows for a search."""
    return engine.load(Source(prepared, "train", "everywhere"))


def test_after_a_death_others_go_on_and_after_a_second_the_search_ends_and_says_so(
    sklearn_engine: SklearnEngine, prepared: Prepared, tmp_path: Path
):
    lives = tmp_path / "lives"
    lives.mkdir()
    data = loaded(sklearn_engine, prepared)
    (lives / "1").touch()
    scores = list(sklearn_engine.score_candidates(trials(8), data, Deadly(lives)))
    assert sorted((one.candidate, one.fold) for one in scores) == [
        (one.candidate, one.fold) for one in trials(8)
    ]
    assert len(sklearn_engine.lost_workers()) == 1

    # both processes may die at once, which is one death to the pool; every fold is deadly, since
    # one that is judged in between would be progress, after which the search goes on
    for name in "123456":
        (lives / name).touch()
    with pytest.raises(WorkerLostError, match="so did those that took their place") as raised:
        next(sklearn_engine.score_candidates(trials(8), data, Deadly(lives, fold=None)))
    assert raised.value.__cause__ is not None
    assert len(sklearn_engine.lost_workers()) == 3

    for left in lives.iterdir():
        left.unlink()
    # the session is whole all the same
    again = list(sklearn_engine.score_candidates(trials(2), data, Deadly(lives)))
    assert len(again) == 6
    assert all(one.judgement for one in again)


def test_a_process_that_dies_between_two_searches_is_replaced(
    sklearn_engine: SklearnEngine, prepared: Prepared, tmp_path: Path
):
    lives = tmp_path / "lives"
    lives.mkdir()
    data = loaded(sklearn_engine, prepared)
    judge = Deadly(lives)
    first = list(sklearn_engine.score_candidates(trials(2), data, judge))
    victim = psutil.Process(int(first[0].judgement.scores["pid"]))
    victim.kill()
    time.sleep(0.2)  # for the pool to notice, so that it is broken when the search begins
    scores = list(sklearn_engine.score_candidates(trials(2), data, judge))
    assert len(scores) == 6
    assert all(one.judgement for one in scores)
    assert len(sklearn_engine.lost_workers()) == 1


def test_no_row_travels_with_a_trial(
    sklearn_engine: SklearnEngine, prepared: Prepared, tmp_path: Path
):
    lives = tmp_path / "lives"
    lives.mkdir()
    data = loaded(sklearn_engine, prepared)
    assert len(pickle.dumps(_Batch("rows", "bench", tuple(trials(1))))) < 2000

    this = psutil.Process()
    # what a process starts with passes too, hence a search before the one that is measured
    list(sklearn_engine.score_candidates(trials(2), data, Deadly(lives)))
    before = this.io_counters().write_chars
    list(sklearn_engine.score_candidates(trials(10), data, Deadly(lives)))
    written = this.io_counters().write_chars - before
    assert data.native.X.nbytes == 800_000
    assert 0 < written < 100_000


def test_the_rows_lie_in_one_file_that_goes_with_them(
    sklearn_engine: SklearnEngine, prepared: Prepared, tmp_path: Path
):
    lives = tmp_path / "lives"
    lives.mkdir()
    data = loaded(sklearn_engine, prepared)
    list(sklearn_engine.score_candidates(trials(2), data, Deadly(lives)))
    (folder,) = [path for path in tmp_path.iterdir() if path != lives]
    (file,) = folder.iterdir()
    assert file.stat().st_size >= data.native.X.nbytes
    sklearn_engine.release(data)
    assert not list(folder.iterdir())
    sklearn_engine.stop()
    assert not folder.exists()


def test_a_session_can_be_opened_again(granted: Resources, prepared: Prepared, tmp_path: Path):
    lives = tmp_path / "lives"
    lives.mkdir()
    engine = SklearnEngine(granted)
    pids = []
    for _ in range(2):
        with engine:
            data = loaded(engine, prepared)
            scores = list(engine.score_candidates(trials(2), data, Deadly(lives)))
            pids += [{int(one.judgement.scores["pid"]) for one in scores}]
            assert engine.lost_workers() == ()
        assert not any(psutil.pid_exists(pid) for pid in pids[-1])
    assert not pids[0] & pids[1]
    assert list(tmp_path.iterdir()) == [lives]
