"""The table of all candidates of a run: open it, and read what is told of each candidate."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from experiments.errors import RequestError
from experiments.records import point_key
from experiments.report.wording import number_or_none
from experiments.search.log import JOURNAL_FILE, TABLE_FILE, write_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# what tells one search from another
SEARCH = ("engine", "implementation", "point", "round", "repeat")
# engine, implementation, round, repeat and number of a candidate
GivenKey: TypeAlias = tuple[str, str, int, int, int]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Scored:
    """One candidate of one search, and when its score was known.

    Parameters
    ----------
    engine, implementation : str
        Who searched.
    round, repeat : int
        Which search of it: both count from 0.
    rung : int
        Round of halving, counted from 0; 0 without.
    number : int or None
        The candidate, in the order drawn.
    params : str
        Its parameters, as JSON.
    score : float
        Mean over the held-out folds.
    ended_s : float
        Seconds from the begin of the search to the end of its last fold.
    """

    engine: str
    implementation: str
    round: int
    repeat: int
    rung: int
    number: int | None
    params: str
    score: float
    ended_s: float


def has_candidates(folder: Path) -> bool:
    """Tell whether a run left a table of candidates, or what one can be made from."""
    return (folder / TABLE_FILE).exists() or (folder / JOURNAL_FILE).exists()


def open_candidates(folder: Path) -> Path:
    """Return the path of the table of candidates, brought up to date if the run was killed.

    Raises
    ------
    RequestError
        If there is none.
    """
    import pyarrow as pa

    # what can be read of an older table is better than nothing
    with contextlib.suppress(
        OSError, LookupError, ValueError, TypeError, AttributeError, pa.ArrowException
    ):
        write_table(folder)
    path = folder / TABLE_FILE
    if not path.exists():
        raise RequestError(
            f"The run in {folder} has no {TABLE_FILE}; only a run with a search leaves one."
        )
    return path


def from_table(folder: Path, read: Callable[[Path], _T]) -> _T:
    """Read something from the table of candidates, which may be spoilt in any way.

    Parameters
    ----------
    folder : pathlib.Path
        The run folder.
    read : callable
        Reads the file of that path.

    Raises
    ------
    RequestError
        If there is no table of candidates, or it cannot be read.
    """
    import pyarrow as pa

    path = open_candidates(folder)
    try:
        return read(path)
    except (OSError, LookupError, ValueError, TypeError, pa.ArrowException) as exc:
        reason = str(exc.args[0] if isinstance(exc, KeyError) else exc).partition("\n")[0]
        raise RequestError(
            f"{TABLE_FILE} cannot be read: {reason.rstrip('.') or type(exc).__name__}."
        ) from exc


def count_tried(folder: Path) -> tuple[int, int]:
    """Count the candidates that were fitted and scored, or failed, and those of the whole table.

    Halving counts a candidate in each round that it has reached.

    Parameters
    ----------
    folder : pathlib.Path
        The run folder.

    Returns
    -------
    tried, known : int
        Both 0 where there is no table that can be read.
    """
    try:
        outcomes = from_table(folder, _read_outcomes)
    except RequestError:
        return 0, 0
    return outcomes.get("completed", 0) + outcomes.get("failed", 0), sum(outcomes.values())


def read_given(folder: Path, point: str) -> dict[GivenKey, float]:
    """Read what the latest round of halving that each candidate completed gave it.

    Parameters
    ----------
    folder : pathlib.Path
        The run folder.
    point : str
        Key of the point of the sweep.

    Raises
    ------
    RequestError
        If there is no table of candidates, or it cannot be read.
    """
    return from_table(folder, lambda path: _read_given(path, point))


def read_scored(folder: Path, point: str, metric: str) -> tuple[Scored, ...]:
    """Read when each candidate at a point was scored, in the order of time.

    Parameters
    ----------
    folder : pathlib.Path
        The run folder.
    point : str
        Key of the point of the sweep.
    metric : str
        Of the held-out folds.

    Returns
    -------
    tuple of Scored
        Those that completed; empty where the table is of a time that did not tell when.

    Raises
    ------
    RequestError
        If there is no table of candidates, or it cannot be read.
    """
    return from_table(folder, lambda path: _read_scored(path, point, metric))


def whole(value: object) -> int | None:
    """Return a value that is a whole number; None for any other."""
    number = number_or_none(value)
    return None if number is None else int(number)


def _read_outcomes(path: Path) -> dict[str, int]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        counts = file.read(["outcome"])["outcome"].value_counts().to_pylist()
    return {str(one["values"]): one["counts"] for one in counts}


def _read_given(path: Path, point: str) -> dict[GivenKey, float]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    names = ("engine", "implementation", "round", "repeat", "candidate")
    with pq.ParquetFile(path) as file:
        table = file.read([*names, "point", "outcome", "n_resources"])
    here = [one for one in table["point"].unique().to_pylist() if _same_point(one, point)]
    mask = pc.and_(
        pc.is_in(table["point"], value_set=pa.array(here, pa.string())),
        pc.equal(table["outcome"], "completed"),
    )
    # no round gives less than the one before it
    grouped = table.filter(mask).group_by(names, use_threads=False)
    return {
        (row["engine"], row["implementation"], row["round"], row["repeat"], row["candidate"]): value
        for row in grouped.aggregate([("n_resources", "max")]).to_pylist()
        if (value := number_or_none(row["n_resources_max"])) is not None
    }


def _read_scored(path: Path, point: str, metric: str) -> tuple[Scored, ...]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    mean = f"mean_test_{metric}"
    with pq.ParquetFile(path) as file:
        known = set(file.schema_arrow.names)
        if not {mean, "ended_s"} <= known:
            return ()
        names = [*SEARCH, "candidate", "params", "outcome", mean, "ended_s"]
        table = file.read([*names, *({"iter"} & known)])
    here = [one for one in table["point"].unique().to_pylist() if _same_point(one, point)]
    found = []
    for row in table.filter(pc.equal(table["outcome"], "completed")).to_pylist():
        score, ended_s = number_or_none(row[mean]), number_or_none(row["ended_s"])
        if row["point"] in here and score is not None and ended_s is not None and ended_s >= 0:
            found.append(
                Scored(
                    engine=str(row["engine"]),
                    implementation=str(row["implementation"]),
                    round=int(row["round"]),
                    repeat=int(row["repeat"]),
                    rung=whole(row.get("iter")) or 0,
                    number=whole(row["candidate"]),
                    params=str(row["params"]),
                    score=score,
                    ended_s=ended_s,
                )
            )
    return tuple(sorted(found, key=lambda one: one.ended_s))


def _same_point(text: str, point: str) -> bool:
    return point_key(json.loads(text)) == point
