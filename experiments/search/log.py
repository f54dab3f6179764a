"""What is kept of each candidate: a journal that grows, and a table made from it.

Every score is appended to ``candidates.jsonl`` as it arrives, so that a search that is killed keeps
what it had. ``candidates.parquet`` holds the same, a row a candidate, and is written anew every now
and then, aside and then renamed; `write_table` makes it from the journal alone.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.records import plain
from experiments.search.standing import deviation, direction, mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

JOURNAL_FILE = "candidates.jsonl"
TABLE_FILE = "candidates.parquet"

# seconds between two tables, or so many times what the last one took
_LEAST_SECONDS = 2.0
_TIMES_THE_LAST = 20.0
# seconds after which what the journal holds is forced to the disk
_SYNC_SECONDS = 1.0


@dataclass(frozen=True)
class SearchKey:
    """One search: an engine at a point, in a round and a repeat.

    Parameters
    ----------
    engine, implementation : str
        Who searched.
    point : str
        JSON of the point of the sweep.
    round, repeat : int
        Both count from 0.
    """

    engine: str
    implementation: str
    point: str
    round: int
    repeat: int


@dataclass
class Candidate:
    """What is known of one candidate in one rung.

    Parameters
    ----------
    number, rung : int
        The candidate, in the order drawn; 0 without halving.
    params : dict
        Its parameters.
    n_resources : int or None
        Rows, or the value of the parameter, that the rung gives to a candidate.
    n_folds : int
        Scores that it has in the end.
    """

    number: int
    rung: int
    params: dict[str, Any]
    n_resources: int | None
    n_folds: int
    scores: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """``completed``, ``failed``, ``not run`` for want of time, or ``unfinished``."""
        if any(score["error"] for score in self.scores.values()):
            return "failed"
        if len(self.scores) < self.n_folds:
            return "unfinished"
        skipped = any(score["fit_s"] is None for score in self.scores.values())
        return "not run" if skipped else "completed"

    @property
    def error(self) -> str | None:
        """The first error of its folds."""
        errors = (self.scores[fold]["error"] for fold in sorted(self.scores))
        return next((error for error in errors if error), None)

    def of_folds(self, metric: str) -> list[float | None]:
        """Return a metric on every fold; None where it is missing or undefined."""
        return [
            self.scores[fold]["scores"].get(metric) if fold in self.scores else None
            for fold in range(self.n_folds)
        ]

    def seconds(self, name: str) -> list[float]:
        """Return the seconds of the folds that have them."""
        found = (score[name] for score in self.scores.values())
        return [value for value in found if value is not None]


@dataclass
class Search:
    """One search as it stands.

    Parameters
    ----------
    key : SearchKey
        Which one.
    plan : dict
        What was planned: ``candidates``, ``rungs``, ``resource``, ``n_folds``, ``scoring``,
        ``refit``, and what a report tells of it.
    winner : tuple of int or None
        Rung and number of the candidate that was fitted in the end; None until then.
    """

    key: SearchKey
    plan: dict[str, Any]
    winner: tuple[int, int] | None = None
    candidates: dict[tuple[int, int], Candidate] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number in range(len(self.plan["candidates"])):
            self.candidate(number, 0)

    @property
    def planned(self) -> int:
        """Number of candidates of all rungs together."""
        return sum(rung["n_candidates"] for rung in self.plan["rungs"])

    def candidate(self, number: int, rung: int) -> Candidate:
        """Return what is known of a candidate in a rung, which begins with nothing."""
        key = (rung, number)
        if key not in self.candidates:
            resource = self.plan["resource"]
            n_resources = self.plan["rungs"][rung]["n_resources"] if resource else None
            params = dict(self.plan["candidates"][number])
            if resource not in {None, "rows"}:
                params[resource] = n_resources
            self.candidates[key] = Candidate(
                number, rung, params, n_resources, self.plan["n_folds"]
            )
        return self.candidates[key]

    def with_outcome(self, outcome: str) -> list[Candidate]:
        """Return the candidates that ended in one way."""
        return [one for one in self.candidates.values() if one.outcome == outcome]

    def best(self) -> Candidate | None:
        """Return the winner, or the best candidate so far: of the last rung that has one."""
        if self.winner is not None:
            return self.candidates[self.winner]
        metric = self.plan["refit"]
        for rung in reversed(range(len(self.plan["rungs"]))):
            standing = [
                (direction(metric) * value, one)
                for one in self.with_outcome("completed")
                if one.rung == rung and (value := mean(one.of_folds(metric))) is not None
            ]
            if standing:
                return max(standing, key=lambda pair: (pair[0], -pair[1].number))[1]
        return None


class CandidateLog:
    """Keep the scores of every search of a run, on the disk as they arrive.

    Parameters
    ----------
    folder : pathlib.Path
        The run folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._searches: dict[SearchKey, Search] = {}
        self._next_table = 0.0
        self._next_sync = 0.0

    def begin(self, key: SearchKey, plan: dict[str, Any]) -> Search:
        """Note that a search begins."""
        search = Search(key, plan)
        self._searches[key] = search
        self._folder.mkdir(exist_ok=True)
        self._append({"search": vars(key), "plan": plan})
        return search

    def add(self, search: Search, score: dict[str, Any]) -> Candidate:
        """Keep one score, and return the candidate that it is of."""
        kept = {name: score[name] for name in _SCORE}
        candidate = _add(search, kept)
        self._append({"search": vars(search.key), "score": kept})
        now = time.monotonic()
        if now >= self._next_table and len(candidate.scores) == candidate.n_folds:
            self.write()
            took = time.monotonic() - now
            self._next_table = now + max(_LEAST_SECONDS, _TIMES_THE_LAST * took)
        return candidate

    def write(self) -> None:
        """Write the table of all searches, if there are any."""
        if self._searches:
            _write_table(self._folder, self._searches.values())

    def _append(self, line: dict[str, Any]) -> None:
        text = json.dumps(plain(line), ensure_ascii=False, allow_nan=False) + "\n"
        with (self._folder / JOURNAL_FILE).open("ab", buffering=0) as file:
            file.write(text.encode())
            if time.monotonic() >= self._next_sync:
                os.fsync(file.fileno())
                self._next_sync = time.monotonic() + _SYNC_SECONDS


