"""Everything of a search that is fixed before any engine starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from engines.errors import SpecError
from engines.strategies import Rung, smallest_rows
from experiments.errors import RequestError
from experiments.runner.clusters import Joined

if TYPE_CHECKING:
    from engines.prepared import Prepared
    from experiments.definition import Experiment
    from experiments.definition.search import SearchOptions

# A fit holds the rows that it learns from beside those that were shipped, and a library's own form
# of them, which for XGBoost is another copy or two while it is made
_COPIES = 4


@dataclass(frozen=True)
class ReadySearch:
    """A search with its candidates drawn.

    Parameters
    ----------
    candidates : tuple of dict
        Parameters of each, in the order drawn.
    rungs : tuple of Rung
        One, or more when halving.
    resource : str or None
        ``"rows"`` or the parameter that grows from rung to rung; None with one rung.
    n_folds : int
        Number of folds.
    scoring : tuple of str
        Metrics on the held-out folds.
    refit : str
        The one that decides.
    parallel_over : {"candidates", "rows"}
        What works in parallel.
    why : str
        Why that was chosen.
    """

    candidates: tuple[dict[str, Any], ...]
    rungs: tuple[Rung, ...]
    resource: str | None
    n_folds: int
    scoring: tuple[str, ...]
    refit: str
    parallel_over: Literal["candidates", "rows"]
    why: str


def plan_search(
    experiment: Experiment,
    options: SearchOptions,
    prepared: Prepared,
    scoring: tuple[str, ...],
    n_classes: int,
    *,
    joined: Joined | None = None,
) -> ReadySearch:
    """Draw the candidates, lay out the rungs and choose what works in parallel.

    Parameters
    ----------
    experiment : Experiment
        The definition at one point.
    options : SearchOptions
        Its search.
    prepared : Prepared
        The dataset, with folds.
    scoring : tuple of str
        Metrics on the held-out folds.
    n_classes : int
        Classes to learn; 0 where the workload is no classification.
    joined : Joined, optional
        What the engines get that join a cluster.

    Raises
    ------
    RequestError
        If the data is not fit for what is asked.
    """
    candidates = tuple(options.draw())
    parallel_over, why = _parallel_over(experiment, options, prepared, joined or Joined())
    return ReadySearch(
        candidates=candidates,
        rungs=_rungs(options, prepared, len(candidates), n_classes),
        resource=options.resource if options.strategy == "halving" else None,
        n_folds=prepared.n_folds,
        scoring=scoring,
        refit=options.refit or scoring[0],
        parallel_over=parallel_over,
        why=why,
    )


def _rungs(
    options: SearchOptions,
    prepared: Prepared,
    n_candidates: int,
    n_classes: int,
) -> tuple[Rung, ...]:
    if options.strategy != "halving":
        return (Rung(0, n_candidates, n_resources=0),)
    n_train = prepared.counts["train"]
    by_rows = options.resource == "rows"
    most = options.max_resources
    if most is not None and by_rows and most > n_train:
        raise RequestError(
            f"search.max_resources must be at most the number of training rows, {n_train:,}; "
            f"got {most:,}."
        )
    try:
        return options.rungs(
            n_candidates,
            smallest=smallest_rows(prepared.n_folds, n_classes) if by_rows else 1,
            max_resources=n_train if most is None else most,
        )
    except SpecError as exc:
        raise RequestError(f"search: {exc}") from exc


def _parallel_over(
    experiment: Experiment, options: SearchOptions, prepared: Prepared, joined: Joined
) -> tuple[Literal["candidates", "rows"], str]:
    """Return what works in parallel, and why, for all engines alike."""
    if options.parallel_over == "rows":
        return "rows", "asked for"
    width = 4 if prepared.dtype == "float32" else 8
    rows = prepared.counts["train"] * prepared.n_features * width
    share = joined.worker_memory(experiment)
    if options.parallel_over == "candidates":
        if rows > share:
            raise RequestError(
                f"search.parallel_over: candidates needs all training rows on every worker, which "
                f"take {_size(rows)}, and a worker has {_size(share)}; raise resources.memory, use "
                f"fewer workers, or search over rows."
            )
        return "candidates", "asked for"
    needed = _COPIES * rows
    told = f"{_size(rows)} of training rows, {_COPIES} times, "
    if needed <= share:
        return "candidates", f"chosen, as {told}fit the {_size(share)} that a worker has"
    return "rows", f"chosen, as {told}do not fit the {_size(share)} that a worker has"


def _size(size: int) -> str:
    if size >= 2**30:
        return f"{size / 2**30:.1f} GiB"
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"
