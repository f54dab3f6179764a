"""Dask: worker processes here or on a cluster, dask-ml's k-means and XGBoost's Dask interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from engines import single_node
from engines.base import Engine
from engines.dask import boosting, estimator, facts, kmeans, search, session, tasks
from engines.dask.data import load, release
from engines.errors import SessionError
from engines.gaps import Feature, Gap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from engines.base import ItemT, ResultT
    from engines.dask.data import Arrays
    from engines.errors import EngineError
    from engines.parameters import VerdictTable
    from engines.specs import EstimatorSpec, KMeansSpec, Spec, XGBoostSpec
    from engines.types import (
        Data,
        Facts,
        Judge,
        Model,
        Predictions,
        Sample,
        Score,
        Source,
        Trial,
        WorkerUsage,
    )


class DaskEngine(Engine["Arrays"]):
    """Fit on a cluster of worker processes, on this machine or joined."""

    name = "dask"
    title = "Dask"
    gaps: ClassVar[Mapping[Feature, Gap]] = {
        Feature.KMEANS_INIT_PLUS_PLUS: Gap(
            "upstream",
            "dask-ml's k-means++ calls scikit-learn without the sample weights that it asks for "
            "since version 1.3; use init: shared.",
            "https://github.com/scikit-learn/scikit-learn/pull/25752",
        ),
    }
    verdicts: ClassVar[Mapping[str, VerdictTable]] = {
        "kmeans": kmeans.VERDICTS,
        "xgboost": boosting.VERDICTS,
        "estimator": single_node.ESTIMATOR_VERDICTS,
    }

    _opened: session.Session | None = None

    def _start(self) -> None:
        self._opened = session.start(self.resources)

    def _stop(self) -> None:
        if self._opened is not None:
            opened, self._opened = self._opened, None
            session.stop(opened)

    def _load(self, source: Source) -> Data[Any]:
        return load(self._session, source)

    def _release(self, data: Data[Any]) -> None:
        release(data)

    def _fit_kmeans(
        self,
        spec: KMeansSpec,
        train: Data[Arrays],
        initial_centers: NDArray[np.float64] | None,
    ) -> Model:
        return kmeans.fit(self._session, spec, train, initial_centers)

    def _fit_xgboost(self, spec: XGBoostSpec, train: Data[Arrays]) -> Model:
        return boosting.fit(self._session, spec, train)

    def _fit_estimator(self, spec: EstimatorSpec, train: Data[Any]) -> Model:
        return estimator.fit(self._session, spec, train)

    def _fit_single_node(
        self, spec: Spec, train: Data[Any], initial_centers: NDArray[np.float64] | None
    ) -> Model:
        return search.fit(self._session, spec, train, initial_centers)

    def _score_candidates(
        self, trials: Sequence[Trial], train: Data[Any], judge: Judge
    ) -> Iterator[Score]:
        return search.score(self._session, trials, train, judge)

    def _select(
        self, data: Data[Any], fold: int, *, held_out: bool, sample: Sample | None
    ) -> Data[Any]:
        return search.select(self._session, data, fold, held_out=held_out, sample=sample)

    def _map_tasks(
        self, function: Callable[[ItemT], ResultT], items: Sequence[ItemT]
    ) -> list[ResultT]:
        return tasks.run(self._session, function, items)

    def _predict(self, model: Model, data: Data[Any]) -> Predictions:
        if isinstance(model.native, single_node.Fitted):
            return estimator.predict(self._session, model, data)
        if model.centers is not None:
            return kmeans.predict(self._session, model, data)
        return boosting.predict(self._session, model, data)

    def _facts(self) -> Facts:
        return facts.facts(self._session)

    def _worker_usage(self) -> tuple[WorkerUsage, ...]:
        return self._session.crew.usage()

    def lost_workers(self) -> tuple[str, ...]:
        """Return a line for each worker process that died since the session started."""
        return () if self._opened is None else tuple(self._opened.losses.lines)

    def _translate(self, step: str, exc: Exception) -> EngineError:
        return session.translate(step, exc, self._opened)

    @property
    def _session(self) -> session.Session:
        if self._opened is None:
            raise SessionError("dask: the session is not open; use 'with engine:'.")
        return self._opened
