from __future__ import annotations

import csv
import datetime as dt
import gzip
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.prepared import read_rows
from experiments.datasets import csv_files, labels, prepare
from experiments.datasets.options import CsvOptions, ParquetOptions, SplitOptions
from experiments.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from engines.prepared import Prepared


CSV_PIECES = [
    *["a", "b", "", "1", "2.5", "nan", "inf", "true", "x y", "-", "1e999", "label"],
    *[",", ",", ",", "\n", "\n", "\r\n", '"', " ", "\ufeff", "é", "\0"],
]


def prepare_csv(
    tmp_path: Path, text: str | bytes, label_kind: Any = "auto", **options: Any
) -> Prepared:
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return prepare(
        CsvOptions(path=str(path), **options),
        None,
        label_kind=label_kind,
        min_row_groups=1,
        cache=tmp_path / "cache",
    )


def prepare_parquet(
    tmp_path: Path, columns: dict[str, Any], label_kind: Any = "auto", **options: Any
) -> Prepared:
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return prepare(
        ParquetOptions(path=str(path), **options),
        None,
        label_kind=label_kind,
        min_row_groups=1,
        cache=tmp_path / "cache",
    )


def matrix(prepared: Prepared) -> list[list[float]]:
    rows: list[list[float]] = read_rows(prepared, prepared.row_groups, "train").X.tolist()
    return rows


def label(prepared: Prepared) -> list[float]:
    values: list[float] = read_rows(prepared, prepared.row_groups, "train").y.tolist()
    return values


# what is read


def test_csv_columns_become_features_in_the_order_of_the_file(tmp_path: Path) -> None:
    prepared = prepare_csv(tmp_path, "b,a,kind\n1.5,2,x\n-3e2,+.5,y\n", label="kind")
    assert prepared.features == ("b", "a")
    assert matrix(prepared) == [[1.5, 2.0], [-300.0, 0.5]]
    assert prepared.label_kind == "classes"
    assert prepared.classes == ("x", "y")
    assert label(prepared) == [0, 1]


def test_named_features_keep_the_order_they_are_named_in(tmp_path: Path) -> None:
    prepared = prepare_csv(tmp_path, "a,b,c\n1,2,x\n3,4,\n", features=["b", "a"])
    assert prepared.features == ("b", "a")
    assert matrix(prepared) == [[2, 1], [4, 3]]
    assert prepared.label_kind == "none"
    assert prepared.notes == ()


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfa,b\r\n1,2\r\n3,4\r\n",
        b'"a","b"\n"1","2"\n" 3 ",4\n',
        b"\na,b\n\n1,2\n3,4",
    ],
    ids=["byte order mark and CRLF", "quotes and blanks", "empty lines and no last line end"],
)
def test_the_spellings_of_csv_are_understood(tmp_path: Path, text: bytes) -> None:
    assert matrix(prepare_csv(tmp_path, text)) == [[1, 2], [3, 4]]


def test_unicode_names_and_quoted_line_ends_are_kept(tmp_path: Path) -> None:
    text = 'größe,art\n1,"a,\n""b"""\n2,ü\n'
    prepared = prepare_csv(tmp_path, text, label="art")
    assert prepared.features == ("größe",)
    assert prepared.classes == ('a,\n"b"', "ü")


def test_another_delimiter_and_compression_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a;b\n1;2\n3;4\n"))
    prepared = prepare(
        CsvOptions(path=str(path), delimiter=";"),
        None,
        label_kind="auto",
        min_row_groups=1,
        cache=tmp_path / "cache",
    )
    assert matrix(prepared) == [[1, 2], [3, 4]]


def test_booleans_spelled_out_are_zero_and_one(tmp_path: Path) -> None:
    prepared = prepare_csv(tmp_path, "a,b,c\n1,true,False\n2,FALSE,True\n", label="c")
    assert matrix(prepared) == [[1, 1], [2, 0]]
    assert prepared.classes == ("false", "true")
    assert label(prepared) == [0, 1]


def test_text_columns_and_columns_without_a_name_are_left_out_and_noted(tmp_path: Path) -> None:
    prepared = prepare_csv(tmp_path, ",a,city,kind\n0,1,Rome,x\n1,2,,y\n", label="kind")
    assert prepared.features == ("a",)
    assert len(prepared.notes) == 1
    assert "'city'" in prepared.notes[0]
    assert "one without a name" in prepared.notes[0]


