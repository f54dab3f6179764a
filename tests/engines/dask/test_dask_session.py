from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import replace

import psutil
import pytest

from engines.dask import DaskEngine
from engines.dask.data import require_spread
from engines.errors import EngineError, EngineFailedError, SessionError, WorkerLostError
from engines.specs import KMeansSpec, XGBoostSpec
from engines.types import Source
from experiments.datasets import draw_initial_centers


def workers() -> list[psutil.Process]:
    """Return the worker processes of this process, the oldest first."""
    found = []
    for child in psutil.Process().children(recursive=True):
        # another engine's process may end meanwhile, and be a zombie until it is waited for
        with suppress(psutil.Error):
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return sorted(found, key=lambda one: one.create_time())


def kill_one_worker_after(seconds: float) -> threading.Timer:
    """Kill a worker process while something runs."""
    victim = workers()[-1]
    timer = threading.Timer(seconds, os.kill, (victim.pid, signal.SIGKILL))
    timer.start()
    return timer


def test_every_worker_holds_rows(dask_engine, prepared):
    from distributed import futures_of

    data = dask_engine.load(Source(prepared, "train"))
    session = dask_engine._opened
    who_has = session.client.who_has(futures_of(list(data.native.all)))
    assert {address for held in who_has.values() for address in held} == set(session.addresses)
    chunks = {array.chunks[0] for array in data.native.all}
    assert len(chunks) == 1, "the four arrays have the same row chunks"
    assert data.native.X.numblocks == (2, 1)


def test_rows_that_one_worker_holds_alone_are_refused(dask_engine, prepared):
    from distributed import wait

    data = dask_engine.load(Source(prepared, "train"))
    half = replace(data.native, X=data.native.X.blocks[0].persist())
    wait(half.X)
    with pytest.raises(EngineFailedError, match="1 of 2 workers"):
        require_spread(dask_engine._opened, half)


def test_all_workers_train_the_trees(dask_engine, prepared):
    from distributed import get_task_stream

    data = dask_engine.load(Source(prepared, "train"))
    session = dask_engine._opened
    with get_task_stream(session.client) as stream:
        dask_engine.fit_xgboost(XGBoostSpec(task="multiclass", n_estimators=2), data)
    trained = {one["worker"] for one in stream.data if str(one["key"]).startswith("fn-")}
    assert trained == set(session.addresses)


def test_configuration_and_environment_are_as_before_once_stopped(granted, tmp_path):
    import dask

    def settings():
        return {**dask.config.config}, {
            name: value for name, value in os.environ.items() if "PYTEST" not in name
        }

    import distributed  # noqa: F401 - it adds its defaults as it is imported

    before = settings()
    opened = DaskEngine(replace(granted, scratch=tmp_path))
    opened.start()
    opened.stop()
    opened.stop()
    assert settings() == before
    assert list(tmp_path.iterdir()) == []


def test_too_little_memory_is_told_before_a_process_starts(granted):
    with pytest.raises(SessionError, match="need at least 1120 MiB"):
        DaskEngine(replace(granted, memory_bytes=2**30)).start()


def test_kmeans_goes_on_without_a_killed_worker_and_says_so(granted, prepared):
    before = workers()
    start = draw_initial_centers(prepared, 6, 0)
    with DaskEngine(granted) as opened:
        data = opened.load(Source(prepared, "train"))
        spec = KMeansSpec(n_clusters=6, max_iter=12, tol=0)
        undisturbed = opened.fit_kmeans(spec, data, start)
        kill_one_worker_after(0.3)
        model = opened.fit_kmeans(spec, data, start)
        assert (model.centers == undisturbed.centers).all()
        (line,) = opened.lost_workers()
        assert "died" in line
        assert line.startswith("worker ")
    assert workers() == before


def test_xgboost_ends_within_seconds_of_a_killed_worker(granted, prepared):
    before = workers()
    with DaskEngine(granted) as opened:
        data = opened.load(Source(prepared, "train"))
        killer = kill_one_worker_after(1.0)
        with pytest.raises(WorkerLostError, match="died"):
            opened.fit_xgboost(XGBoostSpec(task="multiclass", n_estimators=20_000), data)
        killed = time.monotonic()
        killer.join()
        assert len(opened.lost_workers()) == 1
    assert time.monotonic() - killed < 30
    assert workers() == before
    assert not [one.name for one in threading.enumerate() if "wait_for" in one.name]


def test_exhausted_memory_is_told_from_other_failures():
    from engines.dask.session import translate

    for exc in (MemoryError("8 GiB"), RuntimeError("std::bad_alloc")):
        assert isinstance(translate("kmeans", exc), MemoryError)
    plain = translate("kmeans", ValueError("no"))
    assert isinstance(plain, EngineError)
    assert not isinstance(plain, MemoryError | WorkerLostError)
