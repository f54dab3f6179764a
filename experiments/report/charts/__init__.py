"""Draw what a run gave: charts that a page, a Markdown file and an image share."""

from __future__ import annotations

from experiments.report.charts.build import build_figures
from experiments.report.charts.figure import Figure, png, spec, svg, write_figures

__all__ = ["Figure", "build_figures", "png", "spec", "svg", "write_figures"]
