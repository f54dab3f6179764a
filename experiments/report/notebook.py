"""Show a report in a notebook, as HTML that needs no script and no style sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.report.cells import label, show
from experiments.report.footnotes import marks
from experiments.report.legend import legend
from experiments.report.measured import MEASURED_HEADING
from experiments.report.shortened import shorten
from experiments.report.sweeps.tables import sweep_sections, tell_others
from experiments.report.text import hypertext

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from experiments.report.build import Report
    from experiments.report.rows import Row
    from experiments.report.tables import Head, Table

_RIGHT = ' style="text-align:right"'
_LEFT = ' style="text-align:left"'


def as_html(report: Report) -> str:
    """Return the report as a fragment of HTML; everything from data is escaped."""
    parts = [f"<h3>{hypertext(report.experiment)}</h3>"]
    parts += [
        f"<p>{hypertext(line)}</p>"
        for line in (report.question, report.workload, report.granted)
        if line
    ]
    parts.extend(_sweeps(report))
    for table in report.tables:
        parts.extend(_table(table, granted=table.granted != report.granted))
    if report.measured:
        parts.append(f"<h4>{hypertext(MEASURED_HEADING)}</h4>")
        parts.append(_items(one.text for one in report.measured))
    if report.footnotes:
        items = "".join(f"<li>{hypertext(text)}</li>" for text in report.footnotes)
        parts.append(f"<ol>{items}</ol>")
    if report.warnings:
        parts.append(_items(report.warnings))
    return f"<div>{''.join(parts)}</div>"


def _sweeps(report: Report) -> Iterable[str]:
    """Return the answer of a sweep, and what each measure does over its values."""
    if report.sweeps and report.answer:
        yield f"<p><strong>{hypertext(report.answer)}</strong></p>"
    for section in sweep_sections(report.sweeps):
        yield f"<h4>{hypertext(section.title)}</h4>"
        if section.answer:
            yield f"<p>{hypertext(section.answer)}</p>"
        for table in section.tables:
            yield f"<p>{hypertext(table.title)}</p>{_plain_grid(table.heads, table.rows)}"
            if table.legend:
                yield f"<p>{hypertext(table.legend)}</p>"
    if others := tell_others(report.sweeps):
        yield f"<p>{hypertext(others)}</p>"


def _plain_grid(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of texts, all but the first column of them aligned to the right."""
    head = "".join(f"<th{_RIGHT}>{hypertext(one)}</th>" for one in heads[1:])
    body = "".join(
        f"<tr><td{_LEFT}>{hypertext(first)}</td>"
        f"{''.join(f'<td{_RIGHT}>{_lines(cell)}</td>' for cell in cells)}</tr>"
        for first, *cells in rows
    )
    return (
        f"<table><thead><tr><th{_LEFT}>{hypertext(heads[0])}</th>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _lines(text: str) -> str:
    return "<br>".join(map(hypertext, text.splitlines()))


def _table(table: Table, *, granted: bool) -> Iterable[str]:
    if table.point:
        yield f"<h4>{hypertext(table.title)}</h4>"
    if granted and table.granted:
        yield f"<p>{hypertext(table.granted)}</p>"
    if table.rows_asked:
        yield f"<p>{hypertext(table.rows_asked)}</p>"
    if table.searched:
        yield f"<p>{hypertext(table.searched)}</p>"
    if table.answer:
        yield f"<p><strong>{hypertext(table.answer)}</strong></p>"
    if table.null_run:
        yield f"<p>{hypertext(table.null_run)}</p>"
    if table.disagreements:
        yield "<p><strong>The engines do not agree.</strong></p>"
        yield _items(one.text for one in table.disagreements)
    if table.groups:
        yield from _grid(table)
    yield from _workers(table)
    if table.problems:
        yield _items(
            f"{one.engine} {one.outcome}"
            + (f" in {one.when}" if one.when else "")
            + (f": {one.told}" if one.told else "")
            + (f" Log: {one.log}" if one.log else "")
            for one in table.problems
        )


def _workers(table: Table) -> Iterable[str]:
    """Return what each worker of each cluster used."""
    for one in table.workers:
        yield f"<h4>{hypertext(one.title)}</h4><p>{hypertext(one.about)}</p>"
        yield _plain_grid(one.heads, shorten(one.rows, foot=one.foot))
        yield f"<p>{hypertext(one.legend)}</p>"


def _grid(table: Table) -> Iterable[str]:
    heads = "".join(f"<th{_RIGHT}>{_head(head)}</th>" for head in table.heads)
    rows = []
    for group in table.groups:
        span = len(table.heads) + 1
        rows.append(f'<tr><th colspan="{span}"{_LEFT}>{hypertext(group.heading)}</th></tr>')
        rows += [f"<tr><td{_LEFT}>{_label(row)}</td>{_cells(row)}</tr>" for row in group.rows]
    yield (f"<table><thead><tr><th></th>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>")
    if said := legend(table):
        yield f"<p>{hypertext(said)}</p>"


def _items(texts: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{hypertext(text)}</li>' for text in texts)}</ul>"


def _head(head: Head) -> str:
    text = f"{hypertext(head.title)}{_marks(head.marks)}<br>{hypertext(head.implementation)}"
    return text if head.outcome == "completed" else f"{text}<br>{hypertext(head.outcome)}"


def _label(row: Row) -> str:
    return f"{hypertext(label(row))}{_marks(row.marks)}"


def _cells(row: Row) -> str:
    cells = []
    for cell in row.cells:
        text = show(row, cell)
        value = f"{text.value} ({text.beside})" if text.beside else text.value
        below = [
            f"<br><small>{hypertext(one)}</small>" for one in (text.spread, text.intervals) if one
        ]
        cells.append(f"<td{_RIGHT}>{hypertext(value)}{''.join(below)}</td>")
    return "".join(cells)


def _marks(numbers: tuple[int, ...]) -> str:
    return f" <sup>{marks(numbers)}</sup>" if numbers else ""
