"""Values that cross the interface between experiments and engines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from engines.parameters import AppliedParameter
    from engines.prepared import Prepared, Rows
    from engines.specs import Spec

NativeT = TypeVar("NativeT")

Split = Literal["train", "test"]

# "spread": each worker holds its share; "host": the process that drives the engine holds all rows;
# "everywhere": every worker holds all rows, so that each can fit a candidate by itself
Placement = Literal["spread", "host", "everywhere"]


@dataclass(frozen=True)
class Certificates:
    """Files of one party to a connection over TLS, in PEM.

    Parameters
    ----------
    ca_file : str
        Certificates of those whose signature is trusted.
    cert : str
        Own certificate.
    key : str
        Own private key.
    """

    ca_file: str
    cert: str
    key: str


@dataclass(frozen=True)
class Attachment:
    """A running cluster that a session joins and leaves, and never shuts down.

    No field holds a secret: it would be in every log and record that shows the value.

    Parameters
    ----------
    address : str
        ``tcp://host:port`` or ``tls://host:port`` of Dask's scheduler, ``spark://host:port`` of
        Spark's master.
    wait_s : float
        Seconds in which the cluster must answer, and have the workers that are asked for.
    exact : bool
        Whether a cluster that gives other cores than asked for is refused.
    certificates : Certificates, optional
        For ``tls://``.
    secret_variable : str, optional
        Environment variable with the secret that Spark's parties authenticate by.
    worker_python : str, optional
        Python that Spark's executors run, as they see it; that of this process when not given.
    """

    address: str
    wait_s: float
    exact: bool = True
    certificates: Certificates | None = None
    secret_variable: str | None = None
    worker_python: str | None = None


@dataclass(frozen=True)
class Resources:
    """What an engine is granted, on this machine or on a cluster.

    Parameters
    ----------
    cores : int
        CPU cores in all. ``workers * threads_per_worker`` equals it.
    memory_bytes : int
        Memory of the whole process tree, in bytes.
    workers : int
        Worker processes (Dask), or tasks at a time (Spark). scikit-learn has one.
    threads_per_worker : int
        Native threads each worker may run.
    scratch : pathlib.Path
        An existing folder for temporary files; whoever made it removes it.
    independent : bool
        Whether what follows is independent work for one core each: candidates of a search, or
        tasks. An engine that has no workers otherwise then starts them with its session.
    attachment : Attachment, optional
        The cluster whose workers compute; without one the session starts its own, in this process
        and below it. Memory is then that of the cluster, and `memory_bytes` what the processes of
        this machine may take.
    """

    cores: int
    memory_bytes: int
    workers: int
    threads_per_worker: int
    scratch: Path
    independent: bool = False
    attachment: Attachment | None = None


@dataclass(frozen=True)
class WorkerUsage:
    """What one worker of a cluster has used for a session, with all processes below it.

    Parameters
    ----------
    worker : str
        Its name, the same as long as it lives and nobody else's after that.
    host : str
        The machine it is on, as the cluster names it.
    cpu_s : float
        CPU seconds since the session started.
    peak_memory_bytes : int
        Greatest memory (PSS) since it was asked last.
    read_bytes, write_bytes : int
        Bytes that came from or reached storage since the session started.
    counters : dict
        What the engine's own accounts say, since the session started: ``spilled_bytes``,
        ``sent_bytes``, ``received_bytes``, ``gc_s``, and what only this engine counts. None where
        it cannot tell.
    process : str
        The process that is the worker, as `engines.processes.process_name` tells it from all
        others; empty where the engine does not know.
    """

    worker: str
    host: str
    cpu_s: float
    peak_memory_bytes: int
    read_bytes: int
    write_bytes: int
    counters: dict[str, float | None] = field(default_factory=dict)
    process: str = ""


@dataclass(frozen=True)
class Source:
    """The rows of one split of a prepared dataset.

    Parameters
    ----------
    prepared : engines.prepared.Prepared
        The dataset at rest.
    split : {"train", "test"}
        Which of its rows.
    placement : {"spread", "host", "everywhere"}
        Where they are held: a share on each worker, all in the process that drives the engine, or
        all on every worker, shipped there once.
    """

    prepared: Prepared
    split: Split
    placement: Placement = "spread"

    @property
    def n_rows(self) -> int:
        """Number of rows of this split."""
        return self.prepared.counts[self.split]


@dataclass(frozen=True)
class Data(Generic[NativeT]):
    """The rows of a source, held in an engine's memory.

    Parameters
    ----------
    native : object
        The engine's own form. Only that engine looks inside.
    n_rows, n_features : int
        Shape of the matrix of features.
    source : Source
        Where the rows came from.
    """

    native: NativeT
    n_rows: int
    n_features: int
    source: Source


@dataclass(frozen=True)
class Model:
    """A fitted model.

    Parameters
    ----------
    native : object
        The engine's own form, which only that engine reads.
    parameters : tuple of AppliedParameter
        What became of each parameter that was asked.
    centers : ndarray of shape (n_clusters, n_features), dtype float64, optional
        Centres of k-means.
    n_iter : int, optional
        Lloyd iterations of k-means.
    notes : tuple of str
        Sentences a reader of the result must know.
    """

    native: Any
    parameters: tuple[AppliedParameter, ...]
    centers: NDArray[np.float64] | None = None
    n_iter: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Predictions:
    """Predictions on the host, sorted by row.

    Parameters
    ----------
    row_id : ndarray of shape (n_rows,), dtype int64
        Strictly increasing.
    value : ndarray of shape (n_rows,) or (n_rows, n_classes)
        int32 cluster numbers for clustering, float64 values for regression, float64 probabilities
        of the second class for two classes, and of every class for more; or, from a classifier
        that was asked for classes alone, int32 class numbers.
    label : ndarray of shape (n_rows,), dtype int32, optional
        Class numbers beside probabilities, from a classifier whose own choice of class need not be
        the most probable one.
    decision : ndarray of shape (n_rows,), dtype float64, optional
        What a classifier of two classes ranks rows by, where that is not the probability: the
        greater, the more it is for the second class.
    """

    row_id: NDArray[np.int64]
    value: NDArray[np.int32] | NDArray[np.float64]
    label: NDArray[np.int32] | None = None
    decision: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Facts:
    """What an engine was really granted, as it reports from inside.

    Parameters
    ----------
    cores, workers, threads_per_worker : int
        Counted, not repeated from the request.
    memory_bytes : int
        Memory the engine may use: worker limits or heap where it has them.
    native_threads : dict
        For each process (``"driver"``, ``"worker 0"``, ...), the greatest number of threads that a
        native pool in it (OpenMP, BLAS) may run, as threadpoolctl reports.
    versions : dict
        Library name to version.
    details : dict
        What only this engine has: the JVM, the BLAS class, worker addresses.
    measured_by : dict
        For what is measured in the workers of a cluster (``cpu_s``, ``peak_memory_bytes``,
        ``spilled_bytes``, ...), who counts it; empty where all processes are on this machine.
    warnings : tuple of str
        Sentences on the session that a reader of its results must know.
    """

    cores: int
    workers: int
    threads_per_worker: int
    memory_bytes: int
    native_threads: dict[str, int]
    versions: dict[str, str]
    details: dict[str, Any] = field(default_factory=dict)
    measured_by: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """Part of the rows of a fold, as ``HalvingGridSearchCV`` draws it.

    Parameters
    ----------
    fraction : float
        Share of the rows, in (0, 1]; as many are kept as its product with their number, rounded
        down.
    seed : int
        Seed of the draw.
    """

    fraction: float
    seed: int


@dataclass(frozen=True)
class Trial:
    """One candidate to be fitted without one fold, and scored on it.

    Parameters
    ----------
    candidate : int
        Number of the candidate, in the order drawn.
    fold : int
        Number of the fold that is held out.
    spec : Spec
        The workload with the candidate's parameters in place.
    sample : Sample or None
        Part of the rows to use, of those fitted and of those held out; None for all.
    initial_centers : ndarray of shape (n_clusters, n_features), dtype float64, or None
        Shared starting centres of k-means.
    """

    candidate: int
    fold: int
    spec: Spec
    sample: Sample | None = None
    initial_centers: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Judgement:
    """What a judge found of one fitted candidate.

    Parameters
    ----------
    scores : dict
        Metric to value on the held-out rows; None where a metric is undefined.
    fit_s, score_s : float or None
        Seconds of the fit, and of predicting and scoring; None where there was no time left and
        nothing was fitted.
    undefined : dict
        Why, for each metric that is None.
    """

    scores: dict[str, float | None]
    fit_s: float | None
    score_s: float | None
    undefined: dict[str, str] = field(default_factory=dict)


class Judge(Protocol):
    """Times and scores one candidate.

    Engines neither read a clock nor compute a score: whoever starts a search hands them a judge,
    which pickles to their workers.
    """

    def __call__(
        self,
        fit: Callable[[], Model],
        predict: Callable[[Model], Predictions],
        rows: Rows | None,
    ) -> Judgement:
        """Fit, predict the held-out rows and score the predictions.

        Parameters
        ----------
        fit : callable
            Fits the candidate; returns when the work is done.
        predict : callable
            Predicts the held-out rows.
        rows : Rows or None
            The held-out rows, in the order of the predictions; None where no single process has
            them, and the judge is to read them from the prepared dataset.
        """
        ...


@dataclass(frozen=True)
class Score:
    """How one trial ended.

    Parameters
    ----------
    candidate, fold : int
        Of the trial.
    judgement : Judgement or None
        Scores and seconds; None if the candidate could not be fitted or scored.
    worker : str
        The process that did it.
    error : str or None
        Why there is no judgement, with the type of the exception.
    unsupported : bool
        Whether the engine declares a gap for the candidate, which is why it failed.
    """

    candidate: int
    fold: int
    judgement: Judgement | None
    worker: str
    error: str | None = None
    unsupported: bool = False
