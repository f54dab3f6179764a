"""What one child process is to do, as a file that it reads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.strategies import Rung
from engines.types import Attachment, Certificates, Resources

if TYPE_CHECKING:
    from engines.specs import Spec
    from engines.types import Placement


@dataclass(frozen=True)
class SearchTask:
    """A search, with everything drawn.

    Parameters
    ----------
    spec : dict
        The specification that candidates are put into.
    candidates : tuple of dict
        Parameters of each, in the order drawn.
    rungs : tuple of Rung
        How many candidates are scored with how much of the resource, one rung after the other; a
        single one unless the strategy is halving.
    resource : str or None
        ``"rows"`` or the parameter that grows from rung to rung; None with one rung.
    factor : float or None
        The share of candidates that a rung keeps is one over it; None with one rung.
    n_folds : int
        Number of folds.
    seed : int
        Seed of the rows that a rung uses.
    scoring : tuple of str
        Metrics on the held-out folds.
    refit : str
        The one that decides.
    scored_as : str
        The task of the metrics: "clustering", "binary", "multiclass" or "regression".
    parallel_over : {"candidates", "rows"}
        What works in parallel.
    time_budget_s : float or None
        Seconds after which no candidate is begun.
    """

    spec: dict[str, Any]
    candidates: tuple[dict[str, Any], ...]
    rungs: tuple[Rung, ...]
    resource: str | None
    factor: float | None
    n_folds: int
    seed: int
    scoring: tuple[str, ...]
    refit: str
    scored_as: str
    parallel_over: str
    time_budget_s: float | None


@dataclass(frozen=True)
class Task:
    """One engine, one round, one point of a sweep.

    Parameters
    ----------
    engine : str
        Name of the engine.
    spec : dict
        The specification, as its model dumps it.
    search : SearchTask or None
        What is searched before the winner is fitted.
    dataset : str or None
        Folder of the prepared dataset; None where nothing is learned.
    placement : {"spread", "host", "everywhere"}
        Where the training rows are held.
    predicts_host_rows : bool
        Whether predictions are of the rows that were fitted, where they were fitted: what a
        clusterer that cannot predict others offers.
    initial_centers : str or None
        ``.npz`` file of the shared starting centres, by number of clusters.
    repeats : int
        Fits or searches in all: one cold, the others warm.
    cpus : tuple of int
        CPUs that the child and all it starts may run on.
    cores : int
        CPU cores that the engine computes with; on a cluster these are others.
    memory_bytes, workers, threads_per_worker : int
        See `engines.types.Resources`.
    scratch : str
        Folder for temporary files, removed by the runner.
    predictions : str
        Path without suffix under which predictions are saved.
    attachment : Attachment or None
        The cluster that the engine joins; None if it starts its own workers.
    joins_only : bool
        Whether the engine is only to start, to say what it was granted, and to stop.
    """

    engine: str
    spec: dict[str, Any]
    search: SearchTask | None
    dataset: str | None
    placement: Placement
    predicts_host_rows: bool
    initial_centers: str | None
    repeats: int
    cpus: tuple[int, ...]
    cores: int
    memory_bytes: int
    workers: int
    threads_per_worker: int
    scratch: str
    predictions: str
    attachment: Attachment | None = None
    joins_only: bool = False

    @property
    def resources(self) -> Resources:
        """What the engine is granted."""
        return Resources(
            cores=self.cores,
            memory_bytes=self.memory_bytes,
            workers=self.workers,
            threads_per_worker=self.threads_per_worker,
            scratch=Path(self.scratch),
            independent=self.placement == "everywhere" or self.spec["kind"] == "tasks",
            attachment=self.attachment,
        )

    def load_spec(self) -> Spec:
        """Return the specification as its model."""
        return as_spec(self.spec)

    def write(self, path: Path) -> None:
        """Write the task as JSON."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Task:
        """Read a task that `write` wrote."""
        content = json.loads(path.read_text(encoding="utf-8"))
        search = content["search"]
        if search is not None:
            search = SearchTask(
                **{
                    **search,
                    "candidates": tuple(search["candidates"]),
                    "rungs": tuple(Rung(**rung) for rung in search["rungs"]),
                    "scoring": tuple(search["scoring"]),
                }
            )
        attachment = content["attachment"]
        if attachment is not None:
            files = attachment["certificates"]
            certificates = None if files is None else Certificates(**files)
            attachment = Attachment(**{**attachment, "certificates": certificates})
        return cls(
            **{
                **content,
                "search": search,
                "cpus": tuple(content["cpus"]),
                "attachment": attachment,
            }
        )


def as_spec(content: dict[str, Any]) -> Spec:
    """Return the specification that its model dumped."""
    from engines.specs import EstimatorSpec, KMeansSpec, TasksSpec, XGBoostSpec

    models: dict[str, type[Spec]] = {
        "kmeans": KMeansSpec,
        "xgboost": XGBoostSpec,
        "estimator": EstimatorSpec,
        "tasks": TasksSpec,
    }
    return models[content["kind"]].model_validate(content)
