"""scikit-learn in this process: the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from engines.base import Engine
from engines.gaps import Feature, Gap
from engines.sklearn import boosting, data, kmeans, session

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from engines.parameters import VerdictTable
    from engines.prepared import Rows
    from engines.specs import KMeansSpec, XGBoostSpec
    from engines.types import Data, Facts, Model, Predictions, Source


class SklearnEngine(Engine["Rows"]):
    """Fit in this process with as many native threads as there are cores."""

    name = "sklearn"
    title = "scikit-learn"
    gaps: ClassVar[Mapping[Feature, Gap]] = {
        Feature.KMEANS_INIT_PARALLEL: Gap(
            "upstream",
            "scikit-learn has no k-means||; use init: shared, or k-means++ for scikit-learn alone.",
        ),
    }
    verdicts: ClassVar[Mapping[str, VerdictTable]] = {
        "kmeans": kmeans.VERDICTS,
        "xgboost": boosting.VERDICTS,
    }

    _session: session.Session | None = None

    def _start(self) -> None:
        self._session = session.start(self.resources)

    def _stop(self) -> None:
        if self._session is not None:
            session.stop(self._session)
            self._session = None

    def _load(self, source: Source) -> Data[Rows]:
        return data.load(source)

    def _release(self, data: Data[Rows]) -> None:
        """Nothing to do: the arrays go with the last reference to them."""

    def _fit_kmeans(
        self,
        spec: KMeansSpec,
        train: Data[Rows],
        initial_centers: NDArray[np.float64] | None,
    ) -> Model:
        return kmeans.fit(spec, train, initial_centers)

    def _fit_xgboost(self, spec: XGBoostSpec, train: Data[Rows]) -> Model:
        return boosting.fit(spec, train, self.resources.cores)

    def _predict(self, model: Model, data: Data[Rows]) -> Predictions:
        if model.centers is not None:
            return kmeans.predict(model, data)
        return boosting.predict(model, data)

    def _facts(self) -> Facts:
        return session.facts(self.resources)
