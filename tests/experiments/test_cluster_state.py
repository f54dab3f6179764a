"""Clusters are found again, held by one command at a time, and only their own processes end."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from engines.types import Certificates
from experiments.cli import run_command
from experiments.cluster import Cluster, down, find, status
from experiments.cluster.look import as_text
from experiments.cluster.processes import MARK, Started, end, launch, marked, since_when
from experiments.cluster.state import (
    claimed,
    folder_of,
    held,
    read,
    read_started,
    remove,
    write,
    write_started,
)
from experiments.cluster.telling import last_line, why_ended
from experiments.errors import RequestError

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")
# asked to end it says no, and it has a child that belongs to nobody
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """Keep clusters in a folder of this test, and leave no process of them."""
    monkeypatch.setenv("ENGINEBENCH_STATE", str(tmp_path / "state"))
    yield tmp_path / "state"
    for name in ("one", "other", "default"):
        end([], str(folder_of(name)))


def kept(name="one", **changes):
    """Write a cluster as `up` does and return it."""
    folder = folder_of(name)
    (folder / "logs").mkdir(parents=True)
    cluster = Cluster(
        name=name,
        folder=folder,
        engines=("dask",),
        workers=1,
        threads=1,
        memory_bytes=2**30,
        dask_address="tcp://127.0.0.1:1",
        started_on=platform.node(),
        ready=True,
    )
    cluster = replace(cluster, **changes)
    write(cluster)
    return cluster


def started(name="one", part="dask-worker-1", command=SLEEP):
    """Start a process of a cluster and return it."""
    folder = folder_of(name)
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    log = folder / "logs" / f"{part}.log"
    one = launch(command, {**os.environ, MARK: str(folder)}, folder, log)
    write_started(folder, part, one)
    return one


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_cluster_is_read_as_it_was_written():
    cluster = kept(
        engines=("dask", "spark"),
        certificates=Certificates("ca", "cert", "key"),
        secret_file=Path("/x/secret"),
        spark_master="spark://127.0.0.1:2",
        spark_web="http://127.0.0.1:3",
    )
    assert read("one") == cluster
    assert find("one") == cluster


def test_without_a_name_the_only_cluster_is_meant_and_of_several_the_default():
    one = kept("one")
    assert find() == one
    kept("other")
    with pytest.raises(RequestError, match=r"no cluster 'default' \(there are: one, other\)"):
        find()
    default = kept("default")
    assert find() == default


def test_a_cluster_whose_start_has_not_ended_is_not_found():
    kept(ready=False)
    with pytest.raises(RequestError, match="'one' is not up"):
        find("one")


def test_a_torn_file_says_what_to_do_and_the_cluster_is_stopped_all_the_same():
    cluster = kept()
    process = started()
    (cluster.folder / "cluster.json").write_text('{"name": ')
    with pytest.raises(RequestError, match="enginebench cluster down --name one"):
        find("one")
    assert down("one").was_there
    assert not process.alive
    assert not cluster.folder.exists()


TORN = {
    "cut off": '{"name": ',
    "no JSON": "nonsense",
    "no text": b"\xff\xfe\x00",
    "a list": "[]",
    "nothing": "null",
    "wrong kinds": {"workers": "2"},
    "an unknown engine": {"engines": ["abacus"]},
    "no address": {"dask_address": None},
    "a newer version": {"something": 1},
    "another cluster": {"name": "two"},
}


@pytest.mark.parametrize("what", [*TORN, "missing", "a folder"])
def test_a_torn_cluster_hides_no_other_one_and_says_what_to_do(what, capsys):
    whole, torn = kept("one", engines=(), dask_address=None), kept("other")
    process = started("other")
    file = torn.folder / "cluster.json"
    content = TORN.get(what)
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif isinstance(content, dict):
        file.write_text(json.dumps({**json.loads(file.read_text()), **content}))
    elif content is not None:
        file.write_text(content)
    else:
        file.unlink()
        if what == "a folder":
            file.mkdir()

    assert run_command(["cluster", "status"]) == 1
    told = capsys.readouterr()
    assert (told.err, "one: up" in told.out, "other: broken" in told.out) == ("", True, True)
    assert f"dask-worker-1  up (process {process.pid})" in told.out
    (sentence,) = [line for line in told.out.splitlines() if "cluster down --name other" in line]
    assert sentence.endswith(".")

    assert run_command(["cluster", "status", "--json"]) == 1
    healthy, other = json.loads(capsys.readouterr().out)["clusters"]
    assert (healthy["name"], healthy["state"], healthy["workers"]) == ("one", "up", whole.workers)
    assert (other["name"], other["state"], other["workers"]) == ("other", "broken", None)
    assert other["problems"] == [sentence.strip()]
    assert [(part["pid"], part["alive"]) for part in other["parts"]] == [(process.pid, True)]

    assert run_command(["cluster", "status", "--name", "other"]) == 1
    capsys.readouterr()
    assert run_command(["cluster", "down", "--all"]) == 0
    assert capsys.readouterr().err == "one: stopped\nother: stopped\n"
    assert not process.alive
    assert not torn.folder.exists()


def test_a_folder_that_cannot_be_a_cluster_is_left_alone(capsys):
    one = kept("one", engines=(), dask_address=None)
    stranger = one.folder.parent / ".not a cluster"
    stranger.mkdir()
    assert run_command(["cluster", "status"]) == 0
    assert capsys.readouterr().out.startswith("one: up\n")
    assert run_command(["cluster", "down", "--all"]) == 0
    assert stranger.is_dir()


def test_a_cluster_of_another_machine_is_not_judged_here():
    cluster = kept(started_on="elsewhere")
    process = started()
    with pytest.raises(RequestError, match=r"was started on elsewhere .* stop it there"):
        down("one")
    (found,) = status("one")
    assert (found.state, found.parts, found.workers) == ("elsewhere", (), {})
    assert "was started on elsewhere" in as_text((found,))
    assert process.alive
    assert cluster.folder.exists()


def test_what_another_version_keeps_on_another_machine_is_left_alone():
    file = kept().folder / "cluster.json"
    file.write_text('{"started_on": "elsewhere", "of_a_later_version": 1}', encoding="utf-8")
    with pytest.raises(RequestError, match=r"was started on elsewhere .* stop it there"):
        down("one")
    assert file.is_file()
    (found,) = status("one")
    assert (found.state, found.cluster) == ("elsewhere", None)
    assert "was started on elsewhere" in as_text((found,))


def test_a_process_runs_on_when_its_starter_has_ended_and_is_not_its_child():
    process = started(command=("/bin/sh", "-c", "echo out; echo err >&2; exec sleep 60"))
    assert process.pid not in {child.pid for child in psutil.Process().children()}
    log = folder_of("one") / "logs" / "dask-worker-1.log"
    wait_for(lambda: log.read_text() == "out\nerr\n")
    assert os.getsid(process.pid) != os.getsid(0)
    assert down("one").was_there
    assert not process.alive


def test_another_process_with_the_same_id_is_never_ended():
    kept()
    stranger = subprocess.Popen(SLEEP)
    try:
        write_started(folder_of("one"), "dask-worker-1", Started(stranger.pid, "another boot 1"))
        assert not read_started(folder_of("one"))["dask-worker-1"].alive
        assert down("one").was_there
        time.sleep(0.2)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_ended_process_is_not_alive_even_before_it_is_reaped():
    child = subprocess.Popen(SLEEP)
    one = Started(child.pid, since_when(child.pid))
    assert one.alive
    child.kill()
    wait_for(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert not one.alive
    child.wait()


def test_what_left_the_tree_and_what_does_not_listen_is_ended(monkeypatch):
    monkeypatch.setattr("experiments.cluster.processes.PATIENCE_S", 0.5)
    kept()
    process = started(command=(sys.executable, "-u", "-c", STUBBORN))
    log = folder_of("one") / "logs" / "dask-worker-1.log"
    wait_for(lambda: "ready" in log.read_text())
    assert len(marked(str(folder_of("one")))) == 2
    os.kill(process.pid, signal.SIGSTOP)
    assert down("one").was_there
    assert marked(str(folder_of("one"))) == []


def test_a_cluster_without_its_files_of_processes_is_stopped_by_its_mark():
    cluster = kept()
    process = started()
    (cluster.folder / "dask-worker-1.pid").unlink()
    assert down("one").was_there
    assert not process.alive


def test_stopping_one_cluster_leaves_another_alone():
    kept("one")
    kept("other")
    mine, theirs = started("one"), started("other")
    down("one")
    assert not mine.alive
    assert theirs.alive
    down("other")
    assert not theirs.alive
    assert not folder_of("one").parent.exists()


def test_status_tells_what_died_with_the_last_line_of_its_log():
    kept()
    process = started(command=("/bin/sh", "-c", "echo begun; echo 'no more memory'; exit 3"))
    wait_for(lambda: not process.alive)
    (found,) = status("one")
    assert found.state == "broken"
    scheduler, worker = found.parts
    assert (scheduler.pid, scheduler.alive) == (None, False)
    assert (worker.pid, worker.alive, worker.last_line) == (process.pid, False, "no more memory")
    assert "dask-worker-1 does not run." in found.problems
    assert "dask-scheduler does not run." in found.problems


def test_only_one_command_at_a_time_holds_a_cluster():
    with claimed("one", 0.0, make=True) as folder:
        assert folder == folder_of("one")
        assert held(folder)
        with (
            pytest.raises(RequestError, match="is being started or stopped by another command"),
            claimed("one", 0.0, make=True),
        ):
            pass
    assert not held(folder)
    with claimed("one", 0.0, make=False) as again:
        assert again == folder


def test_who_waits_for_a_cluster_that_is_removed_finds_none():
    holder = """
