"""Numbers of k-means and XGBoost on Spark against the same libraries in this process."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from engines.errors import EngineFailedError, UnsupportedFeatureError
from engines.gaps import Feature
from engines.parameters import apply
from engines.prepared import read_rows
from engines.spark import SparkEngine, kmeans
from engines.specs import KMeansSpec, XGBoostSpec
from engines.types import Source
from experiments.datasets import draw_initial_centers, prepare
from experiments.datasets.options import (
    BundledOptions,
    ClassificationOptions,
    ParquetOptions,
    RegressionOptions,
)

from .conftest import SPLIT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engines.prepared import Prepared
    from engines.types import Data, Resources


@pytest.fixture(scope="module")
def engine(resources: Resources) -> Iterator[SparkEngine]:
    with SparkEngine(resources) as running:
        yield running


@pytest.fixture(scope="module")
def train(engine: SparkEngine, blobs: Prepared) -> Data:
    return engine.load(Source(blobs, "train"))


def cached_datasets(engine: SparkEngine) -> int:
    return len(engine._session.spark.sparkContext._jsc.sc().getRDDStorageInfo())


def test_rows_are_cached_in_equal_partitions_in_order(train: Data, blobs: Prepared) -> None:
    partitions = train.native.rows.select("row_id").rdd.glom().collect()
    ids = [[row["row_id"] for row in partition] for partition in partitions]
    expected = read_rows(blobs, blobs.row_groups, "train").row_id
    assert [len(partition) for partition in ids] == [750, 750]
    assert np.concatenate(ids).tolist() == expected.tolist()
    assert train.native.rows.storageLevel.useMemory


def test_rows_have_the_features_of_the_dataset(train: Data, blobs: Prepared) -> None:
    expected = read_rows(blobs, blobs.row_groups, "train")
    table = train.native.rows.toPandas()
    assert np.array_equal(table[list(train.native.features)].to_numpy(), expected.X)
    assert np.array_equal(table["label"].to_numpy(), expected.y)


def test_a_dataset_that_lacks_rows_is_refused(engine: SparkEngine, blobs: Prepared) -> None:
    wrong = dataclasses.replace(blobs, counts={**blobs.counts, "train": 1499})
    before = cached_datasets(engine)
    with pytest.raises(EngineFailedError, match="1500 rows were cached of the 1499"):
        engine.load(Source(wrong, "train"))
    assert cached_datasets(engine) == before


def test_release_drops_the_rows(engine: SparkEngine, blobs: Prepared) -> None:
    before = cached_datasets(engine)
    data = engine.load(Source(blobs, "test"))
    assert cached_datasets(engine) == before + 1
    engine.release(data)
    assert cached_datasets(engine) == before


@pytest.mark.parametrize(("max_iter", "tol"), [(3, 0.0), (300, 0.0)])
def test_shared_centres_lead_to_the_centres_of_scikit_learn(
    engine: SparkEngine, blobs: Prepared, train: Data, max_iter: int, tol: float
) -> None:
    from sklearn.cluster import KMeans

    X = read_rows(blobs, blobs.row_groups, "train").X
    start = X[:6].astype(np.float64)
    spec = KMeansSpec(n_clusters=6, max_iter=max_iter, tol=tol)
    before = cached_datasets(engine)
    model = engine.fit_kmeans(spec, train, start)
    sklearn = KMeans(6, init=start, max_iter=max_iter, tol=tol, n_init=1).fit(X)
    assert np.abs(model.centers - sklearn.cluster_centers_).max() < 1e-8
    assert model.n_iter == sklearn.n_iter_
    assert np.array_equal(engine.predict(model, train).value, sklearn.predict(X))
    assert cached_datasets(engine) == before


@pytest.mark.parametrize("init", ["random", "k-means||"])
def test_the_run_of_least_inertia_is_kept(
    engine: SparkEngine, blobs: Prepared, train: Data, init: str
) -> None:
    X = read_rows(blobs, blobs.row_groups, "train").X

    def inertia(centers: np.ndarray) -> float:
        return ((X[:, None, :] - centers[None]) ** 2).sum(axis=2).min(axis=1).sum()

    spec = KMeansSpec(n_clusters=6, init=init, max_iter=2, n_init=3, seed=5)
    runs = [
        engine.fit_kmeans(spec.model_copy(update={"n_init": 1, "seed": seed}), train)
        for seed in (5, 6, 7)
    ]
    best = min(runs, key=lambda run: inertia(run.centers))
    kept = engine.fit_kmeans(spec, train)
    assert len({inertia(run.centers) for run in runs}) == 3
    assert np.array_equal(kept.centers, best.centers)


def test_tol_keeps_the_sum_of_squared_shifts_within_what_is_asked(blobs: Prepared) -> None:
    spec = KMeansSpec(n_clusters=4, tol=1e-2)
    (tol,) = (one for one in apply(kmeans.VERDICTS, spec, blobs) if one.name == "tol")
    assert tol.value**2 * spec.n_clusters == pytest.approx(1e-2 * blobs.mean_variance)


def test_fewer_distinct_rows_than_clusters_are_told(
    engine: SparkEngine, tmp_path: Path, cache: Path
) -> None:
    pd.DataFrame({"x": [0.0, 1.0] * 20}).to_parquet(tmp_path / "two.parquet")
    two = prepare(
        ParquetOptions(path=str(tmp_path / "two.parquet")),
        None,
        label_kind="auto",
        min_row_groups=2,
        cache=cache,
    )
    data = engine.load(Source(two, "train"))
    model = engine.fit_kmeans(KMeansSpec(n_clusters=3, init="k-means||"), data)
    assert sorted(model.centers[:, 0]) == [0.0, 1.0]
    assert "Spark found 2 distinct starting centres where 3 were asked for" in model.notes[0]


def test_k_means_plus_plus_is_a_gap(engine: SparkEngine, train: Data) -> None:
    assert SparkEngine.gaps[Feature.KMEANS_INIT_PLUS_PLUS].kind == "upstream"
    with pytest.raises(UnsupportedFeatureError, match=r"use init: shared"):
        engine.fit_kmeans(KMeansSpec(n_clusters=2, init="k-means++"), train)


def test_shared_centres_of_the_project_are_accepted(
    engine: SparkEngine, blobs: Prepared, train: Data
) -> None:
    start = draw_initial_centers(blobs, 6, 0)
    model = engine.fit_kmeans(KMeansSpec(n_clusters=6), train, start)
    assert model.centers.shape == (6, 5)
    assert model.centers.dtype == np.float64


@pytest.mark.parametrize(
    "options",
    [
        ClassificationOptions(n_samples=900, n_features=6, n_informative=3, levels=64),
        ClassificationOptions(
            n_samples=900, n_features=6, n_informative=4, n_classes=3, levels=64, dtype="float32"
        ),
        RegressionOptions(n_samples=900, n_features=6, n_informative=3, levels=64),
        BundledOptions(source="iris"),
    ],
    ids=["binary", "multiclass, float32", "regression", "names with dots and brackets"],
)
def test_predictions_equal_those_of_xgboost_in_this_process(
    engine: SparkEngine, cache: Path, options: ClassificationOptions
) -> None:
    import xgboost

    prepared = prepare(options, SPLIT, label_kind="auto", min_row_groups=2, cache=cache)
    train, test = (engine.load(Source(prepared, split)) for split in ("train", "test"))
    assert prepared.task is not None
    spec = XGBoostSpec(n_estimators=8, max_depth=3, base_score=0.5).resolved(prepared.task)
    found = engine.predict(engine.fit_xgboost(spec, train), test)

    rows = {split: read_rows(prepared, prepared.row_groups, split) for split in ("train", "test")}
    estimator = xgboost.XGBRegressor if spec.task == "regression" else xgboost.XGBClassifier
    alone = estimator(
        n_estimators=8, max_depth=3, base_score=0.5, learning_rate=0.3, tree_method="hist"
    ).fit(rows["train"].X, rows["train"].y)
    if spec.task == "regression":
        expected = alone.predict(rows["test"].X)
        scale = np.abs(expected).max()
    else:
        expected, scale = alone.predict_proba(rows["test"].X), 1.0
        expected = expected[:, 1] if spec.task == "binary" else expected
    assert np.array_equal(found.row_id, rows["test"].row_id)
    assert found.value.dtype == np.float64
    assert np.abs(found.value - expected).max() <= 1e-6 * scale
    engine.release(train)
    engine.release(test)
