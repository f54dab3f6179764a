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
        needed for fits and scores, had they shared them evenly.
    """
    plan = search.plan
    candidates = list(search.candidates.values())
    fits_s, scores_s = (_total(candidates, name) for name in ("fit_s", "score_s"))
    wall_s = next((phase.wall_s for phase in phases if phase.name == "search"), None)
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
        "wall_s": wall_s,
        "candidates_per_minute": None,
        "beyond_fits_s": None,
    }
    if wall_s:
        summary["candidates_per_minute"] = 60.0 * completed / wall_s
        summary["beyond_fits_s"] = wall_s - (fits_s + scores_s) / plan["slots"]
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


def _total(candidates: Iterable[Candidate], name: str) -> float:
    return math.fsum(second for one in candidates for second in one.seconds(name))
