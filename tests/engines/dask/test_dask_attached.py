"""Sessions that join a running cluster: what they get, what they leave, what they survive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import psutil
import pytest

from engines.dask import DaskEngine, attached, roles
from engines.dask.crew import Worker
from engines.dask.data import homes
from engines.dask.members import members
from engines.dask.search import _threads
from engines.dask.session import loss
from engines.errors import ClusterError, EngineError, WorkerLostError
from engines.roles import RoleOptions
from engines.specs import KMeansSpec, XGBoostSpec
from engines.types import Attachment, Certificates, Judgement, Resources, Source, Trial
from engines.usage import usage
from experiments.datasets import draw_initial_centers, prepare
from experiments.datasets.options import BlobsOptions, SplitOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines.prepared import Prepared
    from engines.roles import Role

KMEANS = KMeansSpec(n_clusters=2, init="random")
# generous, for other tests may run beside
WAIT = 60.0
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Cluster:
    """Processes started by their roles."""

    address: str
    scheduler: subprocess.Popen[bytes]
    nannies: tuple[subprocess.Popen[bytes], ...]
    options: RoleOptions

    def attachment(self, **changes: object) -> Attachment:
        return replace(
            Attachment(self.address, WAIT, certificates=self.options.certificates), **changes
        )

    def worker_pids(self) -> list[int]:
        """Process ids of the workers, below their nannies."""
        return [
            child.pid
            for nanny in self.nannies
            for child in psutil.Process(nanny.pid).children(recursive=True)
            if "spawn_main" in " ".join(child.cmdline())
        ]


def free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


@contextmanager
def running(
    folder: Path,
    *,
    workers: int = 2,
    threads: int | tuple[int, ...] = 1,
    certificates: Certificates | None = None,
    environment: dict[str, str] | None = None,
) -> Iterator[Cluster]:
    """Start a scheduler and workers, and end them with everything below."""
    each = (threads,) * workers if isinstance(threads, int) else threads
    options = RoleOptions(
        HOST, free_port(), folder, threads=each[0], memory_bytes=2**30, certificates=certificates
    )
    scheme = "tcp" if certificates is None else "tls"
    address = f"{scheme}://{HOST}:{options.port}"
    with ExitStack() as undo:
        log = undo.enter_context((folder / "log").open("ab"))

        def begin(role: Role, more: dict[str, str]) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                role.command,
                env={**os.environ, **role.environment, **more},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            undo.callback(end, process)
            return process

        scheduler = begin(roles.scheduler(options), {})
        nannies = tuple(
            begin(
                roles.worker(replace(options, port=0, threads=one), address, str(number)),
                environment or {},
            )
            for number, one in enumerate(each)
        )
        yield Cluster(address, scheduler, nannies, options)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all below it."""
    try:
        below = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        below = []
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for one in below:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(below, 10)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers of one thread, for the tests that leave it whole."""
    with running(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
def asked(cluster: Cluster, tmp_path: Path) -> Resources:
    """Both workers."""
    return Resources(2, 2**30, 2, 1, tmp_path, attachment=cluster.attachment())


def left_on(address: str) -> dict[str, object]:
    """Return what sessions have left on a cluster."""
    import distributed

    def look(dask_scheduler):
        return {
            "plugins": [name for name in dask_scheduler.plugins if "enginebench" in str(name)],
            "worker plugins": [one for one in dask_scheduler.worker_plugins if "bench" in one],
            "resources": dict(dask_scheduler.resources),
            "of workers": [w.resources for w in dask_scheduler.workers.values() if w.resources],
            "tasks": len(dask_scheduler.tasks),
            "topics": [name for name in dask_scheduler._broker._topics if "enginebench" in name],
        }

    def in_worker(dask_worker):
        return (
            [name for name in dask_worker.plugins if "enginebench" in name],
            [name for name in dask_worker.state.total_resources if "single" in name],
            [name for name in dask_worker.state.available_resources if "single" in name],
            len(dask_worker.data),
            [one.name for one in threading.enumerate() if "enginebench" in one.name],
        )

    with distributed.Client(address, timeout=WAIT, set_as_default=False) as client:
        found = client.run_on_scheduler(look)
        found["in workers"] = [one for one in client.run(in_worker).values() if any(one)]
    return found


def nothing_is_left_on(address: str) -> None:
    """Wait a moment for a scheduler to have taken everything away."""
    deadline = time.monotonic() + 10
    while any((found := left_on(address)).values()):
        assert time.monotonic() < deadline, found
        time.sleep(0.3)


def test_a_session_computes_what_one_of_its_own_does_and_leaves_nothing(
    cluster, asked, dask_engine, prepared
):
    start = draw_initial_centers(prepared, 6, 0)
    kmeans, trees = KMeansSpec(n_clusters=6), XGBoostSpec(task="multiclass", n_estimators=3)
    # Before the other session begins, for a process has one client that Dask takes by default
    own = dask_engine.load(Source(prepared, "train"))
    own_centers = dask_engine.fit_kmeans(kmeans, own, start).centers
    own_value = dask_engine.predict(dask_engine.fit_xgboost(trees, own), own).value
    with DaskEngine(asked) as opened:
        rows = opened.load(Source(prepared, "train"))
        assert (opened.fit_kmeans(kmeans, rows, start).centers == own_centers).all()
        value = opened.predict(opened.fit_xgboost(trees, rows), rows).value
        assert (value == own_value).all()
        everywhere = opened.load(Source(prepared, "train", "everywhere"))
        single = opened.fit_single_node(KMeansSpec(n_clusters=2, init="random"), everywhere)
        assert single.n_iter
        facts = opened.facts()
        assert (facts.cores, facts.workers, facts.threads_per_worker) == (2, 2, 1)
        assert facts.memory_bytes == 2 * 2**30
        assert facts.warnings == ()
        assert facts.details["address"] == cluster.address
        assert (facts.details["attached"], facts.details["encrypted"]) == (True, False)
        used = opened.worker_usage()
        assert [one.worker.partition("@")[0] for one in used] == ["0", "1"]
        for one in used:
            assert set(one.counters) <= set(facts.measured_by)
            assert one.counters["gc_s"] > 0
            assert one.counters["spilled_bytes"] == 0
        received = sum(one.counters["received_bytes"] for one in used)
        # what is gathered here is sent, too
        assert 0 < received < sum(one.counters["sent_bytes"] for one in used)
        assert opened.lost_workers() == ()
    nothing_is_left_on(cluster.address)
    assert cluster.scheduler.poll() is None
    assert [one.poll() for one in cluster.nannies] == [None, None]


def test_what_workers_say_they_use_is_what_is_seen_from_outside(cluster, asked, tmp_path):
    options = BlobsOptions(
        source="blobs", n_samples=120_000, n_features=20, centers=12, cluster_std=9.0, seed=2
    )
    prepared = prepare(
        options,
        SplitOptions(test_fraction=0.25),
        label_kind="classes",
        min_row_groups=2,
        cache=tmp_path,
    )
    start = draw_initial_centers(prepared, 12, 0)
    with DaskEngine(asked) as opened:
        pids = cluster.worker_pids()
        assert len(pids) == 2
        peaks, over = dict.fromkeys(pids, 0), threading.Event()

        def watch() -> None:
            while not over.wait(0.05):
                for pid in pids:
                    peaks[pid] = max(peaks[pid], usage(pid).memory_bytes)

        before_inside = opened.worker_usage()
        before = {pid: usage(pid) for pid in pids}
        watcher = threading.Thread(target=watch)
        watcher.start()
        rows = opened.load(Source(prepared, "train"))
        opened.fit_kmeans(KMeansSpec(n_clusters=12, max_iter=25, tol=0), rows, start)
        inside = opened.worker_usage()
        after = {pid: usage(pid) for pid in pids}
        over.set()
        watcher.join()
    cpu_inside = sum(one.cpu_s for one in inside) - sum(one.cpu_s for one in before_inside)
    cpu_outside = sum(after[pid].cpu_s - before[pid].cpu_s for pid in pids)
    assert cpu_outside > 1
    assert cpu_inside == pytest.approx(cpu_outside, rel=0.10)
    told = sorted(one.peak_memory_bytes for one in inside)
    assert told == pytest.approx(sorted(peaks.values()), rel=0.15)


def bytes_without_order(n_bytes: int) -> Any:
    """Return what nothing can make smaller on its way to a disk or another worker."""
    import numpy as np

    return np.random.default_rng(0).integers(256, size=n_bytes, dtype=np.uint8)


def test_what_a_worker_spills_and_sends_to_another_is_counted_for_each(cluster, asked):
    import distributed

    def spill(dask_worker):
        return dask_worker.data.evict()

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    n_bytes = 10**6
    with DaskEngine(asked) as opened:
        client = opened._session.client
        one, other = opened._session.addresses

        def used() -> tuple[dict[str, Any], ...]:
            return tuple(dict(worker.counters) for worker in opened.worker_usage())

        before = used()
        held = client.submit(bytes_without_order, n_bytes, workers=[one], pure=False)
        distributed.wait(held, timeout=WAIT)
        assert client.run(spill, workers=[one]) == {one: n_bytes}
        after = used()
        assert [worker["spilled_bytes"] for worker in before] == [0, 0]
        assert after[1]["spilled_bytes"] == 0
        assert n_bytes <= after[0]["spilled_bytes"] < 1.1 * n_bytes

        # which reads it again
        assert client.submit(len, held, workers=[other], pure=False).result(WAIT) == n_bytes
        before, after = after, used()
        grown = [
            {name: now[name] - then[name] for name in now}
            for then, now in zip(before, after, strict=True)
        ]
        assert n_bytes <= grown[0]["sent_bytes"] < 1.1 * n_bytes
        assert n_bytes <= grown[1]["received_bytes"] < 1.1 * n_bytes
        assert grown[1]["sent_bytes"] < 1000  # the number that was asked for
        assert grown[0]["received_bytes"] == 0
        assert (grown[0]["tasks"], grown[1]["tasks"]) == (0, 1)
    # another session counts from its own beginning
    with DaskEngine(asked) as opened:
        assert [one.counters["spilled_bytes"] for one in opened.worker_usage()] == [0, 0]
        assert [one.counters["received_bytes"] for one in opened.worker_usage()] == [0, 0]
    nothing_is_left_on(cluster.address)


def test_two_sessions_share_a_cluster(cluster, asked, prepared, tmp_path):
    other = replace(asked, scratch=tmp_path)
    with DaskEngine(asked) as one, DaskEngine(other) as two:
        rows = [engine.load(Source(prepared, "train", "everywhere")) for engine in (one, two)]
        spec = KMeansSpec(n_clusters=2, init="random")
        assert one.fit_single_node(spec, rows[0]).n_iter
        one.stop()
        assert two.fit_single_node(spec, rows[1]).n_iter
        assert len(two.worker_usage()) == 2
    nothing_is_left_on(cluster.address)


def test_only_the_first_workers_that_make_up_the_cores_are_used(cluster, asked, prepared):
    with DaskEngine(replace(asked, cores=1, workers=1)) as opened:
        assert opened.facts().workers == 1
        rows = opened.load(Source(prepared, "train"))
        opened.fit_kmeans(KMeansSpec(n_clusters=3, init="random"), rows)
        opened.fit_xgboost(XGBoostSpec(task="multiclass", n_estimators=2), rows)
        opened.map_tasks(abs, range(20))
        (used,) = opened.worker_usage()
        assert used.worker.startswith("0@")

        def executed(dask_scheduler):
            return {str(w.name): len(w.has_what) for w in dask_scheduler.workers.values()}

        held = opened._session.client.run_on_scheduler(executed)
        assert held["1"] == 0
        assert held["0"] > 0


def refusal(resources: Resources) -> str:
    """Return the sentence with which a session is refused, in time and leaving nothing."""
    threads = set(threading.enumerate())
    began = time.monotonic()
    with pytest.raises(ClusterError) as caught:
        DaskEngine(resources).start()
    assert time.monotonic() - began < WAIT
    assert list(resources.scratch.iterdir()) == []
    left = [one.name for one in set(threading.enumerate()) - threads if one.is_alive()]
    assert [name for name in left if "IO loop" in name or "enginebench" in name] == []
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_what_a_cluster_does_not_have_is_told(cluster, asked):
    fewer = replace(asked, cores=3, workers=3, attachment=cluster.attachment(wait_s=8.0))
    assert "has 2 of the 3 workers asked for" in refusal(fewer)
    nobody = replace(asked.attachment, address=f"tcp://{HOST}:{free_port()}", wait_s=3.0)
    assert "cannot be reached within 3 s" in refusal(replace(asked, attachment=nobody))
    with DaskEngine(replace(fewer, attachment=replace(fewer.attachment, exact=False))) as opened:
        assert opened._session.resources.cores == 2
        assert opened.facts().cores == 2


def test_no_person_s_settings_ask_for_encryption_that_a_cluster_does_not_have(cluster, asked):
    import dask

    with dask.config.set({"distributed.comm.require-encryption": True}):
        with DaskEngine(asked) as opened:
            assert opened.facts().details["encrypted"] is False
        assert len(members(cluster.address, None, WAIT)) == 2


def test_certificates_are_needed_where_they_are_and_nowhere_else(cluster, asked, tmp_path_factory):
    made = tmp_path_factory.mktemp("tls")
    files = roles.temporary_certificates(made)
    tls = replace(
        asked.attachment,
        address=cluster.address.replace("tcp", "tls"),
        certificates=files,
        wait_s=10.0,
    )
    assert "does not speak TLS: use tcp://" in refusal(replace(asked, attachment=tls))
    missing = replace(tls, certificates=replace(files, key=str(made / "no.pem")))
    assert "cannot be used" in refusal(replace(asked, attachment=missing))


@dataclass(frozen=True)
class Slow:
    """Take a while in one go, which nothing can end; but not where it is called first."""

    first: str

    def __call__(self, fit: Any, predict: Any, rows: Any) -> Judgement:
        predict(fit())
        try:
            Path(self.first).touch(exist_ok=False)
        except FileExistsError:
            time.sleep(6.0)
        return Judgement({"rows": float(len(rows.X))}, 0.0, 0.0)


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    options = BlobsOptions(source="blobs", n_samples=200, n_features=4, centers=3, seed=2)
    return prepare(
        options,
        SplitOptions(folds=2),
        label_kind="classes",
        min_row_groups=2,
        cache=tmp_path_factory.mktemp("folded"),
    )


def test_leaving_in_the_middle_of_trials_costs_others_no_worker_and_no_rows(
    cluster, asked, folded, tmp_path
):
    import distributed

    def holds_a_task(dask_worker):
        return bool(dask_worker.state.executing)

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    pids = set(cluster.worker_pids())
    trials = [Trial(number, fold, KMEANS) for number in range(4) for fold in range(2)]
    with distributed.Client(cluster.address, timeout=WAIT, set_as_default=False) as other:
        workers = set(other.scheduler_info()["workers"])
        theirs = [other.submit(list, [1], workers=[one], pure=False) for one in workers]
        assert other.gather(theirs) == [[1], [1]]
        with DaskEngine(asked) as opened:
            rows = opened.load(Source(folded, "train", "everywhere"))
            scores = opened.score_candidates(trials, rows, Slow(str(tmp_path / "first")))
            assert next(scores).judgement
            assert any(other.run(holds_a_task).values())
        deadline = time.monotonic() + 20
        while any(other.run(holds_a_task).values()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(1.0)  # a worker that fails takes a moment to go
        assert set(other.scheduler_info()["workers"]) == workers
        assert set(cluster.worker_pids()) == pids
        assert {one for held in other.who_has().values() for one in held} == workers
        assert other.gather(theirs) == [[1], [1]]
    nothing_is_left_on(cluster.address)
    with DaskEngine(asked) as opened:  # and the workers take work as before
        rows = opened.load(Source(folded, "train", "everywhere"))
        assert opened.fit_single_node(KMEANS, rows).n_iter


def test_workers_that_others_keep_busy_are_told(cluster, asked):
    import distributed

    with distributed.Client(cluster.address, timeout=WAIT, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=WAIT)
        jobs = client.map(time.sleep, [20.0] * 2, pure=False)
        short = replace(asked, attachment=cluster.attachment(wait_s=8.0))
        assert "full queue" in refusal(short)
        client.cancel(jobs)
    nothing_is_left_on(cluster.address)


def test_workers_of_more_threads_than_cores_are_told(tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with running(tmp_path, workers=1, threads=4) as made:
        asked = Resources(2, 2**30, 2, 1, scratch, attachment=made.attachment())
        sentence = refusal(asked)
    assert "has 1 worker with 4 threads each, 4 cores, and 2 cores are asked for" in sentence
    assert "set resources.cores: 4, or resources.allow_unequal: true." in sentence


def test_one_of_a_kind_is_told_as_one(tmp_path):
    one = Worker("0", 1, 2**30, takes=True, computes=False)
    two = {"tcp://a:1": one, "tcp://a:2": replace(one, name="1")}
    assert str(attached._unequal("tcp://a:8786", two, 1)) == (
        "dask: the cluster at tcp://a:8786 has 2 workers with 1 thread each, 2 cores, and 1 core "
        "is asked for: set resources.cores: 2, or resources.allow_unequal: true."
    )
    there = Attachment("tcp://a:8786", 5.0)
    assert str(attached._too_few(there, {}, Resources(1, 2**30, 1, 1, tmp_path))) == (
        "dask: the cluster at tcp://a:8786 has 0 of the 1 worker asked for after 5 s, and 0 of 1 "
        "core: start more workers, ask for fewer cores, or set resources.allow_unequal: true."
    )


def test_workers_of_unequal_threads_each_use_their_own(tmp_path, prepared):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with running(tmp_path, threads=(1, 3)) as made:
        asked = Resources(4, 2**30, 4, 1, scratch, attachment=made.attachment())
        with DaskEngine(asked) as opened:
            facts = opened.facts()
            assert (facts.cores, facts.workers) == (4, 2)
            assert facts.details["worker_threads"] == [1, 3]
            small, large = opened._session.addresses
            held = Counter(homes(opened._session, 4))
            assert held == {small: 1, large: 3}
            # of rows for three blocks alone each worker holds some
            assert set(homes(opened._session, 3)) == {small, large}
            rows = opened.load(Source(prepared, "train"))
            assert rows.native.X.numblocks[0] == 4
            told = opened._session.client.gather(
                [
                    opened._session.client.submit(_threads, workers=[address], pure=False)
                    for address in (small, large)
                ]
            )
            assert told == [1, 3]
        assert "2 workers with [1, 3] threads, 4 cores, and 2" in refusal(replace(asked, cores=2))


def test_the_client_uses_no_more_cores_than_a_smaller_cluster_has(tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with running(tmp_path, workers=1) as made:
        smaller = made.attachment(exact=False, wait_s=10.0)
        with DaskEngine(Resources(2, 2**30, 2, 1, scratch, attachment=smaller)) as opened:
            facts = opened.facts()
    assert facts.cores == 1
    assert facts.native_threads["driver"] == 1


def test_other_versions_are_told_with_both_sides(tmp_path):
    faked = tmp_path / "other" / "scikit_learn-1.5.0.dist-info"
    faked.mkdir(parents=True)
    (faked / "METADATA").write_text("Metadata-Version: 2.1\nName: scikit-learn\nVersion: 1.5.0\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with running(tmp_path, workers=1, environment={"PYTHONPATH": str(faked.parent)}) as made:
        sentence = refusal(Resources(1, 2**30, 1, 1, scratch, attachment=made.attachment()))
    from importlib import metadata

    assert "scikit-learn 1.5.0 on tcp://127.0.0.1:" in sentence
    assert f"this machine has {metadata.version('scikit-learn')}" in sentence


def test_encrypted_sessions_work_and_other_certificates_are_refused(tmp_path, prepared):
    folders = [tmp_path / name for name in ("ours", "theirs", "scratch")]
    for folder in folders:
        folder.mkdir()
    ours, theirs = (roles.temporary_certificates(folder) for folder in folders[:2])
    with running(tmp_path, workers=1, certificates=ours) as made:
        asked = Resources(1, 2**30, 1, 1, folders[2], attachment=made.attachment())
        with DaskEngine(asked) as opened:
            rows = opened.load(Source(prepared, "train"))
            opened.fit_xgboost(XGBoostSpec(task="multiclass", n_estimators=2), rows)
            assert opened.facts().details["encrypted"]

        def refused(**changes: object) -> str:
            attachment = made.attachment(wait_s=10.0, **changes)
            return refusal(replace(asked, attachment=attachment))

        assert "does not vouch for" in refused(certificates=theirs)
        unknown = Certificates(ours.ca_file, theirs.cert, theirs.key)
        assert "does not accept the certificate" in refused(certificates=unknown)
        plain = made.address.replace("tls", "tcp")
        assert "speaks TLS: use tls://" in refused(address=plain, certificates=None)


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[tuple[Cluster, Resources]]:
    """Return a cluster to be damaged."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with running(tmp_path) as made:
        yield made, Resources(2, 2**30, 2, 1, scratch, attachment=made.attachment())


