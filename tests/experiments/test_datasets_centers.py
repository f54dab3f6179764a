from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_argmin

from engines.prepared import read_rows
from experiments.datasets import centers, draw_initial_centers, prepare
from experiments.datasets.options import (
    BlobsOptions,
    BundledOptions,
    CsvOptions,
    SplitOptions,
)
from experiments.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from engines.prepared import Prepared


def blobs(tmp_path: Path, **options: Any) -> Prepared:
    return prepare(
        BlobsOptions(n_samples=3000, n_features=3, centers=6, **options),
        SplitOptions(test_fraction=0.3),
        label_kind="auto",
        min_row_groups=5,
        cache=tmp_path,
    )


def column(tmp_path: Path, values: list[float]) -> Prepared:
    path = tmp_path / "values.csv"
    pd.DataFrame({"a": values, "b": 1.0}).to_csv(path, index=False)
    return prepare(
        CsvOptions(path=str(path)),
        None,
        label_kind="auto",
        min_row_groups=1,
        cache=tmp_path / "cache",
    )


@pytest.mark.parametrize("sample_rows", [20_000, 500])
def test_centres_are_distinct_means_of_training_rows_and_the_same_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample_rows: int
) -> None:
    monkeypatch.setattr(centers, "_SAMPLE_ROWS", sample_rows)
    prepared = blobs(tmp_path, dtype="float32")
    drawn = draw_initial_centers(prepared, 6, seed=4)
    train = read_rows(prepared, prepared.row_groups, "train").X.astype(np.float64)

    assert drawn.shape == (6, 3)
    assert drawn.dtype == np.float64
    assert len(np.unique(drawn, axis=0)) == 6
    positions = np.random.default_rng(4).choice(len(train), min(sample_rows, len(train)), False)
    near = pairwise_distances_argmin(train[positions], drawn)
    for number, center in enumerate(drawn):  # one step on: no farther than one more step moves it
        moved = train[positions][near == number].mean(axis=0)
        assert np.linalg.norm(moved - center) < 0.5
    assert np.array_equal(drawn, draw_initial_centers(prepared, 6, seed=4))
    assert not np.array_equal(drawn, draw_initial_centers(prepared, 6, seed=5))


@pytest.mark.parametrize("seed", range(8))
def test_no_row_of_a_grid_is_as_near_to_one_centre_as_to_another(tmp_path: Path, seed: int) -> None:
    prepared = prepare(
        BundledOptions(source="digits"),
        None,
        label_kind="auto",
        min_row_groups=1,
        cache=tmp_path,
    )
    X = read_rows(prepared, prepared.row_groups, "train").X
    drawn = draw_initial_centers(prepared, 10, seed)
    distances = np.sort(((X[:, None] - drawn[None]) ** 2).sum(axis=2), axis=1)
    assert (distances[:, 1] - distances[:, 0]).min() > 1e-9
    # hence iterations that round in another way end at the same centres
    plain = drawn
    for _ in range(300):
        nearest = ((X[:, None] - plain[None]) ** 2).sum(axis=2).argmin(axis=1)
        before, plain = plain, np.array([X[nearest == k].mean(axis=0) for k in range(10)])
        if np.array_equal(before, plain):
            break
    library = KMeans(10, init=drawn, n_init=1, tol=0).fit(X).cluster_centers_
    np.testing.assert_allclose(library, plain, rtol=0, atol=1e-10)


def test_centres_spread_over_the_clouds(tmp_path: Path) -> None:
    prepared = blobs(tmp_path, cluster_std=0.1)
    train = read_rows(prepared, prepared.row_groups, "train").X
    drawn = draw_initial_centers(prepared, 6, seed=0)
    started = KMeans(6, init=drawn, n_init=1).fit(train)
    assert started.inertia_ == pytest.approx(len(train) * 3 * 0.1**2, rel=0.05)


def test_centres_spread_over_clouds_that_lie_far_from_the_origin(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clouds = np.repeat([0.0, 10.0, 20.0], 50)
    prepared = column(tmp_path, list(1e9 + clouds + rng.normal(0, 0.01, 150)))
    for seed in range(5):
        drawn = draw_initial_centers(prepared, 3, seed)[:, 0] - 1e9
        assert sorted(np.rint(drawn / 10)) == [0, 1, 2]


def test_the_sample_is_the_training_rows_at_the_drawn_positions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = blobs(tmp_path)
    train = read_rows(prepared, prepared.row_groups, "train").X
    positions = np.sort(np.random.default_rng(7).choice(len(train), 100, replace=False))
    assert np.array_equal(centers._sample(prepared, 100, seed=7), train[positions])
    assert np.array_equal(centers._sample(prepared, len(train), seed=7), train)


def test_as_many_centres_as_distinct_rows_are_all_of_them(tmp_path: Path) -> None:
    prepared = column(tmp_path, [1.0, 2.0, 3.0] * 10)
    assert sorted(draw_initial_centers(prepared, 3, seed=0)[:, 0]) == [1.0, 2.0, 3.0]


def test_points_whose_distance_rounds_to_nothing_are_still_distinct_centres(
    tmp_path: Path,
) -> None:
    prepared = column(tmp_path, [0.0, 1e-200, 2e-200, 3e-200])
    assert len(np.unique(draw_initial_centers(prepared, 4, seed=0)[:, 0])) == 4


def test_more_centres_than_training_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="number of training rows, 2,100; got 2,101"):
        draw_initial_centers(blobs(tmp_path), 2101, seed=0)


def test_more_centres_than_distinct_rows_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = column(tmp_path, [1.0, 2.0] * 50)
    with pytest.raises(RequestError, match="distinct training rows, which is 2; got 3"):
        draw_initial_centers(prepared, 3, seed=0)
    monkeypatch.setattr(centers, "_SAMPLE_ROWS", 20)
    with pytest.raises(RequestError, match="which is 2 among 20 that were drawn; got 3"):
        draw_initial_centers(prepared, 3, seed=0)
