"""Give the tables of a report as LaTeX: booktabs, one table a point, to be read by a document."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from experiments.report.cells import label, show
from experiments.report.footnotes import marks
from experiments.report.legend import legend
from experiments.report.measured import MEASURED_HEADING
from experiments.report.shortened import shorten, tell_rest
from experiments.report.sweeps.tables import sweep_sections
from experiments.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from experiments.report.build import Report
    from experiments.report.rows import Row
    from experiments.report.sweeps.tables import SweepTable
    from experiments.report.tables import Group, Head, Table
    from experiments.report.workers import WorkerTable

# A float cannot be broken between pages: so many lines of \footnotesize fit on one with a caption
_MOST_LINES = 50
# of characters beyond ASCII those that come with the product's own texts or any keyboard
_MARKUP = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': r"{''}",
    # at the beginning of a line these would be read as options of the line end before it
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "\u00b1": r"$\pm$",
    "\u00d7": r"$\times$",
    "\u00b5": r"$\mu$",
    "\u03bc": r"$\mu$",
    "\u00b2": r"$^2$",
    "\u00b3": r"$^3$",
    "\u00b0": r"$^\circ$",
    "\u00df": r"\ss{}",
    "\u2013": "--",
    "\u2014": "---",
    "\u2018": "`{}",
    "\u2019": "'{}",
    "\u201c": "``",
    "\u201d": "''",
    "\u2026": r"\dots{}",
    "\u2265": r"$\geq$",
    "\u2264": r"$\leq$",
}
# combining accents, which every engine of LaTeX sets over a Latin letter
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
_HEAD = r"""% Made by enginebench. It needs \usepackage{booktabs} and any of pdf-, Xe- and LuaLaTeX.
% pdfLaTeX has no letters beyond Latin ones and shows their numbers; the other two show what the
% font of the document has.
\providecommand{\enginebenchletter}[1]{%
  \ifdefined\XeTeXversion\char"#1\relax\else
  \ifdefined\directlua\char"#1\relax\else[U+#1]\fi\fi}
"""


def as_latex(report: Report) -> str:
    """Return every table as a LaTeX float with a caption, a label and its notes.

    Those of a sweep, over all of its points, come before those of each point.

    A table that is too long for a page continues in a second one. Everything from data is
    escaped: see `escape`.
    """
    parts = [_HEAD]
    name = _slug(report.experiment)
    for number, section in enumerate(sweep_sections(report.sweeps), start=1):
        parts.extend(
            _sweep(
                f"{report.experiment}, {_lower(section.title)}", one, f"{name}-{number}-{one.key}"
            )
            for one in section.tables
        )
    told: set[str] = set()
    for number, table in enumerate(report.tables, start=1):
        parts.extend(_floats(report, table, f"{name}-{number}"))
        for place, one in enumerate(table.workers, start=1):
            # a float stands where there is room: how it came about is told in an engine's first
            ways = [] if one.engine in told else _ways(report, one.engine)
            told.add(one.engine)
            title, label = _title(report, table), f"{name}-{number}-workers-{place}"
            parts.append(_workers(title, one, label, ways))
    return "\n".join(parts)


def escape(value: object) -> str:
    """Return a value as LaTeX that shows as it is, in pure ASCII.

    Accented Latin letters become accents over letters; a letter of another script becomes its
    number, which XeLaTeX and LuaLaTeX turn back into the letter.
    """
    text = unicodedata.normalize("NFC", clean(value))
    return "".join(
        # two of these would become a dash or a quotation mark
        "{}" + letter if letter in "-'," and letter == before else _one(letter)
        for before, letter in zip(f" {text}", text, strict=False)
    )


def _one(letter: str) -> str:
    if letter in _MARKUP:
        return _MARKUP[letter]
    if letter.isascii():
        return letter
    base, *accents = list(unicodedata.normalize("NFD", letter))
    if len(accents) == 1 and base.isascii() and base.isalpha() and accents[0] in _ACCENTS:
        # the dot of i and j gives way to what is set over it
        base = {"i": r"\i", "j": r"\j"}.get(base, base) if accents[0] != "\u0327" else base
        return f"{{\\{_ACCENTS[accents[0]]}{{{base}}}}}"
    if unicodedata.category(letter) == "Zs":
        return " "
    return f"\\enginebenchletter{{{ord(letter):04X}}}"


def _floats(report: Report, table: Table, name: str) -> Iterable[str]:
    pages = list(_pages(table.groups))
    for number, groups in enumerate(pages or [()]):
        title = _title(report, table)
        said = "" if number else " ".join(map(_closed, (table.rows_asked, table.granted)))
        more = " (continued)" if number else ""
        lines = [
            *_begin(f"{title}{more}", said.strip(), f"{name}{f'-{number + 1}' if number else ''}"),
            *(_grid(table.heads, groups) if groups else ()),
        ]
        if number == len(pages or [()]) - 1:
            lines += _notes(report, table)
        yield "\n".join([*lines, r"\end{table}", ""])


def _title(report: Report, table: Table) -> str:
    """Return what a table is called in its caption."""
    return report.experiment + (f", {table.title}" if table.point else "")


def _sweep(title: str, table: SweepTable, name: str) -> str:
    """Return one table of a sweep: its rows are values of the swept key, or engines."""
    begin = _begin(f"{title}: {_lower(table.title)}", "", f"sweep-{name}")
    return _plain(begin, table.heads, table.rows, table.legend)


def _ways(report: Report, engine: str) -> list[str]:
    """Return how the workers of an engine were measured."""
    return [one.text for one in report.measured if one.engine == engine]


def _workers(title: str, table: WorkerTable, name: str, ways: Sequence[str]) -> str:
    """Return the table of what each worker of a cluster used, and how that was measured."""
    begin = _begin(f"{title}: {_lower(table.title)}", table.about, name)
    rows = shorten(table.rows, _MOST_LINES, table.foot)
    rest = tell_rest(table.rows, _MOST_LINES, foot=table.foot)
    said = [rest, table.legend]
    if ways:
        said += [f"{MEASURED_HEADING}.", *ways]
    return _plain(begin, table.heads, rows, " ".join(one for one in said if one))


def _plain(
    begin: Sequence[str], heads: Sequence[str], rows: Iterable[Sequence[str]], said: str
) -> str:
    """Return a float of texts, with its legend below."""
    lines = [
        *begin,
        f"\\begin{{tabular}}{{@{{}}l{'r' * (len(heads) - 1)}@{{}}}}",
        r"\toprule",
        _line(escape(heads[0]), map(escape, heads[1:])),
        r"\midrule",
        *(_line(escape(row[0]), map(escape, row[1:])) for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    if said:
        lines += [r"\par\medskip\raggedright", f"{escape(said)}\\par"]
    return "\n".join([*lines, r"\end{table}", ""])


def _begin(title: str, said: str, name: str) -> list[str]:
    """Return the first lines of a float: its caption, short for a list of tables, and its label."""
    text = " ".join(_closed(one) for one in (title, said) if one)
    return [
        r"\begin{table}[htbp]",
        r"\centering\footnotesize",
        r"\setlength{\tabcolsep}{4pt}\setlength{\belowcaptionskip}{6pt}",
        f"\\caption[{escape(title)}]{{{escape(text)}}}",
        f"\\label{{tab:enginebench-{name}}}",
    ]


def _pages(groups: Sequence[Group]) -> Iterable[tuple[Group, ...]]:
    """Share groups out over as few tables as hold them; a group is never broken."""
    page: list[Group] = []
    used = 0
    for group in groups:
        lines = 2 + sum(1 + len(_below(row)) for row in group.rows)
        if page and used + lines > _MOST_LINES:
            yield tuple(page)
            page, used = [], 0
        page.append(group)
        used += lines
    if page:
        yield tuple(page)


def _grid(heads: Sequence[Head], groups: Sequence[Group]) -> Iterable[str]:
    yield f"\\begin{{tabular}}{{@{{}}p{{0.21\\linewidth}}{'r' * len(heads)}@{{}}}}"
    yield r"\toprule"
    yield _line("", (f"{escape(head.title)}{_marks(head.marks)}" for head in heads))
    yield _line("", (escape(head.implementation) for head in heads))
    if any(head.outcome != "completed" for head in heads):
        yield _line("", (_outcome(head) for head in heads))
    for group in groups:
        yield r"\midrule"
        yield _line(f"\\textbf{{{escape(group.heading)}}}", ("" for _ in heads))
        for row in group.rows:
            name = f"\\raggedright {escape(label(row))}{_marks(row.marks)}"
            yield _line(name, map(escape, _values(row)))
            yield from (_line("", map(_small, texts)) for texts in _below(row))
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _outcome(head: Head) -> str:
    return "" if head.outcome == "completed" else f"\\emph{{{escape(head.outcome)}}}"


def _values(row: Row) -> Iterable[str]:
    for cell in row.cells:
        text = show(row, cell)
        yield f"{text.value} ({text.beside})" if text.beside else text.value


def _below(row: Row) -> list[tuple[str, ...]]:
    """Return the lines below a row's values: the spreads and the intervals, where it has them."""
    shown = [show(row, cell) for cell in row.cells]
    lines = (tuple(one.spread for one in shown), tuple(one.intervals for one in shown))
    return [texts for texts in lines if any(texts)]


def _small(text: str) -> str:
    return f"{{\\scriptsize {escape(text)}}}" if text else ""


def _line(first: str, cells: Iterable[str]) -> str:
    return f"{' & '.join([first, *cells])} \\\\"


def _marks(numbers: tuple[int, ...]) -> str:
    return f"\\textsuperscript{{{marks(numbers)}}}" if numbers else ""


def _notes(report: Report, table: Table) -> Iterable[str]:
    """Return what a reader of one table must know, below it."""
    rows = (row for group in table.groups for row in group.rows)
    marked = (*(head.marks for head in table.heads), *(row.marks for row in rows))
    used = sorted({mark for numbers in marked for mark in numbers})
    notes = [escape(legend(table))] if table.groups else []
    notes += [escape(table.null_run)] if table.null_run else []
    notes += [escape(one.text) for one in table.disagreements]
    notes += [
        escape(
            f"{one.engine} {one.outcome}"
            + (f" in {one.when}" if one.when else "")
            + (f": {one.told}" if one.told else "")
        )
        for one in table.problems
    ]
    notes += [
        f"\\textsuperscript{{{mark}}} {escape(report.footnotes[mark - 1])}"
        for mark in used
        if mark <= len(report.footnotes)
    ]
    if notes:
        yield r"\par\medskip\raggedright"
        yield from (f"{note}\\par" for note in notes)


def _closed(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _lower(text: str) -> str:
    return f"{text[:1].lower()}{text[1:]}"


def _slug(text: str) -> str:
    """Return what may stand in a label."""
    return re.sub(r"[^a-z0-9]+", "-", clean(text).lower()).strip("-")[:60] or "run"
