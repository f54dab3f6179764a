"""How a task ends on a worker that is not ours to end: by an exception in the middle of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class CalledOffError(BaseException):
    """Raised in a task that nobody waits for; nothing that catches a failed fit catches it."""


def calling_off(resource: str) -> Callable[..., int]:
    """Return what ends, on a worker, the tasks that hold a resource.

    A thread sees the exception as soon as it carries out Python code. One that is deep in compiled
    code sees it when that returns.

    Parameters
    ----------
    resource : str
        What the tasks of one session have asked for, and no others: those stay.

    Returns
    -------
    callable
        Takes the worker, and returns how many tasks it told to end.
    """

    def call_off(dask_worker: Any) -> int:
        import ctypes

        raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
        told = 0
        # no thread leaves its task meanwhile, and none is hit in what is not ours
        with dask_worker.active_threads_lock:
            for thread, key in dask_worker.active_threads.items():
                task = dask_worker.state.tasks.get(key)
                if task is not None and resource in (task.resource_restrictions or {}):
                    told += raise_in(ctypes.c_ulong(thread), ctypes.py_object(CalledOffError))
        return told

    return call_off
