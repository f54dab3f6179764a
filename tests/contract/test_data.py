"""Loading: all rows are in the engine's memory when it returns."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engines.prepared import read_rows
from engines.specs import KMeansSpec
from engines.types import Source

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from engines.base import Engine
    from engines.prepared import Prepared


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_rows_of_one_split_are_loaded(engine: Engine[Any], blobs: Prepared, split: str):
    data = engine.load(Source(blobs, split))
    assert (data.n_rows, data.n_features) == (blobs.counts[split], blobs.n_features)
    assert data.source == Source(blobs, split)
    engine.release(data)


def test_nothing_is_read_after_loading(
    engine: Engine[Any], blobs: Prepared, centers: NDArray[np.float64], tmp_path: Path
):
    folder = tmp_path / "copy"
    shutil.copytree(blobs.path, folder)
    data = engine.load(Source(replace(blobs, path=folder), "train"))
    shutil.rmtree(folder)
    model = engine.fit_kmeans(KMeansSpec(n_clusters=len(centers), max_iter=2), data, centers)
    predictions = engine.predict(model, data)
    np.testing.assert_array_equal(
        predictions.row_id, read_rows(blobs, blobs.row_groups, "train").row_id
    )
    engine.release(data)


def test_float32_rows_cluster_like_float64_ones(
    engine: Engine[Any], multiclass: Prepared, tmp_path: Path
):
    X = read_rows(multiclass, multiclass.row_groups, "train").X
    assert X.dtype == np.float32
    data = engine.load(Source(multiclass, "train"))
    start = X[:3].astype(np.float64)
    model = engine.fit_kmeans(KMeansSpec(n_clusters=3, max_iter=2), data, start)
    assert model.centers.dtype == np.float64
    assert np.isfinite(model.centers).all()
    engine.release(data)
