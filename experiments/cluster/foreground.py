"""Run one part of a cluster in the foreground, as a container does."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engines import missing_libraries
from engines.errors import EngineError
from engines.roles import RoleOptions
from experiments.cluster.parts import HEADS, ROLES, role_of
from experiments.cluster.processes import MARK, Started, end, since_when
from experiments.cluster.request import check_host, check_worker_memory
from experiments.cluster.secret_files import read_certificates, read_secret, secret_at_hand
from experiments.console import say
from experiments.definition.addresses import MOST_PORTS
from experiments.errors import RequestError
from experiments.runner.environment import child_environment

if TYPE_CHECKING:
    from engines.roles import Role

# for a worker whose address is only known where it runs, such as one of several alike containers
AUTO = "auto"
# where schedulers and masters listen unless told otherwise
_PORTS = {"dask-scheduler": 8786, "spark-master": 7077}
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_ADDRESS = re.compile(r"(?P<scheme>[a-z]+)://[^\s/@:]+:(?P<port>[0-9]{1,5})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class RoleRequest:
    """One part of a cluster.

    Parameters
    ----------
    role : str
        One of `experiments.cluster.parts.ROLES`.
    address : str or None
        For a worker: what it registers with.
    host : str
        Address to listen on, and no other. For a worker `AUTO` is the address of this machine by
        which it reaches what it registers with.
    port : int or None
        Port to listen on; the usual one, or any for a worker, when not given.
    threads : int
        Threads (Dask) or cores (Spark) of a worker.
    memory_bytes : int
        Of a worker.
    name : str or None
        Of a worker, in its cluster.
    tls_folder : pathlib.Path or None
        Certificates: with them Dask talks TLS and nothing else.
    secret_file : pathlib.Path or None
        Secret: with it Spark's processes authenticate and encrypt.
    """

    role: str
    address: str | None = None
    host: str = "127.0.0.1"
    port: int | None = None
    threads: int = 1
    memory_bytes: int = 2**30
    name: str | None = None
    tls_folder: Path | None = None
    secret_file: Path | None = None

    @property
    def engine(self) -> str:
        """Whose part it is."""
        return self.role.partition("-")[0]

    @property
    def part(self) -> str:
        """Which part it is: "scheduler", "master" or "worker"."""
        return self.role.partition("-")[2]


def run_role(request: RoleRequest) -> int:
    """Run a part of a cluster until it ends or this process is told to end.

    Its output goes to standard error. What it started is ended with it, and what it wrote is
    removed.

    Parameters
    ----------
    request : RoleRequest
        Which part.

    Returns
    -------
    int
        0 if it ended because it was told to, 1 if it ended by itself.

    Raises
    ------
    RequestError
        If it is none, or something that it needs is missing.
    """
    _check(request)
    request = replace(request, host=_host(request))
    with tempfile.TemporaryDirectory(
        prefix=f"enginebench-{request.role}-", ignore_cleanup_errors=True
    ) as made:
        folder = Path(made)
        try:
            role = _role(request, folder)
        except EngineError as exc:
            raise RequestError(str(exc)) from exc
        environment = {
            **child_environment(request.threads, folder),
            **role.environment,
            MARK: made,
        }
        return _run(role.command, environment, folder, request.role)


def _run(command: tuple[str, ...], environment: dict[str, str], folder: Path, name: str) -> int:
    process: subprocess.Popen[bytes] | None = None
    told = False
    before = {number: signal.signal(number, signal.default_int_handler) for number in _ENDING}
    try:
        # in a session of its own: a terminal's Ctrl-C reaches this process, which passes it on
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            stderr=sys.stderr.fileno(),
            start_new_session=True,
        )
        process.wait()
    except KeyboardInterrupt:
        told = True
    except OSError as exc:
        raise RequestError(f"{name} cannot be started: {exc.strerror}.") from exc
    finally:
        # asked again while it ends, it still ends what it started
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
        started = [] if process is None else [Started(process.pid, since_when(process.pid) or "")]
        left = end([started], str(folder))
        if process is not None:
            process.poll()
        for number, handler in before.items():
            signal.signal(number, handler)
    if left:
        say(f"{left} processes of {name} could not be ended")
    if told or process is None:
        return 0
    say(f"{name} ended by itself with {process.returncode}")
    return 1


def _role(request: RoleRequest, folder: Path) -> Role:
    secret = None if request.secret_file is None else read_secret(request.secret_file)
    certificates = None if request.tls_folder is None else read_certificates(request.tls_folder)
    port = _PORTS.get(request.role, 0) if request.port is None else request.port
    with secret_at_hand(secret) as variable:
        options = RoleOptions(
            host=request.host,
            port=port,
            folder=folder,
            threads=request.threads,
            memory_bytes=request.memory_bytes,
            certificates=certificates,
            secret_variable=variable,
        )
        return role_of(
            request.engine,
            request.part,
            options,
            address=request.address or "",
            # two workers may share a machine, and two machines may give out the same process id
            name=request.name or f"{socket.gethostname()}-{os.getpid()}",
        )


def _check(request: RoleRequest) -> None:
    """Refuse what is no part of a cluster."""
    if request.role not in ROLES:
        raise RequestError(f"There is no role {request.role!r}; choose from {', '.join(ROLES)}.")
    if missing := missing_libraries(request.engine):
        raise RequestError(
            f"{request.role} needs {', '.join(missing)}; install it with "
            f"pip install 'enginebench[{request.engine}]'."
        )
    if request.engine == "dask" and request.secret_file is not None:
        raise RequestError("--secret-file is for Spark; give Dask's parts --tls-folder.")
    if request.engine == "spark" and request.tls_folder is not None:
        raise RequestError("--tls-folder is for Dask; give Spark's parts --secret-file.")
    _check_address(request)
    if request.port is not None and not 0 <= request.port <= MOST_PORTS:
        raise RequestError(f"--port: must be from 0 to {MOST_PORTS}; got {request.port}.")
    if request.part == "worker":
        if request.threads < 1:
            raise RequestError(f"--threads: must be at least 1; got {request.threads}.")
        check_worker_memory(request.engine, request.memory_bytes)
        if request.name is not None and not _NAME.fullmatch(request.name):
            raise RequestError(
                f"--name: {request.name!r} is no name of a worker; use letters, digits, dots, "
                f"underscores and hyphens, and begin with a letter or digit."
            )


def _host(request: RoleRequest) -> str:
    """Return the address to listen on, having looked that it can be."""
    if request.host != AUTO or request.address is None:
        check_host(request.host)
        return request.host
    host, _, port = request.address.partition("://")[2].rpartition(":")
    try:
        # nothing is sent: the system only looks up which way it would go
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, int(port)))
            own: str = probe.getsockname()[0]
    except (OSError, OverflowError, UnicodeError) as exc:
        raise RequestError(
            f"--host auto: {host} cannot be reached from this machine "
            f"({getattr(exc, 'strerror', None) or exc}); correct --address, or give --host."
        ) from exc
    return own


def _check_address(request: RoleRequest) -> None:
    if request.part != "worker":
        if request.address is not None:
            raise RequestError(
                f"--address is for workers; {request.role} listens on --host and --port."
            )
        return
    scheme = "spark" if request.engine == "spark" else "tls" if request.tls_folder else "tcp"
    example = f"{scheme}://HOST:{_PORTS[f'{request.engine}-{HEADS[request.engine]}']}"
    if request.address is None:
        raise RequestError(
            f"{request.role} needs the --address of its {HEADS[request.engine]}: {example}."
        )
    found = _ADDRESS.fullmatch(request.address)
    if found is None:
        # not quoted: it may hold a password
        raise RequestError(f"--address: must look like {example}.")
    if found["scheme"] != scheme:
        why = {"tls": " with --tls-folder", "tcp": " without --tls-folder"}.get(scheme, "")
        raise RequestError(
            f"--address: {request.role}{why} takes {example}; got {request.address}."
        )
    if not 1 <= int(found["port"]) <= MOST_PORTS:
        raise RequestError(
            f"--address: its port must be from 1 to {MOST_PORTS}; got {found['port']}."
        )
