"""The pytest plugin, as another project meets it: in a pytest of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from experiments.runner import protocol

pytest_plugins = ["pytester"]

MARK = "ENGINEBENCH_PLUGIN_TESTS"
IRIS = """
name: iris
dataset: {source: iris}
workload: {kind: kmeans, n_clusters: 3, init: shared, max_iter: 10}
engines: {sklearn: {}, dask: {}, spark: {}}
resources: {cores: 2, memory: 4 GiB}
measure: {rounds: 2, warm_repeats: 1, timeout: 5 min}
metrics: [inertia, adjusted_rand]
"""
# a few seconds a fit
LONG = """
name: long
dataset: {source: blobs, n_samples: 200_000, n_features: 20, centers: 5, cluster_std: 9, seed: 0}
workload: {kind: kmeans, n_clusters: 60, init: shared, max_iter: 60, tol: 0}
engines: {sklearn: {}}
resources: {cores: 2, memory: 6 GiB}
measure: {rounds: 1, warm_repeats: 3, timeout: 5 min}
metrics: [inertia]
"""
ITSELF = """
def test_iris(bench_experiment):
    bench_experiment("iris.yaml", rounds=3)
"""
# rows to cluster, for functions of one's own
ROWS = """
import pytest
from engines.specs import KMeansSpec
from engines.types import Source
from experiments.datasets import prepare
from experiments.datasets.options import BlobsOptions

SPEC = KMeansSpec(n_clusters=3, init="random", max_iter=5)

@pytest.fixture(scope="session")
def rows(engine):
    options = BlobsOptions(source="blobs", n_samples=2000, n_features=4, centers=3, seed=0)
    prepared = prepare(options, None, label_kind="classes", min_row_groups=2)
    return engine.load(Source(prepared, "train"))
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def project(pytester, monkeypatch, cache):
    """Return a project whose tests run in a process of their own; nothing may outlive it."""
    monkeypatch.setenv("ENGINEBENCH_CACHE", str(cache))
    monkeypatch.setenv(MARK, str(os.getpid()))
    # a short path: names of sockets in it are limited
    with tempfile.TemporaryDirectory(prefix="plugin-") as temporary:
        monkeypatch.setenv("TMPDIR", temporary)
        yield Project(pytester)
        assert carriers() == []
        assert list(Path(temporary).glob("enginebench-*")) == []


class Project:
    """Files, and what a session of pytest left."""

    def __init__(self, pytester):
        self.pytester = pytester
        self.path = pytester.path
        (self.path / "iris.yaml").write_text(IRIS)
        (self.path / "long.yaml").write_text(LONG)

    def write(self, source):
        self.pytester.makepyfile(test_inner=source)

    def run(self, source, *arguments, engines="sklearn", failed=0):
        """Run the tests in a source; warnings are errors in it."""
        self.write(source)
        engines = () if engines is None else (f"--engines={engines}",)
        result = self.pytester.runpytest_subprocess("-W", "error", *engines, *arguments)
        outcomes = result.parseoutcomes()
        assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == failed
        return result

    def bench(self, source, *arguments, engines="sklearn", failed=0):
        """Run benchmarks and return those that pytest-benchmark saved, by name."""
        self.run(source, "--benchmark-json=out.json", *arguments, engines=engines, failed=failed)
        saved = json.loads((self.path / "out.json").read_text())
        return {one["name"]: one for one in saved["benchmarks"]}

    @property
    def has_journal(self):
        return (self.path / ".benchmarks" / "enginebench").exists()

    def journal(self, **same):
        """Return the lines of the one journal that have these values."""
        (path,) = (self.path / ".benchmarks" / "enginebench").glob("*.jsonl")
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert all(line["schema"] == 1 for line in lines)
        return [one for one in lines if all(one.get(key) == same[key] for key in same)]


