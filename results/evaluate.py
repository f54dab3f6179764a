"""Write ``README.md`` beside this file: an evaluation whose every number is read from records.

``README.md.j2`` holds the prose, and asks for each number by where it stands in a table of a run
under ``reference/``; what it claims in words is a condition on those tables, checked here. Nothing
is computed, and rounding is the report's own.

    python results/evaluate.py            # writes README.md
    python results/evaluate.py --reports  # and report.md, report.html and figures/ of each run
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from experiments.records import point_key
from experiments.report import build_report
from experiments.report.cells import show
from experiments.report.charts import build_figures
from experiments.report.files import write_whole
from experiments.report.numbers import ratio, ratio_range
from experiments.report.sweeps.tables import sweep_tables
from experiments.report.text import markdown
from experiments.report.write import write_report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from experiments.report import Report
    from experiments.report.rows import Cell, Row
    from experiments.report.tables import Table

HERE = Path(__file__).resolve().parent
TEMPLATE, EVALUATION = "README.md.j2", "README.md"


class EvaluationError(Exception):
    """The prose asks for what the records do not have, or claims what they do not show."""


class Evaluation:
    """One run, asked for its numbers by name.

    Parameters
    ----------
    report : Report
        What its tables say.
    """

    def __init__(self, report: Report) -> None:
        self._report = report

    @property
    def question(self) -> str:
        """What was asked."""
        return markdown(self._report.question)

    @property
    def answer(self) -> str:
        """What the tool answers."""
        return markdown(self._report.answer)

    @property
    def rounds(self) -> int:
        """How many processes each engine ran in."""
        return len({record.round for record in self._report.records})

    @property
    def smallest(self) -> dict[str, Any]:
        """The point with the least value of the sweep."""
        return {self._key: self._sizes[0]}

    @property
    def largest(self) -> dict[str, Any]:
        """The point with the greatest value of the sweep."""
        return {self._key: self._sizes[-1]}

    @property
    def told_smallest(self) -> str:
        """The least value of the sweep."""
        return f"{self._sizes[0]:,}"

    @property
    def told_largest(self) -> str:
        """The greatest value of the sweep."""
        return f"{self._sizes[-1]:,}"

    @property
    def told_sizes(self) -> str:
        """The least and the greatest value of the sweep."""
        return f"{self.told_smallest} to {self.told_largest}"

    def asked(self, *path: str) -> Any:
        """Return a value of the definition."""
        value: Any = self._report.files.asked
        for key in path:
            value = value[key]
        return value

    def told(self, name: str) -> str:
        """Return what is known of the machine or the software."""
        return markdown({**self._report.versions, **self._report.host}[name])

    def value(self, engine: str, key: str, **point: Any) -> str:
        """Return the number of an engine in a row of a table."""
        row, cell = self._cell(engine, key, point)
        return markdown(show(row, cell).value)

    def ratio(self, engine: str, key: str, **point: Any) -> str:
        """Return what multiple of the baseline's it is, with its interval."""
        row, cell = self._cell(engine, key, point)
        estimate = cell.ratio_interval
        if estimate is None or estimate.low is None or estimate.high is None:
            raise EvaluationError(f"{row.key} of {engine} has no ratio with an interval")
        level = "" if cell.difference else "; no difference shown"
        return f"{ratio(estimate.value)} ({ratio_range(estimate.low, estimate.high)}{level})"

    def noise(self, **point: Any) -> str:
        """Return what the null run says at a point."""
        return markdown(self._table(point).null_run)

    def sweep(self, measure: str, key: str = "times") -> str:
        """Return a table of the sweep, as Markdown."""
        sweep = next(one for one in self._report.sweeps if one.measure == measure)
        table = next(one for one in sweep_tables(sweep) if one.key == key)
        rows = [[markdown(text).replace("\n", "<br>") for text in row] for row in table.rows]
        rule = ["---", *["---:"] * (len(table.heads) - 1)]
        lines = [[markdown(head) for head in table.heads], rule, *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def figure_text(self, key: str) -> str:
        """Return what is to be seen in a figure."""
        figure = next(one for one in build_figures(self._report) if one.key == key)
        return markdown(figure.text)

    def same(self, *keys: str) -> bool:
        """Tell whether all engines have the same numbers in some rows, at every point."""
        return all(
            len({cell.summary and cell.summary.median for cell in row.cells}) == 1
            for row in self._rows(*keys)
        )

    def never_faster(self, key: str) -> bool:
        """Tell whether no engine is shown to be below the baseline in a row, at any point."""
        return not any(
            cell.difference and cell.ratio_interval and cell.ratio_interval.value < 1
            for row in self._rows(key)
            for cell in row.cells
        )

    def above_everywhere(self, key: str) -> bool:
        """Tell whether every other engine is shown to be above the baseline, at every point."""
        return all(
            cell.difference and cell.ratio_interval and cell.ratio_interval.value > 1
            for row in self._rows(key)
            for cell in row.cells[1:]
        )

    @property
    def _key(self) -> str:
        return self._report.sweeps[0].key

    @property
    def _sizes(self) -> tuple[Any, ...]:
        return self._report.sweeps[0].values

    def _table(self, point: dict[str, Any]) -> Table:
        for table in self._report.tables:
            if point_key(table.point) == point_key(point):
                return table
        raise EvaluationError(f"{self._report.experiment} has no point {point}")

    def _rows(self, *keys: str) -> Iterator[Row]:
        for table in self._report.tables:
            for key in keys:
                yield _row(table, key)

    def _cell(self, engine: str, key: str, point: dict[str, Any]) -> tuple[Row, Cell]:
        table = self._table(point)
        row = _row(table, key)
        return row, row.cells[[head.engine for head in table.heads].index(engine)]


def _row(table: Table, key: str) -> Row:
    for group in table.groups:
        for row in group.rows:
            if row.key == key:
                return row
    raise EvaluationError(f"there is no row {key}")


@cache
def read(name: str) -> Evaluation:
    """Return the reference run of that name."""
    return Evaluation(build_report(HERE / "reference" / name))


def claim(sentence: str, holds: bool) -> str:
    """Return a sentence that the records show.

    Raises
    ------
    EvaluationError
        If they do not.
    """
    if not holds:
        raise EvaluationError(f"the records do not show this: {sentence}")
    return sentence


def evaluation() -> str:
    """Return the evaluation as Markdown."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - it writes Markdown, and escapes what comes from data
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(run=read, claim=claim)


def main() -> None:
    """Write the evaluation, and the reports if asked for."""
    if "--reports" in sys.argv[1:]:
        for folder in sorted((HERE / "reference").iterdir()):
            write_report(build_report(folder))
    write_whole(HERE / EVALUATION, evaluation())


if __name__ == "__main__":
    main()
