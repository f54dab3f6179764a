"""What the workers of a cluster used of a phase, from what each had used before and after it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from experiments.records import Phase, WorkerShare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# counters that are no sums over time, but tell what there is now
_LEVELS = frozenset({"python_workers", "threads", "cached_on_disk_bytes"})


def shares(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> tuple[WorkerShare, ...]:
    """Return what each worker used in between.

    Parameters
    ----------
    before, after : sequence of mapping
        `engines.types.WorkerUsage` as dicts: amounts since the session started. A worker that is
        only in `after` came up in between; of one that is only in `before` nothing is known any
        more. Both at once is a worker that was started again under the same name: what it counts
        begins anew.

    Returns
    -------
    tuple of WorkerShare
        In the order of `after`. Nothing is below zero.
    """
    known = {one["worker"]: one for one in before}
    found = []
    for now in after:
        then = known.get(now["worker"], {})
        found.append(_share({} if _is_another(then, now) else then, now))
    return tuple(found)


def with_workers(phase: Phase, workers: Sequence[WorkerShare]) -> Phase:
    """Add what the workers of a cluster used to what this machine did of a phase."""
    return replace(
        phase,
        cpu_s=phase.cpu_s + sum(one.cpu_s for one in workers),
        peak_memory_bytes=phase.peak_memory_bytes + sum(one.peak_memory_bytes for one in workers),
        read_bytes=phase.read_bytes + sum(one.read_bytes for one in workers),
        write_bytes=phase.write_bytes + sum(one.write_bytes for one in workers),
        workers=tuple(workers),
    )


def is_level(counter: str) -> bool:
    """Tell whether a counter says how much there is, or was at most since the session started."""
    return counter in _LEVELS or "peak" in counter


def _is_another(then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Tell whether a count that only grows has fallen, as it does with a new process."""
    counted = then.get("counters", {})
    return any(
        value is not None and value < (counted.get(name) or 0.0)
        for name, value in now["counters"].items()
        if not is_level(name)
    )


def _share(then: Mapping[str, Any], now: Mapping[str, Any]) -> WorkerShare:
    counted = then.get("counters", {})
    return WorkerShare(
        worker=now["worker"],
        host=now["host"],
        cpu_s=max(0.0, now["cpu_s"] - then.get("cpu_s", 0.0)),
        # of the time since it was asked last, which was as the phase began
        peak_memory_bytes=now["peak_memory_bytes"],
        read_bytes=max(0, now["read_bytes"] - then.get("read_bytes", 0)),
        write_bytes=max(0, now["write_bytes"] - then.get("write_bytes", 0)),
        counters={
            name: _counted(name, counted.get(name), value)
            for name, value in now["counters"].items()
        },
    )


def _counted(name: str, then: float | None, now: float | None) -> float | None:
    """Return what was counted in between; of what goes up and down, what it is now."""
    if now is None or is_level(name):
        return now
    return max(0.0, now - (then or 0.0))
