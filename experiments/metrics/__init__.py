"""Every score of every engine, computed once, here, from the predictions and the prepared data.

No engine's own score is used: they differ in meaning and in rounding. The values equal those of
scikit-learn's functions on data that fits memory, and need only the labels and predictions of the
scored rows in memory: features are read one row group at a time.
"""

from __future__ import annotations

from experiments.metrics.catalogue import (
    AGREEMENT_RAND,
    METRICS,
    Metric,
    Tolerance,
    check_metrics,
    default_metrics,
    default_scoring,
    disagree,
)
from experiments.metrics.clustering import SILHOUETTE_SAMPLE, adjusted_rand
from experiments.metrics.errors import PredictionsError
from experiments.metrics.judge import HeldOutJudge
from experiments.metrics.scoring import Scores, score, score_held_out
from experiments.metrics.simulation import reference_price, score_estimate

__all__ = [
    "AGREEMENT_RAND",
    "METRICS",
    "SILHOUETTE_SAMPLE",
    "HeldOutJudge",
    "Metric",
    "PredictionsError",
    "Scores",
    "Tolerance",
    "adjusted_rand",
    "check_metrics",
    "default_metrics",
    "default_scoring",
    "disagree",
    "reference_price",
    "score",
    "score_estimate",
    "score_held_out",
]
