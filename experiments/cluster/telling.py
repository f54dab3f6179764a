"""What the parts of a cluster tell of themselves: by their logs, and by who registered."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from engines import cluster_members
from experiments.report.text import clean

if TYPE_CHECKING:
    from pathlib import Path

    from engines.roles import Member
    from experiments.cluster.state import Cluster

_LONGEST_QUOTE = 300
# Dask: 2026-01-31 23:07:06,898 - distributed.worker - INFO - Listening to: ...
# Spark: 2026-01-31 23:07:19 INFO Worker: Connecting to master ...
_LEVEL = re.compile(r"\d{2,4}[-/]\d\d[-/]\d\d[ T]\S+ (?:- \S+ - )?([A-Z]{4,})\b")
_LEVELS_OF_ERRORS = frozenset({"ERROR", "CRITICAL", "FATAL"})
# Dask closes for a reason, which it tells as if that were routine; a nanny's is its worker's end
_REASON = re.compile(r"Reason: (?!nanny-)")
# how a Python or Java exception tells itself, or a program that could not begin
_ERROR = re.compile(
    r"(Caused by: |Exception in thread .*)?[\w.$]*(Error|Exception|Exit|Interrupt)\b"
    r"|(error|fatal|critical|killed|aborted|segmentation fault)\b|.*\bfatal error\b",
    re.IGNORECASE,
)
_TRACEBACK = "Traceback (most recent call last):"
_BECAUSE = "The above exception was the direct cause of the following exception:"
# warnings of Java and Python, and what a library prints while it works
_ROUTINE = re.compile(r"(?i:.*warning\b)|\[\d\d:\d\d:\d\d\]")
# whatever had gone wrong before, it was no reason to end
_WELL = re.compile(r"Registered to: |Successfully registered with ")


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


def why_ended(log: Path) -> str:
    """Return what a log tells of why its process ended, cut to a quote; empty if it does not.

    The last line that tells of an error is taken, with the exception that it came from; else the
    last line of all, unless that is one of those that are logged while all is well.
    """
    told = last = before = ""
    joined = in_traceback = False
    try:
        with log.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if not line.strip() or line[0].isspace():
                    continue
                text = clean(line)
                last = text
                if text == _BECAUSE:
                    joined = True
                    continue
                if text == _TRACEBACK:
                    in_traceback = True
                    continue
                if _WELL.search(text):
                    told = before = ""
                elif in_traceback or _tells(text):
                    told, before = text, told if joined else ""
                joined = in_traceback = False
    except OSError:
        return ""
    if told:
        return (f"{told.rstrip('.')} (because of {before})" if before else told)[:_LONGEST_QUOTE]
    return "" if _LEVEL.match(last) or _ROUTINE.match(last) else last[:_LONGEST_QUOTE]


def _tells(line: str) -> bool:
    """Tell whether a line of a log is about an error, or a reason to end."""
    if found := _LEVEL.match(line):
        return found[1] in _LEVELS_OF_ERRORS or _REASON.search(line) is not None
    return _ERROR.match(line) is not None and not _ROUTINE.match(line)


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
