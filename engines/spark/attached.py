"""Joining a standalone cluster: what is asked of it, what it grants, and whether it fits."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engines.errors import ClusterError, EngineError, UnequalCoresError
from engines.loopback import is_loopback
from engines.spark import ending, libraries, sampler
from engines.spark.accounts import Log
from engines.spark.executors import Store, Watch
from engines.spark.failures import reason
from engines.spark.settings import HEAP_SHARE, LEAST_HEAP
from engines.spark.standalone import (
    Master,
    Worker,
    cores_of_executor,
    heap_of_executor,
    host_and_port,
    slots_of,
)

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from engines.types import Attachment, Resources

_SECRET = "spark.authenticate.secret"  # noqa: S105 - a name
HEARTBEAT_SECONDS = 5

_LOOK_SECONDS = 0.2
# beyond the time-out of the cluster, until the JVM is ended that waits for it
_GRACE_SECONDS = 60.0


@dataclass(frozen=True)
class Grant:
    """What a cluster is asked for, having said what it has.

    Parameters
    ----------
    slots : int
        Tasks at a time.
    threads : int
        Cores of each.
    heap_bytes : int
        Of each executor.
    settings : dict
        Of Spark, for the application.
    """

    slots: int
    threads: int
    heap_bytes: int
    settings: dict[str, str]

    @property
    def cores(self) -> int:
        """Cores in all."""
        return self.slots * self.threads


@dataclass(frozen=True)
class Cluster:
    """A cluster that a session has joined.

    Parameters
    ----------
    attachment : Attachment
        As it was asked for.
    grant : Grant
        What it gave.
    store : Store
        What the driver knows of it.
    watch : Watch
        Looks for executors that die.
    log : Log
        What tasks cost.
    """

    attachment: Attachment
    grant: Grant
    store: Store
    watch: Watch
    log: Log


def secret_of(attachment: Attachment) -> dict[str, str]:
    """Return the setting that tells a JVM the cluster's secret.

    It must be told to a JVM that runs, for all users of the machine see what one is started with.

    Raises
    ------
    ClusterError
        If the variable that is to hold it does not.
    """
    if attachment.secret_variable is None:
        return {}
    secret = os.environ.get(attachment.secret_variable)
    if not secret:
        raise ClusterError(
            f"spark: the environment variable {attachment.secret_variable} is to hold the secret "
            f"of {attachment.address}, and is not set; set it (engines.spark.secret_env names it)."
        )
    return {_SECRET: secret}


def settings(attachment: Attachment, own_host: str, folder: Path) -> dict[str, str]:
    """Return what differs from a local session, before the cluster has said what it has."""
    (folder / "events").mkdir()
    secured = {
        "spark.authenticate": "true",
        "spark.network.crypto.enabled": "true",
    }
    return {
        "spark.master": attachment.address,
        "spark.driver.host": own_host,
        "spark.driver.bindAddress": own_host,
        "spark.dynamicAllocation.enabled": "false",
        f"spark.executorEnv.{sampler.WANTED}": "1",
        # executors on this machine are ended with the session, whatever becomes of the cluster
        f"spark.executorEnv.{ending.MARK}": str(folder),
        # an executor that dies costs a task one of its tries
        "spark.task.maxFailures": "2",
        "spark.stage.maxConsecutiveAttempts": "3",
        # a stage that needs all workers at once waits this long for one to come back
        "spark.scheduler.barrier.maxConcurrentTasksCheck.interval": "1s",
        "spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures": str(
            max(1, round(attachment.wait_s))
        ),
        "spark.executor.heartbeatInterval": f"{HEARTBEAT_SECONDS}s",
        "spark.executor.processTreeMetrics.enabled": "true",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": (folder / "events").as_uri(),
        "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.logStageExecutorMetrics": "true",
        "spark.ui.liveUpdate.period": "0",  # or what is read at the end of a phase may be older
        **(secured if attachment.secret_variable is not None else {}),
    }


def agree(
    jvm: Any,
    resources: Resources,
    attachment: Attachment,
    base: dict[str, str],
    deadline: float,
) -> Grant:
    """Wait until a cluster has the cores that are asked for, and work out how to ask for them.

    Parameters
    ----------
    jvm : py4j.java_gateway.JVMView
        Runs no application yet.
    resources : Resources
        What is asked for.
    attachment : Attachment
        Of which cluster.
    base : dict
        All settings so far.
    deadline : float
        When to give up, by `time.monotonic`.

    Raises
    ------
    ClusterError
        If it does not let us in, or never has what is asked for.
    """
    address = attachment.address
    master = Master(jvm, address, base["spark.driver.host"], base)
    threads, asked = resources.threads_per_worker, resources.workers
    while True:
        workers = master.workers()
        slots = min(asked, slots_of(workers, threads))
        if slots == asked or time.monotonic() + _LOOK_SECONDS > deadline:
            break
        time.sleep(_LOOK_SECONDS)
    if slots == 0 or (slots < asked and attachment.exact):
        raise _too_few(address, workers, asked, threads)
    each = cores_of_executor(slots, threads, workers)
    heap = heap_of_executor(slots, threads, each, workers, HEAP_SHARE)
    if heap < LEAST_HEAP:
        least = min(worker.memory_bytes for worker in workers if worker.cores >= each)
        raise ClusterError(
            f"spark: a worker of {address} has {least // 2**20} MiB of memory for executors, and "
            f"{round(least * LEAST_HEAP / heap) // 2**20} MiB are needed: start its workers with "
            f"more."
        )
    return Grant(slots, threads, heap, _asked_settings(slots, threads, each, heap))


def _asked_settings(slots: int, threads: int, each: int, heap: int) -> dict[str, str]:
    java_options = (
        f"-XX:ActiveProcessorCount={each}",
        "-XX:-UsePerfData",
        "-XX:+ExitOnOutOfMemoryError",
    )
    pools = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {
        "spark.cores.max": str(slots * threads),
        "spark.executor.cores": str(each),
        "spark.executor.memory": f"{heap // 2**20}m",
        "spark.executor.extraJavaOptions": " ".join(java_options),
        "spark.sql.shuffle.partitions": str(slots),
        "spark.default.parallelism": str(slots),
        **{f"spark.executorEnv.{name}": str(threads) for name in pools},
    }


def _too_few(
    address: str, workers: tuple[Worker, ...], asked: int, threads: int
) -> UnequalCoresError:
    cores = sum(worker.cores for worker in workers)
    some = "1 worker" if len(workers) == 1 else f"{len(workers)} workers"
    have = f"{some} with {cores} core{'s' if cores != 1 else ''}" if workers else "no worker"
    wanted = asked * threads
    keys = (f"set resources.cores: {cores}", "set resources.allow_unequal: true")
    in_tasks = f" in tasks of {threads}" if threads > 1 else ""
    are = "are" if wanted != 1 else "is"
    return UnequalCoresError(
        f"spark: {address} has {have}, and {wanted} core{'s' if wanted != 1 else ''} {are} asked "
        f"for{in_tasks}",
        "start more",
        keys if slots_of(workers, threads) else (),
    )


@contextmanager
def bounded(
    attachment: Attachment | None, jvm: subprocess.Popen[bytes], deadline: float
) -> Iterator[None]:
    """End a JVM that waits for a cluster, if there is one, much longer than it may.

    Raises
    ------
    ClusterError
        If that was done, or Spark could not join the cluster.
    """
    if attachment is None:
        yield
        return
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        jvm.kill()

    timer = threading.Timer(max(0.0, deadline - time.monotonic()) + _GRACE_SECONDS, expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as exc:
        if expired.is_set():
            raise ClusterError(
                f"spark: {attachment.address} took longer than {attachment.wait_s:.0f} s to let "
                f"this session in: look into its logs, or raise engines.spark.wait."
            ) from exc
        if isinstance(exc, EngineError):
            raise
        raise ClusterError(
            f"spark: {attachment.address} did not let this session in: {reason(exc)}; look into "
            f"its logs."
        ) from exc
    finally:
        timer.cancel()
        timer.join()


def join(
    spark: Any, attachment: Attachment, grant: Grant, folder: Path, deadline: float
) -> Cluster:
    """Wait until executors have come, and see whether they fit.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession
        Which has asked for them.
    attachment : Attachment
        Of which cluster.
    grant : Grant
        What was asked for.
    folder : pathlib.Path
        Of the session.
    deadline : float
        When to give up, by `time.monotonic`.

    Raises
    ------
    ClusterError
        If fewer cores came than there must be, or their libraries are others.
    """
    store = Store(spark.sparkContext)
    slots = _wait_for_cores(store, attachment, grant, deadline) // grant.threads
    libraries.check(spark, attachment, slots)
    grant = replace(grant, slots=slots)
    watch = Watch(store, grant.cores, attachment.wait_s)
    return Cluster(attachment, grant, store, watch, Log(folder / "events"))


def _wait_for_cores(store: Store, attachment: Attachment, grant: Grant, deadline: float) -> int:
    while True:
        executors = store.executors()
        came = sum(executor.cores for executor in executors if executor.alive)
        if came == grant.cores:
            return came
        ended = [executor for executor in executors if not executor.alive]
        if store.stopped() or (ended and time.monotonic() > deadline):
            why = f": {ended[-1].removed}" if ended else ""
            raise ClusterError(
                f"spark: executors of {attachment.address} ended before they had begun{why}; look "
                f"into the logs of its workers."
            )
        if time.monotonic() > deadline:
            break
        time.sleep(_LOOK_SECONDS)
    if came >= grant.threads and not attachment.exact:
        return came - came % grant.threads
    raise ClusterError(
        f"spark: {attachment.address} gave {came} of the {grant.cores} cores asked for within "
        f"{attachment.wait_s:.0f} s: other applications hold them, or leave less than "
        f"{grant.heap_bytes // 2**20} MiB of a worker's memory; wait for them to end, or raise "
        f"engines.spark.wait."
    )


def warnings_of(attachment: Attachment, runtimes: set[str], own: str) -> tuple[str, ...]:
    """Return what a reader of results from this cluster must know.

    Parameters
    ----------
    attachment : Attachment
        Which cluster.
    runtimes : set of str
        Java runtimes of the executors, as they say themselves.
    own : str
        That of the driver, in the same words.
    """
    found = []
    host, _ = host_and_port(attachment.address)
    if attachment.secret_variable is None and not is_loopback(host):
        found.append(
            f"It talked to {attachment.address} without encryption, and others on the network "
            f"could read and change what was sent; start the cluster with a secret, and name it "
            f"(engines.spark.secret_env)."
        )
    elif not is_loopback(host):
        found.append(
            "XGBoost's workers sent each other sums over rows without encryption, which XGBoost "
            "does not have; Spark's own messages were encrypted."
        )
    found.extend(
        f"Executors ran on Java {runtime}, and the driver on Java {own}: times and the last digits "
        f"of sums may differ from those of local runs."
        for runtime in sorted(runtimes - {own, ""})
    )
    return tuple(found)
