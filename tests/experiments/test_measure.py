"""What a process tree used is counted whole, and attributed to the right phase."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

import engines.usage
from engines.usage import TreeReader, Usage, tree, usage
from experiments.measure.meter import LARGEST_SHARE, SHORTEST_INTERVAL_S, Meter
from experiments.measure.samples import SampleLog, read_samples

MIB = 2**20


@contextmanager
def process(program):
    """Run a Python program that prints a line when it is ready and ends when its input closes."""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout.readline().strip() == "ready"
        yield running
        running.stdin.close()
        running.wait(30)


HOLD = "print('ready', flush=True); import sys; sys.stdin.read()"


def test_memory_of_a_child_process_counts():
    grandchild = f"import sys; block = bytearray(200 * 2**20)\n{HOLD}"
    program = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {grandchild!r}], stdin=sys.stdin)\n"
        "child.wait()"
    )
    with process(program) as parent:
        assert len(tree(parent.pid)) == 2
        assert usage(parent.pid).memory_bytes > 200 * MIB
        own = usage(parent.pid).memory_bytes - usage(tree(parent.pid)[1].pid).memory_bytes
        assert own < 50 * MIB


def test_pages_that_forked_workers_share_count_once():
    program = (
        "import os, sys, time\n"
        "block = b'x' * (300 * 2**20)\n"
        "children = []\n"
        "for _ in range(3):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        time.sleep(60)\n"
        "    children.append(pid)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
        "for pid in children:\n"
        "    os.kill(pid, 9)\n"
        "    os.waitpid(pid, 0)\n"
    )
    with process(program) as parent:
        assert len(tree(parent.pid)) == 4
        assert 300 * MIB < usage(parent.pid).memory_bytes < 400 * MIB


def test_cpu_seconds_of_a_process_that_ended_stay_counted():
    burn = "import time\nwhile time.process_time() < 0.5: pass"
    program = (
        "import subprocess, sys\n"
        f"subprocess.run([sys.executable, '-c', {burn!r}], check=True)\n{HOLD}"
    )
    with process(program) as parent:
        assert len(tree(parent.pid)) == 1
        assert 0.5 <= usage(parent.pid).cpu_s < 2


def test_a_process_that_ends_while_its_tree_is_read_is_counted_with_its_parent(monkeypatch):
    burn = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True)\ninput()"
    program = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {burn!r}], text=True,\n"
        "    stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "child.communicate('end')\n"
        "print('ended', flush=True)\n"
        "sys.stdin.read()"
    )
    with process(program) as parent:
        memory_bytes = engines.usage._memory_bytes

        def end_the_child(one):
            if len(tree(parent.pid)) == 2:  # the parent has just been read
                parent.stdin.write("\n")
                parent.stdin.flush()
                assert parent.stdout.readline().strip() == "ended"
            return memory_bytes(one)

        monkeypatch.setattr(engines.usage, "_memory_bytes", end_the_child)
        assert 0.5 <= usage(parent.pid).cpu_s < 2
        assert len(tree(parent.pid)) == 1


def test_cpu_seconds_equal_what_the_process_itself_reports():
    program = (
        "import sys, time\n"
        "while time.process_time() < 0.3: pass\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "print(time.process_time(), flush=True)\n"
        "sys.stdin.read()"
    )
    with process(program) as running:
        before = usage(running.pid).cpu_s
        running.stdin.write("\n")
        running.stdin.flush()
        reported = float(running.stdout.readline())
        assert before <= reported <= usage(running.pid).cpu_s
        assert usage(running.pid).cpu_s - before < 0.02  # finer than the ticks of /proc


def test_bytes_written_to_storage_are_counted(tmp_path):
    program = (
        "import os, sys\n"
        f"with open({str(tmp_path / 'block')!r}, 'wb') as file:\n"
        "    file.write(os.urandom(8 * 2**20)); file.flush(); os.fsync(file.fileno())\n"
        f"{HOLD}"
    )
    with process(program) as running:
        assert usage(running.pid).write_bytes >= 8 * MIB


def test_a_process_that_is_gone_uses_nothing():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert usage(done.pid) == Usage(0.0, 0, 0, 0, 0)


class Tree:
    """Readings that a test sets by hand."""

    def __init__(self):
        self.now = Usage(0.0, 0, 0, 0, 1)
        self.time = 0.0

    def meter(self):
        return Meter(
            1,
            clock=lambda: self.time,
            read=lambda root: self.now,
        )


def test_a_phase_has_what_was_used_between_its_boundaries_only():
    made = Tree()
    meter = made.meter()
    made.now = Usage(1.0, 100, 10, 20, 1)
    meter.begin("load")
    made.now = Usage(1.5, 50, 15, 30, 1)
    load = meter.end(wall_s=2.0)
    made.now = Usage(9.0, 400, 99, 99, 1)  # between phases: nobody's
    meter.begin("fit")
    made.now = Usage(9.25, 300, 99, 100, 1)
    fit = meter.end(wall_s=0.5)
    assert (load.name, load.wall_s, load.cpu_s, load.peak_memory_bytes) == ("load", 2.0, 0.5, 100)
    assert (load.read_bytes, load.write_bytes) == (5, 10)
    assert (fit.cpu_s, fit.peak_memory_bytes, fit.write_bytes) == (0.25, 400, 1)


def test_a_peak_between_two_boundaries_is_seen():
    made = Tree()
    meter = made.meter()
    meter.begin("fit")
    made.time, made.now = 10.0, Usage(0.0, 700, 0, 0, 1)
    meter.sample_if_due()
    made.now = Usage(0.0, 100, 0, 0, 1)
    assert meter.end(wall_s=1.0).peak_memory_bytes == 700


def test_growth_between_two_readings_is_looked_at():
    made = Tree()
    grown = [0]
    meter = Meter(1, clock=lambda: made.time, read=lambda _: made.now, growth=lambda: grown[0])
    made.now = Usage(0.0, 400, 0, 0, 1)
    meter.begin("fit")
    meter._due = 100.0  # as after a costly reading
    assert meter.seconds_to_next == SHORTEST_INTERVAL_S
    made.time, grown[0] = SHORTEST_INTERVAL_S, 300
    meter.sample_if_due()
    grown[0] = -50
    made.time += SHORTEST_INTERVAL_S
    meter.sample_if_due()
    assert meter.peak_memory_bytes == meter.end(wall_s=1.0).peak_memory_bytes == 700


def test_a_peak_of_half_a_second_is_seen_in_a_process_that_is_costly_to_read():
    program = (
        "import sys, time\n"
        "block = bytearray(b'x') * (1024 * 2**20)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "more = bytearray(b'x') * (300 * 2**20)\n"
        "time.sleep(0.5)\n"
        "del more\n"
        "print('over', flush=True)\n"
        "sys.stdin.read()"
    )
    with process(program) as running:
        meter = Meter(running.pid)
        meter.sample_if_due()
        assert meter.seconds_to_next <= SHORTEST_INTERVAL_S < meter._due - time.perf_counter()
        meter.begin("fit")
        meter._due += 100  # so that no reading falls into it by chance
        base = meter.peak_memory_bytes
        running.stdin.write("\n")
        running.stdin.flush()
        while not select.select([running.stdout], [], [], meter.seconds_to_next)[0]:
            meter.sample_if_due()
        peak = meter.end(wall_s=1.0).peak_memory_bytes
    assert 295 * MIB < peak - base < 310 * MIB


def test_pages_of_a_file_are_no_growth(tmp_path):
    path = tmp_path / "rows"
    path.write_bytes(bytes(100 * MIB))
    program = (
        "import mmap, sys\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        f"with open({str(path)!r}, 'rb') as file:\n"
        "    pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)\n"
        "assert pages.find(b'x') == -1\n"
        "print('mapped', flush=True)\n"
        "sys.stdin.read()"
    )
    with process(program) as running:
        reader = TreeReader()
        before = reader.read(running.pid).memory_bytes
        running.stdin.write("\n")
        running.stdin.flush()
        running.stdout.readline()
        assert abs(reader.growth()) < 5 * MIB
        assert reader.read(running.pid).memory_bytes - before > 90 * MIB


def test_a_phase_that_was_cut_short_has_what_was_last_seen_of_a_process_that_is_gone():
    made = Tree()
    meter = made.meter()
    meter.begin("fit")
    made.time, made.now = 10.0, Usage(3.0, 700, 0, 0, 2)
    meter.sample_if_due()
    made.now = Usage(0.0, 0, 0, 0, 0)
    cut = meter.end(wall_s=4.0)
    assert (cut.cpu_s, cut.peak_memory_bytes, cut.wall_s) == (3.0, 700, 4.0)


def test_a_phase_cannot_end_before_it_began():
    with pytest.raises(RuntimeError, match="only after it began"):
        Tree().meter().end(wall_s=1.0)


def test_sampling_waits_longer_when_reading_is_costly():
    def slow(root):
        until = time.thread_time() + 0.01
        while time.thread_time() < until:
            pass
        return Usage(0.0, 1, 0, 0, 1)

    meter = Meter(os.getpid(), read=slow)
    meter.sample_if_due()
    assert 0.01 / LARGEST_SHARE - 0.1 < meter.seconds_to_next < 5
    cheap = Meter(os.getpid(), read=lambda root: Usage(0.0, 1, 0, 0, 1))
    cheap.sample_if_due()
    assert cheap.seconds_to_next <= SHORTEST_INTERVAL_S


def used(memory_bytes, cpu_s=1.0):
    return Usage(cpu_s, memory_bytes, 10, 20, 3)


def log_samples(path, samples):
    """Log (seconds, phase, memory) and return what can be read back."""
    now = [0.0]
    with SampleLog(path, lambda: now[0]) as log:
        for seconds, phase, memory in samples:
            now[0] = seconds
            log.add(phase, used(memory))
    return read_samples(path)


def test_samples_never_go_back_in_time(tmp_path):
    samples = [(0.0, "fit", 5), (2.0, "fit", 7), (1.0, None, 6), (1.5, "predict", 6)]
    read = log_samples(tmp_path / "s.csv", samples)
    assert [one.seconds for one in read] == [0.0, 2.0, 2.0, 2.0]


def test_samples_are_read_back_with_their_phase(tmp_path):
    read = log_samples(tmp_path / "s.csv", [(0.0, "start", 5), (1.0, "start", 7), (2.0, None, 6)])
    assert [(one.seconds, one.phase, one.memory_bytes) for one in read] == [
        (0.0, "start", 5),
        (1.0, "start", 7),
        (2.0, "", 6),
    ]
    assert (read[0].cpu_s, read[0].read_bytes, read[0].write_bytes, read[0].processes) == (
        1.0,
        10,
        20,
        3,
    )


def test_a_peak_survives_where_samples_are_thinned(tmp_path):
    many = [
        (number / 100, "fit", 1000 if number == 7777 else number % 9) for number in range(30000)
    ]
    read = log_samples(tmp_path / "s.csv", many)
    assert len(read) < 1000
    assert max(one.memory_bytes for one in read) == 1000
    assert read[-1].seconds == pytest.approx(299.99, abs=3.1)


def test_a_cut_off_line_of_samples_is_passed_over(tmp_path):
    path = tmp_path / "s.csv"
    whole = log_samples(path, [(0.0, "fit", 5), (1.0, None, 6)])
    path.write_text(path.read_text()[:-9])
    assert read_samples(path) == whole[:-1]
    assert read_samples(tmp_path / "missing.csv") == ()


def test_a_meter_hands_on_each_sample_with_its_phase():
    seen = []
    meter = Meter(1, read=lambda _: used(8), on_sample=lambda phase, one: seen.append((phase, one)))
    meter.begin("fit")
    meter.end(1.0)
    assert [phase for phase, _ in seen] == ["fit", "fit", None]


def on_a_full_disk(path):
    """Return a path that can be opened and takes nothing."""
    path.symlink_to("/dev/full")
    return path


def test_samples_that_cannot_be_written_are_one_sentence_and_no_error(tmp_path):
    with SampleLog(on_a_full_disk(tmp_path / "s.csv"), lambda: 1.0) as log:
        log.add("start", used(1))
        assert log.problem == ""
        log.flush()
        assert log.problem.startswith("samples/s.csv could not be written (no space left on")
        told = log.problem
        for phase in ("load", "fit"):
            log.add(phase, used(1))
        log.flush()
    assert log.problem == told


def test_samples_that_only_the_end_writes_tell_of_a_failure_too(tmp_path):
    log = SampleLog(on_a_full_disk(tmp_path / "s.csv"), lambda: 1.0)
    log.close()
    assert "no space left" in log.problem
    log.close()
    log.add("fit", used(1))


def test_a_file_of_samples_that_cannot_be_opened_ends_nothing(tmp_path):
    log = SampleLog(tmp_path / "missing" / "s.csv", lambda: 1.0)
    log.add("fit", used(1))
    log.close()
    assert "(no such file or directory)" in log.problem


def test_an_error_is_not_hidden_by_samples_that_cannot_be_written(tmp_path):
    full = on_a_full_disk(tmp_path / "s.csv")

    def fail():
        with SampleLog(full, lambda: 1.0) as log:
            log.add("fit", used(1))
            raise KeyError("real")

    with pytest.raises(KeyError, match="real"):
        fail()
