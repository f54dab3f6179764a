"""Dask's configuration as its libraries have it, whatever a person's own files say."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# By it a process of Dask hands its configuration on; it counts more than the files of a person
INHERITED: Final = "DASK_INTERNAL_INHERIT_CONFIG"


@contextmanager
def only_defaults() -> Iterator[None]:
    """Put a person's configuration aside, and put it back at the end.

    Memory limits, time-outs and encryption of Dask would otherwise be those of the person, and a
    definition would not be measured alike everywhere. To be entered before distributed is
    imported, which reads some of it only then.
    """
    from dask import config

    before = dict(config.config)
    known = len(config.defaults)
    _replace(config.config, _of_libraries())
    try:
        yield
    finally:
        # libraries that were imported meanwhile need theirs from now on
        for added in config.defaults[known:]:
            config.update(before, added, priority="old")
        _replace(config.config, before)


def inherited_defaults() -> dict[str, str]:
    """Return the variable that gives another process the defaults in place of a person's files."""
    import distributed  # noqa: F401 - it adds its defaults as it is imported
    from dask import config

    return {INHERITED: config.serialize(_of_libraries())}


def _of_libraries() -> dict[str, Any]:
    """Return what the libraries that are imported have where nobody has written anything."""
    from dask import config

    found: dict[str, Any] = {}
    config.refresh(found, paths=[], env={})
    return found


def _replace(old: dict[str, Any], new: Mapping[str, Any]) -> None:
    """Replace what is in a dictionary; whoever reads it meanwhile finds every key of both."""
    old.update(new)
    for key in old.keys() - new.keys():
        del old[key]