def test_a_type_that_changes_after_the_first_block_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 64)
    late = "a,b\n" + "1,2\n" * 500
    assert matrix(prepare_csv(tmp_path, late + "1.5,2\n"))[-1] == [1.5, 2]
    with pytest.raises(RequestError, match=r"1 of 501 values are text .first 'x' in data row 501"):
        prepare_csv(tmp_path, late + "x,2\n")


def test_a_line_end_in_quotes_may_lie_where_two_blocks_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 64)
    rows = [(float(i), f"{'x' * (i % 23)}\nz") for i in range(200)]
    text = pd.DataFrame(rows, columns=["a", "b"]).to_csv(index=False)
    assert matrix(prepare_csv(tmp_path, text)) == [[a] for a, _ in rows]


def test_numbers_without_a_common_width_survive_their_way(tmp_path: Path) -> None:
    values = [0.1, 1 / 3, 1e-300, 1.7976931348623157e308, -0.0, 123456789.123456789]
    text = "a,b\n" + "".join(f"{value!r},{i}\n" for i, value in enumerate(values))
    prepared = prepare_csv(tmp_path, text, features=["b"], label="a")
    assert label(prepared) == values


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(
        st.tuples(
            st.floats(-1e100, 1e100),
            st.integers(-(2**53), 2**53),
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
        ),
        min_size=2,
        max_size=20,
    )
)
def test_whatever_pandas_writes_is_read_back(
    tmp_path: Path, rows: list[tuple[float, int, str]]
) -> None:
    frame = pd.DataFrame(rows, columns=["x", "n", "words"])
    frame["words"] = "_" + frame["words"]
    # without quotes pandas leaves a bare carriage return as it is, which ends a line
    prepared = prepare_csv(tmp_path, frame.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC))
    assert np.array_equal(matrix(prepared), frame[["x", "n"]].to_numpy(np.float64))
    assert "'words'" in prepared.notes[0]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text=st.one_of(
        st.binary(max_size=60),
        st.lists(st.sampled_from(CSV_PIECES), max_size=30).map("".join).map(str.encode),
    ),
    named=st.booleans(),
)
def test_no_csv_whatever_it_holds_ends_in_a_traceback(
    tmp_path: Path, text: bytes, *, named: bool
) -> None:
    told = ""
    try:
        values = matrix(prepare_csv(tmp_path, text, label="b" if named else None))
    except RequestError as error:
        told = str(error)
        values = []
    assert bool(told) != bool(values)
    assert "\n" not in told
    assert np.isfinite(values).all()


def test_several_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "2.csv").write_text("a,b\n3,4\n")
    (folder / "1.csv").write_text("b,a\n2,1\n")  # columns go by name
    (folder / "_notes.csv").write_text("hello")
    (folder / "readme.md").write_text("hello")
    for path in (folder, folder / "*.csv", folder / "**" / "?.csv"):
        prepared = prepare(
            CsvOptions(path=str(path), features=("a", "b")),
            None,
            label_kind="auto",
            min_row_groups=1,
            cache=tmp_path / "cache",
        )
        assert matrix(prepared) == [[1, 2], [3, 4]]


def test_paths_are_relative_to_the_current_folder_and_to_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data.csv").write_text("a\n1\n2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("data.csv", "~/data.csv"):
        options = CsvOptions(path=path)
        cache = tmp_path / "cache"
        prepared = prepare(options, None, label_kind="auto", min_row_groups=1, cache=cache)
        assert matrix(prepared) == [[1], [2]]


def test_parquet_types_that_are_numbers_become_features(tmp_path: Path) -> None:
    columns = {
        "float32": pa.array([0.5, 1.5, 2.5], pa.float32()),
        "half": pa.array(np.array([0.5, 1.5, 2.5], dtype=np.float16)),
        "int8": pa.array([-1, 2, 3], pa.int8()),
        "uint64": pa.array([1, 2, 2**60], pa.uint64()),
        "money": pa.array([Decimal("1.25"), Decimal("2.50"), Decimal("0.10")]),
        "flag": pa.array([True, False, True]),
        "coded": pa.array([7, 8, 7]).dictionary_encode(),
        "a.b": pa.array([1, 2, 3]),
    }
    prepared = prepare_parquet(tmp_path, columns)
    assert prepared.features == tuple(columns)
    assert matrix(prepared) == [
        [0.5, 0.5, -1, 1, 1.25, 1, 7, 1],
        [1.5, 1.5, 2, 2, 2.5, 0, 8, 2],
        [2.5, 2.5, 3, 2.0**60, 0.1, 1, 7, 3],
    ]


