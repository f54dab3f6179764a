"""The bookkeeping of a search: which candidate stands where, and what is kept of each."""

from __future__ import annotations
