"""k-means: the same numbers everywhere, and every way to start it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.cluster import KMeans

from engines.errors import SpecError
from engines.gaps import Feature
from engines.prepared import read_rows
from engines.specs import KMeansSpec
from engines.types import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engines.base import Engine
    from engines.prepared import Prepared
    from engines.types import Data

N_CLUSTERS = 4
INITS = [
    pytest.param("random", marks=pytest.mark.feature(Feature.KMEANS_INIT_RANDOM)),
    pytest.param("k-means++", marks=pytest.mark.feature(Feature.KMEANS_INIT_PLUS_PLUS)),
    pytest.param("k-means||", marks=pytest.mark.feature(Feature.KMEANS_INIT_PARALLEL)),
]


def rows(prepared: Prepared) -> NDArray[np.float64]:
    """Return the training rows."""
    return read_rows(prepared, prepared.row_groups, "train").X


def inertia(X: NDArray[np.float64], centers: NDArray[np.float64]) -> float:
    """Return the sum of squared distances to the nearest centre."""
    return float(np.square(X[:, None, :] - centers).sum(axis=2).min(axis=1).sum())


@pytest.fixture(scope="session")
def converged(blobs: Prepared, centers: NDArray[np.float64]) -> KMeans:
    """scikit-learn itself, until nothing moves."""
    return KMeans(N_CLUSTERS, init=centers, n_init=1, tol=0.0).fit(rows(blobs))


@pytest.mark.feature(Feature.KMEANS_INIT_SHARED)
@pytest.mark.parametrize("max_iter", [1, 2, 5])
def test_shared_centres_and_fixed_iterations_give_scikit_learns_centres(
    engine: Engine[Any],
    train: Data[Any],
    blobs: Prepared,
    centers: NDArray[np.float64],
    max_iter: int,
):
    X = rows(blobs)
    expected = KMeans(N_CLUSTERS, init=centers, n_init=1, tol=0.0, max_iter=max_iter).fit(X)
    assert expected.n_iter_ == max_iter, "the data must not converge earlier"
    model = engine.fit_kmeans(
        KMeansSpec(n_clusters=N_CLUSTERS, max_iter=max_iter, tol=0.0), train, centers
    )
    assert model.n_iter == max_iter
    assert model.centers.dtype == np.float64
    np.testing.assert_allclose(model.centers, expected.cluster_centers_, rtol=0, atol=1e-8)
    assert inertia(X, model.centers) == pytest.approx(expected.inertia_, rel=1e-10)


@pytest.mark.feature(Feature.KMEANS_INIT_SHARED)
def test_shared_centres_and_full_convergence_give_scikit_learns_centres(
    engine: Engine[Any],
    train: Data[Any],
    blobs: Prepared,
    centers: NDArray[np.float64],
    converged: KMeans,
):
    assert 6 < converged.n_iter_ < 100, "the data must converge, and not at once"
    model = engine.fit_kmeans(
        KMeansSpec(n_clusters=N_CLUSTERS, max_iter=300, tol=0.0), train, centers
    )
    assert model.n_iter == converged.n_iter_
    np.testing.assert_allclose(model.centers, converged.cluster_centers_, rtol=0, atol=1e-8)
    assert inertia(rows(blobs), model.centers) == pytest.approx(converged.inertia_, rel=1e-10)


@pytest.mark.feature(Feature.KMEANS_INIT_SHARED)
def test_predicted_clusters_are_those_of_the_returned_centres(
    engine: Engine[Any], train: Data[Any], blobs: Prepared, centers: NDArray[np.float64]
):
    model = engine.fit_kmeans(KMeansSpec(n_clusters=N_CLUSTERS, max_iter=3), train, centers)
    predictions = engine.predict(model, train)
    distances = np.square(rows(blobs)[:, None, :] - model.centers).sum(axis=2)
    np.testing.assert_array_equal(predictions.value, distances.argmin(axis=1))
    assert predictions.value.dtype == np.int32


@pytest.mark.feature(Feature.KMEANS_INIT_SHARED)
def test_each_row_is_given_one_cluster_in_the_order_of_the_rows(
    engine: Engine[Any], train: Data[Any], blobs: Prepared, centers: NDArray[np.float64]
):
    model = engine.fit_kmeans(KMeansSpec(n_clusters=N_CLUSTERS, max_iter=2), train, centers)
    held_out = engine.load(Source(blobs, "test"))
    for data, split in ((train, "train"), (held_out, "test")):
        predictions = engine.predict(model, data)
        expected = read_rows(blobs, blobs.row_groups, split).row_id
        np.testing.assert_array_equal(predictions.row_id, expected)
        assert predictions.row_id.dtype == np.int64
        assert predictions.value.shape == (blobs.counts[split],)
    engine.release(held_out)


@pytest.mark.parametrize("init", INITS)
def test_the_same_seed_gives_the_same_numbers(engine: Engine[Any], train: Data[Any], init: str):
    spec = KMeansSpec(n_clusters=N_CLUSTERS, init=init, max_iter=3, seed=7)
    first, second = (engine.fit_kmeans(spec, train) for _ in range(2))
    np.testing.assert_array_equal(first.centers, second.centers)
    assert first.n_iter == second.n_iter


@pytest.mark.parametrize("init", INITS)
def test_more_runs_never_give_a_worse_inertia(
    engine: Engine[Any], train: Data[Any], blobs: Prepared, init: str
):
    X = rows(blobs)
    # After so few iterations the runs still differ
    once, thrice = (
        engine.fit_kmeans(
            KMeansSpec(n_clusters=N_CLUSTERS, init=init, max_iter=2, n_init=n_init, seed=4), train
        )
        for n_init in (1, 3)
    )
    assert once.centers.shape == thrice.centers.shape == (N_CLUSTERS, 5)
    assert inertia(X, thrice.centers) <= inertia(X, once.centers) * (1 + 1e-12)


@pytest.mark.feature(Feature.KMEANS_INIT_SHARED)
def test_the_tolerance_stops_every_engine_near_scikit_learn(
    engine: Engine[Any],
    train: Data[Any],
    blobs: Prepared,
    centers: NDArray[np.float64],
    converged: KMeans,
):
    spec = KMeansSpec(n_clusters=N_CLUSTERS, tol=1e-2)
    model = engine.fit_kmeans(spec, train, centers)
    assert 1 < model.n_iter < converged.n_iter_
    assert inertia(rows(blobs), model.centers) == pytest.approx(converged.inertia_, rel=0.05)


@pytest.mark.feature(Feature.KMEANS_INIT_SHARED)
def test_a_handful_of_rows_is_enough(engine: Engine[Any], tiny: Prepared):
    data = engine.load(Source(tiny, "train"))
    X = rows(tiny)
    model = engine.fit_kmeans(KMeansSpec(n_clusters=2, max_iter=1), data, X[:2].copy())
    expected = KMeans(2, init=X[:2], n_init=1, max_iter=1).fit(X)
    np.testing.assert_allclose(model.centers, expected.cluster_centers_, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(engine.predict(model, data).row_id, np.arange(5))
    engine.release(data)


def test_starting_centres_of_another_shape_are_refused(
    engine: Engine[Any], train: Data[Any], centers: NDArray[np.float64]
):
    with pytest.raises(SpecError, match=r"shape \(4, 5\); got \(3, 5\)"):
        engine.fit_kmeans(KMeansSpec(n_clusters=N_CLUSTERS), train, centers[:3])


def test_starting_centres_belong_to_shared_and_to_nothing_else(
    engine: Engine[Any], train: Data[Any], centers: NDArray[np.float64]
):
    with pytest.raises(SpecError, match="init: shared"):
        engine.fit_kmeans(KMeansSpec(n_clusters=N_CLUSTERS), train)
    with pytest.raises(SpecError, match="init: shared"):
        engine.fit_kmeans(KMeansSpec(n_clusters=N_CLUSTERS, init="random"), train, centers)


def test_more_clusters_than_rows_are_refused(engine: Engine[Any], train: Data[Any]):
    spec = KMeansSpec(n_clusters=train.n_rows + 1, init="random")
    with pytest.raises(SpecError, match="at most the number of rows"):
        engine.fit_kmeans(spec, train)
