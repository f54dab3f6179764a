"""What each worker of a cluster used, as a table of its own for every form of a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.measure.workers import is_level
from experiments.report import attached, numbers
from experiments.report.columns import name_among, total
from experiments.report.wording import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from experiments.records import WorkerShare
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
        Which phase of which repeat it was.
    shares : tuple of WorkerShare
        The numbers in full, one a worker.
    heads : tuple of str
        Of the columns, beginning with the worker.
    rows : tuple of tuple of str
        One a worker; then their sum and the most of any, where there are several.
    legend : str
        What else they counted, who measured what, and what the marks mean.
    """

    engine: str
    implementation: str
    title: str
    phase: str
    about: str
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
    found = [
        (record, phase)
        for record in column.records
        for phase in record.phases
        if phase.name == work.phase and phase.workers
    ]
    if not found:
        return None
    record, phase = found[-1]
    shares = phase.workers
    # a name that already says where the worker is needs no column beside it
    hosts = any(one.host not in one.worker for one in shares)
    rows = [(one.worker, *([one.host] if hosts else []), *_texts(amounts(one))) for one in shares]
    if len(shares) > 1:
        blank = [""] if hosts else []
        rows.append(("all", *blank, *_texts(_over(shares, total))))
        rows.append(("most on one", *blank, *_texts(_over(shares, _most))))
    temperature = "warm" if record.warm else "cold"
    return WorkerTable(
        engine=column.engine,
        implementation=column.implementation,
        title=f"Workers of {name}",
        phase=work.phase,
        about=(
            f"What each worker used in its last {work.one} (round {record.round + 1}, repeat "
            f"{record.repeat + 1}, {temperature})."
        ),
        shares=shares,
        heads=("Worker", *(["Host"] if hosts else []), *_HEADS.values()),
        rows=tuple(rows),
        legend=" ".join(_legend(column, shares)),
    )


def _texts(values: Mapping[str, float | None]) -> tuple[str, ...]:
    return tuple(_text(name, values[name]) for name in _HEADS)


def _text(name: str, value: float | None) -> str:
    return attached.UNKNOWN if value is None else _SHOW[attached.unit_of(name)](value)


def _over(
    shares: Iterable[WorkerShare], join: Callable[[list[float | None]], float | None]
) -> dict[str, float | None]:
    """Return each number over all workers."""
    known = [amounts(one) for one in shares]
    names = dict.fromkeys(name for one in known for name in one)
    return {name: join([one.get(name) for one in known]) for name in names}


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _legend(column: Column, shares: Sequence[WorkerShare]) -> Iterable[str]:
    if len(shares) > 1:
        yield _SUM_OF_PEAKS
    over = _over(shares, total)
    own = {
        name: f"{attached.label_of(name)} {_text(name, value)}"
        for name, value in over.items()
        if name not in _HEADS
    }
    if counted := [told for name, told in own.items() if not is_level(name)]:
        yield f"Counted by this engine alone, over all workers: {joined(counted)}."
    if levels := [told for name, told in own.items() if is_level(name)]:
        yield f"At its end, or the most since the session began: {joined(levels)}."
    if any(value is None for value in over.values()):
        yield attached.UNKNOWN_MEANING
    by: dict[str, list[str]] = {}
    for name, who in attached.measured_by(column).items():
        by.setdefault(who.rstrip("."), []).append(attached.label_of(name))
    if by:
        told = "; ".join(f"{joined(labels)}: {who}" for who, labels in by.items())
        yield f"How it was measured: {told}."
