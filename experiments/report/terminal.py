"""Show a report in a terminal, or as plain text wherever else the output goes."""

from __future__ import annotations

import io
from textwrap import wrap
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table as Grid
from rich.text import Text

from experiments.report.cells import Shown, label, show
from experiments.report.footnotes import marks
from experiments.report.legend import legend
from experiments.report.listing import LISTED, list_candidates
from experiments.report.measured import MEASURED_HEADING
from experiments.report.shortened import shorten, tell_rest
from experiments.report.sweeps.tables import sweep_sections
from experiments.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import JustifyMethod, RenderableType

    from experiments.report.build import Report
    from experiments.report.rows import Row
    from experiments.report.tables import Head, Table
    from experiments.report.workers import WorkerTable

_GAP = 2
_NARROWEST_LABEL = 20
# Three engines stand side by side at 80 columns
_WIDEST_TEXT = 16
_FINE = ("completed", "degraded")
# of workers, where a terminal is narrow; the files have them
_LEAST_MATTERING = ("Written", "Read", "Host")


def as_text(report: Report, width: int = 80) -> str:
    """Return the report as plain text, without colours."""
    file = io.StringIO()
    console = Console(file=file, width=width, color_system=None, highlight=False, emoji=False)
    print_report(report, console)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def print_report(report: Report, console: Console) -> None:
    """Print the question, one table for each point, and the footnotes.

    Parameters
    ----------
    report : Report
        What to print.
    console : rich.console.Console
        Where to. Nothing is cut to its width: what does not fit side by side is stacked.
    """
    console.print(Text(clean(report.experiment), style="bold"))
    for line in (report.question, report.workload, report.granted):
        if line:
            console.print(Text(clean(line)))
    _print_sweep(report, console)
    for table in report.tables:
        console.print()
        for part in _table(table, console.width, granted=table.granted != report.granted):
            console.print(part)
        if table.workers and table.problems:
            console.print()  # they are of the engines, not of the workers above
        for problem in table.problems:
            text = Text.assemble(
                (f"{clean(problem.engine)} {clean(problem.outcome)}", _style(problem.outcome)),
                f" in {clean(problem.when)}" if problem.when else "",
                f": {problem.told}" if problem.told else "",
            )
            console.print(text)
            if problem.log:
                # one unbroken line, so that the path can be copied
                log = report.folder / problem.log
                console.print(Text(f"  log: {clean(log)}"), soft_wrap=True)
    if not report.records:
        # nothing but candidates is there to be shown
        _print_candidates(report, console)
    _print_list(console, MEASURED_HEADING, [one.text for one in report.measured])
    _print_list(console, "Footnotes", report.footnotes, numbered=True)
    _print_list(console, "Warnings", report.warnings)


def _print_sweep(report: Report, console: Console) -> None:
    """Print the answer of a sweep, and the tables of its main measure."""
    if not report.sweeps:
        return
    if report.answer:
        console.print()
        console.print(Text(clean(report.answer), style="bold"))
    for section in sweep_sections(report.sweeps, 1):
        for table in section.tables:
            console.print()
            console.print(Text(clean(f"{section.title}: {table.key}"), style="bold"))
            grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
            for position, head in enumerate(table.heads):
                side: JustifyMethod = "right" if position else "left"
                grid.add_column(Text(clean(head)), justify=side, overflow="fold")
            for cells in table.rows:
                grid.add_row(*(Text("\n".join(map(clean, cell.splitlines()))) for cell in cells))
            console.print(grid)
            if table.legend:
                console.print(Text(clean(table.legend), style="dim"))


def _table(table: Table, width: int, *, granted: bool) -> Iterable[RenderableType]:
    if table.point:
        yield Text(clean(table.title), style="bold")
    if granted and table.granted:
        yield Text(clean(table.granted))
    if table.rows_asked:
        yield Text(clean(table.rows_asked))
    if table.searched:
        yield Text(clean(table.searched))
    if table.answer:
        yield Text()
        yield Text(clean(table.answer), style="bold")
    if table.null_run:
        yield Text(clean(table.null_run))
    if table.disagreements:
        yield Text()
        yield Panel(
            _list([one.text for one in table.disagreements]),
            title=Text("THE ENGINES DO NOT AGREE", style="bold"),
            title_align="left",
            border_style="yellow",
            box=box.HEAVY,
            width=min(width, 100),
        )
    if not table.groups:
        return
    blocks = [_Block(table, position) for position in range(len(table.heads))]
    needed = _NARROWEST_LABEL + sum(_GAP + block.width for block in blocks)
    yield Text()
    if needed <= width:
        yield _side_by_side(table, blocks)
        yield Text()
    else:
        yield from (_stacked(table, position) for position in range(len(table.heads)))
    yield Text(clean(legend(table)), style="dim")
    yield from _workers(table, width)


def _workers(table: Table, width: int) -> Iterable[RenderableType]:
    """Return what each worker of each cluster used."""
    for one in table.workers:
        yield Text()
        yield Text(clean(one.title), style="bold")
        yield Text(clean(one.about))
        heads, rows = _fitting(one, width)
        yield _plain_grid(heads, shorten(rows, foot=one.foot))
        if rest := tell_rest(one.rows, foot=one.foot):
            yield Text(rest)
        yield Text(clean(one.legend), style="dim")


