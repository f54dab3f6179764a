"""The searches of one child process, as its scores arrive."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from experiments.records import point_key
from experiments.runner.events import CandidateScored, PhaseStarted
from experiments.search.log import SearchKey
from experiments.search.standing import direction, mean

if TYPE_CHECKING:
    from experiments.runner.events import Event, OnEvent
    from experiments.runner.plan import PlanItem
    from experiments.runner.ready import ReadyPoint
    from experiments.runner.repeat import Repeat
    from experiments.search.log import Candidate, CandidateLog, Search


class Searches:
    """Keep scores, and tell how each search stands.

    Parameters
    ----------
    item : PlanItem
        Which child process.
    ready : ReadyPoint
        What it was asked.
    log : CandidateLog
        Where scores are kept.
    tell : callable
        Told of each candidate that is done.
    """

    def __init__(
        self,
        item: PlanItem,
        ready: ReadyPoint,
        log: CandidateLog,
        tell: OnEvent,
        *,
        at_a_time: int,
    ) -> None:
        self._item = item
        self._ready = ready
        self._log = log
        self._tell = tell
        self._at_a_time = at_a_time
        self._searches: dict[int, Search] = {}
        self._began: dict[int, float] = {}
        self._done: dict[int, int] = {}
        # of each search, the best candidate of its latest rung: rung, score turned so that higher
        # is better
        self._best: dict[int, tuple[int, float]] = {}

    def watch(self, event: Event) -> None:
        """Note when a search begins, and pass the event on."""
        if isinstance(event, PhaseStarted) and event.name == "search" and event.repeat is not None:
            self._began[event.repeat] = time.monotonic()
        self._tell(event)

    def add(self, score: dict[str, Any]) -> None:
        """Keep one score, as a child process reported it."""
        number = score["repeat"]
        search = self._search(number)
        ended_s = time.monotonic() - self._began[number]
        candidate = self._log.add(search, {**score, "ended_s": ended_s})
        if len(candidate.scores) == candidate.n_folds:
            self._done[number] += 1
            self._compare(number, search, candidate)
            self._tell(self._standing(number, search))

    def ended(self, repeat: Repeat) -> Search | None:
        """Return the search of a repeat that has ended; None where nothing was searched."""
        if self._ready.search is None:
            return None
        search = self._search(repeat.number)
        winner = repeat.content.get("winner")
        if winner is not None:
            search.winner = (winner[0], winner[1])
        return search

    def _search(self, repeat: int) -> Search:
        if repeat not in self._searches:
            self._searches[repeat] = self._begin(repeat)
            self._began.setdefault(repeat, time.monotonic())
            self._done[repeat] = 0
        return self._searches[repeat]

    def _begin(self, repeat: int) -> Search:
        ready, item = self._ready, self._item
        planned, options = ready.search, ready.experiment.search
        if planned is None or options is None:
            raise AssertionError("only a search has scores")
        key = SearchKey(
            engine=item.engine,
            implementation=ready.experiment.engines.selected()[item.engine].implementation,
            point=point_key(ready.point),
            round=item.round,
            repeat=repeat,
        )
        return self._log.begin(
            key,
            {
                "strategy": options.strategy,
                "candidates": list(planned.candidates),
                "rungs": [vars(rung) for rung in planned.rungs],
                "resource": planned.resource,
                "n_folds": planned.n_folds,
                "scoring": list(planned.scoring),
                "refit": planned.refit,
                "parallel_over": planned.parallel_over,
                "why": planned.why,
                "slots": self._at_a_time if planned.parallel_over == "candidates" else 1,
            },
        )

    def _compare(self, repeat: int, search: Search, candidate: Candidate) -> None:
        metric = search.plan["refit"]
        value = mean(candidate.of_folds(metric))
        if value is not None:
            standing = (candidate.rung, direction(metric) * value)
            self._best[repeat] = max(standing, self._best.get(repeat, standing))

    def _standing(self, repeat: int, search: Search) -> CandidateScored:
        done, total = self._done[repeat], search.planned
        metric = search.plan["refit"]
        best = self._best.get(repeat)
        passed = time.monotonic() - self._began[repeat]
        return CandidateScored(
            engine=self._item.engine,
            done=done,
            total=total,
            best=None if best is None else direction(metric) * best[1],
            metric=metric,
            seconds_left=self._seconds_left(passed, done, total),
        )

    def _seconds_left(self, passed: float, done: int, total: int) -> float:
        """Guess how much longer a search takes, which its time budget bounds."""
        options = self._ready.experiment.search
        left = passed / done * (total - done)
        if options is None or options.time_budget is None:
            return left
        return max(0.0, min(left, options.time_budget - passed))
