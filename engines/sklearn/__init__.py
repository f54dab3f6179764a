"""scikit-learn in this process: the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from engines import single_node
from engines.base import Engine
from engines.errors import SessionError, WorkerLostError
from engines.folds import selected_rows
from engines.sklearn import boosting, data, estimator, kmeans, search, session, tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from engines.base import ItemT, ResultT
    from engines.errors import EngineError
    from engines.gaps import Feature, Gap
    from engines.parameters import VerdictTable
    from engines.prepared import Rows
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
    )


class SklearnEngine(Engine["Rows"]):
    """Fit in this process with as many native threads as there are cores."""

    name = "sklearn"
    title = "scikit-learn"
    gaps: ClassVar[Mapping[Feature, Gap]] = single_node.GAPS
    verdicts: ClassVar[Mapping[str, VerdictTable]] = {
        "kmeans": kmeans.VERDICTS,
        "xgboost": boosting.VERDICTS,
        "estimator": single_node.ESTIMATOR_VERDICTS,
    }

    _session: session.Session | None = None

    def _start(self) -> None:
        self._session = session.start(self.resources)

    def _stop(self) -> None:
        if self._session is not None:
            session.stop(self._session)
            self._session = None

    def _load(self, source: Source) -> Data[Rows]:
        loaded = data.load(source)
        if source.placement == "everywhere":
            return search.share(self._opened.pool, loaded, self._opened.folder)
        return loaded

    def _release(self, data: Data[Rows]) -> None:
        """Remove the file of shared rows; arrays go with the last reference to them."""
        if data.source.placement == "everywhere":
            search.release(data)

    def _fit_kmeans(
        self,
        spec: KMeansSpec,
        train: Data[Rows],
        initial_centers: NDArray[np.float64] | None,
    ) -> Model:
        return kmeans.fit(spec, train, initial_centers, self.resources.cores)

    def _fit_xgboost(self, spec: XGBoostSpec, train: Data[Rows]) -> Model:
        return boosting.fit(spec, train, self.resources.cores)

    def _fit_estimator(self, spec: EstimatorSpec, train: Data[Rows]) -> Model:
        return estimator.fit(spec, train, self.resources.cores)

    def _fit_single_node(
        self, spec: Spec, train: Data[Rows], initial_centers: NDArray[np.float64] | None
    ) -> Model:
        return search.fit(spec, train, initial_centers, self.resources.cores)

    def _score_candidates(
        self, trials: Sequence[Trial], train: Data[Rows], judge: Judge
    ) -> Iterator[Score]:
        return search.score(self._opened.pool, trials, train, judge, self._opened.folder)

    def _select(
        self, data: Data[Rows], fold: int, *, held_out: bool, sample: Sample | None
    ) -> Data[Rows]:
        return selected_rows(data, fold, held_out=held_out, sample=sample)

    def _map_tasks(
        self, function: Callable[[ItemT], ResultT], items: Sequence[ItemT]
    ) -> list[ResultT]:
        return tasks.run(self._opened.pool, function, items)

    def _predict(self, model: Model, data: Data[Rows]) -> Predictions:
        return single_node.predict(model, data.native)

    def _facts(self) -> Facts:
        return session.facts(self._opened, self.resources)

    def lost_workers(self) -> tuple[str, ...]:
        """Return a line for each time that processes died since the session started."""
        return () if self._session is None else tuple(self._session.pool.lost)

    def _translate(self, step: str, exc: Exception) -> EngineError:
        from joblib.externals.loky.process_executor import BrokenProcessPool

        if isinstance(exc, BrokenProcessPool):
            return WorkerLostError(
                f"sklearn: {step}: worker processes died, and so did those that took their place; "
                f"look for a candidate that needs more memory than resources.memory grants."
            )
        return super()._translate(step, exc)

    @property
    def _opened(self) -> session.Session:
        if self._session is None:
            raise SessionError("sklearn: the session is not open; use 'with engine:'.")
        return self._session
