"""Benchmark functions and experiments on every engine, in pytest.

pytest loads this by itself where enginebench is installed::

    def test_clusters(engine, benchmark):             # a function of one's own
        data = engine.load(...)
        benchmark.pedantic(engine.fit_kmeans, args=(spec, data), rounds=5)

    def test_digits(bench_experiment):                # any definition
        bench_experiment("kmeans-digits", phase="fit", rounds=5)

Each such test runs on the engines of ``--engines sklearn,dask,spark``, on all that are installed
when it is not given. Accuracy, CPU seconds, memory and versions go to pytest-benchmark's
``extra_info``, and each measurement to ``.benchmarks/enginebench/`` as it is made.

A session that uses none of this is left as it is, and loads none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

    from engines.base import Engine
    from engines.types import Resources
    from experiments.pytest_plugin.bench import BenchExperiment

# a name that no other project gives to a fixture, since all of them load this plugin
_PARAMETER: Final = "enginebench_engine"
_OPTION: Final = "enginebench_engines"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--engines``."""
    parser.getgroup("enginebench").addoption(
        "--engines",
        dest=_OPTION,
        metavar="NAMES",
        default=None,
        help="engines that tests with the fixtures engine or bench_experiment run on, with commas "
        "between: sklearn, dask, spark; all that are installed when not given",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a wrong ``--engines`` before anything is collected."""
    if config.getoption(_OPTION) is not None:
        chosen_engines(config)


def chosen_engines(config: pytest.Config) -> tuple[str, ...]:
    """Return the engines of ``--engines``, or all that are installed.

    Raises
    ------
    pytest.UsageError
        If one is unknown.
    """
    from engines import engine_names, missing_libraries

    known = engine_names()
    asked: str | None = config.getoption(_OPTION)
    if asked is None:
        return tuple(name for name in known if not missing_libraries(name))
    names = tuple(dict.fromkeys(name.strip() for name in asked.split(",")))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise pytest.UsageError(
            f"--engines: there is no engine {', '.join(map(repr, unknown))}; "
            f"choose from {', '.join(known)}."
        )
    return names


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for an engine on each that was chosen."""
    if _PARAMETER not in metafunc.fixturenames:
        return
    # a project whose own hook gives its tests an argument of such a name means something else
    given = {name for call in getattr(metafunc, "_calls", ()) for name in call.params}
    if given & {"engine", "engine_name"} and "bench_experiment" not in metafunc.fixturenames:
        return
    names = chosen_engines(metafunc.config)
    metafunc.parametrize(_PARAMETER, names, indirect=True, scope="session")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure child processes first, for each engine: then no open session works beside them."""
    places: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        if name := _engine_of(item):
            places.setdefault(name, []).append(place)
    for of_engine in places.values():
        ordered = sorted((items[place] for place in of_engine), key=_opens_a_session)
        for place, item in zip(of_engine, ordered, strict=True):
            items[place] = item


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Measure more than time in a benchmark of one's own that has an engine."""
    values: dict[str, Any] = getattr(item, "funcargs", {})
    name = _engine_of(item)
    if name is None or "bench_experiment" in values or not {"engine", "benchmark"} <= values.keys():
        return
    from experiments.pytest_plugin.journal import journal_of
    from experiments.pytest_plugin.watched import watch

    watch(values["benchmark"], values["engine"], item, journal_of(item.config))


def _engine_of(item: pytest.Item) -> str | None:
    """Return the name of the engine that a test runs on, if it asks for one."""
    call = getattr(item, "callspec", None)
    return None if call is None else call.params.get(_PARAMETER)


def _opens_a_session(item: pytest.Item) -> bool:
    return "engine" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def enginebench_engine(request: pytest.FixtureRequest) -> str:
    """Name of the engine; `engine_name` is the fixture to ask for it."""
    return str(request.param)


@pytest.fixture(scope="session")
def engine_name(enginebench_engine: str) -> str:
    """Name of the engine that a test runs on."""
    return enginebench_engine


@pytest.fixture(scope="session")
def engine_resources(
    enginebench_engine: str, tmp_path_factory: pytest.TempPathFactory
) -> Resources:
    """Say what `engine` is granted: all cores, and 4 GiB or what it needs to start.

    scikit-learn is one worker with all the threads; the others have a worker a core. A
    ``conftest.py`` may override this fixture with an `engines.types.Resources` of its own.
    """
    from experiments.pytest_plugin.sessions import default_resources

    scratch = tmp_path_factory.mktemp(f"scratch-{enginebench_engine}")
    return default_resources(enginebench_engine, scratch)


@pytest.fixture(scope="session")
def engine(
    enginebench_engine: str, engine_resources: Resources, request: pytest.FixtureRequest
) -> Iterator[Engine[Any]]:
    """Open a session of an engine in the test's own process; one at a time is open.

    A benchmark of its methods gets ``extra_info``: engine, versions, outcome, and CPU seconds and
    memory of the whole process tree, pytest included. Nothing pins that process to CPUs or limits
    its memory: `bench_experiment` compares engines as a run does.
    """
    from experiments.pytest_plugin.journal import journal_of
    from experiments.pytest_plugin.sessions import opened

    with opened(enginebench_engine, engine_resources, journal_of(request.config)) as running:
        yield running


@pytest.fixture
def bench_experiment(
    enginebench_engine: str,
    benchmark: BenchmarkFixture,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> BenchExperiment:
    """Benchmark an experiment on an engine: see `experiments.pytest_plugin.bench`."""
    from experiments.pytest_plugin.bench import BenchExperiment
    from experiments.pytest_plugin.journal import journal_of

    beside = (
        "A session of an engine was open in the test's own process meanwhile, and held memory; "
        "do not ask for the fixture engine beside bench_experiment."
    )
    return BenchExperiment(
        engine=enginebench_engine,
        benchmark=benchmark,
        folder=tmp_path / "run",
        journal=journal_of(request.config),
        test=request.node.nodeid,
        warnings=(beside,) if "engine" in request.fixturenames else (),
    )
