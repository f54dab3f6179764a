"""What a session is started with: Spark's settings, and the environment of its processes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import psutil

from engines.spark.jvm import home_for_spark, without_foreign_settings

if TYPE_CHECKING:
    from pathlib import Path

    from engines.spark.jvm import Java
    from engines.types import Resources

LOOPBACK = "127.0.0.1"

# The tree of processes shares the memory: half is the heap, where Spark caches rows and mllib
# iterates; the other half is for what the JVM needs beside its heap, for the Python workers, in
# which XGBoost holds its own copy of the rows, and for this process.
HEAP_SHARE = 0.5
LEAST_HEAP = 512 * 2**20  # Spark itself refuses less than 450 MiB

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
# what it tells of connections is told by the exceptions too
_LOG4J_ATTACHED = """\
logger.network.name = org.apache.spark.network
logger.network.level = off
logger.rpc.name = org.apache.spark.rpc
logger.rpc.level = off
logger.hadoop.name = org.apache.hadoop.util.NativeCodeLoader
logger.hadoop.level = off
"""


def set_environment(resources: Resources, java: Java, folder: Path, own_host: str) -> None:
    """Set what the JVM, Spark's launchers and PySpark read, and nothing else of theirs.

    Parameters
    ----------
    resources : Resources
        What the session is granted.
    java : Java
        The runtime of the JVM.
    folder : pathlib.Path
        An existing folder of the session.
    own_host : str
        The address to listen on.
    """
    conf = folder / "conf"
    conf.mkdir()
    attachment = resources.attachment
    log4j = _LOG4J if attachment is None else _LOG4J + _LOG4J_ATTACHED
    (conf / "log4j2.properties").write_text(log4j, encoding="utf-8")
    (folder / "tmp").mkdir()
    threads = str(resources.threads_per_worker)
    own = without_foreign_settings(os.environ)
    for name in os.environ.keys() - own.keys():
        del os.environ[name]
    os.environ |= {
        "JAVA_HOME": str(home_for_spark(java, folder)),
        "PYSPARK_PYTHON": (attachment and attachment.worker_python) or sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_CONF_DIR": str(conf),
        "SPARK_LOCAL_IP": own_host,
        "SPARK_LAUNCHER_OPTS": "-XX:-UsePerfData",
        # the JVM and, through it, the Python workers
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
    }


def settings(resources: Resources, heap: int, folder: Path) -> dict[str, str]:
    """Return Spark's settings for a session on this machine.

    Parameters
    ----------
    resources : Resources
        What the session is granted.
    heap : int
        Heap of its JVM, in bytes.
    folder : pathlib.Path
        Where it writes.
    """
    java_options = (
        f'"-Djava.io.tmpdir={folder / "tmp"}"',
        f'"-Dderby.system.home={folder / "derby"}"',
        f"-XX:ActiveProcessorCount={processors(resources)}",
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


def processors(resources: Resources) -> int:
    """Return how many processors JVM and pools of this machine use: a cluster may have more."""
    if resources.attachment is None:
        return resources.cores
    return min(resources.cores, len(psutil.Process().cpu_affinity()))
