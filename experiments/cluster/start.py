"""Start a cluster in the background: all of it, or nothing."""

from __future__ import annotations

import contextlib
import platform
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from engines.errors import ClusterError, EngineError
from engines.roles import RoleOptions
from experiments.cluster.parts import HEADS, Part, parts_of, role_of
from experiments.cluster.processes import MARK, Started, launch
from experiments.cluster.request import check
from experiments.cluster.secret_files import (
    SECRET_FILE,
    TLS_FOLDER,
    make_certificates,
    make_secret,
    read_secret,
    secret_at_hand,
)
from experiments.cluster.state import Cluster, claimed, write, write_started
from experiments.cluster.stop import end_and_remove
from experiments.cluster.telling import last_line, log_of, registered, why_ended
from experiments.errors import RequestError
from experiments.runner.environment import child_environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from experiments.cluster.request import ClusterRequest

_LOOPBACK = "127.0.0.1"
_POLL_S = 0.1
# seconds in which a scheduler or master that listens answers a question
_ANSWER_S = 5.0


def up(request: ClusterRequest) -> Cluster:
    """Start a cluster on this machine, which stays when this process ends.

    Parameters
    ----------
    request : ClusterRequest
        What it is to be.

    Returns
    -------
    Cluster
        With all its workers registered.

    Raises
    ------
    RequestError
        If it cannot be started, or is not up in time; nothing of it is left then.
    """
    check(request)
    with claimed(request.name, 0.0, make=True) as folder:
        if folder is None or any(folder.iterdir()):
            raise RequestError(
                f"There is a cluster {request.name!r} already; stop it with 'enginebench cluster "
                f"down --name {request.name}', or give another --name."
            )
        with contextlib.ExitStack() as undo:
            # also when this command is told to stop
            undo.callback(end_and_remove, folder)
            try:
                cluster = _Start(request, folder).run()
            except EngineError as exc:
                raise RequestError(str(exc)) from exc
            except OSError as exc:
                raise RequestError(
                    f"The cluster {request.name!r} could not be started: {exc.strerror or exc}; "
                    f"see whether {folder.parent} can be written."
                ) from exc
            undo.pop_all()
    return cluster


