"""The null run: the baseline once more, as if it were another engine, shows what is only noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.report.columns import NOT_FINISHED, Column
from experiments.report.numbers import excess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.report.folder import RunFiles
    from experiments.report.work import Work
    from experiments.statistics.noise import NoiseFloor

BASELINE = "sklearn"


@dataclass(frozen=True)
class NullRun:
    """An engine that ran twice at one point.

    Parameters
    ----------
    first : Column or None
        What it gave as an engine of the comparison; None where it has no column.
    again : Column
        What it gave when it ran once more.
    """

    first: Column | None
    again: Column

    @property
    def counts(self) -> bool:
        """Whether both did what was asked, so that their difference is noise."""
        return self.first is not None and self.first.counts and self.again.counts

    @property
    def name(self) -> str:
        """Name of the second run."""
        return f"{self.again.title} (null run)"


def find_null_run(
    files: RunFiles, columns: Sequence[Column], point: dict[str, object]
) -> NullRun | None:
    """Return the null run at a point; None where none was asked for and none was made.

    Parameters
    ----------
    files : RunFiles
        Content of a run folder.
    columns : sequence of Column
        The engines of the comparison at this point.
    point : dict
        Values of the swept keys.
    """
    measure = files.asked_at(point).get("measure")
    asked = isinstance(measure, dict) and measure.get("null_run") is True
    records = tuple(record for record in files.null_records if record.point == point)
    if not columns or not (asked or records):
        return None
    if records:
        engine, implementation = records[0].engine, records[0].implementation
    else:
        chosen = next((one for one in columns if one.engine == BASELINE), columns[0])
        engine, implementation = chosen.engine, chosen.implementation
    same = (one for one in columns if (one.engine, one.implementation) == (engine, implementation))
    rounds, repeats = columns[0].rounds, columns[0].repeats
    return NullRun(next(same, None), Column(engine, implementation, records, rounds, repeats))


def tell_noise(null: NullRun | None, floor: NoiseFloor | None, work: Work, kind: str) -> str:
    """Say what the noise floor of the times that decide is, or why there is none.

    Parameters
    ----------
    null : NullRun or None
        None where none was asked for.
    floor : NoiseFloor or None
        Of the times that decide.
    work : Work
        What was done.
    kind : str
        "cold" or "warm".

    Returns
    -------
    str
        One sentence; empty without a null run.
    """
    if null is None:
        return ""
    what = f"{kind} {work.many}"
    if floor is None:
        return f"The noise floor of {what} is not known: {_why_unknown(null)}."
    rounds = f"{floor.ratio.rounds} round{'' if floor.ratio.rounds == 1 else 's'}"
    if floor.ratio.has_interval:
        by = f"by up to {excess(floor.factor)} (95 % interval over {rounds})"
    else:
        by = f"by {excess(floor.factor)} ({rounds}, so no interval can be given)"
    early = ", although the null run was not finished" if null.again.outcome == NOT_FINISHED else ""
    return (
        f"Noise floor of {what}: a second {null.again.title} differed from the first {by}{early}; "
        "below it, no difference is shown."
    )


def _why_unknown(null: NullRun) -> str:
    title = null.again.title
    if not null.again.records:
        return f"the null run of {title} was not made before the run ended"
    if not null.again.counts:
        return f"the outcome of the null run of {title} is {null.again.outcome!r}"
    if null.first is None or not null.first.counts:
        outcome = NOT_FINISHED if null.first is None else null.first.outcome
        return f"the outcome of {title} itself is {outcome!r}"
    return f"{title} and its null run do not both have such times"
