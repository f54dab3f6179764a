"""joblib's parallel loops as Spark jobs.

It is joblibspark's backend with what does not hold on joblib 1.6, or on one machine, put right:

- it hands joblib an exception as if it were a result, reads a field of joblib that is gone when it
  aborts, and so hides the exception that ended a fit;
- it implements a method that joblib warns is deprecated;
- it warns that a local session has no stage-level scheduling, which is of no use there;
- the base class it names first makes every batch one call long;
- it pickles the arguments with every batch, the rows among them;
- it leaves a pool of threads to the end of the process.
"""

from __future__ import annotations

import contextlib
import functools
import io
import pickle
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.spark.pool import Jobs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    from engines.spark.session import Session

# bytes from which an array is broadcast; below, it may as well travel with each batch
_LARGE = 2**16


@contextmanager
def loops_on_spark(session: Session) -> Iterator[None]:
    """Let joblib's parallel loops run as tasks of Spark, inside a ``with``."""
    import joblib

    backend = _backend_class()(session)
    try:
        with joblib.parallel_config(backend=backend, n_jobs=session.workers):
            yield
    finally:
        backend.terminate()


@functools.cache
def _backend_class() -> Any:
    """Define the backend; joblib and joblibspark are imported when a fit needs them."""
    from joblib.parallel import AutoBatchingMixin
    from joblibspark.backend import SparkDistributedBackend

    class Backend(SparkDistributedBackend):  # type: ignore[misc]  # it ships no types
        """Runs each batch of calls as a job of one task; see this module."""

        supports_retrieve_callback = True

        compute_batch_size = AutoBatchingMixin.compute_batch_size
        batch_completed = AutoBatchingMixin.batch_completed
        reset_batch_stats = AutoBatchingMixin.reset_batch_stats

        def __init__(self, session: Session) -> None:
            super().__init__()
            self._session = session
            self._jobs: Jobs | None = None
            self._arrays = _Arrays(session)

        def _is_support_stage_scheduling(self) -> bool:
            return False

        def submit(self, func: Any, callback: Any = None) -> Future[Any]:
            """Start a batch of calls."""
            if self._jobs is None:
                self._jobs = Jobs(self._session, self._n_jobs)
            future = self._jobs.submit(functools.partial(_call, *self._arrays.taken_out_of(func)))
            future.add_done_callback(callback)
            return future

        def retrieve_result_callback(self, out: Future[Any]) -> Any:
            """Return what a batch returned, or raise what it raised."""
            return out.result()

        def abort_everything(self, ensure_ready: bool = True) -> None:  # noqa: ARG002 - joblib's
            """Cancel all batches; the next one starts anew."""
            self.terminate()

        def terminate(self) -> None:
            """End a parallel loop: its jobs, its threads and its copies of the arguments."""
            jobs, self._jobs = self._jobs, None
            if jobs is not None:
                jobs.close()
            self._arrays.release()

    return Backend


class _Arrays:
    """Large arrays among the arguments of a loop, each broadcast once."""

    def __init__(self, session: Session) -> None:
        self._context = session.spark.sparkContext
        # an array is known by its identity, so it must not go while it is listed here
        self._known: dict[int, tuple[np.ndarray[Any, Any], Any]] = {}

    def taken_out_of(self, value: Any) -> tuple[bytes, tuple[Any, ...]]:
        """Return a pickled value without its large arrays, and their broadcasts in order."""
        import cloudpickle

        found: dict[int, Any] = {}

        class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # it ships no types
            def persistent_id(_, part: Any) -> int | None:  # noqa: N805 - the outer one is needed
                if type(part) is not np.ndarray or part.nbytes < _LARGE or part.dtype.hasobject:
                    return None
                found[id(part)] = self._broadcast(part)
                return list(found).index(id(part))

        content = io.BytesIO()
        Pickler(content).dump(value)
        return content.getvalue(), tuple(found.values())

    def release(self) -> None:
        """Drop the broadcasts."""
        for _, shared in self._known.values():
            with contextlib.suppress(Exception):  # a JVM that died is told of by the fit
                shared.destroy()
        self._known.clear()

    def _broadcast(self, array: np.ndarray[Any, Any]) -> Any:
        if id(array) not in self._known:
            self._known[id(array)] = (array, self._context.broadcast(array))
        return self._known[id(array)][1]


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes, arrays: Sequence[Any]) -> None:
        super().__init__(io.BytesIO(content))
        self._arrays = arrays

    def persistent_load(self, number: int) -> np.ndarray[Any, Any]:
        array: np.ndarray[Any, Any] = self._arrays[number].value
        array.flags.writeable = False  # the next batch reads it too
        return array


def _call(content: bytes, arrays: tuple[Any, ...]) -> Any:
    """Carry out a batch of calls, in a Python worker."""
    return _Unpickler(content, arrays).load()()
