"""What each engine was really given, as it reported from inside, as texts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from experiments.report.numbers import memory
from experiments.report.text import clean, definition_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from experiments.report.build import Report

GIVEN_HEADING = "What each engine was really given"
GIVEN_HOW = (
    "As each engine reported from inside while it ran. Where it differed between processes or "
    "points, each value is named."
)
_GROUPS = ("Granted", "Native threads", "Versions", "Details")
_LABELS = {
    "cores": "cores",
    "workers": "workers",
    "threads_per_worker": "threads of a worker",
    "memory_bytes": "own memory limit",
}
# more different values than a reader compares by eye are counted
_MOST_VALUES = 4
_MOST_LETTERS = 300


@dataclass(frozen=True)
class Given:
    """One fact about all engines.

    Parameters
    ----------
    group : str
        "Granted", "Native threads" (the most that a pool in a process may run), "Versions" or
        "Details".
    label : str
        What it is.
    cells : tuple of str
        One an engine, in the order of `GivenTable.heads`; empty where it says nothing.
    """

    group: str
    label: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class GivenTable:
    """What each engine was really given; nothing of it is escaped.

    Parameters
    ----------
    heads : tuple of str
        Engine and implementation.
    rows : tuple of Given
        Empty where no engine reported anything.
    """

    heads: tuple[str, ...]
    rows: tuple[Given, ...]

    @property
    def groups(self) -> tuple[tuple[str, tuple[Given, ...]], ...]:
        """The rows by their group, in order."""
        grouped = groupby(self.rows, key=lambda row: row.group)
        return tuple((group, tuple(rows)) for group, rows in grouped)


def list_given(report: Report) -> GivenTable:
    """Return the facts that every engine reported; what differs within a run is listed."""
    names = tuple(dict.fromkeys(head.name for table in report.tables for head in table.heads))
    name_of = {
        (head.engine, head.implementation): head.name
        for table in report.tables
        for head in table.heads
    }
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for record in report.records:
        name = name_of.get((record.engine, record.implementation))
        if name is None:
            continue
        for group, label, value in _facts(record.facts):
            # thousands of records say the same: each value is put into words once, below
            found.setdefault((group, label), {}).setdefault(name, {})[repr(value)] = value
    rows = (
        Given(
            group,
            _LABELS.get(label, clean(label).replace("_", " ")),
            tuple(_joined(label, list(values.get(name, {}).values())) for name in names),
        )
        for (group, label), values in sorted(
            found.items(), key=lambda one: _GROUPS.index(one[0][0])
        )
    )
    return GivenTable(names, tuple(rows))


def _facts(facts: dict[str, Any]) -> Iterable[tuple[str, str, Any]]:
    for name in _LABELS:
        if facts.get(name) is not None:
            yield "Granted", name, facts[name]
    for group, key in (
        ("Native threads", "native_threads"),
        ("Versions", "versions"),
        ("Details", "details"),
    ):
        section = facts.get(key)
        if isinstance(section, dict):
            yield from ((group, str(name), value) for name, value in section.items())


def _joined(name: str, values: list[Any]) -> str:
    texts = [_text(name, value) for value in values[:_MOST_VALUES]]
    more = len(values) - len(texts)
    return "; ".join([*texts, *([f"and {more:,} more"] if more else [])])


def _plain(name: str) -> str:
    return clean(name).removesuffix("_bytes").replace("_", " ")


def _text(name: str, value: Any) -> str:
    if isinstance(value, list):
        between = "; " if any(isinstance(one, dict) for one in value) else ", "
        return between.join(_text(name, one) for one in value) or "none"
    if isinstance(value, dict):
        # whose they are comes first, without a word
        parts = [clean(value["name"])] if "name" in value else []
        parts += [f"{_plain(key)} {_text(key, one)}" for key, one in value.items() if key != "name"]
        return ", ".join(parts) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_bytes") and isinstance(value, int | float):
        return memory(value)
    text = clean(definition_value(value))
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."
