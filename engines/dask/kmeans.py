"""k-means by ``dask_ml.cluster.KMeans``."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from engines.dask.session import watched
from engines.kmeans import RUNS_WHY, runs, threshold
from engines.parameters import Convert, Rename, Same, apply, native_arguments
from engines.types import Model, Predictions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from engines.dask.data import Arrays
    from engines.dask.session import Session
    from engines.parameters import VerdictTable
    from engines.prepared import Prepared
    from engines.specs import KMeansSpec, Spec
    from engines.types import Data


def tolerance(spec: Spec, prepared: Prepared) -> float:
    """Return the absolute tolerance that stops dask-ml where scikit-learn's ``tol`` would stop.

    dask-ml asks for a shift *below* it, scikit-learn for one *not above* it: hence the next number.
    """
    return float(np.nextafter(threshold(spec, prepared), np.inf))


def library_iterations(spec: Spec, prepared: Prepared) -> int:
    """Return the iterations that dask-ml is asked for; see `VERDICTS` for why one is missing."""
    del prepared
    return max(cast("KMeansSpec", spec).max_iter - 1, 1)


def oversampling(spec: Spec, prepared: Prepared) -> float | None:
    """Return the points that k-means|| draws a round."""
    del prepared
    asked = cast("KMeansSpec", spec)
    return 2 * asked.n_clusters if asked.oversampling_factor is None else asked.oversampling_factor


def rounds(spec: Spec, prepared: Prepared) -> int | None:
    """Return the rounds of k-means||."""
    del prepared
    asked = cast("KMeansSpec", spec)
    return 2 if asked.init_max_iter is None else asked.init_max_iter


VERDICTS: VerdictTable = {
    "n_clusters": Same(),
    "init": Same(
        caveat="dask-ml's 'random' draws rows with replacement, and its 'k-means||' starts from "
        "the first row and does not weight its candidates."
    ),
    "max_iter": Convert(
        "max_iter",
        library_iterations,
        "dask-ml gives back the centres before their last update when it converges; it is asked "
        "for one iteration fewer, and the last update is made on its centres, so that there are "
        "max_iter in all.",
    ),
    "tol": Convert(
        "tol",
        tolerance,
        "dask-ml compares the squared shift of the centres with tol itself, and stops below it; "
        "scikit-learn stops at tol times the mean variance of the features or below: the next "
        "number above that product is given.",
    ),
    "n_init": Convert(None, runs, RUNS_WHY),
    "oversampling_factor": Convert(
        "oversampling_factor",
        oversampling,
        "2 x n_clusters where none is given; dask-ml's own default is 2 points a round in all.",
    ),
    "init_max_iter": Convert(
        "init_max_iter",
        rounds,
        "2 where none is given; dask-ml takes at most the rounded logarithm of the first cost.",
    ),
    "seed": Rename("random_state"),
}


@dataclass(frozen=True)
class Run:
    """One run of Lloyd's iterations.

    Parameters
    ----------
    centers : ndarray of shape (n_clusters, n_features), dtype float64
        After the last update.
    n_iter : int
        Updates made.
    n_empty : int
        Clusters without a row in the last update.
    """

    centers: NDArray[np.float64]
    n_iter: int
    n_empty: int


class Partial(NamedTuple):
    """What one block contributes to an update of the centres.

    Attributes
    ----------
    sums : ndarray of shape (n_clusters, n_features), dtype float64
        Sum of the rows nearest to each centre.
    counts : ndarray of shape (n_clusters,), dtype int64
        How many they are.
    inertia : float
        Sum of the squared distances of the rows to their nearest centre.
    """

    sums: NDArray[np.float64]
    counts: NDArray[np.int64]
    inertia: float


def fit(
    session: Session,
    spec: KMeansSpec,
    train: Data[Arrays],
    initial_centers: NDArray[np.float64] | None,
) -> Model:
    """Cluster the rows; `initial_centers` are used as they are."""
    from dask_ml.cluster import KMeans

    applied = apply(VERDICTS, spec, train.source.prepared)
    arguments = native_arguments(applied)
    if initial_centers is not None:
        arguments["init"] = initial_centers
    X = train.native.X
    best = watched(session, lambda: _best_run(spec, X, arguments), recovers=True)
    fitted = KMeans(spec.n_clusters, init=best.centers)
    # Not the estimator that was fitted: its labels would keep the rows in the workers' memory
    fitted.cluster_centers_ = best.centers
    return Model(
        native=fitted,
        parameters=applied,
        centers=best.centers,
        n_iter=best.n_iter,
        notes=_notes(best, X.dtype),
    )


def predict(session: Session, model: Model, data: Data[Arrays]) -> Predictions:
    """Give each row the number of its nearest centre."""
    import dask

    def nearest() -> tuple[Any, Any]:
        labels, row_id = dask.compute(model.native.predict(data.native.X), data.native.row_id)
        return labels, row_id

    labels, row_id = watched(session, nearest, recovers=True)
    return Predictions(row_id, labels.astype(np.int32))


def assign(rows: NDArray[Any], centers: NDArray[np.float64]) -> Partial:
    """Assign the rows of one block to their nearest centres, in the worker that holds it.

    It is the same scikit-learn kernel that dask-ml runs on each block.
    """
    from scipy.sparse import csr_array
    from sklearn.metrics import pairwise_distances_argmin_min

    labels, distances = pairwise_distances_argmin_min(
        rows, centers, metric="euclidean", metric_kwargs={"squared": True}
    )
    n_rows, n_clusters = len(rows), len(centers)
    membership = csr_array(
        (np.ones(n_rows), labels, np.arange(n_rows + 1)), shape=(n_rows, n_clusters)
    )
    return Partial(
        sums=np.asarray(membership.T @ rows, dtype=np.float64),
        counts=np.bincount(labels, minlength=n_clusters),
        inertia=float(distances.sum(dtype=np.float64)),
    )


def _best_run(spec: KMeansSpec, X: Any, arguments: Mapping[str, Any]) -> Run:
    """Run as often as asked and keep the run of least inertia, the first among equals."""
    best = _run(spec, X, arguments)
    if spec.n_init == 1:
        return best
    least = _totals(X, best.centers).inertia
    for further in range(1, spec.n_init):
        run = _run(spec, X, {**arguments, "random_state": spec.seed + further})
        inertia = _totals(X, run.centers).inertia
        if inertia < least:
            best, least = run, inertia
    return best


def _run(spec: KMeansSpec, X: Any, arguments: Mapping[str, Any]) -> Run:
    """Run dask-ml, and make the last update that it leaves out.

    After at most ``max_iter - 1`` iterations dask-ml has either stopped, and gives back the centres
    before their last update, or run out, and one iteration is left: one update is due either way.

    Which of the two it was shows in the shift of its last iteration.
    """
    from dask_ml.cluster import KMeans

    if spec.max_iter == 1:
        # Without a tolerance nothing stops it, and the centres it gives back are updated
        fitted = KMeans(**{**arguments, "tol": 0.0}).fit(X)
        return Run(np.asarray(fitted.cluster_centers_, dtype=np.float64), 1, 0)
    with _shifts() as shifts:
        fitted = KMeans(**arguments).fit(X)
    totals = _totals(X, np.asarray(fitted.cluster_centers_, dtype=np.float64))
    # An empty cluster goes to the origin, as dask-ml's own updates put it
    centers = totals.sums / np.maximum(totals.counts, 1)[:, None]
    stopped = shifts[-1] < arguments["tol"]
    n_iter = int(fitted.n_iter_) + (0 if stopped else 1)
    return Run(centers, n_iter, int((totals.counts == 0).sum()))


class _Shifts(logging.Handler):
    """Keep the squared shift of the centres that dask-ml logs after each iteration."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the number itself; the text of the message is rounded."""
        if str(record.msg).startswith("Shift") and isinstance(record.args, tuple):
            self.seen.append(cast("float", record.args[0]))


