"""Draw every chart for which a run has numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.report.charts.accuracy import draw_accuracy
from experiments.report.charts.cold_warm import draw_cold_and_warm
from experiments.report.charts.over_time import draw_cores, draw_memory
from experiments.report.charts.phases import draw_phases
from experiments.report.charts.progress import draw_progress
from experiments.report.charts.scaling import draw_scaling
from experiments.report.charts.scene import set_scene
from experiments.report.charts.speedup import draw_speedup

if TYPE_CHECKING:
    from experiments.report.build import Report
    from experiments.report.charts.figure import Figure


def build_figures(report: Report) -> tuple[Figure, ...]:
    """Draw every chart for which a run has numbers.

    Parameters
    ----------
    report : Report
        What is told of the run.

    Returns
    -------
    tuple of Figure
        In the order in which a reader wants them; never an empty one.
    """
    from altair.utils.schemapi import debug_mode

    scene = set_scene(report)
    if scene is None:
        return ()
    # altair would check every piece against the schema as it is made, which takes longer than to
    # draw it; the tests check all charts whole
    with debug_mode(False):
        figures = (
            *draw_scaling(scene),
            draw_speedup(scene),
            draw_progress(scene),
            draw_phases(scene),
            draw_cold_and_warm(scene),
            draw_accuracy(scene),
            draw_memory(scene),
            draw_cores(scene),
        )
    return tuple(one for one in figures if one is not None)