_SCORE = ("rung", "candidate", "fold", "scores", "fit_s", "score_s", "ended_s", "worker", "error")


def write_table(folder: Path) -> None:
    """Write ``candidates.parquet`` from the journal, as far as it can be read.

    Nothing happens where there is no journal, or the table is not older than it.
    """
    journal, table = folder / JOURNAL_FILE, folder / TABLE_FILE
    if not journal.exists():
        return
    if table.exists() and table.stat().st_mtime_ns >= journal.stat().st_mtime_ns:
        return
    searches: dict[SearchKey, Search] = {}
    for line in _whole_lines(journal):
        key = SearchKey(**line["search"])
        if "plan" in line:
            searches[key] = Search(key, line["plan"])
        else:
            _add(searches[key], line["score"])
    if searches:
        _write_table(folder, searches.values())


def _whole_lines(journal: Path) -> Iterator[dict[str, Any]]:
    *lines, _torn = journal.read_bytes().split(b"\n")
    return (json.loads(line) for line in lines)


def _add(search: Search, score: dict[str, Any]) -> Candidate:
    candidate = search.candidate(score["candidate"], score["rung"])
    candidate.scores[score["fold"]] = score
    return candidate


def _write_table(folder: Path, searches: Iterable[Search]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [row for search in searches for row in _rows(search)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: _column([row.get(name) for row in rows]) for name in sorted(names, key=_place)}
    # a name of its own: whoever reports on a run that is under way may write the table too
    descriptor, name = tempfile.mkstemp(prefix=f".{TABLE_FILE}.", dir=folder)
    aside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            pq.write_table(pa.table(columns), file)
        aside.replace(folder / TABLE_FILE)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


_PLACES = (
    "engine",
    "implementation",
    "point",
    "round",
    "repeat",
    "iter",
    "n_resources",
    "candidate",
    "params",
    "param_",
    "rank_test_",
    "mean_test_",
    "std_test_",
    "split",
    "mean_fit_time",
    "std_fit_time",
    "mean_score_time",
    "std_score_time",
    "ended_s",
    "worker",
    "outcome",
    "error",
)


def _place(name: str) -> int:
    """Return where a column stands; the sort is stable, so columns of a kind keep their order."""
    if name in _PLACES:
        return _PLACES.index(name)
    return next(place for place, start in enumerate(_PLACES) if name.startswith(start))


def _column(values: list[Any]) -> Any:
    """Return a column of one type; values of several types become text, as JSON has them."""
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} or (len(kinds) == 1 and kinds <= {str, bool}):
        numbers = kinds == {int, float}
        return pa.array([float(v) if numbers and v is not None else v for v in values])
    return pa.array([_text(value) for value in values])


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _rows(search: Search) -> Iterator[dict[str, Any]]:
    import numpy as np

    scoring = search.plan["scoring"]
    ranks = {metric: _ranks(search, metric) for metric in scoring}
    for key, one in search.candidates.items():
        row: dict[str, Any] = {
            **vars(search.key),
            "iter": one.rung,
            "n_resources": one.n_resources,
            "candidate": one.number,
            "params": json.dumps(one.params, ensure_ascii=False),
        }
        row |= {f"param_{name}": value for name, value in one.params.items()}
        for metric in scoring:
            folds = one.of_folds(metric)
            row[f"rank_test_{metric}"] = ranks[metric].get(key)
            row[f"mean_test_{metric}"] = mean(folds)
            row[f"std_test_{metric}"] = deviation(folds)
            row |= {f"split{fold}_test_{metric}": value for fold, value in enumerate(folds)}
        for name, column in (("fit_s", "fit_time"), ("score_s", "score_time")):
            seconds = one.seconds(name)
            row[f"mean_{column}"] = float(np.mean(seconds)) if seconds else None
            row[f"std_{column}"] = float(np.std(seconds)) if seconds else None
        # a journal of the first version has no such seconds
        ended = [score["ended_s"] for score in one.scores.values() if "ended_s" in score]
        row["ended_s"] = max(ended, default=None)
        workers = dict.fromkeys(one.scores[fold]["worker"] for fold in sorted(one.scores))
        row |= {"worker": ", ".join(workers), "outcome": one.outcome, "error": one.error}
        yield row


def _ranks(search: Search, metric: str) -> dict[tuple[int, int], int]:
    """Return the rank of each candidate among all of a search, 1 for the best.

    As in ``cv_results_``, equal means share the better rank, candidates without a mean the last,
    and those of all rungs are ranked together. One that was not run has none.
    """
    from scipy.stats import rankdata

    ended = {
        key: mean(one.of_folds(metric))
        for key, one in search.candidates.items()
        if one.outcome in {"completed", "failed"}
    }
    sign = direction(metric)
    worst = min((sign * value for value in ended.values() if value is not None), default=0.0) - 1
    values = [worst if value is None else sign * value for value in ended.values()]
    found = rankdata([-value for value in values], method="min")
    return {key: int(rank) for key, rank in zip(ended, found, strict=True)}
