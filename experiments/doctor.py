"""Examine a machine: what engines find on it, and what to do about what they miss."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

OLDEST_PYTHON = (3, 11)
# below this an engine of three processes and the data leave nothing to the system
LEAST_MEMORY_BYTES = 2 * 2**30
LEAST_DISK_BYTES = 2**30
SECONDS_TO_ANSWER = 2.0

# what to import, what it is called on PyPI, and the extra that installs it
_LIBRARIES = {
    "sklearn": (("scikit-learn", "xgboost", "numpy", "pandas", "pyarrow"), "enginebench"),
    "dask": (("dask", "distributed", "dask-ml"), "enginebench[dask]"),
    "spark": (("pyspark",), "enginebench[spark]"),
}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Parameters
    ----------
    name : str
        What.
    found : str
        What was found.
    advice : str
        What to do about it; empty where nothing is wrong.
    """

    name: str
    found: str
    advice: str = ""


def examine() -> tuple[Check, ...]:
    """Look at everything; whatever raises is a finding, and the rest is looked at all the same."""
    return tuple(check for look in _LOOKS for check in _safely(look))


def as_text(checks: Sequence[Check]) -> str:
    """Return the checks as lines, with a mark and advice at each problem."""
    from experiments.report.text import clean

    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        mark = "!!" if check.advice else "ok"
        lines.append(f"{mark}  {check.name.ljust(width)}  {clean(check.found)}")
        if check.advice:
            lines.append(f"    {' ' * width}  -> {clean(check.advice)}")
    problems = sum(bool(check.advice) for check in checks)
    if problems:
        lines.append(f"\n{problems} problem{'' if problems == 1 else 's'} found")
    else:
        lines.append("\nno problem found")
    return "\n".join(lines) + "\n"


def as_data(checks: Sequence[Check]) -> dict[str, Any]:
    """Return the checks as one JSON object."""
    return {
        "schema": 1,
        "ok": not any(check.advice for check in checks),
        "checks": [asdict(check) for check in checks],
    }


def _safely(look: Callable[[], Iterator[Check]]) -> list[Check]:
    found: list[Check] = []
    try:
        found.extend(look())
    except Exception as exc:  # noqa: BLE001 - a check that breaks is itself a finding
        name = look.__name__.strip("_").replace("_", " ")
        message = str(exc).partition("\n")[0]
        found.append(Check(name, f"{type(exc).__name__}: {message}", "It could not be examined."))
    return found


def _python() -> Iterator[Check]:
    wanted = ".".join(map(str, OLDEST_PYTHON))
    old = sys.version_info[:2] < OLDEST_PYTHON
    advice = f"Install Python {wanted} or newer." if old else ""
    yield Check("Python", f"{platform.python_version()} ({sys.executable})", advice)
    linux = platform.system() == "Linux"
    advice = "" if linux else "Run it on Linux: pinning to cores and measuring memory need /proc."
    yield Check("system", f"{platform.system()} {platform.release()} {platform.machine()}", advice)


def _machine() -> Iterator[Check]:
    import psutil

    from experiments.definition.host import usable_cores, usable_memory
    from experiments.report.numbers import memory

    yield Check("cores", f"{usable_cores()} usable of {os.cpu_count()}")
    limit, free = usable_memory(), psutil.virtual_memory().available
    small = limit < LEAST_MEMORY_BYTES
    advice = (
        f"Give it at least {memory(LEAST_MEMORY_BYTES)}; Spark will not start." if small else ""
    )
    yield Check("memory", f"{memory(limit)}, {memory(free)} available", advice)
    swap = psutil.swap_memory()
    # memory that is swapped out is not in the PSS, and bringing it back is in the time
    advice = (
        "Close what fills the memory: an engine that swaps is measured wrongly."
        if swap.total and swap.percent > 10
        else ""
    )
    found = f"{memory(swap.total)}, {memory(swap.used)} used" if swap.total else "none"
    yield Check("swap", found, advice)


def _engines() -> Iterator[Check]:
    from engines import missing_libraries
    from engines.versions import versions

    for engine, (distributions, install) in _LIBRARIES.items():
        found = versions(*distributions)
        shown = ", ".join(f"{name} {found[name]}" for name in distributions if name in found)
        missing = missing_libraries(engine)
        advice = f"Install {', '.join(missing)}: pip install '{install}'." if missing else ""
        yield Check(f"engine {engine}", shown or "not installed", advice)


