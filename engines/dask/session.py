"""The session of Dask: its own cluster on this machine, or one that it joins."""

from __future__ import annotations

import importlib
import os
import tempfile
import threading
from concurrent.futures import Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from engines.dask import attached, local
from engines.dask.calling_off import computing
from engines.dask.defaults import only_defaults
from engines.dask.joined import ask_workers
from engines.dask.local import least_memory
from engines.dask.losses import Losses
from engines.dask.tidy import STOP_TIMEOUT, free_trackers, retire_offload_thread
from engines.errors import (
    EngineError,
    EngineFailedError,
    EngineMemoryError,
    WorkerLostError,
    headline,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines.dask.crew import Crew
    from engines.types import Resources

__all__ = ["Session", "least_memory", "start", "stop", "watched"]

T = TypeVar("T")

# seconds that a call which cannot survive the loss of a worker gets to fail by itself
GRACE = 3.0
# seconds in which a worker must take tasks after all died or were short of memory
RESTART_TIMEOUT = 60.0
# seconds that a worker gets to end what was called off, before it is ended itself
_NEARLY_DONE = 1.0
# seconds that a worker which is not ours gets for it: it is never ended
_PATIENCE = 20.0
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
    cluster : distributed.LocalCluster or None
        Scheduler in this process, each worker in a process of its own; None where the session
        joined a cluster.
    crew : Crew
        The workers.
    resources : Resources
        What was asked, or what a joined cluster has in its place.
    losses : Losses
        Workers that died.
    undo : contextlib.ExitStack
        Gives everything back, last in first out.
    """

    client: Any
    cluster: Any
    crew: Crew
    resources: Resources
    losses: Losses
    undo: ExitStack
    threads: list[threading.Thread] = field(default_factory=list)
    abandoned: list[str] = field(default_factory=list)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Addresses of the workers alive, in the order of their names."""
        return tuple(self.crew.workers())


def start(resources: Resources) -> Session:
    """Start a cluster, or join the one that the resources name.

    Every library that a fit needs is imported in every worker then.

    Raises
    ------
    SessionError
        If the memory is too little for the workers, or the workers do not come up.
    ClusterError
        If the cluster cannot be joined, or is not what was asked for.
    """
    if resources.attachment is None:
        local.check_memory(resources)
    with ExitStack() as undo:
        # Imported here before the workers' thread counts stand in the environment of this process
        import threadpoolctl

        undo.enter_context(only_defaults())
        _import_libraries()
        import dask

        folder = undo.enter_context(
            tempfile.TemporaryDirectory(
                prefix="dask-", dir=resources.scratch, ignore_cleanup_errors=True
            )
        )
        undo.callback(retire_offload_thread)
        undo.callback(free_trackers)
        undo.enter_context(dask.config.set(local.configuration(folder)))
        limits = threadpoolctl.threadpool_limits(_threads_here(resources))
        undo.callback(limits.restore_original_limits)
        losses = Losses()
        client: Any
        cluster: Any = None
        crew: Crew
        if resources.attachment is None:
            client, cluster, crew = local.start(resources, folder, losses, _import_libraries, undo)
        else:
            client, crew, resources = attached.join(
                resources, resources.attachment, losses, _import_libraries, undo
            )
            # It may have fewer cores than were asked for, and this process is to use no more
            limits = threadpoolctl.threadpool_limits(_threads_here(resources))
            undo.callback(limits.restore_original_limits)
        return Session(client, cluster, crew, resources, losses, undo.pop_all())


def stop(session: Session) -> None:
    """Give back what was changed: a cluster of its own with every process, or a place in one."""
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
        If a worker died and the call failed, or did not end within a few seconds; or if the
        scheduler of a cluster that was joined is gone.
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
    recovers = recovers and session.crew.settled
    patience = GRACE
    alone = RESTART_TIMEOUT
    while not wait([outcome], _POLL).done:
        _raise_gone(session)
        if len(session.losses.lines) == lost_before:
            continue
        alone = RESTART_TIMEOUT if session.losses.anyone_left else alone - _POLL
        if not recovers:
            patience -= _POLL
        if patience <= 0 or alone <= 0:
            session.abandoned.append(session.losses.lines[-1])
            raise loss(session)
    exc = outcome.exception()
    if exc is None:
        return outcome.result()
    if isinstance(exc, Exception) and not isinstance(exc, EngineError):
        _raise_gone(session, exc)
        _await_notice(session, lost_before)
        if len(session.losses.lines) > lost_before:
            raise loss(session) from exc
    raise exc


def loss(session: Session) -> EngineFailedError:
    """Return the error that says which worker died last."""
    lines = session.losses.lines
    # Nothing may have been heard yet of those that do not answer any more
    line = lines[-1] if lines else f"the workers of {session.crew.scheduler} are gone"
    if session.losses.out_of_memory:
        return EngineMemoryError(f"dask: {line}; grant more memory or take fewer workers.")
    return WorkerLostError(f"dask: {line} in the middle of the work.")


def end_busy_workers(session: Session) -> None:
    """End the workers that go on with what nobody waits for; others take their place.

    A function that runs in a thread of a worker cannot be stopped in any other way for sure. One
    that is done within a second is waited for. The workers of a cluster that was joined are not
    ended: they are told to call off what they do, and who goes on with it is remembered, for it
    takes cores from what comes next.
    """
    if session.client.status != "running":  # a search that outlived its session
        return
    if not (busy := _busy_after(session, _NEARLY_DONE)):
        return
    workers = session.crew.workers()
    ended = busy & workers.keys()
    session.losses.ended.update(ended)
    if not session.crew.end(ended):
        session.losses.ended.clear()
        for address in sorted(_busy_after(session, _PATIENCE) & ended):
            who = f"worker {workers[address].name} at {address}"
            session.losses.lines.append(f"{who} went on with work that was called off")


def takers(session: Session) -> tuple[str, ...]:
    """Return the addresses of the workers that take tasks: one short of memory is paused."""
    workers = session.crew.workers()
    return tuple(address for address, worker in workers.items() if worker.takes)


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


def translate(step: str, exc: Exception, session: Session | None = None) -> EngineError:
    """Tell a lost worker and exhausted memory from any other failure of the libraries."""
    if session is not None and (why := _gone_soon(session)):
        return WorkerLostError(f"dask: {why}.")
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


def _import_libraries() -> None:
    """Import what a fit needs; the first import takes seconds, which belong to the start."""
    for name in ("sklearn.cluster", "dask_ml.cluster", "xgboost.dask"):
        importlib.import_module(name)


def _threads_here(resources: Resources) -> int:
    """Return the native threads of this process: a cluster may have more cores than it."""
    if resources.attachment is None:
        return resources.cores
    return min(resources.cores, len(os.sched_getaffinity(0)))


def _gone_soon(session: Session) -> str | None:
    """Give a client a moment to see that its scheduler is gone, which a call has seen before it."""
    if session.resources.attachment is None:
        return None
    waited = 0.0
    pause = threading.Event()
    while (why := session.crew.gone()) is None and waited < _NOTICE:
        pause.wait(_POLL)
        waited += _POLL
    return why


def _raise_gone(session: Session, cause: Exception | None = None) -> None:
    """Give the session up if there is no scheduler any more."""
    if (why := session.crew.gone()) is not None:
        session.abandoned.append(why)
        raise WorkerLostError(f"dask: {why}.") from cause


def _busy(session: Session) -> set[str]:
    """Return the addresses of the workers that run a task of ours, or do not say so."""
    joined = session.resources.attachment is not None
    ours = next(iter(session.crew.single_fit)) if joined else None
    told, silent = ask_workers(session.client, computing(ours), session.addresses)
    return {address for address, computes in told.items() if computes} | set(silent)


def _busy_after(session: Session, seconds: float) -> set[str]:
    """Wait until no worker runs a task; return the addresses of those that still do."""
    pause = threading.Event()
    until = monotonic() + seconds
    while (busy := _busy(session)) and monotonic() < until:
        pause.wait(_POLL)
    return busy


def _carry_out(session: Session, call: Callable[[], T], outcome: Future[T]) -> None:
    import threadpoolctl

    try:
        # OpenMP keeps its limit for each thread, and this one is new
        with threadpoolctl.threadpool_limits(_threads_here(session.resources)):
            outcome.set_result(call())
    except BaseException as exc:  # noqa: BLE001 - handed to the caller's thread
        outcome.set_exception(exc)


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
