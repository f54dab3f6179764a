"""What a process tree uses: CPU seconds, memory and bytes read and written.

Everything an engine starts counts: Python workers, nannies, the JVM and what they start.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

# A process that ends while its tree is being read is not in what was read of its parent before.
# So often a tree is read until none does; those that start many short processes may always have one
_READINGS = 4
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if psutil.LINUX else 0


@dataclass(frozen=True)
class Usage:
    """What a process tree has used up to one moment.

    Parameters
    ----------
    cpu_s : float
        CPU seconds of every process in the tree, and of those that ended in it, whose sum the
        kernel tells in hundredths.
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
        Sums over the tree. What a process used that has ended is in its parent's, to which the
        kernel adds it as the parent reaps.
    """
    return usage_of_tree(root)[1]


def usage_of_tree(root: int) -> tuple[list[psutil.Process], Usage]:
    """Find a process and all its descendants, parents first, and add them up."""
    for _ in range(_READINGS):
        processes = tree(root)
        used = total(processes)
        if used.processes == len(processes):
            break
    return processes, used


class TreeReader:
    """Read one tree of processes again and again, and between, how its memory grows.

    To add up proportional sizes takes tens of milliseconds where gigabytes are held, since the
    kernel walks all pages, and to look for processes about as long on a busy machine. Anonymous
    memory is there to be read in no time, and pages that a process has gained of it are its own.
    """

    def __init__(self) -> None:
        self._processes: list[psutil.Process] = []
        self._anonymous = 0

    def read(self, root: int) -> Usage:
        """Return what the tree below a process has used; see `usage`."""
        self._processes, used = usage_of_tree(root)
        self._anonymous = self._anonymous_bytes()
        return used

    def growth(self) -> int:
        """Return the bytes of anonymous memory gained since the last reading, of what it found.

        Negative if there is less; always 0 where the system is not Linux.
        """
        return self._anonymous_bytes() - self._anonymous

    def _anonymous_bytes(self) -> int:
        return sum(map(_anonymous_bytes, self._processes)) if psutil.LINUX else 0


def total(processes: Iterable[psutil.Process]) -> Usage:
    """Add up processes that were found before; those that are gone are left out."""
    cpu_s, memory, read, write, count = 0.0, 0, 0, 0, 0
    for process in processes:
        try:
            with process.oneshot():
                cpu_s += _cpu_seconds(process)
                memory += _memory_bytes(process)
                read_bytes, write_bytes = _storage_bytes(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        read += read_bytes
        write += write_bytes
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


def _storage_bytes(process: psutil.Process) -> tuple[int, int]:
    """Return the bytes read and written; none where the system does not tell."""
    if not hasattr(process, "io_counters"):
        return 0, 0
    try:
        io = process.io_counters()
    except (psutil.ZombieProcess, psutil.AccessDenied):
        return 0, 0
    return io.read_bytes, io.write_bytes


def _anonymous_bytes(process: psutil.Process) -> int:
    """Return the resident pages that are those of no file and no shared memory."""
    try:
        with open(f"/proc/{process.pid}/statm", "rb") as sizes:  # noqa: PTH123 - hot
            _, resident, shared, *_ = sizes.read().split()
    except (FileNotFoundError, ProcessLookupError):  # just gone
        return 0
    return (int(resident) - int(shared)) * _PAGE_BYTES


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
