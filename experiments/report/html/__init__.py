"""The report as one page that opens anywhere: no network, no other file, nothing from data runs."""

from __future__ import annotations

from experiments.report.html.page import as_page

__all__ = ["as_page"]
