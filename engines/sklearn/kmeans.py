"""k-means by ``sklearn.cluster.KMeans``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engines.parameters import Reject, Rename, Same, apply, native_arguments
from engines.types import Model, Predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engines.parameters import VerdictTable
    from engines.prepared import Rows
    from engines.specs import KMeansSpec
    from engines.types import Data

VERDICTS: VerdictTable = {
    "n_clusters": Same(),
    "init": Same(),
    "max_iter": Same(),
    "tol": Same(),
    "n_init": Same(),
    "oversampling_factor": Reject("scikit-learn has no k-means||."),
    "init_max_iter": Reject("scikit-learn has no k-means||."),
    "seed": Rename("random_state"),
}


def fit(spec: KMeansSpec, train: Data[Rows], initial_centers: NDArray[np.float64] | None) -> Model:
    """Cluster the rows; `initial_centers` are used as they are."""
    from sklearn.cluster import KMeans

    applied = apply(VERDICTS, spec, train.source.prepared)
    arguments = native_arguments(applied)
    if initial_centers is not None:
        arguments["init"] = initial_centers.astype(train.native.X.dtype)
    fitted = KMeans(algorithm="lloyd", copy_x=True, **arguments).fit(train.native.X)
    return Model(
        native=fitted,
        parameters=applied,
        centers=fitted.cluster_centers_.astype(np.float64),
        n_iter=int(fitted.n_iter_),
    )


def predict(model: Model, data: Data[Rows]) -> Predictions:
    """Return the number of each row's nearest centre."""
    labels = model.native.predict(data.native.X)
    return Predictions(data.native.row_id, labels.astype(np.int32))
