"""Spark jobs of one task each, several under way at a time, and what they are sent once.

A job that fails takes no other one along, and its task's results are here as soon as it ends.
"""

from __future__ import annotations

import contextlib
import functools
import pickle
import threading
import uuid
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from engines.errors import WorkerLostError
from engines.spark import failures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines.spark.session import Session

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

# Jobs under way for each worker, so that Spark has the next task when one is done
_AHEAD = 2
# seconds after which jobs that do not end are cancelled again: one may just have been starting
_CANCEL_AGAIN = 0.2


class Sent:
    """A value for the workers, each of which unpickles it once.

    cloudpickle also takes what is defined in a script or a notebook.
    """

    def __init__(self, value: Any) -> None:
        import cloudpickle

        self._content = cloudpickle.dumps(value)

    @functools.cached_property
    def value(self) -> Any:
        """What was sent."""
        return pickle.loads(self._content)  # noqa: S301 - ours


@contextmanager
def broadcast(session: Session, value: Any) -> Iterator[Any]:
    """Broadcast a value that is needed for a while: it travels once, and not with every task."""
    shared = session.spark.sparkContext.broadcast(Sent(value))
    try:
        yield shared
    finally:
        with contextlib.suppress(Exception):  # a JVM that died is told of by what it died in
            shared.destroy()


class Jobs:
    """Calls in Python workers, each a job of one task.

    Parameters
    ----------
    session : Session
        Where they run.
    at_a_time : int
        How many are handed to Spark at a time.
    """

    def __init__(self, session: Session, at_a_time: int) -> None:
        self._context = session.spark.sparkContext
        self._group = f"enginebench-{uuid.uuid4()}"
        # exactly one element, which the task reads: Spark ends workers that leave input unread
        self._task = self._context.parallelize([None], 1)
        self._threads = ThreadPoolExecutor(at_a_time, thread_name_prefix="spark-job")
        self._closing = threading.Event()
        self._unfinished: set[Future[Any]] = set()
        self._under_way = session.under_way
        self._under_way.add(self.close)

    def submit(self, call: Callable[[], ResultT]) -> Future[ResultT]:
        """Have something called in a Python worker; it and its result pickle."""
        if self._closing.is_set():
            refused: Future[ResultT] = Future()
            refused.cancel()
            return refused
        future = self._threads.submit(self._run, call)
        self._unfinished.add(future)
        future.add_done_callback(self._unfinished.discard)
        return future

    def close(self) -> None:
        """Cancel what is under way, and leave no thread behind."""
        self._closing.set()
        self._threads.shutdown(wait=False, cancel_futures=True)
        while unfinished := tuple(self._unfinished):
            with contextlib.suppress(Exception):  # a dead JVM has cancelled everything
                self._context.cancelJobGroup(self._group)
            wait(unfinished, timeout=_CANCEL_AGAIN)
        self._threads.shutdown(wait=True)
        self._under_way.discard(self.close)

    def _run(self, call: Callable[[], ResultT]) -> ResultT:
        if self._closing.is_set():
            raise CancelledError
        self._context.setJobGroup(self._group, "calls of enginebench")
        (result,) = self._task.map(lambda _: call()).collect()
        return result  # type: ignore[no-any-return]


def unordered(
    session: Session,
    call: Callable[[ItemT], ResultT],
    items: Callable[[], ItemT | None],
    give_back: Callable[[ItemT], None],
) -> Iterator[ResultT]:
    """Call something with items until there are no more; yield results as they come.

    What a Python worker takes along as it dies is given back, to be done by another one; once in
    a session, for then something must be killing them.

    Parameters
    ----------
    session : Session
        Where the workers are; it remembers the one that died.
    call : callable
        Is called in a worker.
    items : callable
        Returns the next item, or None.
    give_back : callable
        Takes an item that was lost.
    """
    jobs = Jobs(session, _AHEAD * session.workers)
    sent: dict[Future[ResultT], ItemT] = {}
    try:
        while True:
            while len(sent) < _AHEAD * session.workers and (item := items()) is not None:
                sent[jobs.submit(functools.partial(call, item))] = item
            if not sent:
                return
            done, _ = wait(sent, return_when=FIRST_COMPLETED)
            for future in done:
                item = sent.pop(future)
                if (exc := future.exception()) is None:
                    yield future.result()
                elif _worker_died(session, exc) and not session.lost:
                    session.lost.append("a Python worker of Spark died")
                    give_back(item)
                else:
                    raise exc
    finally:
        jobs.close()


def _worker_died(session: Session, exc: BaseException) -> bool:
    if not isinstance(exc, Exception):
        return False
    cause = failures.translate(session, "call", exc)
    return isinstance(cause, WorkerLostError) and failures.jvm_death(session.jvm) is None