def test_parquet_types_that_are_not_numbers_are_left_out_and_noted(tmp_path: Path) -> None:
    columns = {
        "a": [1.0, 2.0],
        "name": ["1", "2"],
        "when": [dt.date(2020, 1, 1), dt.date(2020, 1, 2)],
        "pair": [{"x": 1}, {"x": 2}],
        "group": pa.array(["p", "q"]).dictionary_encode(),
    }
    prepared = prepare_parquet(tmp_path, columns)
    assert prepared.features == ("a",)
    assert all(repr(name) in prepared.notes[0] for name in ("name", "when", "pair", "group"))


# labels


@pytest.mark.parametrize(
    ("values", "kind", "classes", "numbers"),
    [
        (["10", "9", "10"], "classes", ("9", "10"), [1, 0, 1]),
        (["1", "1.0", "2"], "classes", ("1", "2"), [0, 0, 1]),
        (["-1", "1", "0"], "classes", ("-1", "0", "1"), [0, 2, 1]),
        (["1.5", "2", "1.5"], "numbers", (), [1.5, 2.0, 1.5]),
        (["b", "10", "9"], "classes", ("10", "9", "b"), [2, 0, 1]),
        (["yes ", " no", "yes"], "classes", ("no", "yes"), [1, 0, 1]),
        (["True", "false", "TRUE"], "classes", ("false", "true"), [1, 0, 1]),
    ],
)
def test_the_values_of_a_label_say_what_it_is(
    tmp_path: Path, values: list[str], kind: str, classes: tuple[str, ...], numbers: list[float]
) -> None:
    text = "a,y\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values))
    prepared = prepare_csv(tmp_path, text, label="y")
    assert prepared.label_kind == kind
    assert prepared.classes == classes
    assert label(prepared) == numbers


@pytest.mark.parametrize(("n_values", "kind"), [(100, "classes"), (101, "numbers")])
@pytest.mark.parametrize("write", [prepare_csv, prepare_parquet])
def test_integer_labels_are_classes_up_to_100_values_and_a_note_says_so(
    tmp_path: Path, write: Any, n_values: int, kind: str
) -> None:
    y = [i * 7 % n_values for i in range(300)]
    content: Any = {"a": list(range(300)), "y": y}
    if write is prepare_csv:
        content = pd.DataFrame(content).to_csv(index=False)
    prepared = write(tmp_path, content, label="y")
    assert prepared.label_kind == kind
    assert label(prepared) == y
    assert f"taken for {kind}" in prepared.notes[0]


def test_a_label_is_what_is_asked_of_it(tmp_path: Path) -> None:
    numbers = prepare_csv(tmp_path, "a,y\n1,3\n2,5\n", "numbers", label="y")
    assert (numbers.label_kind, label(numbers)) == ("numbers", [3.0, 5.0])
    classes = prepare_csv(tmp_path, "a,y\n1,3.5\n2,-5\n", "classes", label="y")
    assert (classes.classes, label(classes)) == (("-5", "3.5"), [1, 0])
    flags = prepare_csv(tmp_path, "a,y\n1,true\n2,false\n", "numbers", label="y")
    assert label(flags) == [1.0, 0.0]
    assert numbers.notes == classes.notes == flags.notes == ()


def test_parquet_labels_of_every_type_are_encoded(tmp_path: Path) -> None:
    for values, classes in [
        (pa.array(["b", "a", "b"]), ("a", "b")),
        (pa.array(["b", "a", "b"]).dictionary_encode(), ("a", "b")),
        (pa.array([3.0, -1.0, 3.0]), ("-1", "3")),
        (pa.array([True, False, True]), ("false", "true")),
    ]:
        prepared = prepare_parquet(tmp_path, {"a": [1, 2, 3], "y": values}, label="y")
        assert prepared.classes == classes
        assert label(prepared) == [1, 0, 1]


def test_a_label_named_label_is_fine_and_its_name_is_kept(tmp_path: Path) -> None:
    prepared = prepare_csv(tmp_path, "a,label\n1,x\n2,y\n", label="label")
    assert '"name": "label"' in (prepared.path / "dataset.json").read_text()


