"""Build the comparison of the engines from the records of a run.

Nothing here formats a page: `terminal`, `markdown` and `notebook` show what is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.metrics import METRICS
from experiments.report.accuracy_rows import accuracy_rows
from experiments.report.answer import answer
from experiments.report.disagreements import find_disagreements, labels_compared
from experiments.report.footnotes import Footnotes, footnotes_of
from experiments.report.halving import read_resource
from experiments.report.null_run import BASELINE, find_null_run, tell_noise, warn_of_favour
from experiments.report.planned import columns_at, granted, rows_asked
from experiments.report.problems import find_problems
from experiments.report.resource_rows import resource_rows
from experiments.report.rows import Rows
from experiments.report.search_rows import search_rows
from experiments.report.searches import about_search, budget_cut, time_budget
from experiments.report.text import definition_value
from experiments.report.time_rows import time_rows
from experiments.report.times import main_kind
from experiments.report.work import SEARCH, choose_work
from experiments.report.workers import worker_tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from experiments.report.columns import Column
    from experiments.report.disagreements import Disagreement
    from experiments.report.folder import RunFiles
    from experiments.report.problems import Problem
    from experiments.report.rows import Row
    from experiments.report.workers import WorkerTable
    from experiments.statistics.noise import NoiseFloor


@dataclass(frozen=True)
class Group:
    """Rows under one heading.

    Parameters
    ----------
    title : str
        Stable name.
    rows : tuple of Row
        At least one.
    of : str
        What its numbers are of, where that is not plain.
    """

    title: str
    rows: tuple[Row, ...]
    of: str = ""

    @property
    def heading(self) -> str:
        """The name with what the numbers are of."""
        return f"{self.title} {self.of}".strip()


@dataclass(frozen=True)
class Head:
    """Top of a column.

    Parameters
    ----------
    engine, title, implementation : str
        Whose column it is.
    outcome : str
        One of `experiments.records.OUTCOMES`, or "not finished".
    marks : tuple of int
        Footnotes.
    """

    engine: str
    title: str
    implementation: str
    outcome: str
    marks: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Engine and implementation."""
        return f"{self.title} ({self.implementation})"


@dataclass(frozen=True)
class Table:
    """The engines side by side at one point of a sweep.

    Parameters
    ----------
    point : dict
        Values of the swept keys; empty without a sweep.
    granted : str
        With what every engine did it, and how often.
    rows_asked : str
        The data: what was learned from, and what was scored on.
    heads : tuple of Head
        The columns.
    groups : tuple of Group
        Search where there was one, its cold and warm ones apart if need be, then Accuracy, Time
        and Resources.
    baseline : Head or None
        The column that ratios refer to; None where no engine completed.
    disagreements : tuple of Disagreement
        Where the engines answer differently.
    problems : tuple of Problem
        Why engines did not complete.
    answer : str
        What the table says, in words.
    labels_compared : bool
        False where two engines found clusters and nobody compared their labels.
    searched : str
        What was searched and how; empty without a search.
    null_run : str
        What the null run shows of the times that decide, in words; empty without one.
    warning : str
        That these times favour one of two identical runs; empty where they do not.
    workers : tuple of WorkerTable
        What each worker of a cluster used; empty where no engine joined one.
    """

    point: dict[str, Any]
    granted: str
    rows_asked: str
    heads: tuple[Head, ...]
    groups: tuple[Group, ...]
    baseline: Head | None
    disagreements: tuple[Disagreement, ...] = ()
    problems: tuple[Problem, ...] = ()
    answer: str = ""
    labels_compared: bool = True
    searched: str = ""
    null_run: str = ""
    warning: str = ""
    workers: tuple[WorkerTable, ...] = ()

    @property
    def noise(self) -> dict[str, NoiseFloor]:
        """By how much the baseline differed from itself in a null run, by the key of a row."""
        rows = (row for group in self.groups for row in group.rows)
        return {row.key: row.noise for row in rows if row.noise is not None}

    @property
    def title(self) -> str:
        """The point in words; empty without a sweep."""
        return ", ".join(f"{key} = {definition_value(one)}" for key, one in self.point.items())


def build_tables(files: RunFiles) -> tuple[tuple[Table, ...], tuple[str, ...]]:
    """Build one table for each point of the sweep.

    Parameters
    ----------
    files : RunFiles
        Content of a run folder.

    Returns
    -------
    tables : tuple of Table
        In the order of the plan.
    footnotes : tuple of str
        Shared by all tables; number 1 comes first.
    """
    notes = Footnotes()
    tables = tuple(_table(files, point, notes) for point in files.points)
    return tables, notes.texts


def _table(files: RunFiles, point: dict[str, Any], notes: Footnotes) -> Table:
    columns = columns_at(files, point)
    baseline = _baseline(columns)
    heads = tuple(
        Head(
            one.engine,
            one.title,
            one.implementation,
            one.outcome,
            tuple(notes.add(one.title, text) for text in footnotes_of(one)),
        )
        for one in columns
    )
    agreement = files.agreement(point)
    work = choose_work(columns, files.asked_at(point))
    null = find_null_run(files, columns, point)
    builder = Rows(columns, baseline, null)
    resource, budget = read_resource(files, point), time_budget(files.asked_at(point))
    groups = (
        *(Group(title, found) for title, found in search_rows(builder, notes, resource).items()),
        Group(
            "Accuracy",
            tuple(accuracy_rows(builder, agreement, notes)),
            "of the refitted winner" if work is SEARCH else "",
        ),
        Group("Time", tuple(time_rows(builder))),
        Group("Resources", tuple(resource_rows(builder, work))),
    )
    disagreements = find_disagreements(columns, agreement)
    compared = labels_compared(columns, agreement) if _clusters(files, point, columns) else None
    main = main_kind(columns)
    what = f"{main} {work.many}"
    floor = _floor(groups, f"{work.phase}_{main}_wall_s")
    return Table(
        point=point,
        granted=granted(files, point),
        rows_asked=rows_asked(files.about(point)),
        heads=heads,
        # rows of nothing but outcomes say no more than the heads
        groups=tuple(group for group in groups if group.rows) if files.records else (),
        baseline=None if baseline is None else heads[columns.index(baseline)],
        disagreements=disagreements,
        problems=(
            *(problem for one in columns for problem in find_problems(one, one.title)),
            *(find_problems(null.again, null.name) if null else ()),
        ),
        answer=answer(
            columns,
            agreement,
            disagreements,
            clusters=compared is not None,
            work=work,
            resource=resource,
            budget=budget,
            floor=floor,
        ),
        labels_compared=compared is not False,
        searched=about_search(columns, budget),
        # searches that a time budget ended took as long as it says
        null_run="" if work is SEARCH and budget_cut(columns) else tell_noise(null, floor, what),
        warning=warn_of_favour(null, floor, what),
        workers=worker_tables(columns, work),
    )


def _floor(groups: Iterable[Group], key: str) -> NoiseFloor | None:
    """Return the noise floor of one row."""
    return next((row.noise for group in groups for row in group.rows if row.key == key), None)


def _clusters(files: RunFiles, point: dict[str, Any], columns: Sequence[Column]) -> bool:
    """Tell whether the engines looked for clusters at a point."""
    if task := files.about(point).get("task"):
        return bool(task == "clustering")
    names = [name for one in columns for name in one.metric_names() if name in METRICS]
    return any("clustering" in METRICS[name].tasks for name in names)


def _baseline(columns: Sequence[Column]) -> Column | None:
    eligible = [one for one in columns if one.counts]
    return next((one for one in eligible if one.engine == BASELINE), next(iter(eligible), None))
