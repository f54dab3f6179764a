"""The pytest plugin joins the clusters that the environment names, as a run does."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from experiments.cluster import status
from experiments.report.attached import LOST_MEANING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from experiments.cluster import Cluster

pytest_plugins = ["pytester"]

NAMES = ("DASK_SCHEDULER_ADDRESS", "SPARK_MASTER", "SPARK_CONF_DIR", "SPARK_HOME", "DASK_CONFIG")
SPIN_S = 1.5
IRIS = """
name: iris
dataset: {source: iris}
workload: {kind: kmeans, n_clusters: 3, init: shared, max_iter: 10}
engines: {dask: {wait: 5 s}, spark: {wait: 5 s}}
resources: {cores: 2, memory: 2 GiB}
measure: {rounds: 1, warm_repeats: 1, timeout: 5 min}
metrics: [inertia]
"""
EXPERIMENT = """
def test_iris(bench_experiment):
    bench_experiment("iris.yaml", "engines.dask.threads_per_worker=2", rounds=1)
"""
PLAIN = 'def test_iris(bench_experiment):\n    bench_experiment("iris.yaml")\n'
# cores that are asked for
GRANTED = """
import pytest
from engines.types import Resources

@pytest.fixture(scope="session")
def engine_resources(tmp_path_factory):
    return Resources(CORES, 2 * 2**30, 1, CORES, tmp_path_factory.mktemp("scratch"))
"""
# a function of one's own
SESSION = f"""{GRANTED}
def test_mine(engine, benchmark):
    def spin(_):
        import time
        until = time.thread_time() + {SPIN_S}
        while time.thread_time() < until:
            pass

    benchmark.pedantic(engine.map_tasks, args=(spin, [0, 1]), rounds=1)
"""
# a cluster that the tests start themselves, whose worker is a process below pytest's
OF_ONES_OWN = """
import os
import pytest
from distributed import LocalCluster

@pytest.fixture(scope="session", autouse=True)
def cluster():
    with LocalCluster(
        n_workers=1, threads_per_worker=2, memory_limit="1 GiB", dashboard_address=None
    ) as made:
        os.environ["DASK_SCHEDULER_ADDRESS"] = made.scheduler_address
        yield
"""
# workers that cannot be asked at the end of the first round and at the beginning of the second
LEFT = f"""{GRANTED}
def test_mine(engine, benchmark):
    rounds = [engine.stop, engine.start, lambda: None]
    benchmark.pedantic(lambda: rounds.pop(0)(), rounds=3, setup=lambda: None)
"""
LEFT_FOR_GOOD = f"""{GRANTED}
def test_mine(engine, benchmark):
    benchmark(engine.stop)
"""
# a worker that dies, and that another takes the place of before the round ends
DIES = f"""{GRANTED}
import os
import signal
import time

def test_mine(engine, benchmark):
    def pid(_):
        return os.getpid()

    def kill():
        os.kill(engine.map_tasks(pid, [0])[0], signal.SIGKILL)
        until = time.monotonic() + 60
        while not (engine.lost_workers() and engine.worker_usage()):
            assert time.monotonic() < until
            time.sleep(0.1)

    benchmark.pedantic(kill, rounds=1)
"""


@pytest.fixture(scope="module")
def cluster(start_cluster: Callable[..., AbstractContextManager[Cluster]]) -> Iterator[Cluster]:
    """Start a worker of Dask with two threads, over TLS; it is still up after all sessions."""
    options = ("--engines", "dask", "--workers", "1", "--threads", "2", "--tls")
    with start_cluster("plugin", *options, "--memory", "1 GiB") as made:
        yield made
        (state,) = status(made.name)
        assert (state.state, len(state.workers["dask"])) == ("up", 1)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def bench(pytester, monkeypatch, cache):
    """Return what runs the tests in a source with an engine and variables of the environment."""
    monkeypatch.setenv("ENGINEBENCH_CACHE", str(cache))
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    (pytester.path / "iris.yaml").write_text(IRIS)

    def run(source, engine="dask", *, saves=True, **environ):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        pytester.makepyfile(test_inner=source)
        # that nothing is there to be saved would be a warning
        saving = ["--benchmark-autosave"] if saves else []
        return pytester.runpytest_subprocess("-W", "error", f"--engines={engine}", *saving)

    return run


def told(pytester):
    """Return what was saved of the one benchmark."""
    (saved,) = pytester.path.glob(".benchmarks/*/*.json")
    (one,) = json.loads(saved.read_text())["benchmarks"]
    return one["extra_info"]


def journal(pytester):
    """Return the lines that were kept as they came."""
    (file,) = pytester.path.glob(".benchmarks/enginebench/*.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]


def named(cluster, folder):
    """Return the variable that names a cluster with its certificates, by a file of Dask's."""
    files = cluster.certificates
    tls = {"ca-file": files.ca_file, "client": {"cert": files.cert, "key": files.key}}
    written = {"scheduler-address": cluster.dask_address, "distributed": {"comm": {"tls": tls}}}
    file = folder / "dask.json"
    file.write_text(json.dumps(written), encoding="utf-8")
    return {"DASK_CONFIG": str(file)}


