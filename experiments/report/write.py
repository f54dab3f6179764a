"""Write all files of a report into its run folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.report.files import write_whole
from experiments.report.markdown import write_markdown
from experiments.report.memory import no_cycles

if TYPE_CHECKING:
    from pathlib import Path

    from experiments.report.build import Report

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
        ``figures/<key>.svg``, which ``report.md`` shows; none where there is nothing to draw.
    """

    markdown: Path
    html: Path
    figures: tuple[Path, ...]


@no_cycles()
def write_report(report: Report) -> Written:
    """Write ``figures/``, ``report.md`` and ``report.html``, each file whole or not at all.

    Raises
    ------
    RequestError
        If the folder cannot be written.
    """
    from experiments.report.charts.build import build_figures
    from experiments.report.charts.figure import write_figures
    from experiments.report.html import as_page

    figures = build_figures(report)
    images = write_figures(figures, report.folder)
    drawn = {
        figure.key: image.read_text(encoding="utf-8")
        for figure, image in zip(figures, images, strict=True)
    }
    return Written(
        markdown=write_markdown(report, figures),
        html=write_whole(report.folder / PAGE_FILE, as_page(report, figures, drawn)),
        figures=images,
    )
