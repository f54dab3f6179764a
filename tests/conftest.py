"""Fixtures of every test: the engines of the project's own pytest plugin, as the contract has them.

The plugin gives `engine_name`, with ``--engines``, and `engine`: one open session for all tests of
an engine, since a process can hold one JVM only.
"""

from __future__ import annotations

import os
import signal
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from engines import engine_names, get_engine
from engines.errors import UnsupportedFeatureError
from engines.types import Resources

if TYPE_CHECKING:
    from engines.base import Engine

CORES = 2
MEMORY_BYTES = 3 * 2**30


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C reach what tests start, and test all engines.

    A shell makes what it starts in the background ignore Ctrl-C, and every process hands that on.
    The plugin leaves out engines that are not installed; here one is a failure. What is kept from
    one run to the next lies with what pytest keeps, and not in the cache of who runs the tests.
    """
    if "ENGINEBENCH_CACHE" not in os.environ:
        kept = getattr(config, "cache", None)
        if kept:
            folder = str(kept.mkdir("enginebench"))
        else:
            unkept = tempfile.TemporaryDirectory(prefix="enginebench-")
            config.add_cleanup(unkept.cleanup)
            folder = unkept.name
        os.environ["ENGINEBENCH_CACHE"] = folder
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.option.enginebench_engines is None:
        config.option.enginebench_engines = ",".join(engine_names())


@pytest.fixture(scope="session")
def engine_class(engine_name: str) -> type[Engine[Any]]:
    """Class of the engine."""
    return get_engine(engine_name)


@pytest.fixture(scope="session")
def resources(engine_name: str, tmp_path_factory: pytest.TempPathFactory) -> Resources:
    """Two cores: as two workers where the engine has workers."""
    workers = 1 if engine_name == "sklearn" else CORES
    return Resources(
        cores=CORES,
        memory_bytes=MEMORY_BYTES,
        workers=workers,
        threads_per_worker=CORES // workers,
        scratch=tmp_path_factory.mktemp(f"scratch-{engine_name}"),
    )


@pytest.fixture(scope="session")
def engine_resources(resources: Resources) -> Resources:
    """Grant the plugin's `engine` the same."""
    return resources


@pytest.fixture(autouse=True)
def declared_gaps(request: pytest.FixtureRequest) -> None:
    """Expect a test to fail, strictly, where the engine declares that it lacks the feature."""
    features = [feature for mark in request.node.iter_markers("feature") for feature in mark.args]
    if not features:
        return
    gaps = request.getfixturevalue("engine_class").gaps
    for feature in features:
        if feature in gaps:
            reason = str(gaps[feature])
            request.applymarker(
                pytest.mark.xfail(raises=UnsupportedFeatureError, strict=True, reason=reason)
            )
