"""A session that joins a standalone cluster with a secret, measures its executors, and leaves."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from engines.errors import EngineFailedError
from engines.spark import SparkEngine
from engines.specs import KMeansSpec, XGBoostSpec
from engines.types import Attachment, Resources, Source
from engines.usage import usage

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 180.0  # seconds for a cluster on a machine that does much else
SECRET_VARIABLE = "SECRET_OF_THE_TESTS"  # noqa: S105 - a name
HOST = "127.0.0.1"
SECRET = "the-secret-of-this-test-cluster"  # noqa: S105
KMEANS = KMeansSpec(n_clusters=6, init="k-means||", max_iter=60, tol=1e-12, n_init=8)
BURN_S = 2.0  # CPU seconds
SHORT_KMEANS = KMeansSpec(n_clusters=6, init="random", max_iter=20, tol=1e-12, n_init=2)
BOOSTED = XGBoostSpec(task="binary", n_estimators=20)
PEAKS = ("jvm_heap_peak_bytes", "python_rss_peak_bytes")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, start_standalone: Any) -> Iterator[Any]:
    os.environ[SECRET_VARIABLE] = SECRET
    try:
        folder = tmp_path_factory.mktemp("cluster")
        with start_standalone(folder, secret_variable=SECRET_VARIABLE) as running:
            yield running
    finally:
        del os.environ[SECRET_VARIABLE]


@pytest.fixture(scope="module")
def asked(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Resources:
    return Resources(
        cores=2,
        memory_bytes=2 * 2**30,
        workers=2,
        threads_per_worker=1,
        scratch=tmp_path_factory.mktemp("scratch"),
        attachment=Attachment(cluster.address, PATIENCE_S, secret_variable=SECRET_VARIABLE),
    )


@pytest.fixture(scope="module")
def engine(asked: Resources) -> Iterator[SparkEngine]:
    with SparkEngine(asked) as running:
        yield running


def executors(cluster: Any) -> list[psutil.Process]:
    """Return the JVMs of the executors below a cluster's workers."""
    return [
        child
        for worker in cluster.workers
        for child in psutil.Process(worker.pid).children()
        if "--executor-id" in command(child)
    ]


