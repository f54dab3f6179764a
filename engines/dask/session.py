"""The session of Dask: a cluster of worker processes on this machine, over TCP on loopback."""

from __future__ import annotations

import contextlib
import gc
import importlib
import math
import os
import signal
import tempfile
import threading
from concurrent.futures import Future, wait
from concurrent.futures.thread import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from engines.errors import (
    EngineError,
    EngineFailedError,
    EngineMemoryError,
    SessionError,
    WorkerLostError,
    headline,
)
from engines.threads import largest_pool
from engines.types import Facts
from engines.versions import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines.types import Resources

T = TypeVar("T")

LOOPBACK = "127.0.0.1"
# The client and the scheduler live in this process, and predictions arrive in it: this share of the
# memory is theirs, and the workers divide the rest.
DRIVER_SHARE = 0.2
# A worker that has imported its libraries holds about 320 MiB before it has seen a row.
_LEAST_WORKER_BYTES = 448 * 2**20
# A pool of native threads reads these as its process starts
_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
# What a nanny writes into the environment of its own process, which is this one
_NANNY_VARIABLES = (
    *_THREAD_COUNTS,
    "MALLOC_TRIM_THRESHOLD_",
    "PYTHONHASHSEED",
    "__DASK_PARENT_PID",
)

START_TIMEOUT = 120.0  # seconds
STOP_TIMEOUT = 20.0
# seconds that a call which cannot survive the loss of a worker gets to fail by itself
GRACE = 3.0
# seconds in which a worker must take tasks after all died or were short of memory
RESTART_TIMEOUT = 60.0
# What each worker has one of: a task that asks for it runs beside no other such task of the worker,
# whatever its threads, and waits where it can still be cancelled
SINGLE_FIT = "single-node fit"
# seconds that a worker gets to end what was called off, before it is ended itself
_NEARLY_DONE = 1.0
# seconds in which the death of a worker shows after the exception that it caused
_NOTICE = 0.5
_POLL = 0.1


@dataclass(frozen=True)
class Session:
    """A running cluster, its client, and what must be undone at the end.

    Parameters
    ----------
    client : distributed.Client
        Connected to the cluster.
    cluster : distributed.LocalCluster
        Scheduler in this process, each worker in a process of its own.
    resources : Resources
        What was asked.
    losses : Losses
        Workers that died.
    undo : contextlib.ExitStack
        Gives everything back, last in first out.
    """

    client: Any
    cluster: Any
    resources: Resources
    losses: Losses
    undo: ExitStack
    threads: list[threading.Thread] = field(default_factory=list)
    abandoned: list[str] = field(default_factory=list)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Addresses of the workers alive, in the order of their numbers."""
        workers = self.cluster.scheduler.workers.copy()
        return tuple(sorted(workers, key=lambda address: int(workers[address].name)))


class Losses:
    """The workers that died, as the scheduler saw it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.out_of_memory: list[str] = []
        self.ended: set[str] = set()
        self.closing = False

    def removed(self, address: str, name: object) -> None:
        """Note that the scheduler lost a worker."""
        if self.closing or address in self.ended:
            return
        reason = " after it exceeded its memory limit" if address in self.out_of_memory else ""
        self.lines.append(f"worker {name} at {address} died{reason}")


def least_memory(workers: int) -> int:
    """Return the bytes without which so many workers, and this process, do not start."""
    return math.ceil(_LEAST_WORKER_BYTES * workers / (1 - DRIVER_SHARE))


