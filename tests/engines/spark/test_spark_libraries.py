"""Which versions the executors of a cluster must share with who joins it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from engines.errors import ClusterError
from engines.spark import libraries
from engines.spark.libraries import check
from engines.types import Attachment
from engines.versions import versions

if TYPE_CHECKING:
    from collections.abc import Callable

ADDRESS = "spark://10.0.0.1:7077"
HOSTS = ("10.0.0.2", "10.0.0.3")
SAME = ("enginebench", "pyspark", "xgboost", "scikit-learn", "numpy", "pandas", "pyarrow")
HERE = versions(*SAME)
ENDING = "install the same versions on both sides."


class Context:
    """Stands in for a session and its context: every slot answers as it is told to."""

    def __init__(self, told: list[tuple[str, dict[str, str]]] | Exception) -> None:
        self.sparkContext = self
        self._told = told

    def parallelize(self, rows: range, slots: int) -> Context:
        assert len(rows) == slots == len(HOSTS)
        return self

    def mapPartitions(self, function: Callable[[Any], Any]) -> Context:  # noqa: N802 - Spark's
        ((_, own),) = function(iter([0]))
        assert own == HERE
        return self

    def collect(self) -> list[tuple[str, dict[str, str]]]:
        if isinstance(self._told, Exception):
            raise self._told
        return self._told


@pytest.fixture
def told() -> list[tuple[str, dict[str, str]]]:
    """Return what executors with the same libraries tell."""
    return [(host, dict(HERE)) for host in HOSTS]


def ask(told: list[tuple[str, dict[str, str]]] | Exception, python: str | None = None) -> None:
    check(Context(told), Attachment(ADDRESS, 1.0, worker_python=python), len(HOSTS))


def refusal(told: list[tuple[str, dict[str, str]]] | Exception, python: str | None = None) -> str:
    with pytest.raises(ClusterError) as refused:
        ask(told, python)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_the_same_versions_everywhere_are_let_in(told):
    assert set(HERE) == {"python", *SAME}
    ask(told)


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("executor", [0, 1])
def test_another_version_of_what_comes_with_an_executor_is_refused(told, name, executor):
    told[executor][1][name] = "0.0.1"
    assert refusal(told) == (
        f"spark: {ADDRESS} has {name} 0.0.1 on {HOSTS[executor]}, and this machine has "
        f"{HERE[name]}: {ENDING}"
    )


@pytest.mark.parametrize("name", SAME)
def test_what_only_one_side_has_is_refused(told, name, monkeypatch):
    fewer = [(host, {one: there[one] for one in there if one != name}) for host, there in told]
    assert refusal(fewer[:1] + told[1:]) == (
        f"spark: {ADDRESS} has {name} missing on {HOSTS[0]}, and this machine has {HERE[name]}: "
        f"{ENDING}"
    )
    monkeypatch.setattr(libraries, "versions", lambda *_: fewer[0][1])
    assert refusal(told) == (
        f"spark: {ADDRESS} has {name} {HERE[name]} on {HOSTS[0]}, and this machine has none; "
        f"{name} {HERE[name]} on {HOSTS[1]}, and this machine has none: {ENDING}"
    )


@pytest.mark.parametrize("other", ["3.1.0", "2.7.18", f"4.{sys.version_info[1]}.0"])
def test_another_python_is_refused(told, other):
    told[1][1]["python"] = other
    assert refusal(told) == (
        f"spark: {ADDRESS} has python {other} on {HOSTS[1]}, and this machine has "
        f"{HERE['python']}: {ENDING}"
    )


def test_another_patch_of_python_is_let_in(told):
    told[0][1]["python"] = "{}.{}.99".format(*sys.version_info)
    ask(told)


def test_of_many_differences_the_first_are_named_once_and_the_others_counted(told):
    for _, there in told:
        there |= {"python": "3.1.0", "pyspark": "4.0.0"}
        del there["pyarrow"]
    said = refusal([*told, told[0]])
    assert said.startswith(f"spark: {ADDRESS} has python 3.1.0 on {HOSTS[0]}, and ")
    assert said.count(" on 10.0.0.") == 3
    assert said.endswith(f"; and 3 more: {ENDING}")


# what PySpark's own worker raises, as the driver hears of it
FAILED = """An error occurred while calling z:org.apache.spark.api.python.PythonRDD.collectAndServe.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 1 in stage 0.0 failed 2 \
times, most recent failure: Lost task 1.1 in stage 0.0 (TID 3) (10.0.0.2 executor 0): {}
\tat org.apache.spark.api.python.BasePythonRunner$ReaderIterator.read(PythonRunner.scala:780)
"""
RAISED = "org.apache.spark.api.python.PythonException: Traceback (most recent call last):\n{}\n"


def mismatch(worker: str) -> str:
    """Return what PySpark says of a worker of another version, in its own words."""
    from pyspark.errors import PySparkRuntimeError

    driver = "{}.{}".format(*sys.version_info)
    told = PySparkRuntimeError(
        errorClass="PYTHON_VERSION_MISMATCH",
        messageParameters={"worker_version": worker, "driver_version": driver},
    )
    return FAILED.format(RAISED.format(f"pyspark.errors.exceptions.base.{told!r}: {told}"))


@pytest.mark.parametrize(
    ("worker", "version"),
    [("3.9", "Python 3.9"), ("3.14", "Python 3.14"), ("(3, 9)", "another version of Python")],
)
def test_workers_of_another_python_are_told_with_both_versions(worker, version):
    said = mismatch(worker)
    assert "PYTHON_VERSION_MISMATCH" in said
    assert refusal(RuntimeError(said), "/opt/python") == (
        f"spark: {ADDRESS} has {version} as /opt/python, and this machine has Python "
        f"{sys.version_info[0]}.{sys.version_info[1]}: name one of the same version "
        f"(engines.spark.python)."
    )


def test_workers_of_another_python_are_told_by_the_check_that_pyspark_has():
    from pyspark.errors import PySparkRuntimeError
    from pyspark.worker_util import check_python_version

    with pytest.raises(PySparkRuntimeError) as raised:
        _checked(check_python_version, "3.1")
    version = "{}.{}".format(*sys.version_info)
    assert f" has Python {version} as {sys.executable}, and this machine has Python " in (
        refusal(raised.value)
    )


def _checked(check_python_version: Callable[[Any], None], version: str) -> None:
    """Have a worker see that version in its driver, in whose stream it stands after its length."""
    import io
    import struct

    check_python_version(io.BytesIO(struct.pack("!i", len(version)) + version.encode()))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            FAILED.format(RAISED.format("ModuleNotFoundError: No module named 'xgboost'")),
            (
                "/opt/python on the workers of {} has no xgboost: install the same libraries there "
                "as here, or name another Python (engines.spark.python)."
            ),
        ),
        (
            FAILED.format("/opt/python: No module named engines.spark"),
            (
                "/opt/python on the workers of {} has no engines.spark: install the same libraries "
                "there as here, or name another Python (engines.spark.python)."
            ),
        ),
        (
            FAILED.format('java.io.IOException: Cannot run program "/opt/python": error=2'),
            (
                "the workers of {} have no program /opt/python: name the Python to be used there "
                "(engines.spark.python)."
            ),
        ),
        (
            "the worker crashed\nand said more",
            (
                "no Python worker starts on the executors of {}: the worker crashed; look into "
                "their logs."
            ),
        ),
    ],
)
def test_why_no_python_worker_starts_is_told(said, told):
    assert refusal(RuntimeError(said), "/opt/python") == f"spark: {told.format(ADDRESS)}"
