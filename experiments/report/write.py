"""Write all files of a report into its run folder."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.report.files import write_whole
from experiments.report.markdown import write_markdown
from experiments.report.memory import no_cycles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from experiments.report.build import Report
    from experiments.report.charts.figure import Figure

PAGE_FILE = "report.html"


@dataclass(frozen=True)
class Written:
    """The files of a report.

    Parameters
    ----------
    markdown : pathlib.Path
        ``report.md``.
    html : pathlib.Path
        ``report.html``, which needs no other file.
    figures : tuple of pathlib.Path
        ``figures/<key>.svg``, which ``report.md`` shows, and then ``figures/<key>.png`` where they
        were asked for; none where there is nothing to draw.
    """

    markdown: Path
    html: Path
    figures: tuple[Path, ...]


@no_cycles()
def write_report(
    report: Report, figures: Sequence[Figure] | None = None, *, png: bool = False
) -> Written:
    """Write ``figures/``, ``report.md`` and ``report.html``, each file whole or not at all.

    Parameters
    ----------
    report : Report
        What is told.
    figures : sequence of Figure, optional
        Its charts, where they are drawn already.
    png : bool
        Whether charts are written as PNG as well.

    Raises
    ------
    RequestError
        If the folder cannot be written, or a chart cannot be drawn.
    """
    from experiments.report.charts.build import build_figures
    from experiments.report.charts.figure import write_figures
    from experiments.report.charts.library import bundling
    from experiments.report.html import as_page

    # without records there is nothing to draw
    drawn = bool(report.records if figures is None else figures)
    with bundling() if drawn else nullcontext(str) as library:
        if figures is None:
            figures = build_figures(report)
        images = write_figures(figures, report.folder, ("svg", "png") if png else ("svg",))
        # the SVGs come first, one a figure
        texts = {
            figure.key: image.read_text(encoding="utf-8")
            for figure, image in zip(figures, images, strict=False)
        }
        markdown = write_markdown(report, figures)
        page = as_page(report, figures, texts, library() if figures else "")
    return Written(
        markdown=markdown, html=write_whole(report.folder / PAGE_FILE, page), figures=images
    )
