"""Measure a process and everything that it starts."""

from __future__ import annotations
