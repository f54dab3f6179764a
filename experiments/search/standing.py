"""The mean score of each candidate of a rung, from the scores of its folds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engines.types import Score


class Standing:
    """Collect the scores of the candidates of one rung.

    Parameters
    ----------
    candidates : sequence of int
        Their numbers.
    n_folds : int
        Scores that each has in the end.
    metric : str
        The metric that decides.
    """

    def __init__(self, candidates: Sequence[int], n_folds: int, metric: str) -> None:
        self._folds: dict[int, list[float | None]] = {
            candidate: [None] * n_folds for candidate in candidates
        }
        self._metric = metric

    def add(self, score: Score) -> None:
        """Take in one score."""
        if score.judgement is not None:
            value = score.judgement.scores.get(self._metric)
            self._folds[score.candidate][score.fold] = value

    def means(self) -> list[float | None]:
        """Return for each candidate the mean over its folds, turned so that higher is better.

        None for a candidate that lacks a fold: its mean would be of other rows.
        """
        sign = direction(self._metric)
        found = (mean(folds) for folds in self._folds.values())
        return [None if value is None else sign * value for value in found]


def direction(metric: str) -> float:
    """Return 1 for a metric of which more is better, and -1 otherwise."""
    return 1.0 if METRICS[metric].higher_is_better else -1.0


def mean(folds: Sequence[float | None]) -> float | None:
    """Return the unweighted mean over the folds, as ``cv_results_`` has it; None if one lacks."""
    import numpy as np

    known = [value for value in folds if value is not None]
    return float(np.average(known)) if known and len(known) == len(folds) else None


def deviation(folds: Sequence[float | None]) -> float | None:
    """Return the standard deviation over the folds (divisor n), as ``cv_results_`` has it."""
    import numpy as np

    middle = mean(folds)
    if middle is None:
        return None
    known = np.array([value for value in folds if value is not None])
    return float(np.sqrt(np.average((known - middle) ** 2)))
