"""A Spark session: on this machine, one JVM and its Python workers; or attached to a cluster."""

from __future__ import annotations

import logging
import math
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from engines.errors import SessionError
from engines.spark import attached, ending
from engines.spark.jvm import find_java
from engines.spark.settings import (
    HEAP_SHARE,
    LEAST_HEAP,
    LOOPBACK,
    processors,
    set_environment,
    settings,
)
from engines.spark.standalone import own_host
from engines.threads import largest_pool
from engines.types import Facts
from engines.versions import versions

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from engines.spark.attached import Cluster
    from engines.spark.jvm import Java
    from engines.types import Resources

# a worker is two Python processes of about 90 MiB each before they have seen a row
_WORKER_BYTES = 200 * 2**20


@dataclass(frozen=True)
class Session:
    """A running session.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession
        The session.
    jvm : subprocess.Popen
        The process of the JVM.
    java : Java
        The runtime it is.
    workers : int
        Tasks at a time, and partitions of every dataset.
    threads : int
        Native threads of each task.
    closing : contextlib.ExitStack
        What ends it.
    under_way : set of callable
        What ends calls that wait for the JVM in threads of their own.
    lost : list of str
        A line for each Python worker that died and whose work another one then did.
    cluster : Cluster, optional
        What the session is attached to.
    held : list of pyspark.Broadcast
        What the Python workers hold from one call to the next. They forget it with the first task
        that does not refer to it, so all tasks between those calls do.
    """

    spark: Any
    jvm: subprocess.Popen[bytes]
    java: Java
    workers: int
    threads: int
    closing: ExitStack
    under_way: set[Callable[[], None]]
    lost: list[str] = field(default_factory=list)
    cluster: Cluster | None = None
    held: list[Any] = field(default_factory=list)


def least_memory(workers: int) -> int:
    """Return the bytes without which a JVM and the Python processes of the workers do not start."""
    return math.ceil(LEAST_HEAP / HEAP_SHARE) + (workers - 1) * _WORKER_BYTES


def start(resources: Resources) -> Session:
    """Start a JVM with a Spark session in it, and Python workers here or on a cluster.

    Parameters
    ----------
    resources : Resources
        Spark runs ``resources.workers`` tasks at a time, each with
        ``resources.threads_per_worker`` cores.

    Raises
    ------
    JavaError
        If there is no Java that can run Spark.
    ClusterError
        If the cluster cannot be joined, or is not what was asked for.
    SessionError
        If the memory is too little, or this process has a Spark session already.
    """
    attachment = resources.attachment
    deadline = time.monotonic() + (attachment.wait_s if attachment is not None else 0.0)
    heap = _heap(resources)
    secret: dict[str, str] = {}
    here = LOOPBACK
    if attachment is not None:
        secret = attached.secret_of(attachment)
        here = own_host(attachment.address, deadline)
    java = find_java()

    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    if SparkContext._active_spark_context is not None or SparkContext._gateway is not None:  # noqa: SLF001 - there is no public way to ask
        raise SessionError("spark: this process has a Spark session already; stop it first.")

    with ExitStack() as closing:
        folder = Path(tempfile.mkdtemp(prefix="spark-", dir=resources.scratch))
        closing.callback(shutil.rmtree, folder, ignore_errors=True)
        closing.callback(_keep_python_state())
        logging.getLogger("XGBoost-PySpark").setLevel(logging.WARNING)  # it tells of every fit
        closing.callback(_limit_pools(processors(resources)))
        set_environment(resources, java, folder, here)

        asked = settings(resources, heap, folder)
        if attachment is not None:
            asked |= attached.settings(attachment, here, folder)
        conf = SparkConf(loadDefaults=False).setAll(asked.items())
        mark = str(folder)
        under_way: set[Callable[[], None]] = set()
        closing.callback(ending.end_all, under_way)  # without a JVM they have nothing to wait for
        # registered first: it also ends a JVM that never answered
        closing.callback(ending.end_processes, mark)
        with ending.environment({ending.MARK: mark}):
            gateway = launch_gateway(conf, {"stdout": sys.__stderr__})
        closing.callback(ending.close_gateway, gateway)
        cluster = None
        slots = resources.workers
        with attached.bounded(attachment, gateway.proc, deadline):
            if attachment is not None:
                asked |= secret
                grant = attached.agree(gateway.jvm, resources, attachment, asked, deadline)
                # these pass through no command line
                conf.setAll((secret | grant.settings).items())
            context = SparkContext(conf=conf, gateway=gateway)
            closing.callback(ending.stop_context, context, gateway.proc)
            spark = SparkSession.builder.getOrCreate()
            if attachment is not None:
                cluster = attached.join(spark, attachment, grant, folder, deadline)
                closing.callback(cluster.watch.end)
                slots = cluster.grant.slots
                # it may have given fewer cores than were asked for: this process uses no more
                closing.callback(_limit_pools(min(cluster.grant.cores, processors(resources))))
            _warm_up(spark, slots)
        return Session(
            spark,
            gateway.proc,
            java,
            slots,
            resources.threads_per_worker,
            closing.pop_all(),
            under_way,
            cluster=cluster,
        )
    raise AssertionError  # an ExitStack without callbacks that swallow never gets here