def _java() -> Iterator[Check]:
    from engines import missing_libraries

    if missing_libraries("spark"):
        yield Check("Java", "not looked for, as Spark is not installed")
        return

    from engines.errors import JavaError
    from engines.spark.jvm import find_java

    try:
        java = find_java()
    except JavaError as exc:
        yield Check("Java", "none that can run Spark", str(exc))
        return
    yield Check("Java", f"{java.version} from {java.source} ({java.home})")
    # a fact and no problem: Spark then multiplies with plain loops, which the report says
    with_vector = "yes" if java.has_vector else "no: Spark's linear algebra uses plain Java loops"
    yield Check("Java vector module", with_vector)


def _folders() -> Iterator[Check]:
    from experiments.datasets.cache import default_cache

    yield _folder("dataset cache", default_cache(), "Set ENGINEBENCH_CACHE to a folder that can.")
    yield _folder("results", Path("results").absolute(), "Work elsewhere, or use --output.")
    yield _folder("temporary files", Path(tempfile.gettempdir()), "Set TMPDIR to one that can.")


def _folder(name: str, folder: Path, otherwise: str) -> Check:
    from experiments.report.numbers import memory

    above = next(one for one in (folder, *folder.parents) if one.exists())
    try:
        # a file of its own in the nearest folder that exists: nothing is left, nothing is made
        with tempfile.TemporaryFile(dir=above):
            pass
    except OSError as exc:
        return Check(name, f"{folder} cannot be written: {exc.strerror}", otherwise)
    free = shutil.disk_usage(above).free
    advice = "" if free >= LEAST_DISK_BYTES else f"Make room: {memory(free)} will not last."
    return Check(name, f"{folder} ({memory(free)} free)", advice)


def _clusters() -> Iterator[Check]:
    from experiments.definition.addresses import host_and_port
    from experiments.definition.attach import named_in_environment
    from experiments.definition.conventions import PLACES
    from experiments.errors import RequestError

    for engine in PLACES:
        name = f"cluster {engine}"
        try:
            named = named_in_environment(os.environ, (engine,))
        except RequestError as exc:
            yield Check(name, "named in the environment", str(exc))
            continue
        if engine not in named:
            continue
        address, source = named[engine]
        found = f"{address} (from {source})"
        try:
            socket.create_connection(host_and_port(address), timeout=SECONDS_TO_ANSWER).close()
        except OSError as exc:
            reason = exc.strerror or str(exc)
            otherwise = f"Start that cluster, or {_away_from(engine, source)}."
            yield Check(name, f"{found} does not answer: {reason}", otherwise)
        else:
            yield Check(name, f"{found} answers")


def _away_from(engine: str, source: str) -> str:
    """Say how an engine computes on this machine, although the environment names a cluster."""
    from experiments.definition.conventions import PLACE_VARIABLES

    variable = PLACE_VARIABLES[engine]
    if source == variable:
        # a file may name one too, and nothing else keeps the engine from that
        return f"unset {variable}, or set it to local, to compute on this machine"
    key, _, file = source.partition(" of ")
    return f"take {key} out of {file}, or set {variable}=local, to compute on this machine"


def _loopback() -> Iterator[Check]:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(5)
            with socket.create_connection(server.getsockname(), timeout=5):
                server.accept()[0].close()
    except OSError as exc:
        advice = "Let processes talk over 127.0.0.1: Dask and Spark need it."
        yield Check("loopback network", f"127.0.0.1 does not answer: {exc}", advice)
    else:
        yield Check("loopback network", "127.0.0.1 answers")


def _memory_measure() -> Iterator[Check]:
    from engines.usage import usage
    from experiments.report.numbers import memory

    used = usage(os.getpid()).memory_bytes
    if used:
        yield Check("memory measure", f"proportional set size can be read ({memory(used)} here)")
    else:
        advice = "Use a kernel with /proc/PID/smaps_rollup; peak memory would be shown as 0."
        yield Check("memory measure", "proportional set size cannot be read", advice)


_LOOKS: tuple[Callable[[], Iterator[Check]], ...] = (
    _python,
    _machine,
    _engines,
    _java,
    _folders,
    _loopback,
    _clusters,
    _memory_measure,
)
