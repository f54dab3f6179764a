"""A search over candidates: each trial is one fit on one worker, and every worker holds the rows.

Batches of trials go to a worker by name, with the next one on its way while it computes. Dask would
choose the workers itself, and would do lost work again, but keeps quiet about either; this way it
is known at any time what is where, and nothing is waited for that a dead worker was to do.
"""

from __future__ import annotations

import functools
import pickle
from collections import Counter
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from engines import in_worker
from engines.batches import Batches
from engines.dask.calling_off import interruptible
from engines.dask.data import Arrays, Everywhere, homes, persisted, place, shares
from engines.dask.session import await_takers, end_busy_workers, loss, takers, watched
from engines.errors import SpecError
from engines.evaluation import Bench, evaluate
from engines.folds import positions, selected_rows, take
from engines.prepared import RowGroup, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from engines.dask.session import Session
    from engines.prepared import Prepared
    from engines.specs import Spec
    from engines.types import Data, Judge, Model, Sample, Score, Trial

T = TypeVar("T")

# seconds after which it is looked whether all workers are alive
_POLL = 0.2
# seconds to bring the scores of a batch here
_GATHER_SECONDS = 5.0
# A worker has a batch waiting behind the one it computes, unless trials take longer than so many
# seconds: then they would wait there while another worker has nothing left to do
_SLOW_SECONDS = 1.0
# A trial that was lost so many times with a worker is what kills them
_LOSSES = 3


def score(
    session: Session, trials: Sequence[Trial], train: Data[Everywhere], judge: Judge
) -> Iterator[Score]:
    """Score trials on the workers; see `engines.base.Engine.score_candidates`."""
    import cloudpickle

    # a judge may be defined in a script or a notebook, which only cloudpickle can send
    content = (train.source.prepared, judge)
    bench = Everywhere(session, functools.partial(cloudpickle.dumps, content))
    batches = Batches(trials, session.resources.workers)
    flights = _Flights(session, train.native, bench, batches)
    try:
        while flights.send():
            for scores in flights.landed():
                batches.observe(scores)
                yield from scores
    except GeneratorExit:
        flights.cancel()
        end_busy_workers(session)
        raise
    finally:
        flights.cancel()
        bench.release()


def fit(
    session: Session,
    spec: Spec,
    train: Data[Everywhere],
    initial_centers: NDArray[np.float64] | None,
) -> Model:
    """Fit one model on one worker, with the threads that it has."""

    def fitted() -> Model:
        model: Model = session.client.submit(
            _fit,
            spec,
            train.native.future(),
            train.source.prepared,
            initial_centers,
            pure=False,
            resources=session.crew.single_fit,
        ).result()
        return model

    return watched(session, fitted, recovers=True)


def select(
    session: Session, data: Data[Any], fold: int, *, held_out: bool, sample: Sample | None
) -> Data[Any]:
    """Return the rows of a fold, or all others, placed as the rows they are from.

    Spread rows are divided anew, for all rows of a fold may lie on one worker. They stay in their
    order, also where a sample is drawn of them.
    """
    if isinstance(data.native, Rows):
        return selected_rows(data, fold, held_out=held_out, sample=sample)
    if not isinstance(data.native, Arrays):
        raise SpecError("select needs rows placed 'spread' or 'host'; got 'everywhere'.")
    arrays = data.native
    selected = watched(
        session,
        lambda: _select(session, arrays, data.source.prepared, _Choice(fold, held_out, sample)),
        recovers=True,
    )
    return replace(data, native=selected, n_rows=selected.X.shape[0])


