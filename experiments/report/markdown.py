"""Write a report as Markdown: ``report.md`` in the run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.records import RECORDS_FILE
from experiments.report.cells import label, show
from experiments.report.charts.figure import FIGURES_FOLDER
from experiments.report.files import write_whole
from experiments.report.footnotes import marks
from experiments.report.given import GIVEN_HEADING, GIVEN_HOW, list_given
from experiments.report.legend import explain, legend
from experiments.report.listing import LISTED, list_candidates
from experiments.report.measured import MEASURED_HEADING
from experiments.report.numbers import MISSING
from experiments.report.parameters import ALL_AS_ASKED, PARAMETERS_HEADING, list_parameters
from experiments.report.shortened import MOST_ROWS, MOST_SEARCHES, shorten, tell_rest
from experiments.report.sweeps.tables import sweep_sections, tell_others
from experiments.report.text import markdown, markdown_block, markdown_code
from experiments.search.log import TABLE_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from experiments.report.build import Report
    from experiments.report.candidates import BestCandidates
    from experiments.report.charts.figure import Figure
    from experiments.report.problems import Problem
    from experiments.report.rows import Row
    from experiments.report.tables import Head, Table

REPORT_FILE = "report.md"


def write_markdown(report: Report, figures: Sequence[Figure] = ()) -> Path:
    """Write ``report.md`` into the run folder, whole or not at all, and return its path.

    Raises
    ------
    RequestError
        If the folder cannot be written.
    """
    return write_whole(report.folder / REPORT_FILE, as_markdown(report, figures))


def as_markdown(report: Report, figures: Sequence[Figure] = ()) -> str:
    """Return the report as GitHub-flavoured Markdown.

    Nothing from data can add markup: see `experiments.report.text`.

    Parameters
    ----------
    report : Report
        What is told.
    figures : sequence of Figure
        The charts, shown as the files that `write_figures` writes beside the page.
    """
    blocks = [f"# {markdown(report.experiment)}"]
    if report.question:
        blocks.append(f"**{markdown(report.question)}**")
    about = [
        ("Run", markdown_code(report.run)),
        ("Started", markdown(report.started)),
        ("Asked", markdown(report.workload)),
        ("Given", markdown(report.granted)),
    ]
    blocks.append("\n".join(f"- {name}: {value}" for name, value in about if value))
    blocks.extend(_sweeps(report))
    for table in report.tables:
        blocks.extend(_table(table, granted=table.granted != report.granted))
    blocks.extend(_listed(f"## {MEASURED_HEADING}", [one.text for one in report.measured]))
    blocks.extend(_charts(figures))
    blocks.extend(_candidates(report.candidates))
    blocks.extend(_listed("## Footnotes", report.footnotes, numbered=True))
    blocks.extend(_listed("## Warnings", report.warnings, where="the run folder"))
    blocks.extend(_listed("## What this comparison does not show", report.limits))
    blocks.extend(_meanings(report.tables))
    blocks.extend(_given(report))
    blocks.extend(_parameters(report))
    blocks.extend(_pairs("## Machine", report.host))
    blocks.extend(_pairs("## Versions", report.versions))
    if report.definition:
        blocks += ["## Definition as run", markdown_block(report.definition, "yaml")]
    return "\n\n".join(blocks) + "\n"


def _sweeps(report: Report) -> Iterable[str]:
    """Return the answer of a sweep, and what each measure does over its values."""
    if not report.sweeps:
        return
    if report.answer:
        yield f"**{markdown(report.answer)}**"
    for section in sweep_sections(report.sweeps):
        yield f"## {markdown(section.title)}"
        if section.answer:
            yield markdown(section.answer)
        for table in section.tables:
            yield f"### {markdown(table.title)}"
            lines = [
                _line(markdown(table.heads[0]), map(markdown, table.heads[1:])),
                _line("---", ("---:" for _ in table.heads[1:])),
            ]
            lines += [_line(markdown(first), map(_lines, cells)) for first, *cells in table.rows]
            yield "\n".join(lines)
            if table.legend:
                yield markdown(table.legend)
    if others := tell_others(report.sweeps):
        yield markdown(others)


def _lines(text: str) -> str:
    return "<br>".join(map(markdown, text.splitlines()))


def _table(table: Table, *, granted: bool) -> Iterable[str]:
    yield f"## {markdown(table.title) if table.point else 'Comparison'}"
    if granted and table.granted:
        yield markdown(table.granted)
    if table.rows_asked:
        yield markdown(table.rows_asked)
    if table.searched:
        yield markdown(table.searched)
    if table.answer:
        yield f"**{markdown(table.answer)}**"
    if table.null_run:
        yield markdown(table.null_run)
    if table.disagreements:
        lines = ["> **The engines do not agree.**", ">"]
        lines += [f"> - {markdown(one.text)}" for one in table.disagreements]
        yield "\n".join(lines)
    if table.groups:
        yield _grid(table)
        if said := legend(table):
            yield markdown(said)
    yield from _workers(table)
    if table.problems:
        yield from _listed("", [_problem(one) for one in table.problems], escaped=True)


def _workers(table: Table) -> Iterable[str]:
    """Return what each worker of each cluster used."""
    for one in table.workers:
        yield f"### {markdown(one.title)}"
        yield markdown(one.about)
        lines = [
            _line(markdown(one.heads[0]), map(markdown, one.heads[1:])),
            _line("---", ("---:" for _ in one.heads[1:])),
        ]
        rows = shorten(one.rows, MOST_ROWS, one.foot)
        lines += [_line(markdown(first), map(markdown, cells)) for first, *cells in rows]
        yield "\n".join(lines)
        if rest := tell_rest(one.rows, MOST_ROWS, foot=one.foot):
            yield rest
        if one.legend:
            yield markdown(one.legend)


def _problem(one: Problem) -> str:
    return (
        f"**{markdown(one.engine)} {markdown(one.outcome)}**"
        + (f" in {markdown(one.when)}" if one.when else "")
        + (f": {markdown(one.told)}" if one.told else "")
        + (f" Log: {markdown_code(one.log)}" if one.log else "")
    )


def _grid(table: Table) -> str:
    lines = [
        _line("", (_head(head) for head in table.heads)),
        _line("---", ("---:" for _ in table.heads)),
    ]
    for group in table.groups:
        lines.append(_line(f"**{markdown(group.heading)}**", ("" for _ in table.heads)))
        lines += [_line(_label(row), _cells(row)) for row in group.rows]
    return "\n".join(lines)


def _line(first: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join([first, *cells])} |"


def _head(head: Head) -> str:
    text = f"{markdown(head.title)}{_marks(head.marks)}<br>{markdown(head.implementation)}"
    if head.outcome != "completed":
        text += f"<br>**{markdown(head.outcome)}**"
    return text


def _label(row: Row) -> str:
    return f"{markdown(label(row))}{_marks(row.marks)}"


def _cells(row: Row) -> Iterable[str]:
    for cell in row.cells:
        text = show(row, cell)
        value = f"{text.value} ({text.beside})" if text.beside else text.value
        yield "<br>".join(markdown(one) for one in (value, text.spread, text.intervals) if one)


def _marks(numbers: tuple[int, ...]) -> str:
    return f" <sup>{marks(numbers)}</sup>" if numbers else ""


def _listed(
    heading: str,
    lines: Sequence[str],
    *,
    numbered: bool = False,
    escaped: bool = False,
    where: str = RECORDS_FILE,
) -> Iterable[str]:
    """Return a heading and a list, of which no more is shown than a reader wants."""
    if not lines:
        return
    if heading:
        yield heading
    yield "\n".join(
        f"{f'{number}.' if numbered else '-'} {line if escaped else markdown(line)}"
        for number, line in enumerate(shorten(lines), start=1)
    )
    if rest := tell_rest(lines, where=where):
        yield rest


def _charts(figures: Sequence[Figure]) -> Iterable[str]:
    if figures:
        yield "## Charts"
    for figure in figures:
        yield f"### {markdown(figure.title)}"
        yield f"![{markdown(figure.text)}]({FIGURES_FOLDER}/{figure.key}.svg)"
        yield markdown(figure.text)


def _candidates(searches: tuple[BestCandidates, ...]) -> Iterable[str]:
    """Return the best candidates of each engine."""
    if not searches:
        return
    yield "## Candidates"
    yield (
        f"{LISTED} Every candidate is in {markdown_code(TABLE_FILE)}, which `Run.candidates` reads."
    )
    for one in list_candidates(shorten(searches, MOST_SEARCHES)):
        yield f"### {markdown(one.title)}"
        yield markdown(one.about)
        if one.rows:
            lines = [
                _line(one.heads[0], map(markdown, one.heads[1:])),
                _line("---:", ("---", *("---:" for _ in one.heads[2:]))),
            ]
            lines += [_line(place, map(markdown, cells)) for place, *cells in one.rows]
            yield "\n".join(lines)
    if rest := tell_rest(searches, MOST_SEARCHES, TABLE_FILE):
        yield rest


def _meanings(tables: tuple[Table, ...]) -> Iterable[str]:
    rows = (row for table in tables for group in table.groups for row in group.rows)
    meanings = {row.label: row.meaning for row in rows if row.meaning} | explain(tables)
    if meanings:
        yield "## What the rows mean"
        yield "\n".join(f"- {markdown(name)}: {markdown(text)}" for name, text in meanings.items())


def _given(report: Report) -> Iterable[str]:
    """Return what each engine reported from inside."""
    given = list_given(report)
    if not given.rows:
        return
    yield f"## {GIVEN_HEADING}"
    yield GIVEN_HOW
    lines = [
        _line("Fact", map(markdown, given.heads)),
        _line("---", ("---" for _ in given.heads)),
    ]
    for group, rows in given.groups:
        lines.append(_line(f"**{group}**", ("" for _ in given.heads)))
        lines += [
            _line(markdown(row.label), (markdown(text or MISSING) for text in row.cells))
            for row in shorten(rows, MOST_ROWS)
        ]
    yield "\n".join(lines)


def _parameters(report: Report) -> Iterable[str]:
    """Return what became of each parameter on each engine, and why."""
    engines = list_parameters(report)
    if engines:
        yield f"## {PARAMETERS_HEADING}"
    for engine in engines:
        yield f"### {markdown(engine.name)}"
        told = [one for one in engine.parameters if one.told]
        yield from _listed(
            "", [f"**{markdown(one.name)}** {markdown(one.fate)}" for one in told], escaped=True
        )
        if not told:
            yield ALL_AS_ASKED
        where = any(one.where for one in engine.parameters)
        heads = ("asked", "verdict", "given as", "value", *(["where"] if where else []))
        lines = [_line("Parameter", heads), _line("---", ("---" for _ in heads))]
        for one in shorten(engine.parameters, MOST_ROWS):
            cells = [one.asked, one.verdict, one.native, one.value]
            cells += [one.where or "everywhere"] if where else []
            lines.append(_line(markdown(one.name), map(markdown, cells)))
        yield "\n".join(lines)
        if rest := tell_rest(engine.parameters, MOST_ROWS):
            yield rest


def _pairs(heading: str, pairs: dict[str, str]) -> Iterable[str]:
    if pairs:
        yield heading
        yield "\n".join(f"- {markdown(name)}: {markdown(value)}" for name, value in pairs.items())