# what is refused


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n1,2\nx,3\n,4\n", "'a' of data.csv mixes numbers with text: 1 of 3 values are text"),
        ("a,b\n1,2\n2,x\n", "first 'x' in data row 2 of data.csv"),
        ("a,b\n1,2\nNA,3\n,4\n", "'a' of data.csv has 2 missing values .first in data row 2 of"),
        ("a,b\n1,2\n2,nan\n", "'b' of data.csv has 1 missing value .first in data row 2"),
        ("a,b\n1,2\n2,-inf\n3,1e999\n", "'b' of data.csv has 2 infinite values"),
        ("a,b\n1,true\n2,7\n", "mixes numbers with text"),
        ("a,b,c\n,x,1\n,y,2\n", "'a' of data.csv has 2 missing values"),
        ("a,b,c\n,1,\n2,3,1\n", "; 'c' has 1 missing value"),
        ("a,b\nx,y\n", "no numeric column"),
        ("", "data.csv is empty"),
        ("a,b\n", "data.csv has no rows"),
        ("a,b", "data.csv has no rows"),
        ("a,a\n1,2\n", "more than one column named 'a'"),
        ("a,b\n1,2\n3\n", "not a well-formed CSV file: Row #3: Expected 2 columns, got 1"),
        ("a,fold\n1,2\n", "'fold' of data.csv has a name that prepared data keeps for itself"),
        ("a,label\n1,2\n", "set dataset.label to it"),
        ("a,A\n1,2\n", "'a' and 'A' of data.csv differ only in upper and lower case"),
        ("é\n1\n".encode("latin-1"), "data.csv is not UTF-8 text"),
        ("a,b\n1,é\n".encode("latin-1"), "data.csv is not UTF-8 text"),
        ("a,b\n1,2\n".encode("utf-16"), "data.csv is UTF-16 text"),
        (bytes(range(256)) * 4, "data.csv"),
    ],
)
def test_csv_that_cannot_be_features_is_refused(
    tmp_path: Path, text: str | bytes, told: str
) -> None:
    with pytest.raises(RequestError, match=told) as caught:
        prepare_csv(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").glob("*"))


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        ("a,target\n1,2\n", {"label": "tarjet"}, "no column 'tarjet' for the label; did you mean"),
        ("a,b\n1,2\n", {"features": ["zzz"]}, "for the feature; it has 'a', 'b'."),
        ("a,b\n1,x\n", {"features": ["b"]}, "'b' of data.csv holds text .1 values, first 'x'"),
        ("a,y\n1,\n2,x\n", {"label": "y"}, "label 'y' of data.csv has 1 missing value .first in"),
        ("a,y\n1,nan\n2,1\n", {"label": "y"}, "label 'y' of data.csv has 1 missing value"),
        ("a,y\n1,inf\n2,1\n", {"label": "y"}, "label 'y' of data.csv has 1 infinite value"),
        ("a,y\n1,x\n2,x\n", {"label": "y"}, "same value 'x' in every row"),
        ("a,y\n1,1.5\n2,1.5\n", {"label": "y"}, "same value 1.5 in every training row"),
        ("y\n1\n2\n", {"label": "y"}, "no numeric column besides the label 'y'"),
    ],
)
def test_a_wrong_column_is_refused(
    tmp_path: Path, text: str, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(RequestError, match=told):
        prepare_csv(tmp_path, text, **options)
    assert not list((tmp_path / "cache").glob("*"))


def test_learning_without_a_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="without a label, and learning needs one"):
        prepare_csv(tmp_path, "a\n1\n", "classes")


def test_text_cannot_be_a_label_of_numbers(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="holds text, and regression needs numbers"):
        prepare_csv(tmp_path, "a,y\n1,x\n2,y\n", "numbers", label="y")


def test_too_many_classes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "MOST_CLASSES", 3)
    with pytest.raises(RequestError, match="more than 3 distinct values"):
        prepare_csv(tmp_path, "a,y\n1,p\n2,q\n3,r\n4,s\n", label="y")
    with pytest.raises(RequestError, match="more than 3 distinct values"):
        prepare_parquet(tmp_path, {"a": range(4), "y": range(4)}, "classes", label="y")


@pytest.mark.parametrize(
    ("columns", "options", "told"),
    [
        ({"a": [1.0, None]}, {}, "'a' of data.parquet has 1 missing value .first in data row 2"),
        ({"a": [1.0, float("nan")]}, {}, "has 1 missing value"),
        ({"a": [1.0, float("-inf")]}, {}, "has 1 infinite value"),
        ({"a": pa.nulls(2)}, {}, "has 2 missing values"),
        ({"a": [1, 2], "t": ["1", "2"]}, {"features": ["t"]}, "holds text .2 values"),
        (
            {"a": [1], "d": [dt.date(2020, 1, 1)]},
            {"features": ["d"]},
            "holds values that are not numbers",
        ),
        (
            {"a": [1], "d": [dt.date(2020, 1, 1)]},
            {"label": "d"},
            "'d' of data.parquet is neither text nor numbers",
        ),
        ({"a": pa.array([], pa.float64())}, {}, "has no rows"),
        ({"a": ["x"]}, {}, "no numeric column"),
    ],
)
def test_parquet_that_cannot_be_features_is_refused(
    tmp_path: Path, columns: dict[str, Any], options: dict[str, Any], told: str
) -> None:
    with pytest.raises(RequestError, match=told):
        prepare_parquet(tmp_path, columns, **options)


