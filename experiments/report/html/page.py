"""Build the page of a report from its template."""

from __future__ import annotations

import base64
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from experiments.report.cells import label, show
from experiments.report.footnotes import marks
from experiments.report.given import GIVEN_HEADING, GIVEN_HOW, list_given
from experiments.report.html.parts import deciding, lead, noise, points, value_of
from experiments.report.html.scripts import as_json, as_script, policy
from experiments.report.html.sorting import sort_value
from experiments.report.legend import explain, legend
from experiments.report.listing import LISTED, list_candidates
from experiments.report.measured import MEASURED_HEADING
from experiments.report.parameters import PARAMETERS_HEADING, list_parameters
from experiments.report.shortened import (
    MOST_LISTED,
    MOST_ROWS,
    MOST_SEARCHES,
    shorten,
    tell_rest,
)
from experiments.report.sweeps.tables import sweep_sections, tell_others
from experiments.report.text import clean, clean_lines
from experiments.search.log import TABLE_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jinja2 import Environment

    from experiments.report.build import Report
    from experiments.report.charts.figure import Figure

FULL_TABLES = 24
_FOLDER = "experiments.report.html"
# how much of what data may make as long as it likes is shown, and how long an answer may be to
# stand in large letters
_MOST = {
    "listed": MOST_LISTED,
    "rows": MOST_ROWS,
    "searches": MOST_SEARCHES,
    "tables": FULL_TABLES,
    "first": 4,
    "loud": 160,
}
_HEADINGS = {
    "given": GIVEN_HEADING,
    "given_how": GIVEN_HOW,
    "parameters": PARAMETERS_HEADING,
}


def as_page(
    report: Report,
    figures: Sequence[Figure] = (),
    images: Mapping[str, str] | None = None,
    library: str = "",
) -> str:
    """Return the report as one HTML page that needs no network and no other file.

    Parameters
    ----------
    report : Report
        What is told.
    figures : sequence of Figure
        The charts, in their order.
    images : mapping of str to str, optional
        Key of a figure to its SVG: what is printed, and shown where scripts are off. A figure
        without one is drawn here.
    library : str
        The scripts that draw charts, of `experiments.report.charts.library`; fetched from there
        where there are figures and none are given.

    Returns
    -------
    str
        Everything from data in it is escaped, also within the data of charts; a policy in its
        head names the digests of its own scripts and allows no others.
    """
    from markupsafe import Markup, escape

    from experiments.report.charts.library import chart_scripts

    scripts = [as_script(library or chart_scripts())] if figures else []
    scripts.append(as_script(_asset("page.js")))
    rows = [row for table in report.tables for group in table.groups for row in group.rows]
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            answer=lead(report.answer),
            deciding=deciding(report),
            sweeps=_sweeps(report),
            other_sweeps=tell_others(report.sweeps),
            tables=report.tables[:FULL_TABLES],
            # a sweep is seen whole in one table, and in so many points in no other
            points=points(report.tables) if len(report.tables) > FULL_TABLES else None,
            noise=noise(report),
            headings=_HEADINGS,
            most=_MOST,
            figures=[_figure(figure, images or {}) for figure in figures],
            measured_heading=MEASURED_HEADING,
            given=list_given(report),
            parameters=list_parameters(report),
            candidates=list_candidates(shorten(report.candidates, MOST_SEARCHES)),
            listed=LISTED,
            candidates_file=TABLE_FILE,
            meanings={row.label: row.meaning for row in rows if row.meaning}
            | explain(report.tables),
            # lines keep their indentation, and are escaped here as they are cleaned
            definition=escape(clean_lines(report.definition)),
            # these hold nothing from data
            style=Markup(_asset("style.css")),  # noqa: S704
            scripts=[Markup(script) for script in scripts],  # noqa: S704
            policy=policy(scripts),
        )
    )


def _sweeps(report: Report) -> list[dict[str, Any]]:
    """Return the sweeps in words; those of the main measure are told first."""
    return [
        {
            "section": section,
            "main": sweep.measure == report.sweeps[0].measure,
            # the largest value that each engine completed stands below those that are sorted
            "foot": 0 if sweep.kind == "other" else 1,
        }
        # of many sweeps only the first have sections
        for sweep, section in zip(report.sweeps, sweep_sections(report.sweeps), strict=False)
    ]


def _figure(figure: Figure, images: Mapping[str, str]) -> dict[str, Any]:
    from markupsafe import Markup

    from experiments.report.charts.figure import spec, svg
    from experiments.report.charts.theme import config

    # the themes share all but their configuration, so the data is written once
    specs = {"light": spec(figure, "light"), "dark": {"config": config("dark")}}
    image = images.get(figure.key) or svg(figure)
    return {
        "title": figure.title,
        "text": figure.text,
        "heads": figure.heads,
        "rows": figure.rows,
        "specs": Markup(as_json(specs)),  # noqa: S704
        "image": "data:image/svg+xml;base64," + base64.b64encode(image.encode()).decode(),
    }


@cache
def _environment() -> Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(_FOLDER, "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        label=label,
        legend=legend,
        marks=marks,
        shorten=shorten,
        sort_value=sort_value,
        tell_rest=tell_rest,
    )
    environment.globals.update(show=show, value_of=value_of)
    return environment


def _finalize(value: Any) -> Any:
    """Take from every text what could steer or reorder a page; its escaping comes after."""
    from markupsafe import Markup

    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return clean(value)


def _asset(name: str) -> str:
    return resources.files(_FOLDER).joinpath(name).read_text(encoding="utf-8")
