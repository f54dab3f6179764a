"""A child process of the runner that waits before one of its phases until it is let go."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Literal, Protocol

from experiments.runner.events import PhaseEnded, PhaseStarted, RecordWritten

if TYPE_CHECKING:
    from collections.abc import Callable

    from experiments.records import Phase, Record
    from experiments.runner.events import Event, OnEvent


class ChildOverError(Exception):
    """A child process ended before all was measured that was meant to be."""


class Run(Protocol):
    """Run a child process to its end, as `experiments.runner.run.run_child` does."""

    def __call__(self, tell: OnEvent, *, is_wanted: Callable[[], bool]) -> str:
        """Return the outcome; the child waits for as long as `tell` does not return."""
        ...


class HeldChild:
    """Walk a child process through a phase, as often as it comes to it.

    The runner watches the child in a thread of its own, which enforces the limits and measures;
    all methods are for the one thread that made this object.

    Parameters
    ----------
    run : callable
        Runs the child.
    phase : str
        The phase before which it waits.
    on_record : callable
        Given each record, in the runner's thread.
    """

    def __init__(self, run: Run, phase: str, on_record: Callable[[Record], None]) -> None:
        self.records: list[Record] = []
        self._run = run
        self._phase = phase
        self._on_record = on_record
        # that it waits, what a phase used, or None once it is over
        self._news: SimpleQueue[Literal["waits"] | Phase | None] = SimpleQueue()
        self._let_go = threading.Semaphore(0)
        self._wanted = True
        self._error: BaseException | None = None
        # no daemon: the interpreter does not end before the child has
        self._thread = threading.Thread(target=self._watch, name="enginebench-runner")
        self._thread.start()

    def wait(self) -> None:
        """Return once the child waits before the phase.

        Raises
        ------
        ChildOverError
            If it has ended instead; what it recorded is in `records`.
        """
        self._next()

    def let_go(self) -> Phase:
        """Let the child, which waits, go through the phase, and return what that used.

        Raises
        ------
        ChildOverError
            If it ended in the phase.
        """
        self._let_go.release()
        phase = self._next()
        if phase == "waits" or not phase.ended:
            self.finish()
            raise ChildOverError
        return phase

    def finish(self) -> None:
        """Return once the child has done all the rest, and nothing of it is left."""
        self._let_go.release()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        """End the child wherever it is; what it measured whole is recorded."""
        self._wanted = False
        self._let_go.release()
        self._thread.join()

    def _next(self) -> Literal["waits"] | Phase:
        news = self._news.get()
        if news is None:
            self.finish()
            raise ChildOverError
        return news

    def _watch(self) -> None:
        try:
            self._run(self._tell, is_wanted=lambda: self._wanted)
        except KeyboardInterrupt:
            pass  # it was abandoned: nothing else interrupts a thread
        except BaseException as exc:  # noqa: BLE001 - raised in the thread that waits for it
            self._error = exc
        finally:
            self._news.put(None)

    def _tell(self, event: Event) -> None:
        match event:
            case PhaseStarted(name) if name == self._phase:
                self._news.put("waits")
                self._let_go.acquire()
            case PhaseEnded(phase) if phase.name == self._phase:
                self._news.put(phase)
            case RecordWritten(record):
                self.records.append(record)
                self._on_record(record)
