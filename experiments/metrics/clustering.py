"""Scores of a clustering.

Notation: ``n_k`` rows have the label ``k``, with mean ``m_k``; ``W_k`` is their sum of squared
distances to ``m_k``. Only labels that some row has count as clusters, as in scikit-learn.

All are computed from differences of rows and means, never from differences of squared norms, so
that data far from the origin loses no digits:

- the dispersions of Calinski and Harabasz (1974) are ``sum W_k`` and ``sum n_k |m_k - m|^2``;
- the extents of Davies and Bouldin (1979) are the means of ``|x - m_k|``;
- the mean squared distance of ``x`` to the rows of cluster ``k`` is ``|x - m_k|^2 + W_k / n_k``
  (Huygens), which makes the silhouette (Rousseeuw 1987) under squared Euclidean distance exact in
  ``O(n k d)`` operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.metrics.errors import PredictionsError, UndefinedMetricError
from experiments.metrics.rows import feed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import NDArray

    from experiments.metrics.rows import Accumulator, ScoredRows

# Rows whose pairwise distances make the Euclidean silhouette: 25 million distances, a second.
SILHOUETTE_SAMPLE = 5000

# Distances of the silhouette's sample held at a time.
_DISTANCES_BYTES = 16 * 2**20

# Label means closer than this share of the data's extent differ by rounding only.
_COINCIDENT = 1e-13


@dataclass(frozen=True)
class Clustered:
    """Scored rows with the clusters that a model put them in.

    Parameters
    ----------
    scored : ScoredRows
        The rows, whose features are read when they are needed.
    labels : ndarray of shape (n_rows,)
        Cluster numbers of the model, of the scored rows in order.
    centers : ndarray of shape (n_clusters, n_features) or None
        The model's centres.
    seed : int
        Seed of the sample of the Euclidean silhouette.
    """

    scored: ScoredRows
    labels: NDArray[np.integer]
    centers: NDArray[np.float64] | None
    seed: int


def scorers(rows: Clustered, names: Collection[str]) -> dict[str, Callable[[], float]]:
    """Read the features at most twice for all metrics asked for and return what finishes each.

    The first pass takes the inertia, the sample and the moments of the clusters; the second, made
    for the Davies-Bouldin index and the squared silhouette alone, needs those moments.

    Raises
    ------
    PredictionsError
        If the inertia is asked for and a row's cluster has no finite centre.
    """
    observed = np.unique(rows.labels)
    codes = np.searchsorted(observed, rows.labels).astype(np.int32)
    n_clusters, n_rows, n_features = len(observed), len(codes), rows.scored.n_features

    moments = Moments(codes, n_clusters, n_features)
    distances = Distances(codes, moments)
    silhouettes = SquaredSilhouettes(codes, moments)
    from_moments: dict[str, Callable[[], float]] = {
        "calinski_harabasz": lambda: calinski_harabasz(moments),
        "davies_bouldin": lambda: davies_bouldin(moments, distances.sums),
        "silhouette_squared": lambda: silhouettes.total / n_rows,
    }
    first: list[Accumulator] = []
    second: list[Accumulator] = []
    finish: dict[str, Callable[[], float]] = {}
    if "adjusted_rand" in names:
        finish["adjusted_rand"] = lambda: adjusted_rand(rows.scored.y, rows.labels)
    if "inertia" in names:
        inertia = Inertia(rows.labels, checked_centers(rows.centers, observed, n_features))
        finish["inertia"] = lambda: inertia.total
        first.append(inertia)
    if "silhouette" in names:
        sample = Sample(sample_positions(n_rows, rows.seed), n_features)
        finish["silhouette"] = lambda: silhouette(sample.X, rows.labels[sample.positions])
        first.append(sample)
    for name in from_moments.keys() & set(names):
        if 1 < n_clusters < n_rows:
            finish[name] = from_moments[name]
        else:
            finish[name] = lambda: _refuse(n_clusters, n_rows)
    if finish.keys() & from_moments.keys() and 1 < n_clusters < n_rows:
        first.append(moments)
        if "davies_bouldin" in names:
            second.append(distances)
        if "silhouette_squared" in names:
            second.append(silhouettes)
    feed(rows.scored, first, width=n_clusters)
    feed(rows.scored, second, width=n_clusters)
    return finish


def checked_centers(
    centers: NDArray[np.float64] | None, observed: NDArray[np.integer], n_features: int
) -> NDArray[np.float64]:
    """Return the model's centres, of which every cluster in use must have a finite one.

    Raises
    ------
    PredictionsError
        If there are no centres, they have another number of features than the dataset, or one
        that a row is assigned to is missing or not finite.
    """
    if centers is None:
        raise PredictionsError("The model has no centres, and the inertia is measured from them.")
    if centers.ndim != 2 or centers.shape[1] != n_features:
        raise PredictionsError(
            f"The centres have the shape {centers.shape}, and the dataset has "
            f"{n_features} features."
        )
    low, high = int(observed[0]), int(observed[-1])
    if low < 0 or high >= len(centers):
        raise PredictionsError(
            f"The predicted clusters range from {low} to {high}, and the model's centres are "
            f"numbered 0 to {len(centers) - 1}."
        )
    if lost := int((~np.isfinite(centers[observed]).all(axis=1)).sum()):
        raise PredictionsError(f"{lost} of the centres that rows are assigned to are not finite.")
    return np.asarray(centers, dtype=np.float64)


def sample_positions(n_rows: int, seed: int) -> NDArray[np.int64]:
    """Return where the rows of the silhouette's sample lie among the scored rows, in order.

    It depends on nothing but the number of scored rows, which stand in the order of their row_id,
    and on the seed.
    """
    if n_rows <= SILHOUETTE_SAMPLE:
        return np.arange(n_rows)
    chosen = np.random.default_rng(seed).choice(n_rows, SILHOUETTE_SAMPLE, replace=False)
    return np.sort(chosen)


class Inertia:
    """Sum of squared distances to the model's centre of each row's cluster.

    Parameters
    ----------
    labels : ndarray of shape (n_rows,)
        Cluster numbers of all rows, indices of `centers`.
    centers : ndarray of shape (n_clusters, n_features)
        The model's centres.
    """

    def __init__(self, labels: NDArray[np.integer], centers: NDArray[np.float64]) -> None:
        self._labels = labels
        self._centers = centers
        self.total = 0.0

    def add(self, X: NDArray[np.float64], rows: slice) -> None:
        """Add a block's squared distances."""
        self.total += float(_squared_norms(X - self._centers[self._labels[rows]]).sum())


