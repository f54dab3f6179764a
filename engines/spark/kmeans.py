"""k-means by ``pyspark.ml``; from given centres by Spark's ``mllib``, which alone accepts them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from engines.kmeans import RUNS_WHY, runs, threshold
from engines.parameters import Convert, Reject, Rename, Same, apply, native_arguments
from engines.spark.data import FEATURES, ROW_ID, collect
from engines.types import Model, Predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engines.parameters import VerdictTable
    from engines.prepared import Prepared
    from engines.spark.data import Frame
    from engines.specs import KMeansSpec, Spec
    from engines.types import Data

_LABEL = "prediction"

# Both are Lloyd's iterations. "row" skips distances by the triangle inequality and needs no BLAS,
# whose speed hangs on the Java runtime; it is also what mllib does, so that every form of
# initialisation is followed by the same iterations.
_SOLVER = "row"


def _tol(spec: Spec, prepared: Prepared) -> float:
    """Return the shift of each centre that keeps scikit-learn's sum within its bound."""
    return math.sqrt(threshold(spec, prepared) / cast("KMeansSpec", spec).n_clusters)


VERDICTS: VerdictTable = {
    "n_clusters": Rename("k"),
    "init": Rename("initMode", "Spark draws by its own rule, from its own partitions."),
    "max_iter": Rename("maxIter"),
    "tol": Convert(
        "tol",
        _tol,
        "Spark stops when no centre moved farther than its tol, so tol = sqrt(asked x mean variance"
        " / n_clusters), which keeps the sum of squared shifts within what is asked; it may take a"
        " few more iterations.",
    ),
    "n_init": Convert(None, runs, RUNS_WHY),
    "oversampling_factor": Reject("Spark always draws 2 x n_clusters points a round."),
    "init_max_iter": Rename("initSteps"),
    "seed": Same(),
}


@dataclass(frozen=True)
class _Run:
    """One fit: the pyspark.ml model and its number of iterations."""

    model: Any
    n_iter: int


def fit(spec: KMeansSpec, train: Data[Frame], initial_centers: NDArray[np.float64] | None) -> Model:
    """Cluster the rows; `initial_centers` are used as they are."""
    applied = apply(VERDICTS, spec, train.source.prepared)
    arguments = {
        name: value for name, value in native_arguments(applied).items() if value is not None
    }
    rows = train.native.with_array()
    if initial_centers is not None:
        run = _fit_from(rows, initial_centers, arguments)
    else:
        tried = [_fit(rows, arguments | {"seed": spec.seed + turn}) for turn in range(spec.n_init)]
        run = tried[0] if len(tried) == 1 else min(tried, key=lambda one: _inertia(one.model, rows))
    centers = np.asarray(run.model.clusterCenters(), dtype=np.float64)
    return Model(
        native=run.model,
        parameters=applied,
        centers=centers,
        n_iter=run.n_iter,
        notes=_notes(spec, train.source.prepared, len(centers)),
    )


def predict(model: Model, data: Data[Frame]) -> Predictions:
    """Give each row the number of its nearest centre."""
    rows = model.native.transform(data.native.with_array())
    table = collect(rows.select(ROW_ID, _LABEL))
    return Predictions(
        table[ROW_ID].to_numpy().astype(np.int64, copy=False),
        table[_LABEL].to_numpy().astype(np.int32, copy=False),
    )


def _fit(rows: Any, arguments: dict[str, Any]) -> _Run:
    from pyspark.ml.clustering import KMeans

    model = KMeans(featuresCol=FEATURES, predictionCol=_LABEL, solver=_SOLVER, **arguments).fit(
        rows
    )
    return _Run(model, model.summary.numIter)


def _fit_from(rows: Any, centers: NDArray[np.float64], arguments: dict[str, Any]) -> _Run:
    """Run Lloyd's iterations from given centres.

    No Python interface of Spark takes both a DataFrame and starting centres. The JVM's mllib
    does, once the rows are the vectors that it knows.
    """
    from pyspark.ml.clustering import KMeansModel
    from pyspark.mllib.common import _py2java
    from pyspark.mllib.linalg import DenseVector

    context = rows.sparkSession.sparkContext
    org = context._jvm.org.apache.spark  # noqa: SLF001 - py4j has no public door
    start = org.mllib.clustering.KMeansModel(
        _py2java(context, [DenseVector(center) for center in centers])
    )
    fitted = (
        org.mllib.clustering.KMeans()
        .setK(arguments["k"])
        .setMaxIterations(arguments["maxIter"])
        .setEpsilon(arguments["tol"])
        .setSeed(arguments["seed"])
        .setInitialModel(start)
        .run(org.ml.util.DatasetUtils.columnToOldVector(rows._jdf, FEATURES))  # noqa: SLF001
    )
    # pyspark.ml's model around mllib's: it predicts on DataFrames, in the JVM
    around = org.ml.clustering.KMeansModel("shared", fitted)
    around.setFeaturesCol(FEATURES).setPredictionCol(_LABEL)
    return _Run(KMeansModel(around), fitted.numIter())


def _inertia(model: Any, rows: Any) -> float:
    """Return the sum of squared distances to the nearest of the model's centres.

    ``summary.trainingCost`` belongs to the centres before the last update, and would compare runs
    by something else.
    """
    context = rows.sparkSession.sparkContext
    vectors = context._jvm.org.apache.spark.ml.util.DatasetUtils.columnToOldVector(  # noqa: SLF001
        rows._jdf,  # noqa: SLF001
        FEATURES,
    )
    cost: float = model._java_obj.parentModel().computeCost(vectors)  # noqa: SLF001
    return cost


def _notes(spec: KMeansSpec, prepared: Prepared, found: int) -> tuple[str, ...]:
    notes = []
    if prepared.dtype == "float32":
        notes.append("Spark computes k-means in float64, whatever the features are stored in.")
    if found < spec.n_clusters:
        notes.append(
            f"Spark found {found} distinct starting centres where {spec.n_clusters} were asked for,"
            f" and made {found} clusters."
        )
    return tuple(notes)
