"""Prepared rows to the workers: a share to each, or all rows to every one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.dask.session import await_takers, watched
from engines.errors import EngineFailedError, headline
from engines.prepared import Rows, read_rows
from engines.reading import read_here, unseen
from engines.types import Data

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engines.dask.session import Session
    from engines.prepared import Prepared, RowGroup
    from engines.types import Source, Split

# A share may be this much larger or smaller than the others if no row group is then read twice
_SLACK = 0.05


@dataclass(frozen=True)
class Arrays:
    """Rows as four dask arrays with the same chunks along the rows, persisted.

    Parameters
    ----------
    X : dask.array.Array of shape (n_rows, n_features)
        Features in the dataset's dtype; one chunk along the columns.
    y : dask.array.Array of shape (n_rows,) or None
        int32 class numbers or float64 values; None where there is no label.
    row_id : dask.array.Array of shape (n_rows,), dtype int64
        Increasing.
    fold : dask.array.Array of shape (n_rows,), dtype int8
        -1 for rows in no fold.
    """

    X: Any
    y: Any
    row_id: Any
    fold: Any

    @property
    def all(self) -> tuple[Any, ...]:
        """The arrays that there are."""
        present = (self.X, self.y, self.row_id, self.fold)
        return tuple(array for array in present if array is not None)


@dataclass(frozen=True)
class Share:
    """The rows of one block: some row groups, less what other blocks take of them.

    Parameters
    ----------
    row_groups : tuple of RowGroup
        Adjacent row groups that hold the rows.
    start, stop : int
        The block's rows among the split's rows of these row groups.
    """

    row_groups: tuple[RowGroup, ...]
    start: int
    stop: int


class Everywhere:
    """One value that every worker holds whole, sent to each of them once.

    A worker that takes the place of a dead one fetches it from another worker. If all that held it
    died, it is made and sent again.

    Parameters
    ----------
    session : Session
        Whose workers.
    make : callable
        Makes the value, in this process, which does not keep it.
    """

    def __init__(self, session: Session, make: Callable[[], Any]) -> None:
        self._session = session
        self._make = make
        self._future = self._send()

    @property
    def whole(self) -> bool:
        """Whether a worker still holds it."""
        return bool(self._future.status == "finished")

    def future(self) -> Any:
        """Return what stands for the value among the arguments of a task."""
        if not self.whole:
            self._future = self._send()
        return self._future

    def release(self) -> None:
        """Let the workers forget it."""
        self._future.release()

    def _send(self) -> Any:
        # In a list, for the items of a tuple would be sent one by one. Straight to one worker,
        # which hands it on: the scheduler would have to hold it meanwhile.
        value = [self._make()]
        session = self._session

        def sent() -> Any:
            await_takers(session)  # all may have died, and their nannies start others
            return session.client.scatter(
                value, workers=session.addresses, broadcast=True, direct=True, hash=False
            )

        (future,) = watched(session, sent, recovers=False)
        return future


def load(session: Session, source: Source) -> Data[Any]:
    """Read one split and hold it where it is to be placed.

    Spread, each worker reads its share; otherwise this process reads all, once.

    Returns
    -------
    Data
        Of `Arrays` if spread, `Rows` if on the host, and `Everywhere` (of `Rows`) if everywhere.
    """

    def read() -> Rows:
        return read_here("dask", source)

    native: Arrays | Rows | Everywhere
    match source.placement:
        case "spread":
            native = watched(session, lambda: _load(session, source), recovers=True)
        case "host":
            native = read()
        case "everywhere":
            native = Everywhere(session, read)
    return Data(native, source.n_rows, source.prepared.n_features, source)


def release(data: Data[Any]) -> None:
    """Let the workers forget the rows."""
    from distributed import futures_of

    if isinstance(data.native, Everywhere):
        data.native.release()
    elif isinstance(data.native, Arrays):
        # Not cancelled, which would also take what another computation still waits for
        for future in futures_of(list(data.native.all)):
            future.release()


def require_spread(session: Session, arrays: Arrays) -> None:
    """Check that every worker holds rows, as far as there are rows to hold.

    Raises
    ------
    EngineFailedError
        If a worker holds none: it would idle, and be counted all the same.
    """
    holders = _holders(session, arrays)
    expected = min(session.resources.workers, arrays.X.shape[0])
    if len(holders) < expected:
        raise EngineFailedError(
            f"dask: the rows lie on {len(holders)} of {expected} workers; a worker without rows "
            f"takes no part in the work: start another session."
        )


def shares(row_groups: Sequence[RowGroup], split: Split, n_blocks: int) -> tuple[Share, ...]:
    """Divide the rows of a split into contiguous blocks of nearly equal size.

    A border between blocks falls between two row groups where one is near enough, and within a
    row group otherwise; both neighbours read such a row group.

    Parameters
    ----------
    row_groups : sequence of RowGroup
        All row groups, in order.
    split : {"train", "test"}
        Whose rows.
    n_blocks : int
        How many blocks; fewer are made of fewer rows. None is empty.

    Returns
    -------
    tuple of Share
        In the order of the rows.
    """
    counts = np.array([group.train if split == "train" else group.test for group in row_groups])
    edges = np.concatenate([[0], np.cumsum(counts)])
    n_rows = int(edges[-1])
    n_blocks = min(n_blocks, n_rows)
    borders = [round(block * n_rows / n_blocks) for block in range(n_blocks + 1)]
    for number in range(1, n_blocks):
        nearest = int(edges[np.abs(edges - borders[number]).argmin()])
        if abs(nearest - borders[number]) <= _SLACK * n_rows / n_blocks:
            borders[number] = nearest
    made = []
    for start, stop in pairwise(borders):
        first = int(np.searchsorted(edges, start, side="right")) - 1
        last = int(np.searchsorted(edges, stop, side="left"))
        offset = int(edges[first])
        made.append(Share(tuple(row_groups[first:last]), start - offset, stop - offset))
    return tuple(made)


def read_share(prepared: Prepared, share: Share, split: Split) -> Rows:
    """Read one block, in the worker that will hold it.

    Raises
    ------
    UnseenDataError
        If the worker cannot read the dataset where it is.
    """
    try:
        rows = read_rows(prepared, share.row_groups, split)
    except OSError as exc:
        from distributed import get_worker

        who = f"dask: load: the worker at {get_worker().address}"
        raise unseen(who, prepared.location, headline(exc)) from None
    if (share.start, share.stop) == (0, len(rows.X)):
        return rows
    # Copied, so that the rows of other blocks do not stay in memory behind a view
    kept = slice(share.start, share.stop)
    return Rows(
        X=rows.X[kept].copy(),
        y=rows.y[kept].copy(),
        row_id=rows.row_id[kept].copy(),
        fold=rows.fold[kept].copy(),
    )


def homes(session: Session, n_blocks: int) -> list[str]:
    """Return the address of the worker that is to hold each block; neighbours lie together.

    A worker of more threads than others holds so many blocks more.
    """
    workers = session.crew.workers()
    if n_blocks < len(workers):
        return list(workers)[:n_blocks]
    holders = [address for address, worker in workers.items() for _ in range(worker.threads)]
    if n_blocks < len(holders):  # too few for shares: each worker is to have some
        holders = list(workers)
    return [holders[number * len(holders) // n_blocks] for number in range(n_blocks)]


def persisted(
    session: Session, blocks: Sequence[Any], heights: Sequence[int], prepared: Prepared
) -> Arrays:
    """Make arrays of blocks, and wait until all of it is in memory.

    Parameters
    ----------
    session : Session
        Whose workers hold the blocks.
    blocks : sequence of distributed.Future
        `Rows` of each block, in the order of the rows.
    heights : sequence of int
        How many rows each has.
    prepared : Prepared
        The dataset that they are from.
    """
    import dask
    from distributed import wait

    homes_of = homes(session, len(blocks))
    parts = [
        [session.client.submit(itemgetter(n), block, **place(home)) for n in range(4)]
        for block, home in zip(blocks, homes_of, strict=True)
    ]
    X, y, row_id, fold = (
        _array([part[number] for part in parts], heights, width, dtype)
        for number, (width, dtype) in enumerate(
            (
                (prepared.n_features, prepared.dtype),
                (None, "int32" if prepared.label_kind == "classes" else "float64"),
                (None, "int64"),
                (None, "int8"),
            )
        )
    )
    labelled = prepared.label_kind != "none"
    lazy = Arrays(X, y if labelled else None, row_id, fold)
    made = iter(dask.persist(*lazy.all))
    arrays = Arrays(
        X=next(made),
        y=next(made) if labelled else None,
        row_id=next(made),
        fold=next(made),
    )
    wait(list(arrays.all))
    _raise_failure(arrays)
    require_spread(session, arrays)
    return arrays


def place(home: str) -> dict[str, Any]:
    """Return how a task is submitted that belongs on one worker.

    If that worker dies another one may do it again.
    """
    return {"workers": [home], "allow_other_workers": True, "pure": False}


def _load(session: Session, source: Source) -> Arrays:
    prepared, resources = source.prepared, session.resources
    divided = shares(prepared.row_groups, source.split, resources.cores)
    blocks = [
        session.client.submit(
            read_share, prepared.part(share.row_groups), share, source.split, **place(home)
        )
        for share, home in zip(divided, homes(session, len(divided)), strict=True)
    ]
    return persisted(session, blocks, [share.stop - share.start for share in divided], prepared)


def _array(parts: Sequence[Any], heights: Sequence[int], width: int | None, dtype: str) -> Any:
    """Make one dask array of futures of its blocks."""
    import dask.array as da

    tail = () if width is None else (width,)
    return da.concatenate(
        [
            da.from_delayed(part, (height, *tail), dtype=dtype)
            for part, height in zip(parts, heights, strict=True)
        ]
    )


def _raise_failure(arrays: Arrays) -> None:
    """Raise what went wrong in a worker: waiting alone does not."""
    from distributed import futures_of

    for future in futures_of(list(arrays.all)):
        if future.status != "finished":
            future.result()


def _holders(session: Session, arrays: Arrays) -> set[str]:
    """Return the addresses of the workers that hold blocks of the features."""
    from distributed import futures_of

    who_has = session.client.who_has(futures_of(arrays.X))
    return {address for addresses in who_has.values() for address in addresses}
