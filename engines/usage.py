"""What a process tree uses: CPU seconds, memory and bytes read and written.

Everything an engine starts counts: Python workers, nannies, the JVM and what they start.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Usage:
    """What a process tree has used up to one moment.

    Parameters
    ----------
    cpu_s : float
        CPU seconds of every process in the tree, and of those that ended in it.
    memory_bytes : int
        Memory in use now: proportional set size (PSS), which counts a page that several processes
        share once in all. Where the system has no PSS, the unique set size.
    read_bytes, write_bytes : int
        Bytes that reached or came from storage; what the page cache serves is not read.
    processes : int
        Number of live processes.
    """

    cpu_s: float
    memory_bytes: int
    read_bytes: int
    write_bytes: int
    processes: int


def usage(root: int) -> Usage:
    """Add up a process and all its descendants.

    Parameters
    ----------
    root : int
        Process id. A process that is gone uses nothing.

    Returns
    -------
    Usage
        Sums over the tree. A process that ends while it is being read is left out; its CPU seconds
        and bytes are then in its parent's, which the kernel adds up as it reaps.
    """
    return total(tree(root))


def total(processes: Iterable[psutil.Process]) -> Usage:
    """Add up processes that were found before."""
    cpu_s, memory, read, write, count = 0.0, 0, 0, 0, 0
    for process in processes:
        try:
            with process.oneshot():
                cpu_s += _cpu_seconds(process)
                memory += _memory_bytes(process)
                if hasattr(process, "io_counters"):
                    io = process.io_counters()
                    read += io.read_bytes
                    write += io.write_bytes
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        count += 1
    return Usage(cpu_s, memory, read, write, count)


def tree(root: int) -> list[psutil.Process]:
    """Return a process and its descendants, parents first; empty when it is gone."""
    try:
        process = psutil.Process(root)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    reaped = times.children_user + times.children_system
    if psutil.LINUX:
        # The kernel keeps nanoseconds and shows them, for any process, through the clock that
        # clock_getcpuclockid(3) names; the times in /proc are cut to hundredths of a second.
        try:
            return reaped + time.clock_gettime((~process.pid << 3) | 2)
        except OSError:  # a zombie has no clock any more
            pass
    return reaped + times.user + times.system


def _memory_bytes(process: psutil.Process) -> int:
    if psutil.LINUX:
        try:
            with open(f"/proc/{process.pid}/smaps_rollup", "rb") as rollup:  # noqa: PTH123 - hot
                for line in rollup:
                    if line.startswith(b"Pss:"):
                        return int(line.split()[1]) * 1024
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            pass
        return 0  # a zombie, or a process just gone
    return int(process.memory_full_info().uss)
