"""What a child process and the runner say to each other over pipes.

One JSON object a line. The child reports (`phase begin`, `phase end`, `repeat`, `failure`, ...)
and waits after each report until the runner has answered: meanwhile the runner reads what the
tree has used, so that every second belongs to one phase, and none of the reading to any. Only the
scores of a search (`score`) are not answered: they come in the middle of what is timed.

The workers of a cluster are asked before a phase begins and once it is over, which is reported
first (`phase over`): what the child itself uses to ask them is in no phase either.

A third pipe, the lifeline, carries nothing: it closes when the runner ends, however it ends.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPORTS_FD = "ENGINEBENCH_REPORTS_FD"
ANSWERS_FD = "ENGINEBENCH_ANSWERS_FD"
LIFELINE_FD = "ENGINEBENCH_LIFELINE_FD"
TOKEN = "ENGINEBENCH_TOKEN"  # noqa: S105 - it marks processes and opens nothing


@dataclass
class Reporter:
    """The child's end of the pipes.

    Parameters
    ----------
    reports, answers : int
        File descriptors to write to and to read from.

    Attributes
    ----------
    ask_workers : callable or None
        Returns what each worker of a cluster has used so far. It is called at the boundaries of
        phases, outside of what is timed and measured, and the runner does not count the time that
        it takes.
    """

    reports: int
    answers: int
    repeat: int | None = None
    phase_name: str | None = None
    failed: bool = False
    ask_workers: Callable[[], list[dict[str, Any]]] | None = None

    def report(self, kind: str, **content: Any) -> None:
        """Send a report and wait for the answer.

        Raises
        ------
        BrokenPipeError
            If the runner is gone.
        """
        self.send(kind, **content)
        if not os.read(self.answers, 1):
            raise BrokenPipeError("the runner is gone")

    def send(self, kind: str, **content: Any) -> None:
        """Send a report and go on: for what is reported in the middle of what is timed.

        Raises
        ------
        BrokenPipeError
            If the runner is gone.
        """
        line = json.dumps({"report": kind, "repeat": self.repeat, **content}) + "\n"
        view = memoryview(line.encode())
        while view:
            view = view[os.write(self.reports, view) :]

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what happens inside; nothing is reported of a phase that raises."""
        self.phase_name = name
        self.report("phase begin", phase=name, **self._asked_workers())
        started = time.perf_counter()
        yield
        wall_s = time.perf_counter() - started
        if self.ask_workers is not None:
            self.report("phase over", phase=name, wall_s=wall_s)
        self.report("phase end", phase=name, wall_s=wall_s, **self._asked_workers())
        self.phase_name = None

    def _asked_workers(self) -> dict[str, Any]:
        """Return what the workers have used, and the seconds that it took to ask them."""
        if self.ask_workers is None:
            return {}
        started = time.perf_counter()
        workers = self.ask_workers()
        return {"workers": workers, "asked_s": time.perf_counter() - started}


class LineReader:
    """Cut what a non-blocking descriptor gives into lines."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._rest = b""
        self.closed = False

    def lines(self) -> list[dict[str, Any]]:
        """Return the reports that have arrived whole."""
        while not self.closed:
            try:
                chunk = os.read(self._descriptor, 1 << 16)
            except BlockingIOError:
                break
            self.closed = not chunk
            self._rest += chunk
        *whole, self._rest = self._rest.split(b"\n")
        return [json.loads(line) for line in whole]
