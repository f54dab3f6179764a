"""What a record tells of a search, beside the table of all candidates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from experiments.search.standing import deviation, mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from experiments.records import Phase
    from experiments.search.log import Candidate, Search


def summarise_search(search: Search, phases: Sequence[Phase]) -> dict[str, Any]:
    """Summarise a search that has ended, in whichever way.

    Parameters
    ----------
    search : Search
        Its candidates.
    phases : sequence of Phase
        Of the repeat that it was part of.

    Returns
    -------
    dict
        How many candidates ended how, the best one, the seconds of fits and scores summed over the
        workers, and the cost beyond them: the seconds of the search less those that its workers
        needed for fits and scores, had they shared them evenly. That is None where the seconds of
        any trial are unknown, which would else be told as a cost of the engine.
    """
    plan = search.plan
    candidates = list(search.candidates.values())
    fits_s, scores_s = (_total(candidates, name) for name in ("fit_s", "score_s"))
    phase = next((phase for phase in phases if phase.name == "search"), None)
    completed = len(search.with_outcome("completed"))
    summary: dict[str, Any] = {
        "strategy": plan["strategy"],
        "parallel_over": plan["parallel_over"],
        "why": plan["why"],
        "folds": plan["n_folds"],
        "scoring": plan["scoring"],
        "refit": plan["refit"],
        "candidates": len(plan["candidates"]),
        "rungs": len(plan["rungs"]),
        "planned": search.planned,
        "completed": completed,
        "failed": len(search.with_outcome("failed")),
        "not_run": len(search.with_outcome("not run")),
        "first_error": next((one.error for one in candidates if one.error), None),
        "best": _best(search),
        "fits_s": fits_s,
        "scores_s": scores_s,
        "slots": plan["slots"],
        "wall_s": None if phase is None else phase.wall_s,
        "candidates_per_minute": None,
        "beyond_fits_s": None,
    }
    if phase is not None and phase.wall_s:
        summary["candidates_per_minute"] = 60.0 * completed / phase.wall_s
        if phase.ended and all(map(_timed, candidates)):
            summary["beyond_fits_s"] = phase.wall_s - (fits_s + scores_s) / plan["slots"]
    return summary


def _best(search: Search) -> dict[str, Any] | None:
    best = search.best()
    if best is None:
        return None
    folds = {metric: best.of_folds(metric) for metric in search.plan["scoring"]}
    return {
        "candidate": best.number,
        "params": best.params,
        "scores": {metric: mean(values) for metric, values in folds.items()},
        "std": {metric: deviation(values) for metric, values in folds.items()},
    }


def _timed(candidate: Candidate) -> bool:
    """Tell whether the seconds of all its trials are known; one that raised has none."""
    scores = candidate.scores.values()
    return len(scores) == candidate.n_folds and all(
        score["fit_s"] is not None or not score["error"]  # what had no time left took none
        for score in scores
    )


def _total(candidates: Iterable[Candidate], name: str) -> float:
    return math.fsum(second for one in candidates for second in one.seconds(name))
