"""What a session asks of the scheduler of a cluster that it joined.

All of it travels by value: nothing of ours needs to be installed beside the scheduler.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from engines.dask.joined import Place

# seconds in which a worker has told the scheduler of what it has
_SAYING = 0.5


class Watch:
    """Tell a client what becomes of its workers.

    Everything of the session is taken away when the client leaves, however that ends.

    Parameters
    ----------
    place : Place
        The session's place on the cluster.
    client : str
        Who is told.
    """

    def __init__(self, place: Place, client: str) -> None:
        self.name = place.name
        self.resource = place.resource
        self.used = place.names
        self.client = client
        # Names are kept, for a worker that is gone has none any more
        self.names: dict[str, str] = {}
        self.scheduler: Any = None
        # In which XGBoost waits for trackers that the session started; one that is done forgets its
        # tracker, which XGBoost then closes
        self.trackers: list[threading.Thread] = []

    def start(self, scheduler: Any) -> None:
        """Begin to listen."""
        self.scheduler = scheduler
        self.names = {address: str(worker.name) for address, worker in scheduler.workers.items()}
        scheduler.subscribe_topic(self.name, self.client)
        if self.client not in scheduler.clients:  # it has given up waiting for this
            scheduler._ongoing_background_tasks.call_soon(self.leave)  # noqa: SLF001

    def add_worker(self, scheduler: Any, worker: str) -> None:
        """Tell of a worker that came up, be it one that the session must not use."""
        name = self.names[worker] = str(scheduler.workers[worker].name)
        self._tell("added", worker)
        if name not in self.used:
            scheduler.log_event(self.name, {"action": "other", "worker": worker, "name": name})

    def remove_worker(self, scheduler: Any, worker: str, **_: Any) -> None:
        """Tell of a worker that is gone."""
        del scheduler
        self._tell("removed", worker)

    def log_event(self, topic: str, msg: Any) -> None:
        """Tell of a worker that exceeds its memory limit, and use one that is ready."""
        if topic == "worker-restart-memory":
            self._tell("out of memory", msg["worker"])
        elif topic == self.name and msg["action"] == "ready":
            # It has the resource only now, and tasks may wait for that
            worker = self.scheduler.workers.get(msg["worker"])
            if worker is not None:
                found = self.scheduler.bulk_schedule_unrunnable_after_adding_worker(worker)
                self.scheduler.transitions(found, stimulus_id=self.name)

    def remove_client(self, scheduler: Any, client: str) -> None:
        """Leave with the client."""
        if client == self.client:
            scheduler._ongoing_background_tasks.call_soon(self.leave)  # noqa: SLF001

    async def leave(self) -> None:
        """Take everything of the session away."""
        scheduler = self.scheduler
        if scheduler.plugins.pop(self.name, None) is None:
            return
        for tracker in self.trackers:
            # One whose training broke off waits for its workers for ever, and listens
            with contextlib.suppress(Exception):
                tracker._target.__self__.free()  # type: ignore[attr-defined]  # noqa: SLF001
        self.trackers.clear()
        if self.client in scheduler.clients:
            # Or tasks under way would give back a resource that nobody knows of any more
            wanted = [task.key for task in scheduler.clients[self.client].wants_what]
            scheduler.client_releases_keys(wanted, self.client)
        scheduler.unsubscribe_topic(self.name, self.client)
        self._forget()
        # Last, for it fails where a worker is just dying, and takes as long as one hangs
        if self.name in scheduler.worker_plugins:
            began = time.monotonic()
            try:
                await scheduler.unregister_worker_plugin(None, self.name)
            finally:
                if time.monotonic() - began > _SAYING:
                    # One that hung may have taken the plugin in only now, and say so
                    await asyncio.sleep(_SAYING)
                    self._forget()

    def _forget(self) -> None:
        """Forget what workers have said that they have for the session."""
        scheduler = self.scheduler
        for worker in scheduler.workers.values():
            worker.resources.pop(self.resource, None)
            worker.used_resources.pop(self.resource, None)
        scheduler.resources.pop(self.resource, None)
        scheduler._broker._topics.pop(self.name, None)  # noqa: SLF001 - it has no public name

    def _tell(self, action: str, worker: str) -> None:
        name = self.names.get(worker, "?")
        if name in self.used:
            self.scheduler.log_event(self.name, {"action": action, "worker": worker, "name": name})


def watch_plugin(place: Place, client: str) -> Any:
    """Return a plugin of the scheduler that tells a client what becomes of its workers."""
    from distributed.diagnostics.plugin import SchedulerPlugin

    class Plugin(Watch, SchedulerPlugin):  # type: ignore[misc]  # distributed has no types
        """A `Watch` as Dask takes it."""

    return Plugin(place, client)


def looking(resource: str) -> Callable[..., dict[str, Any]]:
    """Return a function that tells of each worker what a session needs to know."""

    def look(dask_scheduler: Any) -> dict[str, Any]:
        return {
            address: {
                "name": worker.name,
                "threads": worker.nthreads,
                "memory_bytes": worker.memory_limit or 0,
                "takes": worker.status.name == "running" and resource in worker.resources,
                "computes": bool(worker.executing),
            }
            for address, worker in list(dask_scheduler.workers.items())
        }

    return look


def settings_of() -> Callable[..., dict[str, Any]]:
    """Return a function that tells how a scheduler is set, where that can change numbers."""

    def settings(dask_scheduler: Any) -> dict[str, Any]:
        import socket

        from distributed.comm import get_address_host

        manager = dask_scheduler.extensions.get("amm")
        host = get_address_host(dask_scheduler.address)
        return {
            "host": socket.gethostbyname(host) if host and ":" not in host else host,
            "steals": "stealing" in dask_scheduler.extensions,
            "manages memory": bool(manager is not None and manager.running),
            "worker_ttl": dask_scheduler.worker_ttl,
            "allowed_failures": dask_scheduler.allowed_failures,
        }

    return settings


def beside(function: Callable[[], None]) -> Callable[..., Any]:
    """Return a function that calls another one beside the scheduler's event loop."""

    async def call() -> None:
        await asyncio.to_thread(function)

    return call


def kept(name: str, start: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that starts a tracker of XGBoost, and keeps it for a session to end."""

    def started(*args: Any, dask_scheduler: Any) -> Any:
        import threading

        before = threading.enumerate()
        told = start(*args)
        plugin = dask_scheduler.plugins.get(name)
        if plugin is not None:
            # XGBoost hands nobody its tracker, but a thread that is named after what it calls
            plugin.trackers[:] = [one for one in plugin.trackers if one.is_alive()] + [
                one
                for one in threading.enumerate()
                if one not in before and "(wait_for)" in one.name
            ]
        return told

    return started


def leaving(name: str) -> Callable[..., Any]:
    """Return a function that takes everything of a session away from its scheduler."""

    async def leave(dask_scheduler: Any) -> None:
        plugin = dask_scheduler.plugins.get(name)
        if plugin is not None:
            await plugin.leave()

    return leave
