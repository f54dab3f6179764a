"""Open an engine in the process of the tests."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from engines import get_engine, least_memory
from engines.errors import EngineError, UnequalCoresError
from engines.types import Resources
from experiments.cluster.secret_files import secret_at_hand
from experiments.definition.attach import attachment_from_environment
from experiments.definition.host import DEFAULT_MEMORY_BYTES, usable_cores, usable_memory
from experiments.errors import RequestError
from experiments.runner.child import failure_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from enginebench_pytest.journal import Journal
    from engines.base import Engine


_OTHER_CORES: Final = "grant other cores by the fixture engine_resources"


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


def _placed(name: str, resources: Resources) -> tuple[Resources, str, str | None]:
    """Return resources with the cluster to join, where its address is from, and its secret."""
    named = None
    if resources.attachment is None:
        named = attachment_from_environment(name, os.environ, exact=True)
    if named is None:
        return resources, "", None
    attachment, source, secret = named
    return replace(resources, attachment=attachment), source, secret


@contextmanager
def opened(name: str, resources: Resources, journal: Journal) -> Iterator[Engine[Any]]:
    """Open a session; one that cannot be opened fails the test with the engine's own sentence.

    Resources that name no cluster are those of a definition that names none: an engine then joins
    the one that the environment names, or is refused as `enginebench run` is.
    """
    failure = None
    source = ""
    try:
        resources, source, secret = _placed(name, resources)
        with secret_at_hand(secret):
            engine = get_engine(name)(resources)
            engine.start()
    except (EngineError, RequestError) as exc:
        failure = failure_of(exc)
        if isinstance(exc, UnequalCoresError) and exc.keys:
            # no definition asks, so that it has no keys to set
            failure["message"] = exc.told(_OTHER_CORES)
        if source:
            said = failure["message"].removeprefix(f"{name}: ")
            failure["message"] = f"{name} (from {source}): {said}"
    if failure is not None:
        journal.append("engine", engine=name, **failure)
        pytest.fail(failure["message"], pytrace=False)
    try:
        yield engine
    finally:
        engine.stop()
