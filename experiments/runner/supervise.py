"""Run one child process from its start to the last trace of it."""

from __future__ import annotations

import os
import secrets
import selectors
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from experiments.measure.meter import Meter
from experiments.measure.samples import SampleLog
from experiments.measure.workers import shares, with_workers
from experiments.records import Failure
from experiments.runner.environment import child_environment
from experiments.runner.events import PhaseEnded, PhaseStarted
from experiments.runner.interrupts import uninterrupted
from experiments.runner.protocol import ANSWERS_FD, LIFELINE_FD, REPORTS_FD, TOKEN, LineReader
from experiments.runner.reap import kill_tree
from experiments.runner.repeat import Repeat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from experiments.records import Phase, WorkerShare
    from experiments.runner.events import OnEvent
    from experiments.runner.task import Task

    OnRepeat: TypeAlias = Callable[[Repeat, bool], None]
    OnScore: TypeAlias = Callable[[dict[str, Any]], None]
    IsWanted: TypeAlias = Callable[[], bool]

# A child that reported its outcome has this long to stop its engine before it is stopped
SECONDS_TO_STOP = 30.0


def always() -> bool:
    """Say that a child process is wanted to its end."""
    return True


def supervise(
    task: Task,
    *,
    task_file: Path,
    log: Path,
    samples: Path,
    timeout_s: float,
    on_repeat: OnRepeat,
    on_score: OnScore,
    on_event: OnEvent,
    is_wanted: IsWanted = always,
    secrets_of: Mapping[str, str | None] | None = None,
) -> str:
    """Run a child process, measure it, and hand over each repeat as soon as it is complete.

    Parameters
    ----------
    task : Task
        What it is to do; `task_file` holds the same.
    task_file : pathlib.Path
        File the child reads.
    log : pathlib.Path
        File that takes all it prints.
    samples : pathlib.Path
        File that takes what it uses over time.
    timeout_s : float
        Seconds after which it is killed. Time in which it waits for the runner does not count.
    on_repeat : callable
        Called with each repeat, completed or not, while the child waits or after it has ended, and
        with whether there is time to score it.
    on_score : callable
        Called with each score of a search as it arrives, while the child goes on.
    on_event : callable
        Told of each phase, when it begins and when it has ended. The child waits until it returns.
    is_wanted : callable
        Asked several times a second; False ends the child as Ctrl-C does, which reaches no thread
        but the main one.
    secrets_of : mapping, optional
        Environment variables with secrets that the child is told, and with None those that it must
        not have.

    Returns
    -------
    str
        The outcome of the last repeat.

    Raises
    ------
    KeyboardInterrupt
        If the child was ended before it was done.
    """
    child = None
    try:
        with uninterrupted():
            child = _Child(
                task,
                task_file=task_file,
                log=log,
                samples=samples,
                timeout_s=timeout_s,
                on_repeat=on_repeat,
                on_score=on_score,
                on_event=on_event,
                is_wanted=is_wanted,
                secrets_of=secrets_of or {},
            )
        child.watch()
        with uninterrupted() as noted:
            child.end(hurry=lambda: bool(noted) or not is_wanted())
        return child.finish()
    except BaseException:
        if child is not None:
            with uninterrupted():
                child.end(hurry=always)
                child.hand_over_measured()
        raise
    finally:
        if child is not None:
            child.close_samples()


