"""The workers of a cluster that a session joined."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from engines.dask.calling_off import calling_off
from engines.dask.crew import SINGLE_FIT, Worker, in_order
from engines.dask.sampler import MEASURED_BY, asking
from engines.dask.watching import leaving, looking
from engines.errors import WorkerLostError, headline
from engines.loopback import is_loopback
from engines.types import WorkerUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from engines.dask.losses import Losses

# seconds in which a scheduler that was reached must answer a question
ANSWER = 10.0
# seconds to say good-bye
LEAVE = 5.0
# seconds for which an answer holds
_FRESH = 0.1


@dataclass(frozen=True)
class Place:
    """The place that a session has in a cluster.

    Parameters
    ----------
    address : str
        Of the scheduler, as it was given.
    name : str
        Of the session, for what it leaves on the cluster as long as it is open.
    names : frozenset of str
        Names of the workers that are used; one that takes the place of another has its name.
    settings : mapping
        How the scheduler is set.
    """

    address: str
    name: str
    names: frozenset[str]
    settings: Mapping[str, Any]

    @property
    def resource(self) -> str:
        """What each worker has one of for this session."""
        return f"{SINGLE_FIT} {self.name}"


class JoinedCrew:
    """Some or all workers of a cluster.

    Parameters
    ----------
    client : distributed.Client
        Connected to the scheduler.
    place : Place
        What is ours on the cluster.
    losses : Losses
        Filled with the workers that die.
    """

    def __init__(self, client: Any, place: Place, losses: Losses) -> None:
        self._client = client
        self._place = place
        self._losses = losses
        self._look = looking(place.resource)
        self._seen: tuple[float, dict[str, Worker]] | None = None
        self._known: tuple[str, ...] = ()
        # Events so far: an answer may be older than one that came while it was on its way
        self._events = 0
        self.single_fit = {place.resource: 1}
        # Whether the cluster has workers that are not ours
        self.others = False

    @property
    def scheduler(self) -> str:
        """Address of the scheduler, as it was given."""
        return self._place.address

    @property
    def name(self) -> str:
        """Of the session, for what it leaves on the cluster as long as it is open."""
        return self._place.name

    @property
    def tracker_host(self) -> str:
        """Address of the scheduler's machine."""
        return str(self._place.settings["host"])

    @property
    def settled(self) -> bool:
        """Whether tasks may move from a dead worker to another one, and never do otherwise."""
        return not (self.others or self._place.settings["steals"])

    def workers(self) -> dict[str, Worker]:
        """Return the workers alive by their addresses, in the order of their names.

        Raises
        ------
        WorkerLostError
            If the scheduler does not answer.
        """
        if self._seen is not None and monotonic() - self._seen[0] < _FRESH:
            return self._seen[1]
        events = self._events
        found = {address: Worker(**told) for address, told in self._ask(self._look).items()}
        used = {
            address: one for address, one in found.items() if str(one.name) in self._place.names
        }
        self.others = len(used) < len(found)
        self._known = tuple(used) or self._known
        ordered = dict(sorted(used.items(), key=lambda item: in_order(item[1].name)))
        if events == self._events:
            self._losses.alive = set(used)
            self._seen = (monotonic(), ordered)
        return ordered

    @property
    def known(self) -> tuple[str, ...]:
        """Addresses of the workers without asking, as the event loop of the client needs them."""
        return tuple(sorted(self._losses.alive or ())) or self._known

    def gone(self) -> str | None:
        """Say that the scheduler is gone, if it is."""
        if self._client.status == "running":
            return None
        return f"the scheduler at {self.scheduler} does not answer any more"

    def end(self, addresses: Iterable[str]) -> bool:
        """End what the session has under way; return False, for the workers are not ours to end."""
        # Who does not answer goes on, and is seen to
        ask_workers(self._client, calling_off(self._place.resource), addresses)
        return False

    def usage(self) -> tuple[WorkerUsage, ...]:
        """Ask each worker what it used since the session was opened.

        Raises
        ------
        WorkerLostError
            If the scheduler or a worker does not answer.
        """
        workers = self.workers()
        told, silent = ask_workers(self._client, asking(self._place.name), workers)
        if silent:
            raise WorkerLostError(
                f"dask: {', '.join(silent)} of the cluster at {self.scheduler} did not say within "
                f"{ANSWER:g} s what was used: see whether it hangs."
            )
        return tuple(
            _each_process_once(
                WorkerUsage(
                    worker=f"{worker.name}@{address}", host=host_of(address), **told[address]
                )
                for address, worker in workers.items()
                if told.get(address) is not None
            )
        )

    def facts(self) -> dict[str, Any]:
        """Return what an attached session says besides."""
        return {
            "details": {
                "attached": True,
                "address": self.scheduler,
                "encrypted": self.scheduler.startswith("tls://"),
            },
            "measured_by": dict(MEASURED_BY),
            "warnings": tuple(_warnings(self.scheduler, self._place.settings)),
        }

    def heard(self, event: Any) -> None:
        """Note what the scheduler tells of a worker."""
        _, message = event
        worker = message["worker"]
        alive = self._losses.alive if self._losses.alive is not None else set()
        self._events += 1
        self._seen = None
        if message["action"] == "other":
            self.others = True
        elif message["action"] == "added":
            self._losses.alive = alive | {worker}
        elif message["action"] == "out of memory":
            self._losses.out_of_memory.append(worker)
        elif message["action"] == "removed":
            self._losses.alive = alive - {worker}
            self._losses.removed(worker, message["name"])

    def leave(self) -> None:
        """Take everything of the session away from the cluster, if it still answers."""
        if self.gone() is None:
            try:
                self._ask(leaving(self._place.name), LEAVE)
            except WorkerLostError:
                return  # it takes it away itself when it finds that the client is gone

    def _ask(self, question: Callable[..., Any], seconds: float = ANSWER) -> Any:
        """Have the scheduler call a function with itself."""
        if (why := self.gone()) is not None:
            raise WorkerLostError(f"dask: {why}.")
        try:
            return ask_scheduler(self._client, question, seconds)
        except (OSError, TimeoutError) as exc:
            raise WorkerLostError(
                f"dask: the scheduler at {self.scheduler} does not answer ({headline(exc)})."
            ) from exc


