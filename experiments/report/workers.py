"""What each worker of a cluster used, as a table of its own for every form of a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.measure.workers import is_level
from experiments.report import attached, numbers
from experiments.report.columns import name_among
from experiments.report.wording import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from experiments.records import Phase, Record, WorkerShare
    from experiments.report.columns import Column
    from experiments.report.work import Work

_HEADS = {
    "cpu_s": "CPU",
    "peak_memory_bytes": "Memory",
    "read_bytes": "Read",
    "write_bytes": "Written",
    "spilled_bytes": "Spilled",
    "sent_bytes": "Sent",
    "received_bytes": "Received",
    "gc_s": "GC",
}
_SHOW: Mapping[str, Callable[[float | None], str]] = {
    "seconds": numbers.seconds,
    "bytes": numbers.memory,
    "number": numbers.number,
}
_SUM_OF_PEAKS = (
    "The peak memory of all workers is the sum of their peaks, which need not have been at the "
    "same moment."
)


@dataclass(frozen=True)
class WorkerTable:
    """What each worker used in the phase that decides, of one engine at one point.

    Parameters
    ----------
    engine, implementation : str
        Whose workers they are.
    title : str
        The same for people.
    phase : str
        Name of the phase.
    about : str
        Which phase of which repeat it was, and how that ended.
    outcome : str
        Of that repeat: completed, if the phase of any completed repeat is known.
    shares : tuple of WorkerShare
        The numbers in full, one a worker.
    heads : tuple of str
        Of the columns, beginning with the worker.
    rows : tuple of tuple of str
        One a worker; then their sum and the most of any, where there are several.
    legend : str
        What else they counted, and what the marks mean.
    """

    engine: str
    implementation: str
    title: str
    phase: str
    about: str
    outcome: str
    shares: tuple[WorkerShare, ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    legend: str

    @property
    def foot(self) -> int:
        """Number of the last rows, which are of several workers together."""
        return len(self.rows) - len(self.shares)


def worker_tables(columns: Sequence[Column], work: Work) -> tuple[WorkerTable, ...]:
    """Return a table for each engine whose workers told what they used."""
    made = (_table(column, name_among(column, columns), work) for column in columns)
    return tuple(one for one in made if one is not None)


def amounts(share: WorkerShare) -> dict[str, float | None]:
    """Return every number of a worker by its name, those of all engines first."""
    counters = dict.fromkeys(attached.COUNTERS) | share.counters
    return {
        "cpu_s": share.cpu_s,
        "peak_memory_bytes": share.peak_memory_bytes,
        "read_bytes": share.read_bytes,
        "write_bytes": share.write_bytes,
        **counters,
    }


def _table(column: Column, name: str, work: Work) -> WorkerTable | None:
    found = _phase_to_show(column, work)
    if found is None:
        return None
    record, phase = found
    shares = phase.workers
    # a name that already says where the worker is needs no column beside it
    hosts = any(one.host not in one.worker for one in shares)
    rows = [(one.worker, *([one.host] if hosts else []), *_texts(amounts(one))) for one in shares]
    if len(shares) > 1:
        blank = [""] if hosts else []
        rows.append(("all", *blank, *_texts(_over(shares, attached.whole_sum))))
        rows.append(("most on one", *blank, *_texts(_over(shares, attached.whole_most))))
    return WorkerTable(
        engine=column.engine,
        implementation=column.implementation,
        title=f"Workers of {name}",
        phase=work.phase,
        about=_about(record, column.records[-1], work),
        outcome=record.outcome,
        shares=shares,
        heads=("Worker", *(["Host"] if hosts else []), *_HEADS.values()),
        rows=tuple(rows),
        legend=" ".join(_legend(record, shares)),
    )


def _phase_to_show(column: Column, work: Work) -> tuple[Record, Phase] | None:
    """Return the last phase of the best outcome: what failed is no measurement of it."""
    found = [
        (record, phase)
        for record in column.records
        for phase in record.phases
        if phase.name == work.phase and phase.workers and phase.ended
    ]
    # max returns the first of equals, so the last phase comes first
    return max(reversed(found), key=lambda one: _worth(one[0].outcome), default=None)


def _worth(outcome: str) -> int:
    return {"completed": 2, "degraded": 1}.get(outcome, 0)


def _about(record: Record, last: Record, work: Work) -> str:
    """Say which repeat the rows are of, and how it ended."""
    which = f"its last {work.one}"
    told = [f"round {record.round + 1}", f"repeat {record.repeat + 1}"]
    told.append("warm" if record.warm else "cold")
    if record.outcome != "completed":
        told.append(record.outcome)
        if record.outcome != "degraded":
            which += ", from a round that failed"
        elif record is not last:
            which = f"the last {work.one} that did not fail"
    elif last.outcome != "completed":
        which = f"the last {work.one} that completed"
    return f"What each worker used in {which} ({', '.join(told)})."


def _texts(values: Mapping[str, float | None]) -> tuple[str, ...]:
    return tuple(_text(name, values[name]) for name in _HEADS)


def _text(name: str, value: float | None) -> str:
    return attached.UNKNOWN if value is None else _SHOW[attached.unit_of(name)](value)


def _over(
    shares: Iterable[WorkerShare], join: Callable[[Sequence[float | None]], float | None]
) -> dict[str, float | None]:
    """Return each number over all workers."""
    known = [amounts(one) for one in shares]
    names = dict.fromkeys(name for one in known for name in one)
    return {name: join([one.get(name) for one in known]) for name in names}


def _legend(record: Record, shares: Sequence[WorkerShare]) -> Iterable[str]:
    if len(shares) > 1:
        yield _SUM_OF_PEAKS
    over = _over(shares, attached.whole_sum)
    own = {
        name: f"{attached.label_of(name)} {_text(name, value)}"
        for name, value in over.items()
        if name not in _HEADS
    }
    if counted := [told for name, told in own.items() if not is_level(name)]:
        yield f"Counted by this engine alone, over all workers: {joined(counted)}."
    if levels := [told for name, told in own.items() if is_level(name)]:
        yield (
            "At its end, or the most since the session began, added over all workers: "
            f"{joined(levels)}."
        )
    if any(value is None for value in over.values()):
        yield attached.UNKNOWN_MEANING
    known = [amounts(one) for one in shares]
    if any(over[name] is None and any(one.get(name) is not None for one in known) for name in over):
        yield attached.UNKNOWN_SUM
    if record.outcome != "completed":
        yield attached.LOST_MEANING
