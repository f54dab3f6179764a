"""Build the comparison of the engines from the records of a run.

Nothing here formats a page: `terminal`, `markdown` and `notebook` show what is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.metrics import METRICS
from experiments.report import columns as of
from experiments.report.answer import answer
from experiments.report.columns import SHOWN_PHASES, Column
from experiments.report.disagreements import find_disagreements, labels_compared
from experiments.report.footnotes import Footnotes, footnotes_of
from experiments.report.halving import read_resource
from experiments.report.null_run import BASELINE, find_null_run, tell_noise
from experiments.report.numbers import memory, seconds
from experiments.report.rows import Cell, Row, Rows, missing, once
from experiments.report.searches import about_search, budget_cut, search_rows, time_budget
from experiments.report.simulations import simulation_rows
from experiments.report.summary import summarise
from experiments.report.text import definition_value
from experiments.report.times import main_kind
from experiments.report.work import FIT, SEARCH, TASKS, Work, asked_work, choose_work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from experiments.records import Phase, Record
    from experiments.report.disagreements import Disagreement
    from experiments.report.folder import RunFiles
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
class Problem:
    """Why an engine did not complete.

    Parameters
    ----------
    engine, outcome, where, message : str
        What happened to which engine, in which round and repeat.
    log : str or None
        Path of its log, relative to the run folder.
    phase : Phase or None
        The phase that was cut short, with what it had used by then.
    """

    engine: str
    outcome: str
    where: str
    message: str
    log: str | None
    phase: Phase | None = None

    @property
    def when(self) -> str:
        """Where in the run it happened, and how far the phase was that it cut short."""
        parts = [self.where]
        if self.phase is not None:
            parts.append(
                f"in phase {self.phase.name} after {seconds(self.phase.wall_s)}, "
                f"peak {memory(self.phase.peak_memory_bytes)}"
            )
        return ", ".join(part for part in parts if part)


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
            tuple(_accuracy(builder, agreement, notes)),
            "of the refitted winner" if work is SEARCH else "",
        ),
        Group("Time", tuple(_time(builder))),
        Group("Resources", tuple(_resources(builder, work))),
    )
    disagreements = find_disagreements(columns, agreement)
    compared = labels_compared(columns, agreement) if _clusters(files, point, columns) else None
    main = main_kind(columns)
    floor = _floor(groups, f"{work.phase}_{main}_wall_s")
    return Table(
        point=point,
        granted=_granted(files, point),
        rows_asked=_rows_asked(files.about(point)),
        heads=heads,
        # rows of nothing but outcomes say no more than the heads
        groups=tuple(group for group in groups if group.rows) if files.records else (),
        baseline=None if baseline is None else heads[columns.index(baseline)],
        disagreements=disagreements,
        problems=(
            *(problem for one in columns for problem in _problems(one, one.title)),
            *(_problems(null.again, null.name) if null else ()),
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
        null_run=""
        if work is SEARCH and budget_cut(columns)
        else tell_noise(null, floor, work, main),
    )


def _floor(groups: Iterable[Group], key: str) -> NoiseFloor | None:
    """Return the noise floor of one row."""
    return next((row.noise for group in groups for row in group.rows if row.key == key), None)


def columns_at(files: RunFiles, point: dict[str, Any]) -> list[Column]:
    """Return a column for each engine and implementation, in the order asked."""
    here = files.records_at(point)
    rounds, repeats = _planned(files.asked_at(point))
    columns = []
    for engine in files.engines:
        own = [record for record in here if record.engine == engine]
        implementations = dict.fromkeys(record.implementation for record in own)
        columns += [
            Column(
                engine,
                implementation,
                tuple(one for one in own if one.implementation == implementation),
                rounds,
                repeats,
            )
            for implementation in implementations or ("library",)
        ]
    return columns


def _planned(asked: dict[str, Any]) -> tuple[int, int]:
    """Return the planned processes and records of each; 0 where the definition is not there."""
    measure = asked.get("measure")
    if not isinstance(measure, dict):
        return 0, 0
    # a search is its own repetition: without being asked it is not repeated
    unsaid = 0 if asked_work(asked) is SEARCH else 1
    rounds, warm = measure.get("rounds", 1), measure.get("warm_repeats", unsaid)
    known = isinstance(rounds, int) and isinstance(warm, int)
    return (rounds, 1 + warm) if known else (0, 0)


def _granted(files: RunFiles, point: dict[str, Any]) -> str:
    """Say with what every engine did its work at a point, and how often."""
    resources = files.resources(point)
    parts = []
    if isinstance(cores := resources.get("cores"), int):
        parts.append(f"{cores} core{'' if cores == 1 else 's'}")
    if isinstance(limit := resources.get("memory_bytes"), int):
        parts.append(memory(limit))
    given = f"{' and '.join(parts)} for each engine" if parts else ""
    asked = files.asked_at(point)
    rounds, repeats = _planned(asked)
    plan = ""
    if repeats:
        once_each = asked_work(asked).one
        plan = (
            f"{rounds} round{'' if rounds == 1 else 's'} of 1 cold {once_each} and "
            f"{repeats - 1} warm"
        )
    return "; ".join(part for part in (given, plan) if part)


def _clusters(files: RunFiles, point: dict[str, Any], columns: Sequence[Column]) -> bool:
    """Tell whether the engines looked for clusters at a point."""
    if task := files.about(point).get("task"):
        return bool(task == "clustering")
    names = [name for one in columns for name in one.metric_names() if name in METRICS]
    return any("clustering" in METRICS[name].tasks for name in names)


def _baseline(columns: Sequence[Column]) -> Column | None:
    eligible = [one for one in columns if one.counts]
    return next((one for one in eligible if one.engine == BASELINE), next(iter(eligible), None))


def _accuracy(
    rows: Rows, agreement: dict[frozenset[str], float], notes: Footnotes
) -> Iterable[Row]:
    names = dict.fromkeys(name for one in rows.columns for name in one.metric_names())
    for name in names:
        metric = METRICS.get(name)
        marks = []
        for one in rows.columns:
            if len(set(one.metric(name))) > 1:
                shown = metric.title if metric else name
                marks.append(
                    notes.add(
                        one.title,
                        f"{shown} differs between repeats of the same seed; its spread is shown.",
                    )
                )
        row = rows.make(
            name,
            metric.title if metric else name,
            "score",
            lambda column, name=name: once(column.metric(name)),  # type: ignore[misc]
            metric.description if metric else "",
            marks=tuple(dict.fromkeys(marks)),
        )
        yield row or Row(
            name,
            metric.title if metric else name,
            "score",
            tuple(
                Cell(text="undefined" if one.metric(name) else missing(one)) for one in rows.columns
            ),
            metric.description if metric else "",
        )
    if any(one.engine in pair for pair in agreement for one in rows.columns):
        yield _agreement(rows, agreement)
    yield from simulation_rows(rows)
    iterations = rows.make(
        "n_iter",
        "Iterations",
        "number",
        lambda column: once([one.model.get("n_iter") for one in column.records]),
        "Iterations over the training rows until the engine's own stopping rule was met.",
    )
    if iterations:
        yield iterations


def _agreement(rows: Rows, agreement: dict[frozenset[str], float]) -> Row:
    compared = [one.engine for one in rows.columns if any(one.engine in pair for pair in agreement)]
    to = BASELINE if BASELINE in compared else compared[0]
    cells = []
    for one in rows.columns:
        rand = 1.0 if one.engine == to else agreement.get(frozenset((to, one.engine)))
        cells.append(Cell(summarise([rand]), text="" if rand is not None else missing(one)))
    return Row(
        "adjusted_rand_to_baseline",
        f"Adj. Rand to {of.title(to)}",
        "score",
        tuple(cells),
        f"Adjusted Rand index: agreement of an engine's clusters with those of {of.title(to)} on "
        "the scored rows, 1 for the same clusters, about 0 for unrelated ones.",
    )


def _time(rows: Rows) -> Iterable[Row]:
    def wall(name: str, *, warm: bool | None = None) -> Callable[[Column], list[float | None]]:
        return lambda column: column.of_phase(name, lambda phase: phase.wall_s, warm=warm)

    phases = [p for one in rows.columns for record in one.records for p in record.phases]
    names = {phase.name for phase in phases if phase.ended}
    others = sorted(names - set(SHOWN_PHASES))
    made = (
        rows.make(
            "start_wall_s",
            "start",
            "seconds",
            wall("start"),
            "Import the engine's libraries and start its session: workers, the JVM.",
            ratio=True,
        ),
        rows.make(
            "load_wall_s",
            "load",
            "seconds",
            wall("load"),
            "Read the prepared rows and hold them in the engine's memory.",
            ratio=True,
        ),
        *(row for work in (SEARCH, TASKS, FIT) for row in _main_times(rows, work, wall)),
        *_refit_times(rows, wall),
        rows.make(
            "predict_cold_wall_s",
            "predict, cold",
            "seconds",
            wall("predict", warm=False),
            "The first prediction of all scored rows, brought to the host.",
            ratio=True,
        ),
        rows.make(
            "predict_warm_wall_s",
            "predict, warm",
            "seconds",
            wall("predict", warm=True),
            "Every further prediction in the same process.",
            ratio=True,
        ),
        rows.make(
            "other_wall_s",
            ", ".join(others),
            "seconds",
            lambda column: column.of_child(of.other_wall_of_child),
            "What else the process was asked for: save the predictions, inspect what it was "
            "granted, stop the session.",
            ratio=True,
            whole=True,
        ),
        rows.make(
            "total_wall_s",
            "whole process",
            "seconds",
            lambda column: column.of_child(of.wall_of_child),
            "One process from its start to its end, with all that it was asked to do.",
            ratio=True,
            whole=True,
        ),
        rows.make(
            "unaccounted_s",
            "of it unaccounted",
            "seconds",
            lambda column: column.of_child(of.unaccounted_of_child),
            "Seconds of the process that no phase explains, and their share of the whole.",
            share_of=lambda column: column.of_child(of.wall_of_child),
        ),
    )
    return (row for row in made if row)


def _main_times(
    rows: Rows, work: Work, wall: Callable[..., Callable[[Column], list[float | None]]]
) -> Iterable[Row | None]:
    """Return the rows of the phase that a comparison is about, cold and warm."""
    yield rows.make(
        f"{work.phase}_cold_wall_s",
        f"{work.phase}, cold",
        "seconds",
        wall(work.phase, warm=False),
        f"The first {work.one} of a process.",
        ratio=True,
    )
    yield rows.make(
        f"{work.phase}_warm_wall_s",
        f"{work.phase}, warm",
        "seconds",
        wall(work.phase, warm=True),
        f"Every further {work.one} in the same process.",
        ratio=True,
    )


def _refit_times(
    rows: Rows, wall: Callable[..., Callable[[Column], list[float | None]]]
) -> Iterable[Row | None]:
    """Return the rows of refits: cold and warm apart where there are both."""
    meaning = "Fit the best candidate on all training rows"
    warm, cold = (
        any(value is not None for one in rows.columns for value in wall("refit", warm=which)(one))
        for which in (True, False)
    )
    if not (warm and cold):
        yield rows.make(
            "refit_wall_s", "refit", "seconds", wall("refit"), f"{meaning}.", ratio=True
        )
        return
    for which, repeats in (("cold", "first search"), ("warm", "further searches")):
        yield rows.make(
            f"refit_{which}_wall_s",
            f"refit, {which}",
            "seconds",
            wall("refit", warm=which == "warm"),
            f"{meaning}, after the {repeats} of a process.",
            ratio=True,
        )


def _resources(rows: Rows, work: Work) -> Iterable[Row]:
    warm = any(record.warm for one in rows.columns for record in one.records)
    which = "warm" if warm else "cold"
    made = (
        rows.make(
            f"{work.phase}_cpu_s",
            f"CPU time, {work.phase} {which}",
            "seconds",
            lambda column: column.of_phase(work.phase, lambda phase: phase.cpu_s, warm=warm),
            f"CPU seconds of the whole process tree in one {work.one}.",
            ratio=True,
        ),
        rows.make(
            "total_cpu_s",
            "CPU time, whole",
            "seconds",
            lambda column: column.of_child(of.cpu_of_child),
            "CPU seconds of the whole process tree in all phases of one process.",
            ratio=True,
            whole=True,
        ),
        rows.make(
            f"{work.phase}_cores_used",
            f"cores used, {work.phase} {which}",
            "number",
            lambda column: column.of_phase(work.phase, of.cores_used, warm=warm),
            f"CPU seconds per second of a {work.one}.",
        ),
        rows.make(
            "peak_memory_bytes",
            "peak memory",
            "bytes",
            lambda column: column.of_child(of.peak_memory_of_child),
            "Greatest memory of the whole process tree (proportional set size) in any phase.",
            ratio=True,
            whole=True,
        ),
        rows.make(
            "read_bytes",
            "read from storage",
            "bytes",
            lambda column: column.of_child(of.read_of_child),
            "Bytes that came from storage; what the page cache serves is not read.",
        ),
        rows.make(
            "write_bytes",
            "written to storage",
            "bytes",
            lambda column: column.of_child(of.written_by_child),
            "Bytes that the process tree wrote to storage.",
        ),
        rows.texts(
            "granted_workers",
            "granted workers",
            _workers,
            "Worker processes (Dask) or tasks at a time (Spark), and native threads of each.",
            blank=True,
        ),
        rows.make(
            "granted_memory_bytes",
            "own memory limit",
            "bytes",
            lambda column: [column.facts.get("memory_bytes")],
            "What the engine limits itself to within the memory it was granted: all workers of "
            "Dask together, the Java heap of Spark, all of it on scikit-learn. The rest is for the "
            "processes and the native memory around these.",
            blank=True,
            measured=False,
        ),
    )
    return (row for row in made if row)


def _workers(column: Column) -> str:
    workers, threads = (column.facts.get(name) for name in ("workers", "threads_per_worker"))
    if workers is None or threads is None:
        return ""
    return f"{workers} x {threads} thread{'' if threads == 1 else 's'}"


def _problems(column: Column, name: str) -> Iterable[Problem]:
    several = len(column.children) > 1
    seen = set()
    for record in column.records:
        if record.outcome == "completed":
            continue
        message = record.error.message if record.error else ""
        where = f"repeat {record.repeat + 1}"
        if several:
            where = f"round {record.round + 1}, {where}"
        # a worker that is lost stays lost: one line says so, not one a repeat
        if (record.outcome, record.round, message) in seen:
            continue
        seen.add((record.outcome, record.round, message))
        log = record.error.log if record.error else None
        yield Problem(name, record.outcome, where, message, log, _cut_short(record))
    if column.outcome == of.NOT_FINISHED:
        done = f"{len(column.records)} of {column.planned} repeats were measured"
        yield Problem(name, column.outcome, "", f"{done} before the run ended.", None)


def _cut_short(record: Record) -> Phase | None:
    """Return the phase in which an engine ended before its time."""
    return next((phase for phase in record.phases if not phase.ended), None)


def _rows_asked(about: dict[str, Any]) -> str:
    dataset = about.get("dataset")
    parts = []
    if isinstance(dataset, dict) and isinstance(dataset.get("counts"), dict):
        counts = dataset["counts"]
        rows = sum(count for count in counts.values() if isinstance(count, int))
        parts.append(
            f"{rows:,} rows x {dataset.get('n_features', '?')} features "
            f"({dataset.get('dtype', '?')})"
        )
        parts.append(f"trained on {counts.get('train', 0):,}")
    if about.get("scored_on"):
        parts.append(f"scored on {about['scored_on']}")
    return "; ".join(parts)
