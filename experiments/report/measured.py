"""Who counted what in the workers of clusters: each way of measuring once, by engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from experiments.report.attached import label_of
from experiments.report.planned import columns_at
from experiments.report.wording import joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from experiments.report.columns import Column
    from experiments.report.folder import RunFiles

MEASURED_HEADING: Final = "How the workers were measured"


@dataclass(frozen=True)
class Measured:
    """One way in which an engine's workers were measured.

    Parameters
    ----------
    engine : str
        Whose workers they are.
    title : str
        The same for people.
    names : tuple of str
        The numbers that come about in this way, such as ``cpu_s``.
    who : str
        Who counts them, and how.
    """

    engine: str
    title: str
    names: tuple[str, ...]
    who: str

    @property
    def what(self) -> str:
        """The engine and its numbers, for people."""
        return f"{self.title}, {joined([label_of(name) for name in self.names])}"

    @property
    def text(self) -> str:
        """All of it in one line."""
        return f"{self.what}: {self.who}."


def find_measured(files: RunFiles) -> tuple[Measured, ...]:
    """Return each way in which workers were measured, once for each engine.

    Parameters
    ----------
    files : RunFiles
        Content of a run folder.
    """
    found: dict[tuple[str, str], dict[str, None]] = {}
    titles: dict[str, str] = {}
    for point in files.points:
        for column in columns_at(files, point):
            titles[column.engine] = column.title
            for name, who in _ways(column):
                found.setdefault((column.engine, who), {})[name] = None
    # engine by engine, also where a later point adds a way
    return tuple(
        Measured(engine, name, tuple(names), who)
        for engine, name in titles.items()
        for (whose, who), names in found.items()
        if whose == engine
    )


def _ways(column: Column) -> Iterable[tuple[str, str]]:
    """Return the name of each number, and who counts it."""
    for record in column.records:
        known: Mapping[str, object] | object = record.facts.get("measured_by")
        if isinstance(known, dict):
            yield from ((str(name), str(who).rstrip(".")) for name, who in known.items())