def within(
    client: Any, seconds: float, method: Callable[..., Any], *args: Any, **options: Any
) -> Any:
    """Call a coroutine of a client, and wait no longer for who has to answer it.

    A process that is stopped, or a machine that is gone, keeps its connections: whoever waits for
    an answer would do so for ever.

    Parameters
    ----------
    client : distributed.Client
        Connected to a scheduler.
    seconds : float
        The longest to wait.
    method : callable
        Returns what is awaited in the client's event loop.
    *args, **options
        What it is called with.

    Raises
    ------
    TimeoutError
        If there is no answer in time.
    """
    return client.sync(method, *args, callback_timeout=seconds, **options)


def ask_workers(
    client: Any, question: Callable[..., Any], addresses: Iterable[str]
) -> tuple[dict[str, Any], list[str]]:
    """Have workers call a function with themselves.

    Parameters
    ----------
    client : distributed.Client
        Connected to their scheduler.
    question : callable
        What they call.
    addresses : iterable of str
        Of the workers.

    Returns
    -------
    tuple
        What it returned, by the addresses of the workers that live; and the addresses of those
        that did not answer in time.
    """
    asked = list(addresses)

    async def ask(address: str) -> dict[str, Any]:
        told: dict[str, Any] = await asyncio.wait_for(
            # Client.run takes no time-out
            client._run(question, workers=[address], on_error="ignore"),  # noqa: SLF001
            ANSWER,
        )
        return told

    async def ask_each() -> list[dict[str, Any] | BaseException]:
        return await asyncio.gather(*map(ask, asked), return_exceptions=True)

    told: dict[str, Any] = {}
    silent = []
    for address, answer in zip(asked, client.sync(ask_each), strict=True):
        if isinstance(answer, TimeoutError):
            silent.append(address)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            told |= answer
    return told, silent


def ask_scheduler(client: Any, question: Callable[..., Any], seconds: float) -> Any:
    """Have a scheduler call a function with itself, and return what that returns."""
    ask = client._run_on_scheduler  # noqa: SLF001 - Client.run_on_scheduler takes no time-out
    return within(client, seconds, ask, question)


def _each_process_once(told: Iterable[WorkerUsage]) -> Iterable[WorkerUsage]:
    """Leave what a process used to the first of the workers in it, for each tells all of it."""
    processes = set()
    for one in told:
        if one.process not in processes:
            processes.add(one.process)
            yield one
        else:
            yield replace(
                one,
                cpu_s=0.0,
                peak_memory_bytes=0,
                read_bytes=0,
                write_bytes=0,
                counters={**one.counters, "gc_s": 0.0},
            )


def _warnings(address: str, settings: Mapping[str, Any]) -> Iterable[str]:
    """Say what a reader of the results must know of a cluster."""
    beyond = not is_loopback(host_of(address))
    if beyond and address.startswith("tcp://"):
        yield (
            f"It talked to {address} without encryption, and others on the network could read and "
            f"change what was sent; use tls://."
        )
    elif beyond:
        yield (
            "XGBoost's workers sent each other sums over rows without encryption, which XGBoost "
            "does not have; Dask's own messages were encrypted."
        )
    if settings["steals"]:
        yield (
            f"The scheduler at {address} moves tasks between workers (work-stealing), which a "
            f"cluster on this machine does not: times vary more."
        )
    if settings["manages memory"]:
        yield (
            f"The scheduler at {address} drops copies of rows that several workers hold "
            f"(active-memory-manager), which a cluster on this machine does not: a search sends "
            f"them again."
        )
    if settings["worker_ttl"] is not None:
        yield (
            f"The scheduler at {address} gives up a worker that is silent for "
            f"{settings['worker_ttl']:g} s (worker-ttl), which one on this machine does not."
        )
    if settings["allowed_failures"] != 1:
        yield (
            f"The scheduler at {address} tries a task again after {settings['allowed_failures']} "
            f"workers died of it (allowed-failures), one on this machine after 1."
        )


def host_of(address: str) -> str:
    """Return the host of an address, without brackets."""
    return address.partition("://")[2].rpartition(":")[0].strip("[]")
