"""A session of scikit-learn's engine, and a small dataset with folds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engines.sklearn import SklearnEngine
from engines.types import Resources
from experiments.datasets import prepare
from experiments.datasets.options import ClassificationOptions, SplitOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engines.prepared import Prepared


@pytest.fixture
def granted(tmp_path: Path) -> Resources:
    """Two cores."""
    return Resources(cores=2, memory_bytes=2**30, workers=1, threads_per_worker=2, scratch=tmp_path)


@pytest.fixture
def sklearn_engine(granted: Resources) -> Iterator[SklearnEngine]:
    """One session a test: these tests break it."""
    with SklearnEngine(granted) as opened:
        yield opened


@pytest.fixture(scope="package")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Two classes and three folds, of nearly a megabyte."""
    options = ClassificationOptions(
        source="classification", n_samples=2000, n_features=50, n_informative=10, seed=0
    )
    cache: Path = tmp_path_factory.mktemp("prepared")
    split = SplitOptions(folds=3)
    return prepare(options, split, label_kind="classes", min_row_groups=2, cache=cache)
