"""A search over candidates: each trial is one fit in one of as many processes as there are cores.

The rows lie in one file that every process maps into its memory.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engines import single_node
from engines.batches import Batches
from engines.evaluation import Bench, evaluate
from engines.threads import limited
from engines.types import Data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from engines.prepared import Prepared, Rows
    from engines.sklearn.pool import Pool
    from engines.specs import Spec
    from engines.types import Judge, Model, Score, Trial


@dataclass(frozen=True)
class _Batch:
    """What travels to a process for some trials: no rows, but where they lie.

    Parameters
    ----------
    rows, bench : str
        Files of the rows, and of all else that trials need.
    trials : tuple of Trial
        What to do.
    """

    rows: str
    bench: str
    trials: tuple[Trial, ...]


def share(pool: Pool, data: Data[Rows], folder: Path) -> Data[Rows]:
    """Write the rows to a file, map it in every process of the pool, and return them mapped.

    The processes start here where they did not start with the session: no search pays for that.
    """
    import joblib

    path = _new_file(folder, "rows-")
    joblib.dump(data.native, path)
    pool.everywhere(functools.partial(_hold, str(path)))
    return Data(_map(str(path)), data.n_rows, data.n_features, data.source)


def release(data: Data[Rows]) -> None:
    """Remove the file of shared rows; who has mapped it may go on reading it."""
    _file(data).unlink(missing_ok=True)


def score(
    pool: Pool, trials: Sequence[Trial], train: Data[Rows], judge: Judge, folder: Path
) -> Iterator[Score]:
    """Score trials in the processes of a pool; see `engines.base.Engine.score_candidates`."""
    import cloudpickle

    rows, bench = _file(train), _new_file(folder, "bench-")
    batches = Batches(trials, pool.workers)

    def next_batch() -> _Batch | None:
        taken = batches.take()
        return _Batch(str(rows), str(bench), taken) if taken else None

    def give_back(batch: _Batch) -> None:
        batches.give_back(batch.trials)

    try:
        # a judge may be defined in a script or a notebook, which only cloudpickle can send
        bench.write_bytes(cloudpickle.dumps((train.source.prepared, judge)))
        with contextlib.closing(pool.unordered(_evaluate, next_batch, give_back)) as done:
            for scores in done:
                batches.observe(scores)
                yield from scores
    finally:
        bench.unlink(missing_ok=True)


def fit(
    spec: Spec, train: Data[Rows], initial_centers: NDArray[np.float64] | None, cores: int
) -> Model:
    """Fit one model in this process."""
    return single_node.fit(
        spec,
        train.native,
        train.source.prepared,
        threads=cores,
        initial_centers=initial_centers,
    )


def _hold(rows: str) -> None:
    """Get ready for trials on some rows, in a process of the pool."""
    with limited(1):
        _mapped(rows)


def _evaluate(batch: _Batch) -> list[Score]:
    """Carry out trials, in a process of the pool."""
    bench = _bench(batch.rows, batch.bench)
    return [evaluate(trial, bench, f"process {os.getpid()}") for trial in batch.trials]


@functools.lru_cache(maxsize=1)
def _bench(rows: str, bench: str) -> Bench:
    content: tuple[Prepared, Judge] = pickle.loads(Path(bench).read_bytes())  # noqa: S301 - ours
    return Bench(_mapped(rows), *content, threads=1)


@functools.lru_cache(maxsize=1)
def _mapped(path: str) -> Rows:
    """Map the rows once in a process of the pool, whatever number of searches reads them."""
    return _map(path)


def _new_file(folder: Path, prefix: str) -> Path:
    handle, path = tempfile.mkstemp(prefix=prefix, dir=folder)
    os.close(handle)
    return Path(path)


def _map(path: str) -> Rows:
    import joblib

    rows: Rows = joblib.load(path, mmap_mode="r")
    return rows


def _file(data: Data[Rows]) -> Path:
    """Return the file that `share` has mapped rows from."""
    return Path(data.native.X.filename)  # type: ignore[attr-defined]
