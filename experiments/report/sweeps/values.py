"""What a sweep comes down to: the times of each engine over the values of one swept key."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from experiments.report.columns import NOT_FINISHED
from experiments.statistics.bootstrap import estimate

if TYPE_CHECKING:
    from experiments.statistics.bootstrap import Estimate
    from experiments.statistics.growth import Crossover, Growth
    from experiments.statistics.noise import NoiseFloor
    from experiments.statistics.scaling import Scaling

Kind: TypeAlias = Literal["size", "workers", "other"]
# What is known of two engines at one value: of the first one, compared with the baseline
Verdict: TypeAlias = Literal["faster", "slower", "no difference shown", "no interval"]


@dataclass(frozen=True)
class SizePoint:
    """What one engine took at one value of the swept key.

    Parameters
    ----------
    value : object
        The value as the definition has it.
    size : float or None
        The same as a number; None where it is none.
    rounds : tuple of tuple of float
        Seconds of each repeat, one inner tuple a round (process): ``rounds[i]`` is round i of every
        engine, empty where it measured nothing. Without any round where nothing ended.
    outcome : str
        Of the engine at this point: one of `experiments.records.OUTCOMES`, or "not finished". What
        neither completed nor is still to be finished may have rounds that are no fair times.
    """

    value: Any
    size: float | None
    rounds: tuple[tuple[float, ...], ...]
    outcome: str

    @property
    def counts(self) -> bool:
        """Whether its times may be compared and fitted."""
        return any(self.rounds) and self.outcome in {"completed", NOT_FINISHED}

    @property
    def median(self) -> float | None:
        """Median of all values in seconds; None where nothing ended."""
        values = [value for one in self.rounds for value in one]
        return statistics.median(values) if values else None

    @property
    def typical(self) -> float | None:
        """Seconds to show: what an interval is of, and the median of all values without one."""
        found = estimate(self.rounds)
        return found.value if found is not None and found.has_interval else self.median


@dataclass(frozen=True)
class Series:
    """One engine over all values of the swept key.

    Parameters
    ----------
    engine, title, implementation : str
        Whose it is: as in the records, and for people (with the implementation in the title where
        one engine has several).
    points : tuple of SizePoint
        One for each value of the sweep, from the least to the greatest; in the order written where
        values are no numbers.
    growth : Growth or None
        Fitted to the points that count: seconds = fixed + per_unit * size. None for fewer than
        three of them, where the key is no size, and in a run of very many sweeps for what is
        neither its main measure nor the whole process.
    largest_completed : object or None
        The greatest value at which everything planned was completed; None where there is none, and
        where values have no order.
    """

    engine: str
    title: str
    implementation: str
    points: tuple[SizePoint, ...]
    growth: Growth | None
    largest_completed: Any | None


@dataclass(frozen=True)
class ComparedPoint:
    """One engine compared with the baseline at one value at which the times of both count.

    Parameters
    ----------
    value, size
        As in `SizePoint`.
    times : float
        The ratio to show: what is shown of the engine as a multiple of what is shown of the
        baseline, which with an interval is what the interval is of.
    ratio : Estimate
        The engine as a multiple of the baseline, round by round, with its interval where there is
        one.
    floor : NoiseFloor or None
        What the null run showed at this value; None without one.
    verdict : str
        "faster" or "slower" where the interval excludes 1 and the ratio is beyond the noise floor,
        else "no difference shown"; "no interval" for fewer than three rounds.
    """

    value: Any
    size: float | None
    times: float
    ratio: Estimate
    floor: NoiseFloor | None
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """One engine compared with the baseline over the whole sweep.

    Parameters
    ----------
    engine, title, implementation : str
        Whose it is.
    points : tuple of ComparedPoint
        In the order of the series; only values at which the times of both count.
    crossover : Crossover or None
        From which size on the engine is faster, by the fitted lines as far as no size contradicts
        them. None where nothing is fitted, and where a size differs within its own noise only but
        beyond that of the greatest size.
    """

    engine: str
    title: str
    implementation: str
    points: tuple[ComparedPoint, ...]
    crossover: Crossover | None


@dataclass(frozen=True)
class Cost:
    """With how many cores an engine beats one thread of scikit-learn.

    McSherry, Isard, Murray (2015), Scalability! But at what COST?

    Parameters
    ----------
    engine, title : str
        Whose it is.
    verdict : {"from", "never", "unknown"}
        "never" is of the numbers measured; "unknown" where one thread was not measured, or there
        are too few rounds for an interval.
    workers : float or None
        The fewest, where the verdict is "from".
    most : float
        The most that were measured.
    """

    engine: str
    title: str
    verdict: Literal["from", "never", "unknown"]
    workers: float | None
    most: float


@dataclass(frozen=True)
class Sweep:
    """One measure of all engines over the values of one swept key.

    Parameters
    ----------
    key : str
        The dotted key, such as ``dataset.n_samples``.
    label, unit : str
        What its values count, many and one: "rows" and "row"; the last part of a key that counts
        nothing known.
    kind : {"size", "workers", "other"}
        "size": positive whole numbers of work, over which times may grow as a line; "workers":
        cores or workers, over which times should shrink; "other": anything else.
    held : dict
        Values of the other swept keys; empty with one key.
    measure : str
        Stable name of what was timed: ``fit_warm``, ``fit_cold``, ``load`` or ``total``; ``search``
        or ``tasks`` in place of ``fit`` where these were asked for.
    measure_label : str
        The same for people: "warm fit", "whole process".
    series : tuple of Series
        The engines in the order asked.
    baseline : str
        Title of the engine that the others are compared with; empty with one engine.
    comparisons : tuple of Comparison
        Every other engine with the baseline.
    scaling : tuple of (str, Scaling)
        Title of an engine and its speed-up over ``resources.cores``; empty for other keys. Workers
        of one engine always share the same cores, so more of them are no more resources.
    costs : tuple of Cost
        With how many cores each other engine beats scikit-learn on one; empty for other keys.
    single : Sweep or None
        Every other engine, on the most cores that were measured, compared with scikit-learn on one:
        a sweep of its own over the same values. None unless this one is over sizes with the most of
        several ``resources.cores`` held.
    floors : tuple of NoiseFloor or None
        By how much the baseline differed from itself, one for each of `values`.
    noise : str
        Two sentences at most on the noise floor at the greatest value that has one, with the value
        named, and on the range of the others; empty without a null run.
    answer : str
        What all this says, in one or more sentences with numbers; empty where it says nothing.
    notes : tuple of str
        What a reader of the tables must know.
    """

    key: str
    label: str
    unit: str
    kind: Kind
    held: dict[str, Any]
    measure: str
    measure_label: str
    series: tuple[Series, ...]
    baseline: str = ""
    comparisons: tuple[Comparison, ...] = ()
    scaling: tuple[tuple[str, Scaling], ...] = ()
    costs: tuple[Cost, ...] = ()
    single: Sweep | None = None
    floors: tuple[NoiseFloor | None, ...] = ()
    noise: str = ""
    answer: str = ""
    notes: tuple[str, ...] = ()

    @property
    def crossovers(self) -> tuple[tuple[str, Crossover], ...]:
        """Title of each engine that has one, with its crossover."""
        return tuple(
            (one.title, one.crossover) for one in self.comparisons if one.crossover is not None
        )

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of the swept key, from the least to the greatest."""
        return tuple(point.value for point in self.series[0].points) if self.series else ()