class _Start:
    """One start of a cluster.

    Parameters
    ----------
    request : ClusterRequest
        What it is to be.
    folder : pathlib.Path
        Empty, and its own.
    """

    def __init__(self, request: ClusterRequest, folder: Path) -> None:
        self.request = request
        self.folder = folder
        self.deadline = time.monotonic() + request.wait_s
        self.started: dict[Part, Started] = {}

    def run(self) -> Cluster:
        """Start the parts, those that workers register with first."""
        (self.folder / "logs").mkdir()
        (self.folder / "work").mkdir()
        request = self.request
        parts = parts_of(request.engines, request.workers)
        # the page of Spark's master is for this machine alone
        *free, web = _free_ports([*[request.host] * len(parts), _LOOPBACK])
        ports = dict(zip(parts, free, strict=True))
        self.cluster = self._describe(ports, web)
        # from here on another command can stop what is started
        write(self.cluster)
        heads = [part for part in parts if part.number == 0]
        workers = [part for part in parts if part.number > 0]
        self._launch(heads, ports, web)
        for head in heads:
            self._await_listening(head, ports[head])
        self._launch(workers, ports, web)
        for engine in request.engines:
            self._await_workers(engine, ports)
        ready = replace(self.cluster, ready=True)
        write(ready)
        return ready

    def _describe(self, ports: dict[Part, int], web: int) -> Cluster:
        request = self.request
        dask, spark = ("dask" in request.engines), ("spark" in request.engines)
        certificates = make_certificates(self.folder / TLS_FOLDER) if request.tls and dask else None
        secret = make_secret(self.folder / SECRET_FILE) if request.tls and spark else None
        scheme = "tcp" if certificates is None else "tls"
        return Cluster(
            name=request.name,
            folder=self.folder,
            engines=request.engines,
            workers=request.workers,
            threads=request.threads,
            memory_bytes=request.memory_bytes,
            dask_address=f"{scheme}://{request.host}:{ports[Part('dask', 0)]}" if dask else None,
            spark_master=f"spark://{request.host}:{ports[Part('spark', 0)]}" if spark else None,
            certificates=certificates,
            secret_file=secret,
            spark_web=f"http://{_LOOPBACK}:{web}" if spark else None,
            started_on=platform.node(),
        )

    def _launch(self, parts: Sequence[Part], ports: dict[Part, int], web: int) -> None:
        secret_file = self.cluster.secret_file
        secret = None if secret_file is None else read_secret(secret_file)
        addresses = {"dask": self.cluster.dask_address, "spark": self.cluster.spark_master}
        for part in parts:
            work = self.folder / "work" / part.name
            work.mkdir()
            with secret_at_hand(secret if part.engine == "spark" else None) as variable:
                options = RoleOptions(
                    host=self.request.host,
                    port=ports[part],
                    folder=work,
                    threads=self.request.threads,
                    memory_bytes=self.request.memory_bytes,
                    certificates=self.cluster.certificates if part.engine == "dask" else None,
                    secret_variable=variable,
                )
                kind = HEADS[part.engine] if part.number == 0 else "worker"
                role = role_of(
                    part.engine,
                    kind,
                    options,
                    address=addresses[part.engine] or "",
                    name=str(part.number),
                    web_port=web,
                )
            environment = {
                **child_environment(self.request.threads, work),
                **role.environment,
                MARK: str(self.folder),
            }
            log = log_of(self.folder, part.name)
            self.started[part] = launch(role.command, environment, work, log)
            write_started(self.folder, part.name, self.started[part])

    def _await_listening(self, part: Part, port: int) -> None:
        while not _listens(self.request.host, port):
            self._check([part], f"does not listen on {self.request.host}:{port}")
        self._check_alive()

    def _await_workers(self, engine: str, ports: dict[Part, int]) -> None:
        """Wait until the workers of an engine have registered."""
        expected = [part for part in self.started if part.engine == engine and part.number > 0]
        while True:
            try:
                members = registered(self.cluster, engine, self._answer_s())
            except ClusterError:  # it listens before it answers
                members = ()
            known = {one.name for one in members} | {one.port for one in members}
            missing = [
                part
                for part in expected
                if str(part.number) not in known and ports[part] not in known
            ]
            if not missing:
                return
            self._check(missing, f"has not registered with the {HEADS[engine]}")

    def _answer_s(self) -> float:
        return min(_ANSWER_S, max(_POLL_S, self.deadline - time.monotonic()))

    def _check(self, missing: Sequence[Part], what: str) -> None:
        """Wait a little, unless something has died or there is no time left."""
        self._check_alive()
        if time.monotonic() > self.deadline:
            raise RequestError(
                f"The cluster {self.request.name!r} was not up within {self.request.wait_s:g} s "
                f"and nothing of it is left: {missing[0].name} {what} "
                f"{self._last_line(missing[0])}; give it more time with --wait, or fewer workers."
            )
        time.sleep(_POLL_S)

    def _check_alive(self) -> None:
        for part, started in self.started.items():
            if not started.alive:
                raise RequestError(
                    f"The cluster {self.request.name!r} did not start and nothing of it is left: "
                    f"{part.name} ended {self._why_ended(part)}."
                )

    def _last_line(self, part: Part) -> str:
        line = last_line(log_of(self.folder, part.name))
        return f'(the last line of its log: "{line.rstrip(".")}")' if line else "(its log is empty)"

    def _why_ended(self, part: Part) -> str:
        line = why_ended(log_of(self.folder, part.name))
        return f'(its log says: "{line.rstrip(".")}")' if line else "(its log does not say why)"


def _free_ports(hosts: Sequence[str]) -> list[int]:
    """Return a port for each address, all different, on which nobody listens there."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in hosts]
        for probe, host in zip(probes, hosts, strict=True):
            probe.bind((host, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