def command(process: psutil.Process) -> list[str]:
    """Return the command line; the launcher of a role stays behind as a zombie, which has none."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def listening(pids: set[int]) -> set[str]:
    return {
        connection.laddr.ip.removeprefix("::ffff:")
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.pid in pids
    }


def test_it_is_granted_what_was_asked_on_every_worker(engine, cluster):
    facts = engine.facts()
    assert (facts.cores, facts.workers, facts.threads_per_worker) == (2, 2, 1)
    assert facts.memory_bytes == 2 * 512 * 2**20
    assert facts.native_threads == {"driver": 2, "worker 0": 1, "worker 1": 1}
    assert facts.details["attached"] is True
    assert facts.details["address"] == cluster.address
    assert facts.details["encrypted"] is True
    assert [worker["cores"] for worker in facts.details["workers"]] == [1, 1]
    assert len(executors(cluster)) == 2
    assert facts.warnings == ()


def test_each_measure_says_who_counts_it(engine):
    measured_by = engine.facts().measured_by
    (first, *_) = engine.worker_usage()
    named = {"cpu_s", "peak_memory_bytes", "read_bytes", "write_bytes", *first.counters}
    assert set(measured_by) == named


def test_the_secret_is_in_no_command_line_and_no_file(engine, cluster, asked):
    del engine
    own = psutil.Process()
    processes = [
        *own.children(recursive=True),
        *(
            process
            for one in (cluster.master, *cluster.workers)
            for process in (
                psutil.Process(one.pid),
                *psutil.Process(one.pid).children(recursive=True),
            )
        ),
    ]
    assert len(processes) > 6
    assert all(SECRET not in " ".join(command(process)) for process in processes)
    for folder in (cluster.folder, asked.scratch):
        for path in folder.rglob("*"):
            if path.is_file() and path.stat().st_size < 2**24:
                assert SECRET.encode() not in path.read_bytes(), path


def test_nothing_listens_beyond_loopback(engine, cluster):
    del engine
    pids = {os.getpid()} | {
        process.pid
        for root in (os.getpid(), cluster.master.pid, *(one.pid for one in cluster.workers))
        for process in (psutil.Process(root), *psutil.Process(root).children(recursive=True))
    }
    assert listening(pids) == {HOST}


def test_what_executors_say_they_used_is_what_is_seen_from_outside(engine, cluster, blobs):
    jvms = {process.pid for process in executors(cluster)}
    rows = engine.load(Source(blobs, "train"))
    engine.fit_kmeans(KMEANS, rows)  # so that what follows is no start of anything
    engine.worker_usage()
    before = {pid: usage(pid).cpu_s for pid in jvms}
    told_before = {one.worker: one.cpu_s for one in engine.worker_usage()}
    peaks = dict.fromkeys(jvms, 0)
    ending = threading.Event()

    def look() -> None:
        while not ending.wait(0.25):
            for pid in jvms:
                peaks[pid] = max(peaks[pid], usage(pid).memory_bytes)

    watching = threading.Thread(target=look)
    watching.start()
    engine.fit_kmeans(KMEANS, rows)
    told = engine.worker_usage()
    ending.set()
    watching.join()
    seen_cpu = sum(usage(pid).cpu_s - before[pid] for pid in jvms)
    told_cpu = sum(one.cpu_s - told_before[one.worker] for one in told)
    engine.release(rows)
    assert len(told) == 2
    told_peak, seen_peak = sum(one.peak_memory_bytes for one in told), sum(peaks.values())
    assert told_cpu == pytest.approx(seen_cpu, rel=0.10)
    assert told_peak == pytest.approx(seen_peak, rel=0.15)
    assert told_cpu > 0.5  # or the comparison says nothing


def test_spark_s_own_counters_grow_with_work(engine, blobs):
    before = {one.worker: one.counters for one in engine.worker_usage()}
    engine.release(engine.load(Source(blobs, "train")))
    after = {one.worker: one.counters for one in engine.worker_usage()}

    def grew(name: str) -> float:
        return sum((after[one][name] or 0) - (before[one][name] or 0) for one in after)

    assert set(before) == set(after)
    assert grew("executor_cpu_s") > 0
    assert grew("shuffle_write_bytes") > 0
    assert grew("shuffle_read_bytes") > 0
    assert all(one["sent_bytes"] is None for one in after.values())
    assert all(one["received_bytes"] is None for one in after.values())  # on one machine
    assert all(one["spilled_bytes"] == 0 for one in after.values())


def test_spark_s_own_counters_see_what_spills_and_garbage(engine):
    from pyspark.sql import Window, functions

    spark = engine._session.spark
    before = counters(engine)
    few = {
        "spark.sql.windowExec.buffer.in.memory.threshold": "100",
        "spark.sql.windowExec.buffer.spill.threshold": "1000",
    }
    for name, value in few.items():
        spark.conf.set(name, value)
    try:
        groups = Window.partitionBy(functions.col("id") % 4)
        rows = spark.range(0, 8000, 1, 2).withColumn("text", functions.expr("repeat('ab', 100)"))
        counted = rows.withColumn("others", functions.count("*").over(groups))
        (told,) = counted.agg(functions.sum("others"), functions.max("text")).collect()
    finally:
        for name in few:
            spark.conf.unset(name)
    assert told[0] == 8000 * 2000
    # more garbage than the heap of an executor can hold
    spark.range(0, 400_000, 1, 2).selectExpr("max(length(repeat(id, 500)))").collect()
    after = counters(engine)
    for name in ("spilled_bytes", "gc_s", "shuffle_read_bytes", "shuffle_write_bytes"):
        assert sum(one[name] for one in after) > sum(one[name] for one in before), name
    assert all(one["gc_s"] > 0 for one in after)


def test_rows_that_are_kept_on_disk_are_counted_while_they_are(engine):
    from pyspark import StorageLevel

    rows = engine._session.spark.sparkContext.parallelize(range(20_000), 2)
    assert [one["cached_on_disk_bytes"] for one in counters(engine)] == [0, 0]
    rows.persist(StorageLevel.DISK_ONLY)
    try:
        assert rows.count() == 20_000
        assert sum(one["cached_on_disk_bytes"] for one in counters(engine)) > 10_000
    finally:
        rows.unpersist(blocking=True)
    assert [one["cached_on_disk_bytes"] for one in counters(engine)] == [0, 0]


def test_heaps_and_python_workers_are_told_of_after_a_heartbeat(engine):
    deadline = time.monotonic() + 60
    while True:
        told = counters(engine)
        assert all(one["python_workers"] >= 1 for one in told)
        if all(one[name] for one in told for name in PEAKS):
            break
        assert time.monotonic() < deadline, told
        time.sleep(0.5)
    granted = engine.facts().memory_bytes // 2
    for one in told:
        assert 10 * 2**20 < one["jvm_heap_peak_bytes"] <= granted
        assert one["python_rss_peak_bytes"] > 10 * 2**20


def counters(engine: SparkEngine) -> list[dict[str, Any]]:
    return [dict(one.counters) for one in engine.worker_usage()]


def test_to_be_asked_makes_no_worker_forget_its_rows(engine, blobs):
    data = engine.load(Source(blobs, "train", "everywhere"))
    rows = data.native.rows

    def has_rows(slot: Iterator[int]) -> Iterator[bool]:
        for _ in slot:
            yield hasattr(rows, "_value")

    engine.worker_usage()
    slots = engine._session.spark.sparkContext.parallelize(range(2), 2).barrier()
    assert slots.mapPartitions(has_rows).collect() == [True, True]
    engine.release(data)


def test_an_asked_peak_starts_anew(engine):
    engine.worker_usage()
    rows = engine.map_tasks(_hold, [200 * 2**20] * 4)
    assert rows == [200 * 2**20] * 4
    with_rows = {one.worker: one.peak_memory_bytes for one in engine.worker_usage()}
    time.sleep(0.6)
    engine.worker_usage()  # memory that was given back meanwhile
    after = {one.worker: one.peak_memory_bytes for one in engine.worker_usage()}
    assert all(with_rows[one] - after[one] > 100 * 2**20 for one in after)


def _hold(n_bytes: int) -> int:
    """Hold some memory for as long as a sampler needs to see it."""
    held = bytearray(b"x") * n_bytes
    time.sleep(0.8)
    return len(held)


def test_one_that_finds_no_free_cores_is_told_within_the_time_out(engine, cluster, tmp_path):
    del engine  # it holds them
    program = f"""
