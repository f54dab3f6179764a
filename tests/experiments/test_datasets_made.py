from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sklearn.datasets import make_blobs, make_classification

from engines.prepared import read_rows
from experiments.datasets import prepare
from experiments.datasets.made import open_made
from experiments.datasets.options import (
    DatasetOptions,
    MakeBlobsOptions,
    MakeClassificationOptions,
)
from experiments.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

OPTIONS: TypeAdapter[Any] = TypeAdapter(DatasetOptions)
NUMBERS = st.floats(-5, 5)


def rows_of(options: Any, block_rows: int = 7) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the matrix and the class of each row as the source gives them."""
    table = open_made(options, "auto")
    blocks = list(table.blocks(block_rows))
    assert max(block.n_rows for block in blocks) <= block_rows
    classes = np.array([int(name) for name in table.labels.classes])
    columns = np.concatenate([block.columns for block in blocks], axis=1)
    assert len(table.features) == columns.shape[0]
    assert table.n_rows == columns.shape[1]
    return columns.T, classes[table.labels.codes]


@st.composite
def of_classification(draw: st.DrawFn) -> dict[str, Any]:
    n_informative = draw(st.integers(1, 5))
    n_redundant, n_repeated = draw(st.integers(0, 3)), draw(st.integers(0, 2))
    n_features = n_informative + n_redundant + n_repeated + draw(st.integers(0, 3))
    n_classes = draw(st.integers(1, min(4, 2**n_informative)))
    shares = st.lists(st.floats(0, 1), min_size=n_classes - 1, max_size=n_classes)
    for_each = st.lists(NUMBERS, min_size=n_features, max_size=n_features)
    possible: dict[str, st.SearchStrategy[Any]] = {
        "n_samples": st.integers(1, 60),
        "n_clusters_per_class": st.integers(1, 2**n_informative // n_classes),
        "weights": st.none() | shares,
        "flip_y": st.floats(0, 1),
        "class_sep": st.floats(0.01, 3),
        "hypercube": st.booleans(),
        "shift": st.none() | NUMBERS | for_each,
        "scale": st.none() | st.floats(0.1, 9) | for_each,
        "shuffle": st.booleans(),
        "random_state": st.integers(0, 2**32 - 1),
    }
    given_ones = draw(st.sets(st.sampled_from(sorted(possible))))
    return {
        "n_features": n_features,
        "n_informative": n_informative,
        "n_redundant": n_redundant,
        "n_repeated": n_repeated,
        "n_classes": n_classes,
        "n_clusters_per_class": 1,
        **{name: draw(possible[name]) for name in sorted(given_ones)},
    }


@st.composite
def of_blobs(draw: st.DrawFn) -> dict[str, Any]:
    n_centers, n_features = draw(st.integers(1, 5)), draw(st.integers(1, 4))

    def for_each(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.lists(values, min_size=n_centers, max_size=n_centers)

    points = for_each(st.lists(NUMBERS, min_size=n_features, max_size=n_features))
    n_samples = draw(st.integers(1, 60) | for_each(st.integers(0, 9)).filter(sum))
    listed = isinstance(n_samples, list)
    possible: dict[str, st.SearchStrategy[Any]] = {
        "n_features": st.integers(1, 4),
        "cluster_std": st.floats(0, 3) | for_each(st.floats(0, 3)),
        "center_box": st.tuples(NUMBERS, NUMBERS).map(sorted),
        "shuffle": st.booleans(),
        "random_state": st.integers(0, 2**32 - 1),
    }
    given_ones = draw(st.sets(st.sampled_from(sorted(possible))))
    return {
        "n_samples": n_samples,
        "centers": draw((st.none() if listed else st.just(n_centers)) | points),
        **{name: draw(possible[name]) for name in sorted(given_ones)},
    }


@settings(max_examples=120, deadline=None)
@given(of_classification())
def test_rows_of_make_classification_are_scikit_learns_to_the_last_bit(
    arguments: dict[str, Any],
) -> None:
    X, y = make_classification(**{"random_state": 0, **arguments})
    found, classes = rows_of(MakeClassificationOptions(**arguments))
    assert found.tobytes() == X.tobytes()
    assert np.array_equal(classes, y)


@settings(max_examples=120, deadline=None)
@given(of_blobs())
def test_rows_of_make_blobs_are_scikit_learns_to_the_last_bit(arguments: dict[str, Any]) -> None:
    native = {"random_state": 0, **arguments}
    if "center_box" in native:
        native["center_box"] = tuple(native["center_box"])
    X, y = make_blobs(**native)
    options = MakeBlobsOptions(**arguments)
    found, classes = rows_of(options)
    assert found.tobytes() == X.tobytes()
    assert np.array_equal(classes, y)
    assert options.shape == X.shape


def test_defaults_are_scikit_learns() -> None:
    X, y = make_classification(random_state=0)
    found, classes = rows_of(MakeClassificationOptions())
    assert np.array_equal(found, X)
    assert np.array_equal(classes, y)
    X, y = make_blobs(random_state=0)
    found, classes = rows_of(MakeBlobsOptions())
    assert np.array_equal(found, X)
    assert np.array_equal(classes, y)


def test_prepared_rows_are_those_that_a_plain_script_draws(tmp_path: Path) -> None:
    options = OPTIONS.validate_python({"source": "make_classification", "n_samples": 300})
    prepared = prepare(options, None, label_kind="classes", min_row_groups=3, cache=tmp_path)
    rows = read_rows(prepared, prepared.row_groups, "train")
    X, y = make_classification(n_samples=300, random_state=0)
    assert rows.X.tobytes() == X.tobytes()
    assert np.array_equal(rows.y, y)
    assert prepared.classes == ("0", "1")


def test_labels_are_numbers_when_regression_is_asked() -> None:
    table = open_made(MakeBlobsOptions(n_samples=10), "numbers")
    assert table.labels.kind == "numbers"
    drawn = np.concatenate([block.y for block in table.blocks(4)])
    assert np.array_equal(drawn, make_blobs(n_samples=10, random_state=0)[1])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"n_informative": 19}, "must sum to at most n_features, 20; got 21"),
        ({"n_classes": 3}, "6, must be at most 2 to the power of n_informative, 2"),
        ({"weights": [0.2]}, None),
        ({"weights": []}, "a share for each of n_classes, 2, or for all but the last; got 0"),
        ({"weights": [0.2, 0.3, 0.5]}, "for all but the last; got 3"),
        ({"weights": [0.2, 1.5]}, "weights must be a list of shares between 0 and 1; got"),
        ({"weights": 0.5}, "weights must be a list of shares between 0 and 1; got 0.5"),
        ({"shift": [1.0, 2.0]}, "shift must be one number or one for each of n_features, 20"),
        ({"shift": [True] * 20}, "shift must be a number, a list with one for each feature"),
        ({"scale": 0.0}, "greater than 0"),
        ({"class_sep": 0.0}, "greater than 0"),
        ({"scale": float("nan")}, "scale must be a number"),
        ({"random_state": None}, "valid integer"),
        ({"return_X_y": True}, "Extra inputs"),
    ],
)
def test_arguments_that_make_classification_has_no_use_for_are_refused(
    options: dict[str, Any], told: str | None
) -> None:
    source = {"source": "make_classification", **options}
    if told is None:
        OPTIONS.validate_python(source)
        return
    with pytest.raises(ValidationError, match=told):
        OPTIONS.validate_python(source)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"n_samples": [3, -1]}, "n_samples must be a number of rows, 1 or more, or a list"),
        ({"n_samples": [0, 0]}, "n_samples must be a number of rows"),
        ({"n_samples": True}, "n_samples must be a number of rows"),
        ({"n_samples": [3, 4], "centers": 2}, "centers must be a list of points, or left out"),
        ({"n_samples": [3, 4], "centers": [[0.0]]}, "a number for each of 1 centers; got 2"),
        ({"centers": [[0.0], [1.0, 2.0]]}, "a list of points that are lists of as many numbers"),
        ({"centers": [0.0, 1.0]}, "centers must be a number from 1 to 10000, or a list of points"),
        ({"centers": []}, "centers must be a number from 1 to 10000"),
        ({"centers": 10_001}, "centers must be a number from 1 to 10000"),
        ({"n_samples": [1] * 10_001}, "at most 10,000 centers; got 10,001"),
        ({"cluster_std": [1.0, 2.0]}, "one for each of 3 centers; got 2"),
        ({"cluster_std": -1.0}, "cluster_std must be a number, 0 or more"),
        ({"center_box": [1.0]}, r"center_box must be a list of two numbers; got \[1\.0\]"),
    ],
)
def test_arguments_that_make_blobs_has_no_use_for_are_refused(
    options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValidationError, match=told):
        OPTIONS.validate_python({"source": "make_blobs", **options})


def test_what_scikit_learn_itself_refuses_is_told_in_a_sentence() -> None:
    options = MakeBlobsOptions(center_box=(-1.5e308, 1.5e308))
    with pytest.raises(RequestError, match=r"cannot draw .*'make_blobs' with these values: .*\.$"):
        open_made(options, "auto")


@pytest.mark.parametrize(
    "options",
    [
        MakeClassificationOptions(n_samples=40_000_000),
        MakeClassificationOptions(
            n_samples=100, n_features=42, n_informative=40, n_clusters_per_class=10**9
        ),
        MakeBlobsOptions(n_samples=40_000_000, n_features=20),
    ],
)
def test_rows_that_do_not_fit_memory_are_refused_before_they_are_drawn(
    options: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = psutil.virtual_memory()._replace(available=2**33)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    # a sample, so that the disk would have room for what is kept
    small = options.model_copy(update={"sample": 10})
    with pytest.raises(RequestError, match=r"in memory, which takes .* and 8\.0 GiB are free"):
        prepare(small, None, label_kind="auto", min_row_groups=1, cache=tmp_path)


def test_memory_that_drawing_takes_is_within_what_is_reckoned() -> None:
    import tracemalloc

    options = MakeClassificationOptions(
        n_samples=40_000, n_features=30, n_informative=12, n_redundant=8, n_repeated=4
    )
    from experiments.datasets.size import _made_bytes

    tracemalloc.start()
    try:
        open_made(options, "auto")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0.5 * _made_bytes(options) < peak < _made_bytes(options)
