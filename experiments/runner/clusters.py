"""Join the clusters of an experiment before anything is timed, and see what they give."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from experiments.definition import granted
from experiments.definition.attach import attachment_of, child_secrets
from experiments.definition.host import (
    engine_cores,
    fits_at_a_time,
    granted_memory,
)
from experiments.errors import RequestError
from experiments.runner.events import Granted, Joining
from experiments.runner.scratch import Scratch
from experiments.runner.supervise import supervise
from experiments.runner.tasks import joining_task
from experiments.titles import title

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engines.types import Attachment
    from experiments.definition import Experiment
    from experiments.runner.events import Event, OnEvent
    from experiments.runner.repeat import Repeat

# To start a client (a Java machine among them), and to leave, beside the time to wait
_SECONDS_AROUND = 60.0


@dataclass(frozen=True)
class Grant:
    """What one engine gets.

    Parameters
    ----------
    address : str or None
        The cluster that it joins; None where it computes on this machine.
    source : str
        Where the address is from, in words.
    cores, workers, threads_per_worker, memory_bytes : int
        Of a cluster as it was joined, otherwise as asked for.
    versions : dict
        Library to version; empty where it computes on this machine.
    encrypted : bool or None
        Whether what the cluster's processes send each other is; None where there is no cluster.
    """

    address: str | None
    source: str
    cores: int
    workers: int
    threads_per_worker: int
    memory_bytes: int
    versions: dict[str, str]
    encrypted: bool | None


@dataclass(frozen=True)
class Joined:
    """What the engines of an experiment get.

    Parameters
    ----------
    described : dict
        By engine, for ``run.json``: at the first point where it joins a cluster, or else at the
        first point. Empty where no engine joins one.
    grants : dict
        The same by what was asked, of all points.
    """

    described: dict[str, Any] = field(default_factory=dict)
    grants: dict[Any, Grant] = field(default_factory=dict)

    def size(self, experiment: Experiment, name: str) -> tuple[int, int]:
        """Return the workers to ask for, and the threads of each.

        A cluster that may be smaller than asked for is asked for what it has: whoever joins it
        would wait for the rest, in the time of the engine.
        """
        grant = self.grants.get(_asked(experiment, name))
        if grant is None or not experiment.resources.allow_unequal:
            return granted(experiment, name)
        return grant.workers, grant.threads_per_worker

    def fits_at_a_time(self, experiment: Experiment, name: str) -> int:
        """Return how many candidates of a search an engine fits at a time, each on one worker."""
        if attachment_of(experiment, name) is None:
            return fits_at_a_time(experiment, name)
        return self.size(experiment, name)[0]

    def worker_memory(self, experiment: Experiment) -> int:
        """Return the memory of a worker, in bytes, on the engine where a worker has the least."""
        shares = []
        for name in experiment.engines.selected():
            grant = self.grants.get(_asked(experiment, name))
            elsewhere = grant is not None and grant.address is not None
            memory = grant.memory_bytes if grant and elsewhere else granted_memory(experiment)
            shares.append(memory // self.fits_at_a_time(experiment, name))
        return min(shares)


def join_clusters(experiment: Experiment, sources: Mapping[str, str], tell: OnEvent) -> Joined:
    """Join every cluster once, with what each point of the sweep asks of it, and leave it again.

    Parameters
    ----------
    experiment : Experiment
        As `experiments.definition.attach.attach_from_environment` returned it.
    sources : mapping of str to str
        Where the address of each engine is from, in words.
    tell : callable
        Told of each cluster and of what each engine gets.

    Returns
    -------
    Joined
        What each engine gets.

    Raises
    ------
    RequestError
        If a cluster cannot be joined or is not what was asked for, or if engines get different
        numbers of cores without leave.
    """
    known: dict[Any, Grant] = {}
    first: dict[str, Grant] = {}
    for _, at_point in experiment.points():
        if not at_point.engines.attached:
            continue
        grants = {}
        for name in at_point.engines.selected():
            asked = _asked(at_point, name)
            if asked not in known:
                grant = _grant(at_point, name, sources.get(name, ""), tell)
                known[asked] = grant
                tell(_told(name, grant))
            grants[name] = known[asked]
        check_equal(at_point, grants)
        for name, grant in grants.items():
            if name not in first or first[name].address is None:
                first[name] = grant
    return Joined({name: asdict(grant) for name, grant in first.items()}, known)


def _asked(experiment: Experiment, name: str) -> Any:
    """Return what makes one question to a cluster: points that differ in other things share it."""
    sizes = (engine_cores(experiment, name), *granted(experiment, name))
    return name, attachment_of(experiment, name), *sizes


def check_equal(experiment: Experiment, grants: Mapping[str, Grant]) -> None:
    """Refuse to compare engines that get different numbers of cores, unless that is asked for.

    Raises
    ------
    RequestError
        Saying what each of them gets.
    """
    cores = {name: grant.cores for name, grant in grants.items()}
    if len(set(cores.values())) == 1 or experiment.resources.allow_unequal:
        return
    first, *others = (f"{title(name)} gets {number}" for name, number in cores.items())
    unit = "core" if next(iter(cores.values())) == 1 else "cores"
    told = ", ".join([f"{first} {unit}", *others])
    raise RequestError(
        f"resources.cores: the engines get different numbers of cores ({told}), so they cannot be "
        "compared on equal terms; set resources.cores to what all of them have, or "
        "resources.allow_unequal: true."
    )


def _grant(experiment: Experiment, name: str, source: str, tell: OnEvent) -> Grant:
    attachment = attachment_of(experiment, name)
    if attachment is None:
        workers, threads = granted(experiment, name)
        memory = granted_memory(experiment)
        return Grant(None, "", workers * threads, workers, threads, memory, {}, None)
    tell(Joining(name, attachment.address, source))
    facts = _join(experiment, name, attachment, source)
    return Grant(
        address=attachment.address,
        source=source,
        cores=facts["cores"],
        workers=facts["workers"],
        threads_per_worker=facts["threads_per_worker"],
        memory_bytes=facts["memory_bytes"],
        versions=facts["versions"],
        encrypted=facts["details"].get("encrypted"),
    )


def _join(experiment: Experiment, name: str, attachment: Attachment, source: str) -> dict[str, Any]:
    """Return what an engine says of a cluster from a process of its own, which then leaves."""
    ended: list[Repeat] = []
    with Scratch() as scratch:
        task = joining_task(experiment, name, granted(experiment, name), scratch)
        task_file = scratch / "task.json"
        task.write(task_file)
        supervise(
            task,
            task_file=task_file,
            log=scratch / "log",
            samples=scratch / "samples.csv",
            timeout_s=attachment.wait_s + _SECONDS_AROUND,
            on_repeat=lambda repeat, _scored: ended.append(repeat),
            on_score=_ignore_score,
            on_event=_ignore_event,
            secrets_of=child_secrets(experiment, name, os.environ),
        )
    facts = ended[-1].content.get("facts")
    if isinstance(facts, dict):
        return facts
    raise RequestError(_refusal(name, attachment, source, ended[-1]))


def _refusal(name: str, attachment: Attachment, source: str, ended: Repeat) -> str:
    """Say why a cluster could not be joined, and where its address is from."""
    failure = ended.failure
    key = f"engines.{name}"
    if source and not source.startswith("the definition"):
        key = f"{key} (from {source})"
    if failure is None or failure.type == "TimeLimit":
        return (
            f"{key}: joining {attachment.address} did not come to an end within "
            f"{attachment.wait_s + _SECONDS_AROUND:g} s; check the cluster, or raise "
            f"engines.{name}.wait."
        )
    if failure.type in {"ProcessDied", "MemoryLimit"}:
        return f"{key}: {attachment.address} could not be joined: {failure.message}."
    return f"{key}: {failure.message.removeprefix(f'{name}: ')}"


def _told(name: str, grant: Grant) -> Granted:
    return Granted(
        engine=name,
        address=grant.address,
        source=grant.source,
        cores=grant.cores,
        workers=grant.workers,
        threads_per_worker=grant.threads_per_worker,
        memory_bytes=grant.memory_bytes,
    )


def _ignore_score(report: dict[str, Any]) -> None:
    del report


def _ignore_event(event: Event) -> None:
    del event
