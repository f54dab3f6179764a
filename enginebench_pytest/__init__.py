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

A session that uses none of this is left as it is, and loads none of it: not even the packages
``engines`` and ``experiments``, whose names a project may have for its own. Where it has an option
``--engines`` too, that one stays its own, and the option here is ``--enginebench-engines``.
``-p no:enginebench`` leaves all of this out.
"""

from __future__ import annotations

from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

    from enginebench_pytest.bench import BenchExperiment
    from engines.base import Engine
    from engines.types import Resources

# a name that no other project gives to a fixture, since all of them load this plugin
_PARAMETER: Final = "enginebench_engine"
_OPTION: Final = "enginebench_engines"
_SHORT: Final = "--engines"
# always there, whatever options a project has
_LONG: Final = "--enginebench-engines"
_SHORT_IS_OURS: Final = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, object, object]:
    """Add ``--engines`` after the options of the project, of which none may be in its way."""
    _forget_names(early_config, args)
    result = yield
    ours = _SHORT not in _options(parser)
    early_config.stash[_SHORT_IS_OURS] = ours
    parser.getgroup("enginebench").addoption(
        *([_SHORT] if ours else []),
        _LONG,
        dest=_OPTION,
        metavar="NAMES",
        default=None,
        help="engines that tests with the fixtures engine or bench_experiment run on, with commas "
        "between: sklearn, dask, spark; all that are installed when not given",
    )
    return result


def _forget_names(config: pytest.Config, args: list[str]) -> None:
    """Take the names of engines off the paths that pytest looks for conftest files in.

    An option that is not known yet may have a value of its own, which is then taken for a path.
    """
    paths = getattr(getattr(config, "known_args_namespace", None), "file_or_dir", None) or []
    for option, value in pairwise(args):
        if option in {_SHORT, _LONG} and value in paths and not Path(value).exists():
            paths.remove(value)


def _options(parser: pytest.Parser) -> set[str]:
    """Return the names of all options there are."""
    groups = [*getattr(parser, "_groups", ()), getattr(parser, "_anonymous", None)]
    return {
        name
        for group in groups
        for option in getattr(group, "options", ())
        for name in option.names()
    }


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a wrong ``--engines`` before anything is collected."""
    if config.getoption(_OPTION, None) is not None:
        if hidden := _hidden():
            raise pytest.UsageError(hidden)
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
    asked: str | None = config.getoption(_OPTION, None)
    if asked is None:
        return tuple(name for name in known if not missing_libraries(name))
    names = tuple(dict.fromkeys(name.strip() for name in asked.split(",")))
    unknown = [name for name in names if name not in known]
    if unknown:
        option = _SHORT if config.stash.get(_SHORT_IS_OURS, True) else _LONG
        raise pytest.UsageError(
            f"{option}: there is no engine {', '.join(map(repr, unknown))}; "
            f"choose from {', '.join(known)}."
        )
    return names


def _hidden() -> str:
    """Say which package of this project has the name of one that is needed here, if any has."""
    home = Path(__file__).resolve().parents[1]
    for name in ("engines", "experiments"):
        try:
            spec = find_spec(name)
        except ValueError:  # something in sys.modules that was never imported
            spec = None
        places = [] if spec is None else list(spec.submodule_search_locations or ())
        if home / name not in {Path(place).resolve() for place in places}:
            other = places[0] if places else getattr(spec, "origin", None) or "it has no file"
            return (
                f"The fixtures engine and bench_experiment need the package {name!r} of "
                f"enginebench, and here another one has that name ({other}); run them where none "
                "comes before it on sys.path."
            )
    return ""


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for an engine on each that was chosen."""
    if _PARAMETER not in metafunc.fixturenames:
        return
    # a project whose own hook gives its tests an argument of such a name means something else
    given = {name for call in getattr(metafunc, "_calls", ()) for name in call.params}
    if given & {"engine", "engine_name"} and "bench_experiment" not in metafunc.fixturenames:
        return
    if hidden := _hidden():
        pytest.fail(hidden, pytrace=False)
    names = chosen_engines(metafunc.config)
    # a project may have ids of its own form, and that of an engine is known all the same
    metafunc.parametrize(_PARAMETER, names, indirect=True, scope="session", ids=names)


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
    from enginebench_pytest.journal import journal_of
    from enginebench_pytest.watched import watch

    benchmark = values["benchmark"]
    if benchmark.group is None:
        benchmark.group = _group(item)
    watch(benchmark, values["engine"], item.nodeid, journal_of(item.config))


def _engine_of(item: pytest.Item) -> str | None:
    """Return the name of the engine that a test runs on, if it asks for one."""
    call = getattr(item, "callspec", None)
    return None if call is None else call.params.get(_PARAMETER)


def _group(item: pytest.Item) -> str:
    """Return a name that the same test has on every engine, so that they share a table."""
    name: str = getattr(item, "originalname", None) or item.name
    own: str = item.callspec.id  # type: ignore[attr-defined]  # it has parameters
    before, engine, after = f"-{own}-".rpartition(f"-{_engine_of(item)}-")
    others = f"{before}-{after}"[1:-1] if engine else own
    return f"{name}[{others}]" if others else name


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
    from enginebench_pytest.sessions import default_resources

    scratch = tmp_path_factory.mktemp(f"scratch-{enginebench_engine}")
    return default_resources(enginebench_engine, scratch)


@pytest.fixture(scope="session")
def engine(
    enginebench_engine: str, engine_resources: Resources, request: pytest.FixtureRequest
) -> Iterator[Engine[Any]]:
    """Open a session of an engine in the test's own process; one at a time is open.

    It joins the cluster that the environment names, as a run does, unless `engine_resources` has
    one. A benchmark of its methods gets ``extra_info``: engine, versions, outcome, and CPU seconds
    and memory of the whole process tree, pytest included, and of the cluster's workers. Nothing
    pins that process to CPUs or limits its memory: `bench_experiment` compares engines as a run
    does.
    """
    from enginebench_pytest.journal import journal_of
    from enginebench_pytest.sessions import opened

    with opened(enginebench_engine, engine_resources, journal_of(request.config)) as running:
        yield running


@pytest.fixture
def bench_experiment(
    enginebench_engine: str,
    benchmark: BenchmarkFixture,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> BenchExperiment:
    """Benchmark an experiment on an engine: see `enginebench_pytest.bench`."""
    from enginebench_pytest.bench import BenchExperiment
    from enginebench_pytest.journal import journal_of

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