def carriers():
    """Return the live children of the runner that any session of these tests has left."""
    found = []
    for process in psutil.process_iter():
        try:
            carried = process.environ()
            ours = carried.get(MARK) == str(os.getpid()) and protocol.TOKEN in carried
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def seconds_of(saved):
    return saved["stats"]["data"]


def test_an_experiment_is_benchmarked_on_each_engine_and_told_whole(project):
    saved = project.bench(ITSELF, engines="sklearn,dask,spark")
    assert sorted(saved) == ["test_iris[dask]", "test_iris[sklearn]", "test_iris[spark]"]
    assert {one["group"] for one in saved.values()} == {"iris: fit, 150 rows of 4 features"}
    inertias = []
    for name, one in saved.items():
        engine = name[len("test_iris[") : -1]
        told = one["extra_info"]
        assert (told["engine"], told["phase"], told["outcome"]) == (engine, "fit", "completed")
        assert told["metrics"]["adjusted_rand"] > 0.5
        inertias.append(told["metrics"]["inertia"])
        assert told["cpu_s"] > 0
        assert told["peak_memory_bytes"] > 10 * 2**20
        assert told["cold_s"] > 0
        assert told["resources"]["cores"] == told["facts"]["cores"] == 2
        assert {"python", "xgboost"} <= told["versions"].keys()
        assert told["warnings"] == []
        # what is shown is what the child itself counted, of the warm repeats
        rounds = project.journal(kind="round", engine=engine)
        assert [one["round"] for one in rounds] == [None, 0, 1, 2]
        assert seconds_of(one) == [one["wall_s"] for one in rounds[1:]]
        assert told["cold_s"] == rounds[0]["wall_s"]
        records = [one["record"] for one in project.journal(kind="record", engine=engine)]
        fits = [next(p for p in one["phases"] if p["name"] == "fit") for one in records]
        assert [one["wall_s"] for one in fits] == [one["wall_s"] for one in rounds]
        (ended,) = project.journal(kind="ended", engine=engine)
        assert ended["outcome"] == "completed"
        assert ended["extra_info"] == told
    assert max(inertias) == pytest.approx(min(inertias))


def test_loading_is_benchmarked_in_a_process_for_each_round(project):
    saved = project.bench(
        "def test_load(bench_experiment):\n"
        "    assert len(bench_experiment('iris.yaml', phase='load')) == 2\n"
    )
    (one,) = saved.values()
    assert one["group"] == "iris: load, 150 rows of 4 features"
    assert len(seconds_of(one)) == 2  # measure.rounds of the definition
    assert one["extra_info"]["cold_s"] is None
    assert one["extra_info"]["peak_memory_bytes"] > 10 * 2**20
    records = [one["record"] for one in project.journal(kind="record")]
    assert [record["round"] for record in records] == [0, 1]
    for record in records:
        assert [one["name"] for one in record["phases"]] == ["start", "load", "stop"]


def test_a_search_and_overrides_are_benchmarked_by_the_phase_they_spend_their_time_in(project):
    source = """
    import experiments

    def test_search(bench_experiment):
        *_, last = bench_experiment(
            "svc-small", "search.space={C: [0.1, 1.0]}", "search.folds=2", rounds=1
        )
        assert last.model["search"]["best"]["scores"]["accuracy"] > 0.7

    def test_loaded(bench_experiment):
        asked = experiments.load("iris.yaml", overrides=["workload.n_clusters=2"])
        cold, warm = bench_experiment(asked, phase="predict")
        assert (cold.repeat, warm.repeat) == (0, 1)

    def test_tasks(bench_experiment):
        bench_experiment("asian-option", "workload.paths=2000", "workload.reference_paths=2000")
    """
    saved = project.bench(source)
    assert saved["test_search[sklearn]"]["group"] == "svc-small: search, 1,000 rows of 4 features"
    assert saved["test_loaded[sklearn]"]["group"] == "iris: predict, 150 rows of 4 features"
    assert saved["test_tasks[sklearn]"]["group"] == "asian-option: tasks, 2,000 paths"


