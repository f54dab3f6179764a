"""Colours and type of all charts, on paper and on a dark page."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

Theme: TypeAlias = Literal["light", "dark"]

# One an engine, the same in every chart. Between any two of the first three lie at least 30 units
# of CIELAB for normal sight and for each kind of colour blindness (simulated after Machado,
# Oliveira & Fernandes 2009), and between each and either background a contrast of at least 3:1.
ENGINE_COLOURS = {"sklearn": "#3a8fbf", "dask": "#d4690a", "spark": "#8b47d9"}
FURTHER_COLOURS = ("#3f8f4f", "#a8863a", "#c0476f", "#6b7785")

# Lightness tells the phases apart where colour does not: what leads up to the work is grey, the
# work itself is teal, and what follows it is sand.
PHASE_COLOURS = {
    "start": "#7d8894",
    "load": "#aab3bd",
    "cold": "#0a6b66",
    "warm": "#57b3aa",
    "refit": "#2b4c6f",
    "predict": "#c79a3a",
    "other": "#dcc48c",
    "unaccounted": "#e9ebee",
}

# what charts are meant to lie on: names in a chart are edged with it
GROUND: dict[Theme, str] = {"light": "#ffffff", "dark": "#14171c"}
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
LABEL_SIZE = 11


def config(theme: Theme) -> dict[str, Any]:
    """Return the configuration of Vega-Lite that gives a chart its looks.

    Marks name a style and no colour: ``label`` (text beside a mark), ``quiet`` (a remark),
    ``interval``, ``limit`` (a line that is no measurement), ``gap`` (around a part of a bar) and
    ``failure``.
    """
    light = theme == "light"
    ink, muted = ("#1b1f24", "#57606a") if light else ("#e6e9ed", "#9aa4af")
    line, grid = ("#8c959f", "#e4e7ea") if light else ("#6e7781", "#2c323a")
    ground = GROUND[theme]
    return {
        "background": ground,
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": ink,
            "labelFontSize": LABEL_SIZE,
            "labelPadding": 4,
            "titleColor": muted,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "gridColor": grid,
            "domainColor": line,
            "tickColor": line,
        },
        "axisY": {"domain": False, "ticks": False},
        "legend": {
            "orient": "top",
            "title": None,
            "labelColor": ink,
            "labelFontSize": LABEL_SIZE,
            "labelLimit": 240,
            "symbolStrokeColor": line,
            "columnPadding": 12,
            "offset": 8,
        },
        "title": {"color": ink, "fontSize": 14, "fontWeight": "bold", "offset": 12},
        "text": {"color": ink, "fontSize": LABEL_SIZE},
        "style": {
            "label": {"color": ink},
            "quiet": {"color": muted},
            "interval": {"color": ink, "strokeWidth": 1.5},
            "limit": {"color": muted, "strokeWidth": 1, "strokeDash": [4, 3]},
            "gap": {"stroke": line, "strokeWidth": 0.5},
            "failure": {"strokeWidth": 2.5},
            "halo": {"color": ground, "stroke": ground, "strokeWidth": 4, "strokeJoin": "round"},
        },
    }