@dataclass(frozen=True)
class _Sent:
    """A batch under way.

    Parameters
    ----------
    address : str
        The worker that it was sent to.
    trials : tuple of Trial
        What it is to do.
    """

    address: str
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class _Flights:
    """The batches under way.

    Parameters
    ----------
    session : Session
        Whose workers compute.
    rows : Everywhere
        All training rows.
    bench : Everywhere
        Pickled dataset and judge.
    batches : Batches
        What is left to do.
    """

    session: Session
    rows: Everywhere
    bench: Everywhere
    batches: Batches
    sent: dict[Any, _Sent] = field(default_factory=dict)
    losses: Counter[tuple[int, int]] = field(default_factory=Counter)

    def send(self) -> bool:
        """Give the workers enough to do; return whether anything is under way then."""
        addresses = takers(self.session)
        if not addresses and not self.sent:
            if not (taken := self.batches.take()):
                return False
            self.batches.give_back(taken)
            addresses = await_takers(self.session)
        mean = self.batches.mean_seconds
        enough = 1 if mean is None or mean > _SLOW_SECONDS else 2
        while addresses:
            load = Counter(one.address for one in self.sent.values())
            address = min(addresses, key=lambda one: load[one])
            if load[address] >= enough or not (taken := self.batches.take()):
                break
            self._submit(address, taken)
        return bool(self.sent)

    def landed(self) -> Iterator[list[Score]]:
        """Wait a while, and return the scores of each batch that is done by then."""
        from distributed import wait

        # cancelled is what was to be done with rows that no worker holds any more
        with suppress(TimeoutError, CancelledError):
            wait(list(self.sent), timeout=_POLL, return_when="FIRST_COMPLETED")
        for future in [one for one in self.sent if one.status in {"finished", "error"}]:
            try:
                # The worker may have died since; its scores are then lost with it
                scores = future.result(timeout=_GATHER_SECONDS)
            except (TimeoutError, CancelledError):
                continue
            del self.sent[future]
            future.release()
            yield scores
        self._recover()

    def cancel(self) -> None:
        """Take back what no worker has begun."""
        for future in self.sent:
            future.release()
        self.sent.clear()

    def _submit(self, address: str, trials: tuple[Trial, ...]) -> None:
        future = self.session.client.submit(
            _evaluate,
            self.rows.future(),
            self.bench.future(),
            # bytes pass through the scheduler as they are
            pickle.dumps(trials),
            pure=False,
            workers=[address],
            resources=self.session.crew.single_fit,
        )
        self.sent[future] = _Sent(address, trials)

    def _recover(self) -> None:
        """Take back what was lost with a worker, to have it done again."""
        workers = self.session.crew.workers()
        nobody_has_rows = not (self.rows.whole and self.bench.whole)
        for future, one in tuple(self.sent.items()):
            worker = workers.get(one.address)
            lost = worker is None or nobody_has_rows or future.status in {"lost", "cancelled"}
            # Nothing of it has begun, and nothing will as long as the worker is short of memory
            waits = worker is not None and not worker.takes and not worker.computes
            if lost or waits:
                del self.sent[future]
                future.release()
                self.batches.give_back(one.trials)
            if lost:
                self.losses.update((trial.candidate, trial.fold) for trial in one.trials)
        if self.losses and max(self.losses.values()) >= _LOSSES:
            raise loss(self.session)


@dataclass(frozen=True)
class _Choice:
    """Which rows are selected.

    Parameters
    ----------
    fold : int
        Number of the fold.
    held_out : bool
        True for its rows, False for all others.
    sample : Sample or None
        Part of them to keep.
    """

    fold: int
    held_out: bool
    sample: Sample | None


def _fit(
    spec: Spec, rows: Rows, prepared: Prepared, initial_centers: NDArray[np.float64] | None
) -> Model:
    """Fit one model, in a worker."""
    return _interruptible(lambda: in_worker.fit(spec, rows, prepared, _threads(), initial_centers))


def _interruptible(call: Callable[[], T]) -> T:
    from distributed import get_worker

    return interruptible(get_worker().get_current_task(), call)


def _threads() -> int:
    """Return the threads of the worker that this runs in: others may have more or fewer."""
    from distributed import get_worker

    return int(get_worker().state.nthreads)


def _evaluate(rows: Rows, bench: bytes, trials: bytes) -> list[Score]:
    """Carry out trials, in a worker."""
    from distributed import get_worker

    prepared, judge = _opened(bench)
    todo: tuple[Trial, ...] = pickle.loads(trials)  # noqa: S301 - ours
    at = Bench(rows, prepared, judge, _threads())
    worker = f"worker {get_worker().name}"
    return _interruptible(lambda: [evaluate(trial, at, worker) for trial in todo])


@functools.lru_cache(maxsize=1)
def _opened(bench: bytes) -> tuple[Prepared, Judge]:
    content: tuple[Prepared, Judge] = pickle.loads(bench)  # noqa: S301 - ours
    return content


