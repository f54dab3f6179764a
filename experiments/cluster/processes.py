"""The processes of a cluster: start them so that they outlive the command, find them, end them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from engines.usage import tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Every process of a cluster inherits it, with the cluster's folder as its value
MARK = "ENGINEBENCH_CLUSTER"
# seconds that processes get to end by themselves
PATIENCE_S = 10.0
_KILL_S = 10.0
_POLL_S = 0.05
_BOOT = Path("/proc/sys/kernel/random/boot_id")
# The shell ends at once and leaves the process to the system, which reaps it whatever becomes of
# whoever asked for it. It is the first of a session of its own, so no terminal ends it.
_LAUNCH = '"$@" </dev/null >>"$0" 2>&1 & echo $!'


@dataclass(frozen=True)
class Started:
    """A process, told from any later one of the same id.

    Parameters
    ----------
    pid : int
        Its id.
    since : str
        When it started, as `since_when` tells.
    """

    pid: int
    since: str

    @property
    def alive(self) -> bool:
        """Whether it runs still."""
        return since_when(self.pid) == self.since


def since_when(pid: int) -> str | None:
    """Return what tells a process from any other that ever has its id; None if it has ended.

    On Linux it is counted from the boot, and the boot is named: a clock that is set changes
    nothing, and after a restart of the machine no process is taken for one of before.
    """
    if psutil.LINUX:
        try:
            # the name of the program, in parentheses, may hold anything
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            state, *rest = fields.rpartition(")")[2].split()
            return None if state in "ZX" else f"{_BOOT.read_text().strip()} {rest[18]}"
        except (FileNotFoundError, ProcessLookupError):
            return None
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return f"{process.create_time():.2f}"
    return None


def launch(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
) -> Started:
    """Start a process that runs on when this one ends.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    environment : mapping
        All its variables.
    folder : pathlib.Path
        Its current folder.
    log : pathlib.Path
        Where its two outputs are appended.

    Raises
    ------
    OSError
        If nothing can be started.
    """
    done = subprocess.run(
        ["/bin/sh", "-c", _LAUNCH, str(log), *command],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        check=True,
        text=True,
    )
    pid = int(done.stdout)
    # one that has ended already was there since no time that any other has
    return Started(pid, since_when(pid) or "ended")


def end(order: Iterable[Sequence[Started]], mark: str) -> int:
    """End processes, then whatever else carries their mark, and wait until they are gone.

    Parameters
    ----------
    order : iterable of sequences of Started
        Each group is asked to end when the one before has ended. What does not end in
        `PATIENCE_S` is killed.
    mark : str
        Value of `MARK`.

    Returns
    -------
    int
        Number of processes that are left, which is not 0 only if the system cannot end them.
    """
    for group in order:
        asked = [one for one in group if one.alive]
        # looked up before, as what has lost its parent is nobody's child
        below = [
            Started(process.pid, since_when(process.pid) or "ended")
            for one in asked
            for process in tree(one.pid)[1:]
        ]
        for one in asked:
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGTERM)
        _wait([*asked, *below], PATIENCE_S)
    deadline = time.monotonic() + _KILL_S
    while (left := marked(mark)) and time.monotonic() < deadline:
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        time.sleep(_POLL_S)
    return len(left)


def marked(mark: str) -> list[psutil.Process]:
    """Return the live processes that carry a mark, without this one."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if (
                process.pid != os.getpid()
                and process.environ().get(MARK) == mark
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
    return found


def _wait(processes: Sequence[Started], timeout_s: float) -> None:
    """Wait until processes have ended, whether or not somebody has reaped them."""
    deadline = time.monotonic() + timeout_s
    while any(one.alive for one in processes) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