def refused(result):
    """Return the line that says why the one test failed."""
    outcomes = result.parseoutcomes()
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == 1
    assert "passed" not in outcomes
    assert "Traceback" not in result.stdout.str()
    first = next(place for place, one in enumerate(result.outlines) if one.startswith("_____"))
    line, after = result.outlines[first + 1 : first + 3]
    assert after.startswith("=====")
    return line


def test_an_experiment_joins_the_cluster_of_the_environment(cluster, bench, pytester, tmp_path):
    environ = named(cluster, tmp_path)
    bench(EXPERIMENT, **environ).assert_outcomes(passed=1)
    saved = told(pytester)
    details = saved["facts"]["details"]
    assert (details["attached"], details["address"]) == (True, cluster.dask_address)
    assert details["encrypted"] is True
    given = saved["clusters"]["dask"]
    assert given["source"] == f"scheduler-address of {environ['DASK_CONFIG']}"
    assert saved["resources"] == {
        name: given[name] for name in ("cores", "memory_bytes", "workers", "threads_per_worker")
    }
    assert (given["cores"], given["workers"]) == (2, 1)


def test_a_session_joins_the_cluster_of_the_environment_and_its_workers_are_measured(
    cluster, bench, pytester, tmp_path
):
    bench(SESSION.replace("CORES", "2"), **named(cluster, tmp_path)).assert_outcomes(passed=1)
    saved = told(pytester)
    details = saved["facts"]["details"]
    assert (details["attached"], details["address"]) == (True, cluster.dask_address)
    assert saved["warnings"] == []
    # nothing of the tree of pytest computes
    assert saved["cpu_s"] >= 2 * SPIN_S


def test_a_worker_of_ones_own_cluster_is_counted_once(bench, pytester):
    pytester.makeconftest(OF_ONES_OWN)
    bench(SESSION.replace("CORES", "2")).assert_outcomes(passed=1)
    saved = told(pytester)
    assert saved["facts"]["details"]["attached"] is True
    assert 2 * SPIN_S <= saved["cpu_s"] < 3 * SPIN_S


@pytest.mark.parametrize("source", [LEFT, LEFT_FOR_GOOD])
def test_what_workers_used_that_could_not_be_asked_is_in_no_number(
    cluster, bench, pytester, tmp_path, source
):
    bench(source.replace("CORES", "2"), **named(cluster, tmp_path)).assert_outcomes(passed=1)
    saved = told(pytester)
    assert saved["cpu_s"] is saved["peak_memory_bytes"] is None
    (warning,) = saved["warnings"]
    assert warning.startswith("What the workers of the cluster used is not known: dask: ")
    lines = [one for one in journal(pytester) if one["kind"] in {"round", "rounds"}]
    # of those the third alone has workers that could be asked before and after it
    assert [one["kind"] for one in lines] == (["round"] * 3 if source == LEFT else ["rounds"])
    for one in lines[:2]:
        assert one["cpu_s"] is one["peak_memory_bytes"] is None
    for one in lines[2:]:
        assert one["cpu_s"] >= 0
        assert one["peak_memory_bytes"] > 0


def test_a_worker_that_died_has_taken_with_it_what_it_used_and_that_is_told(
    cluster, bench, pytester, tmp_path
):
    bench(DIES.replace("CORES", "2"), **named(cluster, tmp_path)).assert_outcomes(passed=1)
    saved = told(pytester)
    assert saved["outcome"] == "degraded"
    lost, meaning = saved["warnings"]
    assert "died" in lost
    assert meaning == LOST_MEANING


def test_a_session_is_refused_a_cluster_of_another_size(cluster, bench, tmp_path):
    environ = named(cluster, tmp_path)
    line = refused(bench(SESSION.replace("CORES", "1"), saves=False, **environ))
    source = f"scheduler-address of {environ['DASK_CONFIG']}"
    assert line.startswith(f"dask (from {source}): the cluster at {cluster.dask_address} has 1 ")
    assert line.endswith(
        "2 cores, and 1 core is asked for: grant other cores by the fixture engine_resources."
    )


def test_a_session_stays_on_this_machine_where_it_is_told_to(bench, pytester, tmp_path):
    (tmp_path / "dask.json").write_text('{"scheduler-address": "nonsense"}', encoding="utf-8")
    environ = {"DASK_CONFIG": str(tmp_path), "DASK_SCHEDULER_ADDRESS": "local"}
    bench(SESSION.replace("CORES", "1"), **environ).assert_outcomes(passed=1)
    assert "attached" not in told(pytester)["facts"]["details"]


def test_an_experiment_fails_where_the_cluster_of_the_environment_does_not_answer(bench):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    line = refused(bench(PLAIN, saves=False, DASK_SCHEDULER_ADDRESS=address))
    assert line.startswith(
        f"engines.dask (from DASK_SCHEDULER_ADDRESS): the scheduler at {address}"
    )


@pytest.mark.parametrize("source", [PLAIN, SESSION.replace("CORES", "2")], ids=["file", "session"])
def test_what_is_no_cluster_in_the_environment_fails_the_test(bench, source):
    line = refused(bench(source, engine="spark", saves=False, SPARK_MASTER="yarn"))
    assert line.startswith("SPARK_MASTER: must be a standalone master of Spark")
