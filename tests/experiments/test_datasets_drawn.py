"""Rows that workers draw: bit for bit those of the prepared files, whichever are asked for."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engines.errors import SpecError
from engines.manifest import MANIFEST
from engines.prepared import (
    Prepared,
    open_prepared,
    read_columns,
    read_folds,
    read_labels,
    read_rows,
)
from experiments.datasets import draw_initial_centers, prepare
from experiments.datasets.drawn import DrawnBlocks
from experiments.datasets.opening import open_dataset
from experiments.datasets.options import (
    BlobsOptions,
    ClassificationOptions,
    RegressionOptions,
    SplitOptions,
)
from experiments.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from experiments.datasets.options import GeneratedOptions

COLUMNS = ("label", "row_id", "split", "fold")
SPLIT = SplitOptions(test_fraction=0.3, folds=4, seed=2)

SOURCES: dict[str, GeneratedOptions] = {
    "blobs": BlobsOptions(n_samples=70_001, n_features=3, centers=5, seed=3),
    "blobs, sampled, of which some have no row": BlobsOptions(
        n_samples=3001, n_features=2, centers=300, seed=3, sample=250, sample_seed=4
    ),
    "classification, scaled, levels, float32": ClassificationOptions(
        n_samples=140_000,
        n_features=5,
        n_informative=3,
        n_classes=3,
        levels=64,
        standardize=True,
        dtype="float32",
        sample=0.7,
    ),
    "regression, wide, float32": RegressionOptions(
        n_samples=18_000, n_features=130, noise=1.0, standardize=True, dtype="float32"
    ),
    "regression, sampled, levels": RegressionOptions(
        n_samples=70_000, n_features=4, n_informative=2, noise=1.0, sample=0.9, levels=16
    ),
}


def both(
    options: GeneratedOptions, cache: Path, split: SplitOptions | None = SPLIT, **asked: Any
) -> tuple[Prepared, Prepared]:
    """Prepare the same rows in files, and to be drawn."""
    asked = {"label_kind": "auto", "min_row_groups": 7, "learns_label": False, **asked}
    on_workers = options.model_copy(update={"generate": "on_workers"})
    return (
        prepare(options, split, cache=cache, **asked),
        prepare(on_workers, split, cache=cache, **asked),
    )


def sent(prepared: Prepared) -> Prepared:
    """Return what a worker receives."""
    received: Prepared = pickle.loads(pickle.dumps(prepared))  # noqa: S301 - our own
    return received


def assert_same_rows(files: Prepared, drawn: Prepared, start: int, stop: int) -> None:
    """Compare some row groups bit for bit, as a worker reads them that was sent nothing else."""
    part = sent(drawn.part(drawn.row_groups[start:stop]))
    for split in ("train", "test"):
        expected = read_rows(files, files.row_groups[start:stop], split)
        for found in (
            read_rows(part, part.row_groups, split),
            read_rows(drawn, drawn.row_groups[start:stop], split),
        ):
            for one, other in zip(found, expected, strict=True):
                assert one.dtype == other.dtype
                assert one.tobytes() == other.tobytes()
    columns = read_columns(files, files.row_groups[start:stop], COLUMNS)
    for found, expected in zip(read_columns(part, part.row_groups, COLUMNS), columns, strict=True):
        for name in COLUMNS:
            assert found[name].dtype == expected[name].dtype
            assert found[name].tobytes() == expected[name].tobytes()


@pytest.mark.parametrize("exact_rows", [10_000_000, 1000], ids=["split exactly", "split by hash"])
@pytest.mark.parametrize("name", SOURCES)
def test_any_block_is_that_of_the_files(name: str, exact_rows: int, tmp_path: Path) -> None:
    files, drawn = both(SOURCES[name], tmp_path, exact_rows=exact_rows)
    n_groups = len(files.row_groups)
    for n_blocks in (1, 2, 3, n_groups):
        edges = [n_groups * number // n_blocks for number in range(n_blocks + 1)]
        for start, stop in pairwise(edges):
            assert_same_rows(files, drawn, start, stop)


@pytest.mark.parametrize("name", SOURCES)
def test_all_that_is_known_of_the_rows_is_the_same(name: str, tmp_path: Path) -> None:
    files, drawn = both(SOURCES[name], tmp_path)
    groups = [(group.train, group.test) for group in files.row_groups]
    assert [(group.train, group.test) for group in drawn.row_groups] == groups
    for field in ("fingerprint", "features", "dtype", "label_kind", "classes", "counts"):
        assert getattr(drawn, field) == getattr(files, field)
    assert drawn.mean_variance == files.mean_variance
    assert drawn.n_folds == files.n_folds
    for split in ("train", "test"):
        for read in (read_labels, read_folds):
            for one, other in zip(read(drawn, split), read(files, split), strict=True):
                assert one.tobytes() == other.tobytes()


def test_labels_taken_for_numbers_are_the_same(tmp_path: Path) -> None:
    files, drawn = both(SOURCES["blobs"], tmp_path, None, label_kind="numbers")
    assert_same_rows(files, drawn, 0, len(files.row_groups))


def test_no_rows_are_written(tmp_path: Path) -> None:
    options = BlobsOptions(n_samples=100_000, n_features=20, generate="on_workers")
    drawn = prepare(options, SPLIT, label_kind="auto", min_row_groups=2, cache=tmp_path)
    written = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    assert written < 2 * drawn.n_rows
    assert any("draws its own rows" in note for note in drawn.notes)


def test_what_is_sent_for_a_block_is_of_that_block_alone(tmp_path: Path) -> None:
    _, drawn = both(SOURCES["blobs"], tmp_path)
    whole = len(pickle.dumps(drawn))
    part = len(pickle.dumps(drawn.part(drawn.row_groups[:1])))
    assert part < whole / 5


def test_starting_centres_are_the_same(tmp_path: Path) -> None:
    files, drawn = both(SOURCES["blobs"], tmp_path)
    expected = draw_initial_centers(files, 5, 0)
    assert draw_initial_centers(drawn, 5, 0).tobytes() == expected.tobytes()


def test_another_numpy_refuses_to_draw(tmp_path: Path) -> None:
    _, drawn = both(SOURCES["blobs"], tmp_path)
    assert isinstance(drawn.blocks, DrawnBlocks)
    foreign = replace(drawn, blocks=replace(drawn.blocks, numpy="1.0.0"))
    with pytest.raises(SpecError, match=rf"NumPy 1\.0\.0, and NumPy {np.__version__}"):
        read_rows(foreign, foreign.row_groups, "train")


def test_a_folder_without_rows_is_not_opened_as_one_with_files(tmp_path: Path) -> None:
    _, drawn = both(SOURCES["blobs"], tmp_path)
    with pytest.raises(SpecError, match="has no rows, only how to draw them"):
        open_prepared(drawn.address)
    assert open_dataset(drawn.address).counts == drawn.counts


def test_a_label_that_cannot_be_learned_is_refused_as_for_files(tmp_path: Path) -> None:
    options = SOURCES["blobs, sampled, of which some have no row"]
    for generate in ("prepared", "on_workers"):
        asked = options.model_copy(update={"generate": generate})
        with pytest.raises(RequestError, match="No training row has class"):
            prepare(asked, SPLIT, label_kind="classes", min_row_groups=2, cache=tmp_path)


def test_where_rows_are_drawn_is_written_only_where_it_is_unusual() -> None:
    options = BlobsOptions(n_samples=10)
    assert "generate" not in options.model_dump(mode="json")
    on_workers = options.model_copy(update={"generate": "on_workers"})
    assert json.loads(on_workers.model_dump_json())["generate"] == "on_workers"


def test_a_part_that_is_cut_off_is_noticed(tmp_path: Path) -> None:
    _, drawn = both(SOURCES["blobs"], tmp_path)
    assert drawn.path is not None
    (described,) = json.loads((drawn.path / MANIFEST).read_bytes())["files"]
    part = drawn.path / described["name"]
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(SpecError, match=rf"is not {described['bytes']} bytes long"):
        open_dataset(drawn.address)
