"""Tell what a run gave: tables, where engines disagree, and how to read the numbers.

A report is a function of the run folder alone, so it can be made again at any time.
"""

from __future__ import annotations

from experiments.report.build import Report, build_report

__all__ = ["Report", "build_report"]
