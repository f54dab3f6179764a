"""How a task ends on a worker that is not ours to end: by an exception in the middle of it."""

from __future__ import annotations

import ctypes
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc

# The threads of this worker that carry out what may be called off, and the keys of their tasks.
# Dask's own list of threads has them before and after the task too, when they are not to be hit.
_under_way: dict[int, str] = {}
_lock = threading.Lock()


class CalledOffError(BaseException):
    """Raised in a task that nobody waits for; nothing that catches a failed fit catches it."""


def interruptible(key: str, call: Callable[[], T]) -> T:
    """Call something in a task, which `call_off` can end meanwhile and at no other time.

    Parameters
    ----------
    key : str
        Of the task.
    call : callable
        What it does.
    """
    thread = threading.get_ident()
    try:
        with _lock:
            _under_way[thread] = key
        return call()
    finally:
        while thread in _under_way:
            try:
                with _lock:
                    _under_way.pop(thread)
                    # one that was told and not raised yet comes too late
                    _raise_in(ctypes.c_ulong(thread), None)
            except CalledOffError:
                pass


def call_off(ours: Callable[[str], bool]) -> int:
    """End tasks of this process; return how many.

    A thread sees the exception as soon as it carries out Python code. One that is deep in compiled
    code sees it when that returns.

    Parameters
    ----------
    ours : callable
        Takes the key of a task, and says whether it is to end.
    """
    told = 0
    with _lock:
        for thread, key in _under_way.items():
            if ours(key):
                told += _raise_in(ctypes.c_ulong(thread), ctypes.py_object(CalledOffError))
    return told


def calling_off(resource: str) -> Callable[..., int]:
    """Return what ends, on a worker, the tasks that have asked for a resource, and no others."""

    def end(dask_worker: Any) -> int:
        def ours(key: str) -> bool:
            task = dask_worker.state.tasks.get(key)
            return task is not None and _asks_for(resource, task)

        return call_off(ours)

    return end


def computing(resource: str | None) -> Callable[..., bool]:
    """Return what tells whether a worker runs a task, be it one that was called off.

    Parameters
    ----------
    resource : str or None
        Only tasks that have asked for it count, if given: other people use the worker as well.
    """

    def computes(dask_worker: Any) -> bool:
        return any(
            resource is None or _asks_for(resource, task) for task in dask_worker.state.executing
        )

    return computes


def _asks_for(resource: str, task: Any) -> bool:
    return resource in (task.resource_restrictions or {})
