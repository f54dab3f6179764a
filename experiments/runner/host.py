"""The machine and the software that a run was made with."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import psutil

from engines.versions import versions


def describe_host() -> dict[str, Any]:
    """Return what a reader must know of the machine; nothing in it identifies a person."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": _processor(),
        "logical_cores": os.cpu_count(),
        "usable_cores": len(usable_cpus()),
        "memory_bytes": psutil.virtual_memory().total,
        "swap_bytes": psutil.swap_memory().total,
    }


def describe_software() -> dict[str, str]:
    """Return the versions of the libraries that compute or measure."""
    return versions(
        "enginebench",
        "scikit-learn",
        "xgboost",
        "numpy",
        "pandas",
        "pyarrow",
        "dask",
        "distributed",
        "dask-ml",
        "pyspark",
        "psutil",
    )


def usable_cpus() -> tuple[int, ...]:
    """Return the numbers of the CPUs that this process may run on, in order."""
    return tuple(sorted(os.sched_getaffinity(0)))


def commit() -> str | None:
    """Return the commit of the checkout that this package runs from; None without one.

    ``+changes`` follows it when tracked files differ from it.
    """
    # an installed package inside somebody else's checkout has no commit of its own
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return f"{_git('rev-parse', 'HEAD')}{'+changes' if changes else ''}"


def _git(*arguments: str) -> str | None:
    """Return what git prints in the folder of this package; None if it fails."""
    try:
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
