"""Look at the clusters that were started: what runs, what died, which workers there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from engines.errors import ClusterError
from experiments.cluster.parts import Part, parts_of
from experiments.cluster.state import (
    StartedElsewhereError,
    check_machine,
    find,
    folder_of,
    held,
    names,
    read,
    read_started,
)
from experiments.cluster.telling import log_of, registered, why_ended
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from engines.roles import Member
    from experiments.cluster.state import Cluster

# seconds in which a scheduler or master answers
_ANSWER_S = 5.0

State = Literal["up", "starting", "broken", "elsewhere"]


@dataclass(frozen=True)
class PartStatus:
    """One process of a cluster.

    Parameters
    ----------
    name : str
        Such as ``dask-worker-1``.
    pid : int or None
        Its process; None if it was never started.
    alive : bool
        Whether it runs.
    last_line : str
        The last of its log that may say why it does not run; empty if none does.
    """

    name: str
    pid: int | None
    alive: bool
    last_line: str = ""


@dataclass(frozen=True)
class ClusterStatus:
    """A cluster as it is now.

    Parameters
    ----------
    name : str
        Of the cluster.
    folder : pathlib.Path
        What is kept of it.
    cluster : Cluster or None
        What was started; None if that is not to be read any more.
    state : {"up", "starting", "broken", "elsewhere"}
        "broken" if a part does not run, fewer workers are registered than were started, or
        nothing tells what was started;
        "elsewhere" if another machine that shares the folder has started it.
    parts : tuple of PartStatus
        Its processes.
    workers : dict
        For each engine, the workers that are registered.
    problems : tuple of str
        What is wrong, a sentence each.
    """

    name: str
    folder: Path
    cluster: Cluster | None
    state: State
    parts: tuple[PartStatus, ...]
    workers: dict[str, tuple[Member, ...]]
    problems: tuple[str, ...]


def status(name: str | None = None) -> tuple[ClusterStatus, ...]:
    """Return how one cluster is, or all of them.

    Parameters
    ----------
    name : str, optional
        Of the cluster; all when not given.

    Raises
    ------
    RequestError
        If there is none of that name.
    """
    if name is not None and name not in names():
        find(name)  # says so
    return tuple(
        found for one in (names() if name is None else (name,)) if (found := _look(one)) is not None
    )


def as_data(found: tuple[ClusterStatus, ...]) -> dict[str, Any]:
    """Return the clusters as JSON: addresses and files, and no secret."""
    return {"schema": 1, "clusters": [_one_as_data(one) for one in found]}


def as_text(found: tuple[ClusterStatus, ...]) -> str:
    """Return the clusters as lines."""
    lines: list[str] = []
    for one in found:
        lines.append(f"{one.name}: {one.state}")
        if one.cluster is not None:
            lines += _engines_as_lines(one.cluster, one.workers)
        width = max((len(part.name) for part in one.parts), default=0)
        for part in one.parts:
            how = f"up (process {part.pid})" if part.alive else _how_it_ended(part)
            lines.append(f"    {part.name.ljust(width)}  {how}")
        lines += [f"  {problem}" for problem in one.problems]
        lines.append(f"  logs: {one.folder / 'logs'}")
    return "".join(f"{line}\n" for line in lines)


def addresses(cluster: Cluster) -> dict[str, str]:
    """Return the address of each engine of a cluster."""
    both = {"dask": cluster.dask_address, "spark": cluster.spark_master}
    return {engine: address for engine, address in both.items() if address is not None}


def _look(name: str) -> ClusterStatus | None:
    folder = folder_of(name)
    cluster = None
    try:
        cluster = read(name)
        if cluster is not None:
            check_machine(cluster)
    except StartedElsewhereError as exc:
        # its processes are not to be seen from here
        return ClusterStatus(name, folder, cluster, "elsewhere", (), {}, (str(exc),))
    except RequestError as exc:
        return _unknown(name, str(exc))
    if cluster is None:
        if held(folder) or name not in names():
            return None  # it has only begun, or has just ended
        return _unknown(
            name,
            f"The start of the cluster {name!r} was cut short; run 'enginebench cluster down "
            f"--name {name}'.",
        )
    parts = _parts(folder, [part.name for part in parts_of(cluster.engines, cluster.workers)])
    if not cluster.ready and held(folder):
        return ClusterStatus(name, folder, cluster, "starting", parts, {}, ())
    running = {part.name for part in parts if part.alive}
    workers: dict[str, tuple[Member, ...]] = {}
    problems = [] if cluster.ready else ["Its start was cut short."]
    for engine in cluster.engines:
        workers[engine], missing = _workers(cluster, engine, running)
        problems += missing
    problems += [f"{part.name} does not run." for part in parts if not part.alive]
    if problems:
        problems.append(f"'enginebench cluster down --name {name}' removes what is left of it.")
    state: State = "broken" if problems else "up"
    return ClusterStatus(name, folder, cluster, state, parts, workers, tuple(problems))


def _unknown(name: str, problem: str) -> ClusterStatus:
    """Return how a cluster is of which only the files of its processes may be read."""
    folder = folder_of(name)
    parts = _parts(folder, read_started(folder))
    return ClusterStatus(name, folder, None, "broken", parts, {}, (problem,))


def _parts(folder: Path, of: Iterable[str]) -> tuple[PartStatus, ...]:
    started = read_started(folder)
    found = []
    for name in of:
        process = started.get(name)
        alive = process is not None and process.alive
        told = "" if alive else why_ended(log_of(folder, name))
        found.append(PartStatus(name, process.pid if process else None, alive, told))
    return tuple(found)


def _workers(
    cluster: Cluster, engine: str, running: set[str]
) -> tuple[tuple[Member, ...], list[str]]:
    """Return the workers that an engine's cluster has, and what is wrong with that."""
    if Part(engine, 0).name not in running:
        return (), []  # nobody is there to be asked, which is told of the part
    try:
        there = registered(cluster, engine, _ANSWER_S)
    except ClusterError as exc:
        return (), [str(exc)]
    if len(there) < cluster.workers:
        return there, [f"{engine}: {len(there)} of {cluster.workers} workers are registered."]
    return there, []


