"""Search for the best candidate, fit it on all training rows, and predict."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from engines import strategies
from engines.errors import EngineFailedError, UnsupportedFeatureError
from engines.single_node import within_offer
from engines.specs import EstimatorSpec
from engines.types import Sample, Trial
from experiments.metrics.judge import HeldOutJudge
from experiments.runner.task import as_spec
from experiments.runner.work.fit import FitWork
from experiments.search.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engines.base import Engine
    from engines.specs import Spec
    from engines.strategies import Rung
    from engines.types import Score
    from experiments.runner.protocol import Reporter
    from experiments.runner.task import SearchTask, Task


class SearchWork(FitWork):
    """Score candidates on folds; then what is done with any fit, with the winner."""

    def __init__(self, task: Task, engine: Engine[Any], reporter: Reporter) -> None:
        super().__init__(task, engine, reporter)
        if task.search is None:
            raise AssertionError("a search has a task")
        self._search: SearchTask = task.search

    def carry_out(self, repeat: int) -> dict[str, Any]:
        """Search once, fit the winner, predict and save."""
        with self._reporter.phase("search"):
            rung, candidate = self._find_winner()
        spec = self._spec.with_values(self._values(candidate, self._search.rungs[rung]))
        if isinstance(spec, EstimatorSpec):
            # the candidates may differ in what they can give
            spec = within_offer(spec, len(self._prepared.classes))
        with self._reporter.phase("refit"):
            if self._search.parallel_over == "candidates":
                model = self._engine.fit_single_node(spec, self._train, self._centers_for(spec))
            else:
                model = self._engine.fit(spec, self._train, self._centers_for(spec))
        return {**self._predict(repeat, model), "winner": [rung, candidate]}

    def _find_winner(self) -> tuple[int, int]:
        """Return the rung and the number of the best candidate."""
        search = self._search
        budget = search.time_budget_s
        judge = HeldOutJudge(
            self._prepared,
            search.scoring,
            search.scored_as,  # type: ignore[arg-type]  # written by this project
            seed=search.seed,
            deadline=None if budget is None else time.time() + budget,
        )
        kept: Sequence[int] = range(len(search.candidates))
        winner: tuple[int, int] | None = None
        first_failure = ""
        supported = False
        for number, rung in enumerate(search.rungs):
            trials = [trial for candidate in kept for trial in self._trials(candidate, rung)]
            standing = Standing(kept, search.n_folds, search.refit)
            for score in self._engine.score_candidates(trials, self._train, judge):
                standing.add(score)
                error = _error(score, search.refit)
                if error and not first_failure:
                    first_failure = f"candidate {score.candidate}: {error}"
                supported = supported or not score.unsupported
                self._reporter.send("score", rung=number, **_told(score, error))
            means = standing.means()
            if any(mean is not None for mean in means):
                winner = number, kept[strategies.best(means)]
            if search.factor is not None:
                n_kept = strategies.kept(len(kept), search.factor)
                kept = [kept[position] for position in strategies.survivors(means, n_kept)]
        if winner is not None:
            return winner
        if not first_failure:
            raise EngineFailedError(
                f"{self._engine.name}: search: no candidate was complete after {budget or 0:g} s; "
                f"raise search.time_budget or make the search smaller."
            )
        if not supported:
            raise UnsupportedFeatureError(f"{self._engine.name}: {first_failure}")
        raise EngineFailedError(
            f"{self._engine.name}: search: no candidate could be fitted and scored; {first_failure}"
        )

    def _values(self, candidate: int, rung: Rung) -> dict[str, Any]:
        """Return the parameters of a candidate, with the resource of a rung among them."""
        values = self._search.candidates[candidate]
        if self._search.resource in {None, "rows"}:
            return values
        return {**values, str(self._search.resource): rung.n_resources}

    def _trials(self, candidate: int, rung: Rung) -> list[Trial]:
        search = self._search
        spec = self._candidate(candidate, rung)
        sample = None
        if search.resource == "rows":
            sample = Sample(rung.n_resources / self._train.n_rows, search.seed)
        centers = self._centers_for(spec)
        return [Trial(candidate, fold, spec, sample, centers) for fold in range(search.n_folds)]

    def _candidate(self, candidate: int, rung: Rung) -> Spec:
        return as_spec(self._search.spec).with_values(self._values(candidate, rung))


def _error(score: Score, metric: str) -> str | None:
    """Return why a trial has no value of the metric that decides; None if it has, or had no time.

    A value that is undefined counts as a failure, as it does in ``cv_results_``.
    """
    if score.judgement is None:
        return score.error
    why = score.judgement.undefined.get(metric)
    if why is None:
        return None
    return (
        f"{metric} is undefined: {why} (where rows lie in the order of their groups, "
        f"search.shuffle: true mixes them over the folds)"
    )


def _told(score: Score, error: str | None) -> dict[str, Any]:
    judged = score.judgement
    return {
        "candidate": score.candidate,
        "fold": score.fold,
        "scores": {} if judged is None else judged.scores,
        "fit_s": None if judged is None else judged.fit_s,
        "score_s": None if judged is None else judged.score_s,
        "worker": score.worker,
        "error": error,
    }