def _fitting(table: WorkerTable, width: int) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows without the columns that matter least where there is no room."""
    lines = [list(table.heads), *map(list, table.rows)]
    for head in _LEAST_MATTERING:
        if sum(max(map(cell_len, one)) + _GAP for one in zip(*lines, strict=True)) <= width:
            break
        if head in lines[0]:
            place = lines[0].index(head)
            lines = [[*line[:place], *line[place + 1 :]] for line in lines]
    return lines[0], lines[1:]


class _Block:
    """One column of text, its values and ratios aligned among themselves."""

    def __init__(self, table: Table, position: int) -> None:
        self._position = position
        self.head = _head(table.heads[position])
        rows = [row for group in table.groups for row in group.rows]
        self._shown = {row.key: show(row, row.cells[position]) for row in rows}
        numeric = [self._shown[row.key] for row in rows if row.cells[position].summary is not None]
        self._beside = max((cell_len(one.beside) for one in numeric), default=0)
        lines = [line for row in rows for line in self.cell(row).plain.splitlines()]
        lines += self.head.plain.splitlines()
        self.width = max(map(cell_len, lines), default=0)

    def cell(self, row: Row) -> Text:
        """Return the text of a row."""
        shown = self._shown[row.key]
        value = clean(shown.value)
        # one long text would make the table too wide for all the numbers
        text = Text("\n".join(wrap(value, _WIDEST_TEXT)) if row.unit == "text" else value)
        if shown.beside:
            text.append(f"  {shown.beside.rjust(self._beside)}", style="cyan")
        if shown.spread:
            text.append(f"\n{shown.spread}", style="dim")
        interval = shown.ratio_interval or shown.interval
        # there is room for what decides: rows with ratios, and the ratio's own interval
        if interval and row.cells[self._position].rounds:
            text.append(f"\n[{interval}]", style="dim")
        return text


def _side_by_side(table: Table, blocks: list[_Block]) -> Grid:
    # the box itself puts one blank between columns
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    grid.add_column("", overflow="fold", min_width=_NARROWEST_LABEL)
    for block in blocks:
        grid.add_column(block.head, justify="right", no_wrap=True, min_width=block.width)
    for number, group in enumerate(table.groups):
        if number:
            grid.add_row()
        grid.add_row(Text(group.heading, style="bold"))
        for row in group.rows:
            name = Padding(_label(row), (0, 0, 0, 2))
            grid.add_row(name, *(block.cell(row) for block in blocks))
    return grid


def _stacked(table: Table, position: int) -> Group:
    """Return one engine alone: its labels and values below each other."""
    grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(overflow="fold", ratio=1)
    grid.add_column(overflow="fold", justify="right")
    for group in table.groups:
        grid.add_row(Text(group.heading, style="bold"))
        for row in group.rows:
            grid.add_row(Padding(_label(row), (0, 0, 0, 2)), _words(show(row, row.cells[position])))
    head = Text(" ").join(_head(table.heads[position]).split("\n"))
    return Group(head, grid, Text())


def _words(shown: Shown) -> Text:
    text = Text(clean(shown.value))
    if shown.beside:
        text.append(f"  {shown.beside}", style="cyan")
    if shown.spread:
        text.append(f"\n{shown.spread}", style="dim")
    if shown.intervals:
        text.append(f"\n{shown.intervals}", style="dim")
    return text


def _head(head: Head) -> Text:
    text = Text(clean(head.title), style="bold")
    numbers = marks(head.marks)
    text.append(f"\n{clean(head.implementation)}", style="not bold dim")
    if numbers:
        text.append(f" [{numbers}]", style="not bold dim")
    if head.outcome != "completed":
        text.append(f"\n{clean(head.outcome)}", style=_style(head.outcome))
    return text


def _label(row: Row) -> Text:
    text = Text(clean(label(row)))
    if row.marks:
        text.append(f" [{marks(row.marks)}]", style="dim")
    return text


def _print_candidates(report: Report, console: Console) -> None:
    for one in list_candidates(report.candidates):
        console.print()
        console.print(Text(f"Best candidates: {clean(one.title)}", style="bold"))
        console.print(Text(clean(f"{one.about} {LISTED}")))
        console.print(_plain_grid(one.heads, one.rows, left=1))


def _plain_grid(heads: Sequence[str], rows: Iterable[Sequence[str]], left: int = 0) -> Grid:
    """Return a grid of texts, all but one column of them aligned to the right."""
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for position, head in enumerate(heads):
        side: JustifyMethod = "left" if position == left else "right"
        grid.add_column(Text(clean(head)), justify=side, overflow="fold")
    for cells in rows:
        grid.add_row(*(Text(clean(cell)) for cell in cells))
    return grid


def _print_list(
    console: Console, title: str, lines: Sequence[str], *, numbered: bool = False
) -> None:
    if lines:
        console.print()
        console.print(Text(title, style="bold"))
        console.print(_list(lines, numbered=numbered))


def _list(lines: Sequence[str], *, numbered: bool = False) -> Grid:
    grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for number, line in enumerate(lines, start=1):
        grid.add_row(Text(f"[{number}]" if numbered else "-"), Text(clean(line)))
    return grid


def _style(outcome: str) -> str:
    if outcome == "completed":
        return "green"
    return "not bold yellow" if outcome in {"degraded", "not finished"} else "bold red"
