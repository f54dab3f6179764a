"""A cluster of worker processes on this machine, over TCP on loopback."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

from engines.dask.crew import SINGLE_FIT, Worker, in_order
from engines.dask.defaults import INHERITED, inherited_defaults
from engines.dask.roles import SETTINGS
from engines.dask.tidy import STOP_TIMEOUT, resource_tracker_stopped
from engines.errors import SessionError, headline
from engines.threads import THREAD_COUNTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import ExitStack

    from engines.dask.losses import Losses
    from engines.types import Resources, WorkerUsage

LOOPBACK = "127.0.0.1"
# The client and the scheduler live in this process, and predictions arrive in it: this share of the
# memory is theirs, and the workers divide the rest.
DRIVER_SHARE = 0.2
# A worker that has imported its libraries holds about 320 MiB before it has seen a row.
_LEAST_WORKER_BYTES = 448 * 2**20
# What a nanny, or we for it, write into the environment of its own process, which is this one
_NANNY_VARIABLES = (
    *THREAD_COUNTS,
    INHERITED,
    "MALLOC_TRIM_THRESHOLD_",
    "PYTHONHASHSEED",
    "__DASK_PARENT_PID",
)

START_TIMEOUT = 120.0  # seconds
_POLL = 0.1


class LocalCrew:
    """The workers of a cluster whose scheduler is in this process.

    Parameters
    ----------
    cluster : distributed.LocalCluster
        Scheduler in this process, each worker in a process of its own.
    """

    tracker_host = LOOPBACK
    settled = True

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self.single_fit = {SINGLE_FIT: 1}

    @property
    def scheduler(self) -> str:
        """Address of the scheduler."""
        address: str = self._cluster.scheduler.address
        return address

    def workers(self) -> dict[str, Worker]:
        """Return the workers alive by their addresses, in the order of their names."""
        workers = self._cluster.scheduler.workers.copy()
        found = {
            address: Worker(
                name=worker.name,
                threads=worker.nthreads,
                memory_bytes=worker.memory_limit,
                takes=worker.status.name == "running",
                computes=bool(worker.executing),
            )
            for address, worker in workers.items()
        }
        return dict(sorted(found.items(), key=lambda item: in_order(item[1].name)))

    def gone(self) -> None:
        """Return None: the scheduler is in this process."""

    def end(self, addresses: Iterable[str]) -> bool:
        """End workers; their nannies start others in their place."""
        workers = self._cluster.scheduler.workers
        ended = {address: workers[address].name for address in addresses if address in workers}
        for name in ended.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._cluster.workers[name].pid, signal.SIGKILL)
        pause = threading.Event()
        while ended.keys() & workers.keys():
            pause.wait(_POLL)
        return True

    def usage(self) -> tuple[WorkerUsage, ...]:
        """Return nothing: the workers are below this process, and can be seen from outside."""
        return ()

    def facts(self) -> dict[str, Any]:
        """Return nothing: what a session says of itself is all there is."""
        return {}


def least_memory(workers: int) -> int:
    """Return the bytes without which so many workers, and this process, do not start."""
    return math.ceil(_LEAST_WORKER_BYTES * workers / (1 - DRIVER_SHARE))


def check_memory(resources: Resources) -> None:
    """Refuse memory that is too little for the workers.

    Raises
    ------
    SessionError
        Before a process starts.
    """
    least = least_memory(resources.workers)
    if resources.memory_bytes < least:
        raise SessionError(
            f"dask: {resources.workers} worker processes need at least {least // 2**20} MiB of "
            f"memory; got {resources.memory_bytes // 2**20} MiB: grant more, or take fewer workers."
        )


def start(
    resources: Resources, folder: str, losses: Losses, prepare: Callable[[], None], undo: ExitStack
) -> tuple[Any, Any, LocalCrew]:
    """Start the cluster, with every library that a fit needs imported in every worker.

    Parameters
    ----------
    resources : Resources
        What is granted.
    folder : str
        For what the workers write.
    losses : Losses
        Filled with the workers that die.
    prepare : callable
        What every worker does once it is up.
    undo : contextlib.ExitStack
        Takes what must be undone.

    Returns
    -------
    tuple
        Client, cluster and crew.

    Raises
    ------
    SessionError
        If the workers do not come up.
    """
    import distributed

    undo.enter_context(resource_tracker_stopped())
    undo.enter_context(_environment_restored())
    # A worker gets the configuration of this process only after it has imported the libraries
    os.environ.update(inherited_defaults())
    cluster = distributed.LocalCluster(
        n_workers=resources.workers,
        threads_per_worker=resources.threads_per_worker,
        processes=True,
        protocol="tcp://",
        host=LOOPBACK,
        dashboard_address=None,
        # Without it the scheduler's HTTP server asks for port 8787 and warns when it is taken
        scheduler_kwargs={"dashboard": False, "dashboard_address": f"{LOOPBACK}:0"},
        memory_limit=int(resources.memory_bytes * (1 - DRIVER_SHARE) / resources.workers),
        resources={SINGLE_FIT: 1},
        local_directory=folder,
    )
    undo.callback(_close_cluster, cluster)
    client = distributed.Client(cluster, timeout=START_TIMEOUT)
    undo.callback(client.close, timeout=STOP_TIMEOUT)
    undo.callback(setattr, losses, "closing", True)
    cluster.scheduler.add_plugin(_plugin(losses, cluster.scheduler), name="enginebench-losses")
    try:
        client.wait_for_workers(resources.workers, timeout=START_TIMEOUT)
        client.run(prepare)
    except Exception as exc:
        raise SessionError(
            f"dask: the workers did not come up within {START_TIMEOUT:.0f} s "
            f"({headline(exc)}); grant more memory or take fewer workers."
        ) from exc
    return client, cluster, LocalCrew(cluster)


def configuration(folder: str) -> dict[str, Any]:
    """Return the settings of Dask that hold while the session is open."""
    # A worker runs as many tasks at once as it has threads: a task with a pool of its own besides
    # would multiply them. XGBoost alone trains in one task a worker, and counts threads itself.
    threads = dict.fromkeys(THREAD_COUNTS, 1)
    return {
        **SETTINGS,
        "distributed.nanny.pre-spawn-environ": {"MALLOC_TRIM_THRESHOLD_": 65536, **threads},
        "temporary-directory": folder,
    }


def _plugin(losses: Losses, scheduler: Any) -> Any:
    """Return a plugin of the scheduler that fills `losses`."""
    from distributed.diagnostics.plugin import SchedulerPlugin

    class Watch(SchedulerPlugin):  # type: ignore[misc]  # distributed has no types
        """Names are kept, for a worker that is gone has none any more."""

        def __init__(self) -> None:
            workers = scheduler.workers.items()
            self.names = {address: worker.name for address, worker in workers}

        def add_worker(self, scheduler: Any, worker: str) -> None:
            self.names[worker] = scheduler.workers[worker].name

        def remove_worker(self, scheduler: Any, worker: str, **_: Any) -> None:
            del scheduler
            losses.removed(worker, self.names.get(worker, "?"))

        def log_event(self, topic: str, msg: Any) -> None:
            if topic == "worker-restart-memory":
                losses.out_of_memory.append(msg["worker"])

    return Watch()


def _close_cluster(cluster: Any) -> None:
    """Close the cluster, and end a worker that would not."""
    import psutil

    pids = [nanny.pid for nanny in cluster.workers.values() if nanny.pid is not None]
    processes = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            processes.append(psutil.Process(pid))
    try:
        cluster.close(timeout=STOP_TIMEOUT)
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, STOP_TIMEOUT)


@contextlib.contextmanager
def _environment_restored() -> Iterator[None]:
    """Let nannies write their variables, and put back this process's own at the end.

    A nanny prefers a variable of this process to the configuration: hence they are taken away.
    """
    before = {name: os.environ.pop(name, None) for name in _NANNY_VARIABLES}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
