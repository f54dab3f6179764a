"""What the charts of one run have in common: its engines, and the point that most of them show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.report.charts.lanes import Lane, lanes_of, shorten
from experiments.report.planned import columns_at
from experiments.report.sweeps.keys import find_keys, tell_value
from experiments.report.text import clean, definition_value
from experiments.report.work import choose_work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from experiments.report.build import Report
    from experiments.report.columns import Column
    from experiments.report.work import Work

_LONGEST_POINT = 60


@dataclass(frozen=True)
class Scene:
    """One point of a run, as charts show it.

    Parameters
    ----------
    report : Report
        The whole of it.
    point : dict
        Values of the swept keys; empty without a sweep.
    number : int
        The point's place in the plan, which the names of files bear.
    columns : tuple of (Lane, Column)
        The engines at this point, in the order of the tables.
    work : Work
        What every engine was asked to do.
    lanes : tuple of Lane
        Those of all points.
    """

    report: Report
    point: dict[str, Any]
    number: int
    columns: tuple[tuple[Lane, Column], ...]
    work: Work
    lanes: tuple[Lane, ...]

    @property
    def where(self) -> str:
        """The point in a few words, to end a title with; empty without a sweep."""
        if not self.point:
            return ""
        return f", at {tell_point(self.report, self.point)}"


def set_scene(report: Report) -> Scene | None:
    """Choose the point that is drawn: the last at which the most engines gave an answer.

    Returns
    -------
    Scene or None
        None where nothing was measured.
    """
    if not report.tables or not report.records:
        return None
    answered = [
        sum(head.outcome in {"completed", "degraded"} for head in table.heads)
        for table in report.tables
    ]
    place = max(range(len(answered)), key=lambda one: (answered[one], one))
    point = report.tables[place].point
    lanes = lanes_of(
        (head.engine, head.implementation) for table in report.tables for head in table.heads
    )
    columns = columns_at(report.files, point)
    own = {(one.engine, one.implementation): one for one in lanes}
    number = next(at for at, one in enumerate(report.files.points) if one == point)
    return Scene(
        report=report,
        point=point,
        number=number,
        columns=tuple((own[one.engine, one.implementation], one) for one in columns),
        work=choose_work(columns, report.files.asked_at(point)),
        lanes=lanes,
    )


def lane_of(lanes: Sequence[Lane], engine: str, implementation: str) -> Lane | None:
    """Return the lane of an engine; None where it is in no table."""
    known = ((one.engine, one.implementation, one) for one in lanes)
    return next((lane for *pair, lane in known if pair == [engine, implementation]), None)


def tell_point(report: Report, point: Mapping[str, Any]) -> str:
    """Return values of swept keys in a few words: ``"10,000 rows, 2 workers"``."""
    swept = {one.key: one for one in find_keys(report.files.points)}
    told = [
        tell_value(key, swept[key].label, swept[key].unit, value)
        if key in swept
        else f"{key.rpartition('.')[2]} {definition_value(value)}"
        for key, value in point.items()
    ]
    return shorten(clean(", ".join(told)), _LONGEST_POINT)