def test_a_function_of_ones_own_is_measured_beyond_its_time(project):
    source = f"""{ROWS}
def test_own(engine, benchmark, rows):
    benchmark.extra_info["mine"] = 1
    benchmark.pedantic(engine.fit_kmeans, args=(SPEC, rows), rounds=3, warmup_rounds=1)

def test_short(engine, benchmark, rows):
    assert benchmark(lambda: rows.n_rows) == 2000

def test_iterations(engine, benchmark, rows):
    seen = []
    benchmark.pedantic(seen.append, args=(1,), teardown=seen.append, rounds=2, iterations=5)
    assert len(seen) == 2 * 6 + 2
"""
    saved = project.bench(source, engines="sklearn,dask")
    for engine in ("sklearn", "dask"):
        own = saved[f"test_own[{engine}]"]
        assert own["group"] == "test_own"
        told = own["extra_info"]
        assert (told["engine"], told["outcome"], told["mine"]) == (engine, "completed", 1)
        assert told["cpu_s"] > 0
        assert told["facts"]["workers"] >= 1
        assert "python" in told["versions"]
        rounds = project.journal(kind="round", test=f"test_inner.py::test_own[{engine}]")
        assert [one["round"] for one in rounds] == [0, 1, 2]
        assert [one["wall_s"] for one in rounds] == seconds_of(own)
        assert min(one["peak_memory_bytes"] for one in rounds) > 10 * 2**20
        short = saved[f"test_short[{engine}]"]
        assert short["stats"]["rounds"] > 10
        assert short["extra_info"]["cpu_s"] < 0.01  # of one call and not of all
        (rounds,) = project.journal(kind="rounds", engine=engine)
        assert rounds["rounds"] == short["stats"]["rounds"]
    # the workers of Dask are processes of their own
    peaks = {
        engine: saved[f"test_own[{engine}]"]["extra_info"]["peak_memory_bytes"]
        for engine in ("sklearn", "dask")
    }
    assert peaks["dask"] > peaks["sklearn"] + 50 * 2**20


def test_cpu_seconds_and_memory_are_those_of_what_was_called(project):
    source = """
    import time

    def work():
        until = time.thread_time() + 0.5
        while time.thread_time() < until:
            pass

    def hold():
        held = b"x" * (400 * 2**20)
        time.sleep(3)  # samples are the rarer the more one of them costs
        del held

    def test_work(engine, benchmark):
        benchmark.pedantic(work, rounds=2)

    def test_sleep(engine, benchmark):
        benchmark.pedantic(time.sleep, args=(0.5,), rounds=2)

    def test_nothing(engine, benchmark):
        benchmark.pedantic(len, args=("abc",), rounds=50)

    def test_hold(engine, benchmark):
        benchmark.pedantic(hold, rounds=1)
    """
    saved = project.bench(source)
    told = {name: one["extra_info"] for name, one in saved.items()}
    assert 0.5 <= told["test_work[sklearn]"]["cpu_s"] < 0.7
    assert told["test_sleep[sklearn]"]["cpu_s"] < 0.1
    # reading what the tree uses takes milliseconds of this same process
    assert abs(told["test_nothing[sklearn]"]["cpu_s"]) < 0.001
    held = told["test_hold[sklearn]"]["peak_memory_bytes"]
    assert held > told["test_work[sklearn]"]["peak_memory_bytes"] + 350 * 2**20


