from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from experiments.datasets.generated import open_generated
from experiments.datasets.options import (
    BlobsOptions,
    ClassificationOptions,
    RegressionOptions,
)
from experiments.errors import RequestError

if TYPE_CHECKING:
    from experiments.datasets.table import Table

ROWS = 70_000  # a whole page of 65,536 rows and a part of the next

SOURCES = [
    BlobsOptions(n_samples=ROWS, n_features=2, centers=5, seed=7),
    ClassificationOptions(n_samples=ROWS, n_features=3, n_informative=2, n_classes=2, seed=7),
    RegressionOptions(n_samples=ROWS, n_features=2, n_informative=2, noise=1.0, seed=7),
]


def rows_of(table: Table, block_rows: int) -> tuple[np.ndarray, np.ndarray]:
    blocks = list(table.blocks(block_rows))
    assert max(block.n_rows for block in blocks) <= block_rows
    return (
        np.concatenate([block.columns for block in blocks], axis=1),
        np.concatenate([block.y for block in blocks]),
    )


@pytest.mark.parametrize("options", SOURCES, ids=lambda options: options.source)
@pytest.mark.parametrize("block_rows", [1, 7, 1000, 100_000])
def test_rows_are_the_same_whatever_the_block_size(options: Any, block_rows: int) -> None:
    table = open_generated(options, "auto")
    columns, y = rows_of(table, 65_536)
    again, y_again = rows_of(table, block_rows)

    assert columns.shape == (options.n_features, ROWS)
    assert np.array_equal(columns, again)
    assert np.array_equal(y, y_again)


@pytest.mark.parametrize("options", SOURCES, ids=lambda options: options.source)
def test_another_seed_gives_other_rows(options: Any) -> None:
    columns, _ = rows_of(open_generated(options, "auto"), ROWS)
    other = options.model_copy(update={"seed": 8})
    columns_of_other, _ = rows_of(open_generated(other, "auto"), ROWS)
    assert not np.isclose(columns, columns_of_other).any(axis=0).all()
    assert not np.array_equal(columns[:, :100], columns_of_other[:, :100])


def test_pages_differ_from_one_another() -> None:
    columns, _ = rows_of(open_generated(SOURCES[2], "auto"), 65_536)
    assert np.isclose(columns[:, :4000], columns[:, 65_536:69_536]).mean() < 0.01


def test_wide_rows_come_in_smaller_pages() -> None:
    options = BlobsOptions(n_samples=3000, n_features=2500, centers=2)
    sizes = [block.n_rows for block in open_generated(options, "auto").blocks(65_536)]
    assert max(sizes) < 3000
    assert sum(sizes) == 3000


def test_blobs_lie_around_their_centres_with_the_deviation_asked_for() -> None:
    options = BlobsOptions(n_samples=60_000, n_features=3, centers=4, cluster_std=2.5)
    table = open_generated(options, "auto")
    columns, _ = rows_of(table, 65_536)

    assert table.labels.kind == "classes"
    assert table.labels.classes == ("0", "1", "2", "3")
    means = np.empty((4, 3))
    for label in range(4):
        cloud = columns[:, table.labels.codes == label]
        assert 14_000 < cloud.shape[1] < 16_000
        assert cloud.std(axis=1) == pytest.approx(2.5, rel=0.03)
        means[label] = cloud.mean(axis=1)
    assert np.abs(means).max() < 10.2
    assert len(np.unique(means.round(1), axis=0)) == 4


def test_classes_are_in_the_informative_features_only() -> None:
    options = ClassificationOptions(
        n_samples=20_000,
        n_features=8,
        n_informative=4,
        n_classes=3,
        n_clusters_per_class=1,
        class_sep=3.0,
    )
    table = open_generated(options, "auto")
    columns, _ = rows_of(table, 65_536)
    codes = table.labels.codes

    told = LogisticRegression().fit(columns[:4].T, codes).score(columns[:4].T, codes)
    guessed = LogisticRegression().fit(columns[4:].T, codes).score(columns[4:].T, codes)
    assert told > 0.9
    assert guessed < 0.37
    assert columns[4:].std(axis=1) == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("flip_y", [0.0, 0.5])
def test_the_share_of_flipped_classes_is_the_one_asked_for(flip_y: float) -> None:
    options = ClassificationOptions(n_samples=20_000, n_features=2, flip_y=flip_y, class_sep=50)
    table = open_generated(options, "auto")
    columns, _ = rows_of(table, 65_536)
    # so far apart, the corner of each cloud is the signs of its features
    corner = (columns > 0).T @ np.array([1, 2])
    purity = [np.bincount(table.labels.codes[corner == c]).max() for c in range(4)]
    assert sum(purity) / 20_000 == pytest.approx(1 - flip_y / 2, abs=0.02)


def test_more_than_62_informative_features_are_drawn() -> None:
    options = ClassificationOptions(n_samples=50, n_features=80, n_informative=70, n_classes=2)
    columns, _ = rows_of(open_generated(options, "auto"), 65_536)
    assert np.isfinite(columns).all()


def test_regression_is_linear_in_the_informative_features_with_the_noise_asked_for() -> None:
    options = RegressionOptions(n_samples=20_000, n_features=5, n_informative=3, noise=4.0)
    table = open_generated(options, "auto")
    columns, y = rows_of(table, 65_536)
    model = LinearRegression().fit(columns.T, y)

    assert table.labels.kind == "numbers"
    assert ((model.coef_[:3] > 0) & (model.coef_[:3] < 100)).all()
    assert model.coef_[3:] == pytest.approx(0, abs=0.2)
    assert np.std(y - model.predict(columns.T)) == pytest.approx(4.0, rel=0.03)


def test_class_labels_are_numbers_when_regression_is_asked() -> None:
    table = open_generated(SOURCES[0], "numbers")
    _, y = rows_of(table, 65_536)
    assert table.labels.kind == "numbers"
    assert set(y) == {0.0, 1.0, 2.0, 3.0, 4.0}


def test_classes_without_a_row_have_no_number() -> None:
    table = open_generated(BlobsOptions(n_samples=6, centers=300), "auto")
    assert len(table.labels.classes) <= 6
    assert set(table.labels.codes) == set(range(len(table.labels.classes)))
    assert list(map(int, table.labels.classes)) == sorted(map(int, table.labels.classes))


def test_the_label_of_regression_cannot_be_classes() -> None:
    with pytest.raises(RequestError, match="label of the source 'regression' is numbers"):
        open_generated(SOURCES[2], "classes")
