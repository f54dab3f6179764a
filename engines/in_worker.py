"""Fits and predictions of one model inside a worker, with the worker's share of the cores.

The same on every engine that has workers: their libraries send these functions there.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from engines import single_node
from engines.threads import limited

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from engines.prepared import Prepared, Rows
    from engines.specs import EstimatorSpec, Spec
    from engines.types import Model, Predictions


@contextmanager
def share_of_cores(threads: int) -> Iterator[None]:
    """Limit what runs inside to some threads; jobs of an estimator are threads among them.

    A worker starts no processes of its own.
    """
    import joblib

    with limited(threads), joblib.parallel_config(backend="threading"):
        yield


def fit(
    spec: Spec,
    rows: Rows,
    prepared: Prepared,
    threads: int,
    initial_centers: NDArray[np.float64] | None,
) -> Model:
    """Fit what a specification asks for; see `engines.single_node.fit`."""
    with share_of_cores(threads):
        return single_node.fit(
            spec, rows, prepared, threads=threads, initial_centers=initial_centers
        )


def predict(model: Model, rows: Rows) -> Predictions:
    """Predict rows on one thread; see `engines.single_node.predict`."""
    import joblib

    # an estimator keeps the number of jobs that it was fitted with
    with limited(1), joblib.parallel_config(backend="sequential"):
        return single_node.predict(model, rows)


def fit_in_driver(
    engine: str, spec: EstimatorSpec, rows: Rows, prepared: Prepared, cores: int
) -> Model:
    """Fit an estimator that has no parallel loop in the process that drives an engine's workers.

    They have nothing to do meanwhile, so it may use their cores. The model's notes say so.
    """
    with limited(cores):
        model = single_node.fit_estimator(spec, rows, prepared, 1)
    alone = (
        f"{engine}: one fit of {spec.class_} has no parallel loop to spread over the workers; it "
        f"ran in the process that drives them."
    )
    return replace(model, notes=(*model.notes, alone))
