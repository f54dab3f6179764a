"""A local Spark session: one JVM, its Python workers, and everything they leave behind."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from engines.errors import SessionError
from engines.spark.jvm import find_java, home_for_spark, without_foreign_settings
from engines.threads import largest_pool
from engines.types import Facts
from engines.versions import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa

    from engines.spark.jvm import Java
    from engines.types import Resources

LOOPBACK = "127.0.0.1"

# The tree of processes shares the memory: half is the heap, where Spark caches rows and mllib
# iterates; the other half is for what the JVM needs beside its heap, for the Python workers, in
# which XGBoost holds its own copy of the rows, and for this process.
HEAP_SHARE = 0.5
_LEAST_HEAP = 512 * 2**20  # Spark itself refuses less than 450 MiB
# a worker is two Python processes of about 90 MiB each before they have seen a row
_WORKER_BYTES = 200 * 2**20

_MARK = "ENGINEBENCH_SPARK_SESSION"
_END_SECONDS = 10.0

_LOG4J = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = error
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex
"""


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
    """

    spark: Any
    jvm: subprocess.Popen[bytes]
    java: Java
    workers: int
    threads: int
    closing: ExitStack
    under_way: set[Callable[[], None]]
    lost: list[str] = field(default_factory=list)


def least_memory(workers: int) -> int:
    """Return the bytes without which a JVM and the Python processes of the workers do not start."""
    return math.ceil(_LEAST_HEAP / HEAP_SHARE) + (workers - 1) * _WORKER_BYTES


def start(resources: Resources) -> Session:
    """Start a JVM with a Spark session in it, and its Python workers.

    Parameters
    ----------
    resources : Resources
        Spark runs ``resources.workers`` tasks at a time, each with
        ``resources.threads_per_worker`` cores.

    Raises
    ------
    JavaError
        If there is no Java that can run Spark.
    SessionError
        If the memory is too little, or this process has a Spark session already.
    """
    heap = int(resources.memory_bytes * HEAP_SHARE)
    least = least_memory(resources.workers)
    if resources.memory_bytes < least:
        raise SessionError(
            f"spark: a JVM with {resources.workers} workers needs {least // 2**20} MiB of memory "
            f"at least; got {resources.memory_bytes // 2**20} MiB; raise resources.memory."
        )
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
        closing.callback(_limit_pools(resources.cores))
        _set_environment(resources, java, folder)

        conf = SparkConf(loadDefaults=False).setAll(_settings(resources, heap, folder).items())
        mark = str(folder)
        under_way: set[Callable[[], None]] = set()
        closing.callback(_end_all, under_way)  # without a JVM they have nothing to wait for
        # registered first: it also ends a JVM that never answered
        closing.callback(_end_processes, mark)
        with _marked(mark):
            gateway = launch_gateway(conf, {"stdout": sys.__stderr__})
        closing.callback(_close_gateway, gateway)
        context = SparkContext(conf=conf, gateway=gateway)
        closing.callback(_stop_context, context, gateway.proc)
        spark = SparkSession.builder.getOrCreate()
        _warm_up(spark, resources.workers)
        return Session(
            spark,
            gateway.proc,
            java,
            resources.workers,
            resources.threads_per_worker,
            closing.pop_all(),
            under_way,
        )
    raise AssertionError  # an ExitStack without callbacks that swallow never gets here


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
    pools = _ask_slots(session.spark, session.workers)
    blas = context._jvm.dev.ludovic.netlib.blas.JavaBLAS.getInstance()  # noqa: SLF001
    return Facts(
        cores=cores,
        workers=context.defaultParallelism // task_cpus,
        threads_per_worker=task_cpus,
        memory_bytes=runtime.maxMemory(),
        native_threads={"driver": largest_pool()}
        | {f"worker {slot}": threads for slot, threads in enumerate(pools)},
        versions=versions("pyspark", "py4j", "xgboost", "numpy", "pandas", "pyarrow")
        | {"java": session.java.version},
        details={
            "java_source": session.java.source,
            "java_home": str(session.java.home),
            "java_vector_module": session.java.has_vector,
            "blas": blas.getClass().getName(),
        },
    )


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


def _set_environment(resources: Resources, java: Java, folder: Path) -> None:
    """Set what the JVM, Spark's launchers and PySpark read, and nothing else of theirs."""
    conf = folder / "conf"
    conf.mkdir()
    (conf / "log4j2.properties").write_text(_LOG4J, encoding="utf-8")
    (folder / "tmp").mkdir()
    threads = str(resources.threads_per_worker)
    own = without_foreign_settings(os.environ)
    for name in os.environ.keys() - own.keys():
        del os.environ[name]
    os.environ |= {
        "JAVA_HOME": str(home_for_spark(java, folder)),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_CONF_DIR": str(conf),
        "SPARK_LOCAL_IP": LOOPBACK,
        "SPARK_LAUNCHER_OPTS": "-XX:-UsePerfData",
        # the JVM and, through it, the Python workers
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
    }


