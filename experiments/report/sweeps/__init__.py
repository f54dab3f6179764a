"""Tell what a sweep shows: how times grow, who is faster from which size on, how it scales."""

from __future__ import annotations

from experiments.report.sweeps.values import (
    ComparedPoint,
    Comparison,
    Cost,
    Series,
    SizePoint,
    Sweep,
)

__all__ = ["ComparedPoint", "Comparison", "Cost", "Series", "SizePoint", "Sweep"]