import sys, time
from experiments.cluster.state import claimed, remove
with claimed("one", 0.0, make=True) as folder:
    print("held", flush=True)
    time.sleep(0.5)
    remove(folder)
"""
    other = subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True)
    with other:
        assert other.stdout.readline() == "held\n"
        with claimed("one", 10.0, make=False) as folder:
            assert folder is None
    assert other.returncode == 0


def test_the_folder_is_for_its_owner_alone():
    with claimed("one", 0.0, make=True) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        remove(folder)
    assert not folder.parent.exists()


def test_a_state_folder_that_cannot_be_made_says_which_variable_to_set(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ENGINEBENCH_STATE", str(tmp_path / "file"))
    with (
        pytest.raises(RequestError, match="set ENGINEBENCH_STATE to another folder"),
        claimed("one", 0.0, make=True),
    ):
        pass
    monkeypatch.setenv("ENGINEBENCH_STATE", str(tmp_path / "state"))


def test_a_state_folder_where_nothing_can_be_made_is_held_by_nobody(monkeypatch, capsys):
    monkeypatch.setenv("ENGINEBENCH_STATE", "/proc/x")  # which says that it is not there
    assert run_command(["cluster", "up"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: /proc/x/clusters/default cannot be used for the state of")
    assert line.endswith("set ENGINEBENCH_STATE to another folder.")


def test_the_last_line_of_a_traceback_is_its_message(tmp_path):
    log = tmp_path / "log"
    log.write_text("Traceback\n  File x\nValueError: wrong \x1b[31mport\n    at java.lang.Foo\n\n")
    assert last_line(log) == "ValueError: wrong port"
    assert last_line(tmp_path / "absent") == ""


DASK_WELL = """\
2026-11-21 23:07:07,099 - distributed.worker - INFO -         Registered to:  tcp://127.0.0.1:58267
2026-11-21 23:07:07,110 - distributed.core - INFO - Starting established connection to tcp://x:58267
"""
SPARK_WELL = """\
WARNING: Using incubator modules: jdk.incubator.vector
2026-11-21 23:07:36 INFO Worker: Successfully registered with master spark://127.0.0.1:40623
2026-11-21 23:07:36 INFO Worker: Worker cleanup enabled; old application directories are deleted
"""
SPARK_LOST = """\
2026-11-21 23:07:44 WARN Worker: Failed to connect to master 127.0.0.1:40623
org.apache.spark.SparkException: Exception thrown in awaitResult:
\tat org.apache.spark.util.ThreadUtils$.awaitResult(ThreadUtils.scala:359)
Caused by: java.io.IOException: Failed to connect to /127.0.0.1:40623
\t... 4 more
"""


@pytest.mark.parametrize(
    "log",
    [
        "",
        DASK_WELL,
        SPARK_WELL,
        DASK_WELL
        + "/lib/resource_tracker.py:254: UserWarning: 6 leaked objects\n  warnings.warn(\n",
        DASK_WELL + "[23:07:09] Task [xgboost.dask-0]:tcp://127.0.0.1:1 got rank 0\n",
        SPARK_LOST + SPARK_WELL,
        "2026-11-21 23:07:09 WARN Utils: Service 'x' could not bind on port 1. Attempting 2.\n",
    ],
    ids=["empty", "dask", "spark", "warning", "printed", "mended", "warned"],
)
def test_what_is_logged_while_all_is_well_is_no_reason_for_an_end(log, tmp_path):
    (tmp_path / "log").write_text(log)
    assert why_ended(tmp_path / "log") == ""
    assert why_ended(tmp_path / "absent") == ""


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (
            (
                "2026-11-21 23:08:33,836 - distributed.scheduler - INFO - End scheduler\n"
                "Traceback (most recent call last):\n  File x\n"
                "OSError: [Errno 98] Address already in use\n\n"
                "The above exception was the direct cause of the following exception:\n\n"
                "Traceback (most recent call last):\n  File x\n"
                "RuntimeError: Scheduler failed to start.\n"
            ),
            (
                "RuntimeError: Scheduler failed to start (because of OSError: [Errno 98] Address "
                "already in use)"
            ),
        ),
        (
            DASK_WELL + "Traceback (most recent call last):\n  File x\n"
            "distributed.scheduler.KilledWorker: Attempted to run task\n" + DASK_WELL[100:],
            "distributed.scheduler.KilledWorker: Attempted to run task",
        ),
        (
            DASK_WELL
            + "2026-11-21 23:07:47,061 - distributed.worker - INFO - Stopping worker at tcp://x:1. "
            "Reason: worker-handle-scheduler-connection-broken\n"
            "2026-11-21 23:07:49,884 - distributed.nanny - INFO - Closing Nanny at 'tcp://x:2'. "
            "Reason: nanny-close-gracefully\n"
            "2026-11-21 23:07:49,886 - distributed.dask_worker - INFO - End worker\n",
            (
                "2026-11-21 23:07:47,061 - distributed.worker - INFO - Stopping worker at "
                "tcp://x:1. Reason: worker-handle-scheduler-connection-broken"
            ),
        ),
        (
            SPARK_WELL + SPARK_LOST + "2026-11-21 23:07:53 INFO Worker: Retrying connection\n",
            "Caused by: java.io.IOException: Failed to connect to /127.0.0.1:40623",
        ),
        (
            SPARK_WELL + "2026-11-21 23:12:06 ERROR Worker: RECEIVED SIGNAL TERM\n",
            "2026-11-21 23:12:06 ERROR Worker: RECEIVED SIGNAL TERM",
        ),
        (
            "Error occurred during initialization of VM\nCould not reserve enough space\n",
            "Error occurred during initialization of VM",
        ),
        (DASK_WELL + "/bin/sh: 1: java: not found\n", "/bin/sh: 1: java: not found"),
    ],
    ids=["port", "traceback", "dask-reason", "spark", "signal", "java", "shell"],
)
def test_the_error_in_a_log_is_the_reason_for_an_end(log, told, tmp_path):
    (tmp_path / "log").write_text(log)
    assert why_ended(tmp_path / "log") == told


def test_status_quotes_an_error_and_no_routine_line():
    kept(workers=2)
    for part, line in (
        ("dask-worker-1", "2026-11-21 23:07:07,110 - distributed.core - INFO - Starting"),
        ("dask-worker-2", "ValueError: wrong port"),
    ):
        process = started(part=part, command=("/bin/echo", line))
        wait_for(lambda process=process: not process.alive)
    text = as_text(status("one"))
    assert "dask-worker-1   died, and its log does not say why; it may have been killed\n" in text
    assert "dask-worker-2   died; its log says: ValueError: wrong port\n" in text
