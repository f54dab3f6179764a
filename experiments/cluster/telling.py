"""What the parts of a cluster tell of themselves: by their logs, and by who registered."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from engines import cluster_members
from experiments.report.text import clean

if TYPE_CHECKING:
    from pathlib import Path

    from engines.roles import Member
    from experiments.cluster.state import Cluster

_LONGEST_QUOTE = 300


def log_of(folder: Path, part: str) -> Path:
    """Return the log of a part."""
    return folder / "logs" / f"{part}.log"


def last_line(log: Path) -> str:
    """Return the last line of a log that says something, cut to a quote; empty if none does."""
    try:
        with log.open(encoding="utf-8", errors="replace") as file:
            # what is indented belongs to a traceback, and its message stands at the margin
            lines = deque((line for line in file if line.strip() and not line[0].isspace()), 1)
    except OSError:
        return ""
    return clean(lines[0])[:_LONGEST_QUOTE] if lines else ""


def registered(cluster: Cluster, engine: str, timeout_s: float) -> tuple[Member, ...]:
    """Return the workers that a scheduler or master has.

    Raises
    ------
    ClusterError
        If it does not answer in time.
    """
    ask = cluster_members(engine).members
    found: tuple[Member, ...]
    if engine == "dask":
        found = ask(cluster.dask_address, cluster.certificates, timeout_s)
    else:
        found = ask(cluster.spark_web, timeout_s)
    return found
