"""One column of a table: an engine with everything it gave at one point."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from experiments.titles import title

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from experiments.records import Phase, Record

NOT_FINISHED = "not finished"
# the phases with a row of their own; all others are one row together
SHOWN_PHASES = ("start", "load", "search", "refit", "tasks", "fit", "predict")


@dataclass(frozen=True, eq=False)
class Column:
    """All records of one engine at one point.

    Parameters
    ----------
    engine, implementation : str
        What the column is of.
    records : tuple of Record
        In the order they were written.
    rounds, repeats : int
        Number of processes that a complete run has, and of records of each; 0 where it is unknown.
    unfinished : bool
        Whether it is one process of an engine that did less than others of it, and so is no
        measurement of a whole process.
    """

    engine: str
    implementation: str
    records: tuple[Record, ...]
    rounds: int = 0
    repeats: int = 0
    unfinished: bool = False

    @property
    def title(self) -> str:
        """The engine's name as its makers write it."""
        return title(self.engine)

    @property
    def planned(self) -> int:
        """Number of records that a complete run has; 0 where that is unknown."""
        return self.rounds * self.repeats

    @cached_property
    def outcome(self) -> str:
        """The first outcome that is worse than degraded, or else the worst there is."""
        outcomes = [record.outcome for record in self.records]
        for outcome in outcomes:
            if outcome not in {"completed", "degraded"}:
                return outcome
        if "degraded" in outcomes:
            return "degraded"
        return "completed" if outcomes and len(outcomes) >= self.planned else NOT_FINISHED

    @property
    def counts(self) -> bool:
        """Whether its numbers may be compared with others by a ratio."""
        return bool(self.records) and self.outcome in {"completed", NOT_FINISHED}

    @property
    def answered(self) -> bool:
        """Whether its answers are whole, whatever its times are worth."""
        return bool(self.records) and self.outcome in {"completed", "degraded", NOT_FINISHED}

    @cached_property
    def children(self) -> tuple[tuple[Record, ...], ...]:
        """The records of each process: one process a round."""
        rounds: dict[int, list[Record]] = {}
        for record in self.records:
            rounds.setdefault(record.round, []).append(record)
        return tuple(tuple(records) for records in rounds.values())

    @cached_property
    def whole_children(self) -> tuple[tuple[Record, ...], ...]:
        """The processes that did all that was planned, without a failure."""
        fine = {"completed", "degraded"}
        return tuple(
            child
            for child in self.children
            if len(child) >= self.repeats and all(one.outcome in fine for one in child)
        )

    @cached_property
    def single_rounds(self) -> tuple[Column, ...]:
        """One column for each process, so that whatever is read from all can be read from one."""
        whole = {child[0].round for child in self.whole_children}
        return tuple(
            replace(self, records=child, unfinished=bool(whole) and child[0].round not in whole)
            for child in self.children
        )

    @cached_property
    def searching(self) -> tuple[Record, ...]:
        """The records that tell of a search; asked for by many rows, and most often empty."""
        return tuple(one for one in self.records if isinstance(one.model.get("search"), dict))

    @property
    def facts(self) -> dict[str, Any]:
        """What the engine was granted, as its last process reported."""
        return next((one.facts for one in reversed(self.records) if one.facts), {})

    @property
    def parameters(self) -> tuple[dict[str, Any], ...]:
        """What became of each parameter, as the first process reported."""
        return next((one.parameters for one in self.records if one.parameters), ())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know of its results, each once."""
        return tuple(dict.fromkeys(line for one in self.records for line in one.warnings))

    def metric_names(self) -> tuple[str, ...]:
        """Return the metrics that any of its records has."""
        return tuple(dict.fromkeys(name for one in self.records for name in one.metrics))

    def metric(self, name: str) -> tuple[float | None, ...]:
        """Return a metric of each repeat that has it; None where it is undefined."""
        return tuple(one.metrics[name] for one in self.records if name in one.metrics)

    def of_phase(
        self, name: str, value: Callable[[Phase], float | None], *, warm: bool | None = None
    ) -> list[float | None]:
        """Return a value of each phase of that name: of all repeats, or of warm or cold ones.

        A phase that was cut short is no measurement of that phase, and is left out.
        """
        return [
            value(phase)
            for record in self.records
            if warm is None or record.warm == warm
            for phase in record.phases
            if phase.name == name and phase.ended
        ]

    def of_child(self, value: Callable[[tuple[Record, ...]], float | None]) -> list[float | None]:
        """Return a value of each whole process; of all of them where none is whole."""
        if self.unfinished:
            return []
        return [value(child) for child in self.whole_children or self.children]


def name_among(column: Column, columns: Iterable[Column]) -> str:
    """Name a column by its engine, and by its implementation where that is not enough."""
    alone = sum(other.engine == column.engine for other in columns) == 1
    return column.title if alone else f"{column.title} ({column.implementation})"


def phases(child: Iterable[Record]) -> list[Phase]:
    """Return all phases of one process, also one that was cut short."""
    return [phase for record in child for phase in record.phases]


def total(values: Iterable[float | None]) -> float | None:
    """Add up what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def wall_of_child(child: tuple[Record, ...]) -> float | None:
    """Return the seconds of one process, explained or not."""
    explained = total(phase.wall_s for phase in phases(child))
    unexplained = unaccounted_of_child(child)
    return total((explained, unexplained))


def unaccounted_of_child(child: tuple[Record, ...]) -> float | None:
    """Return the seconds of one process that no phase explains."""
    return total(record.unaccounted_s for record in child)


def other_wall_of_child(child: tuple[Record, ...]) -> float | None:
    """Return the seconds of the phases that have no row of their own."""
    return total(
        phase.wall_s for phase in phases(child) if phase.name not in SHOWN_PHASES and phase.ended
    )


def cpu_of_child(child: tuple[Record, ...]) -> float | None:
    """Return the CPU seconds of all phases of one process."""
    return total(phase.cpu_s for phase in phases(child))


def peak_memory_of_child(child: tuple[Record, ...]) -> float | None:
    """Return the greatest memory of any phase of one process, in bytes."""
    return max((phase.peak_memory_bytes for phase in phases(child)), default=None)


def read_of_child(child: tuple[Record, ...]) -> float | None:
    """Return the bytes that one process read from storage."""
    return total(phase.read_bytes for phase in phases(child))


def written_by_child(child: tuple[Record, ...]) -> float | None:
    """Return the bytes that one process wrote to storage."""
    return total(phase.write_bytes for phase in phases(child))


def cores_used(phase: Phase) -> float | None:
    """Return CPU seconds per second of a phase."""
    return phase.cpu_s / phase.wall_s if phase.wall_s and phase.cpu_s is not None else None
