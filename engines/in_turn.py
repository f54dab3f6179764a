"""A search in which each candidate is fitted over all workers, one after the other."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from engines.errors import EngineError, EngineMemoryError, SessionError, WorkerLostError
from engines.evaluation import failed
from engines.types import Score

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engines.base import Engine
    from engines.types import Data, Judge, Model, Predictions, Sample, Trial

# The rows of all folds are kept side by side while they take no more than this share of the memory
_KEPT_SHARE = 0.25
# Trials that are put in order otherwise: with more, candidates are done later
_WINDOW = 40


def score(
    engine: Engine[Any], trials: Sequence[Trial], train: Data[Any], judge: Judge
) -> Iterator[Score]:
    """Fit and score trials, each over all workers; see `Engine.score_candidates`."""
    parts = _Parts(engine, train, len({trial.fold for trial in trials}))
    try:
        for trial in trials if parts.keeps else _by_fold(trials):
            yield _score(engine, trial, parts, judge)
    except BaseException:
        # what ended the search is what is told, not that a broken engine cannot release its rows
        with contextlib.suppress(EngineError):
            parts.release()
        raise
    parts.release()


def _score(engine: Engine[Any], trial: Trial, parts: _Parts, judge: Judge) -> Score:
    def fit() -> Model:
        return engine.fit(trial.spec, rest, trial.initial_centers)

    def predict(model: Model) -> Predictions:
        return engine.predict(model, held_out)

    worker = "all workers"
    try:
        rest, held_out = parts.of(trial.fold, trial.sample)
        judgement = judge(fit, predict, None)
    except (WorkerLostError, EngineMemoryError, SessionError):
        raise  # the engine failed, not the candidate
    except Exception as exc:  # noqa: BLE001 - a candidate may fail in any way
        return failed(trial, worker, exc)
    return Score(trial.candidate, trial.fold, judgement, worker)


def _by_fold(trials: Sequence[Trial]) -> Iterator[Trial]:
    """Put a few candidates at a time in the order of their folds, so that rows are sorted less."""
    for first in range(0, len(trials), _WINDOW):
        yield from sorted(trials[first : first + _WINDOW], key=lambda trial: trial.fold)


class _Parts:
    """The rows of each fold and all others, held by the engine."""

    def __init__(self, engine: Engine[Any], train: Data[Any], n_folds: int) -> None:
        self._engine = engine
        self._train = train
        width = 4 if train.source.prepared.dtype == "float32" else 8
        one_copy = train.n_rows * train.n_features * width
        self.keeps = n_folds * one_copy <= _KEPT_SHARE * engine.resources.memory_bytes
        self._held: dict[tuple[int, Sample | None], tuple[Data[Any], Data[Any]]] = {}

    def of(self, fold: int, sample: Sample | None) -> tuple[Data[Any], Data[Any]]:
        """Return all rows but those of a fold, and those of the fold."""
        key = (fold, sample)
        if key not in self._held:
            outdated = not self.keeps or any(other != sample for _, other in self._held)
            if outdated:  # a sample is never asked for again once another one was
                self.release()
            rest = self._engine.select(self._train, fold, held_out=False, sample=sample)
            try:
                held_out = self._engine.select(self._train, fold, held_out=True, sample=sample)
            except BaseException:
                with contextlib.suppress(EngineError):
                    self._engine.release(rest)
                raise
            self._held[key] = (rest, held_out)
        return self._held[key]

    def release(self) -> None:
        """Let go of all of them."""
        with contextlib.ExitStack() as releases:
            for pair in self._held.values():
                for data in pair:
                    releases.callback(self._engine.release, data)
            self._held.clear()
