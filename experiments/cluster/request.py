"""What a cluster is to be, and whether this machine can have it."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass, field

from engines import missing_libraries
from experiments.definition.host import usable_cores, usable_memory
from experiments.definition.units import format_size
from experiments.errors import RequestError

ENGINES = ("dask", "spark")
# What a worker needs to have its libraries and still hold rows; Spark's has a Java heap and Python
_LEAST_MEMORY_BYTES = {"dask": 512 * 2**20, "spark": 2**30}
MOST_WORKERS = 64
_USUAL_WORKERS = 2

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - refused, not bound to


def default_workers(threads: int = 1) -> int:
    """Return how many workers of so many threads a cluster has where nothing is said.

    They are two, or as many as this machine has cores for, and one in any case.
    """
    return max(1, min(_USUAL_WORKERS, usable_cores() // max(1, threads)))


@dataclass(frozen=True)
class ClusterRequest:
    """What is asked of `up`.

    Parameters
    ----------
    name : str
        By which it is found and stopped.
    engines : tuple of str
        Of "dask" and "spark", each a cluster of its own.
    workers : int
        Of each engine; `default_workers` of one thread when not given.
    threads : int
        Threads (Dask) or cores (Spark) of each worker.
    memory_bytes : int
        Of each worker.
    host : str
        The address of this machine to listen on, and no other.
    tls : bool
        Whether Dask talks TLS, and Spark authenticates and encrypts.
    wait_s : float
        Seconds in which all must be up.
    """

    name: str = "default"
    engines: tuple[str, ...] = ENGINES
    workers: int = field(default_factory=default_workers)
    threads: int = 1
    memory_bytes: int = 2**30
    host: str = "127.0.0.1"
    tls: bool = False
    wait_s: float = 60.0


def is_name(name: str) -> bool:
    """Tell whether a cluster may be called so."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> None:
    """Refuse a name that is none.

    Raises
    ------
    RequestError
        If it could not be the name of a folder.
    """
    if not is_name(name):
        raise RequestError(
            f"--name: {name!r} is no name of a cluster; use up to 64 letters, digits, dots, "
            f"underscores and hyphens, and begin with a letter or digit."
        )


def check(request: ClusterRequest) -> None:
    """Refuse what no cluster of this machine can be.

    Raises
    ------
    RequestError
        Saying which option is wrong.
    """
    check_name(request.name)
    if not request.engines:
        raise RequestError(f"--engines: name at least one of {', '.join(ENGINES)}.")
    for engine in request.engines:
        if engine not in ENGINES:
            raise RequestError(
                f"--engines: there is no cluster of {engine!r}; choose from {', '.join(ENGINES)}."
            )
        if missing := missing_libraries(engine):
            raise RequestError(
                f"--engines: {engine} needs {', '.join(missing)}; install it with "
                f"pip install 'enginebench[{engine}]'."
            )
    if not 1 <= request.workers <= MOST_WORKERS:
        raise RequestError(f"--workers: must be from 1 to {MOST_WORKERS}; got {request.workers}.")
    if request.threads < 1:
        raise RequestError(f"--threads: must be at least 1; got {request.threads}.")
    _check_cores(request)
    _check_memory(request)
    check_host(request.host)


def check_host(host: str) -> None:
    """Refuse an address that this machine cannot listen on, and one that means all addresses.

    Raises
    ------
    RequestError
        Saying what to give instead.
    """
    if host in _EVERYWHERE:
        raise RequestError(
            f"--host: {host!r} would listen on every address of this machine; give one of them."
        )
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, 0, socket.AF_INET, socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(address)
    except (OSError, UnicodeError) as exc:
        raise RequestError(
            f"--host: {host} is no address of this machine that can be listened on "
            f"({getattr(exc, 'strerror', None) or exc}); give an IPv4 address or the name of one."
        ) from exc


def check_worker_memory(engine: str, memory_bytes: int) -> None:
    """Refuse a worker that could not hold its libraries.

    Raises
    ------
    RequestError
        Saying what it needs.
    """
    least = _LEAST_MEMORY_BYTES[engine]
    if memory_bytes < least:
        raise RequestError(
            f"--memory: a worker of {engine} needs at least {format_size(least)}; got "
            f"{format_size(memory_bytes)}."
        )


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(socket.gethostbyname(host)).is_loopback
    except OSError:
        return False


def _check_cores(request: ClusterRequest) -> None:
    # Nothing binds a worker to cores: those that there are not would be told of all the same. The
    # engines of an experiment work one after the other, so each may have them all
    workers, threads = request.workers, request.threads
    needed, there = workers * threads, usable_cores()
    if needed > there:
        raise RequestError(
            f"{'--threads' if threads > 1 else '--workers'}: {_counted(workers, 'worker')} of "
            f"{_counted(threads, 'thread')} {'needs' if workers == 1 else 'need'} {needed} cores "
            f"and this process may use {there}; workers times threads may be {there} at most."
        )


def _counted(number: int, what: str) -> str:
    return f"{number} {what if number == 1 else f'{what}s'}"


def _check_memory(request: ClusterRequest) -> None:
    for engine in request.engines:
        check_worker_memory(engine, request.memory_bytes)
    # The engines of an experiment work one after the other, so each may have it all
    needed, there = request.workers * request.memory_bytes, usable_memory()
    if needed > there:
        raise RequestError(
            f"--memory: {request.workers} workers of {format_size(request.memory_bytes)} need "
            f"{needed / 2**30:.1f} GiB and this machine has {there / 2**30:.1f} GiB; ask for less "
            f"or for fewer workers."
        )
