"""What a benchmark of an experiment has measured, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from experiments.records import plain, to_json

if TYPE_CHECKING:
    from enginebench_pytest.journal import Entries
    from experiments.definition import Experiment
    from experiments.records import Failure, Phase, Record
    from experiments.runner.clusters import Joined
    from experiments.runner.ready import ReadyPoint


@dataclass
class Measured:
    """Collect the phases and records of a benchmark, and keep each in the journal as it comes.

    Parameters
    ----------
    engine : str
        Name of the engine.
    experiment : Experiment
        What is run.
    ready : ReadyPoint
        The same with its data.
    joined : Joined
        What the engine gets, where it joins a cluster.
    phase : str
        What is measured of it.
    entries : Entries
        Lines of the journal.
    warnings : tuple of str
        Sentences that a reader of the result must know, whatever happens.
    """

    engine: str
    experiment: Experiment
    ready: ReadyPoint
    joined: Joined
    phase: str
    entries: Entries
    warnings: tuple[str, ...] = ()
    records: list[Record] = field(default_factory=list)
    rounds: list[Phase] = field(default_factory=list)
    cold: Phase | None = None

    def add(self, phase: Phase, *, cold: bool) -> None:
        """Take what a phase used."""
        number = None if cold else len(self.rounds)
        if cold:
            self.cold = phase
        else:
            self.rounds.append(phase)
        self.entries.append(
            "round",
            phase=phase.name,
            round=number,
            wall_s=phase.wall_s,
            cpu_s=phase.cpu_s,
            peak_memory_bytes=phase.peak_memory_bytes,
        )

    def add_record(self, record: Record) -> None:
        """Take the record of a repeat."""
        self.records.append(record)
        self.entries.append("record", record=to_json(record))

    @property
    def outcome(self) -> str:
        """The first outcome that is not ``completed``, if there is one."""
        found = [record.outcome for record in self.records]
        return next(
            (one for one in found if one != "completed"), "completed" if found else "failed"
        )

    @property
    def error(self) -> Failure | None:
        """Why the outcome is what it is."""
        return next((record.error for record in self.records if record.error), None)

    def told(self) -> dict[str, Any]:
        """Return what stands beside the times, as JSON can hold it.

        CPU seconds are the median of the rounds and memory is the greatest of them, both of the
        whole process tree in the phase that is measured; without rounds, of the cold one.
        """
        from experiments.runner.host import describe_software

        records = self.records
        facts: dict[str, Any] = next((one.facts for one in records if one.facts), {})
        phases = self.rounds or ([] if self.cold is None else [self.cold])
        options = self.experiment.engines.selected()[self.engine]
        told: dict[str, Any] = {
            "engine": self.engine,
            "implementation": options.implementation,
            "experiment": self.experiment.name,
            "definition": self.experiment.digest,
            "phase": self.phase,
            "outcome": self.outcome,
            "error": self.error.message if self.error else None,
            "metrics": records[-1].metrics if records else {},
            "model": records[-1].model if records else {},
            "cpu_s": median(one.cpu_s for one in phases) if phases else None,
            "peak_memory_bytes": max((one.peak_memory_bytes for one in phases), default=None),
            "cold_s": self.cold.wall_s if self.cold else None,
            "resources": self._granted(),
            "facts": {name: value for name, value in facts.items() if name != "versions"},
            "versions": facts.get("versions") or describe_software(),
            "warnings": self._all_warnings(),
        }
        if self.joined.described:
            told["clusters"] = self.joined.described
        found: dict[str, Any] = plain(told)
        return found

    def _granted(self) -> dict[str, int]:
        from experiments.definition.host import granted, granted_cores, granted_memory

        if (given := self.joined.described.get(self.engine)) is not None:
            return {
                name: given[name]
                for name in ("cores", "memory_bytes", "workers", "threads_per_worker")
            }
        workers, threads = granted(self.experiment, self.engine)
        return {
            "cores": granted_cores(self.experiment),
            "memory_bytes": granted_memory(self.experiment),
            "workers": workers,
            "threads_per_worker": threads,
        }

    def _all_warnings(self) -> list[str]:
        of_records = [one for record in self.records for one in record.warnings]
        return list(dict.fromkeys([*self.warnings, *of_records]))
