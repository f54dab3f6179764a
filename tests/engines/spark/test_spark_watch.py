"""What becomes of the thread that looks for executors, when the JVM does not always answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from engines.spark import executors
from engines.spark.executors import Executor, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Store:
    """Answers as it is told to."""

    def __init__(self) -> None:
        self.cores = 2
        self.running: int | None = None
        self.fails = False
        self.gone = False
        self.cancelled = 0
        self.failures = 0

    def executors(self) -> tuple[Executor, ...]:
        if self.fails or self.gone:
            self.failures += 1
            raise ConnectionError
        return (Executor("0", "here", True, self.cores, 0, 0, {}, ""),)

    def tasks_running(self) -> int | None:
        return self.running

    def stopped(self) -> bool:
        if self.gone:
            raise ConnectionError
        return False

    def settle(self) -> None:
        pass

    def cancel(self) -> None:
        self.cancelled += 1


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(executors, "_PERIOD", 0.01)
    return Store()


@pytest.fixture
def watch(store: Any) -> Iterator[Watch]:
    made = Watch(store, 2, 0.05)
    yield made
    made.end()


def becomes(true: Callable[[], bool]) -> bool:
    """Wait for something to happen."""
    deadline = time.monotonic() + 10
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return true()


def test_questions_that_went_wrong_do_not_end_the_watch(store, watch):
    store.fails = True
    assert becomes(lambda: store.failures > 2 * executors._UNANSWERED)
    store.fails = False
    store.cores, store.running = 1, 0
    assert becomes(lambda: watch.verdict is not None)
    assert store.cancelled


def test_the_watch_ends_with_its_jvm(store, watch):
    store.gone = True
    assert becomes(lambda: not watch._thread.is_alive())


def test_a_verdict_holds_until_the_cores_are_back(store, watch):
    store.cores, store.running = 1, 0
    assert becomes(lambda: watch.verdict is not None)
    store.running = None
    time.sleep(0.1)
    assert watch.verdict is not None  # whoever was cancelled reads it only now
    store.cores = 2
    assert becomes(lambda: watch.verdict is None)