def kill_after(seconds: float, pid: int) -> threading.Timer:
    timer = threading.Timer(seconds, os.kill, (pid, signal.SIGKILL))
    timer.start()
    return timer


def test_a_killed_worker_costs_a_fit_no_row_or_is_told_and_the_next_session_works(doomed, prepared):
    made, asked = doomed

    def listening() -> int:
        connections = psutil.Process(made.scheduler.pid).net_connections()
        return sum(one.status == psutil.CONN_LISTEN for one in connections)

    start = draw_initial_centers(prepared, 6, 0)
    spec = KMeansSpec(n_clusters=6, max_iter=12, tol=0)
    with DaskEngine(asked) as opened:
        rows = opened.load(Source(prepared, "train"))
        undisturbed = opened.fit_kmeans(spec, rows, start)
        ports = listening()
        kill_after(0.3, made.worker_pids()[-1])
        model = opened.fit_kmeans(spec, rows, start)
        assert (model.centers == undisturbed.centers).all()
        deadline = time.monotonic() + 10
        while not opened.lost_workers():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        (line,) = opened.lost_workers()
        assert "died" in line
    with DaskEngine(asked) as opened:
        rows = opened.load(Source(prepared, "train"))
        killer = kill_after(2.0, made.worker_pids()[0])
        with pytest.raises(WorkerLostError, match="died"):
            opened.fit_xgboost(XGBoostSpec(task="multiclass", n_estimators=20_000), rows)
        killer.join()
    with DaskEngine(asked) as opened:
        rows = opened.load(Source(prepared, "train"))
        assert opened.fit_kmeans(spec, rows, start).n_iter == 12
    nothing_is_left_on(made.address)
    assert listening() == ports, "a tracker of XGBoost was left"


