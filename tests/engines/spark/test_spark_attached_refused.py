"""Clusters that cannot be joined: each tells why in one sentence, and leaves nothing."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from engines.errors import ClusterError
from engines.spark import SparkEngine
from engines.types import Attachment, Resources

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_S = 180.0  # seconds for a cluster on a machine that does much else
SECRET_VARIABLE = "SECRET_OF_THE_TESTS"  # noqa: S105 - a name


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, start_standalone: Any) -> Iterator[Any]:
    """Start a cluster without a secret, whose one worker has another scikit-learn."""
    folder = tmp_path_factory.mktemp("plain")
    other = folder / "other" / "scikit_learn-0.1.2.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: scikit-learn\nVersion: 0.1.2\n")
    with start_standalone(
        folder, workers=1, environment={"PYTHONPATH": str(other.parent)}
    ) as running:
        yield running


def refusal(address: str, scratch: Path, cores: int = 1, wait_s: float = PATIENCE_S, **how) -> str:
    attachment = Attachment(address, wait_s, **how)
    resources = Resources(cores, 2**30, cores, 1, scratch, attachment=attachment)
    before = dict(os.environ)
    with pytest.raises(ClusterError) as refused:
        SparkEngine(resources).start()
    assert dict(os.environ) == before
    assert list(scratch.iterdir()) == []
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_other_versions_are_refused_with_both_sides(plain, tmp_path):
    said = refusal(plain.address, tmp_path)
    assert "scikit-learn 0.1.2 on " in said
    assert "and this machine has 1." in said


def test_fewer_cores_than_asked_for_are_refused_with_a_way_out(plain, tmp_path):
    started = time.monotonic()
    said = refusal(plain.address, tmp_path, cores=2, wait_s=15.0)
    assert said == (
        f"spark: {plain.address} has 1 worker with 1 core, and 2 cores are asked for: start more, "
        f"set resources.cores: 1, or set resources.allow_unequal: true."
    )
    assert time.monotonic() - started < 60


def test_a_secret_that_the_cluster_does_not_ask_for_is_refused(plain, tmp_path, monkeypatch):
    monkeypatch.setenv(SECRET_VARIABLE, "not-to-be-shown")
    said = refusal(plain.address, tmp_path, secret_variable=SECRET_VARIABLE)
    # the second where the master hung up before its reason arrived
    assert "knows of no secret, and one was given" in said or "was started without one" in said
    assert "not-to-be-shown" not in said


def test_a_python_that_the_workers_do_not_have_is_refused(plain, tmp_path):
    said = refusal(plain.address, tmp_path, worker_python="/nowhere/python")
    assert "have no program /nowhere/python: name the Python" in said


def test_a_secret_variable_that_is_not_set_is_refused(tmp_path, monkeypatch):
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    said = refusal("spark://127.0.0.1:7077", tmp_path, secret_variable=SECRET_VARIABLE)
    assert said.startswith(f"spark: the environment variable {SECRET_VARIABLE} is to hold")


def test_another_secret_and_none_are_refused(
    start_standalone, tmp_path_factory, tmp_path, monkeypatch
):
    monkeypatch.setenv(SECRET_VARIABLE, "right")
    folder = tmp_path_factory.mktemp("secured")
    with start_standalone(folder, workers=0, secret_variable=SECRET_VARIABLE) as secured:
        monkeypatch.setenv(SECRET_VARIABLE, "wrong")
        said = refusal(secured.address, tmp_path, secret_variable=SECRET_VARIABLE)
        assert "does not accept the secret that it was given" in said
        said = refusal(secured.address, tmp_path)
        # the second where the master hung up before its reason arrived
        known = "lets in only those that know its secret, and none was given"
        assert known in said or "or name its secret if it has one" in said
