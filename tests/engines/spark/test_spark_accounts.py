"""What the counters of an executor are made of: its tasks in the event log, and its heartbeats."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engines.spark.accounts import Account, Log
from engines.spark.executors import Executor
from engines.spark.sampler import Sample
from engines.spark.usage import _counters

if TYPE_CHECKING:
    from pathlib import Path

# Spark 4.3 wrote this of a task that read from two executors and sorted more than it could hold;
# without what it says of the pushing of shuffles, which was off
TASK = (
    '{"Event":"SparkListenerTaskEnd","Stage ID":1,"Stage Attempt ID":0,'
    '"Task Type":"ShuffleMapTask","Task End Reason":{"Reason":"Success"},"Task Info":{"Task ID":3,'
    '"Index":1,"Attempt":0,"Partition ID":1,"Launch Time":1795321283567,"Executor ID":"0",'
    '"Host":"192.0.2.2","Locality":"NODE_LOCAL","Speculative":false,"Getting Result Time":0,'
    '"Finish Time":1795321308009,"Failed":false,"Killed":false,"Accumulables":[]},'
    '"Task Executor Metrics":{},"Task Metrics":{"Executor Deserialize Time":3611,'
    '"Executor Deserialize CPU Time":174453536,"Executor Run Time":20726,'
    '"Executor CPU Time":884215437,"Peak Execution Memory":13631488,'
    '"Peak On Heap Execution Memory":17842176,"Peak Off Heap Execution Memory":0,'
    '"Result Size":4861,"JVM GC Time":1542,"Result Serialization Time":0,'
    '"Memory Bytes Spilled":188743680,"Disk Bytes Spilled":291935,"Shuffle Read Metrics":{'
    '"Remote Blocks Fetched":1,"Local Blocks Fetched":1,"Fetch Wait Time":188,'
    '"Remote Bytes Read":203255,"Remote Bytes Read To Disk":0,"Local Bytes Read":218914,'
    '"Total Records Read":25000,"Remote Requests Duration":1195},"Shuffle Write Metrics":{'
    '"Shuffle Bytes Written":59,"Shuffle Write Time":1051810,"Shuffle Records Written":1},'
    '"Input Metrics":{"Bytes Read":0,"Records Read":0},"Output Metrics":{"Bytes Written":0,'
    '"Records Written":0},"Updated Blocks":[]}}\n'
)
ITS_ACCOUNT = Account(
    cpu_s=0.884215437 + 0.174453536,
    gc_s=1.542,
    spilled_bytes=291935,
    shuffle_read_bytes=203255 + 218914,
    shuffle_write_bytes=59,
    remote_bytes=203255,
)
EXECUTOR = Executor("0", "192.0.2.2", True, 2, 0, 4096, {}, "")
SAMPLE = Sample("0", "192.0.2.2", 7, 2**29, "17.0.15", 9.0, 2**30, 1, 2, 3, True)


def log_of(folder: Path, *lines: str) -> Log:
    (folder / "app-1.inprogress").write_text("".join(lines), encoding="utf-8")
    (folder / ".app-1.inprogress.crc").write_bytes(b"crc\0")
    return Log(folder)


def test_a_task_is_counted_for_its_executor_with_all_that_it_cost(tmp_path):
    (number, account), *others = log_of(tmp_path, TASK).accounts().items()
    assert (number, others) == ("0", [])
    assert vars(account) == pytest.approx(vars(ITS_ACCOUNT))


def test_tasks_are_added_up_as_they_are_written_and_none_is_counted_twice(tmp_path):
    other = TASK.replace('"Executor ID":"0"', '"Executor ID":"11"')
    begun = len(other) // 2
    log = log_of(tmp_path, '{"Event":"SparkListenerLogStart"}\n', TASK, TASK, other[:begun])
    assert {number: one.spilled_bytes for number, one in log.accounts().items()} == {
        "0": 2 * 291935
    }
    with (tmp_path / "app-1.inprogress").open("a", encoding="utf-8") as file:
        file.write(other[begun:])
    told = log.accounts()
    assert vars(told["11"]) == pytest.approx(vars(ITS_ACCOUNT))
    assert vars(told["0"]) == pytest.approx({k: 2 * v for k, v in vars(ITS_ACCOUNT).items()})
    assert log.accounts() == told


def test_a_task_that_was_lost_with_its_executor_has_no_metrics(tmp_path):
    event: dict[str, Any] = json.loads(TASK)
    del event["Task Metrics"]
    line = json.dumps(event, separators=(",", ":")) + "\n"
    assert log_of(tmp_path, line, TASK).accounts()["0"].remote_bytes == 203255


def test_each_counter_is_that_of_its_account_its_heartbeats_or_its_sampler():
    peaks = {
        "JVMHeapMemory": 300 * 2**20,
        "ProcessTreePythonRSSMemory": 200 * 2**20,
        "ProcessTreeJVMRSSMemory": 1,
        "TotalGCTime": 500,
    }
    told = _counters(replace(EXECUTOR, peaks=peaks), SAMPLE, ITS_ACCOUNT, 1, alone=True)
    assert told == {
        "spilled_bytes": 291935,
        "sent_bytes": None,
        "received_bytes": 203255,
        "gc_s": 1.542,
        "shuffle_read_bytes": 203255 + 218914,
        "shuffle_write_bytes": 59,
        "executor_cpu_s": pytest.approx(1.058668973),
        "jvm_heap_peak_bytes": 300 * 2**20,
        "python_rss_peak_bytes": 200 * 2**20,
        "cached_on_disk_bytes": 4096,
        "python_workers": 3,
    }


def test_garbage_that_two_tasks_saw_is_counted_once():
    told = _counters(EXECUTOR, SAMPLE, ITS_ACCOUNT, 2, alone=True)
    assert told["gc_s"] == pytest.approx(0.771)


def test_what_executors_of_one_machine_read_from_each_other_is_unknown():
    assert _counters(EXECUTOR, SAMPLE, ITS_ACCOUNT, 1, alone=False)["received_bytes"] is None


def test_what_no_heartbeat_has_told_yet_is_unknown_and_not_nothing():
    told = _counters(EXECUTOR, SAMPLE, Account(), 1, alone=True)
    assert told["jvm_heap_peak_bytes"] is told["python_rss_peak_bytes"] is None
    assert (told["gc_s"], told["spilled_bytes"]) == (0, 0)
