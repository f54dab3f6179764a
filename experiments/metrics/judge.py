"""Time and score one candidate of a search on the rows held out from it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engines.types import Judgement
from experiments.metrics.scoring import score_held_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines.prepared import Prepared, Rows
    from engines.types import Model, Predictions
    from experiments.metrics.catalogue import Task


@dataclass(frozen=True)
class HeldOutJudge:
    """A judge (`engines.types.Judge`) of everything that a search tries; it pickles to workers.

    Parameters
    ----------
    prepared : Prepared
        The dataset.
    names : tuple of str
        Names of `experiments.metrics.METRICS` that fit the task.
    task : {"clustering", "binary", "multiclass", "regression"}
        What candidates predict.
    seed : int
        Seed of the sample of rows of the Euclidean silhouette.
    deadline : float or None
        When no more candidate is started, in seconds since the epoch; None for never. It is a
        time of day because a clock that only measures spans differs between processes.
    """

    prepared: Prepared
    names: tuple[str, ...]
    task: Task
    seed: int
    deadline: float | None = None

    def __call__(
        self,
        fit: Callable[[], Model],
        predict: Callable[[Model], Predictions],
        rows: Rows | None,
    ) -> Judgement:
        """Fit, predict the held-out rows and score the predictions.

        Parameters
        ----------
        fit : callable
            Fits the candidate.
        predict : callable
            Predicts the held-out rows.
        rows : Rows or None
            The held-out rows; None where they are to be read from the dataset.

        Returns
        -------
        Judgement
            Without scores and seconds after the deadline, when nothing is fitted.

        Raises
        ------
        PredictionsError
            If the predictions cannot be scored; see `score_held_out`.
        """
        if self.deadline is not None and time.time() >= self.deadline:
            return Judgement(scores={}, fit_s=None, score_s=None)
        began = time.perf_counter()
        model = fit()
        fitted = time.perf_counter()
        scores = score_held_out(
            self.prepared,
            predict(model),
            self.names,
            task=self.task,
            centers=model.centers,
            seed=self.seed,
            rows=rows,
        )
        done = time.perf_counter()
        return Judgement(
            scores=scores.values,
            fit_s=fitted - began,
            score_s=done - fitted,
            undefined=scores.undefined,
        )
