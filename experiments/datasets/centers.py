"""Starting centres of k-means that every engine is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.errors import RequestError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engines.prepared import Prepared

_SAMPLE_ROWS = 20_000


def draw_initial_centers(prepared: Prepared, n_clusters: int, seed: int) -> NDArray[np.float64]:
    """Draw starting centres by greedy k-means++ on a seeded sample of the training rows.

    Each centre is then moved to the mean of the sampled rows nearest to it. Real data often lies on
    a grid (counts, pixels, rounded measures), where a row can be exactly as far from one row as
    from another. Which of the two centres such a row then joins is decided by how an engine
    rounds, and two correct engines part ways at their first step; between means there are
    practically no ties.

    Parameters
    ----------
    prepared : engines.prepared.Prepared
        The dataset, read one row group at a time.
    n_clusters : int
        Number of centres.
    seed : int
        Seed of the sample and of k-means++.

    Returns
    -------
    ndarray of shape (n_clusters, n_features), dtype float64
        The sample has at most 20,000 rows, or ``4 * n_clusters``.

    Raises
    ------
    RequestError
        If there are fewer training rows, or fewer distinct ones in the sample, than centres.
    """
    import numpy as np
    from sklearn.cluster import kmeans_plusplus

    n_train = prepared.counts["train"]
    if n_clusters > n_train:
        raise RequestError(
            f"workload.n_clusters must be at most the number of training rows, {n_train:,}; got "
            f"{n_clusters:,}."
        )
    sample = _sample(prepared, min(n_train, max(_SAMPLE_ROWS, 4 * n_clusters)), seed)
    # equal rows become one point of their weight: no point can then be drawn twice as two
    points, weights = np.unique(sample, axis=0, return_counts=True)
    if len(points) < n_clusters:
        among = "" if len(sample) == n_train else f" among {len(sample):,} that were drawn"
        raise RequestError(
            f"workload.n_clusters must be at most the number of distinct training rows, which is "
            f"{len(points):,}{among}; got {n_clusters:,}."
        )
    # distances lose fewer digits around the origin
    _, chosen = kmeans_plusplus(
        points - points.mean(axis=0), n_clusters, sample_weight=weights, random_state=seed
    )
    # points so close that their squared distance rounds to 0 may be drawn again
    distinct = list(dict.fromkeys(chosen.tolist()))
    unused = (i for i in range(len(points)) if i not in set(distinct))
    distinct += [next(unused) for _ in range(n_clusters - len(distinct))]
    return _means_of_nearest(points, weights, points[distinct])


def _means_of_nearest(
    points: NDArray[np.float64], weights: NDArray[np.int64], centers: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weighted mean of the points nearest to each centre, each a point itself."""
    import numpy as np
    from sklearn.metrics import pairwise_distances_argmin

    origin = points.mean(axis=0)  # distances lose fewer digits around the origin
    nearest = pairwise_distances_argmin(points - origin, centers - origin)
    means = centers.copy()
    for number in np.unique(nearest):
        near = nearest == number
        means[number] = np.average(points[near], axis=0, weights=weights[near])
    return means


def _sample(prepared: Prepared, n_rows: int, seed: int) -> NDArray[np.float64]:
    """Return some training rows in order, of shape (n_rows, n_features), float64."""
    import numpy as np

    from engines.prepared import read_rows

    n_train = prepared.counts["train"]
    positions = np.arange(n_train)
    if n_rows < n_train:
        rng = np.random.default_rng(seed)
        positions = np.sort(rng.choice(n_train, n_rows, replace=False))
    sample = np.empty((n_rows, prepared.n_features))
    first = filled = 0
    for group in prepared.row_groups:
        stop = int(np.searchsorted(positions, first + group.train))
        if stop > filled:
            rows = read_rows(prepared, [group], "train")
            sample[filled:stop] = rows.X[positions[filled:stop] - first]
        first, filled = first + group.train, stop
    return sample
