"""What a session of Dask was really granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.dask.session import watched
from engines.threads import largest_pool
from engines.types import Facts
from engines.versions import versions

if TYPE_CHECKING:
    from engines.dask.crew import Worker
    from engines.dask.session import Session


def facts(session: Session) -> Facts:
    """Ask every worker, from within one of its tasks, what it may use."""
    # A task for a worker that dies meanwhile is never done
    workers, pools = watched(session, lambda: _pools(session), recovers=False)
    threads = [worker.threads for worker in workers.values()]
    limits = [worker.memory_bytes for worker in workers.values()]
    native = {f"worker {number}": pool for number, pool in enumerate(pools)}
    more = session.crew.facts()
    return Facts(
        cores=sum(threads),
        workers=len(workers),
        threads_per_worker=max(threads, default=0),
        memory_bytes=sum(limits),
        native_threads={"driver": largest_pool(), **native},
        versions=versions(
            "dask", "distributed", "dask-ml", "xgboost", "scikit-learn", "numba", "numpy"
        ),
        details={
            "scheduler": session.crew.scheduler,
            "workers": list(workers),
            "worker_memory_bytes": limits,
            "worker_threads": threads,
            "lost_workers": list(session.losses.lines),
            **more.get("details", {}),
        },
        measured_by=more.get("measured_by", {}),
        warnings=(*more.get("warnings", ()), *_pool_warnings(session, pools)),
    )


def _pools(session: Session) -> tuple[dict[str, Worker], list[int]]:
    """Return the workers, and the largest native pool of each."""
    workers = session.crew.workers()
    pools: list[int] = session.client.gather(
        [session.client.submit(largest_pool, workers=[address], pure=False) for address in workers]
    )
    return workers, pools


def _pool_warnings(session: Session, pools: list[int]) -> tuple[str, ...]:
    """Say that workers run other native threads than those of a session's own cluster."""
    if session.resources.attachment is None or max(pools, default=1) == 1:
        return ()
    warning = (
        f"Each task on the workers of {session.crew.scheduler} may run up to {max(pools)} native "
        f"threads, where those of a cluster on this machine run 1; set OMP_NUM_THREADS=1 for them."
    )
    return (warning,)
