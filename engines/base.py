"""The interface that every engine implements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast

from engines import in_turn, parameters
from engines.checks import check_estimator, check_kmeans, check_trials, check_xgboost
from engines.errors import (
    EngineError,
    EngineFailedError,
    SessionError,
    SpecError,
    UnsupportedFeatureError,
    headline,
)
from engines.gaps import Feature
from engines.types import NativeT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from engines.gaps import Gap
    from engines.parameters import AppliedParameter, VerdictTable
    from engines.prepared import Prepared
    from engines.specs import EstimatorSpec, KMeansSpec, Spec, XGBoostSpec
    from engines.types import (
        Data,
        Facts,
        Judge,
        Model,
        Predictions,
        Resources,
        Sample,
        Score,
        Source,
        Trial,
        WorkerUsage,
    )

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


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
        check_kmeans(spec, train.n_rows, train.n_features, initial_centers)
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
        check_xgboost(spec, train.source.prepared)
        with self._step(*spec.features()):
            return self._fit_xgboost(spec, train)

    def fit_estimator(self, spec: EstimatorSpec, train: Data[Any]) -> Model:
        """Fit any estimator of scikit-learn, its parallel loops spread over the engine by joblib.

        Parameters
        ----------
        spec : EstimatorSpec
            What is asked.
        train : Data
            Rows to learn from, placed on the host.

        Returns
        -------
        Model
            For `predict`; with ``centers`` where the estimator is a clusterer that has them.
        """
        _require(train, "host", "fit_estimator")
        check_estimator(spec, train.source.prepared)
        with self._step(*spec.features()):
            return self._fit_estimator(spec, train)

    def fit_single_node(
        self,
        spec: Spec,
        train: Data[Any],
        initial_centers: NDArray[np.float64] | None = None,
    ) -> Model:
        """Fit one model on one worker, with the libraries that a single machine has.

        It is what a search over candidates does with each of them, here with all training rows;
        it gives the same model on every engine, up to the rounding of sums that several threads
        share.

        Parameters
        ----------
        spec : KMeansSpec, XGBoostSpec or EstimatorSpec
            What is asked.
        train : Data
            Rows to learn from, placed everywhere.
        initial_centers : ndarray of shape (n_clusters, n_features), dtype float64, optional
            Starting centres, for k-means with ``init: shared`` and only for it.
        """
        _require(train, "everywhere", "fit_single_node")
        with self._step(Feature.SEARCH_OVER_CANDIDATES):
            return self._fit_single_node(spec, train, initial_centers)

    def fit(
        self,
        spec: Spec,
        train: Data[Any],
        initial_centers: NDArray[np.float64] | None = None,
    ) -> Model:
        """Fit what a specification of any kind asks for, over all workers."""
        match spec.kind:
            case "kmeans":
                return self.fit_kmeans(cast("KMeansSpec", spec), train, initial_centers)
            case "xgboost":
                return self.fit_xgboost(cast("XGBoostSpec", spec), train)
            case "estimator":
                return self.fit_estimator(cast("EstimatorSpec", spec), train)
        raise SpecError(f"A workload of kind {spec.kind!r} is not fitted.")

    def score_candidates(
        self, trials: Sequence[Trial], train: Data[Any], judge: Judge
    ) -> Iterator[Score]:
        """Fit and score candidates of a search, and give each result as soon as it is there.

        Where the rows are placed decides what works in parallel. Placed everywhere, each trial is
        one single-node fit on one worker, and results come in any order. Otherwise each trial is
        fitted over all workers, one after the other.

        Parameters
        ----------
        trials : sequence of Trial
            Candidates times folds.
        train : Data
            The training rows, with folds.
        judge : Judge
            Times and scores.

        Yields
        ------
        Score
            One a trial, also for a candidate that fails. Closing the iterator ends the search.

        Raises
        ------
        EngineError
            If the engine fails, as opposed to a candidate.
        """
        check_trials(tuple(trials), train.source.prepared)
        if train.source.placement == "everywhere":
            with self._step(Feature.SEARCH_OVER_CANDIDATES):
                yield from self._score_candidates(trials, train, judge)
        else:
            with self._step(Feature.SEARCH_OVER_ROWS):
                yield from in_turn.score(self, trials, train, judge)

    def select(
        self, data: Data[Any], fold: int, *, held_out: bool, sample: Sample | None = None
    ) -> Data[Any]:
        """Return the rows of a fold, or all others, held and spread as the rows they are from.

        Parameters
        ----------
        data : Data
            Rows with folds.
        fold : int
            Number of the fold.
        held_out : bool
            True for the rows of the fold, False for all others.
        sample : Sample, optional
            Part of them to keep.

        Returns
        -------
        Data
            To be released like any other.
        """
        with self._step(Feature.SEARCH_OVER_ROWS):
            return self._select(data, fold, held_out=held_out, sample=sample)

    def map_tasks(
        self, function: Callable[[ItemT], ResultT], items: Sequence[ItemT]
    ) -> list[ResultT]:
        """Call a function with each item on the workers, and return the results in order.

        Parameters
        ----------
        function : callable
            Of a module, so that it pickles by its name. A call runs on one thread.
        items : sequence
            What it is called with, one after the other.
        """
        with self._step(Feature.TASKS):
            return self._map_tasks(function, items)

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

    def worker_usage(self) -> tuple[WorkerUsage, ...]:
        """Ask the workers of a cluster what they have used since the session started.

        It takes a round trip to every worker, which whoever times the session leaves out.

        Returns
        -------
        tuple of WorkerUsage
            One a worker alive, in the order of their names. Empty where the session started its
            own workers: they are below this process, and can be seen from outside.
        """
        if self.resources.attachment is None:
            return ()
        with self._step(Feature.SESSION):
            return self._worker_usage()

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

    def _worker_usage(self) -> tuple[WorkerUsage, ...]:
        return ()  # scikit-learn has no cluster

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
    def _fit_estimator(self, spec: EstimatorSpec, train: Data[Any]) -> Model: ...

    @abstractmethod
    def _fit_single_node(
        self,
        spec: Spec,
        train: Data[Any],
        initial_centers: NDArray[np.float64] | None,
    ) -> Model: ...

    @abstractmethod
    def _score_candidates(
        self, trials: Sequence[Trial], train: Data[Any], judge: Judge
    ) -> Iterator[Score]: ...

    @abstractmethod
    def _select(
        self, data: Data[Any], fold: int, *, held_out: bool, sample: Sample | None
    ) -> Data[Any]: ...

    @abstractmethod
    def _map_tasks(
        self, function: Callable[[ItemT], ResultT], items: Sequence[ItemT]
    ) -> list[ResultT]: ...

    @abstractmethod
    def _predict(self, model: Model, data: Data[NativeT]) -> Predictions: ...

    @abstractmethod
    def _facts(self) -> Facts: ...


def _require(train: Data[Any], placement: str, method: str) -> None:
    if train.source.placement != placement:
        raise SpecError(
            f"{method} needs rows placed {placement!r}; got {train.source.placement!r}."
        )
