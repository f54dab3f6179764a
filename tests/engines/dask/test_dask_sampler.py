"""What a worker of a joined cluster tells of itself."""

from __future__ import annotations

import os
import time
from collections import deque
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from engines.dask import DaskEngine, sampler
from engines.dask.sampler import Account
from engines.processes import process_name
from engines.types import Attachment, Resources
from engines.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines.types import WorkerUsage

KEPT = 4
READING_S = 0.3


def worker() -> Any:
    """Return what an account asks of a worker."""
    return SimpleNamespace(
        data={},
        transfer_outgoing_bytes_total=0,
        transfer_incoming_log=deque(maxlen=KEPT),
        scheduler_delay=0.0,
        state=SimpleNamespace(executed_count=0),
    )


@contextmanager
def opened(of: Any) -> Iterator[Account]:
    account = Account(of)
    try:
        yield account
    finally:
        account.close()


def fetch(to: Any, total: int, delay: float = 0.0) -> None:
    """Log a fetch that has just ended, by a clock that is estimated to be so far ahead."""
    to.transfer_incoming_log.append({"stop": time.time() + delay, "total": total})


def received(account: Account) -> float | None:
    told: float | None = account.told()["counters"]["received_bytes"]
    return told


def test_what_is_fetched_is_counted_once_however_the_clock_is_estimated():
    one = worker()
    fetch(one, 1000)
    with opened(one) as account:
        assert received(account) == 0
        fetch(one, 1, delay=60.0)
        assert received(account) == 1
        # later, though its time is before
        fetch(one, 2, delay=-60.0)
        assert received(account) == 3
        fetch(one, 4, delay=120.0)
        assert received(account) == 7
        assert received(account) == 7


def test_a_log_that_has_lost_fetches_tells_no_sum_from_then_on():
    one = worker()
    fetch(one, 1000)
    with opened(one) as account:
        for _ in range(KEPT - 1):
            fetch(one, 1)
        # it is full, and nothing is lost
        assert received(account) == KEPT - 1
        for _ in range(KEPT):
            fetch(one, 1)
        assert received(account) is None
        fetch(one, 1)
        assert received(account) is None


def test_a_log_that_was_empty_and_is_full_may_have_lost_fetches():
    one = worker()
    with opened(one) as account:
        for _ in range(KEPT):
            fetch(one, 1)
        assert received(account) is None


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_what_reading_takes_is_nothing_that_the_worker_used(monkeypatch, before):
    # of the threads of this test alone, for other processes of a session of tests are busy too
    used_s = []

    def work() -> None:
        began = time.thread_time()
        burn(READING_S)
        used_s.append(time.thread_time() - began)

    def slow(_: int) -> Any:
        if before:
            work()
        found = [], Usage(sum(used_s), 1, 0, 0, 1)
        if not before:
            work()
        return found

    monkeypatch.setattr(sampler, "usage_of_tree", slow)
    with opened(worker()) as account:
        first = account.told()["cpu_s"]
        work()
        # meanwhile the sampler reads too
        time.sleep(sampler._AGAIN + 2 * sampler.PERIOD + READING_S)
        second = account.told()["cpu_s"]
    assert len(used_s) >= 5
    assert first == pytest.approx(0, abs=READING_S / 3)
    assert second - first == pytest.approx(READING_S, abs=READING_S / 3)


def burn(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_a_process_is_counted_once_whichever_number_of_workers_it_has(tmp_path):
    import distributed

    def used(of: DaskEngine) -> tuple[WorkerUsage, WorkerUsage]:
        first, second = of.worker_usage()
        return first, second

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp://", memory_limit="1 GiB",
        dashboard_address=None,
    ) as cluster:  # fmt: skip
        attachment = Attachment(cluster.scheduler_address, 60.0)
        with DaskEngine(Resources(2, 2**30, 2, 1, tmp_path, attachment=attachment)) as engine:
            before = used(engine)
            burn(1.0)
            after = used(engine)
    assert {one.process for one in after} == {process_name(os.getpid())}
    # with what else the process of the tests has below it
    assert 0.9 < after[0].cpu_s - before[0].cpu_s < 1.9
    assert after[0].peak_memory_bytes > 0
    assert (after[1].cpu_s, after[1].peak_memory_bytes, after[1].counters["gc_s"]) == (0.0, 0, 0.0)
