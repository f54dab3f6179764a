from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from experiments.datasets import prepare, writer
from experiments.datasets.moments import Moments
from experiments.datasets.options import (
    BlobsOptions,
    BundledOptions,
    ClassificationOptions,
    CsvOptions,
    FoldOptions,
    ParquetOptions,
    RegressionOptions,
    SplitOptions,
)
from experiments.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from engines.prepared import Prepared


def prepared_of(tmp_path: Path, options: Any, split: Any = None, **arguments: Any) -> Prepared:
    arguments = {"label_kind": "auto", "min_row_groups": 2, "cache": tmp_path / "cache"} | arguments
    return prepare(options, split, **arguments)


def table_of(prepared: Prepared) -> pd.DataFrame:
    files = dict.fromkeys(group.file for group in prepared.row_groups)
    return pd.concat([pq.read_table(prepared.path / file).to_pandas() for file in files])


def bytes_of(prepared: Prepared) -> dict[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(prepared.path.iterdir())
    }


@pytest.mark.parametrize(
    ("source", "load", "kind"),
    [
        ("digits", load_digits, "classes"),
        ("breast_cancer", load_breast_cancer, "classes"),
        ("wine", load_wine, "classes"),
        ("iris", load_iris, "classes"),
        ("diabetes", load_diabetes, "numbers"),
    ],
)
def test_bundled_data_arrives_as_scikit_learn_has_it(
    tmp_path: Path, source: Any, load: Any, kind: str
) -> None:
    prepared = prepared_of(tmp_path, BundledOptions(source=source))
    bunch = load()
    table = table_of(prepared)

    assert list(table.columns) == [*bunch.feature_names, "label", "row_id", "split", "fold"]
    assert np.array_equal(table[bunch.feature_names].to_numpy(), bunch.data)
    assert np.array_equal(table["label"], bunch.target)
    assert prepared.label_kind == kind
    if kind == "classes":
        assert prepared.classes == tuple(str(name) for name in bunch.target_names)
    assert prepared.counts == {"train": len(bunch.data), "test": 0}
    assert prepared.mean_variance == pytest.approx(bunch.data.var(axis=0).mean(), rel=1e-12)


def test_the_label_of_a_bundled_source_can_be_told_what_it_is(tmp_path: Path) -> None:
    digits = prepared_of(tmp_path, BundledOptions(source="digits"), label_kind="numbers")
    assert digits.task == "regression"
    assert set(table_of(digits)["label"]) == set(map(float, range(10)))
    with pytest.raises(RequestError, match="holds text, and regression needs numbers"):
        prepared_of(tmp_path, BundledOptions(source="iris"), label_kind="numbers")


def test_columns_have_the_types_of_the_contract(tmp_path: Path) -> None:
    for options, label in [
        (BundledOptions(source="iris", dtype="float32"), "int32"),
        (BundledOptions(source="diabetes", dtype="float64"), "double"),
    ]:
        prepared = prepared_of(tmp_path, options)
        schema = pq.read_schema(prepared.path / "part-00000.parquet")
        feature = {"float32": "float", "float64": "double"}[options.dtype]
        assert {str(schema.field(name).type) for name in prepared.features} == {feature}
        assert [str(schema.field(name).type) for name in ("label", "row_id", "split", "fold")] == [
            label,
            "int64",
            "int8",
            "int8",
        ]


