"""What the k-means rooms of several engines share."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from engines.prepared import Prepared
    from engines.specs import KMeansSpec, Spec

RUNS_WHY = (
    "The library runs once; it is run again with the seeds seed + 1, seed + 2, ..., and the run of "
    "least inertia, computed from its centres, is kept."
)


def runs(spec: Spec, prepared: Prepared) -> int:
    """Return how often a library that runs only once is to be run."""
    del prepared
    return cast("KMeansSpec", spec).n_init


def threshold(spec: Spec, prepared: Prepared) -> float:
    """Return the sum of squared shifts of the centres at which scikit-learn stops.

    It is ``tol`` times the mean variance of the features (``sklearn.cluster._kmeans._tolerance``).
    """
    return cast("KMeansSpec", spec).tol * prepared.mean_variance