def test_a_comparison_works_on_the_saved_files(project):
    project.write(ITSELF)
    for _ in range(2):
        project.run(ITSELF, "--benchmark-autosave")
    done = subprocess.run(
        [Path(sys.executable).with_name("pytest-benchmark"), "compare"],
        cwd=project.path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "benchmark 'iris: fit, 150 rows of 4 features': 2 tests" in done.stdout
    result = project.run(ITSELF, "--benchmark-compare")
    result.stdout.fnmatch_lines(["*test_iris?sklearn? (NOW)*"])


@pytest.mark.parametrize(
    ("overrides", "outcome", "said"),
    [
        (("iris.yaml", "workload.init=k-means||"), "unsupported", "scikit-learn has no k-means||"),
        (("long.yaml", "measure.timeout=6 s", "workload.max_iter=10_000"), "timed out", "6 s"),
        (("long.yaml", "dataset.n_features=100", "resources.memory=300 MiB"), "out of memory", ""),
    ],
)
def test_an_engine_that_fails_fails_its_test_with_its_sentence(project, overrides, outcome, said):
    source = f"def test_it(bench_experiment):\n    bench_experiment(*{overrides!r})\n"
    project.write(source)
    result = project.run(source, "--benchmark-json=out.json", failed=1)
    name = overrides[0].removesuffix(".yaml")
    result.stdout.fnmatch_lines([f"{name} on sklearn: {outcome}: *{said}*"])
    assert "Traceback" not in result.stdout.str()
    assert "benchmark 'iris" not in result.stdout.str()  # no row of a table
    assert not json.loads((project.path / "out.json").read_text())["benchmarks"]
    (ended,) = project.journal(kind="ended")
    assert ended["outcome"] == outcome
    assert said in ended["extra_info"]["error"]


def test_a_crash_keeps_the_rounds_before_it(project):
    source = """
    import threading
    import psutil

    def kill():
        (child,) = psutil.Process().children()
        child.kill()

    def test_crash(bench_experiment, monkeypatch):
        from enginebench_pytest.turns import Turns
        bring, rounds = Turns._bring, []

        def strike(turns):
            bring(turns)
            rounds.append(1)
            if len(rounds) == 3:
                threading.Timer(0.3, kill).start()

        monkeypatch.setattr(Turns, "_bring", strike)
        bench_experiment("long.yaml")
    """
    result = project.run(source, failed=1)
    result.stdout.fnmatch_lines(["long on sklearn: crashed: *signal 9 in phase fit*its log is *"])
    assert [one["round"] for one in project.journal(kind="round")] == [None, 0]
    assert [one["outcome"] for one in project.journal(kind="ended")] == ["crashed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_session_that_is_ended_leaves_no_process_and_keeps_what_was_measured(project, number):
    project.write("def test_long(bench_experiment):\n    bench_experiment('long.yaml')\n")
    command = [sys.executable, "-m", "pytest", "--engines=sklearn", "--benchmark-json=out.json"]
    with subprocess.Popen(
        command, cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as session:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(0.1)
            if project.has_journal and project.journal(kind="round", round=0):
                break
        else:
            session.kill()
            pytest.fail("no round was measured within a minute")
        time.sleep(0.3)
        assert carriers()
        started = time.monotonic()
        session.send_signal(number)
        printed, _ = session.communicate(timeout=20)
        assert time.monotonic() - started < 8
    deadline = time.monotonic() + 5
    while carriers() and time.monotonic() < deadline:  # the child sees that a killed one is gone
        time.sleep(0.1)
    assert carriers() == []
    assert [one["round"] for one in project.journal(kind="round")][:2] == [None, 0]
    assert project.journal(kind="record")[0]["record"]["metrics"]["inertia"] > 0
    ended = [one["outcome"] for one in project.journal(kind="ended")]
    if number == signal.SIGKILL:
        assert ended == []
        return
    assert ended == ["interrupted"]
    assert "KeyboardInterrupt" in printed
    assert "Traceback" not in printed
    # a benchmark that was cut short is no benchmark
    assert not json.loads((project.path / "out.json").read_text())["benchmarks"]


def test_an_error_of_the_engine_reaches_the_test_and_its_outcome_the_journal(project):
    source = f"""{ROWS}
from engines.errors import UnsupportedFeatureError

def test_gap(engine, benchmark, rows):
    spec = SPEC.model_copy(update={{"init": "k-means||"}})
    with pytest.raises(UnsupportedFeatureError, match="has no k-means"):
        benchmark.pedantic(engine.fit_kmeans, args=(spec, rows))
"""
    assert project.bench(source) == {}
    (ended,) = project.journal(kind="ended")
    assert ended["outcome"] == "unsupported"
    assert "has no k-means||" in ended["error"]


def test_an_engine_that_cannot_start_fails_with_its_sentence(project):
    source = """
    import dataclasses
    import pytest

    @pytest.fixture(scope="session")
    def engine_resources(engine_resources):
        return dataclasses.replace(engine_resources, memory_bytes=2**20)

    def test_never(engine):
        pass
    """
    result = project.run(source, engines="dask", failed=1)
    assert "Traceback" not in result.stdout.str()
    (line,) = project.journal(kind="engine")
    assert (line["engine"], line["outcome"]) == ("dask", "failed")
    result.stdout.fnmatch_lines([line["message"]])


def test_engines_do_not_overlap_and_child_processes_run_beside_no_session(project):
    source = """
    import pytest
    from engines.base import Engine

    OPEN, ORDER = [], []
    start, stop = Engine.start, Engine.stop

    @pytest.fixture(scope="session", autouse=True)
    def count():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Engine, "start", lambda self: (OPEN.append(self.name), start(self)))
            patch.setattr(Engine, "stop", lambda self: (OPEN.remove(self.name), stop(self)))
            yield
        assert ORDER == ["sklearn child", "sklearn", "sklearn", "dask child", "dask", "dask"]
        assert OPEN == []

    def test_own(engine):
        ORDER.append(engine.name)
        assert OPEN == [engine.name]

    def test_child(bench_experiment, engine_name):
        ORDER.append(f"{engine_name} child")
        assert OPEN == []
        bench_experiment("iris.yaml", rounds=1)

    def test_more(engine):
        test_own(engine)
    """
    project.run(source, engines="sklearn,dask")


def test_a_session_open_beside_a_child_process_is_told(project):
    source = """
    def test_both(engine, bench_experiment):
        bench_experiment("iris.yaml", rounds=1)
    """
    (one,) = project.bench(source).values()
    assert "a session of an engine was open" in one["extra_info"]["warnings"][0].lower()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("'kmeans-blobs'", 'kmeans-blobs sweeps over dataset.n_samples*"sweep=null"*'),
        ("'iris.yaml', phase='search'", "phase: iris has no phase 'search' to measure; choose *"),
        ("'iris.yaml', rounds=0", "rounds must be a whole number from 1 to 1,000; got 0."),
        ("'irsi.yaml'", "There is no file irsi.yaml*"),
        ("'iris.yaml', 'workload.k=3'", "*k*"),
        ("'iris.yaml', 'resources.cores=4096'", "*4096 cores*"),
    ],
)
def test_a_wrong_request_is_one_sentence(project, asked, said):
    source = f"def test_it(bench_experiment):\n    bench_experiment({asked})\n"
    result = project.run(source, failed=1)
    result.stdout.fnmatch_lines([said])
    assert "Traceback" not in result.stdout.str()
    assert not project.has_journal


@pytest.mark.parametrize("asked", ["sparc", "sklearn,", ""])
def test_an_unknown_engine_ends_the_session_before_anything_runs(project, asked):
    project.write(ITSELF)
    result = project.pytester.runpytest_subprocess(f"--engines={asked}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--engines: there is no engine '*'; choose from sklearn, *"])


