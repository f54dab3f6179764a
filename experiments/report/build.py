"""Everything that a report of one run says, before it is given a form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.report.columns import NOT_FINISHED
from experiments.report.folder import read_run
from experiments.report.footnotes import sentence, shown
from experiments.report.numbers import memory
from experiments.report.tables import build_tables

if TYPE_CHECKING:
    from pathlib import Path

    from experiments.records import Record
    from experiments.report.folder import RunFiles
    from experiments.report.tables import Table

_FEWEST_ROUNDS_FOR_SPREAD = 2
_FEWEST_ROUNDS_FOR_CHANCE = 5
_ONE_MACHINE = (
    "More than one machine: Dask and Spark are made for data and work beyond one machine, and "
    "here everything shares its cores, memory and loopback network."
)
_WARM_CACHE = (
    "Reading from a cold disk: the prepared files were in the page cache, as they were written "
    "or read shortly before."
)
_NOT_TUNED = (
    "The engines at their best: each runs what its ecosystem offers, with the parameters that "
    "were asked for and no tuning by an expert."
)
_PREPARED_BEFORE = (
    "Preparing the data: reading the source, splitting and scaling happened once, before any "
    "engine started, and is in no time."
)


@dataclass(frozen=True)
class Report:
    """What is told of one run.

    Parameters
    ----------
    folder : pathlib.Path
        The run folder.
    run, experiment, question, started : str
        What was run, why and when; empty where it is unknown.
    workload, granted : str
        What every engine was asked to do, and with what; without what a sweep varies.
    tables : tuple of Table
        One for each point of the sweep.
    footnotes : tuple of str
        Number 1 comes first.
    warnings : tuple of str
        What weakens the numbers.
    limits : tuple of str
        What the comparison does not show.
    host, versions : dict
        Of the machine and of the software.
    definition : str
        The YAML as run.
    records : tuple of Record
        What all of it was made from.
    """

    folder: Path
    run: str
    experiment: str
    question: str
    started: str
    workload: str
    granted: str
    tables: tuple[Table, ...]
    footnotes: tuple[str, ...]
    warnings: tuple[str, ...]
    limits: tuple[str, ...]
    host: dict[str, str]
    versions: dict[str, str]
    definition: str
    records: tuple[Record, ...]

    @property
    def completed(self) -> bool:
        """Whether every engine completed all that was planned."""
        return bool(self.tables) and all(
            head.outcome == "completed" for table in self.tables for head in table.heads
        )


def build_report(folder: Path) -> Report:
    """Build the report of a run from its folder alone.

    Raises
    ------
    RequestError
        If it is no run folder, or a file in it cannot be read.
    """
    files = read_run(folder)
    tables, footnotes = build_tables(files)
    about = files.description
    first = files.records[0] if files.records else None
    rounds = len({record.round for record in files.records})
    return Report(
        folder=folder,
        run=str(about.get("run") or folder.name),
        experiment=str(about.get("experiment") or (first.experiment if first else "")),
        question=str(about.get("question") or files.asked.get("question") or ""),
        started=str(about.get("started") or ""),
        workload=_workload(files),
        granted=_granted(tables),
        tables=tables,
        footnotes=footnotes,
        warnings=_warnings(files, tables, rounds),
        limits=_limits(tables, rounds),
        host=_host(_section(about, "host"), about.get("commit")),
        versions={str(k): str(v) for k, v in _section(about, "versions").items()},
        definition=files.definition,
        records=files.records,
    )


def _section(content: dict[str, Any], name: str) -> dict[str, Any]:
    section = content.get(name)
    return section if isinstance(section, dict) else {}


def _workload(files: RunFiles) -> str:
    workload = _section(files.asked, "workload")
    swept = {key for point in files.points for key in point}
    if not workload or "workload" in swept:
        return ""
    options = ", ".join(
        f"{name} {shown(value)}"
        for name, value in workload.items()
        if name != "kind" and value is not None and f"workload.{name}" not in swept
    )
    return f"{workload.get('kind', '?')}: {options}" if options else str(workload.get("kind", "?"))


def _granted(tables: tuple[Table, ...]) -> str:
    """Return what every table says of it; empty where they differ and each says its own."""
    said = {table.granted for table in tables}
    return said.pop() if len(said) == 1 else ""


def _host(host: dict[str, Any], commit: object) -> dict[str, str]:
    told = {
        str(name).removesuffix("_bytes").replace("_", " "): memory(value)
        if str(name).endswith("_bytes") and isinstance(value, int | float)
        else str(value)
        for name, value in host.items()
    }
    return {**told, "commit": str(commit)} if commit else told


def _warnings(files: RunFiles, tables: tuple[Table, ...], rounds: int) -> tuple[str, ...]:
    found = []
    if files.torn:
        found.append(
            "The last line of records.jsonl was only half written, as a killed run leaves it; it "
            "is not in the tables."
        )
    if any(head.outcome == NOT_FINISHED for table in tables for head in table.heads):
        found.append("The run ended before its plan was done; the tables hold what was measured.")
    if rounds < _FEWEST_ROUNDS_FOR_SPREAD:
        found.append(
            "Each engine ran in one process only, so the spread between processes is unknown; "
            "raise measure.rounds to see it."
        )
    if not all(table.labels_compared for table in tables):
        found.append(_labels_not_compared(files))
    for point in files.points:
        notes = _section(files.about(point), "dataset").get("notes")
        found.extend(sentence(note) for note in notes or () if isinstance(note, str))
    return tuple(dict.fromkeys(found))


def _labels_not_compared(files: RunFiles) -> str:
    """Say that nothing is known of whether the engines found the same clusters."""
    # the comparison is the last thing that a run does
    early = files.description.get("interrupted") is not False
    why = ", as the run ended before it came to that" if early else ""
    return (
        f"The engines' labels were not compared with each other{why}: whether they found the same "
        "clusters is not known."
    )


def _limits(tables: tuple[Table, ...], rounds: int) -> tuple[str, ...]:
    size = (
        "These sizes of this data: a larger or wider dataset can order the engines otherwise."
        if len(tables) > 1
        else "One size of one dataset: a larger or wider one can order the engines otherwise."
    )
    limits = [
        _ONE_MACHINE,
        size,
        _WARM_CACHE,
        _NOT_TUNED,
        _PREPARED_BEFORE,
    ]
    if rounds < _FEWEST_ROUNDS_FOR_CHANCE:
        limits.append(
            f"Statistical significance: {rounds} process{'' if rounds == 1 else 'es'} an engine "
            "are too few to tell a small difference from chance."
        )
    return tuple(limits)
