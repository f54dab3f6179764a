"""Rows of a table: one measure on all engines, summarised and compared with the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from experiments.report.summary import Summary, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from experiments.report.columns import Column

Unit: TypeAlias = Literal["seconds", "bytes", "score", "number", "text"]


@dataclass(frozen=True)
class Cell:
    """What one engine gave in one row.

    Parameters
    ----------
    summary : Summary or None
        The numbers, in full; None where nothing was measured.
    ratio : float or None
        Median as a multiple of the baseline's.
    share : float or None
        Median as a share of the whole.
    text : str
        What stands in place of a number.
    deviation : float or None
        Standard deviation of what the number is the mean of.
    """

    summary: Summary | None = None
    ratio: float | None = None
    share: float | None = None
    text: str = ""
    deviation: float | None = None


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
    """

    key: str
    label: str
    unit: Unit
    cells: tuple[Cell, ...]
    meaning: str
    marks: tuple[int, ...] = ()

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
    """

    columns: list[Column]
    baseline: Column | None

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
    ) -> Row | None:
        """Return a row, or None where no engine has a value.

        A row of `whole` processes has ratios only between processes that did all that was planned.
        One that is `blank` stays empty where nothing was measured, whatever the outcome.
        """
        summaries = [summarise(values(one)) for one in self.columns]
        if not any(summaries):
            return None
        reference, baseline = None, self.baseline
        if ratio and len(self.columns) > 1 and baseline and _has_ratio(baseline, whole=whole):
            reference = summaries[self.columns.index(baseline)]
        cells = tuple(
            Cell(text="" if blank else missing(one))
            if summary is None
            else Cell(
                summary,
                ratio=_quotient(summary, reference if _has_ratio(one, whole=whole) else None),
                share=_quotient(summary, summarise(share_of(one)) if share_of else None),
                deviation=_median(deviation(one)) if deviation else None,
            )
            for one, summary in zip(self.columns, summaries, strict=True)
        )
        return Row(key, label, unit, cells, meaning, marks)

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


def _has_ratio(column: Column, *, whole: bool) -> bool:
    return column.counts and (bool(column.whole_children) or not whole)


def _quotient(summary: Summary, reference: Summary | None) -> float | None:
    if reference is None or not reference.median:
        return None
    return summary.median / reference.median


def _median(values: Iterable[float | None]) -> float | None:
    summary = summarise(values)
    return None if summary is None else summary.median
