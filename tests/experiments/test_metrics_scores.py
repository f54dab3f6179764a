from __future__ import annotations

import json
import math
import tempfile
import tracemalloc
import warnings
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sklearn.metrics as reference
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engines.prepared import SPLIT_CODES, open_prepared
from engines.types import Predictions
from experiments.metrics import (
    SILHOUETTE_SAMPLE,
    PredictionsError,
    adjusted_rand,
    default_metrics,
    rows,
    score,
)
from experiments.metrics.clustering import sample_positions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from engines.prepared import Prepared, RowGroup, Rows
    from engines.types import Split

CLUSTERING = default_metrics("kmeans", None, labelled=False)
CLASSIFICATION = default_metrics("xgboost", "binary", labelled=True)
REGRESSION = default_metrics("xgboost", "regression", labelled=True)

NEAR = {"rel": 1e-9, "abs": 1e-9}


def write_prepared(
    folder: Path,
    X: NDArray[Any],
    y: NDArray[Any] | None = None,
    *,
    classes: Sequence[str] = (),
    test: NDArray[np.bool_] | None = None,
    n_groups: int = 3,
) -> Prepared:
    """Write rows as a prepared dataset of two files with `n_groups` row groups in all."""
    n_rows, n_features = X.shape
    test = np.zeros(n_rows, dtype=bool) if test is None else test
    features = [f"f{column}" for column in range(n_features)]
    kind = "none" if y is None else ("classes" if classes else "numbers")
    columns = {name: pa.array(X[:, column]) for column, name in enumerate(features)}
    if y is not None:
        columns["label"] = pa.array(y.astype(np.int32 if classes else np.float64))
    columns["row_id"] = pa.array(np.arange(n_rows, dtype=np.int64) * 3 + 5)
    split = np.where(test, SPLIT_CODES["test"], SPLIT_CODES["train"])
    columns["split"] = pa.array(split.astype(np.int8))
    columns["fold"] = pa.array(np.full(n_rows, -1, dtype=np.int8))
    table = pa.table(columns)

    groups, files = [], []
    bounds = np.linspace(0, n_rows, n_groups + 1).astype(int)
    pieces = list(pairwise(bounds))
    for number, of_file in enumerate((pieces[: n_groups // 2], pieces[n_groups // 2 :])):
        name = f"part-{number}.parquet"
        with pq.ParquetWriter(folder / name, table.schema) as writer:
            kept = [(first, last) for first, last in of_file if last > first]
            for index, (first, last) in enumerate(kept):
                writer.write_table(table.slice(first, last - first), row_group_size=last - first)
                n_test = int(test[first:last].sum())
                counts = {"train": int(last - first) - n_test, "test": n_test}
                groups.append({"file": name, "index": index, **counts})
        files.append({"name": name, "bytes": (folder / name).stat().st_size})
    manifest = {
        "schema": 1,
        "fingerprint": "sha256:0",
        "files": files,
        "features": features,
        "dtype": str(X.dtype),
        "label": {"kind": kind, "classes": list(classes), "name": "label"},
        "counts": {"train": int((~test).sum()), "test": int(test.sum())},
        "mean_variance": 1.0,
        "folds": 0,
        "row_groups": groups,
        "notes": [],
    }
    (folder / "dataset.json").write_text(json.dumps(manifest), encoding="utf-8")
    return open_prepared(folder)


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    """Six rows of two features and three classes."""
    X = np.array([[0.0, 1], [1, 1], [4, 4], [5, 4], [9, 0], [9, 1]])
    return write_prepared(tmp_path, X, np.array([0, 0, 1, 1, 2, 2]), classes=("a", "b", "c"))


def predictions_of(prepared: Prepared, value: Any) -> Predictions:
    """Give the scored rows of a dataset that `write_prepared` made without held-out rows."""
    return Predictions(np.arange(prepared.n_rows, dtype=np.int64) * 3 + 5, np.asarray(value))


def scored_once(
    X: NDArray[Any],
    y: NDArray[Any] | None,
    value: NDArray[Any],
    names: Sequence[str],
    task: Any,
    *,
    classes: Sequence[str] = (),
    n_groups: int = 3,
    centers: NDArray[np.float64] | None = None,
) -> dict[str, float | None]:
    """Write a dataset, score predictions of all its rows and forget it."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = write_prepared(Path(folder), X, y, classes=classes, n_groups=n_groups)
        found = score(prepared, predictions_of(prepared, value), names, task=task, centers=centers)
    assert found.undefined.keys() == {name for name in names if found.values[name] is None}
    return found.values


# -- clustering ------------------------------------------------------------------------------------


@st.composite
def clusterings(draw: st.DrawFn) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.int32]]:
    """Draw rows as they are stored, the same rows around the origin, and their clusters.

    The rows lie on a grid of quarters, on which scikit-learn's own sums are exact, so that ties,
    clusters of equal rows and constant features have one right answer.
    """
    n_rows, n_features = draw(st.integers(3, 40)), draw(st.integers(1, 4))
    grid = draw(hnp.arrays(np.int8, (n_rows, n_features), elements=st.integers(-6, 6))) / 4
    if draw(st.booleans()):
        grid[:, 0] = grid[0, 0]
    numbers = draw(st.lists(st.sampled_from((0, 1, 2, 7, 40, 2000)), min_size=2, unique=True))
    labels = draw(hnp.arrays(np.int32, n_rows, elements=st.sampled_from(numbers)))
    offset = draw(st.sampled_from((0.0, 1e6, -1e6)))
    stored = (grid + offset).astype(draw(st.sampled_from((np.float32, np.float64))))
    assert np.array_equal(stored.astype(np.float64) - offset, grid)
    return stored, grid, labels


@given(clusterings(), st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_cluster_scores_equal_those_of_scikit_learn(
    drawn: tuple[NDArray[Any], NDArray[np.float64], NDArray[np.int32]], n_groups: int
) -> None:
    stored, grid, labels = drawn
    names = ("silhouette", "silhouette_squared", "calinski_harabasz", "davies_bouldin")
    found = scored_once(stored, None, labels, names, "clustering", n_groups=n_groups)
    if not 1 < len(set(labels.tolist())) < len(labels):
        assert set(found.values()) == {None}
        return
    assert found["silhouette"] == pytest.approx(reference.silhouette_score(grid, labels), **NEAR)
    assert found["silhouette_squared"] == pytest.approx(
        reference.silhouette_score(grid, labels, metric="sqeuclidean"), **NEAR
    )
    assert found["calinski_harabasz"] == pytest.approx(
        reference.calinski_harabasz_score(grid, labels), **NEAR
    )
    means = np.array([grid[labels == label].mean(axis=0) for label in np.unique(labels)])
    apart = np.linalg.norm(means[:, None] - means, axis=2)
    # scikit-learn takes the distances of means from their squared norms, and loses the digits of
    # those that lie close together
    assume(apart[np.triu_indices(len(means), 1)].min() > 0.05)
    assert found["davies_bouldin"] == pytest.approx(
        reference.davies_bouldin_score(grid, labels), **NEAR
    )


@given(
    seed=st.integers(0, 2**31),
    n_rows=st.integers(20, 200),
    n_features=st.integers(1, 12),
    n_clusters=st.integers(2, 8),
    spread=st.sampled_from((0.01, 1.0, 30.0)),
    offset=st.sampled_from((0.0, 1e6)),
)
@settings(max_examples=60, deadline=None)
def test_cluster_scores_equal_those_of_scikit_learn_on_unequal_blobs(
    *, seed: int, n_rows: int, n_features: int, n_clusters: int, spread: float, offset: float
) -> None:
    rng = np.random.default_rng(seed)
    # the first cluster has most of the rows
    labels = np.minimum(rng.geometric(0.5, n_rows) - 1, n_clusters - 1).astype(np.int32)
    labels[:2] = 0, 1
    centers = rng.normal(scale=10, size=(n_clusters, n_features))
    X = centers[labels] + rng.normal(scale=spread, size=(n_rows, n_features)) + offset
    near = X - offset
    # scikit-learn is given the distances: its own come from squared norms, and of rows that almost
    # coincide they are right to 1e-8 only
    distances = np.linalg.norm(near[:, None] - near, axis=2)
    found = scored_once(X, None, labels, CLUSTERING, "clustering", centers=centers + offset)
    expected = {
        "inertia": (reference.pairwise.paired_distances(X, (centers + offset)[labels]) ** 2).sum(),
        "silhouette": reference.silhouette_score(distances, labels, metric="precomputed"),
        "silhouette_squared": reference.silhouette_score(near, labels, metric="sqeuclidean"),
        "davies_bouldin": davies_bouldin_by_definition(near, labels),
        "calinski_harabasz": reference.calinski_harabasz_score(near, labels),
    }
    assert found == pytest.approx(expected, **NEAR)


def davies_bouldin_by_definition(X: NDArray[np.float64], labels: NDArray[np.int32]) -> float:
    """Compute the index in extended precision, where scikit-learn loses digits."""
    X = X.astype(np.longdouble)
    clusters = [X[labels == label] for label in np.unique(labels)]
    means = [cluster.mean(axis=0) for cluster in clusters]
    extents = [
        np.sqrt(((cluster - mean) ** 2).sum(axis=1)).mean()
        for cluster, mean in zip(clusters, means, strict=True)
    ]
    worst = [
        max(
            (extents[i] + extents[j]) / np.sqrt(((means[i] - means[j]) ** 2).sum())
            for j in range(len(means))
            if i != j
        )
        for i in range(len(means))
    ]
    return float(np.mean(worst))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["iris", "wine", "digits", "breast_cancer"])
def test_cluster_scores_of_real_data_equal_those_of_scikit_learn(name: str, dtype: str) -> None:
    import sklearn.cluster
    import sklearn.datasets

    data = getattr(sklearn.datasets, f"load_{name}")()
    X = data.data.astype(dtype)
    labels = sklearn.cluster.KMeans(5, n_init=1, random_state=0).fit_predict(X)
    classes = [str(number) for number in range(10)]
    names = (*CLUSTERING[1:], "adjusted_rand")
    found = scored_once(X, data.target, labels, names, "clustering", classes=classes)
    in_double = X.astype(np.float64)
    expected = {
        "silhouette": reference.silhouette_score(in_double, labels),
        "silhouette_squared": reference.silhouette_score(in_double, labels, metric="sqeuclidean"),
        "davies_bouldin": reference.davies_bouldin_score(in_double, labels),
        "calinski_harabasz": reference.calinski_harabasz_score(in_double, labels),
        "adjusted_rand": reference.adjusted_rand_score(data.target, labels),
    }
    assert found == pytest.approx(expected, **NEAR)


def test_inertia_is_that_of_the_fitted_model(tmp_path: Path) -> None:
    from sklearn.cluster import KMeans
    from sklearn.datasets import load_digits

    X = load_digits().data
    model = KMeans(10, n_init=1, random_state=0, tol=0).fit(X)
    found = score(
        prepared := write_prepared(tmp_path, X, n_groups=4),
        predictions_of(prepared, model.labels_),
        ["inertia"],
        task="clustering",
        centers=model.cluster_centers_,
    )
    assert found.values["inertia"] == pytest.approx(model.inertia_, rel=1e-9)


def test_scores_do_not_depend_on_how_rows_are_cut_into_blocks(tmp_path: Path) -> None:
    # 400 features make blocks of 1310 rows
    names = ("silhouette_squared", "davies_bouldin", "calinski_harabasz")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 3000).astype(np.int32)
    X = rng.normal(size=(3000, 400)).astype(np.float32) + 0.3 * labels[:, None]
    X = X.astype(np.float32)
    found = []
    for n_groups in (1, 2, 7):
        folder = tmp_path / str(n_groups)
        folder.mkdir()
        prepared = write_prepared(folder, X, n_groups=n_groups)
        predictions = predictions_of(prepared, labels)
        found.append(score(prepared, predictions, names, task="clustering").values)
    in_double = X.astype(np.float64)
    expected = {
        "silhouette_squared": reference.silhouette_score(in_double, labels, metric="sqeuclidean"),
        "davies_bouldin": reference.davies_bouldin_score(in_double, labels),
        "calinski_harabasz": reference.calinski_harabasz_score(in_double, labels),
    }
    for values in found:
        assert values == pytest.approx(expected, **NEAR)


def test_label_means_that_coincide_count_as_in_scikit_learn() -> None:
    X = np.array([[-1.0], [1.0], [-2.0], [2.0], [5.0], [6.0]])
    labels = np.array([0, 0, 1, 1, 2, 2], dtype=np.int32)
    found = scored_once(X, None, labels, ["davies_bouldin"], "clustering")
    assert found["davies_bouldin"] == pytest.approx(reference.davies_bouldin_score(X, labels))
    # all of them: 0
    found = scored_once(X[:4], None, labels[:4], ["davies_bouldin"], "clustering")
    assert found["davies_bouldin"] == reference.davies_bouldin_score(X[:4], labels[:4]) == 0


def test_means_apart_by_rounding_alone_do_not_make_a_davies_bouldin_index_of_billions() -> None:
    third = np.array([0.1, 0.2, 0.3]) + 0.1
    X = np.concatenate([third, third[::-1] - 1e-16, [9.0, 10.0]])[:, None]
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2], dtype=np.int32)
    found = scored_once(X, None, labels, ["davies_bouldin"], "clustering")
    assert found["davies_bouldin"] is not None
    assert found["davies_bouldin"] < 1


def test_the_unit_of_the_features_does_not_change_scores_without_a_unit() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 50).astype(np.int32)
    X = rng.normal(size=(50, 2)) + labels[:, None]
    found = [
        scored_once(X * unit, None, labels, CLUSTERING[1:], "clustering")
        for unit in (1.0, 2.0**-100, 2.0**100)
    ]
    assert found[0] == found[1] == found[2]


def test_clusters_of_equal_rows_have_no_dispersion_from_rounding() -> None:
    # the sum of seven equal values over seven is often not that value in float64
    X = np.repeat(np.random.default_rng(0).normal(size=(2, 20)), 7, axis=0)
    labels = np.repeat([0, 1], 7).astype(np.int32)
    assert reference.calinski_harabasz_score(X, labels) > 1e20
    found = scored_once(X, None, labels, CLUSTERING[1:], "clustering", n_groups=4)
    assert found == {
        "silhouette": 1.0,
        "silhouette_squared": 1.0,
        "davies_bouldin": 0.0,
        "calinski_harabasz": 1.0,
    }


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([4, 4, 4, 4, 4, 4], "all 6 rows compared are in one cluster"),
        ([5, 4, 3, 2, 1, 0], "each of the 6 rows compared is a cluster of its own"),
    ],
)
def test_scores_that_compare_clusters_are_none_with_a_reason_where_there_is_nothing_to_compare(
    prepared: Prepared, labels: list[int], reason: str
) -> None:
    found = score(
        prepared,
        predictions_of(prepared, np.array(labels, dtype=np.int32)),
        (*CLUSTERING, "adjusted_rand"),
        task="clustering",
        centers=np.zeros((6, 2)),
    )
    assert found.undefined == dict.fromkeys(CLUSTERING[1:], reason)
    assert all(found.values[name] is None for name in CLUSTERING[1:])
    assert found.values["inertia"] == 239.0
    assert found.values["adjusted_rand"] == 0.0


def test_a_score_beyond_float64_is_none_with_a_reason() -> None:
    X = np.array([[0.0], [1e200], [3e200], [5e200]])
    labels = np.array([0, 0, 1, 1], dtype=np.int32)
    found = scored_once(X, None, labels, ["calinski_harabasz"], "clustering")
    assert found["calinski_harabasz"] is None


def test_the_silhouette_of_many_rows_is_that_of_one_seeded_sample(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n_rows = SILHOUETTE_SAMPLE + 1000
    labels = rng.integers(0, 3, n_rows).astype(np.int32)
    X = rng.normal(size=(n_rows, 2)) + labels[:, None]
    found: dict[tuple[int, int], float | None] = {}
    for n_groups in (1, 5):
        folder = tmp_path / str(n_groups)
        folder.mkdir()
        prepared = write_prepared(folder, X, n_groups=n_groups)
        predictions = predictions_of(prepared, labels)
        for seed in (0, 1):
            scores = score(prepared, predictions, ["silhouette"], task="clustering", seed=seed)
            found[n_groups, seed] = scores.values["silhouette"]
    sample = sample_positions(n_rows, 0)
    assert len(set(sample.tolist())) == SILHOUETTE_SAMPLE
    assert found[1, 0] == found[5, 0]
    assert found[1, 0] != found[1, 1]
    expected = reference.silhouette_score(X[sample], labels[sample])
    assert found[1, 0] == pytest.approx(expected, **NEAR)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note every row group whose features are read."""
    noted: list[int] = []
    read_rows = rows.read_rows

    def noting(prepared: Prepared, row_groups: Sequence[RowGroup], split: Split) -> Rows:
        noted.extend(prepared.row_groups.index(group) for group in row_groups)
        return read_rows(prepared, row_groups, split)

    monkeypatch.setattr(rows, "read_rows", noting)
    return noted


def test_row_groups_without_scored_rows_are_not_read(tmp_path: Path, read: list[int]) -> None:
    test = np.array([0, 0, 1, 0, 0, 0, 1, 1], dtype=bool)
    held_out = write_prepared(tmp_path, np.zeros((8, 1)), test=test, n_groups=4)
    predictions = Predictions(np.flatnonzero(test) * 3 + 5, np.zeros(3, dtype=np.int32))
    score(held_out, predictions, ["inertia"], task="clustering", centers=np.ones((1, 1)))
    assert read == [1, 3]


def test_features_pass_by_at_most_twice_whatever_is_asked(
    prepared: Prepared, read: list[int]
) -> None:
    labels = predictions_of(prepared, np.array([0, 0, 1, 1, 2, 2]))
    n_groups, found = len(prepared.row_groups), {}
    names = {
        "all": (*CLUSTERING, "adjusted_rand"),
        "one pass": ("inertia", "silhouette", "calinski_harabasz"),
        "labels alone": ("adjusted_rand",),
    }
    for what, asked in names.items():
        read.clear()
        score(prepared, labels, asked, task="clustering", centers=np.zeros((3, 2)))
        found[what] = len(read)
    assert found == {"all": 2 * n_groups, "one pass": n_groups, "labels alone": 0}


def test_memory_does_not_grow_with_the_features_of_all_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n_rows, n_features = 100_000, 40
    X = rng.normal(size=(n_rows, n_features)).astype(np.float32)
    prepared = write_prepared(tmp_path, X, n_groups=50)
    predictions = predictions_of(prepared, rng.integers(0, 4, n_rows).astype(np.int32))
    names = ("inertia", "silhouette_squared", "davies_bouldin", "calinski_harabasz")
    score(prepared, predictions, names, task="clustering", centers=np.zeros((4, n_features)))
    tracemalloc.start()
    try:
        score(prepared, predictions, names, task="clustering", centers=np.zeros((4, n_features)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes / 2


# -- adjusted Rand index ---------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_adjusted_rand_equals_scikit_learn(data: st.DataObject) -> None:
    n_rows = data.draw(st.integers(3, 60))
    numbers = hnp.arrays(np.int32, n_rows, elements=st.sampled_from((0, 1, 2, 9, 500)))
    a, b = data.draw(numbers), data.draw(numbers)
    assert adjusted_rand(a, b) == pytest.approx(reference.adjusted_rand_score(a, b), abs=1e-9)
    assert adjusted_rand(a, b) == pytest.approx(adjusted_rand(b, a), abs=1e-9)
    classes = tuple(str(number) for number in range(501))
    found = scored_once(
        np.zeros((n_rows, 1)), a, b, ["adjusted_rand"], "clustering", classes=classes
    )
    assert found["adjusted_rand"] == adjusted_rand(a, b)


def test_adjusted_rand_counts_pairs_beyond_32_bits() -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(0, 3, 200_000).astype(np.int32)
    b = np.where(rng.random(len(a)) < 0.9, a, 2 - a).astype(np.int32)

    def pairs(counts: Counter[Any]) -> int:
        return sum(math.comb(count, 2) for count in counts.values())

    together = pairs(Counter(zip(a.tolist(), b.tolist(), strict=True)))
    of_a, of_b = pairs(Counter(a.tolist())), pairs(Counter(b.tolist()))
    chance = of_a * of_b / math.comb(len(a), 2)
    exact = (together - chance) / ((of_a + of_b) / 2 - chance)
    assert together > 2**31
    assert adjusted_rand(a, b) == pytest.approx(exact, abs=1e-12)


def test_adjusted_rand_of_labels_that_are_mostly_distinct_needs_no_warning() -> None:
    distinct = np.arange(30, dtype=np.int32)
    assert adjusted_rand(distinct, distinct[::-1]) == 1.0


# -- classification --------------------------------------------------------------------------------


@st.composite
def classified(draw: st.DrawFn) -> tuple[NDArray[np.int32], NDArray[np.float64], int]:
    """Draw true classes, some of which may be absent, and probabilities with many ties."""
    n_rows, n_classes = draw(st.integers(1, 50)), draw(st.integers(2, 5))
    present = draw(st.lists(st.integers(0, n_classes - 1), min_size=1, unique=True))
    y = draw(hnp.arrays(np.int32, n_rows, elements=st.sampled_from(present)))
    parts = hnp.arrays(np.int8, (n_rows, n_classes), elements=st.integers(0, 4))
    weights = draw(parts).astype(np.float64)
    weights[weights.sum(axis=1) == 0] = 1
    probability = weights / weights.sum(axis=1, keepdims=True)
    if draw(st.booleans()):
        # as XGBoost gives them
        probability = probability.astype(np.float32).astype(np.float64)
    return y, probability, n_classes


@given(classified())
@settings(max_examples=150, deadline=None)
def test_classification_scores_equal_those_of_scikit_learn(
    drawn: tuple[NDArray[np.int32], NDArray[np.float64], int],
) -> None:
    y, probability, n_classes = drawn
    numbers = np.arange(n_classes)
    value = probability[:, 1] if n_classes == 2 else probability
    predicted = (value > 0.5).astype(int) if n_classes == 2 else probability.argmax(axis=1)
    task = "binary" if n_classes == 2 else "multiclass"
    found = scored_once(
        np.zeros((len(y), 1)), y, value, CLASSIFICATION, task, classes=[str(n) for n in numbers]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = {
            "accuracy": reference.accuracy_score(y, predicted),
            "balanced_accuracy": reference.balanced_accuracy_score(y, predicted),
            "f1_macro": reference.f1_score(y, predicted, average="macro"),
            "log_loss": reference.log_loss(y, value, labels=numbers),
        }
        area = None
        if len(set(y.tolist())) == n_classes:
            area = reference.roc_auc_score(y, value, multi_class="ovr", labels=numbers)
    assert found.pop("roc_auc") == (None if area is None else pytest.approx(area, **NEAR))
    assert found == pytest.approx(expected, **NEAR)


def test_certain_and_wrong_is_clipped_as_in_scikit_learn() -> None:
    y, value = np.array([1, 0, 1]), np.array([0.0, 1.0, 1.0])
    found = scored_once(np.zeros((3, 1)), y, value, ["log_loss"], "binary", classes=("a", "b"))
    assert found["log_loss"] == pytest.approx(reference.log_loss(y, value), rel=1e-12)


def test_a_probability_of_one_half_predicts_the_first_class() -> None:
    y, value = np.array([0, 1]), np.array([0.5, 0.5 + 1e-9])
    found = scored_once(np.zeros((2, 1)), y, value, ["accuracy"], "binary", classes=("a", "b"))
    assert found["accuracy"] == 1.0


def test_the_area_is_none_and_names_the_classes_that_no_scored_row_has(prepared: Prepared) -> None:
    class_b_alone = write_prepared(
        prepared.path, np.zeros((4, 1)), np.full(4, 1), classes=("a", "b", "c")
    )
    value = np.full((4, 3), 1 / 3)
    found = score(
        class_b_alone, predictions_of(class_b_alone, value), CLASSIFICATION, task="multiclass"
    )
    assert found.values["roc_auc"] is None
    assert found.undefined == {"roc_auc": "no scored row has the class a, c"}


def test_more_classes_than_half_the_rows_need_no_warning() -> None:
    y = np.arange(30)
    value = np.eye(30)
    names = [str(number) for number in y]
    found = scored_once(np.zeros((30, 1)), y, value, CLASSIFICATION, "multiclass", classes=names)
    assert found["f1_macro"] == found["balanced_accuracy"] == found["roc_auc"] == 1.0


def test_held_out_rows_alone_are_scored(tmp_path: Path) -> None:
    y = np.array([0, 1, 0, 1, 1, 0, 1, 0])
    test = np.array([0, 0, 0, 1, 1, 0, 1, 1], dtype=bool)
    X = np.arange(8.0)[:, None]
    held_out = write_prepared(tmp_path, X, y, classes=("a", "b"), test=test, n_groups=4)
    value = np.array([0.9, 0.2, 0.8, 0.6])
    row_id = np.flatnonzero(test) * 3 + 5
    found = score(held_out, Predictions(row_id, value), ["accuracy", "roc_auc"], task="binary")
    assert found.values == {"accuracy": 0.5, "roc_auc": reference.roc_auc_score(y[test], value)}
    centers = np.array([[3.0], [7.0]])
    clusters = np.array([0, 0, 1, 1], dtype=np.int32)
    predictions = Predictions(row_id, clusters)
    found = score(held_out, predictions, ["inertia"], task="clustering", centers=centers)
    assert found.values == {"inertia": 2.0}


# -- regression ------------------------------------------------------------------------------------

LABELS = st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_regression_scores_equal_those_of_scikit_learn(data: st.DataObject) -> None:
    n_rows = data.draw(st.integers(1, 40))
    y = data.draw(hnp.arrays(np.float64, n_rows, elements=LABELS))
    value = data.draw(hnp.arrays(np.float64, n_rows, elements=LABELS))
    found = scored_once(np.zeros((n_rows, 1)), y, value, REGRESSION, "regression")
    assert found["rmse"] == pytest.approx(reference.root_mean_squared_error(y, value), **NEAR)
    assert found["mae"] == pytest.approx(reference.mean_absolute_error(y, value), **NEAR)
    if np.ptp(y) == 0:
        assert found["r2"] is None
    else:
        assert found["r2"] == pytest.approx(reference.r2_score(y, value), **NEAR)


def test_explained_variance_of_a_constant_label_is_none_with_a_reason(tmp_path: Path) -> None:
    # the mean of seven times 0.1 is not 0.1 in float64, so a variance would be found
    constant = write_prepared(tmp_path, np.zeros((7, 1)), np.full(7, 0.1))
    found = score(
        constant, predictions_of(constant, np.full(7, 0.1)), REGRESSION, task="regression"
    )
    assert found.values == {"rmse": 0.0, "mae": 0.0, "r2": None}
    assert found.undefined == {"r2": "every scored row has the same label"}


def test_errors_beyond_float64_are_none_with_a_reason(tmp_path: Path) -> None:
    huge = write_prepared(tmp_path, np.zeros((3, 1)), np.array([0.0, 1e200, 2e200]))
    found = score(huge, predictions_of(huge, np.zeros(3)), REGRESSION, task="regression")
    assert found.values == {"rmse": None, "mae": pytest.approx(1e200), "r2": None}
    assert set(found.undefined.values()) == {"it is beyond the range of float64"}


# -- what is refused -------------------------------------------------------------------------------


@pytest.fixture
def numbered(tmp_path: Path) -> Iterator[Prepared]:
    """Five rows with a numeric label; their row_id are 5, 8, 11, 14 and 17."""
    return write_prepared(tmp_path, np.zeros((5, 1)), np.arange(5.0))


@pytest.mark.parametrize(
    ("row_id", "counts"),
    [
        ([5, 8, 11], "2 missing"),
        ([5, 8, 8, 14, 17], "1 missing, 1 duplicate"),
        ([5, 8, 11, 14, 17, 17], "1 duplicate"),
        ([5, 8, 11, 14, 18], "1 missing, 1 not among the scored rows"),
        ([8, 5, 11, 14, 17], "all are there, out of order"),
        ([], "5 missing"),
    ],
)
def test_predictions_of_other_rows_are_refused_with_counts(
    numbered: Prepared, row_id: list[int], counts: str
) -> None:
    predictions = Predictions(np.array(row_id, dtype=np.int64), np.zeros(len(row_id)))
    with pytest.raises(PredictionsError) as caught:
        score(numbered, predictions, ["mae"], task="regression")
    assert str(caught.value) == (
        "The predictions do not hold each of the 5 scored rows once, in the order of row_id: "
        f"{counts}."
    )


def test_predicted_values_that_are_not_finite_are_counted(numbered: Prepared) -> None:
    predictions = predictions_of(numbered, [0, np.nan, 0, np.inf, 0])
    with pytest.raises(PredictionsError, match=r"^2 of 5 predicted values are not finite\.$"):
        score(numbered, predictions, ["mae"], task="regression")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.full(6, 0.5), "have the shape (6,), and should have (6, 3)"),
        (np.full((6, 2), 0.5), "have the shape (6, 2), and should have (6, 3)"),
        (np.tile([-0.5, 0.5, 1.0], (6, 1)), "6 of 18 predicted probabilities are not between"),
        (np.tile([0.5, 0.5, 0.5], (6, 1)), "of 6 of 6 rows do not sum to 1"),
        (np.full((6, 3), np.nan), "18 of 18 predicted values are not finite"),
    ],
)
def test_what_is_no_probability_of_every_class_is_refused(
    prepared: Prepared, value: NDArray[np.float64], message: str
) -> None:
    with pytest.raises(PredictionsError) as caught:
        score(prepared, predictions_of(prepared, value), ["accuracy"], task="multiclass")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "centers", "message"),
    [
        ([0, 0, 1, 1, 2, 2], None, "The model has no centres"),
        ([0, 0, 1, 1, 2, 3], np.zeros((3, 2)), "range from 0 to 3, and the model's centres are"),
        ([0, 0, 1, 1, 2, -1], np.zeros((3, 2)), "range from -1 to 2"),
        ([0, 0, 1, 1, 2, 2], np.zeros((3, 5)), "shape (3, 5), and the dataset has 2 features"),
        ([0, 0, 1, 1, 2, 2], np.diag([1, np.nan, 1])[:, :2], "1 of the centres"),
        ([0.0, 0, 1, 1, 2, 2], np.zeros((3, 2)), "are float64, and should be cluster numbers"),
    ],
)
def test_clusters_that_the_centres_do_not_explain_are_refused(
    prepared: Prepared, labels: list[int], centers: NDArray[np.float64] | None, message: str
) -> None:
    predictions = predictions_of(prepared, np.array(labels))
    with pytest.raises(PredictionsError) as caught:
        score(prepared, predictions, ["inertia"], task="clustering", centers=centers)
    assert message in str(caught.value)


def test_the_centre_of_an_empty_cluster_may_be_anything(prepared: Prepared) -> None:
    centers = np.array([[0.0, 0.0], [np.nan, np.nan]])
    predictions = predictions_of(prepared, np.zeros(6, dtype=np.int32))
    found = score(prepared, predictions, ["inertia"], task="clustering", centers=centers)
    assert found.values["inertia"] == 239.0


def test_a_metric_that_does_not_fit_is_refused(prepared: Prepared, numbered: Prepared) -> None:
    labels = predictions_of(prepared, np.zeros(6, dtype=np.int32))
    with pytest.raises(ValueError, match="no metric 'accuracy' for clustering"):
        score(prepared, labels, ["accuracy"], task="clustering")
    labels = predictions_of(numbered, np.zeros(5, dtype=np.int32))
    with pytest.raises(ValueError, match="adjusted_rand needs a label of classes"):
        score(numbered, labels, ["adjusted_rand"], task="clustering")
