"""Attribute what a process tree uses to the phases that it walks through."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engines.usage import TreeReader, Usage
from experiments.records import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from experiments.measure.samples import OnSample

# Reading the memory maps of a tree takes the longer the more memory it holds; the interval grows
# with it, so that reading never takes more than this share of one core. With what surrounds it,
# measuring stays below 2 %. In between it is looked how memory grows, which costs next to nothing.
LARGEST_SHARE = 0.008
SHORTEST_INTERVAL_S = 0.05


class Meter:
    """Sample one process tree and keep, for each phase, what it used.

    The process that is measured waits at each boundary until `begin` or `end` has returned, so
    that CPU seconds and bytes are those of the phase and of nothing else. Memory is sampled in
    between: `sample_if_due` is to be called often.

    Parameters
    ----------
    root : int
        Process id at the root of the tree.
    clock : callable
        Returns seconds; `time.perf_counter` unless a test has another.
    read : callable, optional
        Given a root, returns the usage of a tree; by default as `usage` does.
    growth : callable, optional
        Returns the bytes of memory gained since the last reading, or less than none; by default
        looks where `read` is not given, else nothing is looked at between readings.
    on_sample : callable, optional
        Given each sample that found the tree alive, with the phase that it was taken in.

    Attributes
    ----------
    peak_memory_bytes : int
        Greatest memory of the tree in any sample so far.
    """

    def __init__(
        self,
        root: int,
        clock: Callable[[], float] = time.perf_counter,
        read: Callable[[int], Usage] | None = None,
        growth: Callable[[], int] | None = None,
        on_sample: OnSample | None = None,
    ) -> None:
        self.peak_memory_bytes = 0
        self._root = root
        self._clock = clock
        if read is None:
            reader = TreeReader()
            read, growth = reader.read, reader.growth
        self._read, self._growth = read, growth
        self._on_sample = on_sample
        self._last = Usage(0.0, 0, 0, 0, 0)
        self._phase: str | None = None
        self._at_begin: Usage | None = None
        self._phase_peak = 0
        self._due = self._look_due = clock()

    @property
    def seconds_to_next(self) -> float:
        """Seconds until there is something to do; 0 if there is."""
        return max(0.0, self._next() - self._clock())

    def begin(self, phase: str) -> None:
        """Start a phase."""
        self._phase = phase
        self._phase_peak = 0
        self._at_begin = self._sample()

    def end(self, wall_s: float) -> Phase:
        """End the phase and return what it used; if the process is gone, what was last seen.

        Parameters
        ----------
        wall_s : float
            Seconds that its process measured.
        """
        if self._phase is None or self._at_begin is None:
            raise RuntimeError("A phase can end only after it began.")
        now, then = self._sample(), self._at_begin
        phase = Phase(
            name=self._phase,
            wall_s=wall_s,
            # A process that leaves the tree unseen takes its past along: never below zero
            cpu_s=max(0.0, now.cpu_s - then.cpu_s),
            peak_memory_bytes=self._phase_peak,
            read_bytes=max(0, now.read_bytes - then.read_bytes),
            write_bytes=max(0, now.write_bytes - then.write_bytes),
            ended=True,
        )
        self._phase, self._at_begin = None, None
        if self._on_sample is not None:
            self._on_sample(None, now)
        return phase

    def sample_if_due(self) -> None:
        """Sample the tree if the time for it has come, or look how its memory has grown."""
        started = self._clock()
        if started < self._due:
            self._look(started)
            return
        # CPU time and not wall: on a machine that the engine keeps busy, waiting is no cost
        cpu = time.thread_time()
        self._sample()
        cost_s = time.thread_time() - cpu
        self._due = started + max(SHORTEST_INTERVAL_S, cost_s / LARGEST_SHARE)

    def _next(self) -> float:
        return self._due if self._growth is None else min(self._due, self._look_due)

    def _look(self, now: float) -> None:
        if self._growth is None or now < self._look_due:
            return
        self._look_due = now + SHORTEST_INTERVAL_S
        self._held(self._last.memory_bytes + self._growth())

    def _held(self, memory_bytes: int) -> None:
        self._phase_peak = max(self._phase_peak, memory_bytes)
        self.peak_memory_bytes = max(self.peak_memory_bytes, memory_bytes)

    def _sample(self) -> Usage:
        """Read the tree; once it is gone, what was last seen of it still holds."""
        now = self._read(self._root)
        if now.processes:
            self._last = now
            if self._on_sample is not None:
                self._on_sample(self._phase, now)
        self._look_due = self._clock() + SHORTEST_INTERVAL_S
        self._held(now.memory_bytes)
        return self._last
