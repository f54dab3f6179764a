"""Versions of installed libraries, read from their metadata and not by importing them."""

from __future__ import annotations

import platform
from importlib import metadata


def versions(*distributions: str) -> dict[str, str]:
    """Return the version of Python and of each distribution; those not installed are left out."""
    found = {"python": platform.python_version()}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
