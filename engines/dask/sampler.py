"""What a worker of a joined cluster uses, counted in it and with all processes below it."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psutil

from engines.processes import own_name
from engines.usage import usage_of_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engines.usage import Usage

PERIOD = 0.2  # seconds
# To add up the proportional set size takes the kernel 10 ms, and to look for processes among all of
# the machine about as long: both are done only when the resident set has grown by so much
_MORE = 1.01
# or after so many seconds
_AGAIN = 2.0

MEASURED_BY = {
    "cpu_s": (
        "psutil in each worker, with all processes below it, without its nanny and without what "
        "reading this takes"
    ),
    "peak_memory_bytes": (
        f"PSS of each worker and all processes below it, read when the RSS has grown; looked at "
        f"every {PERIOD} s"
    ),
    "read_bytes": "the kernel, for each worker and all processes below it",
    "write_bytes": "the kernel, for each worker and all processes below it",
    "spilled_bytes": "Dask's spill buffer in each worker: bytes written to disk",
    "sent_bytes": "Dask's account of each worker: results sent to other workers and gathered",
    "received_bytes": "Dask's account of each worker: results fetched from other workers",
    "gc_s": "Python's garbage collector in each worker: CPU seconds, by its callbacks",
    "tasks": "Dask's account of each worker",
}


class Account:
    """What one worker used since it was opened.

    Parameters
    ----------
    worker : distributed.Worker
        Of this process.
    """

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._lock = threading.Lock()
        self._over = threading.Event()
        # CPU seconds of this account itself, which is kept in the process that it is of
        self._own_s = 0.0
        self._peak = 0
        self._gc_s = 0.0
        self._gc_began = 0.0
        self._received: int | None = 0
        log = worker.transfer_incoming_log
        self._last_fetch = log[-1] if log else None
        self._counted = self._own_accounts()
        with self._reading():
            self._began = self._look()
        gc.callbacks.append(self._collected)
        thread = threading.Thread(target=self._sample, name="enginebench-sampler", daemon=True)
        thread.start()

    def close(self) -> None:
        """Count no further."""
        self._over.set()
        if self._collected in gc.callbacks:
            gc.callbacks.remove(self._collected)

    def told(self) -> dict[str, Any]:
        """Return what was used, and begin a new peak."""
        with self._reading():
            now, began = self._look(), self._began
            peak, self._peak = self._peak, now.memory_bytes
        counters = {
            name: None if value is None else value - (self._counted[name] or 0)
            for name, value in self._own_accounts().items()
        }
        return {
            "cpu_s": now.cpu_s - began.cpu_s,
            "peak_memory_bytes": peak,
            "read_bytes": max(now.read_bytes - began.read_bytes, 0),
            "write_bytes": max(now.write_bytes - began.write_bytes, 0),
            "counters": {
                **counters,
                "received_bytes": self._fetched(),
                "gc_s": self._gc_s,
            },
            "process": own_name(),
        }

    def _own_accounts(self) -> dict[str, float | None]:
        spilled = getattr(self._worker.data, "cumulative_metrics", None)
        return {
            "spilled_bytes": (None if spilled is None else spilled.get(("disk-write", "bytes"), 0)),
            "sent_bytes": self._worker.transfer_outgoing_bytes_total,
            "tasks": self._worker.state.executed_count,
        }

    def _fetched(self) -> float | None:
        # Only a log has the bytes of each fetch, and it keeps the latest only. Its times tell no
        # entry from another: they follow the scheduler's clock, which is estimated ever anew.
        log = self._worker.transfer_incoming_log
        new = 0
        for entry in reversed(log):
            if entry is self._last_fetch:
                break
            new += entry["total"]
        else:
            if self._last_fetch is not None or len(log) == log.maxlen:
                self._received = None
        if self._received is not None:
            self._received += new
        if log:
            self._last_fetch = log[-1]
        return self._received

    def _sample(self) -> None:
        while not self._over.wait(PERIOD):
            with self._reading():
                late = time.monotonic() - self._looked_at > _AGAIN
                if late or _resident(self._processes) > _MORE * self._resident:
                    self._look()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Have the account to oneself, and note what this thread uses meanwhile."""
        with self._lock:
            began = time.thread_time()
            try:
                yield
            finally:
                self._own_s += time.thread_time() - began

    def _look(self) -> Usage:
        """Read everything, of all processes that there are, without what was used to read it."""
        self._processes, used = usage_of_tree(os.getpid())
        self._looked_at = time.monotonic()
        self._resident = _resident(self._processes)
        self._peak = max(self._peak, used.memory_bytes)
        return replace(used, cpu_s=used.cpu_s - self._own_s)

    def _collected(self, phase: str, info: Any) -> None:
        del info
        if phase == "start":
            self._gc_began = time.thread_time()
        else:
            self._gc_s += time.thread_time() - self._gc_began


def _resident(processes: Sequence[psutil.Process]) -> int:
    """Return the resident set size of processes, which is read in no time."""
    size = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            size += process.memory_info().rss
    return size


def sampler_plugin(resource: str, topic: str) -> Any:
    """Return a plugin for workers.

    Parameters
    ----------
    resource : str
        What the worker gets one of.
    topic : str
        Where it says that it has it.
    """
    from distributed.diagnostics.plugin import WorkerPlugin

    class Sampler(WorkerPlugin):  # type: ignore[misc]  # distributed has no types
        """Count from its setup to its teardown."""

        async def setup(self, worker: Any) -> None:
            self.account = Account(worker)
            await worker.set_resources(**{resource: 1})
            worker.log_event(topic, {"action": "ready", "worker": worker.address})

        def teardown(self, worker: Any) -> None:
            self.account.close()
            worker.state.total_resources.pop(resource, None)
            self._forget(worker)

        def _forget(self, worker: Any) -> None:
            """Forget the resource, once no task has it that would give it back.

            A worker that cannot take it back closes, with all that it holds for others.
            """
            tasks = worker.state.tasks.values()
            if any(resource in (task.resource_restrictions or {}) for task in tasks):
                worker.loop.call_later(PERIOD, self._forget, worker)
            else:
                worker.state.available_resources.pop(resource, None)

    return Sampler()


def asking(name: str) -> Any:
    """Return a function that asks the plugin of a worker; it travels by value."""

    def ask(dask_worker: Any) -> dict[str, Any] | None:
        plugin = dask_worker.plugins.get(name)
        if plugin is None:
            return None
        told: dict[str, Any] = plugin.account.told()
        return told

    return ask
