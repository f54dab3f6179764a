"""Read what a run left in its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from experiments.errors import RequestError
from experiments.records import RECORDS_FILE, ends_torn, point_key, read_records
from experiments.report.candidate_table import count_tried

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from experiments.records import Record

DESCRIPTION_FILE = "run.json"
DEFINITION_FILE = "definition.yaml"
DESCRIPTION_SCHEMA = 1


@dataclass(frozen=True)
class RunFiles:
    """The content of a run folder.

    Parameters
    ----------
    path : pathlib.Path
        The folder.
    description : dict
        ``run.json``; empty where there is none.
    definition : str
        ``definition.yaml`` as it stands; empty where there is none.
    records : tuple of Record
        In the order they were written; none of a run that was stopped in its first search.
    torn : bool
        Whether the last line was only half written.
    null_records : tuple of Record
        Those of null runs, in which the baseline ran once more: no engine of the comparison.
    """

    path: Path
    description: dict[str, Any]
    definition: str
    records: tuple[Record, ...]
    torn: bool
    null_records: tuple[Record, ...] = ()

    @cached_property
    def asked(self) -> dict[str, Any]:
        """The definition as plain data; empty where it cannot be read."""
        import yaml

        try:
            content = yaml.safe_load(self.definition)
        except yaml.YAMLError:
            return {}
        return content if isinstance(content, dict) else {}

    @cached_property
    def points(self) -> tuple[dict[str, Any], ...]:
        """The points of the sweep in the order planned, or else in that of the records."""
        planned = self.description.get("points")
        found: dict[str, dict[str, Any]] = {}
        for key in planned if isinstance(planned, dict) else ():
            point = _json_object(key)
            if point is not None:
                found[point_key(point)] = point
        for record in self.records:
            found.setdefault(point_key(record.point), record.point)
        return tuple(found.values())

    @cached_property
    def engines(self) -> tuple[str, ...]:
        """The engines that were asked for, then any other that has records."""
        section = self.asked.get("engines")
        names = [str(name) for name in section] if isinstance(section, dict | list) else []
        names += [record.engine for record in self.records]
        return tuple(dict.fromkeys(names))

    def records_at(self, point: dict[str, Any]) -> tuple[Record, ...]:
        """Return the records of a point, in their order."""
        return self._by_point.get(point_key(point), ())

    @cached_property
    def _by_point(self) -> dict[str, tuple[Record, ...]]:
        found: dict[str, list[Record]] = {}
        for record in self.records:
            found.setdefault(point_key(record.point), []).append(record)
        return {key: tuple(records) for key, records in found.items()}

    def about(self, point: dict[str, Any]) -> dict[str, Any]:
        """Return what ``run.json`` says of the data at a point; empty where it says nothing."""
        points = self.description.get("points")
        about = points.get(point_key(point)) if isinstance(points, dict) else None
        return about if isinstance(about, dict) else {}

    def asked_at(self, point: dict[str, Any]) -> dict[str, Any]:
        """Return the definition with the values of a point in place; not to be changed."""
        from experiments.definition.sweep import at_point

        key = point_key(point)
        if key not in self._asked_at:
            self._asked_at[key] = at_point(self.asked, point)
        return self._asked_at[key]

    @cached_property
    def _asked_at(self) -> dict[str, dict[str, Any]]:
        return {}

    def resources(self, point: dict[str, Any]) -> dict[str, Any]:
        """Return what every engine was granted at a point; empty where it is unknown."""
        for resources in (self.about(point).get("resources"), self.description.get("resources")):
            if isinstance(resources, dict):
                return resources
        return {}

    def agreement(self, point: dict[str, Any]) -> dict[frozenset[str], float]:
        """Return the adjusted Rand index between the labels of every two engines at a point."""
        agreement = self.description.get("agreement")
        pairs = agreement.get(point_key(point)) if isinstance(agreement, dict) else None
        return {
            frozenset(pair.split("~")): float(value)
            for pair, value in (pairs or {}).items()
            if isinstance(value, int | float)
        }


def read_run(path: Path) -> RunFiles:
    """Read a run folder.

    Parameters
    ----------
    path : pathlib.Path
        The folder.

    Returns
    -------
    RunFiles
        All that the tables are made from.

    Raises
    ------
    RequestError
        If it is no run folder, or a file in it cannot be read.
    """
    records = path / RECORDS_FILE
    if not path.is_dir():
        raise RequestError(f"There is no run folder {path}; give the folder that a run printed.")
    description = _description(path / DESCRIPTION_FILE)
    if not records.exists() and not (description and count_tried(path)[0]):
        if not description:
            raise RequestError(
                f"The folder {path} is not a run: it has no {RECORDS_FILE}; "
                "give the folder that a run printed."
            )
        raise RequestError(
            f"The run in {path} ended before its first record, so there is nothing to report; "
            "run the experiment again."
        )
    read = read_records(records) if records.exists() else ()
    return RunFiles(
        path=path,
        description=description,
        definition=_text(path / DEFINITION_FILE),
        records=tuple(record for record in read if not record.null_run),
        torn=records.exists() and ends_torn(records),
        null_records=tuple(record for record in read if record.null_run),
    )


def section_of(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a mapping in another one; empty where there is none."""
    section = content.get(name)
    return section if isinstance(section, dict) else {}


def _description(path: Path) -> dict[str, Any]:
    text = _text(path)
    if not text:
        return {}
    content = _json_object(text)
    if content is None:
        raise RequestError(f"{path} is not a JSON object; remove it to report without it.")
    schema = content.get("schema")
    if isinstance(schema, int) and schema > DESCRIPTION_SCHEMA:
        raise RequestError(
            f"{path} was written by a newer version (schema {schema}, and this one reads "
            f"{DESCRIPTION_SCHEMA}); update enginebench."
        )
    return content


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as exc:
        raise RequestError(f"{path} cannot be read: {exc.strerror}.") from exc
