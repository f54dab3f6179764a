"""Turn the tables of a sweep into the times of each engine over the values of each swept key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from experiments.records import point_key
from experiments.report.null_run import BASELINE
from experiments.report.numbers import number
from experiments.report.searches import read_search
from experiments.report.sweeps.answers import tell_comparison_alone, tell_sweep
from experiments.report.sweeps.compared import compare, fitted
from experiments.report.sweeps.cores import ONE_CORE
from experiments.report.sweeps.floors import tell_floors
from experiments.report.sweeps.keys import CORES, find_keys, size_of
from experiments.report.sweeps.values import (
    Cost,
    Series,
    SizePoint,
    Sweep,
)
from experiments.report.work import FIT, SEARCH, TASKS, Work
from experiments.statistics.bootstrap import FEWEST_ROUNDS, middles_of
from experiments.statistics.growth import fit_growth
from experiments.statistics.noise import greater_floor
from experiments.statistics.scaling import cost, scaling

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from experiments.report.folder import RunFiles
    from experiments.report.rows import Row
    from experiments.report.sweeps.keys import SweptKey
    from experiments.report.tables import Head, Table
    from experiments.statistics.noise import NoiseFloor
# Of more sweeps only those of the main measure and of the whole process are fitted: it takes time
_MOST_FITTED = 24
_SHARED_CORES = (
    "Workers of one engine share the cores granted, whatever their number: more of them are no "
    "more resources, so there is neither speed-up nor efficiency. A sweep of resources.cores has "
    "both."
)
# Iterations that differ by no more are as good as the same work
_SAME_WORK = 1.1


@dataclass(frozen=True)
class _Measure:
    """What is timed: the row of the tables that has it, and its names."""

    name: str
    row: str
    label: str


_LOAD = _Measure("load", "load_wall_s", "load")
_WHOLE = _Measure("total", "total_wall_s", "whole process")


def build_sweeps(files: RunFiles, tables: Sequence[Table]) -> tuple[Sweep, ...]:
    """Build the sweeps of a run.

    Parameters
    ----------
    files : RunFiles
        Content of the run folder.
    tables : sequence of Table
        One for each point, as `experiments.report.tables.build_tables` makes them.

    Returns
    -------
    tuple of Sweep
        For each key with several values, those of numbers first, for each combination of the other
        keys' values, and for each measure: what the comparison is about first, warm where there is
        any warm repeat. Empty where no key has several values, and without records.
    """
    if not files.records:
        return ()
    keys = find_keys(table.point for table in tables)
    # a search that its time budget ended took the time of the budget, whoever did it
    cut = {
        point_key(record.point)
        for record in files.records
        if (search := read_search(record.model)) is not None and search.cut
    }
    rows = [_Rows(table, cut=point_key(table.point) in cut) for table in tables]
    measures = _measures(rows)
    groups = [(key, group) for key in keys for group in _groups(key, rows)]
    many = len(groups) * len(measures) > _MOST_FITTED
    sweeps = [
        _sweep(key, measure, group, fit=not many or measure in {measures[0], _WHOLE})
        for key, group in groups
        for measure in measures
    ]
    return tuple(_with_single(one, sweeps) for one in sweeps)


class _Rows:
    """One table: what each engine took in each row, and how it ended."""

    def __init__(self, table: Table, *, cut: bool) -> None:
        self.point = table.point
        self.heads = table.heads
        self.rows: dict[str, Row] = {row.key: row for one in table.groups for row in one.rows}
        self._cut = cut

    def held(self, key: str) -> dict[str, Any]:
        """Return the values of all other keys."""
        return {name: value for name, value in self.point.items() if name != key}

    def of(self, head: Head, measure: _Measure) -> tuple[tuple[float, ...], ...]:
        """Return the seconds of each repeat of each round, empty where a round has none."""
        row = self.rows.get(measure.row)
        timed = measure.name.partition("_")[0]
        if row is None or (self._cut and timed in {SEARCH.phase, "total"}):
            return ()
        cells = zip(self.heads, row.cells, strict=True)
        cell = next((cell for one, cell in cells if _same(one, head)), None)
        rounds = () if cell is None else cell.rounds
        positive = tuple(tuple(value for value in one if value > 0) for one in rounds)
        return positive if any(positive) else ()

    def outcome(self, head: Head) -> str:
        """Return how an engine ended."""
        return next((one.outcome for one in self.heads if _same(one, head)), "not finished")

    def iterations(self, series: Series) -> float | None:
        """Return the median iterations of an engine; None where it has none."""
        row = self.rows.get("n_iter")
        for head, cell in zip(self.heads, () if row is None else row.cells, strict=False):
            if (head.engine, head.implementation) == (series.engine, series.implementation):
                return None if cell.summary is None else cell.summary.median
        return None

    def noise(self, measure: _Measure) -> NoiseFloor | None:
        """Return what the null run showed of a measure."""
        row = self.rows.get(measure.row)
        return None if row is None else row.noise


def _same(one: Head, other: Head) -> bool:
    return (one.engine, one.implementation) == (other.engine, other.implementation)


def _measures(rows: Sequence[_Rows]) -> tuple[_Measure, ...]:
    """Return what was timed anywhere, the main one first."""
    known = {key for one in rows for key in one.rows}
    work = next(
        (one for one in (SEARCH, TASKS, FIT) if {_cold(one).row, _warm(one).row} & known), FIT
    )
    return tuple(one for one in (_warm(work), _cold(work), _LOAD, _WHOLE) if one.row in known)


def _warm(work: Work) -> _Measure:
    return _Measure(f"{work.phase}_warm", f"{work.phase}_warm_wall_s", f"warm {work.one}")


def _cold(work: Work) -> _Measure:
    return _Measure(f"{work.phase}_cold", f"{work.phase}_cold_wall_s", f"cold {work.one}")


def _groups(key: SweptKey, rows: Iterable[_Rows]) -> Iterable[list[_Rows]]:
    """Put the points together that differ in one key alone, ordered by its values."""
    groups: dict[str, list[_Rows]] = {}
    for one in rows:
        if key.key in one.point:
            groups.setdefault(point_key(one.held(key.key)), []).append(one)
    for group in groups.values():
        if len(group) > 1:
            yield sorted(group, key=lambda one: key.values.index(one.point[key.key]))


def _sweep(key: SweptKey, measure: _Measure, group: Sequence[_Rows], *, fit: bool) -> Sweep:
    fit = fit and key.kind == "size"
    heads: list[Head] = []
    for one in group:
        heads += [head for head in one.heads if not any(_same(head, known) for known in heads)]
    series = tuple(_series(key, measure, group, head, heads) for head in heads)
    if fit:
        series = tuple(replace(one, growth=fit_growth(fitted(one.points))) for one in series)
    baseline = _baseline(series)
    others = [] if baseline is None else [one for one in series if one is not baseline]
    floors = [one.noise(measure) for one in group]
    sweep = Sweep(
        key=key.key,
        label=key.label,
        unit=key.unit,
        kind=key.kind,
        held=group[0].held(key.key),
        measure=measure.name,
        measure_label=measure.label,
        series=series,
        baseline="" if baseline is None else baseline.title,
        comparisons=tuple(
            compare(one, baseline, floors, fit=fit) for one in others if baseline is not None
        ),
        floors=tuple(floors),
    )
    if fit:
        sweep = replace(sweep, notes=tuple(_tell_iterations(sweep, group)))
    if key.key == CORES:
        sweep = _with_scaling(sweep)
    elif key.kind == "workers":
        sweep = replace(sweep, notes=(_SHARED_CORES,))
    return replace(sweep, noise=tell_floors(sweep), answer=tell_sweep(sweep))


def _tell_iterations(sweep: Sweep, group: Sequence[_Rows]) -> Iterable[str]:
    """Say where engines iterated more at one size than at another: a unit is then more work."""
    told = []
    for series in sweep.series:
        if series.growth is None:
            continue
        counts = [
            count
            for one, point in zip(group, series.points, strict=True)
            if point.counts and (count := one.iterations(series)) is not None
        ]
        if counts and max(counts) > _SAME_WORK * min(counts):
            told.append(f"{series.title} {number(min(counts))} to {number(max(counts))}")
    if told:
        yield (
            f"Iterations differ between sizes ({', '.join(told)}), so that each {sweep.unit} is "
            "not the same work everywhere."
        )


def _series(
    key: SweptKey, measure: _Measure, group: Sequence[_Rows], head: Head, heads: Sequence[Head]
) -> Series:
    points = tuple(
        SizePoint(
            value=one.point[key.key],
            size=None if key.kind == "other" else size_of(one.point[key.key]),
            rounds=one.of(head, measure),
            outcome=one.outcome(head),
        )
        for one in group
    )
    alone = sum(other.engine == head.engine for other in heads) == 1
    completed = [point.value for point in points if point.outcome == "completed"]
    return Series(
        engine=head.engine,
        title=head.title if alone else head.name,
        implementation=head.implementation,
        points=points,
        growth=None,
        largest_completed=completed[-1] if completed and key.kind != "other" else None,
    )


def _baseline(series: Sequence[Series]) -> Series | None:
    """Return the engine that the others are compared with, which may lack some of the values."""
    if len(series) < 2:
        return None
    timed = [one for one in series if any(point.counts for point in one.points)]
    return next((one for one in timed if one.engine == BASELINE), next(iter(timed), None))


def _with_single(sweep: Sweep, sweeps: Sequence[Sweep]) -> Sweep:
    """Return a sweep over sizes on the most cores with what one core of scikit-learn does there."""
    cores = sweep.held.get(CORES)
    alike = {
        one.held[CORES]: one
        for one in sweeps
        if (one.key, one.measure) == (sweep.key, sweep.measure)
        and {**one.held, CORES: cores} == sweep.held
    }
    one_core = alike.get(1)
    if sweep.kind != "size" or one_core is None or sweep is one_core or cores != max(alike):
        return sweep
    single = next((one for one in one_core.series if one.engine == BASELINE), None)
    fit = any(one.growth is not None for one in sweep.series)
    others = [one for one in sweep.series if one.engine != BASELINE]
    if single is None or not others or sweep.values != one_core.values:
        return sweep
    floors = tuple(map(greater_floor, sweep.floors, one_core.floors))
    series = [replace(one, title=f"{one.title} on {cores} cores") for one in others]
    single = replace(single, title=ONE_CORE)
    against = replace(
        sweep,
        series=(*series, single),
        baseline=ONE_CORE,
        comparisons=tuple(compare(one, single, floors, fit=fit, paired=False) for one in series),
        floors=floors,
        noise="",
        notes=(),
    )
    against = replace(against, answer=tell_comparison_alone(against))
    return replace(
        sweep, single=against, answer=" ".join(filter(None, (sweep.answer, against.answer)))
    )


def _with_scaling(sweep: Sweep) -> Sweep:
    """Return a sweep over cores with what more of them bring."""
    found = ((one.title, scaling(fitted(one.points))) for one in sweep.series)
    return replace(
        sweep,
        scaling=tuple((title, scaled) for title, scaled in found if scaled is not None),
        costs=_costs(sweep),
    )


def _costs(sweep: Sweep) -> tuple[Cost, ...]:
    """Return with how many cores each engine beats scikit-learn on one."""
    single = next((one for one in sweep.series if one.engine == BASELINE), None)
    if single is None:
        return ()
    at = dict(zip((point.size for point in single.points), sweep.floors, strict=True))
    # a number of cores and one core are two points, either of which may be the noisier
    floors = {size: greater_floor(floor, at.get(1)) for size, floor in at.items() if size}
    thread = next((one for one in single.points if one.size == 1 and one.counts), None)
    found = []
    for one in sweep.series:
        points = fitted(one.points)
        if one is single or not points:
            continue
        most = max(point.size for point in points)
        enough = any(_has_enough(point.rounds) for point in points)
        if thread is None or not enough or not _has_enough(thread.rounds):
            found.append(Cost(one.engine, one.title, "unknown", None, most))
            continue
        fewest = cost(points, thread.rounds, floors)
        verdict: Literal["from", "never"] = "never" if fewest is None else "from"
        found.append(Cost(one.engine, one.title, verdict, fewest, most))
    return tuple(found)


def _has_enough(rounds: Sequence[Sequence[float]]) -> bool:
    return len(middles_of(rounds)) >= FEWEST_ROUNDS
