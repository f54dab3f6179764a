"""What a report needs to know of engines that computed on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from experiments.definition.addresses import is_loopback
from experiments.report.columns import phases
from experiments.report.planned import columns_at
from experiments.titles import title

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from experiments.records import Phase, Record, WorkerShare
    from experiments.report.columns import Column
    from experiments.report.folder import RunFiles

# stands where an engine cannot tell
UNKNOWN: Final = "?"
UNKNOWN_MEANING: Final = f"{UNKNOWN}: the engine cannot tell."
UNKNOWN_SUM: Final = f"A sum with an unknown part is unknown, and so {UNKNOWN}."
LOST_MEANING: Final = (
    "What a worker used of a phase until it died in it, or of one that was cut short, is in no "
    "number."
)

# what every cluster is asked for, in the order shown
COUNTERS: Final = ("spilled_bytes", "sent_bytes", "received_bytes", "gc_s")
LABELS: Final = {
    "cpu_s": "CPU time",
    "peak_memory_bytes": "peak memory",
    "read_bytes": "read from storage",
    "write_bytes": "written to storage",
    "spilled_bytes": "spilled",
    "sent_bytes": "sent",
    "received_bytes": "received",
    "gc_s": "garbage collection",
    "executor_cpu_s": "executor CPU time",
    "jvm_heap_peak_bytes": "JVM heap peak",
    "python_rss_peak_bytes": "Python RSS peak",
    "python_workers": "Python workers",
}


def is_attached(column: Column) -> bool:
    """Tell whether an engine computed on a cluster that it joined."""
    return bool(address_of(column)) or any(
        phase.workers for record in column.records for phase in record.phases
    )


def address_of(column: Column) -> str:
    """Return the address of the cluster that an engine joined; empty where none is known."""
    details = column.facts.get("details")
    if not isinstance(details, dict) or details.get("attached") is not True:
        return ""
    return str(details.get("address") or "")


def label_of(name: str) -> str:
    """Return the name for people of what is counted in workers."""
    plain = name.removesuffix("_bytes").removesuffix("_s").replace("_", " ")
    return LABELS.get(name, plain)


def unit_of(name: str) -> Literal["seconds", "bytes", "number"]:
    """Return the unit that the name of a number ends with."""
    if name.endswith("_bytes"):
        return "bytes"
    return "seconds" if name.endswith("_s") else "number"


def cpu_on_busiest(phase: Phase) -> float | None:
    """Return the CPU seconds of the worker that used most of them in a phase."""
    return max((one.cpu_s for one in phase.workers), default=None)


def memory_on_fullest(child: Iterable[Record]) -> float | None:
    """Return the greatest memory of any worker in any phase of one process, in bytes."""
    return max((one.peak_memory_bytes for one in _shares(child)), default=None)


def counter_of(child: Iterable[Record], name: str) -> float | None:
    """Return what all workers counted in all phases of one process; None where any cannot tell."""
    return whole_sum([one.counters.get(name) for one in _shares(child)])


def cannot_tell(column: Column, name: str) -> bool:
    """Tell whether any worker of an engine was asked for a number and had none."""
    return any(one.counters.get(name) is None for one in _shares(column.records))


def whole_sum(values: Sequence[float | None]) -> float | None:
    """Add up values; None where any is unknown, as the sum of the others is not that of all."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def whole_most(values: Sequence[float | None]) -> float | None:
    """Return the greatest of some values; None where any is unknown, as it might be greater."""
    known = [value for value in values if value is not None]
    return max(known) if known and len(known) == len(values) else None


def cluster_warnings(files: RunFiles) -> tuple[str, ...]:
    """Return what engines on clusters say that weakens their numbers, and how they are unequal.

    Parameters
    ----------
    files : RunFiles
        Content of a run folder.
    """
    found = []
    for record in files.records:
        told = record.facts.get("warnings")
        if isinstance(told, list):
            found += [f"{title(record.engine)}: {one}" for one in told if isinstance(one, str)]
    for point in files.points:
        columns = columns_at(files, point)
        cores = {one.title: one.facts["cores"] for one in columns if one.facts.get("cores")}
        if any(map(is_attached, columns)) and len(set(cores.values())) > 1:
            told = ", ".join(f"{name} {number}" for name, number in cores.items())
            found.append(
                f"The engines had different numbers of cores ({told}), so their times do not "
                "compare the engines alone."
            )
    return tuple(dict.fromkeys(found))


def goes_beyond(files: RunFiles) -> bool:
    """Tell whether any engine joined a cluster that is not on this machine's loopback network."""
    addresses = {
        address_of(column) for point in files.points for column in columns_at(files, point)
    }
    return any(one and not is_loopback(one) for one in addresses)


def _shares(child: Iterable[Record]) -> Iterable[WorkerShare]:
    return (share for phase in phases(child) for share in phase.workers)
