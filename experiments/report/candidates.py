"""The best candidates of each search, from the table of all of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.metrics import METRICS
from experiments.records import point_key
from experiments.report.candidate_table import SEARCH, from_table, whole
from experiments.report.wording import number_or_none

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

MOST_SHOWN = 10

_CANDIDATE = ("iter", "n_resources", "candidate", "params", "outcome")
_SECONDS = ("mean_fit_time", "mean_score_time")
_NEEDED = (*SEARCH, "candidate", "params", "outcome")


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
    return from_table(
        folder, lambda path: tuple(_best(search, refits) for search in _searches(_read(path)))
    )


def _read(path: Path) -> pa.Table:
    """Read the columns that are shown."""
    import pyarrow.parquet as pq

    # pq.read_table would take a folder's name such as a=b for a partition
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        if lacking := [name for name in _NEEDED if name not in names]:
            raise KeyError(f"it has no column {lacking[0]}")
        wanted = {*SEARCH, *_CANDIDATE, *_SECONDS}
        starts = ("mean_test_", "std_test_")
        return file.read([name for name in names if name in wanted or name.startswith(starts)])


def _searches(table: pa.Table) -> Iterator[pa.Table]:
    """Yield the candidates of each engine at each point, in its first round and repeat."""
    import pyarrow.compute as pc

    keys = table.select(SEARCH).group_by(SEARCH, use_threads=False).aggregate([]).to_pylist()
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
    first = table.select(SEARCH).slice(0, 1).to_pylist()[0]
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
        number=whole(row["candidate"]),
        params=str(row["params"]),
        n_resources=whole(row.get("n_resources")),
        scores={name: number_or_none(row.get(f"mean_test_{name}")) for name in metrics},
        std={name: number_or_none(row.get(f"std_test_{name}")) for name in metrics},
        fit_s=number_or_none(row.get("mean_fit_time")),
        score_s=number_or_none(row.get("mean_score_time")),
    )
