"""The numbers of two runs side by side: each row of each engine at each point that both have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from experiments.metrics import METRICS, disagree
from experiments.report.cells import show
from experiments.report.differences import overlap
from experiments.report.numbers import MISSING
from experiments.report.rows import Cell
from experiments.report.summary import Summary
from experiments.report.work import FIT, SEARCH, TASKS
from experiments.statistics.bootstrap import estimate, estimate_ratio
from experiments.statistics.noise import apart, difference_shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from experiments.report.rows import Row
    from experiments.report.tables import Head, Table
    from experiments.report.work import Work
    from experiments.statistics.bootstrap import Estimate
    from experiments.statistics.noise import NoiseFloor

# told among what changed, not among the numbers
_GRANTED = ("granted_workers", "granted_memory_bytes")
_WORKS = (SEARCH, TASKS, FIT)

Difference: TypeAlias = Literal[
    "shown",
    "none shown",
    "within noise",
    "uncertain",
    "same",
    "within tolerance",
    "beyond tolerance",
    "changed",
    "",
]


@dataclass(frozen=True)
class Number:
    """One measure of one engine in two runs.

    Parameters
    ----------
    row : Row
        Its name, unit and meaning.
    first, second : Cell or None
        What each run gave; None where a run has no such row.
    ratio : Estimate or None
        The second run over the first; None where there is no ratio, as of scores or failures.
    noise : NoiseFloor or None
        The wider one of the two runs.
    """

    row: Row
    first: Cell | None
    second: Cell | None
    ratio: Estimate | None = None
    noise: NoiseFloor | None = None

    @property
    def texts(self) -> tuple[str, str]:
        """Both values, of which the ratio is the quotient; else as the report shows them."""
        one, other = (
            MISSING if cell is None else show(self.row, self._typical(cell)).value
            for cell in (self.first, self.second)
        )
        return one, other

    @property
    def change(self) -> float | None:
        """Second less first, of a score or a count; None where either is not there."""
        if self.ratio is not None or self.row.unit not in {"score", "number"}:
            return None
        if self._medians is None:
            return None
        return self._medians[1] - self._medians[0]

    @property
    def difference(self) -> Difference:
        """Whether the runs differ, as far as can be said.

        A ratio differs where its interval leaves out 1 and the noise floor is smaller. Without an
        interval, ``uncertain`` says that no value of one run lies among those of the other and
        that the ratio is beyond the floor, which chance does as well. Bytes read and written have
        no difference: they follow what the page cache held.
        """
        if self.ratio is not None:
            return self._difference_by(self.ratio)
        if self.row.unit == "score":
            return self._difference_of_scores
        if self.row.unit == "text":
            return self._difference_of_texts
        if self.row.unit == "number" and self._medians is not None:
            # what is counted and not measured, for which any two runs differ
            whole = all(median.is_integer() for median in self._medians)
            same = self._medians[0] == self._medians[1]
            return ("same" if same else "changed") if whole else ""
        return ""

    @property
    def direction(self) -> Literal["more", "less"]:
        """Whether the second run has more or less, by its ratio."""
        return "more" if self.ratio is not None and self.ratio.value > 1 else "less"

    @property
    def once(self) -> bool:
        """Whether a run has only one value."""
        return any(cell is not None and _count(cell) == 1 for cell in (self.first, self.second))

    @property
    def lie_apart(self) -> bool:
        """Whether no value of one run lies among those of the other."""
        first, second = (_rounds(cell) for cell in (self.first, self.second))
        return bool(first and second) and not overlap(first, second)

    @property
    def fewest_rounds(self) -> int:
        """Rounds that measured it, in the run that has fewer of them."""
        return min(len(_rounds(cell)) for cell in (self.first, self.second))

    @property
    def _medians(self) -> tuple[float, float] | None:
        first, second = (None if one is None else one.summary for one in (self.first, self.second))
        return None if first is None or second is None else (first.median, second.median)

    def _difference_by(self, ratio: Estimate) -> Difference:
        if ratio.low is None or ratio.high is None:
            differs = beyond = self.lie_apart
            if differs and self.noise is not None:
                beyond = apart(ratio.value) > self.noise.factor
        else:
            differs = not ratio.low <= 1 <= ratio.high
            beyond = difference_shown(ratio, self.noise)
        if not differs:
            return "none shown"
        if not beyond:
            return "within noise"
        return "shown" if ratio.has_interval else "uncertain"

    def _typical(self, cell: Cell) -> Cell:
        """Return a cell with the value that its ratio is made of, where it has a ratio.

        Without the deviation over the folds, which says nothing of a difference between two runs.
        """
        typical = None if self.ratio is None else estimate(cell.rounds)
        if typical is None:
            return replace(cell, deviation=None)
        value = typical.value
        return Cell(Summary(value, value, value, "none", 1))

    @property
    def _difference_of_texts(self) -> Difference:
        """Whether two texts differ, such as ``undefined`` and a score; not if one is missing."""
        first, second = self.texts
        if MISSING in (first, second):
            return ""
        return "same" if first == second else "changed"

    @property
    def _difference_of_scores(self) -> Difference:
        name = self.row.key.removeprefix("best_mean_")
        if self._medians is None:
            return self._difference_of_texts
        if self._medians[0] == self._medians[1]:
            return "same"
        if name not in METRICS:
            return "changed"
        return "beyond tolerance" if disagree(name, *self._medians) else "within tolerance"


@dataclass(frozen=True)
class Pair:
    """One engine at one point in both runs.

    Parameters
    ----------
    first, second : Head
        The engine with its outcome in each run.
    groups : tuple of (str, tuple of Number)
        Rows under their headings, as in the tables of the report.
    reasons : tuple of (str, str)
        Why it did not complete in each run; empty where it did.
    main : Number or None
        The time that a comparison is about, warm if both have it and else cold; None where it was
        not measured in both runs, or where it may have no ratio.
    work : Work
        What it is the time of.
    warm : bool
        Whether it is that of warm repeats.
    cut : bool
        Whether a time budget ended a search of either run, whose time then says nothing of speed.
    """

    first: Head
    second: Head
    groups: tuple[tuple[str, tuple[Number, ...]], ...]
    reasons: tuple[str, str] = ("", "")
    main: Number | None = None
    work: Work = FIT
    warm: bool = False
    cut: bool = False

    @property
    def outcomes(self) -> tuple[str, str]:
        """The outcome in each run."""
        return self.first.outcome, self.second.outcome


@dataclass(frozen=True)
class PointPair:
    """One point of the sweep in both runs.

    Parameters
    ----------
    point : dict
        Values of the swept keys; empty without a sweep.
    title : str
        The point in words; empty without a sweep.
    pairs : tuple of Pair
        The engines that both runs have, in the order of the first.
    alone : tuple of (Head, int)
        The columns that only one run has, with the number of that run, 0 or 1.
    """

    point: dict[str, Any]
    title: str
    pairs: tuple[Pair, ...]
    alone: tuple[tuple[Head, int], ...] = ()


def pair_tables(first: Table, second: Table) -> PointPair:
    """Put the tables of two runs at the same point side by side."""
    heads = [
        {(one.engine, one.implementation): one for one in table.heads} for table in (first, second)
    ]
    return PointPair(
        point=first.point,
        title=first.title,
        pairs=tuple(_pair(first, second, key) for key in heads[0] if key in heads[1]),
        alone=tuple(
            (head, number)
            for number in range(2)
            for key, head in heads[number].items()
            if key not in heads[1 - number]
        ),
    )


def _pair(first: Table, second: Table, key: tuple[str, str]) -> Pair:
    one, other = (_Side(table, key) for table in (first, second))
    groups = tuple(_groups(one, other))
    numbers = {number.row.key: number for _, rows in groups for number in rows}
    main, work, warm = _main(numbers)
    return Pair(
        first=one.head,
        second=other.head,
        groups=groups,
        reasons=(one.reason, other.reason),
        main=main,
        work=work,
        warm=warm,
        cut=any(
            cell is not None and cell.summary is not None and cell.summary.high > 0
            for name, number in numbers.items()
            if name.startswith("candidates_not_run")
            for cell in (number.first, number.second)
        ),
    )


class _Side:
    """One engine in the table of one run."""

    def __init__(self, table: Table, key: tuple[str, str]) -> None:
        keys = [(head.engine, head.implementation) for head in table.heads]
        self.position = keys.index(key)
        self.table = table
        self.head = table.heads[self.position]
        self.rows = {row.key: row for group in table.groups for row in group.rows}

    @property
    def reason(self) -> str:
        """Why the engine did not complete; empty where that is not told."""
        mine = (
            one.message
            for one in self.table.problems
            if (one.engine, one.outcome) == (self.head.title, self.head.outcome)
        )
        return next(mine, "")

    def cell(self, key: str) -> Cell | None:
        """Return what the engine has in a row."""
        return self.rows[key].cells[self.position] if key in self.rows else None


def _groups(one: _Side, other: _Side) -> Iterator[tuple[str, tuple[Number, ...]]]:
    """Yield the rows that either run has something in, the second's own after the first's."""
    grouped: dict[str, dict[str, Row]] = {}
    for side in (one, other):
        for group in side.table.groups:
            rows = grouped.setdefault(group.heading, {})
            for row in group.rows:
                if row.key not in _GRANTED and not any(
                    row.key in known for known in grouped.values()
                ):
                    rows[row.key] = row
    for heading, rows in grouped.items():
        numbers = [_number(row, one, other) for row in rows.values()]
        if known := tuple(one for one in numbers if one.texts != (MISSING, MISSING)):
            yield heading, known


def _number(row: Row, one: _Side, other: _Side) -> Number:
    first, second = one.cell(row.key), other.cell(row.key)
    ratio = None
    if first is not None and second is not None and first.rounds and second.rounds:
        ratio = estimate_ratio(second.rounds, first.rounds)
    same = (side.rows[row.key] for side in (one, other) if row.key in side.rows)
    floors = [found.noise for found in same if found.noise is not None]
    noise = max(floors, key=lambda floor: floor.factor, default=None) if ratio else None
    return Number(row, first, second, ratio, noise)


def _main(numbers: dict[str, Number]) -> tuple[Number | None, Work, bool]:
    """Return the time of what was asked, if both runs have it to be compared."""
    works = [
        work for work in _WORKS if any(_key(work, warm=one) in numbers for one in (True, False))
    ]
    for work in works:
        for warm in (True, False):
            found = numbers.get(_key(work, warm=warm))
            if found is not None and found.ratio is not None:
                return found, work, warm
    return None, works[0] if works else FIT, False


def _key(work: Work, *, warm: bool) -> str:
    return f"{work.phase}_{'warm' if warm else 'cold'}_wall_s"


def _rounds(cell: Cell | None) -> list[tuple[float, ...]]:
    """Return the rounds that measured something."""
    return [] if cell is None else [one for one in cell.rounds if one]


def _count(cell: Cell) -> int:
    return sum(map(len, cell.rounds))
