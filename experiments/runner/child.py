"""The child process: one engine walks through the phases and reports each boundary."""

from __future__ import annotations

import os
import platform
import signal
import sys
import threading
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.runner.protocol import ANSWERS_FD, LIFELINE_FD, REPORTS_FD, Reporter

if TYPE_CHECKING:
    from experiments.runner.task import Task


def main() -> int:
    """Carry out the task named on the command line; return 0 if all of it was done."""
    _adopt_orphans()
    reports, answers, lifeline = (
        int(os.environ.pop(name)) for name in (REPORTS_FD, ANSWERS_FD, LIFELINE_FD)
    )
    # The pipes are for this process alone: what it starts must not keep them open
    for descriptor in (reports, answers, lifeline):
        os.set_inheritable(descriptor, False)
    watcher = threading.Thread(target=_die_with_the_runner, args=(lifeline,), daemon=True)
    watcher.start()
    reporter = Reporter(reports, answers)
    # What the engine prints goes to the log in the order it was printed
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]

    from experiments.runner.task import Task

    task = Task.read(Path(sys.argv[1]))
    os.sched_setaffinity(0, task.cpus)
    try:
        _carry_out(task, reporter)
    except BrokenPipeError:
        watcher.join()  # the runner is gone: the watcher cleans up, and ends this process
    return int(reporter.failed)


def _carry_out(task: Task, reporter: Reporter) -> None:
    try:
        _walk(task, reporter)
    except BrokenPipeError:
        raise
    except BaseException as exc:  # noqa: BLE001 - whatever it is, it is the outcome
        _report_failure(exc, reporter)
    if not reporter.failed:
        reporter.report("done")


def _walk(task: Task, reporter: Reporter) -> None:
    from engines import get_engine
    from engines.errors import UnsupportedFeatureError
    from experiments.runner.work import choose_work

    with reporter.phase("start"):
        engine_class = get_engine(task.engine)
        # a search meets gaps candidate by candidate
        met = None if task.search or task.joins_only else engine_class.gap_for(task.load_spec())
        if met:
            feature, gap = met
            raise UnsupportedFeatureError(f"{task.engine}: {feature.value}: {gap}")
        engine = engine_class(task.resources)
        engine.start()
        if task.attachment is not None:
            reporter.ask_workers = lambda: [asdict(one) for one in engine.worker_usage()]
    try:
        work = None if task.joins_only else choose_work(task, engine, reporter)
        if work is not None:
            work.load()
        for repeat in range(task.repeats):
            reporter.repeat = repeat
            content = {} if work is None else work.carry_out(repeat)
            facts = None
            if repeat == task.repeats - 1:
                with reporter.phase("inspect"):
                    facts = asdict(engine.facts())
            reporter.report(
                "repeat", **content, facts=facts, lost_workers=list(engine.lost_workers())
            )
    except BrokenPipeError:
        raise
    except BaseException as exc:  # noqa: BLE001 - whatever it is, it is the outcome
        # Reported first: a session that then fails to stop, or hangs, must not hide it
        _report_failure(exc, reporter)
        engine.stop()
        return
    with reporter.phase("stop"):
        reporter.ask_workers = None  # whoever left a cluster cannot ask its workers any more
        engine.stop()


def _report_failure(exc: BaseException, reporter: Reporter) -> None:
    """Report the first failure; what fails after it is in the log."""
    traceback.print_exception(exc)
    if not reporter.failed:
        reporter.failed = True
        reporter.report("failure", phase=reporter.phase_name, **failure_of(exc))


def failure_of(exc: BaseException) -> dict[str, str]:
    """Return the outcome that an exception means, its type, and what it says in one line."""
    from engines.errors import EngineMemoryError, UnsupportedFeatureError, WorkerLostError

    if isinstance(exc, UnsupportedFeatureError):
        outcome = "unsupported"
    elif isinstance(exc, EngineMemoryError | MemoryError):
        outcome = "out of memory"
    elif isinstance(exc, WorkerLostError):
        outcome = "crashed"
    else:
        outcome = "failed"
    message = str(exc).strip().partition("\n")[0] or type(exc).__name__
    return {"outcome": outcome, "type": type(exc).__name__, "message": message}


def _adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends.

    A process that detaches itself stays in the tree that is measured and stopped.
    """
    if platform.system() == "Linux":
        import ctypes

        set_child_subreaper = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)
        ctypes.CDLL(None, use_errno=True).prctl(set_child_subreaper, 1, 0, 0, 0)


def _die_with_the_runner(lifeline: int) -> None:
    """End this process and all it started once the runner is gone, even if it was killed.

    The folder for temporary files goes too, since nobody else is left to remove it.
    """
    os.read(lifeline, 1)
    import shutil

    from experiments.runner.reap import kill_descendants

    kill_descendants(os.getpid())
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