def test_a_scheduler_that_is_gone_is_told_within_seconds(doomed, prepared):
    made, asked = doomed
    opened = DaskEngine(asked)
    opened.start()
    try:
        rows = opened.load(Source(prepared, "train"))
        made.scheduler.kill()
        killed = time.monotonic()
        with pytest.raises(EngineError, match=r"scheduler at .* does not answer"):
            opened.fit_xgboost(XGBoostSpec(task="multiclass", n_estimators=20_000), rows)
        assert time.monotonic() - killed < 15
    finally:
        began = time.monotonic()
        opened.stop()
        assert time.monotonic() - began < 15


def test_a_client_that_is_killed_leaves_nothing_on_the_cluster(cluster, tmp_path):
    program = f"""
import os, signal
from pathlib import Path
from engines.dask import DaskEngine
from engines.types import Attachment, Resources
if __name__ == "__main__":
    attachment = Attachment({cluster.address!r}, {WAIT})
    DaskEngine(Resources(2, 2**30, 2, 1, Path({str(tmp_path)!r}), attachment=attachment)).start()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    import sys

    done = subprocess.run([sys.executable, "-c", program], timeout=2 * WAIT, check=False)
    assert done.returncode == -signal.SIGKILL
    nothing_is_left_on(cluster.address)


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """Let processes do nothing meanwhile, though they are alive and their connections stand."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("who", "step"),
    [
        ("the scheduler", "_client"),
        ("the scheduler", "_chosen"),
        ("the scheduler", "_install"),
        ("a worker", "_install"),
        ("the scheduler", "_prepare"),
        ("a worker", "_prepare"),
    ],
)
def test_who_freezes_while_a_session_is_joined_is_told_in_time(
    cluster, asked, monkeypatch, who, step
):
    patience = 10.0
    with DaskEngine(asked):  # what is imported now is not imported while time counts
        pass
    monkeypatch.setattr(attached, "IMPORT", patience)
    reached = getattr(attached, step)
    with ExitStack() as undo:

        def freeze_first(*args: object) -> object:
            pid = cluster.scheduler.pid if who == "the scheduler" else cluster.worker_pids()[0]
            undo.enter_context(frozen(pid))
            nonlocal began
            began = time.monotonic()
            return reached(*args)

        began = 0.0
        monkeypatch.setattr(attached, step, freeze_first)
        short = replace(asked, attachment=cluster.attachment(wait_s=patience))
        sentence = refusal(short)
        assert cluster.address in sentence
        assert began, sentence
        assert time.monotonic() - began < 3 * patience
    nothing_is_left_on(cluster.address)


