"""What tells a process from all others, on every machine of a cluster."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def process_name(pid: int) -> str:
    """Return a name that no other process has as long as this one lives, on any machine.

    Parameters
    ----------
    pid : int
        Of a process, as this one sees it: containers of a machine have processes of one number.
    """
    try:
        machine = f"{_BOOT.read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        machine = platform.node()
    return f"{machine} {pid}"


def own_name() -> str:
    """Return the name of this process."""
    return process_name(os.getpid())
