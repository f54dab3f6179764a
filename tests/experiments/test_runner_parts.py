"""The runner's plan, protocol, folder and environment, each on its own."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from engines.types import Attachment, Certificates, Predictions
from experiments.definition import load_experiment
from experiments.errors import RequestError
from experiments.runner.environment import child_environment
from experiments.runner.folder import check_output, make_run_folder
from experiments.runner.interrupts import uninterrupted
from experiments.runner.plan import make_plan
from experiments.runner.predictions import digest, read_predictions, write_predictions
from experiments.runner.protocol import LineReader, Reporter
from experiments.runner.run import run_experiment
from experiments.runner.task import Task

ENGINES = ["sklearn", "dask", "spark"]


def test_every_round_runs_every_engine_once():
    plan = make_plan(n_points=2, n_rounds=3, engines=ENGINES)
    assert len(plan) == len(set(plan)) == 18
    for point in range(2):
        for number in range(3):
            engines = [item.engine for item in plan if (item.point, item.round) == (point, number)]
            assert sorted(engines) == sorted(ENGINES)


def test_every_engine_takes_every_place_equally_often():
    plan = make_plan(n_points=1, n_rounds=3, engines=ENGINES)
    for engine in ENGINES:
        places = [index % 3 for index, item in enumerate(plan) if item.engine == engine]
        assert sorted(places) == [0, 1, 2]


def test_rounds_are_interleaved_and_not_one_engine_after_the_other():
    plan = make_plan(n_points=1, n_rounds=2, engines=ENGINES)
    assert [item.round for item in plan] == [0, 0, 0, 1, 1, 1]


@pytest.fixture
def pipes():
    """Return the child's reporter and the runner's ends: what it reads, and what it answers by."""
    reports, child_reports = os.pipe()
    child_answers, answers = os.pipe()
    yield Reporter(child_reports, child_answers), reports, answers
    for descriptor in (reports, child_reports, child_answers):
        os.close(descriptor)


def test_a_null_run_ends_each_round_with_the_baseline_once_more():
    plan = make_plan(n_points=2, n_rounds=3, engines=ENGINES, null_run="sklearn")
    rounds = [plan[start : start + 4] for start in range(0, len(plan), 4)]
    assert len(rounds) == 6
    for items in rounds:
        assert [one.null_run for one in items] == [False, False, False, True]
        assert items[-1].engine == "sklearn"
    assert len({one.name for one in plan}) == len(plan)


def test_the_child_waits_at_a_boundary_until_it_is_answered(pipes):
    reporter, reports, answers = pipes
    thread = threading.Thread(target=lambda: reporter.report("done"), daemon=True)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    os.write(answers, b"\n")
    thread.join(5)
    assert not thread.is_alive()
    assert json.loads(os.read(reports, 1000)) == {"report": "done", "repeat": None}
    os.close(answers)


def test_a_phase_is_timed_without_the_wait_for_the_answer(pipes):
    reporter, reports, answers = pipes
    reader = LineReader(reports)

    def answer_late():
        for _ in range(2):
            while not reader.lines():
                pass
            threading.Event().wait(0.3)
            os.write(answers, b"\n")

    ends = []
    original = reporter.report
    reporter.report = lambda kind, **content: (ends.append(content), original(kind, **content))
    thread = threading.Thread(target=answer_late)
    thread.start()
    with reporter.phase("fit"):
        pass
    thread.join()
    assert ends[1]["wall_s"] < 0.1
    os.close(answers)


def test_a_runner_that_is_gone_is_noticed(pipes):
    reporter, _, answers = pipes
    os.close(answers)
    with pytest.raises(BrokenPipeError):
        reporter.report("done")


def test_reports_longer_than_a_pipe_arrive_whole(pipes):
    reporter, reports, answers = pipes
    reader = LineReader(reports)
    thread = threading.Thread(target=lambda: reporter.report("repeat", text="x" * 500_000))
    thread.start()
    received = []
    while not received:
        received = reader.lines()
    os.write(answers, b"\n")
    thread.join(5)
    assert len(received[0]["text"]) == 500_000
    os.close(answers)


def test_a_task_is_read_as_it_was_written(tmp_path):
    task = Task(
        engine="dask",
        spec={"kind": "kmeans", "n_clusters": 3},
        search=None,
        dataset="/data",
        placement="spread",
        predicts_host_rows=False,
        initial_centers=None,
        repeats=2,
        cpus=(0, 1),
        cores=2,
        memory_bytes=2**30,
        workers=2,
        threads_per_worker=1,
        scratch=str(tmp_path),
        predictions="/run/predictions/dask",
        attachment=Attachment(
            "tls://10.0.0.1:8786", 60.0, certificates=Certificates("ca.pem", "cert.pem", "key.pem")
        ),
    )
    task.write(tmp_path / "task.json")
    assert Task.read(tmp_path / "task.json") == task
    assert task.resources.cores == 2
    assert task.load_spec().n_clusters == 3


@pytest.mark.parametrize("shape", [(5,), (5, 3)])
def test_predictions_are_read_as_they_were_written(tmp_path, shape):
    value = np.random.default_rng(0).random(shape)
    centers = np.random.default_rng(1).random((2, 4))
    written = Predictions(np.arange(5), value)
    saved = write_predictions(tmp_path / "dask-p0-r0-0", written, centers)
    read, read_centers = read_predictions(saved)
    np.testing.assert_array_equal(read.row_id, written.row_id)
    np.testing.assert_array_equal(read.value, value)
    np.testing.assert_array_equal(read_centers, centers)
    assert digest(read, read_centers) == digest(written, centers)


@pytest.mark.parametrize("label", [None, np.array([1, 0, 1], dtype=np.int32)])
def test_decisions_are_read_as_they_were_written_and_are_part_of_the_digest(tmp_path, label):
    rows, value = np.arange(3), np.array([0.9, 0.1, 0.8])
    decision = np.array([2.5, -1.5, 0.5])
    written = Predictions(rows, value, label, decision)
    read, _ = read_predictions(write_predictions(tmp_path / "sklearn-p0-r0-0", written, None))
    np.testing.assert_array_equal(read.value, value)
    np.testing.assert_array_equal(read.label, label)
    np.testing.assert_array_equal(read.decision, decision)
    assert digest(read, None) == digest(written, None)
    assert digest(written, None) != digest(Predictions(rows, value, label), None)


def test_predictions_that_differ_in_one_bit_have_another_digest():
    value = np.zeros(3)
    other = value.copy()
    other[1] = np.nextafter(0, 1)
    rows = np.arange(3)
    assert digest(Predictions(rows, value), None) != digest(Predictions(rows, other), None)


def test_a_child_reads_no_configuration_of_this_person(tmp_path, monkeypatch):
    for name in (
        "DASK_SCHEDULER_ADDRESS",
        "OMP_WAIT_POLICY",
        "SPARK_CONF_DIR",
        "PYSPARK_PYTHON",
        "_JAVA_OPTIONS",
    ):
        monkeypatch.setenv(name, "theirs")
    environment = child_environment(3, tmp_path)
    assert "theirs" not in environment.values()
    assert environment["OMP_NUM_THREADS"] == "3"
    assert int(environment["GOMP_SPINCOUNT"]) <= 10_000
    assert environment["PATH"] == os.environ["PATH"]


def test_a_run_never_overwrites_another(tmp_path):
    folder = make_run_folder("kmeans", tmp_path / "run")
    folder.records.touch()
    with pytest.raises(RequestError, match="not empty"):
        make_run_folder("kmeans", tmp_path / "run")


def test_runs_of_one_second_get_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len({make_run_folder("kmeans", None).path for _ in range(3)}) == 3


def test_an_output_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match=r"cannot be written, because .*file is a file"):
        make_run_folder("kmeans", tmp_path / "file" / "run")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("file", "file is a file; name another"),
        ("dangling", "dangling is no folder; name another"),
        ("dangling/run", "dangling is no folder; name another"),
        ("loop/run", "cannot be written: Too many levels of symbolic links"),
        ("full", "full is not empty; name a new one"),
        ("x" * 300, "cannot be written: File name too long"),
        ("/proc/run", "/proc/run cannot be written: "),
        ("~nosuchuser/run", "--output: the home folder that ~nosuchuser stands for is not known"),
        ("run\udcff", "has a name that is not UTF-8"),
    ],
)
def test_what_cannot_become_a_run_folder_is_refused_before_and_when_it_is_made(
    tmp_path, monkeypatch, output, said
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "full" / "mine").mkdir(parents=True)
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(tmp_path.rglob("*"))
    for refuse in (check_output, make_run_folder):
        with pytest.raises(RequestError) as raised:
            refuse("kmeans", Path(output))
        assert said in str(raised.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_checking_an_output_leaves_nothing_and_changes_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    for output in ("new", "deep/er", "empty"):
        assert check_output("kmeans", tmp_path / output) == tmp_path / output
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_an_output_is_refused_before_the_data_is_prepared(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGINEBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match="is a file"):
        run_experiment(load_experiment("kmeans-digits"), output=tmp_path / "file")
    assert not (tmp_path / "cache").exists()


def test_the_description_is_replaced_whole(tmp_path):
    folder = make_run_folder("kmeans", tmp_path / "run")
    for number in range(2):
        folder.write_description({"number": number})
    assert json.loads((folder.path / "run.json").read_text()) == {"number": 1}
    assert not list(folder.path.glob("*.new"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_waits_for_the_end_of_the_block_and_is_not_lost(number):
    done = []
    before = signal.getsignal(number)

    def block():
        with uninterrupted() as noted:
            os.kill(os.getpid(), number)
            assert noted == [number]  # the block may hurry
            done.append("whole")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done == ["whole"]
    assert signal.getsignal(number) == before


def test_a_block_that_nobody_interrupts_just_ends():
    with uninterrupted() as noted:
        pass
    assert noted == []