import sys, time
from pathlib import Path
from engines.errors import ClusterError
from engines.spark import SparkEngine
from engines.types import Attachment, Resources
attachment = Attachment({cluster.address!r}, 10.0, secret_variable={SECRET_VARIABLE!r})
resources = Resources(2, 2 * 2**30, 2, 1, Path({str(tmp_path)!r}), attachment=attachment)
try:
    SparkEngine(resources).start()
except ClusterError as exc:
    print(exc)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    assert f"spark: {cluster.address} gave 0 of the 2 cores asked for within 10 s" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_tasks_are_told_of_that_were_done_again_and_not_those_that_failed_in_vain(engine, tmp_path):
    known = engine.lost_workers()
    with pytest.raises(EngineFailedError, match="this item is wrong"):
        engine.map_tasks(_refuse, ["this item is wrong"])
    assert engine.lost_workers() == known
    assert engine.map_tasks(_fail_once, [str(tmp_path / "tried")]) == [True]
    (line,) = set(engine.lost_workers()) - set(known)
    assert re.fullmatch(r"1 task failed on executor \d+ on 127\.0\.0\.1, done again", line)


def test_tasks_are_told_of_whose_whole_stage_was_done_again(engine, tmp_path):
    known = engine.lost_workers()
    tried = str(tmp_path / "tried")

    def fail_once_together(_: Any) -> Iterator[bool]:
        from pyspark import BarrierTaskContext

        if BarrierTaskContext.get().partitionId() and not Path(tried).exists():
            Path(tried).touch()
            raise OSError(tried)
        yield True

    context = engine._session.spark.sparkContext
    together = context.parallelize(range(2), 2).barrier().mapPartitions(fail_once_together)
    # in one that shuffles, for Spark does not do the last stage of a job again
    assert together.groupBy(bool).count() == 1
    (line,) = set(engine.lost_workers()) - set(known)
    assert re.fullmatch(r"\d tasks? failed on executor \d+ on 127\.0\.0\.1, done again", line)


def _refuse(item: str) -> None:
    raise ValueError(item)


def _burn_and_refuse(item: str) -> None:
    until = time.process_time() + BURN_S
    while time.process_time() < until:
        pass
    raise ValueError(item)


def _fail_once(path: str) -> bool:
    tried = Path(path)
    if not tried.exists():
        tried.touch()
        raise OSError(path)
    return True


