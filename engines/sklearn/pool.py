"""Worker processes of scikit-learn's own kind (loky), which outlive one search."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass, field
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

from engines.threads import THREAD_COUNTS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Future

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

# Each worker has one core
_ONE_THREAD = dict.fromkeys(THREAD_COUNTS, "1")
# Batches on their way to a worker while it computes, so that it never waits for the next one
_AHEAD = 2


@dataclass
class Pool:
    """Processes that start when there is first something for them to do or to hold.

    Parameters
    ----------
    workers : int
        How many.
    lost : list of str
        A line for each time that processes died.
    """

    workers: int
    lost: list[str] = field(default_factory=list)
    _executor: Any = None

    def everywhere(self, function: Callable[[], ResultT]) -> list[ResultT]:
        """Call a function in every process, which starts them where need be.

        Parameters
        ----------
        function : callable
            Of a module; it may be called several times in a process.

        Returns
        -------
        list
            What it returned, once for each process.
        """
        answers: dict[int, ResultT] = {}
        # nothing says which process takes a call, so it is repeated until all of them had one
        while len(answers) < self.workers:
            calls = [self._submit(_with_process, function) for _ in range(self.workers)]
            answers |= dict(call.result() for call in calls)
        return list(answers.values())

    def unordered(
        self,
        function: Callable[[ItemT], ResultT],
        items: Callable[[], ItemT | None],
        give_back: Callable[[ItemT], None],
    ) -> Generator[ResultT, None, None]:
        """Call a function with items until there are no more; yield results as they come.

        When a worker dies, loky ends the others too. What they had not returned is given back, and
        new processes go on. Closing the iterator ends the processes where they are
        still at work; others start when there is something to do again.

        Parameters
        ----------
        function : callable
            Of a module.
        items : callable
            Returns the next item, or None.
        give_back : callable
            Takes an item that was lost.

        Raises
        ------
        joblib.externals.loky.process_executor.BrokenProcessPool
            If processes die twice and nothing was done in between.
        """
        from joblib.externals.loky.process_executor import BrokenProcessPool

        sent: dict[Future[ResultT], ItemT] = {}
        died_before = False
        try:
            while True:
                try:
                    self._fill(sent, function, items, give_back)
                    if not sent:
                        return
                    done, _ = wait(sent, return_when=FIRST_COMPLETED)
                    for future in done:
                        result = future.result()
                        del sent[future]
                        died_before = False
                        yield result
                except BrokenProcessPool:
                    self.lost.append("a worker process died, and the others were ended with it")
                    self.stop()
                    # results that had arrived by then are not lost with them
                    for future in [one for one in sent if _succeeded(one)]:
                        del sent[future]
                        died_before = False
                        yield future.result()
                    if died_before:
                        raise
                    died_before = True
                    for item in reversed(sent.values()):
                        give_back(item)
                    sent.clear()
        finally:
            if sent:
                self.stop()

    def stop(self) -> None:
        """End the processes, if there are any, wherever they are with their work."""
        if self._executor is not None:
            executor, self._executor = self._executor, None
            executor.shutdown(wait=True, kill_workers=True)

    def _fill(
        self,
        sent: dict[Future[ResultT], ItemT],
        function: Callable[[ItemT], ResultT],
        items: Callable[[], ItemT | None],
        give_back: Callable[[ItemT], None],
    ) -> None:
        while len(sent) < _AHEAD * self.workers and (item := items()) is not None:
            try:
                sent[self._submit(function, item)] = item
            except BaseException:
                give_back(item)
                raise

    def _submit(self, function: Callable[[ItemT], ResultT], item: ItemT) -> Future[ResultT]:
        if self._executor is None:
            from joblib.externals.loky import ProcessPoolExecutor

            self._executor = ProcessPoolExecutor(
                max_workers=self.workers, timeout=None, env=_ONE_THREAD
            )
        future: Future[ResultT] = self._executor.submit(function, item)
        return future


@dataclass(frozen=True)
class Started:
    """What of joblib's ran in this process before a session, and outlives it.

    Parameters
    ----------
    processes : object or None
        The executor that joblib keeps for its next parallel loop.
    trackers : tuple of bool
        Whether the processes that watch over shared resources were there: loky's and Python's.
    """

    processes: Any
    trackers: tuple[bool, ...]


def started() -> Started:
    """Look at what joblib has started in this process."""
    from joblib.externals.loky import reusable_executor

    # none of them has a public name that would not start it
    trackers = tuple(one._fd is not None for one in _trackers())  # noqa: SLF001
    return Started(reusable_executor._executor, trackers)  # noqa: SLF001


def end_joblib(before: Started) -> None:
    """End what joblib has started in this process since; all of it would end with the process."""
    now = started()
    if now.processes is not None and now.processes is not before.processes:
        # it also removes the files of arrays that were mapped for parallel loops
        now.processes.terminate(kill_workers=True)
    # a semaphore that is collected later would start a tracker to tell it
    gc.collect()
    if not before.trackers[0]:
        for clean_up in _for_exit():
            clean_up()
            atexit.unregister(clean_up)
    for tracker, was_there in zip(_trackers(), before.trackers, strict=True):
        if not was_there:
            with contextlib.suppress(ChildProcessError):
                tracker._stop()  # noqa: SLF001


def _for_exit() -> list[Callable[[], None]]:
    """Return what joblib means to do at exit, by which it would start a tracker again.

    Each parallel loop names a folder for arrays, to be removed then, and keeps no hold of it.
    """
    from joblib._memmapping_reducer import TemporaryResourcesManager

    register = TemporaryResourcesManager.register_folder_finalizer
    name = f"{register.__qualname__}.<locals>._cleanup"
    return [
        one
        for one in gc.get_objects()
        if isinstance(one, FunctionType)
        and one.__qualname__ == name
        and one.__module__ == register.__module__
    ]


def _trackers() -> tuple[Any, ...]:
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as of_loky

    # loky starts Python's as well, for what its workers share by other means than its own
    return (of_loky._resource_tracker, resource_tracker._resource_tracker)  # noqa: SLF001


def _with_process(function: Callable[[], ResultT]) -> tuple[int, ResultT]:
    return os.getpid(), function()


def _succeeded(future: Future[Any]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None