def test_parquet_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(table, tmp_path / "twice.parquet")
    options = ParquetOptions(path=str(tmp_path / "twice.parquet"))
    with pytest.raises(RequestError, match="more than one column named 'a'"):
        prepare(options, None, label_kind="auto", min_row_groups=1, cache=tmp_path / "cache")


@pytest.mark.parametrize("content", [b"", b"PAR1 is not all it takes PAR1", None])
def test_a_damaged_parquet_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.parquet"
    if content is None:  # the footer is whole, the pages are not
        pq.write_table(pa.table({"a": np.random.default_rng(0).random(10_000)}), path)
        whole = bytearray(path.read_bytes())
        whole[4:2000] = bytes(1996)
        content = bytes(whole)
    path.write_bytes(content)
    with pytest.raises(RequestError, match=r"bad.parquet cannot be read as a Parquet file"):
        prepare(
            ParquetOptions(path=str(path)),
            None,
            label_kind="auto",
            min_row_groups=1,
            cache=tmp_path / "cache",
        )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_files_that_differ_in_their_columns_are_refused(tmp_path: Path, kind: str) -> None:
    first, second = (pd.DataFrame({"a": [1], name: [2]}) for name in ("b", "c"))
    for number, frame in enumerate((first, second)):
        if kind == "csv":
            frame.to_csv(tmp_path / f"{number}.csv", index=False)
        else:
            frame.to_parquet(tmp_path / f"{number}.parquet")
    options = (CsvOptions if kind == "csv" else ParquetOptions)(path=str(tmp_path))
    with pytest.raises(RequestError, match="differ in their columns"):
        prepare(options, None, label_kind="auto", min_row_groups=1, cache=tmp_path / "cache")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nothing.csv", "There is no file or folder .*nothing.csv, seen from the folder"),
        ("*.nothing", "No file matches the pattern"),
        ("", "holds no csv file"),
    ],
)
def test_a_path_without_files_is_refused(tmp_path: Path, path: str, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        prepare(
            CsvOptions(path=f"{tmp_path}/{path}"),
            None,
            label_kind="auto",
            min_row_groups=1,
            cache=tmp_path / "cache",
        )


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "growing.csv"
    path.write_text("a\n1\n2\n")

    def grow(done: int, total: int | None) -> None:
        if total is None:
            with path.open("a") as stream:
                stream.write("3\n")

    with pytest.raises(RequestError, match=r"growing.csv changed while it was read: 2 rows"):
        prepare(
            CsvOptions(path=str(path)),
            None,
            label_kind="auto",
            min_row_groups=1,
            cache=tmp_path / "cache",
            on_progress=grow,
        )


def test_a_held_out_class_without_training_rows_is_refused(tmp_path: Path) -> None:
    text = "a,y\n" + "".join(f"{i},{i}\n" for i in range(20))
    (tmp_path / "data.csv").write_text(text)
    with pytest.raises(RequestError, match="No training row has class"):
        prepare(
            CsvOptions(path=str(tmp_path / "data.csv"), label="y"),
            SplitOptions(test_fraction=0.2),
            label_kind="classes",
            min_row_groups=1,
            cache=tmp_path / "cache",
        )


@pytest.mark.parametrize("source", [CsvOptions, ParquetOptions])
def test_files_of_a_user_that_is_not_there_are_refused(tmp_path: Path, source: Any) -> None:
    options = source(path="~nosuchuser/a.csv")
    with pytest.raises(
        RequestError, match=r"dataset\.path: the home folder that ~nosuchuser stands"
    ):
        prepare(options, None, label_kind="auto", min_row_groups=1, cache=tmp_path)


def test_a_missing_column_of_a_file_with_one_column_points_to_the_delimiter(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.csv").write_text("a;y\n1;2\n")
    options = CsvOptions(path=str(tmp_path / "a.csv"), label="y")
    with pytest.raises(RequestError, match=r"its only column is 'a;y'; check dataset\.delimiter"):
        prepare(options, None, label_kind="auto", min_row_groups=1, cache=tmp_path)