def samplers(cluster: Any) -> list[psutil.Process]:
    """Return what watches the executors; each is the child of nobody in an executor's tree."""
    daemons = {
        process.pid: process
        for process in psutil.process_iter()
        if "engines.spark.daemon" in command(process)
    }
    jvms = {process.pid for process in executors(cluster)}
    return [
        process
        for process in daemons.values()
        if _is_at(process, str(cluster.folder), daemons.keys() | jvms)
    ]


def _is_at(process: psutil.Process, folder: str, parents: set[int]) -> bool:
    try:
        return process.ppid() not in parents and process.cwd().startswith(folder)
    except psutil.Error:  # it has just ended
        return False


def test_what_a_python_worker_used_that_has_ended_stays_counted(engine):
    before = sum(one.cpu_s for one in engine.worker_usage())
    with pytest.raises(EngineFailedError, match="this item is wrong"):
        engine.map_tasks(_burn_and_refuse, ["this item is wrong"])
    time.sleep(1)  # in which they end
    # it was tried twice
    assert sum(one.cpu_s for one in engine.worker_usage()) >= before + 2 * BURN_S - 0.1


def test_a_sampler_that_is_killed_is_replaced_and_its_gap_is_told(engine, cluster):
    before = {one.worker: one for one in engine.worker_usage()}
    known = set(engine.lost_workers())
    victim, other = samplers(cluster)
    where = victim.cwd()
    victim.kill()
    began = time.monotonic()
    after = {one.worker: one for one in engine.worker_usage()}
    assert time.monotonic() - began < 30
    assert set(after) == set(before)
    # of workers that ended meanwhile the kernel tells whole ticks, of two kinds
    cut = 2 / os.sysconf("SC_CLK_TCK")
    assert all(after[name].cpu_s >= one.cpu_s - cut for name, one in before.items())
    (line,) = set(engine.lost_workers()) - known
    assert "was not watched for a while, for its sampler was killed" in line
    assert sorted(one.cwd() for one in samplers(cluster)) == sorted([where, other.cwd()])
    engine.worker_usage()  # from there on all is known again
    assert set(engine.lost_workers()) - known == {line}


@pytest.mark.parametrize("step", ["load", "k-means", "xgboost"])
def test_an_executor_that_is_killed_is_made_up_for_or_told_of(engine, cluster, binary, step):
    def run() -> None:
        rows = engine.load(Source(binary, "train"))
        if step == "k-means":
            engine.fit_kmeans(SHORT_KMEANS, rows)
        elif step == "xgboost":
            engine.fit_xgboost(BOOSTED, rows)

    _wait_for_executors(cluster, 2)
    deadline = time.monotonic() + PATIENCE_S
    while len(engine.facts().details["workers"]) != 2:  # it runs, and serves the session
        assert time.monotonic() < deadline
        time.sleep(0.2)
    known = engine.lost_workers()
    victim = executors(cluster)[0]
    killer = threading.Timer(0.3, victim.kill)
    killer.start()
    run()
    killer.join()
    deadline = time.monotonic() + 30
    while (lost := set(engine.lost_workers()) - set(known)) == set():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert any(" on 127.0.0.1 died: " in line for line in lost)


def _wait_for_executors(cluster: Any, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while len(executors(cluster)) != count:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_it_leaves_and_the_cluster_stays(engine, cluster, asked):
    engine.stop()
    _wait_for_executors(cluster, 0)
    state = cluster.state()
    assert state["aliveworkers"] == 2
    assert state["coresused"] == 0
    assert state["activeapps"] == []
    assert list(Path(asked.scratch).iterdir()) == []
    left = [
        process
        for process in psutil.process_iter()
        if str(asked.scratch) in _environment(process).get("ENGINEBENCH_SPARK_SESSION", "")
    ]
    assert left == []
    assert threading.active_count() == len(
        [thread for thread in threading.enumerate() if thread.name != "spark-watch"]
    )


def test_a_session_goes_on_and_ends_well_without_the_master(cluster, asked, blobs):
    """Last, for the master is gone then."""
    with SparkEngine(asked) as opened:
        rows = opened.load(Source(blobs, "train"))
        cluster.master.kill()
        cluster.master.wait(20)
        assert opened.fit_kmeans(SHORT_KMEANS, rows).centers.shape == (6, 5)
        assert opened.lost_workers() == ()
    _wait_for_executors(cluster, 0)  # though nobody is left to tell the workers
    assert list(Path(asked.scratch).iterdir()) == []


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}
