"""What ends a task in the middle of it ends no other one, and nothing after it."""

from __future__ import annotations

import threading
import time

import pytest

from engines.dask.calling_off import CalledOffError, call_off, interruptible


def begin(key, call):
    """Carry out something as a task; return its thread and what comes of it."""
    came, begun = [], threading.Event()

    def carried_out():
        begun.set()
        call()
        return "done"

    def task():
        try:
            came.append(interruptible(key, carried_out))
        except CalledOffError:
            came.append("called off")

    thread = threading.Thread(target=task)
    thread.start()
    assert begun.wait(10)
    return thread, came


def test_only_the_tasks_meant_end():
    over = threading.Event()

    def wait():
        while not over.is_set():
            time.sleep(0.01)

    ours, of_ours = begin("ours-1", wait)
    others, of_others = begin("theirs-1", wait)
    assert call_off(lambda key: key.startswith("ours")) == 1
    ours.join(10)
    over.set()
    others.join(10)
    assert (of_ours, of_others) == (["called off"], ["done"])


def test_nothing_catches_it_that_catches_a_failed_fit():
    def fit():
        while True:
            try:
                time.sleep(0.01)
            except Exception:  # noqa: BLE001 - as one who takes any failure for a result
                pytest.fail("it was taken for a failed fit")

    thread, came = begin("key", fit)
    assert call_off(lambda _: True) == 1
    thread.join(10)
    assert came == ["called off"]


def test_a_thread_whose_task_has_ended_is_never_hit():
    stop = threading.Event()
    hit = []

    def work():
        # a pool thread: one task after the other, and bookkeeping in between
        try:
            while not stop.is_set():
                try:
                    interruptible("key", lambda: sum(range(50)))
                except CalledOffError:
                    continue
                for _ in range(50):
                    pass
        except CalledOffError:
            hit.append("between tasks")

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    told, until = 0, time.monotonic() + 2
    while time.monotonic() < until:
        told += call_off(lambda _: True)
    stop.set()
    for thread in threads:
        thread.join(10)
    assert told > 100
    assert hit == []
    assert call_off(lambda _: True) == 0
