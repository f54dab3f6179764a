"""From what a child process reported to records: score once, the same way for every engine."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.monte_carlo import Estimate
from experiments.definition.host import granted, granted_cores
from experiments.metrics import PredictionsError, adjusted_rand, score
from experiments.metrics.scoring import unanswered
from experiments.metrics.simulation import score_estimate
from experiments.records import Failure, Record
from experiments.runner.predictions import read_predictions
from experiments.search.summary import summarise_search

if TYPE_CHECKING:
    from experiments.metrics import Scores
    from experiments.runner.folder import RunFolder
    from experiments.runner.plan import PlanItem
    from experiments.runner.ready import ReadyPoint
    from experiments.runner.repeat import Repeat
    from experiments.search.log import Search


class Scorer:
    """Score repeats, and compare the labels of the engines.

    Predictions equal to the last byte are scored once: equal answers have equal scores.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._scores: dict[tuple[int, str], tuple[dict[str, Any], tuple[str, ...]]] = {}
        self._labels: dict[int, dict[str, dict[str, Any]]] = {}

    def record(
        self,
        item: PlanItem,
        ready: ReadyPoint,
        repeat: Repeat,
        *,
        search: Search | None = None,
        scored: bool = True,
    ) -> Record:
        """Return the record of a repeat; if it predicted, scored unless there is no time for it.

        Parameters
        ----------
        item : PlanItem
            Which child process.
        ready : ReadyPoint
            What it was asked.
        repeat : Repeat
            What it reported.
        search : Search, optional
            The candidates that it scored, if it searched.
        scored : bool
            Whether there is time to score.
        """
        content = repeat.content
        metrics: dict[str, Any] = {}
        warnings: tuple[str, ...] = ()
        outcome, failure = repeat.outcome, repeat.failure
        if content and not scored:
            warnings = ("The run was stopped before these predictions were scored.",)
        elif content:
            try:
                metrics, warnings = self._score(item, ready, content)
            except PredictionsError as exc:
                log = failure.log if failure else None
                outcome, failure = "failed", Failure("PredictionsError", str(exc), log)
        if failure and failure.log:
            failure = Failure(failure.type, failure.message, self._folder.relative(failure.log))
        options = ready.experiment.engines.selected()[item.engine]
        return Record(
            run=self._folder.name,
            experiment=ready.experiment.name,
            definition=ready.experiment.digest,
            engine=item.engine,
            implementation=options.implementation,
            point=ready.point,
            round=item.round,
            repeat=repeat.number,
            warm=repeat.number > 0,
            outcome=outcome,  # type: ignore[arg-type]
            error=failure,
            phases=tuple(repeat.phases),
            unaccounted_s=repeat.unaccounted_s,
            metrics=metrics,
            model=_learned(ready, repeat, search),
            parameters=tuple(content.get("parameters", ())),
            facts=content.get("facts") or {},
            warnings=(
                *warnings,
                *content.get("notes", ()),
                *_grants(ready, item.engine, content.get("facts")),
                *repeat.warnings,
            ),
            null_run=item.null_run,
        )

    def _score(
        self, item: PlanItem, ready: ReadyPoint, content: dict[str, Any]
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        if ready.prepared is None:
            return _of_estimate(ready, content["estimate"])
        saved = content["saved"]
        key = (item.point, saved["digest"])
        if key not in self._scores:
            predictions, centers = read_predictions(saved)
            # the candidates of a search may differ in what they can give
            lacking = () if ready.search is None else unanswered(predictions, ready.metrics)
            scores = score(
                ready.prepared,
                predictions,
                [name for name in ready.metrics if name not in lacking],
                task=ready.task,
                centers=centers,
                seed=ready.seed,
            )
            values = {name: scores.values.get(name) for name in ready.metrics}
            told = (f"{name}: the winner of the search gives no probabilities" for name in lacking)
            self._scores[key] = (values, (*_undefined(scores), *told))
        # only now: labels that were refused are compared with nobody's
        if ready.task == "clustering" and not item.null_run:
            self._labels.setdefault(item.point, {}).setdefault(item.engine, saved)
        return self._scores[key]

    def agreement(self, point: int) -> dict[str, float]:
        """Return the adjusted Rand index between the labels of every two engines at a point."""
        saved = self._labels.get(point, {})
        found = {}
        for one, other in combinations(saved, 2):
            a, b = (read_predictions(saved[name])[0].value for name in (one, other))
            found[f"{one}~{other}"] = adjusted_rand(a.astype(np.int32), b.astype(np.int32))
        return found


def _of_estimate(
    ready: ReadyPoint, estimate: dict[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    if ready.reference is None:
        raise AssertionError("what is simulated has a reference")
    scores = score_estimate(Estimate(**estimate), ready.reference, ready.metrics)
    return dict(scores.values), _undefined(scores)


def _undefined(scores: Scores) -> tuple[str, ...]:
    return tuple(f"{name}: {why}" for name, why in scores.undefined.items())


def _learned(ready: ReadyPoint, repeat: Repeat, search: Search | None) -> dict[str, Any]:
    """Return what a repeat found, beside its scores."""
    found: dict[str, Any] = {}
    content = repeat.content
    if content.get("n_iter") is not None:
        found["n_iter"] = content["n_iter"]
    if search is not None:
        found["search"] = summarise_search(search, repeat.phases)
    if "estimate" in content and ready.reference is not None:
        estimate, reference = content["estimate"], ready.reference
        found |= {
            "estimate": estimate["price"],
            "standard_error": estimate["standard_error"],
            "paths": estimate["paths"],
            "reference": reference.price,
            "reference_standard_error": reference.standard_error,
            "reference_paths": reference.paths,
        }
    return found


def _grants(ready: ReadyPoint, engine: str, facts: dict[str, Any] | None) -> tuple[str, ...]:
    """Return a sentence for each way in which an engine had more or less than was asked."""
    if not facts:
        return ()
    found = []
    asked = granted_cores(ready.experiment)
    if facts["cores"] != asked:
        cores = "1 core" if facts["cores"] == 1 else f"{facts['cores']} cores"
        found.append(f"It had {cores}, and {asked} {'was' if asked == 1 else 'were'} asked for.")
    options = ready.experiment.engines.attached.get(engine)
    if options is not None and (options.workers or options.threads_per_worker):
        # a cluster has the workers that it has, also at each point of a sweep over them
        had = facts["workers"], facts["threads_per_worker"]
        meant = granted(ready.experiment, engine)
        if had != meant:
            found.append(
                f"Its workers times their threads were {had[0]} x {had[1]}, and {meant[0]} x "
                f"{meant[1]} were asked for."
            )
    for process, threads in facts["native_threads"].items():
        allowed = facts["cores"] if process == "driver" else facts["threads_per_worker"]
        if threads > allowed:
            found.append(
                f"The native thread pools of its {process} may run {threads} threads, and "
                f"{allowed} {'was' if allowed == 1 else 'were'} meant: the cores were shared out "
                "unfairly."
            )
    return (*found, *facts.get("warnings", ()))