def test_without_engines_all_that_are_installed_are_used(project):
    result = project.run(ITSELF, "--collect-only", "-q", engines=None)
    for engine in ("sklearn", "dask", "spark"):
        result.stdout.fnmatch_lines([f"*test_iris?{engine}?"])


def test_without_benchmarks_an_experiment_runs_once(project):
    source = """
    def test_iris(bench_experiment):
        (record,) = bench_experiment("iris.yaml", rounds=3)
        assert record.outcome == "completed"

    def test_load(bench_experiment):
        assert len(bench_experiment("iris.yaml", phase="load", rounds=3)) == 1

    def test_own(engine, benchmark):
        assert benchmark.pedantic(len, args=("abc",), rounds=3) == 3
        assert benchmark.extra_info["outcome"] == "completed"
    """
    project.run(source, "--benchmark-disable")


def test_measurements_are_kept_where_those_of_pytest_benchmark_are(project):
    project.run(ITSELF, "--benchmark-storage=elsewhere")
    assert len(list((project.path / "elsewhere" / "enginebench").glob("*.jsonl"))) == 1
    assert not project.has_journal


def test_a_place_that_cannot_be_written_is_told_before_anything_is_measured(project):
    (project.path / "full").mkdir()
    (project.path / "full" / "enginebench").touch()
    result = project.run(ITSELF, "--benchmark-storage=full", failed=1)
    result.stdout.fnmatch_lines(["Measurements cannot be kept in *full/enginebench/*.jsonl: *"])


