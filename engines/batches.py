"""How many trials a worker is given at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engines.types import Score, Trial

# Seconds of work in a batch: to send one costs some milliseconds, and results arrive with each
_BATCH_SECONDS = 0.25


class Batches:
    """Cut the trials of a search into batches for workers that take one after the other.

    A batch is as long as trials have turned out to take: one trial when they are slow, many when
    they are tiny. Towards the end batches shrink, so that the workers finish together.

    Parameters
    ----------
    trials : sequence of Trial
        In the order they are handed out.
    workers : int
        How many work at a time.
    seconds : float
        Work in a batch, for trials that are shorter.
    least_seconds : float
        Work below which batches do not shrink, where it costs more to send one.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        workers: int,
        *,
        seconds: float = _BATCH_SECONDS,
        least_seconds: float = 0.0,
    ) -> None:
        self._left = list(reversed(trials))
        self._workers = workers
        self._batch_seconds = seconds
        self._least_seconds = least_seconds
        self._judged = 0
        self._seconds = 0.0

    def take(self) -> tuple[Trial, ...]:
        """Return the next batch; empty when all trials were handed out."""
        size = 1
        if self.mean_seconds is not None:
            mean = max(self.mean_seconds, 1e-6)
            fair = len(self._left) // (2 * self._workers)
            most, least = int(self._batch_seconds / mean), int(self._least_seconds / mean)
            size = max(1, least, min(fair, most))
        taken = [self._left.pop() for _ in range(min(size, len(self._left)))]
        return tuple(taken)

    def give_back(self, trials: Sequence[Trial]) -> None:
        """Take back trials that were handed out and lost; they are the next to be taken."""
        self._left.extend(reversed(trials))

    def observe(self, scores: Iterable[Score]) -> None:
        """Learn from how long trials took."""
        for score in scores:
            judged = score.judgement
            if judged is not None and judged.fit_s is not None and judged.score_s is not None:
                self._judged += 1
                self._seconds += judged.fit_s + judged.score_s

    @property
    def mean_seconds(self) -> float | None:
        """Mean seconds that a trial has turned out to take; None before the first."""
        return self._seconds / self._judged if self._judged else None
