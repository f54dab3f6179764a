"""What the executors of an attached session were granted, and what they have used."""

from __future__ import annotations

import functools
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engines.spark import sampler
from engines.spark.accounts import Account
from engines.spark.attached import HEARTBEAT_SECONDS, warnings_of
from engines.spark.session import java_details, software
from engines.types import Facts, WorkerUsage

if TYPE_CHECKING:
    from engines.spark.attached import Cluster
    from engines.spark.executors import Executor
    from engines.spark.sampler import Sample
    from engines.spark.session import Session

_TREE = "psutil and the kernel, on the executor's machine, with all processes below the executor"
_TASKS = "Spark, in the metrics of tasks"
_MEASURED_BY = {
    "cpu_s": _TREE,
    "peak_memory_bytes": f"PSS, whenever the RSS has grown, every {sampler.PERIOD:g} s; {_TREE}",
    "read_bytes": _TREE,
    "write_bytes": _TREE,
    "spilled_bytes": f"{_TASKS}: what did not fit into memory and went to disk",
    "received_bytes": f"{_TASKS}: what shuffles read from other executors, without broadcasts; "
    "unknown where executors share a machine, for Spark reads from the other's disk then",
    "sent_bytes": "nobody: Spark does not count it",
    "gc_s": f"{_TASKS}, divided by the tasks that an executor runs at a time: nothing of what it "
    "collected between tasks, and only part of it while it ran fewer",
    "shuffle_read_bytes": _TASKS,
    "shuffle_write_bytes": _TASKS,
    "executor_cpu_s": f"{_TASKS}: threads that ran them, without Python and garbage collection",
    "jvm_heap_peak_bytes": f"Spark, in the metrics of executors, every {HEARTBEAT_SECONDS} s, "
    "since the executor started",
    "python_rss_peak_bytes": f"Spark, from /proc, every {HEARTBEAT_SECONDS} s, since the executor "
    "started; shared pages count once for each process",
    "cached_on_disk_bytes": "Spark: rows in its cache that memory had no room for",
    "python_workers": "psutil, at the moment of asking",
}
# Tasks fill all slots, but find one taken where a task that was called off has not ended yet
_ASKED_AT_MOST = 10
_ASK_AGAIN_SECONDS = 0.2


def worker_usage(session: Session, cluster: Cluster) -> tuple[WorkerUsage, ...]:
    """Ask every executor alive what it has used, and let their peaks of memory start anew."""
    samples = _samples(session, cluster)
    cluster.store.settle()
    accounts = cluster.log.accounts()
    executors = cluster.store.executors()
    # Those that died count too: what was read from their disks is missing in the sums for good
    on_host = Counter(executor.host for executor in executors)
    return tuple(
        WorkerUsage(
            worker=executor.title,
            host=executor.host,
            cpu_s=sample.cpu_s,
            peak_memory_bytes=sample.peak_memory_bytes,
            read_bytes=sample.read_bytes,
            write_bytes=sample.write_bytes,
            counters=_counters(
                executor,
                sample,
                accounts.get(executor.number, Account()),
                max(1, executor.cores // session.threads),
                alone=on_host[executor.host] == 1,
            ),
        )
        for executor in executors
        if executor.alive and (sample := samples.get(executor.number)) is not None
    )


def facts(session: Session, cluster: Cluster, pools: list[int]) -> Facts:
    """Report what the executors say that they were granted.

    Parameters
    ----------
    session : Session
        Attached to the cluster.
    cluster : Cluster
        Which.
    pools : list of int
        The largest native pool of each worker, and of this process as the last one.
    """
    samples = _samples(session, cluster)
    executors = [executor for executor in cluster.store.executors() if executor.alive]
    cores = sum(executor.cores for executor in executors)
    attachment = cluster.attachment
    runtimes = {sample.java for sample in samples.values()}
    *workers, driver = pools
    own = session.java.version + (" with jdk.incubator.vector" if session.java.has_vector else "")
    return Facts(
        cores=cores,
        workers=cores // session.threads,
        threads_per_worker=session.threads,
        memory_bytes=sum(sample.heap_bytes for sample in samples.values()),
        native_threads={"driver": driver}
        | {f"worker {slot}": threads for slot, threads in enumerate(workers)},
        versions=software(session),
        details={
            **java_details(session),
            "attached": True,
            "address": attachment.address,
            "encrypted": attachment.secret_variable is not None,
            "workers": [_worker(executor, samples.get(executor.number)) for executor in executors],
        },
        measured_by=_MEASURED_BY,
        warnings=warnings_of(attachment, runtimes, own),
    )


def _samples(session: Session, cluster: Cluster) -> dict[str, Sample]:
    """Ask the sampler of each executor, by tasks that fill all slots; again where one is missed."""
    slots = session.workers
    tasks = session.spark.sparkContext.parallelize(range(slots), slots)
    ask = functools.partial(_ask, tuple(session.held))
    samples: dict[str, Sample] = {}
    for asked in range(_ASKED_AT_MOST):
        if asked:
            time.sleep(_ASK_AGAIN_SECONDS)
        for sample in tasks.mapPartitions(ask).collect():
            known = samples.get(sample.executor)
            samples[sample.executor] = sample if known is None else _later(known, sample)
        executors = [executor for executor in cluster.store.executors() if executor.alive]
        if all(executor.number in samples for executor in executors):
            break
    for executor in executors:
        answer = samples.get(executor.number)
        if answer is None:
            cluster.watch.note(
                f"{executor.title} could not be asked for a while: what it used of some phases is "
                f"told with later ones, or with none"
            )
        elif not answer.watched:
            cluster.watch.note(
                f"{executor.title} was not watched for a while, for its sampler was killed: "
                f"from then on it had at least the memory that is told"
            )
    return samples


def _ask(held: tuple[Any, ...], rows: Any) -> Any:
    """Ask the sampler, in a task that refers to what its Python worker is to go on holding."""
    del held
    for _ in rows:
        pass
    yield sampler.ask()


def _later(one: Sample, other: Sample) -> Sample:
    """Return the later of two answers; the earlier question has ended the peak that it told."""
    last = max(one, other, key=lambda sample: sample.cpu_s)
    peak = max(one.peak_memory_bytes, other.peak_memory_bytes)
    return replace(last, peak_memory_bytes=peak, watched=one.watched and other.watched)


def _counters(
    executor: Executor, sample: Sample, account: Account, slots: int, *, alone: bool
) -> dict[str, float | None]:
    peaks = executor.peaks
    return {
        "spilled_bytes": account.spilled_bytes,
        "sent_bytes": None,
        "received_bytes": account.remote_bytes if alone else None,
        # Tasks that run at a time see the same collections, and see none between tasks. The
        # executor's own sum has these too, but comes with heartbeats, when the phase may be over.
        "gc_s": account.gc_s / slots,
        "shuffle_read_bytes": account.shuffle_read_bytes,
        "shuffle_write_bytes": account.shuffle_write_bytes,
        "executor_cpu_s": account.cpu_s,
        "jvm_heap_peak_bytes": peaks.get("JVMHeapMemory") or None,
        "python_rss_peak_bytes": peaks.get("ProcessTreePythonRSSMemory") or None,
        "cached_on_disk_bytes": executor.disk_bytes,
        "python_workers": sample.python_workers,
    }


def _worker(executor: Executor, sample: Sample | None) -> dict[str, Any]:
    return {
        "name": executor.title,
        "host": executor.host,
        "cores": executor.cores,
        "memory_bytes": sample.heap_bytes if sample is not None else 0,
        "java": sample.java if sample is not None else "",
    }
