"""Benchmarks of a person's own functions on an engine, measured beyond their time."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, replace
from statistics import median
from typing import TYPE_CHECKING, Any, Final, Self

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from enginebench_pytest.journal import Entries
from engines.errors import EngineError
from engines.processes import process_name
from engines.usage import TreeReader, tree
from experiments.measure.meter import Meter
from experiments.measure.workers import shares, with_workers
from experiments.records import plain
from experiments.runner.child import failure_of
from experiments.runner.host import describe_software

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from enginebench_pytest.journal import Journal
    from engines.base import Engine
    from engines.usage import Usage
    from experiments.records import Phase

# between looks whether a sample is due
_SHORTEST_WAIT_S: Final = 0.005


def watch(benchmark: BenchmarkFixture, engine: Engine[Any], test: str, journal: Journal) -> None:
    """Make a benchmark measure CPU seconds and memory too, and keep each round in the journal.

    pytest-benchmark itself insists on its own class, so that the fixture cannot be another object.
    """
    benchmark.__class__ = WatchedBenchmark
    benchmark.watching = _Watch(engine, test, journal)  # type: ignore[attr-defined]
    benchmark.calls = 0  # type: ignore[attr-defined]


class WatchedBenchmark(BenchmarkFixture):
    """pytest-benchmark's fixture, with a look at the process tree around each round."""

    watching: _Watch
    calls: int

    def __call__(self, function_to_benchmark: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function many times; what it used is told for one call of it."""
        call = super().__call__
        with self.watching.over(self):
            self.watching.begin()
            result = call(function_to_benchmark, *args, **kwargs)  # type: ignore[no-untyped-call]
            self.watching.end_many(self, self.calls + self._calls_after)
        return result

    def _make_runner(self, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """Count the calls of a round outside of its timer, which runs within the runner."""
        run = super()._make_runner(*args, **kwargs)  # type: ignore[no-untyped-call]

        def counted(loops_range: range | None, *more: Any, **options: Any) -> Any:
            self._loops = len(loops_range) if loops_range else 1
            self.calls += self._loops
            return run(loops_range, *more, **options)

        return counted

    @property
    def _calls_after(self) -> int:
        """How often the function was called after all rounds: for its result, or for a profile."""
        if not (self.enabled and self.cprofile):
            return 1
        return self._loops if self.cprofile_loops is None else int(self.cprofile_loops)

    def pedantic(  # noqa: PLR0917 - as the method that it replaces
        self,
        target: Callable[..., Any],
        args: Any = (),
        kwargs: Any = None,
        setup: Callable[[], Any] | None = None,
        teardown: Callable[..., Any] | None = None,
        rounds: int = 1,
        warmup_rounds: int = 0,
        iterations: int = 1,
    ) -> Any:
        """Call a function so many times; each round is kept as it ends."""
        watching = self.watching

        def begin() -> Any:
            arguments = None if setup is None else setup()
            watching.begin()
            return arguments

        def end(*args: Any, **kwargs: Any) -> None:
            watching.end(self, iterations)
            if teardown is not None:
                teardown(*args, **kwargs)
            if iterations > 1:
                watching.begin()

        call = super().pedantic
        with watching.over(self):
            watching.begin()
            return call(  # type: ignore[no-untyped-call]
                target,
                args=args,
                kwargs=kwargs,
                # several iterations allow no setup
                setup=setup if iterations > 1 else begin,
                teardown=end,
                rounds=rounds,
                warmup_rounds=warmup_rounds,
                iterations=iterations,
            )


class _Watch:
    """What one benchmark uses."""

    def __init__(self, engine: Engine[Any], test: str, journal: Journal) -> None:
        self._engine = engine
        self._test = test
        self._journal = journal
        self._tree = _Tree()
        self._entries = Entries(journal, {})
        self._rounds = 0
        # of each round; None where the workers of a cluster could not be asked
        self._cpu_s: list[float | None] = []
        self._peaks: list[int | None] = []
        # of each worker of a cluster, as a round began; none where the workers are in the tree, and
        # None where they could not be asked
        self._before: list[dict[str, Any]] | None = []
        self._on_cluster = False
        self._cannot_tell = ""

    @contextmanager
    def over(self, benchmark: BenchmarkFixture) -> Iterator[None]:
        """Watch the process tree meanwhile, and tell how it ended."""
        about = {"test": self._test, "engine": self._engine.name, "group": benchmark.group}
        self._entries = Entries(self._journal, about)
        self._entries.append("started")
        try:
            with self._tree:
                yield
        except BaseException as exc:
            benchmark.has_error = True
            self._entries.append("ended", **_ended_by(exc))
            raise
        benchmark.extra_info.update(self._told())
        outcome = benchmark.extra_info["outcome"]
        self._entries.append("ended", outcome=outcome, extra_info=benchmark.extra_info)

    def begin(self) -> None:
        """Begin a round."""
        self._before = self._ask_workers()
        self._tree.begin()

    def end(self, benchmark: BenchmarkFixture, iterations: int) -> None:
        """End a round of so many calls; warm-ups are no rounds."""
        phase = self._end_of_tree()
        walls = [] if benchmark.stats is None else benchmark.stats.stats.data
        if len(walls) == self._rounds:
            return
        self._add(phase, iterations)
        self._entries.append(
            "round",
            round=self._rounds,
            wall_s=walls[-1],
            cpu_s=self._cpu_s[-1],
            peak_memory_bytes=self._peaks[-1],
        )
        self._rounds = len(walls)

    def end_many(self, benchmark: BenchmarkFixture, calls: int) -> None:
        """End all rounds at once; those of a short function are too many for a line each."""
        self._add(self._end_of_tree(), calls)
        if benchmark.stats is None:
            return
        walls = benchmark.stats.stats.data
        self._entries.append(
            "rounds",
            rounds=len(walls),
            median_s=median(walls),
            min_s=min(walls),
            max_s=max(walls),
            cpu_s=self._cpu_s[-1],
            peak_memory_bytes=self._peaks[-1],
        )

    def _end_of_tree(self) -> Phase | None:
        """End what is measured, with what the workers of a cluster used of it.

        None where they could not be asked: what the tree used is then a part of it, and what they
        used since the session began too much.
        """
        phase = self._tree.end()
        after = self._ask_workers()
        if self._before is None or after is None:
            return None
        return with_workers(phase, shares(self._before, after))

    def _ask_workers(self) -> list[dict[str, Any]] | None:
        try:
            workers = self._engine.worker_usage()
        except EngineError as exc:  # the cluster is gone, or the benchmark has left it
            self._cannot_tell = f"What the workers of the cluster used is not known: {exc}"
            return None
        # a cluster that the tests started themselves is in the tree, and counted there
        own = {process_name(one.pid) for one in tree(os.getpid())} if workers else set()
        told = [asdict(one) for one in workers if one.process not in own]
        self._on_cluster = self._on_cluster or bool(told)
        return told

    def _add(self, phase: Phase | None, calls: int) -> None:
        self._cpu_s.append(None if phase is None else phase.cpu_s / calls)
        self._peaks.append(None if phase is None else phase.peak_memory_bytes)

    def _told(self) -> dict[str, Any]:
        """Return what stands beside the times, as JSON can hold it."""
        lost = self._engine.lost_workers()
        try:
            facts = asdict(self._engine.facts())
        except EngineError:  # the benchmark may have stopped it
            facts = {}
        cpu_s = [one for one in self._cpu_s if one is not None]
        peaks = [one for one in self._peaks if one is not None]
        known = bool(cpu_s) and not self._cannot_tell
        told: dict[str, Any] = plain(
            {
                "engine": self._engine.name,
                "outcome": "degraded" if lost else "completed",
                "cpu_s": median(cpu_s) if known else None,
                "peak_memory_bytes": max(peaks) if known else None,
                "facts": {name: value for name, value in facts.items() if name != "versions"},
                "versions": facts.get("versions") or describe_software(),
                "warnings": [*lost, *self._warnings(lost)],
            }
        )
        return told

    def _warnings(self, lost: tuple[str, ...]) -> Iterator[str]:
        """Say what the numbers do not hold."""
        if lost and self._on_cluster:
            # the report is loaded by nobody else here
            from experiments.report.attached import LOST_MEANING

            yield LOST_MEANING
        if self._cannot_tell:
            yield self._cannot_tell


class _Tree:
    """Measure this process and all that it started, in a thread that samples."""

    def __init__(self) -> None:
        self._reader = TreeReader()
        self._meter = Meter(os.getpid(), read=self._read, growth=self._reader.growth)
        self._reading_s = 0.0
        self._lock = threading.Lock()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self._over.clear()
        self._thread = threading.Thread(target=self._sample, name="enginebench-meter", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join()

    def begin(self) -> None:
        with self._lock:
            self._meter.begin("call")

    def end(self) -> Phase:
        with self._lock:
            return self._meter.end(0.0)

    def _read(self, root: int) -> Usage:
        """Return what the tree used, without what reading has used in this same process."""
        started = time.thread_time()
        used = self._reader.read(root)
        used = replace(used, cpu_s=used.cpu_s - self._reading_s)
        self._reading_s += time.thread_time() - started
        return used

    def _sample(self) -> None:
        while not self._over.wait(max(self._meter.seconds_to_next, _SHORTEST_WAIT_S)):
            with self._lock:
                self._meter.sample_if_due()


def _ended_by(exc: BaseException) -> dict[str, Any]:
    if isinstance(exc, KeyboardInterrupt):
        return {"outcome": "interrupted", "error": None}
    if isinstance(exc, pytest.skip.Exception):
        return {"outcome": "skipped", "error": str(exc)}
    failure = failure_of(exc)
    return {"outcome": failure["outcome"], "error": failure["message"]}
