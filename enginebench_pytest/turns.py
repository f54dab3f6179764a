"""Let pytest-benchmark's rounds and the phases of child processes take their turns together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

    from enginebench_pytest.held import HeldChild
    from enginebench_pytest.measured import Measured
    from experiments.records import Phase


class Turns:
    """Make each round of `benchmark.pedantic` one passage of a child through a phase.

    Before a round, the child is brought to the phase; the round lets it go and ends with the phase;
    after the round, what pytest-benchmark measured is replaced by what the child itself counted,
    which is free of the way to and fro between the processes.

    Parameters
    ----------
    benchmark : BenchmarkFixture
        pytest-benchmark's own fixture.
    measured : Measured
        Takes what the phases used.
    start : callable
        Starts a child, given how many there were before it.
    rounds : int
        How often the phase is measured.
    a_process_each : bool
        Whether each round is a process of its own. Otherwise one process does them all, and once
        more before them, cold.
    """

    def __init__(
        self,
        benchmark: BenchmarkFixture,
        measured: Measured,
        start: Callable[[int], HeldChild],
        rounds: int,
        *,
        a_process_each: bool,
    ) -> None:
        self._benchmark = benchmark
        self._measured = measured
        self._start = start
        self._rounds = rounds
        self._a_process_each = a_process_each
        # without benchmarks pedantic calls its target once, and here that is enough too
        self._turns = rounds + (not a_process_each) if benchmark.enabled else 1
        self._taken = 0
        self._child: HeldChild | None = None
        self._phase: Phase | None = None

    def take(self) -> None:
        """Take all turns; the last child has ended then.

        Raises
        ------
        ChildOverError
            If a child ended before its turns were taken.
        """
        self._benchmark.pedantic(  # type: ignore[no-untyped-call]
            self._let_go,
            setup=self._bring,
            teardown=self._note,
            rounds=self._rounds,
            warmup_rounds=0 if self._a_process_each else 1,
        )
        self._note()
        self._end_child()

    def abandon(self) -> None:
        """End the child, wherever it is."""
        if self._child is not None:
            self._child.abandon()

    def _bring(self) -> None:
        if self._taken == self._turns:  # a profile of the target follows: it has nothing to show
            return
        if self._child is None:
            self._child = self._start(self._taken)
        self._child.wait()

    def _let_go(self) -> None:
        if self._child is not None and self._taken < self._turns:
            self._taken += 1
            self._phase = self._child.let_go()

    def _note(self) -> None:
        if self._phase is None:
            return
        phase, self._phase = self._phase, None
        cold = not self._a_process_each and self._taken == 1
        if not cold and self._benchmark.stats is not None:
            self._benchmark.stats.stats.data[-1] = phase.wall_s
        self._measured.add(phase, cold=cold)
        if self._a_process_each:
            self._end_child()

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.finish()
            self._child = None
