"""Clusters are joined before anything is timed, and secrets reach one process alone."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from engines.usage import Usage
from experiments import cli, doctor
from experiments.cluster import ClusterRequest, down, status, up
from experiments.definition import load_experiment
from experiments.definition.attach import attach_from_environment
from experiments.errors import RequestError
from experiments.measure.meter import Meter
from experiments.measure.workers import shares, with_workers
from experiments.progress import Lines
from experiments.records import WorkerShare, append_record, read_records
from experiments.runner.clusters import Grant, check_equal, join_clusters
from experiments.runner.environment import child_environment
from experiments.runner.events import Granted, Joining
from experiments.runner.protocol import LineReader, Reporter
from experiments.runner.scoring import _grants
from experiments.runner.supervise import supervise

MIB = 2**20
# what a child takes for asking its workers
ASKING_S = 0.4
ASKING_BYTES = 256 * MIB
USED = {
    "worker": "0@tcp://10.0.0.1:1",
    "host": "10.0.0.1",
    "cpu_s": 1.0,
    "peak_memory_bytes": 100,
    "read_bytes": 10,
    "write_bytes": 20,
    "counters": {"sent_bytes": 5, "gc_s": None, "jvm_heap_peak_bytes": 70, "python_workers": 2},
}


def used(**other):
    return {**USED, **other}


# what workers used of a phase


def test_a_phase_has_what_its_workers_used_between_its_ends():
    after = used(cpu_s=3.5, peak_memory_bytes=90, read_bytes=11, write_bytes=20)
    after["counters"] = {**USED["counters"], "sent_bytes": 9, "jvm_heap_peak_bytes": 80}
    (found,) = shares([USED], [after])
    assert (found.cpu_s, found.read_bytes, found.write_bytes) == (2.5, 1, 0)
    # a peak is of the phase, and so many Python workers there are
    assert found.peak_memory_bytes == 90
    assert found.counters == {
        "sent_bytes": 4, "gc_s": None, "jvm_heap_peak_bytes": 80, "python_workers": 2,
    }  # fmt: skip


def test_a_worker_that_comes_up_in_a_phase_used_all_of_it_there_and_a_lost_one_is_not_known():
    new = used(worker="1@tcp://10.0.0.2:1", cpu_s=2.0)
    (found,) = shares([USED], [new])
    assert (found.worker, found.cpu_s) == ("1@tcp://10.0.0.2:1", 2.0)


def test_an_account_that_begins_anew_is_never_below_zero():
    (found,) = shares([USED], [used(cpu_s=0.5, read_bytes=0)])
    assert (found.cpu_s, found.read_bytes) == (0.0, 0)


def test_a_worker_that_was_started_again_under_its_name_is_counted_from_its_start():
    again = used(cpu_s=0.5, read_bytes=3, counters={**USED["counters"], "sent_bytes": 2})
    (found,) = shares([USED], [again])
    assert (found.cpu_s, found.read_bytes, found.counters["sent_bytes"]) == (0.5, 3, 2)
    # what may go down, such as a number of processes, tells nothing of that
    fewer = used(cpu_s=1.5, counters={**USED["counters"], "python_workers": 1})
    assert shares([USED], [fewer])[0].cpu_s == 0.5


def test_a_phase_is_the_sum_of_this_machine_and_of_the_workers():
    readings = iter([Usage(1.0, 1000, 0, 0, 1), Usage(1.5, 3000, 4, 0, 1)])
    meter = Meter(0, clock=lambda: 0.0, read=lambda _: next(readings))
    meter.begin("fit")
    both = shares([], [USED, used(worker="1@tcp://10.0.0.2:1")])
    phase = with_workers(meter.end(2.0), both)
    assert (phase.cpu_s, phase.peak_memory_bytes) == (2.5, 3200)
    assert (phase.read_bytes, phase.write_bytes) == (24, 40)
    assert phase.workers == both


def test_records_keep_what_each_worker_used(tmp_path, runs):
    one = runs.write(tmp_path / "run", runs.complete(("dask",))) / "records.jsonl"
    record = read_records(one)[0]
    share = WorkerShare("0", "host", 1.5, 100, 1, 2, {"gc_s": None, "sent_bytes": 7})
    phases = (replace(record.phases[0], workers=(share,)), *record.phases[1:])
    append_record(tmp_path / "records.jsonl", replace(record, phases=phases))
    assert read_records(tmp_path / "records.jsonl")[0].phases[0].workers == (share,)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"worker": 3}, "a worker has the name 3"),
        ({"cpu_s": "much"}, "cpu_s of its worker '0@tcp://10.0.0.1:1' is 'much' and no amount"),
        ({"counters": {"gc_s": "x"}}, "gc_s of its worker '0@tcp://10.0.0.1:1' is 'x'"),
    ],
)
def test_what_is_no_account_of_a_worker_is_refused(tmp_path, runs, change, said):
    records = runs.complete(("dask",))
    records[0]["phases"][0]["workers"] = [used(**change)]
    path = runs.write(tmp_path / "run", records) / "records.jsonl"
    with pytest.raises(RequestError, match="line 1, is not a record") as raised:
        read_records(path)
    assert said in str(raised.value)


def test_asking_the_workers_is_told_apart_from_what_is_timed():
    reports, child_reports = os.pipe()
    child_answers, answers = os.pipe()
    reporter = Reporter(child_reports, child_answers)

    def ask():
        time.sleep(0.3)
        return [USED]

    reporter.ask_workers = ask
    os.write(answers, b"\n\n\n")
    with reporter.phase("fit"):
        pass
    begin, over, end = LineReader(reports).lines()
    assert over["report"] == "phase over"
    assert "workers" not in over
    assert begin["workers"] == end["workers"] == [USED]
    assert begin["asked_s"] >= 0.3
    assert end["wall_s"] < 0.2
    for descriptor in (reports, child_reports, child_answers, answers):
        os.close(descriptor)


ASKS = f"""#!{sys.executable}
import os
import time
from experiments.runner.protocol import ANSWERS_FD, REPORTS_FD, Reporter

