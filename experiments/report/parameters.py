"""What became of each parameter on each engine, as texts, for every form of a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.records import point_key
from experiments.report.footnotes import sentence, shown
from experiments.report.points import at_points

if TYPE_CHECKING:
    from experiments.report.build import Report

PARAMETERS_HEADING = "Parameters converted, rejected or not quite the same"
ALL_AS_ASKED = "Every parameter is given as it was asked for."
_CHANGED = ("convert", "reject")
_WORDS = {
    "same": "same",
    "rename": "renamed",
    "convert": "converted",
    "reject": "rejected",
}


@dataclass(frozen=True)
class Parameter:
    """What became of one parameter; nothing of it is escaped.

    Parameters
    ----------
    name, asked : str
        The field of the definition and the value asked for.
    verdict : str
        "same", "renamed", "converted" or "rejected".
    native, value : str
        What the engine was given, under its own name; "-" where nothing was.
    why : str
        The formula, the reason or a caveat; empty where there is nothing to know.
    where : str
        At which points of a sweep, where it is not the same at all of them.
    """

    name: str
    asked: str
    verdict: str
    native: str
    value: str
    why: str
    where: str = ""

    @property
    def told(self) -> bool:
        """Whether a reader must know of it: converted, rejected or with a caveat."""
        return self.verdict in {_WORDS[one] for one in _CHANGED} or bool(self.why)

    @property
    def fate(self) -> str:
        """What became of the value asked for and why, to stand behind the name."""
        became = ""
        if self.verdict == _WORDS["reject"]:
            became = " is not given to the engine"
        elif self.verdict == _WORDS["convert"]:
            became = f" becomes {self.native} {self.value}"
        where = f" at {self.where}" if self.where else ""
        return f"{self.asked}{became}{where}. {self.why}".rstrip()


@dataclass(frozen=True)
class EngineParameters:
    """All parameters of one engine.

    Parameters
    ----------
    name : str
        Engine and implementation.
    parameters : tuple of Parameter
        In the order of the engine's table of verdicts.
    """

    name: str
    parameters: tuple[Parameter, ...]


def list_parameters(report: Report) -> tuple[EngineParameters, ...]:
    """Return what became of each parameter, once for each engine that says so.

    What is the same at all points of a sweep is told once; anything else names its points.
    """
    # the first record that tells is the one that counts, as in the tables
    applied: dict[tuple[str, str, str], tuple[dict[str, Any], ...]] = {}
    for record in report.records:
        if record.parameters:
            key = (record.engine, record.implementation, point_key(record.point))
            applied.setdefault(key, record.parameters)
    names: dict[str, dict[Parameter, list[str]]] = {}
    points: dict[str, list[str]] = {}
    for table in report.tables:
        for head in table.heads:
            found = applied.get((head.engine, head.implementation, point_key(table.point)))
            if not found:
                continue
            points.setdefault(head.name, []).append(table.title)
            rows = names.setdefault(head.name, {})
            for one in found:
                rows.setdefault(_parameter(one), []).append(table.title)
    return tuple(
        EngineParameters(
            name,
            tuple(
                Parameter(
                    row.name,
                    row.asked,
                    row.verdict,
                    row.native,
                    row.value,
                    row.why,
                    at_points(where, points[name]),
                )
                for row, where in sorted(rows.items(), key=_order(rows))
            ),
        )
        for name, rows in names.items()
    )


def _order(rows: dict[Parameter, list[str]]) -> Any:
    """Return the key that keeps the rows of one parameter together, in the order first met."""
    first = {name: place for place, name in reversed(list(enumerate(one.name for one in rows)))}
    return lambda item: first[item[0].name]


def _parameter(applied: dict[str, Any]) -> Parameter:
    verdict = str(applied.get("verdict"))
    rejected = verdict == "reject"
    return Parameter(
        name=str(applied.get("name", "?")),
        asked=shown(applied.get("asked")),
        verdict=_WORDS.get(verdict, verdict),
        native=str(applied.get("native") or ("-" if rejected else "several calls")),
        value="-" if rejected else shown(applied.get("value")),
        why=sentence(str(applied.get("why") or "")),
    )