def _select(session: Session, arrays: Arrays, prepared: Prepared, choice: _Choice) -> Arrays:
    blocks = _blocks(session, arrays)
    masks = _masks(session, blocks, choice)
    counts = session.client.gather(
        [
            session.client.submit(_count, block.futures[-1], mask, **place(block.home))
            for block, mask in zip(blocks, masks, strict=True)
        ]
    )
    if not sum(counts):
        which = f"fold {choice.fold}" if choice.held_out else f"all folds but {choice.fold}"
        raise SpecError(f"dask: {which} of the training rows has no rows to select.")
    resources = session.resources
    kept = [RowGroup("", number, count, 0) for number, count in enumerate(counts)]
    divided = shares(kept, "train", resources.cores)
    heights = [share.stop - share.start for share in divided]
    made = []
    for share, home in zip(divided, homes(session, len(divided)), strict=True):
        before = 0
        pieces = []
        for group in share.row_groups:
            block, mask = blocks[group.index], masks[group.index]
            bounds = slice(max(share.start - before, 0), min(share.stop - before, group.train))
            before += group.train
            # Cut out where the rows lie, so that no others travel
            pieces.append(
                session.client.submit(_piece, block.futures, mask, bounds, **place(block.home))
            )
        made.append(session.client.submit(_joined, *pieces, **place(home)))
    return persisted(session, made, heights, prepared)


@dataclass(frozen=True)
class _Block:
    """One block of spread rows.

    Parameters
    ----------
    futures : tuple
        Of features, label (None without one), row numbers and folds.
    home : str
        The worker that holds it.
    """

    futures: tuple[Any, ...]
    home: str


def _blocks(session: Session, arrays: Arrays) -> list[_Block]:
    from distributed import futures_of

    held = {future.key: future for future in futures_of(list(arrays.all))}
    columns = [
        None if array is None else [held[key] for key in _keys(array.__dask_keys__())]
        for array in (arrays.X, arrays.y, arrays.row_id, arrays.fold)
    ]
    numbers = range(arrays.X.numblocks[0])
    who_has = session.client.who_has(columns[0])
    keys = _keys(arrays.X.__dask_keys__())
    return [
        _Block(
            tuple(None if column is None else column[number] for column in columns),
            next(iter(who_has[keys[number]])),
        )
        for number in numbers
    ]


def _keys(nested: Any) -> list[Any]:
    """Return the keys of an array's blocks, in their order."""
    if not isinstance(nested, list):
        return [nested]
    return [key for inner in nested for key in _keys(inner)]


def _masks(session: Session, blocks: Sequence[_Block], choice: _Choice) -> list[_Mask]:
    if choice.sample is None:
        return [_Mask(choice.fold, choice.held_out)] * len(blocks)
    folds = session.client.gather([block.futures[-1] for block in blocks])
    fold_of = np.concatenate(folds)
    kept = np.zeros(len(fold_of), dtype=bool)
    kept[positions(fold_of, choice.fold, held_out=choice.held_out, sample=choice.sample)] = True
    edges = np.cumsum([len(fold) for fold in folds])[:-1]
    return [
        _Mask(choice.fold, choice.held_out, np.packbits(part)) for part in np.split(kept, edges)
    ]


@dataclass(frozen=True)
class _Mask:
    """Which rows of a block are selected.

    Parameters
    ----------
    fold, held_out
        As of `_Choice`.
    drawn : ndarray of dtype uint8, optional
        A bit for each row of the block, where only some of the rows were drawn.
    """

    fold: int
    held_out: bool
    drawn: NDArray[np.uint8] | None = None

    def of(self, fold_of: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Return the mask of a block with these folds."""
        if self.drawn is not None:
            return np.unpackbits(self.drawn, count=len(fold_of)).astype(bool)
        mask: NDArray[np.bool_] = (fold_of == self.fold) == self.held_out
        return mask


def _count(fold_of: NDArray[np.int8], mask: _Mask) -> int:
    return int(mask.of(fold_of).sum())


def _piece(block: tuple[Any, Any, Any, Any], mask: _Mask, bounds: slice) -> Rows:
    """Return some of the selected rows of a block."""
    X, y, row_id, fold_of = block
    chosen = np.flatnonzero(mask.of(fold_of))[bounds]
    return take(Rows(X, np.empty(0) if y is None else y, row_id, fold_of), chosen)


def _joined(*pieces: Rows) -> Rows:
    if len(pieces) == 1:
        return pieces[0]
    return Rows(*(np.concatenate(arrays) for arrays in zip(*pieces, strict=True)))
