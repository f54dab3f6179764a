"""What one child process is to do, as a file that it reads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.specs import KMeansSpec, XGBoostSpec
from engines.types import Resources

if TYPE_CHECKING:
    from engines.specs import Spec

_SPECS: dict[str, type[KMeansSpec | XGBoostSpec]] = {
    "kmeans": KMeansSpec,
    "xgboost": XGBoostSpec,
}


@dataclass(frozen=True)
class Task:
    """One engine, one round, one point of a sweep.

    Parameters
    ----------
    engine : str
        Name of the engine.
    spec : dict
        The specification, as its model dumps it.
    dataset : str
        Folder of the prepared dataset.
    initial_centers : str or None
        ``.npy`` file of the shared starting centres.
    repeats : int
        Fits in all: one cold, the others warm.
    cpus : tuple of int
        CPUs that the child and all it starts may run on.
    memory_bytes, workers, threads_per_worker : int
        See `engines.types.Resources`.
    scratch : str
        Folder for temporary files, removed by the runner.
    predictions : str
        Path without suffix under which predictions are saved.
    """

    engine: str
    spec: dict[str, Any]
    dataset: str
    initial_centers: str | None
    repeats: int
    cpus: tuple[int, ...]
    memory_bytes: int
    workers: int
    threads_per_worker: int
    scratch: str
    predictions: str

    @property
    def resources(self) -> Resources:
        """What the engine is granted."""
        return Resources(
            cores=len(self.cpus),
            memory_bytes=self.memory_bytes,
            workers=self.workers,
            threads_per_worker=self.threads_per_worker,
            scratch=Path(self.scratch),
        )

    def load_spec(self) -> Spec:
        """Return the specification as its model."""
        return _SPECS[self.spec["kind"]].model_validate(self.spec)

    def write(self, path: Path) -> None:
        """Write the task as JSON."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Task:
        """Read a task that `write` wrote."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**content, "cpus": tuple(content["cpus"])})
