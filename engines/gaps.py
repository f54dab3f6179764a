"""What an engine cannot do, as data: one declaration feeds the error, the tests and the table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal


class Feature(Enum):
    """A step, or a form of a step, that an engine may lack."""

    SESSION = "session"
    LOAD = "load"
    PREDICT = "predict"
    KMEANS = "kmeans"
    KMEANS_INIT_SHARED = "kmeans with init: shared"
    KMEANS_INIT_PLUS_PLUS = "kmeans with init: k-means++"
    KMEANS_INIT_PARALLEL = "kmeans with init: k-means||"
    KMEANS_INIT_RANDOM = "kmeans with init: random"
    XGBOOST = "xgboost"
    ESTIMATOR = "a scikit-learn estimator"
    TASKS = "independent tasks"
    SEARCH_OVER_CANDIDATES = "search, parallel over candidates"
    SEARCH_OVER_ROWS = "search, parallel over rows"


@dataclass(frozen=True)
class Gap:
    """A feature that an engine lacks, and why.

    Parameters
    ----------
    kind : {"not-yet", "upstream", "never"}
        Who could close the gap: this project, the engine's library, or nobody.
    reason : str
        One sentence a reader of the table understands. It must not be empty.
    link : str, optional
        Where the library's maintainers say so.

    Raises
    ------
    ValueError
        If `reason` is empty.
    """

    kind: Literal["not-yet", "upstream", "never"]
    reason: str
    link: str | None = None

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("The 'reason' of a Gap must say why the feature is missing; got ''.")

    def __str__(self) -> str:
        where = f" ({self.link})" if self.link else ""
        return f"[{self.kind}] {self.reason}{where}"
