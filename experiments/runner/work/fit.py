"""Fit a model and predict the rows that are scored."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.specs import KMeansSpec
from engines.types import Source
from experiments.datasets.opening import open_dataset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engines.base import Engine
    from engines.prepared import Prepared
    from engines.specs import Spec
    from engines.types import Data, Model, Predictions
    from experiments.runner.protocol import Reporter
    from experiments.runner.task import Task


class FitWork:
    """Fit on the training rows, predict those that are scored, and save the predictions."""

    def __init__(self, task: Task, engine: Engine[Any], reporter: Reporter) -> None:
        if task.dataset is None:
            raise AssertionError("what is fitted has data")
        self._task = task
        self._engine = engine
        self._reporter = reporter
        self._spec: Spec = task.load_spec()
        self._prepared: Prepared = open_dataset(task.dataset)
        self._centers: dict[int, NDArray[np.float64]] = {}
        if task.initial_centers is not None:
            from experiments.runner.predictions import read_centers

            self._centers = read_centers(Path(task.initial_centers))
        self._saved: dict[str, Any] = {}

    def load(self) -> None:
        """Load the rows to learn from, and those to predict where they are others."""
        task, prepared = self._task, self._prepared
        with self._reporter.phase("load"):
            self._train: Data[Any] = self._engine.load(Source(prepared, "train", task.placement))
            same = prepared.scored_split == "train" and task.placement == "spread"
            self._scored = (
                self._train
                if same or task.predicts_host_rows
                else self._engine.load(Source(prepared, prepared.scored_split))
            )

    def carry_out(self, repeat: int) -> dict[str, Any]:
        """Fit once, predict and save."""
        with self._reporter.phase("fit"):
            model = self._engine.fit(self._spec, self._train, self._centers_for(self._spec))
        return self._predict(repeat, model)

    def _centers_for(self, spec: Spec) -> NDArray[np.float64] | None:
        """Return the shared starting centres of a specification of k-means that asks for them."""
        if not isinstance(spec, KMeansSpec) or spec.init != "shared":
            return None
        return self._centers.get(spec.n_clusters)

    def _predict(self, repeat: int, model: Model) -> dict[str, Any]:
        with self._reporter.phase("predict"):
            predictions = self._engine.predict(model, self._scored)
        with self._reporter.phase("save"):
            self._saved = self._save(repeat, model, predictions)
        return {
            "saved": self._saved,
            "n_iter": model.n_iter,
            "parameters": [_jsonable(asdict(one)) for one in model.parameters],
            "notes": list(model.notes),
        }

    def _save(self, repeat: int, model: Model, predictions: Predictions) -> dict[str, Any]:
        """Write predictions and centres, unless they are those of the repeat before."""
        from experiments.runner.predictions import digest, write_predictions

        now = digest(predictions, model.centers)
        if self._saved.get("digest") == now:
            return self._saved
        path = Path(f"{self._task.predictions}-{repeat}")
        return {"digest": now, **write_predictions(path, predictions, model.centers)}


def _jsonable(applied: dict[str, Any]) -> dict[str, Any]:
    """Name a value that JSON has no form for, such as a callable, by its type."""
    plain = (str, int, float, bool, type(None))
    return {
        key: value if isinstance(value, plain) else repr(value) for key, value in applied.items()
    }
