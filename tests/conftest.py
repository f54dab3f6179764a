"""Fixtures of every test: the engines, one session each, and prepared data to run them on."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from engines import engine_names, get_engine
from engines.errors import UnsupportedFeatureError
from engines.types import Resources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines.base import Engine

CORES = 2
MEMORY_BYTES = 3 * 2**30


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engines",
        default=",".join(engine_names()),
        help="engines that the contract suite runs on, with commas between; all when not given",
    )


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start, also when the tests were started in the background.

    A shell makes what it starts there ignore Ctrl-C, and every process hands that on.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine_name" in metafunc.fixturenames:
        metafunc.parametrize(
            "engine_name", chosen_engines(metafunc.config), indirect=True, scope="session"
        )


def chosen_engines(config: pytest.Config) -> list[str]:
    """Return the engines asked for; an unknown name ends the whole run."""
    names = [name.strip() for name in config.getoption("--engines").split(",")]
    unknown = [name for name in names if name not in engine_names()]
    if unknown:
        raise pytest.UsageError(
            f"--engines: there is no engine {', '.join(map(repr, unknown))}; "
            f"choose from {', '.join(engine_names())}."
        )
    return names


@pytest.fixture(scope="session")
def engine_name(request: pytest.FixtureRequest) -> str:
    """Name of the engine that a contract test runs on."""
    return request.param


@pytest.fixture(scope="session")
def engine_class(engine_name: str) -> type[Engine[Any]]:
    """Class of the engine; an engine that is not installed is a failure, not a skip."""
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
def engine(engine_class: type[Engine[Any]], resources: Resources) -> Iterator[Engine[Any]]:
    """One open session for all tests of an engine: a process can hold one JVM only."""
    with engine_class(resources) as opened:
        yield opened


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
