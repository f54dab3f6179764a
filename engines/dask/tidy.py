"""What Dask, XGBoost and Python leave behind in this process, taken away."""

from __future__ import annotations

import contextlib
import gc
import threading
from concurrent.futures.thread import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

STOP_TIMEOUT = 20.0  # seconds


@contextlib.contextmanager
def resource_tracker_stopped() -> Iterator[None]:
    """Stop the process that Python starts beside spawned workers, unless it ran before.

    Python ends it only at its own exit, and has no public name for doing so earlier.
    """
    from multiprocessing import resource_tracker

    tracker: Any = resource_tracker._resource_tracker  # noqa: SLF001 - see above
    ran_before = tracker._pid is not None  # noqa: SLF001
    try:
        yield
    finally:
        if not ran_before:
            tracker._stop()  # noqa: SLF001


def free_trackers() -> None:
    """End XGBoost's trackers whose training broke off: they wait for its workers, and listen.

    XGBoost starts each in a thread of this process and keeps no other reference to it.
    """
    waiting = [thread for thread in threading.enumerate() if "(wait_for)" in thread.name]
    if not waiting:
        return
    from xgboost.core import XGBoostError
    from xgboost.tracker import RabitTracker

    def quiet(broken: threading.ExceptHookArgs) -> None:
        """Pass on what is not the end of a tracker."""
        if broken.thread not in waiting:
            before(broken)

    before, threading.excepthook = threading.excepthook, quiet
    try:
        for tracker in [one for one in gc.get_objects() if isinstance(one, RabitTracker)]:
            with contextlib.suppress(XGBoostError):
                tracker.free()
        for thread in waiting:
            thread.join(STOP_TIMEOUT)
    finally:
        threading.excepthook = before


def retire_offload_thread() -> None:
    """End the thread in which distributed packs large messages; it keeps it for the next one."""
    from distributed import utils

    executor = getattr(utils, "_offload_executor", None)
    if isinstance(executor, ThreadPoolExecutor):
        utils._offload_executor = ThreadPoolExecutor(  # noqa: SLF001 - it has no public name
            max_workers=1, thread_name_prefix="Dask-Offload"
        )
        executor.shutdown(wait=True)
