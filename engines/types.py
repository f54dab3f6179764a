"""Values that cross the interface between experiments and engines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from engines.parameters import AppliedParameter
    from engines.prepared import Prepared

NativeT = TypeVar("NativeT")

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Resources:
    """What an engine is granted on this machine.

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
    """

    cores: int
    memory_bytes: int
    workers: int
    threads_per_worker: int
    scratch: Path


@dataclass(frozen=True)
class Source:
    """The rows of one split of a prepared dataset.

    Parameters
    ----------
    prepared : engines.prepared.Prepared
        The dataset at rest.
    split : {"train", "test"}
        Which of its rows.
    """

    prepared: Prepared
    split: Split

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
        int32 cluster numbers for k-means, float64 values for regression, float64 probabilities
        of the second class for two classes, and of every class for more.
    """

    row_id: NDArray[np.int64]
    value: NDArray[np.int32] | NDArray[np.float64]


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
    """

    cores: int
    workers: int
    threads_per_worker: int
    memory_bytes: int
    native_threads: dict[str, int]
    versions: dict[str, str]
    details: dict[str, Any] = field(default_factory=dict)
