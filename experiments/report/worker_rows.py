"""Rows of a table on what the workers of clusters used; none where no engine joined one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from experiments.report import attached
from experiments.report.rows import Cell, Row, missing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from experiments.records import Record
    from experiments.report.columns import Column
    from experiments.report.rows import Rows
    from experiments.report.work import Work

_COUNTED = {
    "spilled_bytes": "Bytes that workers moved from memory to disk for want of memory.",
    "sent_bytes": "Bytes that workers sent to each other and to the processes that drive them.",
    "received_bytes": "Bytes that workers got from each other.",
    "gc_s": "Seconds that workers spent on the collection of garbage.",
}


def place_rows(rows: Rows) -> tuple[Row, ...]:
    """Return the rows that say where each engine computed, and with how many cores."""
    if not any(map(attached.is_attached, rows.columns)):
        return ()
    return (
        rows.texts(
            "granted_place",
            "computed on",
            _place,
            "The cluster that an engine joined; otherwise it started its workers on this machine.",
            blank=True,
        ),
        rows.texts(
            "granted_cores",
            "granted cores",
            lambda column: str(column.facts.get("cores") or ""),
            "Cores that the workers of an engine have together, as it counted them.",
            blank=True,
        ),
    )


def busiest_row(rows: Rows, work: Work, which: str, *, warm: bool) -> Row | None:
    """Return the row on the worker that used most CPU time."""
    return rows.make(
        f"{work.phase}_cpu_worker_most_s",
        f"CPU time, {work.phase} {which}, most on one worker",
        "seconds",
        lambda column: column.of_phase(work.phase, attached.cpu_on_busiest, warm=warm),
        f"CPU seconds of the worker that used most of them in one {work.one}.",
        blank=True,
    )


def fullest_row(rows: Rows) -> Row | None:
    """Return the row on the worker that held most memory."""
    return rows.make(
        "peak_memory_worker_most_bytes",
        "peak memory, most on one worker",
        "bytes",
        lambda column: column.of_child(attached.memory_on_fullest),
        "Greatest memory (proportional set size) of one worker with all processes below it in any "
        "phase.",
        blank=True,
    )


def counter_rows(rows: Rows) -> Iterable[Row]:
    """Return the rows on what only clusters count; what an engine cannot tell is marked."""
    if not any(map(attached.is_attached, rows.columns)):
        return
    for name in attached.COUNTERS:
        yield _counter_row(rows, name)


def _counter_row(rows: Rows, name: str) -> Row:
    def of_child(child: tuple[Record, ...]) -> float | None:
        return attached.counter_of(child, name)

    key, label = f"workers_{name}", f"{attached.label_of(name)}, all workers"
    unit, meaning = attached.unit_of(name), f"{_COUNTED[name]} In all phases of one process."
    row = rows.make(
        key, label, unit, lambda column: column.of_child(of_child), meaning, blank=True
    ) or Row(key, label, unit, tuple(Cell() for _ in rows.columns), meaning)
    cells = (
        cell if cell.summary is not None else replace(cell, text=_instead(column, name))
        for column, cell in zip(rows.columns, row.cells, strict=True)
    )
    return replace(row, cells=tuple(cells))


def _instead(column: Column, name: str) -> str:
    """Return what stands in the place of a number: nothing where nobody was asked for it."""
    if attached.cannot_tell(column, name):
        return attached.UNKNOWN
    return missing(column) if attached.is_attached(column) else ""


def _place(column: Column) -> str:
    if attached.is_attached(column):
        return attached.address_of(column) or "a cluster"
    return "this machine" if column.records else ""