def start(resources: Resources) -> Session:
    """Start the cluster, with every library that a fit needs imported in every worker.

    Raises
    ------
    SessionError
        If the memory is too little for the workers, or the workers do not come up.
    """
    worker_memory = int(resources.memory_bytes * (1 - DRIVER_SHARE) / resources.workers)
    least = least_memory(resources.workers)
    if resources.memory_bytes < least:
        raise SessionError(
            f"dask: {resources.workers} worker processes need at least {least // 2**20} MiB of "
            f"memory; got {resources.memory_bytes // 2**20} MiB: grant more, or take fewer workers."
        )
    with ExitStack() as undo:
        # Imported here before the workers' thread counts stand in the environment of this process
        import threadpoolctl

        _import_libraries()
        import dask
        import distributed

        folder = undo.enter_context(
            tempfile.TemporaryDirectory(
                prefix="dask-", dir=resources.scratch, ignore_cleanup_errors=True
            )
        )
        undo.enter_context(_resource_tracker_stopped())
        undo.callback(_retire_offload_thread)
        undo.callback(_free_trackers)
        undo.enter_context(dask.config.set(_configuration(folder)))
        undo.enter_context(_environment_restored())
        limits = threadpoolctl.threadpool_limits(resources.cores)
        undo.callback(limits.restore_original_limits)
        losses = Losses()
        cluster = distributed.LocalCluster(
            n_workers=resources.workers,
            threads_per_worker=resources.threads_per_worker,
            processes=True,
            protocol="tcp://",
            host=LOOPBACK,
            dashboard_address=None,
            # Without it the scheduler's HTTP server asks for port 8787 and warns when it is taken
            scheduler_kwargs={"dashboard": False, "dashboard_address": f"{LOOPBACK}:0"},
            memory_limit=worker_memory,
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
            client.run(_import_libraries)
        except Exception as exc:
            raise SessionError(
                f"dask: the workers did not come up within {START_TIMEOUT:.0f} s "
                f"({headline(exc)}); grant more memory or take fewer workers."
            ) from exc
        return Session(client, cluster, resources, losses, undo.pop_all())


def stop(session: Session) -> None:
    """Close the client, the scheduler and every process, and give back what was changed."""
    with session.undo:
        session.losses.closing = True
    # A call that was abandoned ends as its client closes
    for thread in session.threads:
        thread.join(STOP_TIMEOUT)


def watched(session: Session, call: Callable[[], T], *, recovers: bool) -> T:
    """Carry out a call of a library, and never wait for a worker that is gone.

    Parameters
    ----------
    session : Session
        The session that the call uses.
    call : callable
        What to do. It runs in a thread of its own, so that this one can give up on it.
    recovers : bool
        Whether the call goes on by itself when a worker dies: Dask computes again what was lost,
        XGBoost's collective cannot.

    Returns
    -------
    object
        What `call` returns.

    Raises
    ------
    WorkerLostError
        If a worker died and the call failed, or did not end within a few seconds.
    EngineMemoryError
        If the worker was ended because it exceeded its memory limit.
    """
    if session.abandoned:
        raise WorkerLostError(
            f"dask: the session is unusable since {session.abandoned[0]}; start another."
        )
    _await_replacements(session)
    lost_before = len(session.losses.lines)
    outcome: Future[T] = Future()
    thread = threading.Thread(
        target=_carry_out, args=(session, call, outcome), name="enginebench-dask", daemon=True
    )
    session.threads[:] = [one for one in session.threads if one.is_alive()]
    session.threads.append(thread)
    thread.start()
    patience = GRACE
    while not wait([outcome], _POLL).done:
        if recovers or len(session.losses.lines) == lost_before:
            continue
        patience -= _POLL
        if patience <= 0:
            session.abandoned.append(session.losses.lines[-1])
            raise loss(session)
    exc = outcome.exception()
    if exc is None:
        return outcome.result()
    if isinstance(exc, Exception) and not isinstance(exc, EngineError):
        _await_notice(session, lost_before)
        if len(session.losses.lines) > lost_before:
            raise loss(session) from exc
    raise exc


def loss(session: Session) -> EngineFailedError:
    """Return the error that says which worker died last."""
    line = session.losses.lines[-1]
    if session.losses.out_of_memory:
        return EngineMemoryError(f"dask: {line}; grant more memory or take fewer workers.")
    return WorkerLostError(f"dask: {line} in the middle of the work.")


def end_busy_workers(session: Session) -> None:
    """End the workers that go on with what nobody waits for; others take their place.

    A function that runs in a thread of a worker cannot be stopped in any other way. One that is
    done within a second is waited for.
    """
    pause = threading.Event()
    for _ in range(round(_NEARLY_DONE / _POLL)):
        busy = session.client.run(_computes, on_error="ignore")
        if not any(busy.values()):
            return
        pause.wait(_POLL)
    workers = session.cluster.scheduler.workers.copy()
    ended = {address for address, computes in busy.items() if computes and address in workers}
    session.losses.ended.update(ended)
    for address in ended:
        with contextlib.suppress(ProcessLookupError):
            os.kill(session.cluster.workers[workers[address].name].pid, signal.SIGKILL)
    while ended & session.cluster.scheduler.workers.keys():
        pause.wait(_POLL)


def takers(session: Session) -> tuple[str, ...]:
    """Return the addresses of the workers that take tasks: one short of memory is paused."""
    workers = session.cluster.scheduler.workers.copy()
    return tuple(
        address
        for address in session.addresses
        if address in workers and workers[address].status.name == "running"
    )


def await_takers(session: Session) -> tuple[str, ...]:
    """Wait until at least one worker takes tasks.

    Raises
    ------
    WorkerLostError
        If all of them died, and none came up in their place.
    EngineMemoryError
        If those alive have no memory to work with.
    """
    waited = 0.0
    pause = threading.Event()
    while not (addresses := takers(session)):
        if waited >= RESTART_TIMEOUT:
            if not session.addresses:
                raise loss(session)
            raise EngineMemoryError(
                "dask: every worker is so short of memory that it takes no more work; grant more "
                "memory or take fewer workers."
            )
        pause.wait(_POLL)
        waited += _POLL
    return addresses


def translate(step: str, exc: Exception) -> EngineError:
    """Tell a lost worker and exhausted memory from any other failure of the libraries."""
    from distributed.comm import CommClosedError
    from distributed.exceptions import WorkerStartTimeoutError
    from distributed.scheduler import KilledWorker, NoValidWorkerError

    kind: type[EngineFailedError] = EngineFailedError
    if isinstance(exc, MemoryError) or "bad_alloc" in str(exc):
        kind = EngineMemoryError
    elif isinstance(
        exc, KilledWorker | NoValidWorkerError | CommClosedError | WorkerStartTimeoutError
    ):
        kind = WorkerLostError
    return kind(f"dask: {step}: {headline(exc)}")


def facts(session: Session) -> Facts:
    """Ask every worker, from within one of its tasks, what it may use."""
    addresses = session.addresses
    workers = session.client.scheduler_info(n_workers=-1)["workers"]
    pools = session.client.gather(
        [
            session.client.submit(largest_pool, workers=[address], pure=False)
            for address in addresses
        ]
    )
    threads = [workers[address]["nthreads"] for address in addresses]
    limits = [workers[address]["memory_limit"] for address in addresses]
    native = {f"worker {number}": pool for number, pool in enumerate(pools)}
    return Facts(
        cores=sum(threads),
        workers=len(addresses),
        threads_per_worker=max(threads, default=0),
        memory_bytes=sum(limits),
        native_threads={"driver": largest_pool(), **native},
        versions=versions(
            "dask", "distributed", "dask-ml", "xgboost", "scikit-learn", "numba", "numpy"
        ),
        details={
            "scheduler": session.cluster.scheduler.address,
            "workers": list(addresses),
            "worker_memory_bytes": limits,
            "lost_workers": list(session.losses.lines),
        },
    )


def _configuration(folder: str) -> dict[str, Any]:
    """Return the settings of Dask that hold while the session is open."""
    # A worker runs as many tasks at once as it has threads: a task with a pool of its own besides
    # would multiply them. XGBoost alone trains in one task a worker, and counts threads itself.
    threads = dict.fromkeys(_THREAD_COUNTS, 1)
    return {
        # Rows stay on the worker that read them: the same placement gives the same numbers
        "distributed.scheduler.work-stealing": False,
        # Rows that were sent to every worker stay there, though one copy would be enough for Dask
        "distributed.scheduler.active-memory-manager.start": False,
        # A fit may hold the interpreter of its worker for as long as it takes; a worker that dies
        # closes its connection
        "distributed.scheduler.worker-ttl": None,
        # A task that took two workers with it is not tried on a third
        "distributed.scheduler.allowed-failures": 1,
        # A task that no worker can take fails instead of waiting for ever
        "distributed.scheduler.no-workers-timeout": "60s",
        "distributed.comm.timeouts.connect": "30s",
        "distributed.comm.timeouts.tcp": "30s",
        "distributed.nanny.pre-spawn-environ": {"MALLOC_TRIM_THRESHOLD_": 65536, **threads},
        # Nobody reads these pages
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "distributed.worker.use-file-locking": True,
        "temporary-directory": folder,
    }


def _import_libraries() -> None:
    """Import what a fit needs; the first import takes seconds, which belong to the start."""
    for name in ("sklearn.cluster", "dask_ml.cluster", "xgboost.dask"):
        importlib.import_module(name)


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


def _carry_out(session: Session, call: Callable[[], T], outcome: Future[T]) -> None:
    import threadpoolctl

    try:
        # OpenMP keeps its limit for each thread, and this one is new
        with threadpoolctl.threadpool_limits(session.resources.cores):
            outcome.set_result(call())
    except BaseException as exc:  # noqa: BLE001 - handed to the caller's thread
        outcome.set_exception(exc)


def _computes(dask_worker: Any) -> bool:
    """Tell whether a worker runs a task, be it one that was called off."""
    return bool(dask_worker.state.executing)


def _await_replacements(session: Session) -> None:
    """Wait until there is a worker for each that was ended on purpose."""
    if not session.losses.ended:
        return
    # Those that died by themselves may have been replaced as well, or not: nobody waits for them
    expected = session.resources.workers if not session.losses.lines else 1
    session.client.wait_for_workers(expected, timeout=RESTART_TIMEOUT)
    session.losses.ended.clear()


def _await_notice(session: Session, lost_before: int) -> None:
    """Give the scheduler a moment to see that the worker behind an exception is gone."""
    waited = 0.0
    pause = threading.Event()
    while len(session.losses.lines) == lost_before and waited < _NOTICE:
        pause.wait(_POLL)
        waited += _POLL


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


@contextlib.contextmanager
def _resource_tracker_stopped() -> Iterator[None]:
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


def _free_trackers() -> None:
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


def _retire_offload_thread() -> None:
    """End the thread in which distributed packs large messages; it keeps it for the next one."""
    from distributed import utils

    executor = getattr(utils, "_offload_executor", None)
    if isinstance(executor, ThreadPoolExecutor):
        utils._offload_executor = ThreadPoolExecutor(  # noqa: SLF001 - it has no public name
            max_workers=1, thread_name_prefix="Dask-Offload"
        )
        executor.shutdown(wait=True)