def _engines_as_lines(cluster: Cluster, workers: dict[str, tuple[Member, ...]]) -> list[str]:
    lines = []
    for engine, address in addresses(cluster).items():
        line = f"  {engine}  {address}"
        if engine in workers:
            there = workers[engine]
            cores = sum(member.cores for member in there)
            what = "core" if cores == 1 else "cores"
            line += f"  {len(there)} of {cluster.workers} workers registered, {cores} {what}"
        lines.append(line)
    return lines


def _how_it_ended(part: PartStatus) -> str:
    if part.pid is None:
        return "not started"
    if part.last_line:
        return f"died; its log says: {part.last_line}"
    return "died, and its log does not say why; it may have been killed"


def _one_as_data(one: ClusterStatus) -> dict[str, Any]:
    cluster = one.cluster
    return {
        "name": one.name,
        "state": one.state,
        "folder": str(one.folder),
        "workers": cluster and cluster.workers,
        "threads": cluster and cluster.threads,
        "memory_bytes": cluster and cluster.memory_bytes,
        "encrypted": cluster
        and {
            "dask": cluster.certificates is not None,
            "spark": cluster.secret_file is not None,
        },
        "addresses": {} if cluster is None else addresses(cluster),
        "parts": [
            {
                "name": part.name,
                "pid": part.pid,
                "alive": part.alive,
                "last_line": part.last_line,
            }
            for part in one.parts
        ],
        "registered": {
            engine: [
                {
                    "name": member.name,
                    "address": f"{member.host}:{member.port}",
                    "cores": member.cores,
                    "memory_bytes": member.memory_bytes,
                }
                for member in members
            ]
            for engine, members in one.workers.items()
        },
        "problems": list(one.problems),
    }
