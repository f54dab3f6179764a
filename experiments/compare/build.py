"""Everything that the comparison of two runs says, before it is given a form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from experiments.compare.changes import Change, find_changes, find_doubts
from experiments.compare.pairs import PointPair, pair_tables
from experiments.compare.words import named, tell_main, tell_outcome
from experiments.definition.validation import SWEPT_SECTIONS
from experiments.errors import RequestError
from experiments.records import point_key
from experiments.report.folder import read_run
from experiments.report.tables import build_tables
from experiments.report.wording import joined
from experiments.statistics.bootstrap import FEWEST_ROUNDS
from experiments.titles import title

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from experiments.report.folder import RunFiles
    from experiments.report.tables import Table

_WHICH = ("first", "second")
_DRIFT = (
    "The intervals hold what varies between the rounds of a run. What drifts between two runs, "
    "such as the temperature of a machine or its neighbours, is in no interval and may be in any "
    "ratio."
)
_MANY = (
    "The intervals are for one number each: where nothing changed, one of twenty still leaves out "
    "1 by chance."
)


@dataclass(frozen=True)
class Side:
    """One of the two runs.

    Parameters
    ----------
    folder : pathlib.Path
        The run folder.
    run, experiment, started : str
        What was run and when; empty where it is unknown.
    rounds : int
        Most processes of an engine at a point.
    files : RunFiles
        The content of the folder.
    """

    folder: Path
    run: str
    experiment: str
    started: str
    rounds: int
    files: RunFiles = field(repr=False)


@dataclass(frozen=True)
class Comparison:
    """What is told of two runs of one experiment.

    Parameters
    ----------
    first, second : Side
        The runs; ratios are those of the second to the first.
    question : str
        Why it was run.
    changes : tuple of Change
        What was not the same.
    points : tuple of PointPair
        The points that both runs have, in the order of the first.
    answers : tuple of str
        For each engine of both runs, what became of the time that matters.
    outcomes : tuple of str
        Engines that ended otherwise than in the first run.
    missing : tuple of str
        What only one run has.
    warnings : tuple of str
        What weakens the comparison.
    """

    first: Side
    second: Side
    question: str
    changes: tuple[Change, ...]
    points: tuple[PointPair, ...]
    answers: tuple[str, ...]
    outcomes: tuple[str, ...]
    missing: tuple[str, ...]
    warnings: tuple[str, ...]


def compare_runs(first: Path, second: Path) -> Comparison:
    """Compare two runs from their folders alone.

    Parameters
    ----------
    first, second : pathlib.Path
        Run folders of the same experiment, or of two variants of it.

    Raises
    ------
    RequestError
        If either is no run folder or cannot be read, or if they are of different experiments.
    """
    one, other = _side(first), _side(second)
    _check_experiments(one, other)
    tables = [{point_key(table.point): table for table in _tables(side)} for side in (one, other)]
    common = [key for key in tables[0] if key in tables[1]]
    points = tuple(pair_tables(tables[0][key], tables[1][key]) for key in common)
    titled = [(point.title, point.point) for point in points]
    changes = find_changes(one.files, other.files, titled)
    return Comparison(
        first=one,
        second=other,
        question=_question(one) or _question(other),
        changes=changes,
        points=points,
        answers=tell_main(points),
        outcomes=tuple(
            text for point in points for pair in point.pairs if (text := tell_outcome(point, pair))
        ),
        missing=tuple(_missing(one, other, tables, points)),
        warnings=tuple(_warnings(one, other, changes, points)),
    )


def _side(folder: Path) -> Side:
    files = read_run(folder)
    about = files.description
    experiment = about.get("experiment") or files.asked.get("name")
    if not experiment and files.records:
        experiment = files.records[0].experiment
    return Side(
        folder=folder,
        run=str(about.get("run") or folder.name),
        experiment=str(experiment or ""),
        started=str(about.get("started") or ""),
        rounds=len({record.round for record in files.records}),
        files=files,
    )


def _tables(side: Side) -> tuple[Table, ...]:
    tables, _footnotes = build_tables(side.files)
    return tables


def _question(side: Side) -> str:
    return str(side.files.description.get("question") or side.files.asked.get("question") or "")


def _check_experiments(first: Side, second: Side) -> None:
    if first.experiment == second.experiment or _variants(first, second):
        return
    raise RequestError(
        f"{first.folder} is a run of {first.experiment or 'an unknown experiment'} and "
        f"{second.folder} one of {second.experiment or 'an unknown experiment'}; compare two runs "
        "of the same experiment."
    )


def _variants(first: Side, second: Side) -> bool:
    """Tell whether two experiments are one but for the variant.

    A variant is named after the experiment and asks the same question of the same kind of data; the
    name alone would make kmeans-digits a variant of kmeans.
    """
    stems = {side.experiment.partition("-")[0] for side in (first, second)}
    asked = [_kind(side.files.asked) for side in (first, second)]
    same = _question(first) == _question(second) != ""
    return len(stems) == 1 and same and asked[0] == asked[1] != (None, None)


def _kind(asked: dict[str, Any]) -> tuple[Any, Any]:
    """Return where a definition's data come from, and what it computes."""
    dataset, workload = asked.get("dataset"), asked.get("workload")
    return (
        dataset.get("source") if isinstance(dataset, dict) else None,
        workload.get("kind") if isinstance(workload, dict) else None,
    )


