"""A cluster that a session joins and leaves, and that others started."""

from __future__ import annotations

import asyncio
import itertools
import threading
import uuid
import warnings
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from engines import processes, usage
from engines.dask import alike, sampler, watching
from engines.dask.crew import Worker, in_order
from engines.dask.joined import ANSWER, LEAVE, JoinedCrew, Place, ask_scheduler, within
from engines.dask.knock import knock, security
from engines.errors import ClusterError, UnequalCoresError, headline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import ExitStack

    from engines.dask.losses import Losses
    from engines.types import Attachment, Resources

# seconds that the workers have to import their libraries, also where joining has taken its time
IMPORT = 30.0
# XGBoost's function that starts its tracker beside the scheduler, and returns without it
_TRACKER = "_start_tracker"
_POLL = 0.1


def join(
    resources: Resources,
    attachment: Attachment,
    losses: Losses,
    prepare: Callable[[], None],
    undo: ExitStack,
) -> tuple[Any, JoinedCrew, Resources]:
    """Join a cluster, and see that it is what was asked for.

    Parameters
    ----------
    resources : Resources
        What is asked.
    attachment : Attachment
        Where the cluster is.
    losses : Losses
        Filled with the workers that die.
    prepare : callable
        What every worker does first.
    undo : contextlib.ExitStack
        Takes what must be undone.

    Returns
    -------
    tuple
        Client, crew, and the resources that there are.

    Raises
    ------
    ClusterError
        If it cannot be reached, has other versions or other cores, or takes no task in time.
    """
    deadline = monotonic() + attachment.wait_s
    secured = security(attachment)
    knock(attachment, secured)
    client = _client(attachment, secured, deadline)
    undo.callback(_close, client)
    undo.callback(setattr, losses, "closing", True)
    address = attachment.address
    try:
        chosen = _chosen(client, resources, attachment, deadline)
        alike.check(
            address,
            within(
                client,
                max(deadline - monotonic(), ANSWER),
                client._get_versions,  # noqa: SLF001 - get_versions takes no time-out
                packages=list(alike.PACKAGES),
            ),
        )
        settings = ask_scheduler(client, watching.settings_of(), ANSWER)
    except (OSError, TimeoutError) as exc:
        raise ClusterError(_silent(attachment, exc)) from exc
    _await_free(client, attachment, tuple(chosen), deadline)
    place = Place(
        address,
        f"enginebench-{uuid.uuid4().hex[:12]}",
        frozenset(str(one.name) for one in chosen.values()),
        settings,
    )
    crew = JoinedCrew(client, place, losses)
    client.subscribe_topic(place.name, crew.heard)
    undo.callback(crew.leave)
    try:
        _install(client, place, deadline)
        client.crew = crew
        _prepare(client, tuple(chosen), prepare, deadline)
    except (OSError, TimeoutError) as exc:
        raise ClusterError(_silent(attachment, exc)) from exc
    _check_memory(address, crew.workers())
    threads = sum(one.threads for one in chosen.values())
    there_is = replace(
        resources,
        cores=threads,
        workers=len(chosen),
        threads_per_worker=min(one.threads for one in chosen.values()),
    )
    return client, crew, there_is


def _close(client: Any) -> None:
    """Close a client, also where what it still had to send cannot be sent."""
    try:
        client.close(timeout=LEAVE)
    except (OSError, TimeoutError):
        # what it would have done last
        client._loop_runner.stop()  # noqa: SLF001 - it has no public name
        client.status = "closed"


def _silent(attachment: Attachment, exc: Exception) -> str:
    """Say that a process of the cluster, whichever it is, gave no answer."""
    return (
        f"dask: the cluster at {attachment.address} does not answer within {attachment.wait_s:g} s "
        f"({headline(exc)}): see whether its scheduler or one of its workers hangs or is "
        f"overloaded, or raise engines.dask.wait."
    )


