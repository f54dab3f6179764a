"""The processes of a standalone Spark cluster, as commands that start them.

Master and workers are those of PySpark's own installation, so that they have the version of the
sessions that attach to them.
"""

from __future__ import annotations

import importlib.util
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from engines.errors import ClusterError, EngineNotInstalledError
from engines.roles import Role
from engines.spark.jvm import find_java, home_for_spark

if TYPE_CHECKING:
    from engines.roles import RoleOptions

# Spark reads a secret from this variable before it looks anywhere else
SECRET = "_SPARK_AUTH_SECRET"  # noqa: S105 - a name

# master and worker only keep books: the rows are in the executors
_HEAP = "192m"
# Web pages cannot be switched off and ask nobody who they are: they stay on this machine.
_WEB_HOST = "127.0.0.1"
# seconds after which the master gives up a worker whose machine does not answer any more
_SILENCE = 20

_LOG4J = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
logger.deploy.name = org.apache.spark.deploy
logger.deploy.level = info
logger.loader.name = org.apache.hadoop.util.NativeCodeLoader
logger.loader.level = error
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yyyy-MM-dd HH:mm:ss} %p %c{1}: %m%n%ex
"""


def master(options: RoleOptions, web_port: int = 0) -> Role:
    """Return the process that hands out the workers' cores.

    Parameters
    ----------
    options : RoleOptions
        It listens on ``host`` and ``port``; it has no use for threads and memory.
    web_port : int
        Port of its page on the loopback address, whose ``/json/`` tells its workers; 0 for any,
        which it logs as "Bound MasterWebUI to".

    Raises
    ------
    JavaError
        If there is no Java that can run Spark.
    ClusterError
        If the variable with the secret is not set.
    """
    arguments = (
        "org.apache.spark.deploy.master.Master",
        *("--host", options.host),
        *("--port", str(options.port)),
        *("--webui-port", str(web_port)),
    )
    return _role(options, "spark-master", arguments)


def worker(options: RoleOptions, address: str, name: str) -> Role:
    """Return a process that starts one executor for each application that it has cores for.

    Parameters
    ----------
    options : RoleOptions
        It listens on ``host``. Its cores are ``threads``, and ``memory_bytes`` is what it has for
        executors; a session asks for half of it as heap, and leaves the rest to Python.
    address : str
        Of the master, ``spark://host:port``.
    name : str
        Names its folder: two workers that share ``options.folder`` need two.

    Raises
    ------
    JavaError
        If there is no Java that can run Spark.
    ClusterError
        If the variable with the secret is not set.
    """
    arguments = (
        "org.apache.spark.deploy.worker.Worker",
        *("--host", options.host),
        *("--port", str(options.port)),
        *("--webui-port", "0"),
        *("--cores", str(options.threads)),
        *("--memory", f"{options.memory_bytes // 2**20}m"),
        *("--work-dir", str(options.folder / name / "work")),
    )
    return _role(options, name, arguments, address)


def _role(options: RoleOptions, name: str, arguments: tuple[str, ...], *addresses: str) -> Role:
    home = _installation()
    folder = options.folder / name
    conf = folder / "conf"
    for made in (conf, folder / "tmp"):
        made.mkdir(parents=True, exist_ok=True)
    (conf / "log4j2.properties").write_text(_LOG4J, encoding="utf-8")
    properties = conf / "role.conf"
    properties.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
    properties.write_text(
        "".join(f"{key} {value}\n" for key, value in _settings(options, folder).items()),
        encoding="utf-8",
    )
    java_options = (
        "-XX:+UseSerialGC",
        "-XX:-UsePerfData",  # its files lie outside of every folder that could be chosen
        "-XX:+ExitOnOutOfMemoryError",
        f'"-Djava.io.tmpdir={folder / "tmp"}"',
    )
    environment = {
        "JAVA_HOME": str(home_for_spark(find_java(), folder)),
        "SPARK_HOME": str(home),
        "SPARK_CONF_DIR": str(conf),
        "SPARK_LOCAL_IP": _WEB_HOST,  # of the page alone: all else has --host
        "SPARK_PUBLIC_DNS": options.host,
        "SPARK_DAEMON_MEMORY": _HEAP,
        "SPARK_DAEMON_JAVA_OPTS": " ".join(java_options),
        "SPARK_LAUNCHER_OPTS": "-XX:-UsePerfData",
        # what a shell may hold for another cluster
        "SPARK_MASTER_OPTS": "",
        "SPARK_WORKER_OPTS": "",
        "SPARK_DAEMON_CLASSPATH": "",
        "SPARK_LOCAL_DIRS": str(folder / "local"),
    }
    if options.secret_variable is not None:
        secret = os.environ.get(options.secret_variable)
        if not secret:
            raise ClusterError(
                f"spark: {name} needs the secret of its cluster, and the environment variable "
                f"{options.secret_variable} is not set; set it."
            )
        environment[SECRET] = secret
    start = str(home / "bin" / "spark-class")
    command = (start, *arguments, "--properties-file", str(properties), *addresses)
    return Role(command, environment)


def _installation() -> Path:
    """Return where PySpark is, whatever another Spark a shell may name."""
    found = importlib.util.find_spec("pyspark")
    if found is None or found.origin is None:
        raise EngineNotInstalledError(
            "A Spark cluster needs pyspark; install it with pip install 'enginebench[spark]'."
        )
    return Path(found.origin).parent


def _settings(options: RoleOptions, folder: Path) -> dict[str, str]:
    """Return what the process reads from a file; the secret is not in it."""
    settings = {
        "spark.local.dir": str(folder / "local"),
        "spark.master.rest.enabled": "false",  # it takes programs from anybody, at a fixed port
        "spark.ui.killEnabled": "false",
        "spark.master.ui.decommission.allow.mode": "DENY",
        "spark.worker.timeout": str(_SILENCE),
        # what executors of sessions that ended have left, their logs among it
        "spark.worker.cleanup.enabled": "true",
        "spark.worker.cleanup.interval": "60",
        "spark.worker.cleanup.appDataTtl": "600",
    }
    if options.secret_variable is not None:
        settings |= {
            "spark.authenticate": "true",
            "spark.network.crypto.enabled": "true",
        }
    return settings
