"""A record survives whatever ends the run, and is read back as it was measured."""

from __future__ import annotations

import json
import math
import os
import re
import resource
import subprocess
import sys

import numpy as np
import pytest

from experiments.errors import RequestError
from experiments.records import (
    OUTCOMES,
    Failure,
    Phase,
    Record,
    append_record,
    ends_torn,
    point_key,
    read_records,
)


def make(**other):
    """Return a record with something in every field."""
    return Record(
        **{
            "run": "r",
            "experiment": "e",
            "definition": "sha256:0",
            "engine": "dask",
            "implementation": "library",
            "point": {"dataset.n_samples": 1000},
            "round": 0,
            "repeat": 1,
            "warm": True,
            "outcome": "completed",
            "error": Failure("KeyError", "'x'", "logs/x.log"),
            "phases": (Phase("fit", 0.1 + 0.2, 1 / 3, 5, 6, 7),),
            "unaccounted_s": 1e-9,
            "metrics": {"accuracy": 0.1 + 0.7, "roc_auc": None},
            "model": {"n_iter": 3},
            "parameters": ({"name": "tol", "asked": 1e-4, "verdict": "same"},),
            "facts": {"cores": 2},
            "warnings": ("مرحبا",),
            **other,
        }
    )


def test_a_record_is_read_back_with_every_digit(tmp_path):
    path = tmp_path / "records.jsonl"
    written = (make(), make(repeat=2, error=None))
    for record in written:
        append_record(path, record)
    assert read_records(path) == written


def test_a_line_is_the_object_that_the_design_shows(tmp_path):
    path = tmp_path / "records.jsonl"
    append_record(path, make())
    content = json.loads(path.read_text(encoding="utf-8"))
    assert list(content) == [
        "schema", "run", "experiment", "definition", "engine", "implementation", "point", "round",
        "repeat", "warm", "outcome", "error", "phases", "unaccounted_s", "metrics", "model",
        "parameters", "facts", "warnings", "null_run",
    ]  # fmt: skip
    assert content["phases"][0] == {
        "name": "fit",
        "wall_s": 0.1 + 0.2,
        "cpu_s": 1 / 3,
        "peak_memory_bytes": 5,
        "read_bytes": 6,
        "write_bytes": 7,
        "ended": True,
        "workers": [],
    }
    assert content["error"] == {"type": "KeyError", "message": "'x'", "log": "logs/x.log"}


def test_numbers_that_are_not_finite_become_null(tmp_path):
    path = tmp_path / "records.jsonl"
    append_record(
        path,
        make(
            metrics={"a": math.nan, "b": math.inf, "c": np.float64("nan"), "d": np.float32(0.5)},
            model={"n_iter": np.int64(3), "shift": np.array([1.0, np.nan])},
        ),
    )
    text = path.read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text
    (record,) = read_records(path)
    assert record.metrics == {"a": None, "b": None, "c": None, "d": 0.5}
    assert record.model == {"n_iter": 3, "shift": [1.0, None]}


@pytest.mark.parametrize("cut", [1, 2, 10, 300])
def test_a_torn_last_line_is_passed_over_and_told(tmp_path, cut):
    path = tmp_path / "records.jsonl"
    for repeat in range(3):
        append_record(path, make(repeat=repeat))
    assert not ends_torn(path)
    os.truncate(path, path.stat().st_size - cut)
    assert [record.repeat for record in read_records(path)] == [0, 1]
    assert ends_torn(path)


def test_an_empty_file_holds_no_record(tmp_path):
    path = tmp_path / "records.jsonl"
    path.touch()
    assert read_records(path) == ()
    assert not ends_torn(path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"not json", "line 2, is not JSON"),
        (b"\xff\xfe", "line 2, is not JSON"),
        (b"[1]", "line 2, is not a record"),
        (b"{}", "line 2, is not a record"),
    ],
)
def test_garbage_in_the_middle_names_its_line(tmp_path, line, said):
    path = tmp_path / "records.jsonl"
    append_record(path, make())
    with path.open("ab") as file:
        file.write(line + b"\n")
    append_record(path, make())
    with pytest.raises(RequestError, match=said):
        read_records(path)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("outcome", "splendid", "splendid"),
        ("phases", {"fit": 1}, "phases"),
        ("metrics", [], "metrics"),
        ("phases", [{"name": "fit"}], "wall_s"),
        ("unaccounted_s", "long", "unaccounted_s"),
        ("surprise", 1, "surprise"),
    ],
)
def test_a_record_with_a_wrong_field_is_refused_by_name(tmp_path, field, value, said):
    path = tmp_path / "records.jsonl"
    append_record(path, make())
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, field: value}) + "\n", encoding="utf-8")
    with pytest.raises(RequestError, match=f"line 1, is not a record: .*{said}"):
        read_records(path)