def test_a_project_with_fixtures_and_arguments_of_the_same_names_is_left_as_it_is(project):
    source = """
    import pytest

    @pytest.fixture
    def engine_name():
        return "diesel"

    @pytest.fixture(params=["a", "b"])
    def bench_experiment(request):
        return request.param

    def pytest_generate_tests(metafunc):
        if metafunc.function is test_given:
            metafunc.parametrize("engine", ["sqlite", "postgres"])

    @pytest.mark.parametrize("engine", ["steam"])
    def test_marked(engine, engine_name):
        assert (engine, engine_name) == ("steam", "diesel")

    def test_given(engine):
        assert engine in {"sqlite", "postgres"}

    def test_fixture(bench_experiment):
        assert bench_experiment in {"a", "b"}

    def test_time(benchmark):
        benchmark.pedantic(len, args=("abc",))
        assert benchmark.extra_info == {}
        assert type(benchmark).__name__ == "BenchmarkFixture"
    """
    result = project.run(source, engines=None)
    assert result.parseoutcomes()["passed"] == 6
    assert not project.has_journal


def test_a_session_that_uses_none_of_it_loads_none_of_it(project):
    source = """
    import sys

    def test_nothing(request):
        assert request.config.pluginmanager.hasplugin("enginebench")
        loaded = {name.partition(".")[0] for name in sys.modules}
        heavy = {"numpy", "pandas", "pyarrow", "pydantic", "sklearn", "dask", "psutil", "xgboost"}
        assert not loaded & heavy
        assert not loaded & {"engines", "experiments"}
    """
    project.run(source, engines=None)


