"""Data and sessions for the tests of the Spark engine; only one JVM runs at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engines.types import Resources
from experiments.datasets import prepare
from experiments.datasets.options import BlobsOptions, ClassificationOptions, SplitOptions

if TYPE_CHECKING:
    from engines.prepared import Prepared

SPLIT = SplitOptions(test_fraction=0.25)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests before any fixture keeps a session open to the end of the run."""
    here = Path(__file__).parent
    items.sort(key=lambda item: here not in item.path.parents)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("datasets")


@pytest.fixture(scope="session")
def blobs(cache: Path) -> Prepared:
    options = BlobsOptions(n_samples=2000, n_features=5, centers=6, cluster_std=2.0)
    return prepare(options, SPLIT, label_kind="auto", min_row_groups=3, cache=cache)


@pytest.fixture(scope="session")
def binary(cache: Path) -> Prepared:
    options = ClassificationOptions(n_samples=2000, n_features=8, n_informative=4, levels=256)
    return prepare(options, SPLIT, label_kind="classes", min_row_groups=2, cache=cache)


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Resources:
    scratch = tmp_path_factory.mktemp("scratch")
    return Resources(
        cores=2, memory_bytes=2 * 2**30, workers=2, threads_per_worker=1, scratch=scratch
    )