def _check_memory(address: str, workers: Mapping[str, Worker]) -> None:
    """Refuse workers that pause before they have seen a row: nothing would ever be done."""
    short = {where: one for where, one in workers.items() if not one.takes}
    if short:
        limit = min(one.memory_bytes for one in short.values())
        raise ClusterError(
            f"dask: {', '.join(short)} of the cluster at {address} take no tasks once they have "
            f"imported their libraries, for a memory limit of {limit // 2**20} MiB is too little: "
            f"give each worker more memory."
        )


def _client_class(seconds: float) -> Any:
    """Return the kind of client that a session has, which takes so many seconds to start."""
    import distributed

    class Client(distributed.Client):  # type: ignore[misc]  # distributed has no types
        """Sends nothing to workers that the session does not use."""

        crew: JoinedCrew | None = None

        def start(self, **options: Any) -> None:
            try:
                super().start(**options)
            except BaseException:
                self.status = "closed"  # or it would close itself in an event loop that has ended
                self._loop_runner.stop()
                raise

        async def _start(self, *args: Any, **options: Any) -> Any:
            # A scheduler that hangs in the middle of it is waited for without end otherwise
            begun = asyncio.ensure_future(super()._start(*args, **options))
            if not (await asyncio.wait({begun}, timeout=seconds))[0]:
                begun.cancel()
                await asyncio.wait({asyncio.ensure_future(self._close(fast=True))}, timeout=LEAVE)
                raise TimeoutError("no answer")
            return begun.result()

        async def _run_on_scheduler(self, function: Any, *args: Any, **options: Any) -> Any:
            if self.crew is not None and getattr(function, "__name__", "") == _TRACKER:
                function = watching.kept(self.crew.name, function)
            return await super()._run_on_scheduler(function, *args, **options)

        def _graph_to_futures(
            self,
            expr: Any,
            keys: Any,
            span_metadata: Any,
            workers: Any = None,
            allow_other_workers: Any = None,
            **options: Any,
        ) -> Any:
            crew = self.crew
            if crew is not None and crew.others and workers is None:
                workers = list(crew.known)
            elif crew is not None and not crew.settled:
                # Another worker might take it though its own is alive, and rows would move
                allow_other_workers = False
            return super()._graph_to_futures(
                expr, keys, span_metadata, workers, allow_other_workers, **options
            )

    return Client


def _client(attachment: Attachment, secured: Any, deadline: float) -> Any:
    from distributed.versions import VersionMismatchWarning

    seconds = max(deadline - monotonic(), 1.0)
    try:
        with warnings.catch_warnings():
            # Told in our own words, and for more libraries
            warnings.simplefilter("ignore", VersionMismatchWarning)
            return _client_class(seconds)(attachment.address, security=secured, timeout=seconds)
    except (OSError, TimeoutError, ValueError) as exc:
        raise ClusterError(
            f"dask: the scheduler at {attachment.address} takes no client within "
            f"{attachment.wait_s:g} s ({headline(exc)}): see whether it is overloaded."
        ) from exc


def _chosen(
    client: Any, resources: Resources, attachment: Attachment, deadline: float
) -> dict[str, Worker]:
    """Wait for the workers that are asked for, and return those to be used."""
    pause = threading.Event()
    look = watching.looking("")
    while True:
        told = ask_scheduler(client, look, ANSWER)
        found = {address: Worker(**one) for address, one in told.items()}
        workers = dict(sorted(found.items(), key=lambda item: in_order(item[1].name)))
        threads = list(itertools.accumulate(one.threads for one in workers.values()))
        late = monotonic() >= deadline
        if attachment.exact:
            if resources.cores in threads:
                return dict(itertools.islice(workers.items(), threads.index(resources.cores) + 1))
            if threads and threads[-1] > resources.cores:
                raise _unequal(attachment.address, workers, resources.cores)
        elif workers and (len(workers) >= resources.workers or late):
            return workers
        if late:
            raise _too_few(attachment, workers, resources)
        pause.wait(_POLL)


