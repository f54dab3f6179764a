"""Where Spark's own readers find prepared files, and what to do where they cannot."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from engines.errors import EngineFailedError
from engines.reading import unseen

if TYPE_CHECKING:
    from engines.errors import UnseenDataError
    from engines.locations import Location

# schemes that Hadoop, whose readers Spark has, calls by another name
_OF_HADOOP = {"s3": "s3a", "gcs": "gs"}
_PACKAGES = {
    "s3a": "org.apache.hadoop:hadoop-aws:{hadoop}",
    "abfs": "org.apache.hadoop:hadoop-azure:{hadoop}",
    "abfss": "org.apache.hadoop:hadoop-azure:{hadoop}",
    "gs": "com.google.cloud.bigdataoss:gcs-connector",
}
# what the JVM says where a file is not there, or not for it to read; of an executor it also says
# the host, and the number
_UNREAD = re.compile(
    r"PATH_NOT_FOUND|FileNotFoundException|FILE_NOT_EXIST|AccessControlException"
    r"|AccessDeniedException|\(Permission denied\)|CANNOT_READ_FILE|FAILED_READ_FILE"
    r"|NoSuchBucket|UnknownHostException|java\.net\.ConnectException: Call From"
)
_EXECUTOR = re.compile(r"\(TID \d+\) \(([^\s()]+) executor (\w+)\)")
_CAUSE = re.compile(r"^(?:Caused by: )?(?:[\w$]+\.)+(\w+(?:Exception|Error)): (.*)$", re.MULTILINE)


def spark_path(location: Location, name: str) -> str:
    """Return how Spark's reader calls a file of a prepared folder."""
    if not location.is_url:
        return str(location / name)
    parts = urlsplit((location / name).address)
    scheme = _OF_HADOOP.get(parts.scheme, parts.scheme)
    # Hadoop takes a path as it stands, and decodes nothing in it
    return f"{scheme}://{parts.netloc}{unquote(parts.path)}"


def options(location: Location) -> dict[str, str]:
    """Return what Spark's reader must know beside the address: what a URL says behind its ``?``.

    Keys are not among it, nor which kind of keys: Hadoop finds them in the environment of driver
    and executors, and tries again for as long as it is configured to.
    """
    asked = location.queries
    protocol = asked.get("scheme", "https")
    endpoint = asked.get("endpoint_override")
    found = {}
    if location.scheme == "s3":
        if endpoint:
            found["fs.s3a.path.style.access"] = "true"
            found["fs.s3a.endpoint"] = f"{protocol}://{endpoint}"
        elif protocol == "http":
            found["fs.s3a.connection.ssl.enabled"] = "false"
        if region := asked.get("region"):
            found["fs.s3a.endpoint.region"] = region
    elif location.scheme in {"gs", "gcs"}:
        if endpoint:
            found["fs.gs.storage.root.url"] = f"{protocol}://{endpoint}"
        if project := asked.get("project_id"):
            found["fs.gs.project.id"] = project
    return found


def require_reader(spark: Any, location: Location) -> None:
    """Check that Spark has a reader for the kind of address.

    Raises
    ------
    EngineFailedError
        That names the package that brings it, and where it belongs.
    """
    if location.scheme == "file":
        return
    from py4j.protocol import Py4JJavaError

    context = spark.sparkContext
    scheme = _OF_HADOOP.get(location.scheme, location.scheme)
    hadoop = context._jvm.org.apache.hadoop  # noqa: SLF001 - py4j has no public door
    try:
        hadoop.fs.FileSystem.getFileSystemClass(scheme, context._jsc.hadoopConfiguration())  # noqa: SLF001
    except Py4JJavaError as exc:
        import pyspark

        version = hadoop.util.VersionInfo.getVersion()
        package = _PACKAGES.get(scheme, f"the Hadoop file system of {scheme}://")
        jars = Path(pyspark.__file__).parent / "jars"
        raise EngineFailedError(
            f"spark: load: Spark has no reader for {location.scheme}:// addresses: put the jars of "
            f"{package.format(hadoop=version)} into {jars}, and into jars/ of Spark on every "
            f"worker, or keep the data where Spark reads without it, such as a folder that all "
            f"workers share."
        ) from exc


def unread(exc: Exception) -> str | None:
    """Return the text of an exception that means that a file cannot be read; None for others."""
    try:
        text = str(exc)
    except Exception:  # noqa: BLE001 - it asks the JVM, which may be gone
        return None
    return text if _UNREAD.search(text) else None


def unseen_by(text: str, location: Location) -> UnseenDataError:
    """Return the error that says which process of Spark cannot see the data.

    Parameters
    ----------
    text : str
        Of the exception that Spark raised.
    location : Location
        Where the data is.
    """
    at = _EXECUTOR.search(text)
    who = "the driver" if at is None else f"executor {at[2]} on {at[1]}"
    if at is not None and at[2] == "driver":
        who = "the driver"
    causes = _CAUSE.findall(text)
    why = f"{causes[-1][0]}: {causes[-1][1]}" if causes else text.strip().partition("\n")[0]
    return unseen(f"spark: load: {who}", location, why)
