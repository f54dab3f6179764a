"""A search over candidates: each trial is one fit in one of Spark's Python workers.

The rows are broadcast once a load, all else that trials need once a search; with a batch of trials
travels nothing but the trials.
"""

from __future__ import annotations

import functools
import os
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from engines import in_worker
from engines.batches import Batches
from engines.errors import SpecError
from engines.evaluation import Bench, evaluate
from engines.folds import positions, selected_rows
from engines.prepared import Rows, read_folds
from engines.spark import sampler
from engines.spark.data import ROW_ID, Frame, cached
from engines.spark.pool import broadcast, unordered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from engines.spark.data import Everywhere
    from engines.spark.session import Session
    from engines.specs import Spec
    from engines.types import Data, Judge, Model, Sample, Score, Trial


# Seconds of work in a batch, at most and at least: a job costs the JVM some 20 milliseconds of CPU,
# more while it still compiles, which the workers go without
_BATCH_SECONDS = 1.0
_LEAST_SECONDS = 0.1


def score(
    session: Session, trials: Sequence[Trial], train: Data[Everywhere], judge: Judge
) -> Iterator[Score]:
    """Score trials in the Python workers; see `engines.base.Engine.score_candidates`."""
    batches = Batches(trials, session.workers, seconds=_BATCH_SECONDS, least_seconds=_LEAST_SECONDS)
    with broadcast(session, (train.source.prepared, judge, session.threads)) as bench:
        for scores in unordered(
            session,
            functools.partial(_evaluate, train.native.rows, bench),
            lambda: batches.take() or None,
            batches.give_back,
        ):
            batches.observe(scores)
            yield from scores


def fit(
    session: Session,
    spec: Spec,
    train: Data[Everywhere],
    initial_centers: NDArray[np.float64] | None,
) -> Model:
    """Fit one model in one Python worker, with the threads that it has."""
    rows, prepared = train.native.rows, train.source.prepared
    threads = session.threads
    task = session.spark.sparkContext.parallelize([initial_centers], 1)
    (model,) = task.map(
        lambda centers: in_worker.fit(spec, rows.value, prepared, threads, centers)
    ).collect()
    return model  # type: ignore[no-any-return]


def select(
    session: Session, data: Data[Any], fold: int, *, held_out: bool, sample: Sample | None
) -> Data[Any]:
    """Return the rows of a fold, or all others, placed as the rows they are from.

    Spread rows are divided anew, for all rows of a fold may lie in one partition. They stay sorted,
    also where a sample is drawn of them.
    """
    if isinstance(data.native, Rows):
        return selected_rows(data, fold, held_out=held_out, sample=sample)
    if not isinstance(data.native, Frame):
        raise SpecError("select needs rows placed 'spread' or 'host'; got 'everywhere'.")
    import pyarrow as pa
    from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

    fold_of, row_id = read_folds(data.source.prepared, data.source.split)
    chosen = np.sort(positions(fold_of, fold, held_out=held_out, sample=sample))
    if not len(chosen):
        which = f"fold {fold}" if held_out else f"all folds but {fold}"
        raise SpecError(f"spark: {which} of the training rows has no rows to select.")
    selected = row_id[chosen]
    partitions = min(session.workers, len(selected))
    firsts = [int(selected[len(selected) * part // partitions]) for part in range(partitions)]
    frame: Frame = data.native
    if sample is None:
        inside = F.col("fold") == fold
        kept = frame.rows.where(inside if held_out else ~inside)
    else:
        drawn = session.spark.createDataFrame(pa.table({ROW_ID: selected}))
        kept = frame.rows.join(F.broadcast(drawn), ROW_ID, "left_semi")
    return replace(data, native=cached(kept, frame.features, firsts), n_rows=len(selected))


def _evaluate(rows: Any, bench: Any, trials: tuple[Trial, ...]) -> list[Score]:
    """Carry out trials, in a Python worker."""
    at = Bench(rows.value, *bench.value.value)
    worker = f"process {os.getpid()}"
    if os.environ.get(sampler.WANTED):  # on a cluster, where machines have processes of one number
        worker = f"{worker} on {socket.gethostname()}"
    return [evaluate(trial, at, worker) for trial in trials]
