"""Predictions and centres on their way between the runner and a child process."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.types import Predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LABEL = "label"
_DECISION = "decision"


def digest(predictions: Predictions, centers: NDArray[np.float64] | None) -> str:
    """Return a SHA-256 of every value: equal exactly when the predictions are."""
    content = hashlib.sha256()
    found = (predictions.row_id, predictions.value, predictions.label, predictions.decision)
    for array in (*found, centers):
        if array is not None:
            content.update(str((array.dtype, array.shape)).encode())
            content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()


def write_predictions(
    path: Path, predictions: Predictions, centers: NDArray[np.float64] | None
) -> dict[str, Any]:
    """Write ``<path>.parquet`` and, for k-means, ``<path>.centers.npy``.

    Returns
    -------
    dict
        The paths, for `read_predictions`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    value = predictions.value
    if value.ndim == 1:
        columns = {"value": value}
    else:
        columns = {f"value_{number}": value[:, number] for number in range(value.shape[1])}
    if predictions.label is not None:
        columns[_LABEL] = predictions.label
    if predictions.decision is not None:
        columns[_DECISION] = predictions.decision
    parquet = path.with_name(f"{path.name}.parquet")
    pq.write_table(pa.table({"row_id": predictions.row_id, **columns}), parquet)
    saved = {"predictions": str(parquet), "centers": None}
    if centers is not None:
        npy = path.with_name(f"{path.name}.centers.npy")
        np.save(npy, centers)
        saved["centers"] = str(npy)
    return saved


def read_predictions(saved: dict[str, Any]) -> tuple[Predictions, NDArray[np.float64] | None]:
    """Read what `write_predictions` wrote."""
    import pyarrow.parquet as pq

    table = pq.read_table(Path(saved["predictions"]))
    beside = {
        name: table[name].to_numpy() for name in (_LABEL, _DECISION) if name in table.column_names
    }
    columns = [table[name].to_numpy() for name in table.column_names[1:] if name not in beside]
    value = columns[0] if len(columns) == 1 else np.column_stack(columns)
    centers = np.load(saved["centers"]) if saved["centers"] else None
    return Predictions(table["row_id"].to_numpy(), value, **beside), centers


def write_centers(path: Path, by_n_clusters: dict[int, NDArray[np.float64]]) -> None:
    """Write shared starting centres of k-means, for `read_centers`."""
    arrays: dict[str, Any] = {str(number): centers for number, centers in by_n_clusters.items()}
    np.savez(path, **arrays)


def read_centers(path: Path) -> dict[int, NDArray[np.float64]]:
    """Read shared starting centres of k-means, by their number."""
    with np.load(path) as file:
        return {int(name): file[name] for name in file.files}
