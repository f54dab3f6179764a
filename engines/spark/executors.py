"""The executors of an attached session, as Spark's driver knows them: who came, died and works.

What is asked is what Spark's REST service shows, read from the store behind it: nothing listens.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from dataclasses import dataclass
from typing import Any

# seconds between two looks at whether executors died and work stands still
_PERIOD = 1.0
_BUS_MILLISECONDS = 10_000
_END_SECONDS = 5.0
# looks in a row at which a JVM that cannot even say whether its context lives is taken for gone
_UNANSWERED = 5
_UNDER_WAY = ("ACTIVE", "PENDING")


@dataclass(frozen=True)
class Executor:
    """An executor, alive or not.

    Parameters
    ----------
    number : str
        Its number in this session.
    host : str
        The machine it is on, as the cluster names it.
    alive : bool
        Whether it still serves the session.
    cores : int
        CPU cores it was granted.
    failed_tasks : int
        Tasks that failed on it.
    disk_bytes : int
        Rows that it holds on disk, having no memory for them.
    peaks : dict
        Greatest values of Spark's executor metrics, which come with its heartbeats.
    removed : str
        Why it went; empty while it lives.
    """

    number: str
    host: str
    alive: bool
    cores: int
    failed_tasks: int
    disk_bytes: int
    peaks: dict[str, int]
    removed: str

    @property
    def title(self) -> str:
        """Return the name that is nobody else's in this session."""
        return f"executor {self.number} on {self.host}"


class Store:
    """What the driver of a context knows of its application."""

    def __init__(self, context: Any) -> None:
        jvm = context._jvm  # noqa: SLF001 - py4j has no public door
        self._scala = context._jsc.sc()  # noqa: SLF001
        self._gateway = context._gateway  # noqa: SLF001
        self._mapper = jvm.org.apache.spark.status.api.v1.JacksonMessageWriter().mapper()

    def executors(self) -> tuple[Executor, ...]:
        """Return all executors, those that died too, in the order of their numbers."""
        found = self._told(self._scala.statusStore().executorList(False))
        return tuple(
            sorted(
                (_executor(one) for one in found if one["id"] != "driver"),
                key=lambda executor: (len(executor.number), executor.number),
            )
        )

    def tasks_running(self) -> int | None:
        """Return the number of tasks under way, or None where nothing is to be done."""
        stages = self._told(self._scala.statusStore().activeStages())
        return sum(stage["numActiveTasks"] for stage in stages) if stages else None

    def done_again(self) -> tuple[dict[str, int], bool]:
        """Return what failed tasks cost nothing but time, and whether more may turn out so.

        Returns
        -------
        tuple
            For each executor by its number, tasks that failed on it in stages which have
            completed all the same; and whether a stage with a failed task is still under way.
            What fails in vain fails the call that waits for it, and is told by that one.
        """
        store = self._scala.statusStore()
        everything = self._gateway.new_array(self._gateway.jvm.double, 0)
        no_tasks = self._gateway.jvm.java.util.ArrayList()
        stages = self._told(store.stageList(None, False, False, everything, no_tasks))
        # another attempt at a stage has none of the failures of the one before
        failing = {stage["stageId"] for stage in stages if stage["numFailedTasks"]}
        completed = {stage["stageId"] for stage in stages if stage["status"] == "COMPLETE"}
        counts: dict[str, int] = {}
        for stage in stages:
            if stage["numFailedTasks"] and stage["stageId"] in completed:
                each = self._told(store.executorSummary(stage["stageId"], stage["attemptId"]))
                for number, summary in each.items():
                    counts[number] = counts.get(number, 0) + summary["failedTasks"]
        under_way = {stage["stageId"] for stage in stages if stage["status"] in _UNDER_WAY}
        return counts, bool(failing & under_way)

    def settle(self) -> None:
        """Wait until all that happened so far has been written down."""
        self._scala.listenerBus().waitUntilEmpty(_BUS_MILLISECONDS)

    def stopped(self) -> bool:
        """Tell whether the context has ended, as it does when the master removes it."""
        return bool(self._scala.isStopped())

    def cancel(self) -> None:
        """End all jobs under way."""
        self._scala.dagScheduler().cancelAllJobs()

    def _told(self, objects: Any) -> Any:
        return json.loads(self._mapper.writeValueAsString(objects))


