"""Keep every measurement on the disk as it is made, so that a killed session loses none."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import pytest

from experiments.records import append_line, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA: Final = 1
_FOLDER: Final = "enginebench"
_STORAGE: Final = ".benchmarks"

Kind: TypeAlias = Literal["started", "round", "rounds", "record", "ended", "engine"]


class Journal:
    """A file of JSON lines, one for each thing that happened to a benchmark.

    Each line has ``schema`` and ``kind``, and those of a benchmark ``test``, ``engine`` and
    ``group``. A benchmark has a line ``started``, one ``round`` for each that was measured
    (``wall_s``, ``cpu_s``, ``peak_memory_bytes``, of which the last two are null where the workers
    of a cluster could not be asked; ``round`` is null for the cold one, and many short rounds are
    one line ``rounds``), with an experiment a ``record`` for each repeat, as in
    ``records.jsonl``, and ``ended`` with its ``outcome`` and all that went to ``extra_info``. One
    that was killed has no ``ended``. A session of an engine that could not start is a line
    ``engine``.

    Parameters
    ----------
    path : pathlib.Path
        The file; it and the folders above it are made with the first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, kind: Kind, **content: Any) -> None:
        """Append a line and force it to the disk."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            append_line(self.path, {"schema": SCHEMA, "kind": kind, **plain(content)})
        except OSError as exc:
            reason = exc.strerror or str(exc)
        else:
            return
        pytest.fail(
            f"Measurements cannot be kept in {self.path}: {reason.lower()}; name another folder "
            f"with --benchmark-storage.",
            pytrace=False,
        )


class Entries:
    """The lines of one benchmark in a journal.

    Parameters
    ----------
    journal : Journal
        Where they go.
    same : mapping
        What they all have.
    """

    def __init__(self, journal: Journal, same: Mapping[str, Any]) -> None:
        self._journal = journal
        self._same = same

    def append(self, kind: Kind, **content: Any) -> None:
        """Append a line."""
        self._journal.append(kind, **self._same, **content)


_JOURNAL: Final = pytest.StashKey[Journal]()


def journal_of(config: pytest.Config) -> Journal:
    """Return the journal of a session: beside the files that pytest-benchmark saves."""
    if _JOURNAL not in config.stash:
        storage = str(config.getoption("benchmark_storage", _STORAGE))
        folder = storage.removeprefix("file://")
        if "://" in folder:  # no folder but a server
            folder = _STORAGE
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.jsonl"
        path = Path(config.invocation_params.dir) / folder / _FOLDER / name
        config.stash[_JOURNAL] = Journal(path)
    return config.stash[_JOURNAL]
