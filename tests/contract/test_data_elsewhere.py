"""Rows by URL, and rows that the workers draw, are the very rows of the prepared files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engines.errors import EngineFailedError, UnseenDataError
from engines.locations import Location
from engines.prepared import Rows, read_rows
from engines.types import Source
from experiments.datasets import prepare
from experiments.datasets.opening import open_dataset
from experiments.datasets.options import (
    BlobsOptions,
    ClassificationOptions,
    RegressionOptions,
    SplitOptions,
)

if TYPE_CHECKING:
    from engines.base import Engine
    from engines.prepared import Prepared
    from engines.types import Data
    from experiments.datasets.options import GeneratedOptions

SPLIT = SplitOptions(test_fraction=0.25, seed=1, folds=3)
SOURCES = [
    # a whole page of 65,536 rows and a part of the next
    BlobsOptions(n_samples=70_000, n_features=3, centers=4, seed=7),
    ClassificationOptions(
        n_samples=5000, n_features=6, n_informative=4, standardize=True, levels=32, dtype="float32"
    ),
    RegressionOptions(n_samples=5000, n_features=4, n_informative=2, noise=1.0, sample=0.8),
]


def rows_held(engine_name: str, data: Data[Any]) -> Rows:
    """Return the rows that an engine holds."""
    if engine_name == "dask":
        arrays = data.native
        parts = (arrays.X, arrays.y, arrays.row_id, arrays.fold)
        return Rows(*(part.compute() for part in parts))
    if engine_name == "spark":
        table = data.native.rows.toArrow().combine_chunks().sort_by("row_id")
        X = np.column_stack([table[name].to_numpy() for name in data.native.features])
        return Rows(X, *(table[name].to_numpy() for name in ("label", "row_id", "fold")))
    rows: Rows = data.native
    return rows


def assert_same_bytes(found: Rows, expected: Rows) -> None:
    """Compare rows bit for bit."""
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()


def prepared_as(
    options: GeneratedOptions, cache: Path, storage: Location | None = None
) -> Prepared:
    return prepare(
        options, SPLIT, label_kind="auto", min_row_groups=5, cache=cache, storage=storage
    )


@pytest.mark.parametrize("options", SOURCES, ids=lambda options: options.source)
def test_workers_draw_the_very_rows_of_the_prepared_files(
    engine: Engine[Any], engine_name: str, cache: Path, options: GeneratedOptions
) -> None:
    files = prepared_as(options, cache)
    drawn = prepared_as(options.model_copy(update={"generate": "on_workers"}), cache)
    assert not list(Path(drawn.address).glob("*.parquet"))
    for split in ("train", "test"):
        data = engine.load(Source(open_dataset(drawn.address), split))
        found = rows_held(engine_name, data)
        engine.release(data)
        assert_same_bytes(found, read_rows(files, files.row_groups, split))


def test_rows_by_url_are_those_of_the_folder(
    engine: Engine[Any], engine_name: str, cache: Path, tmp_path: Path
) -> None:
    storage = Location.parse(f"file://{tmp_path}/of%20all")
    stored = prepared_as(SOURCES[1], cache, storage)
    assert (tmp_path / "of all").is_dir()
    data = engine.load(Source(open_dataset(stored.address), "train"))
    found = rows_held(engine_name, data)
    engine.release(data)
    assert_same_bytes(found, read_rows(stored, stored.row_groups, "train"))


@pytest.mark.parametrize("placement", ["spread", "host"])
def test_a_process_that_cannot_see_the_files_says_so(
    engine: Engine[Any], engine_name: str, cache: Path, tmp_path: Path, placement: Any
) -> None:
    stored = prepared_as(SOURCES[1], cache, Location.parse(f"file://{tmp_path}"))
    opened = open_dataset(stored.address)
    for file in (opened.location.path or tmp_path).glob("*.parquet"):
        file.unlink()
    began = time.monotonic()
    with pytest.raises(UnseenDataError) as caught:
        engine.load(Source(opened, "train", placement))
    assert time.monotonic() - began < 30
    told = str(caught.value)
    assert told.startswith(f"{engine_name}: load: ")
    assert f"cannot see {opened.address} (" in told
    assert "ENGINEBENCH_STORAGE" in told
    assert "\n" not in told
    if engine_name == "dask" and placement == "spread":
        assert "the worker at t" in told


def test_spark_names_the_package_that_reads_s3(
    engine: Engine[Any], engine_name: str, blobs: Prepared
) -> None:
    if engine_name != "spark":
        pytest.skip("only Spark has readers of its own")
    from dataclasses import replace

    elsewhere = replace(blobs, path=None, url="s3://bucket/data?region=eu-central-1")
    with pytest.raises(EngineFailedError, match=r"org\.apache\.hadoop:hadoop-aws:\d.*jars"):
        engine.load(Source(elsewhere, "train"))
