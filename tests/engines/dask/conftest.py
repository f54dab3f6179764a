"""A Dask session of two worker processes, and a small dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engines.dask import DaskEngine
from engines.types import Resources
from experiments.datasets import prepare
from experiments.datasets.options import BlobsOptions, SplitOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engines.prepared import Prepared


@pytest.fixture(scope="package")
def granted(tmp_path_factory: pytest.TempPathFactory) -> Resources:
    """Two workers of one thread."""
    return Resources(
        cores=2,
        memory_bytes=3 * 2**30,
        workers=2,
        threads_per_worker=1,
        scratch=tmp_path_factory.mktemp("scratch"),
    )


@pytest.fixture(scope="package")
def dask_engine(granted: Resources) -> Iterator[DaskEngine]:
    """One session for the tests that leave it whole."""
    with DaskEngine(granted) as opened:
        yield opened


@pytest.fixture(scope="package")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Six clusters that overlap."""
    options = BlobsOptions(
        source="blobs", n_samples=1000, n_features=6, centers=6, cluster_std=5.0, seed=2
    )
    cache: Path = tmp_path_factory.mktemp("prepared")
    split = SplitOptions(test_fraction=0.25)
    return prepare(options, split, label_kind="classes", min_row_groups=3, cache=cache)
