"""What is told of the executors of a cluster, and what of those that cannot be told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engines.spark import usage
from engines.spark.accounts import Account
from engines.spark.executors import Executor
from engines.spark.sampler import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT = Account(cpu_s=3.0, gc_s=1.0, shuffle_read_bytes=50, remote_bytes=20)


def executor(number: str, host: str, *, alive: bool = True) -> Executor:
    """Return one with two slots, whose JVM collected garbage as it started too."""
    return Executor(number, host, alive, 2, 0, 0, {"TotalGCTime": 9000}, "")


def sample(number: str, cpu_s: float = 1.0) -> Sample:
    return Sample(number, "host", 1, 2**29, "17", cpu_s, 100, 0, 0, 2, watched=True)


class Cluster:
    """Stands in for a session, its context and its cluster."""

    def __init__(self, *executors: Executor) -> None:
        self.found = executors
        self.accounts_by = {one.number: replace(ACCOUNT) for one in executors}
        self.noted: list[str] = []
        self.asked = 0
        self.answers: Callable[[int], list[Sample]] = lambda _: [
            sample(one.number) for one in executors if one.alive
        ]
        self.workers, self.threads, self.held = 2, 1, []
        self.spark = self.sparkContext = self.store = self.log = self.watch = self

    def parallelize(self, _: range, __: int) -> Cluster:
        return self

    def mapPartitions(self, _: Callable[..., Any]) -> Cluster:  # noqa: N802 - Spark's
        return self

    def collect(self) -> list[Sample]:
        self.asked += 1
        return self.answers(self.asked)

    def executors(self) -> tuple[Executor, ...]:
        return self.found

    def accounts(self) -> dict[str, Account]:
        return self.accounts_by

    def settle(self) -> None:
        pass

    def note(self, line: str) -> None:
        self.noted.append(line)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "_ASK_AGAIN_SECONDS", 0.0)


def counted(cluster: Any, name: str) -> dict[str, float | None]:
    return {one.worker: one.counters[name] for one in usage.worker_usage(cluster, cluster)}


def test_what_executors_receive_is_unknown_where_they_share_a_machine() -> None:
    apart = Cluster(executor("0", "a"), executor("1", "b"))
    assert counted(apart, "received_bytes") == {"executor 0 on a": 20, "executor 1 on b": 20}
    some = Cluster(executor("0", "a"), executor("1", "a"), executor("2", "b"))
    assert counted(some, "received_bytes") == {
        "executor 0 on a": None,
        "executor 1 on a": None,
        "executor 2 on b": 20,
    }
    assert set(counted(some, "shuffle_read_bytes").values()) == {50}


def test_what_was_received_beside_an_executor_that_died_stays_unknown() -> None:
    left = Cluster(executor("0", "a", alive=False), executor("1", "a"))
    assert counted(left, "received_bytes") == {"executor 1 on a": None}


def test_garbage_collection_is_that_which_tasks_saw() -> None:
    # two ran at a time, and saw the same
    assert counted(Cluster(executor("0", "a")), "gc_s") == {"executor 0 on a": 0.5}
    idle = Cluster(executor("0", "a"))
    idle.accounts_by = {}
    assert counted(idle, "gc_s") == {"executor 0 on a": 0.0}


def test_an_executor_that_no_task_reached_is_asked_again() -> None:
    cluster: Any = Cluster(executor("0", "a"), executor("1", "b"))
    cluster.answers = lambda asked: [sample("0", asked)] * 2 if asked < 3 else [sample("1", 7.0)]
    used = {one.worker: one.cpu_s for one in usage.worker_usage(cluster, cluster)}
    assert used == {"executor 0 on a": 2.0, "executor 1 on b": 7.0}
    assert (cluster.asked, cluster.noted) == (3, [])


def test_an_executor_that_no_task_ever_reaches_is_told_of() -> None:
    cluster: Any = Cluster(executor("0", "a"), executor("1", "b"), executor("2", "b", alive=False))
    cluster.answers = lambda _: [sample("0")]
    used = [one.worker for one in usage.worker_usage(cluster, cluster)]
    assert used == ["executor 0 on a"]
    assert cluster.asked == usage._ASKED_AT_MOST
    (line,) = cluster.noted
    assert line.startswith("executor 1 on b could not be asked for a while: ")
