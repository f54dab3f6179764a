"""Rows of a table that say what each engine used, and what it was granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.report import columns as of
from experiments.report.attached import is_attached
from experiments.report.wording import workers_in_words
from experiments.report.worker_rows import busiest_row, counter_rows, fullest_row, place_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from experiments.report.columns import Column
    from experiments.report.rows import Row, Rows
    from experiments.report.work import Work


def resource_rows(rows: Rows, work: Work) -> Iterable[Row]:
    """Return the rows on CPU time, memory and storage, and on what was granted.

    Parameters
    ----------
    rows : Rows
        The engines at one point.
    work : Work
        What was done: CPU time is told of its phase.
    """
    warm = any(record.warm for one in rows.columns for record in one.records)
    which = "warm" if warm else "cold"
    clusters = any(map(is_attached, rows.columns))
    beyond = " On a cluster, its workers are added." if clusters else ""
    peaks = (
        " On a cluster the peaks of its workers are added, which need not have been at the same "
        "moment."
        if clusters
        else ""
    )
    made = (
        rows.make(
            f"{work.phase}_cpu_s",
            f"CPU time, {work.phase} {which}",
            "seconds",
            lambda column: column.of_phase(work.phase, lambda phase: phase.cpu_s, warm=warm),
            f"CPU seconds of the whole process tree in one {work.one}.{beyond}",
            ratio=True,
        ),
        busiest_row(rows, work, which, warm=warm),
        rows.make(
            "total_cpu_s",
            "CPU time, whole",
            "seconds",
            lambda column: column.of_child(of.cpu_of_child),
            f"CPU seconds of the whole process tree in all phases of one process.{beyond}",
            ratio=True,
            whole=True,
        ),
        rows.make(
            f"{work.phase}_cores_used",
            f"cores used, {work.phase} {which}",
            "number",
            lambda column: column.of_phase(work.phase, of.cores_used, warm=warm),
            f"CPU seconds per second of a {work.one}.",
        ),
        rows.make(
            "peak_memory_bytes",
            "peak memory",
            "bytes",
            lambda column: column.of_child(of.peak_memory_of_child),
            "Greatest memory of the whole process tree (proportional set size) in any phase."
            f"{peaks}",
            ratio=True,
            whole=True,
        ),
        fullest_row(rows),
        rows.make(
            "read_bytes",
            "read from storage",
            "bytes",
            lambda column: column.of_child(of.read_of_child),
            "Bytes that came from storage; what the page cache serves is not read.",
        ),
        rows.make(
            "write_bytes",
            "written to storage",
            "bytes",
            lambda column: column.of_child(of.written_by_child),
            "Bytes that the process tree wrote to storage.",
        ),
        *counter_rows(rows),
        *place_rows(rows),
        rows.texts(
            "granted_workers",
            "granted workers",
            _workers,
            "Worker processes (Dask) or tasks at a time (Spark), and native threads of each.",
            blank=True,
        ),
        rows.make(
            "granted_memory_bytes",
            "own memory limit",
            "bytes",
            lambda column: [column.facts.get("memory_bytes")],
            "What the engine limits itself to within the memory it was granted: all workers of "
            "Dask together, the Java heap of Spark, all of it on scikit-learn. The rest is for the "
            "processes and the native memory around these.",
            blank=True,
            measured=False,
        ),
    )
    return (row for row in made if row)


def _workers(column: Column) -> str:
    names = ("workers", "threads_per_worker", "cores")
    workers, threads, cores = (column.facts.get(name) for name in names)
    if workers is None or threads is None or cores is None:
        return ""
    return workers_in_words(workers, threads, cores)