class _Child:
    """One child process under watch."""

    def __init__(
        self,
        task: Task,
        *,
        task_file: Path,
        log: Path,
        samples: Path,
        timeout_s: float,
        on_repeat: OnRepeat,
        on_score: OnScore,
        on_event: OnEvent,
        is_wanted: IsWanted,
        secrets_of: Mapping[str, str | None],
    ) -> None:
        self._task = task
        self._log = log
        self._on_repeat = on_repeat
        self._on_score = on_score
        self._on_event = on_event
        self._is_wanted = is_wanted
        self._repeat = Repeat(0)
        self._phase: str | None = None
        self._phase_repeat: int | None = None
        # what this machine used of a phase that is over, while the workers of a cluster are asked
        self._over: Phase | None = None
        self._workers_before: Sequence[dict[str, Any]] = ()
        self._done = False
        self._token = secrets.token_hex(16)
        self._timeout_s = timeout_s
        self._started = time.perf_counter()
        self._mark = self._started
        self._waited_s = 0.0
        self._stop_by: float | None = None
        self._ended: float | None = None
        self._returned = 0
        self._samples = SampleLog(samples, lambda: self._seconds(time.perf_counter()))
        self._told_of_samples = False
        try:
            self._start(task_file, secrets_of)
        except BaseException:
            self._samples.close()
            raise

    def _seconds(self, now: float) -> float:
        """Return the child's own seconds: without those in which it waited for the runner."""
        return now - self._started - self._waited_s

    def _start(self, task_file: Path, secrets_of: Mapping[str, str | None]) -> None:
        reports, child_reports = os.pipe()
        child_answers, answers = os.pipe()
        child_lifeline, lifeline = os.pipe()
        child_ends = (child_reports, child_answers, child_lifeline)
        self._descriptors = [reports, answers, lifeline]
        self._answers = answers
        self._reader = LineReader(reports)
        environment = child_environment(
            len(self._task.cpus), self._task.resources.scratch, secrets_of
        )
        environment |= {
            REPORTS_FD: str(child_reports),
            ANSWERS_FD: str(child_answers),
            LIFELINE_FD: str(child_lifeline),
            TOKEN: self._token,
        }
        try:
            with self._log.open("ab") as log:
                # A session of its own: Ctrl-C reaches the runner alone, which then stops the child
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "experiments.runner.child", str(task_file)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    pass_fds=child_ends,
                    start_new_session=True,
                )
        finally:
            for descriptor in child_ends:
                os.close(descriptor)
        self._meter = Meter(self._process.pid, on_sample=self._samples.add)

    def watch(self) -> None:
        """Answer reports, sample, and enforce the limits until the child is done or dead."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._descriptors[0], selectors.EVENT_READ)
            while not self._done:
                selector.select(min(self._meter.seconds_to_next, 0.25))
                if not self._is_wanted():
                    raise KeyboardInterrupt
                self._answer_all()
                if self._reader.closed or self._process.poll() is not None:
                    self._answer_all()
                    return
                self._meter.sample_if_due()
                if self._over_a_limit():
                    return

    def _answer_all(self) -> None:
        # taken once: the child waits from now on, also while scores that came before are kept
        arrived = time.perf_counter()
        for report in self._reader.lines():
            if report["report"] == "score":
                self._on_score(report)
            else:
                self._answer(report, arrived)

    def _answer(self, report: dict[str, Any], arrived: float) -> None:
        # asking the workers of a cluster is measuring, and no part of what is measured
        self._waited_s += report.get("asked_s", 0.0)
        match report["report"]:
            case "phase begin":
                self._begin(report)
            case "phase over":
                self._over = self._meter.end(report["wall_s"])
            case "phase end":
                used = shares(self._workers_before, report.get("workers", ()))
                self._end_phase(report["wall_s"], workers=used)
            case "repeat":
                self._complete(report, arrived)
            case "failure":
                self._fail(report["outcome"], report["type"], report["message"])
                self._stop_by = arrived + SECONDS_TO_STOP
            case "done":
                self._done = True
        with suppress(BrokenPipeError):
            os.write(self._answers, b"\n")
        self._waited_s += time.perf_counter() - arrived

    def _begin(self, report: dict[str, Any]) -> None:
        if report["repeat"] is not None and report["repeat"] > self._repeat.number:
            self._repeat = Repeat(report["repeat"])
            self._samples.repeat = report["repeat"]
        self._phase = report["phase"]
        self._phase_repeat = report["repeat"]
        self._workers_before = report.get("workers", ())
        self._meter.begin(report["phase"])
        self._phase_began = time.perf_counter()
        self._on_event(PhaseStarted(report["phase"], report["repeat"]))

    def _complete(self, report: dict[str, Any], arrived: float) -> None:
        self._repeat.content = report
        if lost := report["lost_workers"]:
            self._repeat.outcome = "degraded"
            self._repeat.failure = self._failure("WorkerLostError", "; ".join(lost))
        if report["repeat"] < self._task.repeats - 1:
            self._hand_over(arrived)
        # the last one still has to stop the engine: it is handed over by `finish`

    def _end_phase(
        self, wall_s: float, *, ended: bool = True, workers: Sequence[WorkerShare] = ()
    ) -> None:
        phase = self._over or self._meter.end(wall_s)
        phase = replace(with_workers(phase, workers), ended=ended)
        self._repeat.phases.append(phase)
        self._phase = self._over = None
        self._on_event(PhaseEnded(phase, self._phase_repeat))

    def _over_a_limit(self) -> bool:
        now = time.perf_counter()
        limit = self._task.memory_bytes
        if self._meter.peak_memory_bytes > limit:
            peak = self._meter.peak_memory_bytes
            self._fail(
                "out of memory",
                "MemoryLimit",
                f"the process tree held {peak / 2**30:.2f} GiB in phase {self._phase}, over its "
                f"limit of {limit / 2**30:.2f} GiB; raise resources.memory or make the data "
                f"smaller",
            )
            return True
        if self._seconds(now) > self._timeout_s:
            self._fail(
                "timed out",
                "TimeLimit",
                f"not done after {self._timeout_s:g} s, in phase {self._phase}; raise "
                f"measure.timeout or make the work smaller",
            )
            return True
        return self._stop_by is not None and now > self._stop_by

    def _fail(self, outcome: str, kind: str, message: str) -> None:
        if self._repeat.handed_over:
            # a repeat already handed over is complete: the failure is the next one's
            self._repeat = Repeat(self._repeat.number + 1)
        if self._repeat.outcome in {"completed", "degraded"}:
            self._repeat.outcome = outcome
            self._repeat.failure = self._failure(kind, message)
        if self._phase is not None:  # cut short, but what it used until then was used
            self._end_phase(time.perf_counter() - self._phase_began, ended=False)

    def _failure(self, kind: str, message: str) -> Failure:
        return Failure(kind, message, str(self._log))

    def end(self, hurry: Callable[[], bool]) -> None:
        """Leave nothing of the child: no process, no descriptor.

        A child that is on its way out is waited for, since its exit code tells how it went, until
        there is `hurry`.
        """
        if self._ended is not None:
            return
        deadline = time.perf_counter() + SECONDS_TO_STOP
        leaving = self._done or self._reader.closed
        while leaving and self._process.poll() is None and not hurry():
            if time.perf_counter() > deadline:
                break
            time.sleep(0.01)
        self._ended = time.perf_counter()
        kill_tree(self._process.pid, self._token)
        self._returned = self._process.wait()
        for descriptor in self._descriptors:
            os.close(descriptor)

    def close_samples(self) -> None:
        """Write the last samples: a phase that was cut short ends only after its process."""
        self._samples.close()

    def hand_over_measured(self) -> None:
        """Hand over, without taking time to score it, a last repeat that was only to stop."""
        if self._repeat.content and not self._repeat.handed_over:
            self._hand_over(self._ended or time.perf_counter(), score=False)

    def finish(self) -> str:
        """Hand over the last repeat, however it ended, and return its outcome."""
        if not self._done and self._repeat.outcome in {"completed", "degraded"}:
            self._fail("crashed", "ProcessDied", self._how_it_died())
        if not self._repeat.handed_over:
            # before the last record is made, so that it can tell of a failure
            self._samples.close()
            self._hand_over(self._ended or time.perf_counter())
        return self._repeat.outcome

    def _hand_over(self, now: float, *, score: bool = True) -> None:
        # the child's seconds since its last repeat, without those in which it waited for us
        self._repeat.wall_s = (now - self._waited_s) - self._mark
        self._mark = now - self._waited_s
        self._repeat.handed_over = True
        self._samples.flush()
        if self._samples.problem and not self._told_of_samples:
            self._told_of_samples = True
            self._repeat.warnings = (self._samples.problem,)
        self._on_repeat(self._repeat, score)

    def _how_it_died(self) -> str:
        where = f"in phase {self._phase}" if self._phase else "between phases"
        if self._returned < 0:
            return f"the engine's process was killed by signal {-self._returned} {where}"
        return f"the engine's process ended with exit code {self._returned} {where}"