@pytest.mark.parametrize("who", ["the scheduler", "a worker"])
def test_who_freezes_under_a_session_is_told_when_asked_and_lets_it_end(cluster, asked, who):
    pid = cluster.scheduler.pid if who == "the scheduler" else cluster.worker_pids()[0]
    threads = set(threading.enumerate())
    opened = DaskEngine(asked)
    opened.start()
    try:
        with frozen(pid):
            began = time.monotonic()
            with pytest.raises(WorkerLostError, match=cluster.address):
                opened.worker_usage()
            assert time.monotonic() - began < 30
            began = time.monotonic()
            opened.stop()
            assert time.monotonic() - began < 30
    finally:
        opened.stop()
    assert list(asked.scratch.iterdir()) == []
    left = [one.name for one in set(threading.enumerate()) - threads if one.is_alive()]
    assert [name for name in left if "IO loop" in name or "enginebench" in name] == []
    nothing_is_left_on(cluster.address)


def test_a_loss_that_no_line_was_heard_of_yet_is_told_all_the_same(cluster, asked):
    with DaskEngine(asked) as opened:
        assert opened.lost_workers() == ()
        error = loss(opened._session)
    assert isinstance(error, WorkerLostError)
    assert (
        str(error) == f"dask: the workers of {cluster.address} are gone in the middle of the work."
    )
