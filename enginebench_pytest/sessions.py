"""Open an engine in the process of the tests."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from engines import get_engine, least_memory
from engines.errors import EngineError
from engines.types import Resources
from experiments.definition.host import DEFAULT_MEMORY_BYTES, usable_cores, usable_memory
from experiments.runner.child import failure_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from enginebench_pytest.journal import Journal
    from engines.base import Engine


def default_resources(name: str, scratch: Path) -> Resources:
    """Return what an engine is granted unless something else is said."""
    cores = usable_cores()
    workers = 1 if name == "sklearn" else cores
    memory = max(DEFAULT_MEMORY_BYTES, least_memory(name, workers))
    return Resources(
        cores=cores,
        memory_bytes=min(memory, usable_memory()),
        workers=workers,
        threads_per_worker=cores // workers,
        scratch=scratch,
    )


@contextmanager
def opened(name: str, resources: Resources, journal: Journal) -> Iterator[Engine[Any]]:
    """Open a session; one that cannot be opened fails the test with the engine's own sentence."""
    failure = None
    try:
        engine = get_engine(name)(resources)
        engine.start()
    except EngineError as exc:
        failure = failure_of(exc)
    if failure is not None:
        journal.append("engine", engine=name, **failure)
        pytest.fail(failure["message"], pytrace=False)
    try:
        yield engine
    finally:
        engine.stop()