def test_records_of_a_newer_version_are_refused_with_a_sentence(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text('{"schema": 4, "new": true}\n', encoding="utf-8")
    with pytest.raises(RequestError, match=r"newer version .* update enginebench"):
        read_records(path)


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(RequestError, match=r"records\.jsonl does not exist"):
        read_records(tmp_path / "records.jsonl")


def test_a_write_that_fails_half_way_is_taken_back(tmp_path):
    path = tmp_path / "records.jsonl"
    append_record(path, make())
    before = path.read_bytes()
    # the limit on the size of a file stands for a full disk; it is for one process only
    program = f"""
import pathlib, resource, signal
from experiments.records import Record, append_record
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 100}, {len(before) + 100}))
record = Record(run="r" * 500, experiment="e", definition="d", engine="dask",
    implementation="library", round=0, repeat=0, warm=False, outcome="completed")
try:
    append_record(pathlib.Path({str(path)!r}), record)
except OSError:
    print("refused")
"""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != len(before) + 100
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "refused\n"
    assert path.read_bytes() == before
    append_record(path, make(repeat=2))
    assert len(read_records(path)) == 2


def test_equal_points_have_equal_keys_whatever_their_order():
    assert point_key({"b": 1, "a": "x"}) == point_key({"a": "x", "b": 1})
    assert point_key({"a": 1}) != point_key({"a": "1"})


def test_the_outcomes_are_those_of_the_design():
    assert set(OUTCOMES) == {
        "completed", "degraded", "timed out", "out of memory", "crashed", "failed", "unsupported",
    }  # fmt: skip


def test_a_phase_that_was_cut_short_stays_one_and_one_without_a_word_of_it_ended(tmp_path):
    path = tmp_path / "records.jsonl"
    append_record(path, make(phases=(Phase("fit", 1.0, 2.0, 3, 4, 5, ended=False),)))
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["phases"][0]["ended"]
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(content) + "\n")
    assert [one.phases[0].ended for one in read_records(path)] == [False, True]


def test_a_record_of_the_first_schema_is_no_null_run(tmp_path):
    path = tmp_path / "records.jsonl"
    append_record(path, make())
    line = json.loads(path.read_text())
    del line["null_run"]
    path.write_text(json.dumps({**line, "schema": 1}) + "\n")
    (read,) = read_records(path)
    assert read.null_run is False
    path.write_text(json.dumps(line) + "\n")
    with pytest.raises(RequestError, match="lacks the field 'null_run'"):
        read_records(path)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("1e999", "inf"), ("-1", "-1"), ('"1"', "'1'"), ("true", "True")],
)
def test_a_phase_that_took_no_amount_of_time_is_refused(tmp_path, amount, shown):
    path = tmp_path / "records.jsonl"
    append_record(path, make())
    path.write_text(re.sub(r'"wall_s": [^,]+', f'"wall_s": {amount}', path.read_text()))
    with pytest.raises(RequestError) as refused:
        read_records(path)
    assert f"wall_s of its phase 'fit' is {shown} and no amount" in str(refused.value)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_only_python_takes_for_json_is_refused(tmp_path, constant):
    path = tmp_path / "records.jsonl"
    append_record(path, make())
    path.write_text(path.read_text().replace('"roc_auc": null', f'"roc_auc": {constant}'))
    with pytest.raises(RequestError, match=f"line 1, is not a record: {constant} is no number"):
        read_records(path)


@pytest.mark.parametrize("value", ["1e999", '"good"', "[1]"])
def test_a_metric_that_is_no_number_is_refused(tmp_path, value):
    path = tmp_path / "records.jsonl"
    append_record(path, make())
    path.write_text(path.read_text().replace('"roc_auc": null', f'"roc_auc": {value}'))
    with pytest.raises(RequestError, match=r"its metric 'roc_auc' is .* and no number"):
        read_records(path)