def _missing(
    first: Side,
    second: Side,
    tables: Sequence[dict[str, Table]],
    points: Sequence[PointPair],
) -> Iterator[str]:
    if not points:
        yield "The runs have no point in common, so no number can be compared."
    for number, which in enumerate(_WHICH):
        alone = [
            table.title or "the one point of a run without a sweep"
            for key, table in tables[number].items()
            if key not in tables[1 - number]
        ]
        if alone:
            yield f"In the {which} run only: {named(alone)}."
    engines = [side.files.engines for side in (first, second)]
    for number, which in enumerate(_WHICH):
        alone = [title(engine) for engine in engines[number] if engine not in engines[1 - number]]
        if alone:
            yield f"In the {which} run only: {joined(alone)}."
    both = {*engines[0]} & {*engines[1]}
    alone_at = [one for point in points for one in point.alone]
    for name, number in dict.fromkeys(
        (head.name, number) for head, number in alone_at if head.engine in both
    ):
        yield f"In the {_WHICH[number]} run only: {name}."
    for side, which in zip((first, second), _WHICH, strict=True):
        if not side.files.records:
            yield f"The {which} run ended before its first record, so it has no numbers."


def _changes_work(change: Change) -> bool:
    """Tell whether a change gives an engine that both runs have something else to do."""
    section, _, name = change.key.partition(".")
    if change.section != "definition" or section not in SWEPT_SECTIONS:
        return False
    # an engine that only one run has
    return not (section == "engines" and "." not in name)


def _warnings(
    first: Side, second: Side, changes: Sequence[Change], points: Sequence[PointPair]
) -> Iterator[str]:
    for side, which in zip((first, second), _WHICH, strict=True):
        if side.files.torn:
            yield (
                f"The last line of records.jsonl of the {which} run was only half written, as a "
                "killed run leaves it; it is not in the numbers."
            )
        if side.files.description.get("interrupted") is True:
            yield f"The {which} run was stopped before its plan was done."
    if first.folder.resolve() == second.folder.resolve():
        yield "Both are the same run folder, so nothing can differ."
        return
    if first.files.records == second.files.records != ():
        yield "The records of both runs are the same ones: one folder is a copy of the other."
        return
    yield from find_doubts(first.files, second.files)
    keys = [one.key for one in changes if _changes_work(one)]
    if keys:
        yield (
            f"Not the same was asked in both runs ({named(keys)}), so a ratio may tell of that "
            "and not of the engine."
        )
    few = [
        f"{side.rounds} in the {which}"
        for side, which in zip((first, second), _WHICH, strict=True)
        if 0 < side.rounds < FEWEST_ROUNDS
    ]
    if few:
        yield (
            f"Fewer than {FEWEST_ROUNDS} rounds ({joined(few)} run), so no interval can be given "
            "and chance is not excluded; raise measure.rounds."
        )
    mains = [pair.main for point in points for pair in point.pairs if pair.main is not None]
    if mains and all(main.noise is None for main in mains):
        yield (
            "No null run tells by how much the baseline differs from itself, so the interval alone "
            "decides; set measure.null_run."
        )
    numbers = [
        number
        for point in points
        for pair in point.pairs
        for _, rows in pair.groups
        for number in rows
    ]
    if sum(one.ratio is not None and one.ratio.has_interval for one in numbers) > 1:
        yield _MANY
    yield _DRIFT