def _settings(resources: Resources, heap: int, folder: Path) -> dict[str, str]:
    java_options = (
        f'"-Djava.io.tmpdir={folder / "tmp"}"',
        f'"-Dderby.system.home={folder / "derby"}"',
        f"-XX:ActiveProcessorCount={resources.cores}",
        "-XX:-UsePerfData",  # its files lie outside of every folder that could be chosen
        # a JVM that lives on after it ran out may hang; its exit code 3 tells the cause
        "-XX:+ExitOnOutOfMemoryError",
    )
    return {
        "spark.master": f"local[{resources.cores}]",
        "spark.app.name": "enginebench",
        "spark.task.cpus": str(resources.threads_per_worker),
        "spark.driver.memory": f"{heap // 2**20}m",
        "spark.driver.maxResultSize": "0",  # predictions of every row come to the host
        "spark.driver.host": LOOPBACK,
        "spark.driver.bindAddress": LOOPBACK,
        "spark.driver.extraJavaOptions": " ".join(java_options),
        "spark.local.dir": str(folder / "local"),
        "spark.python.daemon.module": "engines.spark.daemon",
        "spark.python.worker.reuse": "true",
        "spark.sql.adaptive.enabled": "false",  # it may change partitions that were asked for
        "spark.sql.caseSensitive": "true",  # feature names may differ in case only
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.shuffle.partitions": str(resources.workers),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }


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


@contextmanager
def _marked(mark: str) -> Iterator[None]:
    """Mark the processes that start meanwhile, and all that they start, in their environment."""
    os.environ[_MARK] = mark
    try:
        yield
    finally:
        del os.environ[_MARK]


def _stop_context(context: Any, jvm: subprocess.Popen[bytes]) -> None:
    # a JVM that does not answer any more would keep this waiting for ever
    watchdog = threading.Timer(_END_SECONDS, jvm.kill)
    watchdog.start()
    try:
        with warnings.catch_warnings(), contextlib.suppress(Exception):
            warnings.simplefilter("ignore", RuntimeWarning)  # "unable to cleanly shutdown"
            context.stop()
    finally:
        watchdog.cancel()
        watchdog.join()
        _forget_context(context)


def _end_all(under_way: set[Callable[[], None]]) -> None:
    """End what a caller has left unfinished, such as a search that nobody iterates any more."""
    for end in tuple(under_way):
        end()


def _forget_context(context: Any) -> None:
    """Undo what PySpark leaves undone when the JVM cannot answer: a thread, and its singletons."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession, SQLContext

    if (server := context._accumulatorServer) is not None:  # noqa: SLF001 - no public way
        server.shutdown()
        server.server_close()
        context._accumulatorServer = None  # noqa: SLF001
    SparkContext._active_spark_context = None  # noqa: SLF001
    SparkSession._instantiatedSession = None  # noqa: SLF001
    SparkSession._activeSession = None  # noqa: SLF001
    SQLContext._instantiatedContext = None  # noqa: SLF001


def _close_gateway(gateway: Any) -> None:
    from py4j.clientserver import SHUTDOWN_FINALIZER_WORKER, FinalizerWorker
    from pyspark import SparkContext

    garbage = gateway._gateway_client.finalizer_deque  # noqa: SLF001 - no public way to its thread

    with contextlib.suppress(Exception):  # the JVM may be dead
        gateway.shutdown()
    SparkContext._gateway = None  # noqa: SLF001 - or the next session would talk to a dead JVM
    SparkContext._jvm = None  # noqa: SLF001
    gateway.proc.stdin.close()  # PySpark's JVM ends when it can read no more
    with contextlib.suppress(subprocess.TimeoutExpired):
        gateway.proc.wait(_END_SECONDS)
    if gateway.proc.poll() is None:
        gateway.proc.kill()
        gateway.proc.wait()
    garbage.append(SHUTDOWN_FINALIZER_WORKER)  # taken first: nobody is left to be told of the rest
    for thread in threading.enumerate():
        if isinstance(thread, FinalizerWorker) and thread.deque is garbage:
            thread.join(_END_SECONDS)


def _end_processes(mark: str) -> None:
    """End what is left of a session: a JVM that never answered, workers whose JVM was killed."""
    _, alive = psutil.wait_procs(_marked_processes(mark), timeout=2)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=_END_SECONDS)


def _marked_processes(mark: str) -> Iterable[psutil.Process]:
    own = os.getpid()
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != own and process.environ().get(_MARK) == mark:
                found.append(process)
    return found
