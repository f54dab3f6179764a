"""What a worker does with a trial of a search over candidates; the same on every engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engines import single_node
from engines.errors import UnsupportedFeatureError, headline
from engines.folds import positions, take
from engines.in_worker import share_of_cores
from engines.types import Score

if TYPE_CHECKING:
    from engines.prepared import Prepared, Rows
    from engines.types import Judge, Trial


@dataclass(frozen=True)
class Bench:
    """What trials need beside themselves; every worker has one, and it is shipped once.

    Parameters
    ----------
    rows : Rows
        All training rows, with their folds.
    prepared : Prepared
        The dataset that they are from.
    judge : Judge
        Times and scores.
    threads : int
        Native threads that a fit may run: the worker's share of the cores.
    """

    rows: Rows
    prepared: Prepared
    judge: Judge
    threads: int


def evaluate(trial: Trial, bench: Bench, worker: str) -> Score:
    """Fit a candidate without a fold and judge it on that fold, in this process.

    Whatever the candidate raises is its result: a search goes on.
    """
    fold_of = bench.rows.fold
    try:
        with share_of_cores(bench.threads):
            chosen = positions(fold_of, trial.fold, held_out=False, sample=trial.sample)
            train = take(bench.rows, chosen)
            chosen = positions(fold_of, trial.fold, held_out=True, sample=trial.sample)
            held_out = take(bench.rows, chosen)
            judgement = bench.judge(
                lambda: single_node.fit(
                    trial.spec,
                    train,
                    bench.prepared,
                    threads=bench.threads,
                    initial_centers=trial.initial_centers,
                ),
                lambda model: single_node.predict(model, held_out),
                held_out,
            )
    except Exception as exc:  # noqa: BLE001 - a candidate may fail in any way
        return failed(trial, worker, exc)
    return Score(trial.candidate, trial.fold, judgement, worker)


def failed(trial: Trial, worker: str, exc: Exception) -> Score:
    """Return the score of a trial that raised."""
    return Score(
        trial.candidate,
        trial.fold,
        None,
        worker,
        error=headline(exc),
        unsupported=isinstance(exc, UnsupportedFeatureError),
    )
