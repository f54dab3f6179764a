"""One chart with all that goes with it, and its forms: for a page, as SVG and as PNG.

A chart is defined once, without colours for paper or screen; the theme is laid over it when it is
given a form. A page shows a figure's title beside the chart and lets it grow with the window; an
image has a fixed width and carries the title within.
"""

from __future__ import annotations

import html
import zlib
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from experiments.errors import RequestError
from experiments.report.charts.theme import config
from experiments.report.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from experiments.report.charts.theme import Theme

Kind: TypeAlias = Literal["svg", "png"]

FIGURES_FOLDER = "figures"
# how an image of a report begins, by which it is known from what somebody else put beside it
_SVG_MARK = '<svg role="img" aria-label="'
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_MARK = b"Software\0enginebench"
_LONGEST_MARK = 200
# length, type and checksum of the header of a PNG, which comes first, and its 13 bytes
_PNG_HEADER = 12 + 13
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
    """Return a figure as SVG, with its title and on a background of its own.

    Raises
    ------
    RequestError
        If it cannot be drawn.
    """
    import vl_convert

    image = _image(figure, theme)
    try:
        text: str = vl_convert.vegalite_to_svg(image, vl_version=vega_lite_version())
    except Exception as exc:  # the library raises whatever its scripts do
        raise _not_drawn(figure, exc) from exc
    return text.replace("<svg ", f'{_SVG_MARK}{html.escape(figure.text)}" ', 1)


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

    Raises
    ------
    RequestError
        If it cannot be drawn.
    """
    import vl_convert

    image = _image(figure, theme)
    try:
        content: bytes = vl_convert.vegalite_to_png(
            image, vl_version=vega_lite_version(), scale=scale
        )
    except Exception as exc:  # the library raises whatever its scripts do
        raise _not_drawn(figure, exc) from exc
    return _marked(content)


def write_figures(
    figures: Sequence[Figure], folder: Path, kinds: Sequence[Kind] = ("svg",)
) -> tuple[Path, ...]:
    """Write figures into a run folder, each whole or not at all.

    Figures of an earlier report of which there is no new one are removed; other files stay.

    Parameters
    ----------
    figures : sequence of Figure
        Any number; none makes no folder.
    folder : pathlib.Path
        The run folder; the files are ``figures/<key>.svg`` and ``figures/<key>.png`` in it.
    kinds : sequence of {"svg", "png"}
        What is written of each figure.

    Returns
    -------
    tuple of pathlib.Path
        All of the first kind in the order of the figures, then those of the next.

    Raises
    ------
    RequestError
        If the folder cannot be written, or a figure cannot be drawn.
    """
    own = folder / FIGURES_FOLDER
    try:
        if figures:
            own.mkdir(exist_ok=True)
    except OSError as exc:
        raise RequestError(f"The figures in {own} cannot be written: {exc.strerror}.") from exc
    forms: dict[Kind, Callable[[Figure], str | bytes]] = {"svg": svg, "png": png}
    paths = tuple(
        write_whole(own / f"{one.key}.{kind}", forms[kind](one))
        for kind in kinds
        for one in figures
    )
    _remove_others(own, paths)
    return paths


def _remove_others(folder: Path, kept: Sequence[Path]) -> None:
    """Remove the images of earlier reports, which show what is no longer so."""
    names = {one.name for one in kept}
    # what cannot be removed does no harm to the new report
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name not in names and path.suffix in {".svg", ".png"} and _is_ours(path):
                path.unlink()


def _is_ours(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(_LONGEST_MARK)
    return start.startswith(_SVG_MARK.encode()) or _PNG_MARK in start


def _marked(image: bytes) -> bytes:
    """Return a PNG that says what wrote it, as a text chunk behind its header."""
    place = len(_PNG_START) + _PNG_HEADER
    chunk = b"tEXt" + _PNG_MARK
    mark = (len(_PNG_MARK)).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    return image[:place] + mark + image[place:]


def _not_drawn(figure: Figure, exc: Exception) -> RequestError:
    reason = str(exc).strip().partition("\n")[0].rstrip(".") or type(exc).__name__
    return RequestError(
        f"The figure {figure.key!r} cannot be drawn ({reason}); the tables and "
        "'enginebench report --format csv' have its numbers."
    )


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
