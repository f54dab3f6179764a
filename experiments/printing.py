"""Print a report in the form asked for, and write its files."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from experiments.console import out, print_drawn, print_json, say
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from experiments.report.build import Report
    from experiments.report.charts.figure import Figure


class Form(StrEnum):
    """What `enginebench report` prints."""

    TEXT = "text"
    MARKDOWN = "markdown"
    LATEX = "latex"
    CSV = "csv"
    JSON = "json"


class Images(StrEnum):
    """As what `enginebench report` writes the charts."""

    SVG = "svg"
    PNG = "png"


def all_as_data(reports: list[Report]) -> list[dict[str, Any]]:
    """Return reports as what JSON can hold."""
    from experiments.report.data import as_data

    return [as_data(report) for report in reports]


def write_files(
    report: Report, figures: tuple[Figure, ...] | None = None, *, png: bool = False
) -> None:
    """Write the files of a report, and say where; one that cannot be written is only told.

    The numbers stand without it: those that were measured, and those of the runs that follow.
    """
    from experiments.report.text import clean
    from experiments.report.write import write_report

    try:
        say(f"report: {write_report(report, figures, png=png).html}")
    except RequestError as exc:
        say(f"note: {clean(str(exc))}")


def draw(report: Report) -> tuple[Figure, ...]:
    """Return the charts of a report."""
    from experiments.report.charts.build import build_figures

    return build_figures(report)


def print_form(report: Report, form: Form, figures: Sequence[Figure]) -> None:
    """Print a report; `figures` are those that Markdown shows."""
    if form is Form.MARKDOWN:
        from experiments.report.markdown import as_markdown

        out(as_markdown(report, figures))
    elif form is Form.LATEX:
        from experiments.report.latex import as_latex

        out(as_latex(report))
    elif form is Form.CSV:
        from experiments.report.csv_tables import as_csv

        out(as_csv(report))
    elif form is Form.JSON:
        print_json({"schema": 1, "runs": all_as_data([report])})
    else:
        print_tables(report)


def print_tables(report: Report, *, blank_before: bool = False) -> None:
    """Print the tables of a report as wide as the terminal."""
    from experiments.report.terminal import print_report

    print_drawn(lambda console: print_report(report, console), blank_before=blank_before)


def tell_stopped_early(folder: Path) -> str:
    """Say what a run left that was stopped before its first record."""
    from experiments.report.candidate_table import count_tried
    from experiments.search.log import TABLE_FILE

    tried, known = count_tried(folder)
    if not tried:
        return f"nothing was measured before the run was stopped; its folder is {folder}"
    return (
        f"the run was stopped in its first search: {tried:,} of {known:,} candidates had been "
        f"tried, and their scores are in {folder / TABLE_FILE}; 'enginebench report {folder}' "
        f"shows the best"
    )
