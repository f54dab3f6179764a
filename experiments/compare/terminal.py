"""Show the comparison of two runs in a terminal, or as plain text wherever else it goes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from experiments.compare.words import change_text, difference_text, interval_text, name_of, named
from experiments.report import numbers
from experiments.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from experiments.compare.build import Comparison, Side
    from experiments.compare.changes import Change
    from experiments.compare.gate import Judgement
    from experiments.compare.pairs import Number, Pair, PointPair

_SECTIONS: Final = {
    "definition": "Asked",
    "data": "Data",
    "granted": "Granted",
    "parameters": "What became of parameters",
    "versions": "Versions",
    "host": "Machine",
}
# A longer value is told from where it begins to differ
_LONGEST_VALUE: Final = 160
_BEFORE: Final = 20
_MOST_LABEL: Final = 28


def as_text(comparison: Comparison, judgement: Judgement | None = None, width: int = 80) -> str:
    """Return the comparison as plain text, without colours."""
    file = io.StringIO()
    console = Console(file=file, width=width, color_system=None, highlight=False, emoji=False)
    print_comparison(comparison, console, judgement)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def print_comparison(
    comparison: Comparison, console: Console, judgement: Judgement | None = None
) -> None:
    """Print what changed, what became of each engine, and every number.

    Parameters
    ----------
    comparison : Comparison
        What to print.
    console : rich.console.Console
        Where to.
    judgement : Judgement or None
        What ``--fail-above`` makes of it; None where it was not asked for.
    """
    console.print(Text(clean(_title(comparison)), style="bold"))
    if comparison.question:
        console.print(Text(clean(comparison.question)))
    for name, side in (("first", comparison.first), ("second", comparison.second)):
        # one unbroken line, so that the path can be copied
        console.print(Text(f"{name + ':':<8}{clean(_about(side))}"), soft_wrap=True)
    _print_changes(console, comparison)
    _print_list(console, "In short", comparison.answers)
    _print_list(console, "Ended otherwise", comparison.outcomes)
    _print_list(console, "Only in one run", comparison.missing)
    if judgement is not None:
        _print_judgement(console, judgement)
    for point in comparison.points:
        _print_point(console, point)
    if comparison.points:
        console.print()
        console.print(Text(" ".join(_legend(comparison)), style="dim"))
    _print_list(console, "Warnings", comparison.warnings)


def tell_judgement(judgement: Judgement) -> str:
    """Say in one sentence what ``--fail-above`` found."""
    limit = f"{judgement.above * 100:g} %"
    if judgement.empty:
        return "Nothing could be judged."
    if judgement.failed:
        parts = []
        if judgement.slower:
            count = f"{len(judgement.slower)} of {judgement.judged} main times"
            parts.append(f"{count} slower by more than {limit} beyond the noise")
        if judgement.lost:
            engines = "result" if len(judgement.lost) == 1 else "results"
            parts.append(f"{len(judgement.lost)} {engines} lost")
        return f"Failed: {' and '.join(parts)}."
    count = f"{judgement.judged} judged"
    if judgement.not_excluded:
        count += f", of which {len(judgement.not_excluded)} may be for all that is known"
    return f"Passed: no main time is shown to be slower by more than {limit} ({count})."


def _title(comparison: Comparison) -> str:
    names = dict.fromkeys((comparison.first.experiment, comparison.second.experiment))
    return " and ".join(name for name in names if name)


def _about(side: Side) -> str:
    started = side.started.replace("T", " ")
    rounds = f"{side.rounds} round{'' if side.rounds == 1 else 's'}"
    return ", ".join(part for part in (str(side.folder), started, rounds) if part)


def _print_changes(console: Console, comparison: Comparison) -> None:
    console.print()
    console.print(Text("What changed", style="bold"))
    if not comparison.changes:
        console.print(Text("  Nothing of what both runs tell: asked, data, versions, machine."))
        return
    for section, heading in _SECTIONS.items():
        changes = [one for one in comparison.changes if one.section == section]
        if not changes:
            continue
        console.print(Text(f"  {heading}"))
        for one in changes:
            console.print(Padding(_change(one), (0, 0, 0, 4)))


def _change(change: Change) -> Text:
    first, second = _differing(clean(change.first), clean(change.second))
    return Text.assemble(f"{clean(change.key)}: ", (first, "cyan"), " -> ", (second, "cyan"))


def _differing(first: str, second: str) -> tuple[str, str]:
    """Return two texts, or of long ones the part in which they begin to differ."""
    if max(len(first), len(second)) <= _LONGEST_VALUE:
        return first, second
    same = next(
        (place for place, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
        min(len(first), len(second)),
    )
    start = max(0, same - _BEFORE)
    return _excerpt(first, start), _excerpt(second, start)


def _excerpt(text: str, start: int) -> str:
    end = start + _LONGEST_VALUE
    before, after = ("... " if start else ""), (" ..." if end < len(text) else "")
    return f"{before}{text[start:end]}{after}"


def _print_judgement(console: Console, judgement: Judgement) -> None:
    style = "bold red" if judgement.failed or judgement.empty else "bold green"
    console.print()
    console.print(Text("Judged by --fail-above", style="bold"))
    console.print(Padding(Text(tell_judgement(judgement), style=style), (0, 0, 0, 2)))
    lines = [
        f"{heading}: {line}"
        for heading, found in (
            ("slower", judgement.slower),
            ("lost", judgement.lost),
            ("not judged", judgement.unjudged),
        )
        for line in found
    ]
    if judgement.not_excluded:
        lines.append(
            f"not excluded to be slower by more, as the noise is too great or not known: "
            f"{named(judgement.not_excluded)}."
        )
    if judgement.uncertain:
        lines.append(
            f"{judgement.uncertain} of {judgement.judged} judged without an interval, by whether "
            "the values of the runs overlap: the noise is not known."
        )
    if judgement.judged > 1:
        lines.append(
            f"The intervals are for one number each, so chance shows one of {judgement.judged} "
            "times as slower more often than a single one."
        )
    for line in lines:
        console.print(Padding(Text(clean(line)), (0, 0, 0, 2)))


def _print_point(console: Console, point: PointPair) -> None:
    for pair in point.pairs:
        console.print()
        console.print(_heading(point, pair))
        if pair.groups:
            console.print(_grid(pair))


def _heading(point: PointPair, pair: Pair) -> Text:
    text = Text(clean(name_of(pair)), style="bold")
    if point.title:
        text.append(f", {clean(point.title)}")
    first, second = pair.outcomes
    if (first, second) != ("completed", "completed"):
        told = first if first == second else f"{first}, then {second}"
        text.append(f"  {clean(told)}", style="yellow")
    return text


def _grid(pair: Pair) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("", overflow="fold", max_width=_MOST_LABEL)
    shown = [number.ratio for _, rows in pair.groups for number in rows]
    intervals = any(ratio is not None and ratio.has_interval for ratio in shown)
    # a column without anything in it would take its width from the labels
    for head in ("first", "second", "ratio", *(["interval"] if intervals else [])):
        grid.add_column(head, justify="right", overflow="fold")
    grid.add_column("difference", overflow="fold")
    for place, (heading, rows) in enumerate(pair.groups):
        if place:
            grid.add_row()
        grid.add_row(Text(clean(heading), style="bold"))
        for number in rows:
            grid.add_row(*_cells(number, main=number is pair.main, intervals=intervals))
    return grid


def _cells(number: Number, *, main: bool, intervals: bool) -> Iterator[Text | Padding]:
    label = Text(clean(number.row.label), style="bold" if main else "")
    yield Padding(label, (0, 0, 0, 2))
    for text in number.texts:
        yield Text(clean(text))
    yield Text(change_text(number), style="cyan")
    if intervals:
        yield Text("" if number.ratio is None else interval_text(number.ratio))
    style = "yellow" if number.difference in {"shown", "beyond tolerance"} else "dim"
    yield Text(difference_text(number), style=style)


def _legend(comparison: Comparison) -> Iterator[str]:
    """Yield the sentences that a reader of the tables needs, and no others."""
    rows = [
        number
        for point in comparison.points
        for pair in point.pairs
        for _, numbers_of_group in pair.groups
        for number in numbers_of_group
    ]
    found = {number.difference for number in rows}
    ratios = [number for number in rows if number.ratio is not None]
    if ratios:
        yield (
            "ratio: second over first; of these, shown is the geometric mean over the rounds of "
            "each round's median, and of all else the median."
        )
    if any(number.ratio is not None and number.ratio.has_interval for number in ratios):
        yield "interval: 95 %."
    if "none shown" in found:
        yield "not shown: no difference is shown."
    if "within noise" in found:
        yield "in noise: none is shown, as the ratio is within the noise floor."
    if "uncertain" in found:
        yield (
            "?: there is no interval; the values of the runs do not overlap, which may be chance."
        )
    if found & {"within tolerance", "beyond tolerance", "changed"}:
        yield "Scores and counts have a difference in place of a ratio."
    if "within tolerance" in found:
        yield "tolerated: within the tolerance of the metric."
    if "beyond tolerance" in found:
        yield "differs: beyond the tolerance of the metric."
    floors = [number.noise.factor for number in ratios if number.noise is not None]
    if floors:
        yield (
            "Noise floors, from null runs, go from "
            f"{numbers.excess(min(floors))} to {numbers.excess(max(floors))}."
        )


def _print_list(console: Console, title: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    console.print()
    console.print(Text(title, style="bold"))
    grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for line in lines:
        grid.add_row(Text("-"), Text(clean(line)))
    console.print(grid)
