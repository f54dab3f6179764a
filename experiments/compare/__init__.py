"""Compare two runs of the same experiment, at two times or on two machines.

What changed between the runs is told first, as any difference may be due to it; then each number
with its ratio and interval.
"""

from __future__ import annotations

from experiments.compare.build import Comparison, compare_runs

__all__ = ["Comparison", "compare_runs"]
