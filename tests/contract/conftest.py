"""Prepared data for the contract: small, fixed, and made as the product makes it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engines.manifest import MANIFEST
from engines.prepared import open_prepared
from engines.types import Source
from experiments.datasets import draw_initial_centers, prepare
from experiments.datasets.options import (
    BlobsOptions,
    ClassificationOptions,
    RegressionOptions,
    SplitOptions,
)

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from engines.base import Engine
    from engines.prepared import Prepared
    from engines.types import Data

N_CLUSTERS = 4
HELD_OUT = SplitOptions(test_fraction=0.25, seed=0)
FOLDED = SplitOptions(test_fraction=0.25, seed=0, folds=3)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the prepared datasets."""
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture(scope="session")
def blobs(cache: Path) -> Prepared:
    """Clusters that overlap, so that Lloyd's iterations take a while."""
    options = BlobsOptions(
        source="blobs", n_samples=1200, n_features=5, centers=N_CLUSTERS, cluster_std=6.0, seed=3
    )
    return prepare(options, HELD_OUT, label_kind="classes", min_row_groups=3, cache=cache)


@pytest.fixture(scope="session")
def tiny(cache: Path) -> Prepared:
    """Fewer rows than anybody would share out."""
    options = BlobsOptions(source="blobs", n_samples=5, n_features=2, centers=2, seed=0)
    return prepare(options, None, label_kind="classes", min_row_groups=2, cache=cache)


@pytest.fixture(scope="session")
def binary(cache: Path) -> Prepared:
    """Two classes; no feature has more levels than XGBoost has bins."""
    return _classes(2, cache)


@pytest.fixture(scope="session")
def multiclass(cache: Path) -> Prepared:
    """Three classes; no feature has more levels than XGBoost has bins."""
    return _classes(3, cache)


@pytest.fixture(scope="session")
def regression(cache: Path) -> Prepared:
    """Values; no feature has more levels than XGBoost has bins."""
    options = RegressionOptions(
        source="regression",
        n_samples=1000,
        n_features=6,
        n_informative=4,
        noise=5.0,
        seed=1,
        levels=256,
        dtype="float32",
    )
    return prepare(options, HELD_OUT, label_kind="numbers", min_row_groups=2, cache=cache)


@pytest.fixture(scope="session")
def centers(blobs: Prepared) -> NDArray[np.float64]:
    """Centres that every engine starts from."""
    return draw_initial_centers(blobs, N_CLUSTERS, 0)


@pytest.fixture(scope="session")
def train(engine: Engine[Any], blobs: Prepared) -> Data[Any]:
    """Training rows of the clusters, loaded once for each engine."""
    return engine.load(Source(blobs, "train"))


@pytest.fixture(scope="session")
def folded(cache: Path) -> Prepared:
    """Two classes and three folds; no feature has more levels than XGBoost has bins."""
    options = ClassificationOptions(
        source="classification",
        n_samples=400,
        n_features=6,
        n_informative=4,
        n_classes=2,
        seed=2,
        levels=256,
    )
    return prepare(options, FOLDED, label_kind="classes", min_row_groups=3, cache=cache)


@pytest.fixture(scope="session")
def folded_blobs(cache: Path) -> Prepared:
    """Clusters that overlap, and three folds."""
    options = BlobsOptions(
        source="blobs", n_samples=400, n_features=4, centers=N_CLUSTERS, cluster_std=5.0, seed=5
    )
    return prepare(options, FOLDED, label_kind="classes", min_row_groups=3, cache=cache)


@pytest.fixture(scope="session")
def folded_regression(cache: Path) -> Prepared:
    """Values, and three folds."""
    options = RegressionOptions(
        source="regression", n_samples=300, n_features=4, n_informative=3, noise=5.0, seed=1
    )
    return prepare(options, FOLDED, label_kind="numbers", min_row_groups=2, cache=cache)


@pytest.fixture(scope="session")
def everywhere(engine: Engine[Any], folded: Prepared) -> Data[Any]:
    """Training rows of the two classes, on every worker, loaded once for each engine."""
    return engine.load(Source(folded, "train", "everywhere"))


@pytest.fixture(scope="session")
def missing_labels(regression: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Rows whose labels are all NaN, which no preparation would let through."""
    folder = tmp_path_factory.mktemp("missing-labels")
    manifest = json.loads((regression.path / MANIFEST).read_text(encoding="utf-8"))
    for described in manifest["files"]:
        name = described["name"]
        with pq.ParquetFile(regression.path / name) as source:
            tables = [source.read_row_group(n) for n in range(source.num_row_groups)]
        with pq.ParquetWriter(folder / name, tables[0].schema) as writer:
            for table in tables:
                label = table["label"].to_numpy().copy()
                # in all rows: each worker then fails by itself, and not over another's failure
                label[:] = math.nan
                column = table.schema.get_field_index("label")
                field = table.schema.field(column)
                writer.write_table(table.set_column(column, field, pa.array(label, field.type)))
        described["bytes"] = (folder / name).stat().st_size
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return open_prepared(folder)


def _classes(n_classes: int, cache: Path) -> Prepared:
    options = ClassificationOptions(
        source="classification",
        n_samples=1000,
        n_features=6,
        n_informative=4,
        n_classes=n_classes,
        seed=1,
        levels=256,
        dtype="float32",
    )
    return prepare(options, HELD_OUT, label_kind="classes", min_row_groups=2, cache=cache)
