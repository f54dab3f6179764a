"""One chart with all that goes with it, and its forms: for a page, as SVG and as PNG.

A chart is defined once, without colours for paper or screen; the theme is laid over it when it is
given a form. A page shows a figure's title beside the chart and lets it grow with the window; an
image has a fixed width and carries the title within.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from experiments.errors import RequestError
from experiments.report.charts.theme import config
from experiments.report.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from experiments.report.charts.theme import Theme

FIGURES_FOLDER = "figures"
_WIDTH = 560
# names beside the last marks are measured and have room; this is what is left beyond them
_PADDING = {"left": 5, "top": 5, "right": 10, "bottom": 5}


@dataclass(frozen=True)
class Figure:
    """A chart, what it is called, what is to be seen in it and the numbers drawn.

    Parameters
    ----------
    key : str
        Stem of its file, and its id in a page: letters, digits and dashes.
    title : str
        One line.
    text : str
        Text alternative: what is to be seen, with numbers, in one to three sentences.
    chart : altair.LayerChart
        Without a theme, a width and a title.
    heads : tuple of str
        Heads of the table of numbers.
    rows : tuple of tuple of str
        The numbers drawn, as they are shown; one cell a head.
    """

    key: str
    title: str
    text: str
    chart: Any
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @cached_property
    def content(self) -> dict[str, Any]:
        """The chart as Vega-Lite, which every form begins with; not to be changed in place."""
        content: dict[str, Any] = self.chart.to_dict(validate=False)
        content.pop("config", None)
        return content


def spec(figure: Figure, theme: Theme = "light") -> dict[str, Any]:
    """Return a figure for a page, as Vega-Lite: as wide as what holds it, and without its title.

    Parameters
    ----------
    figure : Figure
        What is drawn.
    theme : {"light", "dark"}
        The page's colours; the background is left to the page.
    """
    return {
        **_content(figure),
        "width": "container",
        "background": "transparent",
        "config": config(theme),
    }


def svg(figure: Figure, theme: Theme = "light") -> str:
    """Return a figure as SVG, with its title and on a background of its own."""
    import vl_convert

    text: str = vl_convert.vegalite_to_svg(_image(figure, theme), vl_version=vega_lite_version())
    told = html.escape(figure.text)
    return text.replace("<svg ", f'<svg role="img" aria-label="{told}" ', 1)


def png(figure: Figure, scale: float = 2, theme: Theme = "light") -> bytes:
    """Return a figure as PNG, with its title and on a background of its own.

    Parameters
    ----------
    figure : Figure
        What is drawn.
    scale : float
        Pixels for each pixel of the SVG.
    theme : {"light", "dark"}
        Paper or a dark page.
    """
    import vl_convert

    content: bytes = vl_convert.vegalite_to_png(
        _image(figure, theme), vl_version=vega_lite_version(), scale=scale
    )
    return content


def write_figures(figures: Sequence[Figure], folder: Path) -> tuple[Path, ...]:
    """Write figures as SVG into a run folder, each whole or not at all.

    Parameters
    ----------
    figures : sequence of Figure
        Any number; none makes no folder.
    folder : pathlib.Path
        The run folder; the files are ``figures/<key>.svg`` in it.

    Returns
    -------
    tuple of pathlib.Path
        One a figure, in their order.

    Raises
    ------
    RequestError
        If the folder cannot be written.
    """
    own = folder / FIGURES_FOLDER
    try:
        if figures:
            own.mkdir(exist_ok=True)
    except OSError as exc:
        raise RequestError(f"The figures in {own} cannot be written: {exc.strerror}.") from exc
    return tuple(write_whole(own / f"{one.key}.svg", svg(one)) for one in figures)


def _content(figure: Figure) -> dict[str, Any]:
    return {**figure.content, "description": figure.text, "padding": _PADDING}


def _image(figure: Figure, theme: Theme) -> dict[str, Any]:
    """Return a figure for an image, in which nothing can be pointed at: half as large so."""
    content = _content(figure)
    layers = [
        {**one, "encoding": {k: v for k, v in one["encoding"].items() if k != "tooltip"}}
        for one in content["layer"]
    ]
    return {
        **content,
        "layer": layers,
        "width": _WIDTH,
        "title": {"text": figure.title, "anchor": "start", "limit": _WIDTH + 140},
        "config": {**config(theme), "aria": False},
    }


def vega_lite_version() -> str:
    """Return the version of Vega-Lite in which charts are drawn: that of altair, if it is there."""
    import altair as alt
    import vl_convert

    written = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    known: list[str] = vl_convert.get_vegalite_versions()
    return written if written in known else known[-1]