@pytest.fixture(params=["pytest", "python -m pytest"])
def start(request, project):
    """Return a function that starts pytest as a person does, of whom pytester knows nothing."""
    program = {
        "pytest": [Path(sys.executable).with_name("pytest")],
        "python -m pytest": [sys.executable, "-m", "pytest"],
    }[request.param]

    def run(*arguments):
        return subprocess.run(
            [*program, "-W", "error", "-p", "no:cacheprovider", *arguments],
            cwd=project.path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


@pytest.fixture
def own_packages(project):
    """Let the project have packages that are called as two of ours."""
    for name in ("experiments", "engines"):
        (project.path / name).mkdir()
        (project.path / name / "__init__.py").touch()
        (project.path / name / "foo.py").write_text(f"NAME = {name!r}\n")


def test_a_project_with_packages_of_the_same_names_imports_its_own(project, own_packages, start):
    project.write("""
    import pytest
    from engines.foo import NAME as ENGINES
    from experiments.foo import NAME as EXPERIMENTS

    @pytest.mark.parametrize("number", [1, 2])
    def test_own(number, benchmark, request):
        assert request.config.pluginmanager.hasplugin("enginebench")
        assert (benchmark(lambda: ENGINES), EXPERIMENTS) == ("engines", "experiments")
    """)
    done = start()
    assert "2 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("fixture", ["engine", "bench_experiment"])
def test_an_engine_beside_packages_of_the_same_names_is_refused_in_a_sentence(
    project, own_packages, start, fixture
):
    project.write(f"""
    import experiments.foo

    def test_it({fixture}):
        pass
    """)
    done = start()
    assert done.returncode == pytest.ExitCode.INTERRUPTED
    assert "need the package 'engines' of enginebench, and here another one has" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("group", ["parser", "parser.getgroup('enginebench')"])
def test_an_option_of_the_project_of_the_same_name_stays_its_own(project, group):
    project.pytester.makeconftest(f"""
    def pytest_addoption(parser):
        {group}.addoption("--engines", action="store", help="of trains")
    """)
    source = """
    def test_own(request):
        assert request.config.getoption("--engines") == "steam"

    def test_ours(engine_name):
        assert engine_name == "dask"
    """
    ours = "--enginebench-engines=dask"
    for own in (["--engines=steam"], ["--engines", "steam"]):
        result = project.run(source, *own, ours, engines=None)
        assert result.parseoutcomes()["passed"] == 2
    result = project.pytester.runpytest_subprocess("--enginebench-engines=sparc")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--enginebench-engines: there is no engine 'sparc'; choose *"])
    # its own option was refused in this place by nobody
    assert "of trains" in project.pytester.runpytest_subprocess("--help").stdout.str()


def test_the_name_of_an_engine_is_no_path_that_hides_the_options_of_a_project(project):
    project.pytester.makeini("[pytest]\ntestpaths = checks")
    (project.path / "checks").mkdir()
    (project.path / "checks" / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--fuel')\n"
    )
    (project.path / "checks" / "test_fuel.py").write_text(
        "def test_fuel(request, engine_name):\n"
        "    assert (request.config.getoption('fuel'), engine_name) == ('coal', 'sklearn')\n"
    )
    arguments = ("--engines", "sklearn", "--fuel=coal")
    result = project.pytester.runpytest_subprocess(*arguments)
    assert result.parseoutcomes() == {"passed": 1}


def test_the_plugin_can_be_left_out(project):
    project.write("def test_it(engine):\n    pass\n")
    result = project.pytester.runpytest_subprocess("-p", "no:enginebench")
    result.stdout.fnmatch_lines(["*fixture 'engine' not found"])


def test_a_group_has_the_other_parameters_whatever_ids_a_project_gives_its_tests(project):
    project.pytester.makeconftest("""
    def pytest_make_parametrize_id(config, val, argname):
        return f"{argname} is {val}"
    """)
    source = """
    import pytest

    @pytest.mark.parametrize("rows", [10, 20])
    @pytest.mark.parametrize("kind", [dict(a=1), dict(a=2)])
    def test_own(engine, benchmark, rows, kind):
        benchmark.pedantic(len, args=("abc",))
    """
    saved = project.bench(source, engines="sklearn,dask")
    assert len(saved) == 8
    groups = [one["group"] for one in saved.values()]
    assert {group: groups.count(group) for group in groups} == {
        f"test_own[kind is {{'a': {kind}}}-rows is {rows}]": 2
        for rows in (10, 20)
        for kind in (1, 2)
    }


def test_nothing_stands_between_the_timer_and_the_function_and_its_calls_are_counted(project):
    source = """
    import inspect
    import time

    CALLS = []

    def work():
        CALLS.append(inspect.currentframe().f_back.f_code.co_filename)
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass

    def test_work(engine, benchmark):
        benchmark(work)
        assert {path.rpartition("/")[2] for path in CALLS if "cProfile" not in path} == {
            "fixture.py"
        }
        benchmark.extra_info["calls"] = len(CALLS)
    """
    for profile in ((), ("--benchmark-cprofile=tottime",)):
        (one,) = project.bench(source, *profile).values()
        assert one["extra_info"]["calls"] > 5
        assert 0.05 <= one["extra_info"]["cpu_s"] < 0.06


def test_the_plugin_works_without_pytest_benchmark_for_those_who_only_need_an_engine(project):
    source = """
    def test_engine(engine):
        assert engine.name == "sklearn"
    """
    project.run(source, "-p", "no:benchmark")
