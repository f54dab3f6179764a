"""End processes, and be sure that they are gone."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil

from engines.usage import tree
from experiments.runner.protocol import TOKEN

PATIENCE_S = 5.0


def kill_descendants(root: int) -> None:
    """Kill all that a process started; it may start more meanwhile, so look until none is left."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        processes = [process for process in tree(root)[1:] if _alive(process)]
        if not processes:
            return
        _kill(processes)


def kill_tree(root: int, token: str) -> None:
    """Kill a child process and everything that ever came from it.

    Parameters
    ----------
    root : int
        Process id of the child; it may be gone already.
    token : str
        Value of the environment variable that the child was started with. Whatever it started
        has inherited it, so that a process which left the tree is found all the same.
    """
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        processes = [process for process in tree(root) if _alive(process)]
        processes += [process for process in marked(token) if process not in processes]
        if not processes:
            return
        _kill(processes)


def marked(token: str) -> list[psutil.Process]:
    """Return the live processes that carry a token in their environment."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(TOKEN) == token and _alive(process):
                found.append(process)
    return found


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=0.5)


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