@contextmanager
def _shifts() -> Iterator[list[float]]:
    """Collect the shifts of a fit: dask-ml returns them nowhere, but it logs them."""
    logger = logging.getLogger("dask_ml.cluster.k_means")
    level, propagate = logger.level, logger.propagate
    handler = _Shifts()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield handler.seen
    finally:
        logger.propagate = propagate
        logger.setLevel(level)
        logger.removeHandler(handler)


def _totals(X: Any, centers: NDArray[np.float64]) -> Partial:
    """Assign all rows, one task a block, and add up in the order of the blocks."""
    import dask

    delayed_assign = dask.delayed(assign, pure=True)
    partials = dask.compute(*[delayed_assign(block, centers) for block in X.to_delayed().ravel()])
    return Partial(
        sums=np.sum([partial.sums for partial in partials], axis=0),
        counts=np.sum([partial.counts for partial in partials], axis=0),
        inertia=sum(partial.inertia for partial in partials),
    )


def _notes(run: Run, dtype: np.dtype[Any]) -> tuple[str, ...]:
    notes = []
    if dtype == np.float32:
        notes.append(
            "dask-ml computes in float64 from the second iteration on, though the data is float32."
        )
    if run.n_empty:
        notes.append(
            f"{run.n_empty} of {len(run.centers)} clusters are empty: dask-ml puts their centres "
            f"at the origin, where scikit-learn moves them to the farthest rows."
        )
    return tuple(notes)
