"""Datasets of openml.org."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from experiments.datasets.columns import Batch, Columns
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from experiments.datasets.options import OpenmlOptions

_PATIENCE_S = 8.0


def open_openml(options: OpenmlOptions) -> tuple[Columns, str | None]:
    """Fetch a dataset, or take it from scikit-learn's own cache.

    Returns
    -------
    tuple
        Its columns, and the name of the label: the one asked for, or the dataset's own target.

    Raises
    ------
    RequestError
        If it cannot be fetched, or there is none of that name or number.
    """
    import pyarrow as pa

    frame, target = _fetch(options)
    table = pa.Table.from_pandas(frame, preserve_index=False).combine_chunks()
    title = f"the dataset {options.name or options.data_id} of openml.org"

    def read(columns: Sequence[str], _: frozenset[str], block_rows: int) -> Iterator[Batch]:
        row = 1
        for batch in table.select(list(columns)).to_batches(block_rows):
            yield Batch("the dataset", row, batch.columns)
            row += batch.num_rows

    return Columns(title, tuple(table.column_names), spelled=False, read=read), target


def _fetch(options: OpenmlOptions) -> tuple[Any, str | None]:
    import http.client
    import warnings

    from sklearn.datasets import fetch_openml

    wanted = {"data_id": options.data_id}
    if options.name is not None:
        wanted = {"name": options.name, "version": options.version or "active"}  # type: ignore[dict-item]
    title = f"{options.name or options.data_id!r}"
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE_S)  # scikit-learn sets none
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of several active versions it takes the oldest
            # the one way to stop it from trying again and again
            warnings.filterwarnings("error", message="A network error occurred")
            bunch = fetch_openml(**wanted, as_frame=True, parser="auto", n_retries=1, delay=0.1)
    except (OSError, http.client.HTTPException, UserWarning) as exc:
        # the warning was raised while the library's own error was handled
        reason = exc.__context__ if isinstance(exc, UserWarning) else exc
        if getattr(reason, "code", None) in {404, 412}:
            raise RequestError(f"openml.org has no dataset {title}; check dataset.name.") from exc
        raise RequestError(
            f"The dataset {title} needs the network the first time, and openml.org cannot be "
            f"reached ({reason}); connect, or use a bundled source such as digits."
        ) from exc
    except ValueError as exc:
        detail = str(exc).splitlines()[0][:200]
        raise RequestError(f"openml.org cannot give the dataset {title}: {detail}") from exc
    finally:
        socket.setdefaulttimeout(before)
    targets = bunch.target_names or []
    if options.label is None and len(targets) > 1:
        raise RequestError(
            f"The dataset {title} has several targets, {', '.join(targets[:5])}; choose one with "
            f"dataset.label."
        )
    return bunch.frame, options.label or (targets[0] if targets else None)
