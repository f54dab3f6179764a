from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans

from engines.dask.kmeans import assign
from engines.prepared import read_rows
from engines.specs import KMeansSpec
from engines.types import Source
from experiments.datasets import draw_initial_centers


@pytest.fixture(scope="module")
def rows(prepared):
    return read_rows(prepared, prepared.row_groups, "train").X


@pytest.fixture(scope="module")
def centers(prepared):
    return draw_initial_centers(prepared, 6, 0)


@pytest.fixture(scope="module")
def train(dask_engine, prepared):
    return dask_engine.load(Source(prepared, "train"))


@pytest.mark.parametrize("tol", [0.0, 1e-3])
@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_iterations_and_centres_are_scikit_learns_wherever_the_limit_falls(
    dask_engine, train, *, rows, centers, tol, beyond
):
    needed = KMeans(6, init=centers, n_init=1, tol=tol).fit(rows).n_iter_
    limit = needed + beyond
    expected = KMeans(6, init=centers, n_init=1, tol=tol, max_iter=limit).fit(rows)
    model = dask_engine.fit_kmeans(
        KMeansSpec(n_clusters=6, max_iter=limit, tol=tol), train, centers
    )
    assert model.n_iter == expected.n_iter_ == min(limit, needed)
    np.testing.assert_allclose(model.centers, expected.cluster_centers_, rtol=0, atol=1e-8)


def test_one_iteration_from_drawn_centres_is_one_update(dask_engine, train, rows):
    model = dask_engine.fit_kmeans(KMeansSpec(n_clusters=6, init="random", max_iter=1), train)
    assert model.n_iter == 1
    nearest = np.square(rows[:, None, :] - model.centers).sum(axis=2).argmin(axis=1)
    assert len(np.unique(nearest)) > 1
    assert not (rows[:, None, :] == model.centers).all(axis=2).any(), "a centre is a row: no update"


def test_a_block_adds_up_its_rows_by_their_nearest_centre(rows, centers):
    partial = assign(rows, centers)
    squared = np.square(rows[:, None, :] - centers).sum(axis=2)
    nearest = squared.argmin(axis=1)
    for cluster in range(6):
        assert partial.counts[cluster] == (nearest == cluster).sum()
        np.testing.assert_allclose(partial.sums[cluster], rows[nearest == cluster].sum(axis=0))
    assert partial.inertia == pytest.approx(squared.min(axis=1).sum())


def test_a_cluster_left_empty_is_told_and_lies_at_the_origin(dask_engine, train, centers):
    far = centers.copy()
    # Both lose their rows, go to the origin, and there the first takes all that is near
    far[0], far[1] = 1e6, -1e6
    model = dask_engine.fit_kmeans(KMeansSpec(n_clusters=6, max_iter=2), train, far)
    assert (model.centers[1] == 0).all()
    (note,) = model.notes
    assert note.startswith("1 of 6 clusters are empty")
