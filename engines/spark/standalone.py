"""Asking the master of a standalone cluster what it has, before an application is handed to it."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from engines.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ANSWER_SECONDS = 5.0
_AGAIN_SECONDS = 0.25

# what the other side's library says when only one of two, or each with another secret, asks for it
_WANTS_SECRET = "Expected SaslMessage"  # noqa: S105 - a message
_WANTS_NO_SECRET = "readRpcAddress"  # noqa: S105 - where it fails to read what is none of its own
_OTHER_VERSION = ("InvalidClassException", "ClassNotFoundException", "NoSuchMethodError")


@dataclass(frozen=True)
class Worker:
    """A worker of the cluster, with all that it has, whoever uses it.

    Parameters
    ----------
    name : str
        As the master knows it.
    host : str
        The machine it is on.
    cores : int
        CPU cores that it hands out.
    memory_bytes : int
        Memory that it hands out.
    """

    name: str
    host: str
    cores: int
    memory_bytes: int


def host_and_port(address: str) -> tuple[str, int]:
    """Return where the master listens.

    Raises
    ------
    ClusterError
        If the address is none of a standalone master.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if host is None or port is None or parts.scheme != "spark":
        raise ClusterError(
            f"spark: {address!r} is no address of a standalone master; give spark://host:port."
        )
    return host, port


def own_host(address: str, deadline: float) -> str:
    """Wait until the master can be connected to, and return the address of this machine then used.

    Parameters
    ----------
    address : str
        ``spark://host:port``.
    deadline : float
        When to give up, by `time.monotonic`.

    Raises
    ------
    ClusterError
        If nothing listens there until then, or there is no such host.
    """
    where = host_and_port(address)
    started = time.monotonic()
    while True:
        left = deadline - time.monotonic()
        try:
            with socket.create_connection(where, timeout=max(left, 0.1)) as line:
                host: str = line.getsockname()[0]
                return host
        except socket.gaierror as exc:
            why = f"there is no host {where[0]!r} ({exc.strerror})"
            passes = exc.errno == socket.EAI_AGAIN
        except OSError as exc:
            why = exc.strerror or "no answer"
            passes = True
        if passes and time.monotonic() + _AGAIN_SECONDS < deadline:
            time.sleep(_AGAIN_SECONDS)
            continue
        raise ClusterError(
            f"spark: no master answers at {address}, tried for "
            f"{time.monotonic() - started:.0f} s: {why}; start it, or correct the address."
        )


