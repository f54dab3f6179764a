"""Rows of a table that say how long each phase took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.report import columns as of
from experiments.report.work import FIT, SEARCH, TASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from experiments.report.columns import Column
    from experiments.report.rows import Row, Rows
    from experiments.report.work import Work


def time_rows(rows: Rows) -> Iterable[Row]:
    """Return the rows on seconds: of each phase, of the whole process, and what none explains."""

    def wall(name: str, *, warm: bool | None = None) -> Callable[[Column], list[float | None]]:
        return lambda column: column.of_phase(name, lambda phase: phase.wall_s, warm=warm)

    phases = [p for one in rows.columns for record in one.records for p in record.phases]
    names = {phase.name for phase in phases if phase.ended}
    others = sorted(names - set(of.SHOWN_PHASES))
    made = (
        rows.make(
            "start_wall_s",
            "start",
            "seconds",
            wall("start"),
            "Import the engine's libraries and start its session: workers, the JVM.",
            ratio=True,
        ),
        rows.make(
            "load_wall_s",
            "load",
            "seconds",
            wall("load"),
            "Read the prepared rows and hold them in the engine's memory.",
            ratio=True,
        ),
        *(row for work in (SEARCH, TASKS, FIT) for row in _main_times(rows, work, wall)),
        *_refit_times(rows, wall),
        rows.make(
            "predict_cold_wall_s",
            "predict, cold",
            "seconds",
            wall("predict", warm=False),
            "The first prediction of all scored rows, brought to the host.",
            ratio=True,
        ),
        rows.make(
            "predict_warm_wall_s",
            "predict, warm",
            "seconds",
            wall("predict", warm=True),
            "Every further prediction in the same process.",
            ratio=True,
        ),
        rows.make(
            "other_wall_s",
            ", ".join(others),
            "seconds",
            lambda column: column.of_child(of.other_wall_of_child),
            "What else the process was asked for: save the predictions, inspect what it was "
            "granted, stop the session.",
            ratio=True,
            whole=True,
        ),
        rows.make(
            "total_wall_s",
            "whole process",
            "seconds",
            lambda column: column.of_child(of.wall_of_child),
            "One process from its start to its end, with all that it was asked to do.",
            ratio=True,
            whole=True,
        ),
        rows.make(
            "unaccounted_s",
            "of it unaccounted",
            "seconds",
            lambda column: column.of_child(of.unaccounted_of_child),
            "Seconds of the process that no phase explains, and their share of the whole.",
            share_of=lambda column: column.of_child(of.wall_of_child),
        ),
    )
    return (row for row in made if row)


def _main_times(
    rows: Rows, work: Work, wall: Callable[..., Callable[[Column], list[float | None]]]
) -> Iterable[Row | None]:
    """Return the rows of the phase that a comparison is about, cold and warm."""
    yield rows.make(
        f"{work.phase}_cold_wall_s",
        f"{work.phase}, cold",
        "seconds",
        wall(work.phase, warm=False),
        f"The first {work.one} of a process.",
        ratio=True,
    )
    yield rows.make(
        f"{work.phase}_warm_wall_s",
        f"{work.phase}, warm",
        "seconds",
        wall(work.phase, warm=True),
        f"Every further {work.one} in the same process.",
        ratio=True,
    )


def _refit_times(
    rows: Rows, wall: Callable[..., Callable[[Column], list[float | None]]]
) -> Iterable[Row | None]:
    """Return the rows of refits: cold and warm apart where there are both."""
    meaning = "Fit the best candidate on all training rows"
    warm, cold = (
        any(value is not None for one in rows.columns for value in wall("refit", warm=which)(one))
        for which in (True, False)
    )
    if not (warm and cold):
        yield rows.make(
            "refit_wall_s", "refit", "seconds", wall("refit"), f"{meaning}.", ratio=True
        )
        return
    for which, repeats in (("cold", "first search"), ("warm", "further searches")):
        yield rows.make(
            f"refit_{which}_wall_s",
            f"refit, {which}",
            "seconds",
            wall("refit", warm=which == "warm"),
            f"{meaning}, after the {repeats} of a process.",
            ratio=True,
        )