def _unequal(address: str, workers: Mapping[str, Worker], cores: int) -> UnequalCoresError:
    threads = sorted({one.threads for one in workers.values()})
    each = f"{_count(threads[0], 'thread')} each" if len(threads) == 1 else f"{threads} threads"
    total = sum(one.threads for one in workers.values())
    are = "is" if cores == 1 else "are"
    return UnequalCoresError(
        f"dask: the cluster at {address} has {_count(len(workers), 'worker')} with {each}, "
        f"{_count(total, 'core')}, and {_count(cores, 'core')} {are} asked for",
        "",
        (f"set resources.cores: {total}", "resources.allow_unequal: true"),
    )


def _too_few(
    attachment: Attachment, workers: Mapping[str, Worker], resources: Resources
) -> UnequalCoresError:
    threads = sum(one.threads for one in workers.values())
    return UnequalCoresError(
        f"dask: the cluster at {attachment.address} has {len(workers)} of the "
        f"{_count(resources.workers, 'worker')} asked for after {attachment.wait_s:g} s, and "
        f"{threads} of {_count(resources.cores, 'core')}",
        "start more workers",
        ("ask for fewer cores", "set resources.allow_unequal: true"),
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _await_free(
    client: Any, attachment: Attachment, addresses: tuple[str, ...], deadline: float
) -> None:
    """See that each worker takes a task in time."""
    from distributed import wait

    futures = {
        client.submit(int, workers=[address], allow_other_workers=False, pure=False): address
        for address in addresses
    }
    try:
        wait(list(futures), timeout=max(deadline - monotonic(), ANSWER))
    except TimeoutError:
        busy = [address for future, address in futures.items() if future.status != "finished"]
        raise ClusterError(
            f"dask: {', '.join(busy)} took no task within {attachment.wait_s:g} s, though "
            f"{attachment.address} has them as workers: they have a full queue or too little "
            f"memory, or hang; wait until they are free, or set another wait."
        ) from None
    finally:
        client.cancel(list(futures))


def _install(client: Any, place: Place, deadline: float) -> None:
    """Put the session's plugins on the cluster; Client.register_plugin takes no time-out."""
    import cloudpickle

    # By value: a worker or scheduler that has nothing of ours can take them, and ignore them
    by_value = (processes, usage, sampler, watching)
    for module in by_value:
        cloudpickle.register_pickle_by_value(module)
    try:
        for register, plugin in (
            (client._register_scheduler_plugin, watching.watch_plugin(place, client.id)),  # noqa: SLF001
            (
                client._register_worker_plugin,  # noqa: SLF001
                sampler.sampler_plugin(place.resource, place.name),
            ),
        ):
            seconds = max(deadline - monotonic(), ANSWER)
            within(client, seconds, register, plugin, name=place.name, idempotent=False)
    finally:
        for module in by_value:
            cloudpickle.unregister_pickle_by_value(module)


def _prepare(
    client: Any, addresses: tuple[str, ...], prepare: Callable[[], None], deadline: float
) -> None:
    """Have workers and scheduler import the libraries, so that no fit does.

    Workers do it in a task, for others may use them meanwhile; the scheduler, which opens every
    graph, in a thread.
    """
    from distributed import wait
    from distributed.comm import CommClosedError

    until = max(deadline, monotonic() + IMPORT)

    futures = [
        client.submit(prepare, workers=[address], allow_other_workers=False, pure=False)
        for address in addresses
    ]
    try:
        ask_scheduler(client, watching.beside(prepare), until - monotonic())
        wait(futures, timeout=max(until - monotonic(), 1.0))
        for future in futures:
            if future.status != "finished":  # or who hangs would have to be waited for
                future.result(timeout=ANSWER)
    except (CommClosedError, TimeoutError):
        raise
    except Exception as exc:
        raise ClusterError(
            f"dask: a worker or the scheduler cannot import the libraries of a fit "
            f"({headline(exc)}): install there what this machine has."
        ) from exc