USED = {USED!r}
reporter = Reporter(int(os.environ[REPORTS_FD]), int(os.environ[ANSWERS_FD]), repeat=0)
asked = []

def ask():
    until = time.process_time() + {ASKING_S}
    held = b"x" * {ASKING_BYTES}
    while time.process_time() < until:
        pass
    if len(asked) == LAST:
        raise OSError
    asked.append(1)
    return [{{**USED, "cpu_s": 10.0 * len(asked)}}]

reporter.ask_workers = ask
try:
    for name in ("fit", "save"):
        with reporter.phase(name):
            pass
except OSError:
    reporter.report("failure", outcome="crashed", type="WorkerLostError", message="gone")
reporter.report("repeat", lost_workers=[])
reporter.report("done")
"""


@pytest.fixture
def walked(tmp_path, monkeypatch):
    """Return what runs a child that asks its workers so often, and gives its one repeat."""

    def walk(last):
        program = tmp_path / "child"
        program.write_text(ASKS.replace("LAST", str(last)), encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
        resources = SimpleNamespace(scratch=tmp_path)
        task = SimpleNamespace(cpus=(0,), resources=resources, memory_bytes=2**40, repeats=1)
        repeats = []
        supervise(
            task,
            task_file=tmp_path / "task",
            log=tmp_path / "log",
            samples=tmp_path / "samples",
            timeout_s=60,
            on_repeat=lambda repeat, _: repeats.append(repeat),
            on_score=lambda _: None,
            on_event=lambda _: None,
        )
        (repeat,) = repeats
        return repeat

    return walk


def test_what_asking_the_workers_takes_is_in_no_phase(walked):
    fit, save = walked(4).phases
    for phase in (fit, save):
        assert phase.ended
        assert [one.cpu_s for one in phase.workers] == [10.0]
        assert phase.cpu_s == pytest.approx(10.0, abs=ASKING_S / 4)
        assert phase.peak_memory_bytes < ASKING_BYTES
        assert phase.wall_s < ASKING_S


def test_a_phase_whose_workers_cannot_be_asked_any_more_did_not_end(walked):
    repeat = walked(3)
    assert (repeat.outcome, repeat.failure.type) == ("crashed", "WorkerLostError")
    assert [(one.name, one.ended) for one in repeat.phases] == [("fit", True), ("save", False)]
    assert repeat.phases[1].cpu_s < ASKING_S / 4
    assert repeat.phases[1].workers == ()


# secrets


def test_a_child_has_the_secrets_it_is_told_and_no_others(tmp_path, monkeypatch):
    for name in ("ENGINEBENCH_SPARK_SECRET", "_SPARK_AUTH_SECRET", "THEIRS"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("ENGINEBENCH_SPARK_SECRET_FILE", "/run/hunter2")
    told = child_environment(2, tmp_path, {"THEIRS": None})
    assert not [value for value in told.values() if "hunter2" in value]
    told = child_environment(2, tmp_path, {"THEIRS": None, "ENGINEBENCH_SPARK_SECRET": "hunter2"})
    assert [name for name, value in told.items() if "hunter2" in value] == [
        "ENGINEBENCH_SPARK_SECRET"
    ]


# joining


def digits(*overrides, engines="dask"):
    asked = ["resources.cores=2", "measure.warm_repeats=0", "resources.memory=2 GiB", *overrides]
    asked += ["engines.dask.workers=1"] if "dask" in engines else []
    return load_experiment("kmeans-digits", asked, engines.split(","))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Return a cluster of Dask with one worker of two threads on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGINEBENCH_STATE", str(tmp_path_factory.mktemp("state")))
        made = up(ClusterRequest("attach-runner", ("dask",), workers=1, threads=2))
        yield made
        down("attach-runner")


def join(experiment, environ=None):
    """Return what a cluster gives, and what was told of it."""
    told = []
    attached, sources = attach_from_environment(experiment, environ or {})
    return join_clusters(attached, sources, told.append).described, told


def test_nobody_is_joined_where_no_engine_is_attached():
    assert join(digits(engines="sklearn,dask")) == ({}, [])


def test_what_each_engine_gets_is_known_and_told_before_anything_is_timed(cluster):
    environ = {"DASK_SCHEDULER_ADDRESS": cluster.dask_address}
    # each point asks for the same, so the cluster is asked once
    asked = digits("sweep={workload.n_clusters: [2, 3, 4]}", engines="sklearn,dask")
    given, told = join(asked, environ)
    assert given["sklearn"]["address"] is None
    assert given["sklearn"]["cores"] == 2
    dask = given["dask"]
    assert (dask["cores"], dask["workers"], dask["threads_per_worker"]) == (2, 1, 2)
    assert (dask["address"], dask["encrypted"]) == (cluster.dask_address, False)
    assert dask["source"] == "DASK_SCHEDULER_ADDRESS"
    assert {"dask", "distributed", "scikit-learn"} <= set(dask["versions"])
    assert [type(one) for one in told] == [Granted, Joining, Granted]
    lines = []
    for one in told:
        Lines(lines.append)(one)
    assert lines[0].startswith("sklearn: on this machine: 2 cores, 1 x 2 threads, ")
    assert lines[1].startswith(
        f"dask: attached to {cluster.dask_address} (from DASK_SCHEDULER_ADDRESS): 2 cores, "
    )


def test_a_cluster_of_dasks_own_files_is_joined_and_told_with_the_file(cluster, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(f"scheduler-address: {cluster.dask_address}\n", encoding="utf-8")
    given, told = join(digits(), {"DASK_CONFIG": str(file)})
    assert given["dask"]["address"] == cluster.dask_address
    assert given["dask"]["source"] == f"scheduler-address of {file}"
    assert told[0] == Joining("dask", cluster.dask_address, f"scheduler-address of {file}")


def test_unequal_cores_are_refused_without_leave():
    grants = {
        name: Grant(None, "", cores, cores, 1, 2**30, {}, None)
        for name, cores in (("sklearn", 2), ("dask", 4), ("spark", 2))
    }
    with pytest.raises(RequestError) as raised:
        check_equal(digits(), grants)
    assert "(scikit-learn gets 2 cores, Dask gets 4, Spark gets 2)" in str(raised.value)
    check_equal(digits("resources.allow_unequal=true"), grants)
    check_equal(digits(), {name: grants[name] for name in ("sklearn", "spark")})
    grants["sklearn"] = replace(grants["sklearn"], cores=1)
    with pytest.raises(RequestError, match="scikit-learn gets 1 core, Dask gets 4"):
        check_equal(digits(), grants)


def test_other_cores_than_asked_for_are_told_in_a_sentence():
    ready = SimpleNamespace(experiment=digits("resources.cores=1", engines="sklearn"))
    facts = {"cores": 2, "threads_per_worker": 1, "native_threads": {"worker 0": 2}}
    cores, threads = _grants(ready, "sklearn", facts)
    assert cores == "It had 2 cores, and 1 was asked for."
    assert "worker 0 may run 2 threads, and 1 was meant: the cores were shared" in threads


def test_a_cluster_of_another_size_is_joined_only_with_leave_to_be_unequal(cluster):
    one = ["resources.cores=1", f"engines.dask.address={cluster.dask_address}"]
    with pytest.raises(RequestError, match=r"resources\.allow_unequal: true"):
        join(digits(*one))
    asked = digits(*one, "resources.allow_unequal=true", engines="sklearn,dask")
    joined = join_clusters(asked, {}, lambda _: None)
    given = joined.described
    assert (given["sklearn"]["cores"], given["dask"]["cores"]) == (1, 2)
    # its processes then ask for what is there
    assert joined.size(asked, "dask") == (1, 2)
    assert joined.size(asked, "sklearn") == (1, 1)
    # and a search is told by what is there: fits at a time, and the memory of a worker
    assert joined.fits_at_a_time(asked, "dask") == 1
    assert joined.fits_at_a_time(asked, "sklearn") == 1
    assert joined.worker_memory(asked) == given["dask"]["memory_bytes"] <= 2**30


def test_a_cluster_that_does_not_answer_is_one_sentence_in_time_and_leaves_nothing(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", f"tcp://127.0.0.1:{port}")
    began = time.monotonic()
    asked = ["run", "kmeans-digits", "--engines", "sklearn,dask", "--set", "engines.dask.wait=3"]
    assert cli.run_command(asked) == 2
    assert time.monotonic() - began < 30
    captured = capsys.readouterr()
    errors = [line for line in captured.err.splitlines() if "error:" in line]
    assert len(errors) == 1
    assert "engines.dask (from DASK_SCHEDULER_ADDRESS): " in errors[0]
    assert f"tcp://127.0.0.1:{port}" in errors[0]
    assert captured.out == ""
    assert not (tmp_path / "results").exists()


def test_a_run_keeps_what_its_clusters_gave_and_its_cluster_stays_up(cluster, tmp_path, capsys):
    folder = tmp_path / "run"
    place = f"engines.dask.address={cluster.dask_address}"
    asked = ["run", "kmeans-digits", "--engines", "dask", "--output", str(folder)]
    for one in (place, "resources.cores=2", "engines.dask.workers=1", "measure.warm_repeats=0"):
        asked += ["--set", one]
    assert cli.run_command(asked) == 0
    assert f"attached to {cluster.dask_address} (from the definition)" in capsys.readouterr().err
    about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert about["clusters"]["dask"]["cores"] == 2
    (record,) = read_records(folder / "records.jsonl")
    fit = next(phase for phase in record.phases if phase.name == "fit")
    assert len(fit.workers) == 1
    assert fit.peak_memory_bytes > fit.workers[0].peak_memory_bytes > 10 * MIB
    assert record.facts["details"]["attached"] is True
    (state,) = status(cluster.name)
    assert all(part.alive for part in state.parts)


# the doctor


def test_the_doctor_says_whether_clusters_of_the_environment_answer(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", f"tcp://127.0.0.1:{port}")
        (found,) = doctor._clusters()
    assert found.found == f"tcp://127.0.0.1:{port} (from DASK_SCHEDULER_ADDRESS) answers"
    (found,) = doctor._clusters()
    assert "does not answer" in found.found
    assert found.advice == (
        "Start that cluster, or unset DASK_SCHEDULER_ADDRESS, or set it to local, to compute on "
        "this machine."
    )
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "ucx://a:1")
    (found,) = doctor._clusters()
    assert "must be the address of a Dask scheduler" in found.advice
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS")
    assert list(doctor._clusters()) == []


def test_the_doctor_looks_for_the_cluster_of_each_engine_whatever_the_others_say(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        master = f"spark://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "ucx://a:1")
        monkeypatch.setenv("SPARK_MASTER", master)
        dask, spark = doctor._clusters()
    assert (dask.name, spark.name) == ("cluster dask", "cluster spark")
    assert "must be the address of a Dask scheduler" in dask.advice
    assert spark.found == f"{master} (from SPARK_MASTER) answers"


def test_the_doctor_says_how_to_leave_a_cluster_that_a_file_names(monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    theirs, defaults = tmp_path / "dask.yaml", tmp_path / "spark-defaults.conf"
    theirs.write_text(f"scheduler-address: tcp://127.0.0.1:{port}\n", encoding="utf-8")
    defaults.write_text(f"spark.master spark://127.0.0.1:{port}\n", encoding="utf-8")
    monkeypatch.setenv("DASK_CONFIG", str(theirs))
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    assert [found.advice for found in doctor._clusters()] == [
        f"Start that cluster, or take {key} out of {file}, or set {variable}=local, to compute on "
        "this machine."
        for key, file, variable in (
            ("scheduler-address", theirs, "DASK_SCHEDULER_ADDRESS"),
            ("spark.master", defaults, "SPARK_MASTER"),
        )
    ]
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "local")
    monkeypatch.setenv("SPARK_MASTER", "local")
    assert list(doctor._clusters()) == []
