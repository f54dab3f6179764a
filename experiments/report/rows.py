"""Rows of a table: one measure on all engines, summarised and compared with the baseline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from experiments.report.differences import differ
from experiments.report.summary import Summary, summarise
from experiments.statistics.bootstrap import estimate, estimate_ratio
from experiments.statistics.noise import noise_floor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from experiments.report.columns import Column
    from experiments.report.null_run import NullRun
    from experiments.statistics.bootstrap import Estimate
    from experiments.statistics.noise import NoiseFloor

# Rounds that are told apart by their number
_MOST_ROUNDS = 100_000
Unit: TypeAlias = Literal["seconds", "bytes", "score", "number", "text"]


@dataclass(frozen=True)
class Cell:
    """What one engine gave in one row.

    Parameters
    ----------
    summary : Summary or None
        The numbers, in full; None where nothing was measured.
    ratio : float or None
        The value shown as a multiple of the baseline's: that of `ratio_interval` where this has an
        interval.
    share : float or None
        The value as a share of the whole.
    text : str
        What stands in place of a number.
    deviation : float or None
        Standard deviation of what the number is the mean of.
    rounds : tuple of tuple of float
        The values of each process apart, in rows with ratios: index i is round i, and empty where
        that measured nothing. Empty as a whole where there may be no ratio.
    interval : Estimate or None
        Typical value over the rounds with its interval, of measured seconds and bytes and of what
        has ratios; None where an engine did not complete.
    ratio_interval : Estimate or None
        The same of the ratio, round by round as engines take turns; None for the baseline itself.
    difference : bool or None
        Whether a difference from the baseline is shown; None where there is no ratio, and for the
        baseline itself.
    """

    summary: Summary | None = None
    ratio: float | None = None
    share: float | None = None
    text: str = ""
    deviation: float | None = None
    rounds: tuple[tuple[float, ...], ...] = ()
    interval: Estimate | None = None
    ratio_interval: Estimate | None = None
    difference: bool | None = None

    @property
    def value(self) -> float | None:
        """The number to show: the typical value where it has an interval, or else the median.

        So the ratio of two engines is that of the numbers that stand beside each other.
        """
        if self.typical is not None:
            return self.typical
        return None if self.summary is None else self.summary.median

    @property
    def typical(self) -> float | None:
        """The mean over rounds, on logarithms, of their medians; None where it has no interval."""
        interval = self.interval
        return interval.value if interval is not None and interval.has_interval else None


@dataclass(frozen=True)
class Row:
    """One measure on all engines.

    Parameters
    ----------
    key : str
        Stable name, with its unit.
    label : str
        Name for people.
    unit : {"seconds", "bytes", "score", "number", "text"}
        How its numbers are shown.
    cells : tuple of Cell
        One a column.
    meaning : str
        One sentence that says what was measured.
    marks : tuple of int
        Footnotes.
    noise : NoiseFloor or None
        By how much the baseline differed from itself in a null run; None where that is unknown.
    """

    key: str
    label: str
    unit: Unit
    cells: tuple[Cell, ...]
    meaning: str
    marks: tuple[int, ...] = ()
    noise: NoiseFloor | None = None

    @property
    def n(self) -> int | None:
        """Number of values in each cell where it is the same in all; None otherwise."""
        counts = {cell.summary.n for cell in self.cells if cell.summary}
        return counts.pop() if len(counts) == 1 else None


@dataclass(frozen=True)
class Rows:
    """Make rows over some columns.

    Parameters
    ----------
    columns : list of Column
        The engines at one point.
    baseline : Column or None
        The one that ratios refer to.
    null : NullRun or None
        An engine that ran once more; None without a null run.
    """

    columns: list[Column]
    baseline: Column | None
    null: NullRun | None = None

    def make(
        self,
        key: str,
        label: str,
        unit: Unit,
        values: Callable[[Column], Iterable[float | None]],
        meaning: str,
        *,
        ratio: bool = False,
        share_of: Callable[[Column], Iterable[float | None]] | None = None,
        deviation: Callable[[Column], Iterable[float | None]] | None = None,
        marks: tuple[int, ...] = (),
        whole: bool = False,
        blank: bool = False,
        measured: bool = True,
    ) -> Row | None:
        """Return a row, or None where no engine has a value.

        A row of `whole` processes has ratios only between processes that did all that was planned.
        One that is `blank` stays empty where nothing was measured, whatever the outcome. What is
        not `measured` but granted has no interval.
        """
        timed = measured and unit in {"seconds", "bytes"}
        summaries = [summarise(values(one)) for one in self.columns]
        if not any(summaries):
            return None
        cells = []
        for column, summary in zip(self.columns, summaries, strict=True):
            if summary is None:
                cells.append(Cell(text="" if blank else missing(column)))
                continue
            rounds = rounds_of(column, values, whole=whole) if ratio or timed else ()
            cell = Cell(
                summary,
                deviation=_median(deviation(column)) if deviation else None,
                rounds=rounds if ratio else (),
                interval=estimate(rounds) if rounds else None,
            )
            if share_of is not None:
                cell = replace(cell, share=_share(cell, column, share_of))
            cells.append(cell)
        floor = self._noise(values, whole=whole) if ratio else None
        against = self._reference(cells, whole=whole) if ratio else None
        if against is not None:
            cells = [
                _compare(cell, against, floor)
                if cell.summary is not None and _has_ratio(column, whole=whole)
                else cell
                for column, cell in zip(self.columns, cells, strict=True)
            ]
        return Row(key, label, unit, tuple(cells), meaning, marks, floor)

    def _reference(self, cells: Sequence[Cell], *, whole: bool) -> Cell | None:
        """Return what the baseline gave; None where nothing may be compared with it."""
        baseline = self.baseline
        alone = len(cells) == 1
        if alone or baseline is None or not _has_ratio(baseline, whole=whole):
            return None
        return cells[self.columns.index(baseline)]

    def _noise(
        self, values: Callable[[Column], Iterable[float | None]], *, whole: bool
    ) -> NoiseFloor | None:
        """Return by how much an engine differed from itself; None where that is unknown."""
        null = self.null
        if null is None or null.first is None or not null.counts:
            return None
        first, again = (rounds_of(one, values, whole=whole) for one in (null.first, null.again))
        return noise_floor(first, again, paired=True)

    def texts(
        self,
        key: str,
        label: str,
        text: Callable[[Column], str],
        meaning: str,
        *,
        blank: bool = False,
    ) -> Row:
        """Return a row of texts; one that is `blank` stays empty where there is none."""
        cells = tuple(
            Cell(text=text(one) or ("" if blank else missing(one))) for one in self.columns
        )
        return Row(key, label, "text", cells, meaning)


def missing(column: Column) -> str:
    """Return what stands where an engine has no number: its outcome, if that is the reason."""
    return "" if column.outcome in {"completed", "degraded"} else column.outcome


def once(values: Sequence[float | None]) -> list[float | None]:
    """Return all values if they differ, and one if they are the same: that is no spread."""
    known = [value for value in values if value is not None]
    return list(dict.fromkeys(known)) if len(set(known)) == 1 else list(known)


def rounds_of(
    column: Column, values: Callable[[Column], Iterable[float | None]], *, whole: bool = False
) -> tuple[tuple[float, ...], ...]:
    """Return the values of each process apart; none of an engine that may have no ratio.

    Index i is round i, and empty where that measured nothing, so that engines that took turns can
    be compared round by round.

    Parameters
    ----------
    column : Column
        The engine.
    values : callable
        Gives the values of a column: here of one that has the records of one process.
    whole : bool
        Whether the values are of processes that did all that was planned.
    """
    if not _has_ratio(column, whole=whole):
        return ()
    known = {
        one.records[0].round: tuple(value for value in values(one) if value is not None)
        for one in column.single_rounds
    }
    # a number that no run counts up to is of a record made by hand
    numbers = [number for number, found in known.items() if found and 0 <= number < _MOST_ROUNDS]
    return tuple(known.get(number, ()) for number in range(max(numbers, default=-1) + 1))


def _compare(cell: Cell, against: Cell, floor: NoiseFloor | None) -> Cell:
    """Return a cell with how many times as much it has as the baseline."""
    ratio = _quotient(cell.value, against.value)
    if ratio is None or cell is against or not cell.rounds or not against.rounds:
        return replace(cell, ratio=ratio)
    between = estimate_ratio(cell.rounds, against.rounds, paired=True)
    if between is not None and between.has_interval:
        # the same but for rounding
        ratio = between.value
    shown = differ(cell.rounds, against.rounds, between, floor)
    return replace(cell, ratio=ratio, ratio_interval=between, difference=shown)


def _share(
    cell: Cell, column: Column, share_of: Callable[[Column], Iterable[float | None]]
) -> float | None:
    """Return which share of a whole a cell is: of what is shown of the whole in its own row."""
    whole = Cell(summarise(share_of(column)), interval=estimate(rounds_of(column, share_of)))
    if cell.typical is not None and whole.typical is not None:
        return _quotient(cell.typical, whole.typical)
    if cell.summary is None or whole.summary is None:
        return None
    return _quotient(cell.summary.median, whole.summary.median)


def _has_ratio(column: Column, *, whole: bool) -> bool:
    return column.counts and (bool(column.whole_children) or not whole)


def _quotient(value: float | None, reference: float | None) -> float | None:
    return value / reference if value is not None and reference else None


def _median(values: Iterable[float | None]) -> float | None:
    summary = summarise(values)
    return None if summary is None else summary.median
