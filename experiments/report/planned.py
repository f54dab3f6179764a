"""What was asked for at one point: its columns, how often, with what, and on which data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from experiments.report.columns import Column
from experiments.report.numbers import memory
from experiments.report.work import SEARCH, asked_work

if TYPE_CHECKING:
    from experiments.report.folder import RunFiles


def columns_at(files: RunFiles, point: dict[str, Any]) -> list[Column]:
    """Return a column for each engine and implementation, in the order asked."""
    here = files.records_at(point)
    rounds, repeats = _planned(files.asked_at(point))
    columns = []
    for engine in files.engines:
        own = [record for record in here if record.engine == engine]
        implementations = dict.fromkeys(record.implementation for record in own)
        columns += [
            Column(
                engine,
                implementation,
                tuple(one for one in own if one.implementation == implementation),
                rounds,
                repeats,
            )
            for implementation in implementations or ("library",)
        ]
    return columns


def granted(files: RunFiles, point: dict[str, Any]) -> str:
    """Say with what every engine did its work at a point, and how often."""
    resources = files.resources(point)
    parts = []
    if isinstance(cores := resources.get("cores"), int):
        parts.append(f"{cores} core{'' if cores == 1 else 's'}")
    if isinstance(limit := resources.get("memory_bytes"), int):
        parts.append(memory(limit))
    given = f"{' and '.join(parts)} for each engine" if parts else ""
    if parts and "clusters" in files.description:
        given = f"{' and '.join(parts)} asked for; clusters have their own memory"
    asked = files.asked_at(point)
    rounds, repeats = _planned(asked)
    plan = ""
    if repeats:
        once_each = asked_work(asked).one
        plan = (
            f"{rounds} round{'' if rounds == 1 else 's'} of 1 cold {once_each} and "
            f"{repeats - 1} warm"
        )
    return "; ".join(part for part in (given, plan) if part)


def rows_asked(about: dict[str, Any]) -> str:
    """Return the data in words: what was learned from, and what was scored on."""
    dataset = about.get("dataset")
    parts = []
    if isinstance(dataset, dict) and isinstance(dataset.get("counts"), dict):
        counts = dataset["counts"]
        rows = sum(count for count in counts.values() if isinstance(count, int))
        parts.append(
            f"{rows:,} rows x {dataset.get('n_features', '?')} features "
            f"({dataset.get('dtype', '?')})"
        )
        parts.append(f"trained on {counts.get('train', 0):,}")
    if about.get("scored_on"):
        parts.append(f"scored on {about['scored_on']}")
    return "; ".join(parts)


def _planned(asked: dict[str, Any]) -> tuple[int, int]:
    """Return the planned processes and records of each; 0 where the definition is not there."""
    measure = asked.get("measure")
    if not isinstance(measure, dict):
        return 0, 0
    # a search is its own repetition: without being asked it is not repeated
    unsaid = 0 if asked_work(asked) is SEARCH else 1
    rounds, warm = measure.get("rounds", 1), measure.get("warm_repeats", unsaid)
    known = isinstance(rounds, int) and isinstance(warm, int)
    return (rounds, 1 + warm) if known else (0, 0)
