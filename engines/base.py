"""The interface that every engine implements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Generic, Self

from engines import parameters
from engines.errors import (
    EngineError,
    EngineFailedError,
    SessionError,
    SpecError,
    UnsupportedFeatureError,
)
from engines.gaps import Feature
from engines.types import NativeT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from engines.gaps import Gap
    from engines.parameters import AppliedParameter, VerdictTable
    from engines.prepared import Prepared
    from engines.specs import KMeansSpec, Spec, XGBoostSpec
    from engines.types import Data, Facts, Model, Predictions, Resources, Source


class Engine(ABC, Generic[NativeT]):
    """Run the steps of one experiment on one backend.

    Callers use the public methods; an adapter writes only the hooks that start with an
    underscore. The public half checks gaps, session and errors once for all engines. No method
    reads a clock, and each returns only when its work is done: the runner times the public calls.

    Parameters
    ----------
    resources : Resources
        What the engine is granted.

    Attributes
    ----------
    name : str
        Name in definitions, records and tables.
    title : str
        Name as its makers write it.
    gaps : mapping of Feature to Gap
        What the engine cannot do.
    verdicts : mapping of specification kind to verdict table
        What becomes of each parameter.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    gaps: ClassVar[Mapping[Feature, Gap]] = {}
    verdicts: ClassVar[Mapping[str, VerdictTable]]

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self._running = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the session.

        Raises
        ------
        SessionError
            If it is running already, or cannot be started; nothing is left behind then.
        """
        if self._running:
            raise SessionError(f"{self.name}: the session is running already; stop it first.")
        self._running = True
        try:
            with self._step(Feature.SESSION):
                self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Release everything that the session holds; harmless when nothing runs."""
        self._running = False
        self._stop()

    def load(self, source: Source) -> Data[NativeT]:
        """Read one split of a prepared dataset and hold it, materialised, in worker memory."""
        with self._step(Feature.LOAD):
            return self._load(source)

    def fit_kmeans(
        self,
        spec: KMeansSpec,
        train: Data[NativeT],
        initial_centers: NDArray[np.float64] | None = None,
    ) -> Model:
        """Cluster the rows.

        Parameters
        ----------
        spec : KMeansSpec
            What is asked.
        train : Data
            Rows to learn from.
        initial_centers : ndarray of shape (n_clusters, n_features), dtype float64, optional
            Starting centres, for ``init: shared`` and only for it.

        Returns
        -------
        Model
            With ``centers`` and ``n_iter``.
        """
        if (spec.init == "shared") != (initial_centers is not None):
            raise SpecError("initial_centers must be given with init: shared, and only with it.")
        expected = (spec.n_clusters, train.n_features)
        if initial_centers is not None and initial_centers.shape != expected:
            raise SpecError(
                f"initial_centers must have shape {expected}; got {initial_centers.shape}."
            )
        if spec.n_clusters > train.n_rows:
            raise SpecError(
                f"n_clusters must be at most the number of rows, {train.n_rows}; "
                f"got {spec.n_clusters}."
            )
        with self._step(*spec.features()):
            return self._fit_kmeans(spec, train, initial_centers)

    def fit_xgboost(self, spec: XGBoostSpec, train: Data[NativeT]) -> Model:
        """Boost trees.

        Parameters
        ----------
        spec : XGBoostSpec
            What is asked. Its task must not be "auto": see `XGBoostSpec.resolved`.
        train : Data
            Rows to learn from.

        Returns
        -------
        Model
            For `predict`.
        """
        if spec.task != train.source.prepared.task:
            raise SpecError(
                f"The task {spec.task!r} does not fit the label, which is for "
                f"{train.source.prepared.task!r}."
            )
        with self._step(*spec.features()):
            return self._fit_xgboost(spec, train)

    def predict(self, model: Model, data: Data[NativeT]) -> Predictions:
        """Predict every row once and bring the predictions to the host, sorted by row."""
        with self._step(Feature.PREDICT):
            return self._predict(model, data)

    def release(self, data: Data[NativeT]) -> None:
        """Let go of loaded rows."""
        with self._step(Feature.LOAD):
            self._release(data)

    def facts(self) -> Facts:
        """Report what was really granted, asked of every process that computes."""
        with self._step(Feature.SESSION):
            return self._facts()

    def lost_workers(self) -> tuple[str, ...]:
        """Return a line for each worker process that died since the session started."""
        return ()

    @classmethod
    def parameters(cls, spec: Spec, prepared: Prepared) -> tuple[AppliedParameter, ...]:
        """Return what becomes of each parameter of a specification on this engine."""
        table = cls.verdicts[spec.kind]
        return parameters.apply(table, spec, prepared)

    @classmethod
    def gap_for(cls, spec: Spec) -> tuple[Feature, Gap] | None:
        """Return the first declared gap that a specification meets, if any."""
        return next(
            ((feature, cls.gaps[feature]) for feature in spec.features() if feature in cls.gaps),
            None,
        )

    @contextmanager
    def _step(self, *features: Feature) -> Iterator[None]:
        for feature in features:
            if gap := self.gaps.get(feature):
                raise UnsupportedFeatureError(f"{self.name}: {feature.value}: {gap}")
        step = features[0].value
        if not self._running:
            raise SessionError(f"{self.name}: {step} needs a session; use 'with engine:'.")
        try:
            yield
        except EngineError:
            raise
        except Exception as exc:
            raise self._translate(step, exc) from exc

    def _translate(self, step: str, exc: Exception) -> EngineError:
        """Turn the library's exception into one of ours; adapters tell more causes apart."""
        return EngineFailedError(f"{self.name}: {step}: {headline(exc)}")

    @abstractmethod
    def _start(self) -> None: ...

    @abstractmethod
    def _stop(self) -> None:
        """Release everything; safe after a failed `_start` and when called twice."""

    @abstractmethod
    def _load(self, source: Source) -> Data[NativeT]: ...

    @abstractmethod
    def _release(self, data: Data[NativeT]) -> None: ...

    @abstractmethod
    def _fit_kmeans(
        self,
        spec: KMeansSpec,
        train: Data[NativeT],
        initial_centers: NDArray[np.float64] | None,
    ) -> Model: ...

    @abstractmethod
    def _fit_xgboost(self, spec: XGBoostSpec, train: Data[NativeT]) -> Model: ...

    @abstractmethod
    def _predict(self, model: Model, data: Data[NativeT]) -> Predictions: ...

    @abstractmethod
    def _facts(self) -> Facts: ...


def headline(exc: BaseException) -> str:
    """Return the first line of an exception's message, with its type."""
    first = str(exc).strip().partition("\n")[0]
    return f"{type(exc).__name__}: {first}" if first else type(exc).__name__
