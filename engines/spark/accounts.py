"""What the tasks of each executor have cost, added up from Spark's event log."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_TASK_END = b'{"Event":"SparkListenerTaskEnd"'


@dataclass
class Account:
    """Sums over the tasks of one executor.

    Parameters
    ----------
    cpu_s : float
        CPU seconds of the threads of the JVM that ran tasks, and of no other thread.
    gc_s : float
        Seconds that each task saw its JVM collect garbage; two tasks at a time see the same ones.
    spilled_bytes : int
        Bytes that were written to disk because they did not fit into memory.
    shuffle_read_bytes, shuffle_write_bytes : int
        Bytes that tasks handed on to other tasks.
    remote_bytes : int
        Those of the bytes read that came from other executors over the network. What the executors
        of one machine write for each other Spark reads from the disk, and counts as local.
    """

    cpu_s: float = 0.0
    gc_s: float = 0.0
    spilled_bytes: int = 0
    shuffle_read_bytes: int = 0
    shuffle_write_bytes: int = 0
    remote_bytes: int = 0

    def add(self, metrics: dict[str, Any]) -> None:
        """Add one task."""
        read, written = metrics["Shuffle Read Metrics"], metrics["Shuffle Write Metrics"]
        cpu = metrics["Executor CPU Time"] + metrics["Executor Deserialize CPU Time"]
        self.cpu_s += cpu / 1e9
        self.gc_s += metrics["JVM GC Time"] / 1e3
        self.spilled_bytes += metrics["Disk Bytes Spilled"]
        self.shuffle_read_bytes += read["Remote Bytes Read"] + read["Local Bytes Read"]
        self.shuffle_write_bytes += written["Shuffle Bytes Written"]
        self.remote_bytes += read["Remote Bytes Read"]


class Log:
    """The event log of an application, read as it grows.

    Parameters
    ----------
    folder : pathlib.Path
        Where Spark writes it: one file, as text.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read = 0
        self._accounts: dict[str, Account] = defaultdict(Account)

    def accounts(self) -> dict[str, Account]:
        """Return the sums so far, by the numbers of executors; the caller may change none."""
        for path in self._folder.iterdir():
            if not path.name.startswith("."):
                self._read_on(path)
        return self._accounts

    def _read_on(self, path: Path) -> None:
        with path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):  # it is still being written
                    return
                self._read += len(line)
                if line.startswith(_TASK_END):
                    event = json.loads(line)
                    if metrics := event.get("Task Metrics"):
                        self._accounts[event["Task Info"]["Executor ID"]].add(metrics)
