"""Everything that a report of one run says, before it is given a form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from experiments.errors import RequestError
from experiments.records import point_key
from experiments.report.attached import cluster_warnings, goes_beyond
from experiments.report.candidate_table import count_tried, has_candidates
from experiments.report.candidates import best_candidates
from experiments.report.columns import NOT_FINISHED
from experiments.report.folder import read_run, section_of
from experiments.report.footnotes import sentence, shown
from experiments.report.halving import warn_of_few_rows
from experiments.report.measured import find_measured
from experiments.report.memory import no_cycles
from experiments.report.numbers import memory
from experiments.report.searches import read_search
from experiments.report.sweeps.answers import answer_run, sweep_limits
from experiments.report.sweeps.build import build_sweeps
from experiments.report.tables import build_tables
from experiments.report.work import SEARCH, TASKS, asked_work
from experiments.search.log import TABLE_FILE
from experiments.statistics.bootstrap import FEWEST_ROUNDS

if TYPE_CHECKING:
    from pathlib import Path

    from experiments.records import Record
    from experiments.report.candidates import BestCandidates
    from experiments.report.folder import RunFiles
    from experiments.report.measured import Measured
    from experiments.report.sweeps import Sweep
    from experiments.report.tables import Table

_FEWEST_ROUNDS_FOR_CHANCE = 5
_ONE_MACHINE = (
    "More than one machine: Dask and Spark are made for data and work beyond one machine, and "
    "here everything shares its cores, memory and loopback network."
)
_OTHER_MACHINES = (
    "The same machines for all: an engine on a cluster computes on other cores and over another "
    "network than one on this machine, so a difference may be theirs and not the engine's."
)
_WARM_CACHE = (
    "Reading from a cold disk: the prepared files were in the page cache, as they were written "
    "or read shortly before."
)
_THIS_HOUR = (
    "Another day or machine: an interval is from rounds that followed each other on this machine, "
    "and holds no difference between days, machines or datasets."
)
_ONE_NUMBER_EACH = (
    "All numbers at once: an interval is for its one number, and of twenty intervals one may be "
    "expected to miss; no correction is made for how many are looked at."
)
_NOT_TUNED = (
    "The engines at their best: each runs what its ecosystem offers, with the parameters that "
    "were asked for and no tuning by an expert."
)
_PREPARED_BEFORE = (
    "Preparing the data: reading the source, splitting and scaling happened once, before any "
    "engine started, and is in no time."
)

_BEST_OF_MANY = (
    "The winner's score on new data: the best of many candidates is chosen by its mean over the "
    "folds, which is therefore too good by chance; its score on held-out rows, where some are held "
    "out, is not."
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
    files : RunFiles
        The content of the run folder.
    candidates : tuple of BestCandidates
        The best candidates of each engine; empty without a search.
    sweeps : tuple of Sweep
        What every measure does over the values of each swept key, the main one first; empty
        without a sweep.
    answer : str
        The answer of the whole run in a few sentences; empty where nothing was measured.
    measured : tuple of Measured
        How the workers of clusters were measured, each way once; empty where no engine joined one.
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
    files: RunFiles = field(repr=False)
    candidates: tuple[BestCandidates, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    answer: str = ""
    measured: tuple[Measured, ...] = ()

    @property
    def completed(self) -> bool:
        """Whether every engine completed all that was planned."""
        return bool(self.tables) and all(
            head.outcome == "completed" for table in self.tables for head in table.heads
        )


@no_cycles()
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
    candidates, lacking = _candidates(files)
    sweeps = build_sweeps(files, tables)
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
        warnings=(*_warnings(files, tables, rounds), *lacking),
        limits=(*_limits(files, tables, rounds), *sweep_limits(sweeps)),
        host=_host(section_of(about, "host"), about.get("commit")),
        versions={str(k): str(v) for k, v in section_of(about, "versions").items()},
        definition=files.definition,
        records=files.records,
        files=files,
        candidates=candidates,
        sweeps=sweeps,
        answer=answer_run(tables, sweeps),
        measured=find_measured(files),
    )


def _candidates(files: RunFiles) -> tuple[tuple[BestCandidates, ...], tuple[str, ...]]:
    """Return the best candidates, or why there are none where there should be."""
    refits = _refits(files)
    if not has_candidates(files.path):
        lacking = f"The best candidates are not listed, as the run folder has no {TABLE_FILE}."
        return (), ((lacking,) if refits else ())
    try:
        return best_candidates(files.path, refits), ()
    except RequestError as exc:
        return (), (f"The best candidates are not listed: {exc}",)


def _refits(files: RunFiles) -> dict[str, str]:
    """Return the metric that chooses the winner at each point with a search, by its key."""
    refits = {
        point_key(record.point): found.refit
        for record in files.records
        if (found := read_search(record.model)) is not None
    }
    # what was planned is known even of searches that left no record
    for point in files.points:
        refit = section_of(files.about(point), "search").get("refit")
        if isinstance(refit, str):
            refits[point_key(point)] = refit
    return refits


def _workload(files: RunFiles) -> str:
    workload = section_of(files.asked, "workload")
    swept = {key for point in files.points for key in point}
    if not workload or "workload" in swept:
        return ""
    own = {
        f"parameters.{name}": value for name, value in section_of(workload, "parameters").items()
    }
    options = ", ".join(
        f"{name.removeprefix('parameters.')} {shown(value)}"
        for name, value in {**workload, **own}.items()
        if name not in {"kind", "parameters"}
        and value is not None
        and f"workload.{name}" not in swept
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
        found.append(_ended_early(files))
    if rounds == 1:
        found.append(
            "Each engine ran in one process only, so the spread between processes is unknown and "
            f"no interval can be given; raise measure.rounds to {FEWEST_ROUNDS} or more."
        )
    elif rounds and rounds < FEWEST_ROUNDS:
        found.append(
            f"Each engine ran in {rounds} processes only, so no interval can be given; raise "
            f"measure.rounds to {FEWEST_ROUNDS} or more."
        )
    found.extend(
        f"{f'At {table.title}: ' if table.point else ''}{table.warning}"
        for table in tables
        if table.warning
    )
    found.extend(cluster_warnings(files))
    if not all(table.labels_compared for table in tables):
        found.append(_labels_not_compared(files))
    for point in files.points:
        if few := warn_of_few_rows(files, point):
            found.append(few)
        notes = section_of(files.about(point), "dataset").get("notes")
        found.extend(sentence(note) for note in notes or () if isinstance(note, str))
    return tuple(dict.fromkeys(found))


def _ended_early(files: RunFiles) -> str:
    if files.records:
        return "The run ended before its plan was done; the tables hold what was measured."
    tried, known = count_tried(files.path)
    return (
        f"The run ended in its first search, and so there is no table: {tried:,} of {known:,} "
        f"candidates had been tried by then, and their scores are in {files.path / TABLE_FILE}."
    )


def _labels_not_compared(files: RunFiles) -> str:
    """Say that nothing is known of whether the engines found the same clusters."""
    # the comparison is the last thing that a run does
    early = files.description.get("interrupted") is not False
    why = ", as the run ended before it came to that" if early else ""
    return (
        f"The engines' labels were not compared with each other{why}: whether they found the same "
        "clusters is not known."
    )


def _limits(files: RunFiles, tables: tuple[Table, ...], rounds: int) -> tuple[str, ...]:
    works = [asked_work(files.asked_at(point)) for point in files.points]
    size = (
        "These sizes of this data: a larger or wider dataset can order the engines otherwise."
        if len(tables) > 1
        else "One size of one dataset: a larger or wider one can order the engines otherwise."
    )
    # tasks have no data
    data = any(work is not TASKS for work in works) or not works
    limits = [
        _OTHER_MACHINES if goes_beyond(files) else _ONE_MACHINE,
        *([size, _WARM_CACHE] if data else []),
        _NOT_TUNED,
        *([_PREPARED_BEFORE] if data else []),
        *([_BEST_OF_MANY] if SEARCH in works else []),
    ]
    if rounds >= FEWEST_ROUNDS:
        limits += [_THIS_HOUR, _ONE_NUMBER_EACH]
    if 0 < rounds < FEWEST_ROUNDS:
        limits.append(
            f"Statistical significance: {rounds} process{'' if rounds == 1 else 'es'} an engine "
            "are too few to tell a small difference from chance."
        )
    elif 0 < rounds < _FEWEST_ROUNDS_FOR_CHANCE:
        limits.append(
            f"Small differences: an interval from {rounds} rounds is wide, and what it does not "
            "show may be there."
        )
    return tuple(limits)