class Watch:
    """Looks from time to time whether executors died, and ends work that nobody is left to do.

    Spark itself waits for ever for executors that do not come back.

    Parameters
    ----------
    store : Store
        Where to look.
    cores : int
        What the session was granted.
    patience_s : float
        Seconds for executors to come back in.
    """

    def __init__(self, store: Store, cores: int, patience_s: float) -> None:
        self._store = store
        self._cores = cores
        self._patience_s = patience_s
        self._lost: dict[str, str] = {}
        self._judged: int | None = 0
        self._ending = threading.Event()
        self.verdict: str | None = None
        self._thread = threading.Thread(target=self._run, name="spark-watch", daemon=True)
        self._thread.start()

    def lost(self) -> tuple[str, ...]:
        """Return a line for each executor that died, and for tasks that were done again."""
        if not self._ending.is_set():
            with contextlib.suppress(Exception):  # a JVM that died is told of elsewhere
                self._store.settle()
                self._judged = 0  # between two attempts at a stage none was under way
                self._look()
        return tuple(self._lost.values())

    def note(self, line: str) -> None:
        """Have something else told that makes a run differ from an undisturbed one."""
        self._lost[line] = line

    def end(self) -> None:
        """Stop looking, also where the JVM answers no more: that is ended after this."""
        self._ending.set()
        self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        standing_since: float | None = None
        unanswered = 0
        while unanswered < _UNANSWERED and not self._ending.wait(_PERIOD):
            try:
                alive = self._look()
                unanswered = 0
                if alive >= self._cores:
                    self.verdict = None  # others came after all
                stands = alive < self._cores and self._store.tasks_running() == 0
                if not stands:
                    standing_since = None
                    continue
                standing_since = standing_since or time.monotonic()
                if time.monotonic() - standing_since > self._patience_s:
                    self.verdict = (
                        f"{alive} of {self._cores} cores are left, no others came within "
                        f"{self._patience_s:.0f} s, and they are too few to go on with"
                    )
                    self._store.cancel()
            except Exception:  # noqa: BLE001 - a JVM that died is told of to whoever waits for it
                unanswered = 0 if self._answers() else unanswered + 1

    def _answers(self) -> bool:
        """Tell whether the JVM is still there, though it could not answer one question."""
        with contextlib.suppress(Exception):
            self._store.stopped()
            return True
        return False

    def _look(self) -> int:
        """Note what is new, and return the cores that are left."""
        executors = self._store.executors()
        for executor in executors:
            if not executor.alive:
                self._lost[executor.number] = f"{executor.title} died: {executor.removed}"
        failed = sum(executor.failed_tasks for executor in executors)
        if failed != self._judged:  # to look through the stages costs more
            counts, open_still = self._store.done_again()
            for executor in executors:
                if executor.alive and (count := counts.get(executor.number)):
                    some = "1 task" if count == 1 else f"{count} tasks"
                    self._lost[executor.number] = f"{some} failed on {executor.title}, done again"
            self._judged = None if open_still else failed
        return sum(executor.cores for executor in executors if executor.alive)


def _executor(told: dict[str, Any]) -> Executor:
    reason = " ".join(str(told.get("removeReason") or "").split())
    return Executor(
        number=told["id"],
        host=told["hostPort"].rpartition(":")[0] or told["hostPort"],
        alive=told["isActive"],
        cores=told["totalCores"],
        failed_tasks=told["failedTasks"],
        disk_bytes=told["diskUsed"],
        peaks=told.get("peakMemoryMetrics") or {},
        removed=reason.rstrip(".") or "for an unknown reason",
    )