class Sample:
    """The features of chosen rows.

    Parameters
    ----------
    positions : ndarray of shape (n_chosen,)
        Which rows, increasing.
    n_features : int
        Number of features.
    """

    def __init__(self, positions: NDArray[np.int64], n_features: int) -> None:
        self.positions = positions
        self.X = np.empty((len(positions), n_features))

    def add(self, X: NDArray[np.float64], rows: slice) -> None:
        """Keep the chosen rows of a block."""
        begin, end = np.searchsorted(self.positions, (rows.start, rows.stop))
        self.X[begin:end] = X[self.positions[begin:end] - rows.start]


class Moments:
    """Counts, means and squared deviations of the clusters, merged from block to block.

    Blocks are merged by the formulas of Chan, Golub and LeVeque (1979). Within a block a cluster's
    rows are taken relative to one of them, so that equal rows have a deviation of exactly 0.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Clusters of all rows, numbered 0 ... n_clusters - 1.
    n_clusters, n_features : int
        Shape of the means.

    Attributes
    ----------
    origin : ndarray of shape (n_features,)
        Where the frame of the means lies: a coordinate-wise median of the first block, one of the
        data's own values in each feature, so that values on a grid stay on one.
    counts : ndarray of shape (n_clusters,)
    means : ndarray of shape (n_clusters, n_features)
        Relative to `origin`.
    within : ndarray of shape (n_clusters,)
        Sum of squared distances to the mean.
    """

    def __init__(self, codes: NDArray[np.int32], n_clusters: int, n_features: int) -> None:
        self._codes = codes
        self.origin: NDArray[np.float64] | None = None
        self.counts = np.zeros(n_clusters)
        self.means = np.zeros((n_clusters, n_features))
        self.within = np.zeros(n_clusters)

    def centred(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return rows in the frame of the means."""
        if self.origin is None:
            middle = len(X) // 2
            self.origin = np.partition(X, middle, axis=0)[middle]
        return X - self.origin

    def add(self, X: NDArray[np.float64], rows: slice) -> None:
        """Merge a block."""
        codes, n_clusters = self._codes[rows], len(self.counts)
        X = self.centred(X)
        # the last assignment to a place remains: some row of each cluster
        some_row = np.zeros(n_clusters, dtype=np.intp)
        some_row[codes] = np.arange(len(X))
        references = X[some_row]
        X -= references[codes]

        counts = np.bincount(codes, minlength=n_clusters).astype(np.float64)
        at_least_one = np.maximum(counts, 1)
        shifts = _sums_by_code(X, codes, n_clusters) / at_least_one[:, None]
        X -= shifts[codes]
        within = np.bincount(codes, weights=_squared_norms(X), minlength=n_clusters)

        total = self.counts + counts
        share = counts / np.maximum(total, 1)
        apart = references + shifts - self.means
        self.within += within + _squared_norms(apart) * self.counts * share
        self.means += apart * share[:, None]
        self.counts = total


class Distances:
    """Sums by cluster of the Euclidean distances of rows to their label mean.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Clusters of all rows.
    moments : Moments
        Of all rows, before the first block is added.
    """

    def __init__(self, codes: NDArray[np.int32], moments: Moments) -> None:
        self._codes = codes
        self.moments = moments
        self.sums = np.zeros(len(moments.counts))

    def add(self, X: NDArray[np.float64], rows: slice) -> None:
        """Add a block's distances."""
        codes = self._codes[rows]
        X = self.moments.centred(X)
        X -= self.moments.means[codes]
        norms = np.sqrt(_squared_norms(X))
        self.sums += np.bincount(codes, weights=norms, minlength=len(self.sums))


class SquaredSilhouettes:
    """Sum of the silhouettes of rows under squared Euclidean distance.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Clusters of all rows.
    moments : Moments
        Of all rows, before the first block is added.
    """

    def __init__(self, codes: NDArray[np.int32], moments: Moments) -> None:
        self._codes = codes
        self.moments = moments
        self.total = 0.0

    def add(self, X: NDArray[np.float64], rows: slice) -> None:
        """Add a block's silhouettes."""
        from scipy.spatial.distance import cdist

        moments = self.moments
        # mean squared distance of each row to the rows of each cluster, times the number of these
        sums = cdist(moments.centred(X), moments.means, "sqeuclidean")
        sums *= moments.counts
        sums += moments.within
        self.total += _sum_of_silhouettes(sums, self._codes[rows], moments.counts)


def silhouette(X: NDArray[np.float64], labels: NDArray[np.integer]) -> float:
    """Return the mean silhouette under Euclidean distance.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        Features.
    labels : ndarray of shape (n_rows,)
        Cluster numbers.

    Raises
    ------
    UndefinedMetricError
        If there is one cluster, or as many as rows.
    """
    from scipy.spatial.distance import cdist

    codes, counts = np.unique(labels, return_inverse=True, return_counts=True)[1:]
    n_rows, n_clusters = len(codes), len(counts)
    if not 1 < n_clusters < n_rows:
        return _refuse(n_clusters, n_rows)
    order = np.argsort(codes, kind="stable")
    by_cluster, starts = X[order], np.cumsum(counts) - counts
    block_rows = max(1, _DISTANCES_BYTES // (8 * n_rows))
    total = 0.0
    for first in range(0, n_rows, block_rows):
        block = slice(first, first + block_rows)
        # scipy takes differences of the rows themselves, which is exact far from the origin too
        sums = np.add.reduceat(cdist(X[block], by_cluster), starts, axis=1)
        total += _sum_of_silhouettes(sums, codes[block], counts)
    return total / n_rows


def davies_bouldin(moments: Moments, distances: NDArray[np.float64]) -> float:
    """Return the Davies-Bouldin index of at least two clusters.

    Parameters
    ----------
    moments : Moments
        Of all rows.
    distances : ndarray of shape (n_clusters,)
        Sum of the distances of each cluster's rows to its mean.

    Notes
    -----
    scikit-learn takes distances to and between means from squared norms, so its value is right to
    about 1e-8 where a cluster has a single row or means almost coincide; and it returns 0 where
    all extents are below 1e-8, whatever the unit. Elsewhere the two are equal.
    """
    from scipy.spatial.distance import cdist

    extents = distances / moments.counts
    apart = cdist(moments.means, moments.means)
    # as in scikit-learn, a pair whose means coincide does not count
    apart[apart <= _COINCIDENT * max(float(extents.max()), float(apart.max()))] = np.inf
    return float(((extents[:, None] + extents) / apart).max(axis=1).mean())


def calinski_harabasz(moments: Moments) -> float:
    """Return the Calinski-Harabasz index of at least two clusters and fewer than rows."""
    n_clusters, n_rows = len(moments.counts), float(moments.counts.sum())
    mean = moments.counts @ moments.means / n_rows
    between = float(moments.counts @ _squared_norms(moments.means - mean))
    within = float(moments.within.sum())
    if within == 0:
        return 1.0
    return between * (n_rows - n_clusters) / (within * (n_clusters - 1))


def adjusted_rand(a: NDArray[np.integer], b: NDArray[np.integer]) -> float:
    """Return the adjusted Rand index of two labellings of the same rows.

    Parameters
    ----------
    a, b : ndarray of shape (n_rows,)
        Cluster or class numbers. The order does not matter, nor do the numbers themselves.

    Returns
    -------
    float
        1 for the same partition, about 0 for a random one; at least -0.5.

    Notes
    -----
    scikit-learn counts pairs of rows in int64, which holds up to 3.0e9 rows.
    """
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(a, b))


def _refuse(n_clusters: int, n_rows: int) -> float:
    if n_clusters == 1:
        raise UndefinedMetricError(f"all {n_rows} rows compared are in one cluster")
    raise UndefinedMetricError(f"each of the {n_rows} rows compared is a cluster of its own")


def _sum_of_silhouettes(
    sums: NDArray[np.float64], codes: NDArray[np.integer], counts: NDArray[Any]
) -> float:
    """Return the sum of the silhouettes of some rows.

    Parameters
    ----------
    sums : ndarray of shape (n_rows, n_clusters)
        Sum of each row's distances to the rows of each cluster, itself among its own.
    codes : ndarray of shape (n_rows,)
        Cluster of each row.
    counts : ndarray of shape (n_clusters,)
        Rows of each cluster.
    """
    own = (np.arange(len(sums)), codes)
    others = counts[codes] - 1
    inner = sums[own] / np.maximum(others, 1)
    means = sums / counts
    means[own] = np.inf
    outer = means.min(axis=1)
    larger = np.maximum(inner, outer)
    # 0 for the only row of a cluster, and where all rows of both clusters are one point
    counted = (others > 0) & (larger > 0)
    return float(((outer - inner)[counted] / larger[counted]).sum())


def _squared_norms(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared Euclidean norm of each row."""
    norms: NDArray[np.float64] = np.einsum("ij,ij->i", X, X)
    return norms


def _sums_by_code(
    X: NDArray[np.float64], codes: NDArray[np.int32], n_codes: int
) -> NDArray[np.float64]:
    """Return the sum of the rows of each code, of shape (n_codes, n_features)."""
    from scipy.sparse import csr_array

    n_rows = len(X)
    indicator = csr_array((np.ones(n_rows), codes, np.arange(n_rows + 1)), shape=(n_rows, n_codes))
    return np.asarray(indicator.T @ X)