def test_split_and_folds_stand_beside_the_rows(tmp_path: Path) -> None:
    split = SplitOptions(test_fraction=0.2, seed=5, stratify=True, folds=3)
    prepared = prepared_of(tmp_path, BundledOptions(source="iris"), split)
    table = table_of(prepared)
    y = load_iris().target
    _, test = train_test_split(np.arange(150), test_size=0.2, random_state=5, stratify=y)

    assert table["row_id"].tolist() == list(range(150))
    assert sorted(table["row_id"][table["split"] == 1]) == sorted(test)
    assert (table["fold"][table["split"] == 1] == -1).all()
    assert table["fold"][table["split"] == 0].value_counts().tolist() == [40, 40, 40]
    assert prepared.counts == {"train": 120, "test": 30}
    assert prepared.n_folds == 3
    groups = table.assign(group=table["row_id"] // 75).groupby("group")["split"]
    assert [(group.train, group.test) for group in prepared.row_groups] == [
        (int((part == 0).sum()), int((part == 1).sum())) for _, part in groups
    ]


def test_standardizing_uses_the_training_rows_only(tmp_path: Path) -> None:
    split = SplitOptions(test_fraction=0.3, seed=1)
    data = load_wine().data
    train, _ = train_test_split(np.arange(len(data)), test_size=0.3, random_state=1)
    expected = StandardScaler().fit(data[train]).transform(data)

    prepared = prepared_of(tmp_path, BundledOptions(source="wine", standardize=True), split)
    scaled = table_of(prepared)[list(prepared.features)].to_numpy()
    assert np.allclose(scaled, expected, rtol=1e-12, atol=1e-12)
    assert prepared.mean_variance == pytest.approx(1.0, rel=1e-12)


def test_a_constant_feature_becomes_zero_when_standardized(tmp_path: Path) -> None:
    path = tmp_path / "constant.csv"
    pd.DataFrame({"a": [0.1] * 30, "b": range(30)}).to_csv(path, index=False)
    prepared = prepared_of(tmp_path, CsvOptions(path=str(path), standardize=True))
    assert (table_of(prepared)["a"] == 0.0).all()
    assert prepared.mean_variance == pytest.approx(0.5)


def test_a_feature_constant_in_training_is_divided_by_one(tmp_path: Path) -> None:
    split = SplitOptions(test_fraction=0.25)
    _, test = train_test_split(np.arange(400), test_size=0.25, random_state=0)
    values = np.full(400, 0.1)
    values[test] = 7.1
    path = tmp_path / "constant.csv"
    pd.DataFrame({"a": values, "b": range(400)}).to_csv(path, index=False)
    table = table_of(prepared_of(tmp_path, CsvOptions(path=str(path), standardize=True), split))
    assert set(table["a"].round(12)) == {0.0, 7.0}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("levels", [2, 16, 256])
def test_levels_bound_the_distinct_values_of_every_feature(
    tmp_path: Path, dtype: Any, levels: int
) -> None:
    options = BlobsOptions(
        n_samples=5000, n_features=4, dtype=dtype, levels=levels, standardize=True
    )
    split = SplitOptions(test_fraction=0.5)
    prepared = prepared_of(tmp_path, options, split)
    table = table_of(prepared)
    plain = table_of(prepared_of(tmp_path, options.model_copy(update={"levels": None}), split))
    train = table["split"] == 0
    for name in prepared.features:
        low, high = plain[name][train].min(), plain[name][train].max()
        step = (high - low) / (levels - 1)
        values = np.unique(table[name])
        assert len(values) <= levels
        assert np.isclose((values - low) / step, np.rint((values - low) / step), atol=1e-3).all()
        assert values.min() >= low - 1e-6
        assert values.max() <= high + 1e-6
        assert (table[name] - plain[name].clip(low, high)).abs().max() <= step * 0.5001


def test_levels_of_a_constant_feature_keep_its_value(tmp_path: Path) -> None:
    path = tmp_path / "constant.csv"
    pd.DataFrame({"a": [0.1] * 9, "b": range(9)}).to_csv(path, index=False)
    table = table_of(prepared_of(tmp_path, CsvOptions(path=str(path), levels=4)))
    assert (table["a"] == 0.1).all()
    assert len(set(table["b"])) == 4


def test_float32_is_the_last_step(tmp_path: Path) -> None:
    double = BundledOptions(source="wine", standardize=True)
    single = double.model_copy(update={"dtype": "float32"})
    tables = [table_of(prepared_of(tmp_path, options)) for options in (double, single)]
    features = load_wine().feature_names
    expected = tables[0][features].to_numpy().astype(np.float32)
    assert np.array_equal(tables[1][features].to_numpy(), expected)


def test_the_mean_variance_is_that_of_the_written_training_rows(tmp_path: Path) -> None:
    options = BlobsOptions(n_samples=150_000, n_features=3, levels=7, dtype="float32")
    prepared = prepared_of(tmp_path, options, SplitOptions(test_fraction=0.4))
    table = table_of(prepared)
    train = table[table["split"] == 0][list(prepared.features)].to_numpy(np.float64)
    assert prepared.mean_variance == pytest.approx(train.var(axis=0).mean(), rel=1e-12)


def test_values_beyond_float32_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    path.write_text("a,b\n1,2\n2,1e39\n")
    with pytest.raises(RequestError, match=r"'b' of large.csv has the value 1e\+39, which float32"):
        prepared_of(tmp_path, CsvOptions(path=str(path), dtype="float32"))


@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"levels": 5}])
def test_values_whose_variance_overflows_are_refused(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    path = tmp_path / "large.csv"
    path.write_text("a,b\n1,2\n2,1.7e308\n3,-1.7e308\n")
    with pytest.raises(RequestError, match=r"too large for their|is too large for its variance"):
        prepared_of(tmp_path, CsvOptions(path=str(path), **options))


def test_a_sample_is_drawn_before_rows_are_numbered_and_split(tmp_path: Path) -> None:
    options = BundledOptions(source="digits", sample=500, sample_seed=3)
    prepared = prepared_of(tmp_path, options, SplitOptions(test_fraction=0.2))
    table = table_of(prepared)
    keep = np.random.default_rng(3).choice(1797, 500, replace=False)
    expected = load_digits().data[np.sort(keep)]
    assert np.array_equal(table[list(prepared.features)].to_numpy(), expected)
    assert table["row_id"].tolist() == list(range(500))
    assert prepared.counts == {"train": 400, "test": 100}


def test_a_sample_without_some_class_numbers_the_others_from_zero(tmp_path: Path) -> None:
    path = tmp_path / "rare.csv"
    rows = [(i, "rare" if i == 0 else "abz"[i % 3]) for i in range(60)]
    pd.DataFrame(rows, columns=["x", "y"]).to_csv(path, index=False)
    for seed in range(5):
        options = CsvOptions(path=str(path), label="y", sample=0.5, sample_seed=seed)
        prepared = prepared_of(tmp_path, options)
        table = table_of(prepared)
        names = [prepared.classes[code] for code in table["label"]]
        assert names == [rows[int(x)][1] for x in table["x"]]
        assert sorted(set(names)) == list(prepared.classes)


@pytest.mark.parametrize("block_rows", [997, 65_536, 1_000_000])
@pytest.mark.parametrize("source", ["blobs", "regression", "csv", "parquet"])
def test_the_bytes_do_not_depend_on_the_block_size(
    tmp_path: Path, source: str, block_rows: int
) -> None:
    common: dict[str, Any] = {"standardize": True, "levels": 50, "sample": 0.9}
    options: Any
    if source == "blobs":
        options = BlobsOptions(n_samples=80_000, centers=4, **common)
    elif source == "regression":
        options = RegressionOptions(n_samples=80_000, n_features=2, n_informative=1, **common)
    else:
        rng = np.random.default_rng(0)
        frame = pd.DataFrame(rng.normal(1e6, 1, size=(75_000, 2)), columns=["a", "b"])
        if source == "csv":
            frame.to_csv(tmp_path / "d.csv", index=False)
            options = CsvOptions(path=str(tmp_path / "d.csv"), **common)
        else:
            frame.to_parquet(tmp_path / "d.parquet", row_group_size=30_011)
            options = ParquetOptions(path=str(tmp_path / "d.parquet"), **common)
    split = SplitOptions(test_fraction=0.25, folds=3)
    one = prepared_of(tmp_path, options, split, cache=tmp_path / "one", block_rows=4096)
    other = prepared_of(tmp_path, options, split, cache=tmp_path / "other", block_rows=block_rows)
    assert one.fingerprint == other.fingerprint
    assert bytes_of(one) == bytes_of(other)


def test_row_groups_are_as_many_as_asked_and_of_one_size(tmp_path: Path) -> None:
    options = BlobsOptions(n_samples=1000, centers=2)
    for asked in (1, 3, 8, 40):
        prepared = prepared_of(tmp_path, options, min_row_groups=asked)
        sizes = [group.train + group.test for group in prepared.row_groups]
        assert len(sizes) >= asked
        assert set(sizes[:-1]) <= {-(-1000 // asked)}
        assert sum(sizes) == 1000
        files = [group.file for group in prepared.row_groups]
        assert max(files.count(file) for file in files) <= 16
        for group in prepared.row_groups:
            metadata = pq.read_metadata(prepared.path / group.file).row_group(group.index)
            assert metadata.num_rows == group.train + group.test


def test_row_groups_of_many_and_of_wide_rows_are_bounded() -> None:
    assert writer.group_rows(10**9, 20, 4) == 131_072
    assert writer.group_rows(10**9, 4096, 4) == 2048
    assert writer.group_rows(10, 4, 64) == 1


def test_rows_of_one_page_more_and_less_are_written_whole(tmp_path: Path) -> None:
    for rows in (65_535, 65_536, 65_537):
        prepared = prepared_of(tmp_path, BlobsOptions(n_samples=rows, n_features=1))
        assert table_of(prepared)["row_id"].tolist() == list(range(rows))


def test_splits_by_hash_are_used_beyond_the_exact_rows(tmp_path: Path) -> None:
    options = BlobsOptions(n_samples=4000, sample=0.5)
    split = SplitOptions(test_fraction=0.25, folds=2, stratify=True)
    prepared = prepared_of(tmp_path, options, split, exact_rows=1000)
    exact = prepared_of(tmp_path, options, split)
    folds = "Folds are written to the data; only a search uses them."
    assert len(prepared.notes) == 3
    assert prepared.notes[2] == folds
    assert exact.notes == (folds,)
    assert prepared.fingerprint != exact.fingerprint
    assert prepared.counts["test"] / prepared.n_rows == pytest.approx(0.25, abs=0.04)


def test_progress_ends_at_all_rows_of_all_passes(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    path = tmp_path / "d.csv"
    path.write_text("a\n" + "1\n2\n" * 50)
    options = CsvOptions(path=str(path), standardize=True)
    prepared_of(tmp_path, options, on_progress=lambda *at: seen.append(at))
    assert seen == [(100, None), (100, 200), (200, 200)]


@settings(max_examples=60, deadline=None)
@given(
    offset=st.floats(-1e8, 1e8),
    cuts=st.lists(st.integers(1, 30), min_size=1, max_size=8),
    seed=st.integers(0, 100),
)
def test_merged_moments_are_those_of_all_rows(offset: float, cuts: list[int], seed: int) -> None:
    X = np.random.default_rng(seed).normal(offset, 1.0, size=(2, sum(cuts)))
    moments = Moments(2)
    for part in np.split(X, np.cumsum(cuts)[:-1], axis=1):
        moments.add(np.ascontiguousarray(part))
    assert moments.n_rows == sum(cuts)
    assert np.allclose(moments.mean, X.mean(axis=1), rtol=1e-14, atol=1e-12)
    assert np.allclose(moments.variance, X.var(axis=1), rtol=1e-7, atol=1e-14)
    assert np.array_equal(moments.low, X.min(axis=1))
    assert np.array_equal(moments.high, X.max(axis=1))


def test_the_options_are_imported_without_any_heavy_library() -> None:
    script = (
        "import sys; import experiments.datasets, experiments.datasets.options; "
        "print([m for m in ('sklearn', 'pandas', 'pyarrow', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_label_that_cannot_be_learned_is_no_reason_to_refuse_where_it_is_not(
    tmp_path: Path,
) -> None:
    held_out = SplitOptions(test_fraction=0.25)
    (tmp_path / "one.csv").write_text("a,y\n" + "".join(f"{i},u\n" for i in range(40)))
    (tmp_path / "same.csv").write_text("a,y\n" + "".join(f"{i},1.5\n" for i in range(40)))
    (tmp_path / "ids.csv").write_text("a,y\n" + "".join(f"{i},id-{i}\n" for i in range(10_001)))
    many = [
        (BlobsOptions(n_samples=2000, centers=600), "No training row has class", "classes"),
        (CsvOptions(path=f"{tmp_path}/one.csv", label="y"), "same value 'u' in every", "classes"),
        (CsvOptions(path=f"{tmp_path}/same.csv", label="y"), "same value 1.5 in every", "numbers"),
        (CsvOptions(path=f"{tmp_path}/ids.csv", label="y"), "more than 10,000 distinct", "none"),
    ]
    for options, why, kind in many:
        with pytest.raises(RequestError, match=why):
            prepared_of(tmp_path, options, held_out)
        prepared = prepared_of(tmp_path, options, held_out, learns_label=False)
        assert prepared.label_kind == kind
        assert len(prepared.notes) == (0 if kind == "classes" and len(prepared.classes) > 1 else 1)
        # found in the cache now, which must not hide what is wrong
        with pytest.raises(RequestError, match=why):
            prepared_of(tmp_path, options, held_out)


def test_whether_the_label_is_learned_does_not_change_the_data(tmp_path: Path) -> None:
    options = BundledOptions(source="iris")
    learned = prepared_of(tmp_path, options)
    assert prepared_of(tmp_path, options, learns_label=False) == learned


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (BlobsOptions(n_samples=10**15), "GiB left; lower dataset.n_samples or dataset.n_fea"),
        (RegressionOptions(n_samples=10**15), "GiB left; lower dataset.n_samples or dataset.n_fe"),
        (BlobsOptions(n_samples=10**15, sample=10), "GiB of memory, and this machine has"),
        (
            ClassificationOptions(n_samples=9, n_features=100_000, n_informative=100_000),
            "more memory than there is; lower dataset.n_samples, n_features, n_informative",
        ),
    ],
)
def test_data_that_fits_no_disk_or_memory_is_refused_at_once(
    tmp_path: Path, options: Any, told: str
) -> None:
    with pytest.raises(RequestError, match=told):
        prepared_of(tmp_path, options)
    assert not list(tmp_path.glob("cache/*"))


def test_folds_of_a_search_are_written_with_the_rows_and_have_folders_of_their_own(
    tmp_path: Path,
) -> None:
    options, split = BundledOptions(source="iris"), SplitOptions(test_fraction=0.2)
    asked = [
        None,
        FoldOptions(5),
        FoldOptions(5, shuffle=True),
        FoldOptions(5, shuffle=True, seed=1),
        FoldOptions(5, stratify=True),
        FoldOptions(4),
    ]
    found = [prepared_of(tmp_path, options, split, folds=folds) for folds in asked]
    assert len({one.path for one in found}) == len(asked)
    assert [one.n_folds for one in found] == [0, 5, 5, 5, 5, 4]
    assert {one.notes for one in found} == {()}

    table = table_of(found[1])
    train = table["split"] == 0
    assert (table.loc[~train, "fold"] == -1).all()
    # without a shuffle the folds are runs of training rows
    assert np.array_equal(table.loc[train, "fold"], np.repeat(np.arange(5), 24))
    assert prepared_of(tmp_path, options, split, folds=FoldOptions(5)) == found[1]


def test_folds_without_a_split_cover_all_rows(tmp_path: Path) -> None:
    prepared = prepared_of(tmp_path, BundledOptions(source="iris"), None, folds=FoldOptions(3))
    assert prepared.counts == {"train": 150, "test": 0}
    assert np.bincount(table_of(prepared)["fold"]).tolist() == [50, 50, 50]
