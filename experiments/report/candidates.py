"""The best candidates of each search, from the table of all of them."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from experiments.errors import RequestError
from experiments.metrics import METRICS
from experiments.records import point_key
from experiments.report.wording import number_or_none
from experiments.search.log import JOURNAL_FILE, TABLE_FILE, write_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

MOST_SHOWN = 10

_T = TypeVar("_T")

_SEARCH = ("engine", "implementation", "point", "round", "repeat")
_CANDIDATE = ("iter", "n_resources", "candidate", "params", "outcome")
# engine, implementation, round, repeat and number of a candidate
GivenKey: TypeAlias = tuple[str, str, int, int, int]
_SECONDS = ("mean_fit_time", "mean_score_time")
_NEEDED = (*_SEARCH, "candidate", "params", "outcome")


@dataclass(frozen=True)
class Candidate:
    """One candidate of a search.

    Parameters
    ----------
    number : int or None
        In the order drawn.
    params : str
        Its parameters, as JSON.
    n_resources : int or None
        What a round of halving gave it; None without halving.
    scores, std : dict
        Metric to mean and to standard deviation over the held-out folds.
    fit_s, score_s : float or None
        Mean seconds of a fit, and of predicting and scoring.
    """

    number: int | None
    params: str
    n_resources: int | None
    scores: dict[str, float | None]
    std: dict[str, float | None]
    fit_s: float | None
    score_s: float | None


@dataclass(frozen=True)
class BestCandidates:
    """The best candidates of one engine at one point.

    Parameters
    ----------
    engine, implementation : str
        Whose they are.
    point : dict
        Values of the swept keys.
    metrics : tuple of str
        On the held-out folds; the one that orders the candidates comes first.
    outcomes : dict
        Outcome to number of candidates; halving counts a candidate in each of its rounds.
    rounds : int
        Rounds that any candidate has reached: 1 without halving.
    candidates : tuple of Candidate
        At most `MOST_SHOWN` that completed, the best first.
    """

    engine: str
    implementation: str
    point: dict[str, Any]
    metrics: tuple[str, ...]
    outcomes: dict[str, int]
    rounds: int
    candidates: tuple[Candidate, ...]


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


def best_candidates(folder: Path, refits: Mapping[str, str]) -> tuple[BestCandidates, ...]:
    """Read the best candidates of each engine at each point, of its first repeat.

    Parameters
    ----------
    folder : pathlib.Path
        The run folder.
    refits : mapping of str to str
        Key of a point to the metric that chose the winner there.

    Returns
    -------
    tuple of BestCandidates
        In the order of the file.

    Raises
    ------
    RequestError
        If there is no table of candidates, or it cannot be read.
    """
    return _from_table(
        folder, lambda path: tuple(_best(search, refits) for search in _searches(_read(path)))
    )


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
        outcomes = _from_table(folder, _read_outcomes)
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
    return _from_table(folder, lambda path: _read_given(path, point))


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
    return _from_table(folder, lambda path: _read_scored(path, point, metric))


def _from_table(folder: Path, read: Callable[[Path], _T]) -> _T:
    """Read something from the table of candidates, which may be spoilt in any way."""
    import pyarrow as pa

    path = open_candidates(folder)
    try:
        return read(path)
    except (OSError, LookupError, ValueError, TypeError, pa.ArrowException) as exc:
        reason = str(exc.args[0] if isinstance(exc, KeyError) else exc).partition("\n")[0]
        raise RequestError(
            f"{TABLE_FILE} cannot be read: {reason.rstrip('.') or type(exc).__name__}."
        ) from exc


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
        names = [*_SEARCH, "candidate", "params", "outcome", mean, "ended_s"]
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
                    rung=_whole(row.get("iter")) or 0,
                    number=_whole(row["candidate"]),
                    params=str(row["params"]),
                    score=score,
                    ended_s=ended_s,
                )
            )
    return tuple(sorted(found, key=lambda one: one.ended_s))


def _same_point(text: str, point: str) -> bool:
    return point_key(json.loads(text)) == point


def _read(path: Path) -> pa.Table:
    """Read the columns that are shown."""
    import pyarrow.parquet as pq

    # pq.read_table would take a folder's name such as a=b for a partition
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        if lacking := [name for name in _NEEDED if name not in names]:
            raise KeyError(f"it has no column {lacking[0]}")
        wanted = {*_SEARCH, *_CANDIDATE, *_SECONDS}
        starts = ("mean_test_", "std_test_")
        return file.read([name for name in names if name in wanted or name.startswith(starts)])


def _searches(table: pa.Table) -> Iterator[pa.Table]:
    """Yield the candidates of each engine at each point, in its first round and repeat."""
    import pyarrow.compute as pc

    keys = table.select(_SEARCH).group_by(_SEARCH, use_threads=False).aggregate([]).to_pylist()
    seen = set()
    for key in sorted(keys, key=lambda one: (one["round"], one["repeat"])):
        whose = (key["engine"], key["implementation"], key["point"])
        if whose in seen:
            continue
        seen.add(whose)
        mask = None
        for name, value in key.items():
            equal = pc.equal(table[name], value)
            mask = equal if mask is None else pc.and_(mask, equal)
        yield table.filter(mask)


def _best(table: pa.Table, refits: Mapping[str, str]) -> BestCandidates:
    first = table.select(_SEARCH).slice(0, 1).to_pylist()[0]
    point = json.loads(first["point"])
    if not isinstance(point, dict):
        raise TypeError("a point is no JSON object")
    starts = "mean_test_"
    metrics = [name.removeprefix(starts) for name in table.column_names if name.startswith(starts)]
    refit = refits.get(point_key(point), "")
    metrics.sort(key=lambda name: name != refit)
    counts = table["outcome"].value_counts().to_pylist()
    return BestCandidates(
        engine=str(first["engine"]),
        implementation=str(first["implementation"]),
        point=point,
        metrics=tuple(metrics),
        outcomes={str(one["values"]): one["counts"] for one in counts},
        rounds=len(table["iter"].unique()) if "iter" in table.column_names else 1,
        candidates=tuple(_candidate(row, metrics) for row in _leading(table, metrics)),
    )


def _leading(table: pa.Table, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Return the best completed rows: of halving those of the latest round first."""
    import pyarrow.compute as pc

    table = table.filter(pc.equal(table["outcome"], "completed"))
    order = []
    if "iter" in table.column_names:
        order.append(("iter", "descending"))
    if metrics:
        better = metrics[0] not in METRICS or METRICS[metrics[0]].higher_is_better
        order.append((f"mean_test_{metrics[0]}", "descending" if better else "ascending"))
    order.append(("candidate", "ascending"))
    rows: list[dict[str, Any]] = []
    seen = set()
    # halving has a candidate once a round, and its latest round says most of it
    indices = pc.sort_indices(table, sort_keys=order)
    for start in range(0, len(indices), MOST_SHOWN):
        for row in table.take(indices.slice(start, MOST_SHOWN)).to_pylist():
            if row["candidate"] not in seen:
                seen.add(row["candidate"])
                rows.append(row)
        if len(rows) >= MOST_SHOWN:
            break
    return rows[:MOST_SHOWN]


def _candidate(row: dict[str, Any], metrics: Sequence[str]) -> Candidate:
    return Candidate(
        number=_whole(row["candidate"]),
        params=str(row["params"]),
        n_resources=_whole(row.get("n_resources")),
        scores={name: number_or_none(row.get(f"mean_test_{name}")) for name in metrics},
        std={name: number_or_none(row.get(f"std_test_{name}")) for name in metrics},
        fit_s=number_or_none(row.get("mean_fit_time")),
        score_s=number_or_none(row.get("mean_score_time")),
    )


def _whole(value: object) -> int | None:
    number = number_or_none(value)
    return None if number is None else int(number)
