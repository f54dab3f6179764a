"""The null run: the baseline once more, as if it were another engine, shows what is only noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.report.columns import NOT_FINISHED, Column
from experiments.report.numbers import bounds, excess, multiple
from experiments.report.searches import budget_cut
from experiments.statistics.noise import difference_shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.report.folder import RunFiles
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
        if self.first is None or not self.first.counts or not self.again.counts:
            return False
        return not self.cut

    @property
    def cut(self) -> bool:
        """Whether a time budget ended a search of either: both then took what the budget says."""
        return budget_cut(one for one in (self.first, self.again) if one is not None)

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


def tell_noise(null: NullRun | None, floor: NoiseFloor | None, what: str) -> str:
    """Say what the noise floor of the times that decide is, or why there is none.

    Parameters
    ----------
    null : NullRun or None
        None where none was asked for.
    floor : NoiseFloor or None
        Of the times that decide.
    what : str
        What was timed: "warm fits".

    Returns
    -------
    str
        One sentence; empty without a null run.
    """
    if null is None:
        return ""
    if floor is None:
        return f"The noise floor of {what} is not known: {_why_unknown(null)}."
    early = " although it was not finished," if null.again.outcome == NOT_FINISHED else ""
    return (
        f"Noise floor of {what}: {_tell_ratio(null, floor)};{early} differences below "
        f"{excess(floor.factor)} are told as no difference shown."
    )


def warn_of_favour(null: NullRun | None, floor: NoiseFloor | None, what: str) -> str:
    """Warn where one of two identical runs was faster, as their interval shows.

    Parameters
    ----------
    null : NullRun or None
        None where none was asked for.
    floor : NoiseFloor or None
        Of the times that decide.
    what : str
        What was timed: "warm fits".

    Returns
    -------
    str
        One sentence; empty where the interval holds 1, and where there is none.
    """
    if null is None or floor is None or not difference_shown(floor.ratio, None):
        return ""
    return (
        f"The machine or the order in a round favours one of two identical runs in {what}: "
        f"{_tell_ratio(null, floor)}. The null run is always the last of its round."
    )


def _tell_ratio(null: NullRun, floor: NoiseFloor) -> str:
    """Say how many times as long the null run took, with the interval."""
    ratio = floor.ratio
    rounds = f"{ratio.rounds} round{'' if ratio.rounds == 1 else 's'}"
    if ratio.low is None or ratio.high is None:
        about = f"{rounds}, so no interval can be given"
    elif ratio.low == ratio.high:
        about = f"the same in all {rounds}"
    else:
        about = f"95 % interval {' to '.join(bounds(ratio.low, ratio.high))} over {rounds}"
    times = multiple(ratio.value, ratio.low, ratio.high)
    return f"a second {null.again.title} took {times} times as long ({about})"


def _why_unknown(null: NullRun) -> str:
    title = null.again.title
    if not null.again.records:
        return f"the null run of {title} was not made before the run ended"
    if not null.again.counts:
        return f"the outcome of the null run of {title} is {null.again.outcome!r}"
    if null.first is None or not null.first.counts:
        outcome = NOT_FINISHED if null.first is None else null.first.outcome
        return f"the outcome of {title} itself is {outcome!r}"
    if null.cut:
        return f"a time budget ended the search of {title} or of its null run"
    return f"{title} and its null run do not both have such times"