class Master:
    """A line to a master, from a JVM that runs no application yet.

    Parameters
    ----------
    jvm : py4j.java_gateway.JVMView
        That JVM.
    address : str
        ``spark://host:port``.
    own_host : str
        Address of this machine that the master can be reached from.
    settings : mapping of str to str
        Spark's settings for connections, with those for authentication.
    """

    def __init__(self, jvm: Any, address: str, own_host: str, settings: Mapping[str, str]) -> None:
        self._jvm = jvm
        self._address = address
        self._authenticates = settings.get("spark.authenticate") == "true"
        answer = f"{_ANSWER_SECONDS:.0f}s"
        self._settings = {
            **settings,
            "spark.rpc.askTimeout": answer,
            "spark.rpc.lookupTimeout": answer,
            "spark.rpc.io.connectionTimeout": answer,
            "spark.rpc.io.connectionCreationTimeout": answer,
        }
        self._own_host = own_host
        self._same_version = False

    def workers(self) -> tuple[Worker, ...]:
        """Ask for the workers that are registered.

        Returns
        -------
        tuple of Worker
            In the order of their names. One that died a moment ago may still be among them, and
            what other applications use is not taken off: the master does not tell.

        Raises
        ------
        ClusterError
            If it does not answer, or does not let us in.
        """
        spark = self._jvm.org.apache.spark
        conf = spark.SparkConf(False)
        for name, value in self._settings.items():
            conf.set(name, value)
        nothing = self._jvm.scala.Option.empty()
        manager = spark.SecurityManager
        no_file = getattr(manager, "$lessinit$greater$default$3")()
        security = manager(conf, nothing, no_file)
        environment = spark.rpc.RpcEnv.create("question", self._own_host, 0, conf, security, True)
        try:
            where = spark.rpc.RpcAddress(*host_and_port(self._address))
            master = environment.setupEndpointRef(where, "Master")
            question = getattr(spark.deploy, "DeployMessages$RequestMasterState$")
            kind = getattr(getattr(self._jvm.scala.reflect, "ClassTag$"), "MODULE$").Any()
            state = master.askSync(getattr(question, "MODULE$"), kind)
            if not self._same_version:
                # one of another version may read that and not what registers an application, and
                # tells of it in its log alone: whoever registers would wait for a minute
                master.askSync(self._of_no_application(), kind)
                self._same_version = True
            return tuple(
                sorted(
                    (
                        Worker(one.id(), one.host(), one.cores(), one.memory() * 2**20)
                        for one in state.workers()
                    ),
                    key=lambda worker: worker.name,
                )
            )
        except Exception as exc:
            if (java := _java_exception(exc)) is None:
                raise
            raise ClusterError(self._refusal(_causes(java))) from exc
        finally:
            environment.shutdown()

    def _of_no_application(self) -> Any:
        """Return a question that describes executors as a registration does; the answer is no."""
        spark = self._jvm.org.apache.spark
        nothing = getattr(getattr(self._jvm.scala.collection.immutable, "Map$"), "MODULE$").empty()
        profile = spark.resource.ResourceProfile(nothing, nothing)
        question = getattr(spark.deploy, "DeployMessages$RequestExecutors")
        return question("enginebench", nothing.updated(profile, 1))

    def _refusal(self, said: str) -> str:
        at = f"spark: the master at {self._address}"
        if _WANTS_SECRET in said:
            return (
                f"{at} lets in only those that know its secret, and none was given: name the "
                f"environment variable that holds it (engines.spark.secret_env)."
            )
        if any(name in said for name in _OTHER_VERSION):
            from pyspark import __version__

            return (
                f"{at} runs another version of Spark than this machine, which has {__version__}: "
                f"install the version that the cluster has."
            )
        if self._authenticates and _WANTS_NO_SECRET in said:
            return (
                f"{at} knows of no secret, and one was given: start the cluster with "
                f"spark.authenticate and the secret, or give none (engines.spark.secret_env)."
            )
        if self._authenticates:
            # whichever it is, the connection may be gone before the master's reason has arrived
            return (
                f"{at} does not accept the secret that it was given, or was started without one: "
                f"give the one that the cluster was started with, or none "
                f"(engines.spark.secret_env)."
            )
        first = said.partition("\n")[0]
        return (
            f"{at} does not answer as a master of Spark does within {_ANSWER_SECONDS:.0f} s "
            f"({first}): correct the address, or name its secret if it has one "
            f"(engines.spark.secret_env)."
        )


def _java_exception(exc: BaseException | None) -> Any:
    """Return what the JVM raised, if it did.

    PySpark translates exceptions once a process has had a session, and cannot without a context.
    """
    while exc is not None:
        if (java := getattr(exc, "java_exception", None)) is not None:
            return java
        exc = exc.__context__
    return None


def _causes(exc: Any) -> str:
    """Return what an exception of the JVM and its causes say, the innermost first."""
    said: list[str] = []
    while exc is not None:
        said.insert(0, exc.toString())
        exc = exc.getCause()
    return "\n".join(said)


def slots_of(workers: Sequence[Worker], threads: int) -> int:
    """Return how many tasks of so many threads each the workers can run at a time."""
    return sum(worker.cores // threads for worker in workers)


def cores_of_executor(slots: int, threads: int, workers: Sequence[Worker]) -> int:
    """Return the cores of each executor, so that as many workers as possible have an equal share.

    Parameters
    ----------
    slots : int
        Tasks at a time, of which the workers have enough.
    threads : int
        Cores of a task.
    workers : sequence of Worker
        What there is.

    Returns
    -------
    int
        A multiple of `threads` of which the cores asked for are a multiple.
    """
    for count in range(min(len(workers), slots), 0, -1):
        each, rest = divmod(slots, count)
        if rest == 0 and sum(worker.cores // threads >= each for worker in workers) >= count:
            return each * threads
    return threads  # several on a worker


def heap_of_executor(
    slots: int, threads: int, each: int, workers: Sequence[Worker], share: float
) -> int:
    """Return the heap of each executor in bytes, a share of the memory that it has for itself.

    Parameters
    ----------
    slots : int
        Tasks at a time.
    threads : int
        Cores of a task.
    each : int
        Cores of an executor.
    workers : sequence of Worker
        What there is.
    share : float
        Part of the memory that is heap; Python has the rest.
    """
    large = [worker for worker in workers if worker.cores >= each]
    executors = -(-slots * threads // each)
    on_one = -(-executors // len(large))
    return int(min(worker.memory_bytes for worker in large) * share) // on_one
