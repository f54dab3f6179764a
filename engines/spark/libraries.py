"""Whether the executors of a cluster have the Python and the libraries of this process."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from engines.errors import ClusterError
from engines.versions import versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines.types import Attachment

# of those that come with an executor, what must be as it is here
_SAME = ("enginebench", "pyspark", "xgboost", "scikit-learn", "numpy", "pandas", "pyarrow")
_SAID_AT_MOST = 3


def check(spark: Any, attachment: Attachment, slots: int) -> None:
    """Compare the libraries in the Python of every executor with those of this process.

    Raises
    ------
    ClusterError
        If they differ, or no Python worker can be started there.
    """
    address = attachment.address
    here = versions(*_SAME)
    try:
        told = spark.sparkContext.parallelize(range(slots), slots).mapPartitions(_asks()).collect()
    except Exception as exc:
        raise ClusterError(_no_python(address, attachment, _said(exc))) from exc
    differences = dict.fromkeys(
        f"{name} {there.get(name) or 'missing'} on {where}, and this machine has "
        f"{here.get(name) or 'none'}"
        for where, there in told
        for name in ("python", *_SAME)
        if _comparable(name, there.get(name)) != _comparable(name, here.get(name))
    )
    if differences:
        first = "; ".join(list(differences)[:_SAID_AT_MOST])
        more = len(differences) - _SAID_AT_MOST
        others = f"; and {more} more" if more > 0 else ""
        raise ClusterError(
            f"spark: {address} has {first}{others}: install the same versions on both sides."
        )


def _asks() -> Callable[[Any], Any]:
    """Return a function that travels by its value: it runs where this package may be missing."""
    names = _SAME

    def ask(rows: Any) -> Any:
        import platform
        import socket
        from importlib import metadata

        for _ in rows:
            pass
        found = {"python": platform.python_version()}
        for name in names:
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
        yield socket.gethostname(), found

    return ask


def _comparable(name: str, version: str | None) -> str | None:
    """Return what must be equal: patches of Python change nothing that crosses between two."""
    return version.rpartition(".")[0] if name == "python" and version else version


def _said(exc: Exception) -> str:
    try:
        return str(exc)
    except Exception:  # noqa: BLE001 - it asks the JVM, which may be gone
        return type(exc).__name__


def _no_python(address: str, attachment: Attachment, said: str) -> str:
    """Return why Python workers do not start."""
    python = attachment.worker_python or sys.executable
    other = re.search(r"different version[: ]+\(?(\d+\.\d+)\)? than", said)
    if other or "PYTHON_VERSION_MISMATCH" in said:
        version = f"Python {other[1]}" if other else "another version of Python"
        here = ".".join(map(str, sys.version_info[:2]))
        return (
            f"spark: {address} has {version} as {python}, and this machine has Python {here}: "
            f"name one of the same version (engines.spark.python)."
        )
    if missing := re.search(r"No module named '?([\w.]+)'?", said):
        return (
            f"spark: {python} on the workers of {address} has no {missing[1]}: install the same "
            f"libraries there as here, or name another Python (engines.spark.python)."
        )
    if "Cannot run program" in said:
        return (
            f"spark: the workers of {address} have no program {python}: name the Python to be used "
            f"there (engines.spark.python)."
        )
    return (
        f"spark: no Python worker starts on the executors of {address}: "
        f"{said.strip().partition(chr(10))[0]}; look into their logs."
    )