def _heap(resources: Resources) -> int:
    """Return the heap of the JVM in bytes, if the memory is enough for one."""
    # on a cluster the workers have memory of their own
    workers = resources.workers if resources.attachment is None else 1
    least = least_memory(workers)
    if resources.memory_bytes < least:
        raise SessionError(
            f"spark: a JVM with {workers} workers needs {least // 2**20} MiB of memory "
            f"at least; got {resources.memory_bytes // 2**20} MiB; raise resources.memory."
        )
    return int(resources.memory_bytes * HEAP_SHARE)


def stop(session: Session) -> None:
    """End the JVM and its Python workers, and put this process back as it was."""
    session.closing.close()


def facts(session: Session) -> Facts:
    """Ask the JVM, and a task in every slot, what they were granted."""
    context = session.spark.sparkContext
    runtime = context._jvm.java.lang.Runtime.getRuntime()  # noqa: SLF001 - py4j has no public door
    affinity = len(psutil.Process(session.jvm.pid).cpu_affinity())
    task_cpus = int(context.getConf().get("spark.task.cpus"))
    cores = min(context.defaultParallelism, runtime.availableProcessors(), affinity)
    *workers, driver = pools(session)
    blas = context._jvm.dev.ludovic.netlib.blas.JavaBLAS.getInstance()  # noqa: SLF001
    return Facts(
        cores=cores,
        workers=context.defaultParallelism // task_cpus,
        threads_per_worker=task_cpus,
        memory_bytes=runtime.maxMemory(),
        native_threads={"driver": driver}
        | {f"worker {slot}": threads for slot, threads in enumerate(workers)},
        versions=software(session),
        details={**java_details(session), "blas": blas.getClass().getName()},
    )


def software(session: Session) -> dict[str, str]:
    """Return the versions of what computes, as the driver has them."""
    libraries = versions("pyspark", "py4j", "xgboost", "numpy", "pandas", "pyarrow")
    return libraries | {"java": session.java.version}


def java_details(session: Session) -> dict[str, Any]:
    """Return what a reader must know of the driver's Java."""
    return {
        "java_source": session.java.source,
        "java_home": str(session.java.home),
        "java_vector_module": session.java.has_vector,
    }


def pools(session: Session) -> list[int]:
    """Return the largest native pool of each worker, and that of this process as the last."""
    return [*_ask_slots(session.spark, session.workers), largest_pool()]


def _warm_up(spark: Any, workers: int) -> None:
    """Start the Python workers of every slot.

    Spark keeps two pools of them: xgboost.spark fits and predicts in those of SQL, and hands its
    model on in those of RDDs.
    """
    _ask_slots(spark, workers)
    slots = spark.sparkContext.parallelize(range(workers), workers).barrier()
    slots.mapPartitions(lambda rows: rows).collect()


def _ask_slots(spark: Any, workers: int) -> list[int]:
    """Return the largest native pool in the Python worker of each slot.

    A barrier stage runs in all slots at once.
    """
    slots = spark.range(0, workers, 1, workers)
    answers = slots.mapInArrow(_largest_pool, "threads long", barrier=True).collect()
    return [answer["threads"] for answer in answers]


def _largest_pool(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for _ in batches:
        yield pa.RecordBatch.from_pydict({"threads": [largest_pool()]})


def _keep_python_state() -> Callable[[], None]:
    """Return what puts back all that PySpark and this module change in the process."""
    environ, path = dict(os.environ), list(sys.path)
    in_main = threading.current_thread() is threading.main_thread()
    interrupt = signal.getsignal(signal.SIGINT) if in_main else None
    logger = logging.getLogger("XGBoost-PySpark")
    level = logger.level

    def put_back() -> None:
        os.environ.clear()
        os.environ.update(environ)
        sys.path[:] = path
        logger.setLevel(level)
        if interrupt is not None:
            signal.signal(signal.SIGINT, interrupt)

    return put_back


def _limit_pools(cores: int) -> Callable[[], None]:
    """Import what fits and predictions need here, limit the native pools, return the way back."""
    import threadpoolctl
    import xgboost.spark  # noqa: F401 - its OpenMP pool must exist to be limited

    limits = threadpoolctl.threadpool_limits(cores)
    return limits.restore_original_limits  # type: ignore[no-any-return]
