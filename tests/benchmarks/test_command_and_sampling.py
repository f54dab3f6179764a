"""What the command costs before it does anything, and what measuring costs while it does."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from experiments.measure.meter import Meter

COMMAND = str(Path(sys.executable).with_name("enginebench"))


def test_help_takes_at_most_four_tenths_of_a_second(benchmark):
    command, python = [], []

    def one_of_each():
        for seconds, words in (
            (command, [COMMAND, "--help"]),
            (python, [sys.executable, "-c", ""]),
        ):
            started = time.perf_counter()
            subprocess.run(words, check=True, capture_output=True)
            seconds.append(time.perf_counter() - started)

    benchmark.pedantic(one_of_each, rounds=9)
    median = statistics.median(command)
    ratio = median / statistics.median(python)
    benchmark.extra_info["ratio to a bare interpreter"] = ratio
    print(f"\nenginebench --help: {median:.3f} s, {ratio:.1f} times a bare interpreter")
    assert median <= 0.4


def test_sampling_ten_processes_costs_at_most_two_percent_of_one_core(benchmark):
    program = "import time; block = bytearray(50 * 2**20); time.sleep(120)"
    tree = f"""
import subprocess, sys, time
children = [subprocess.Popen([sys.executable, "-c", {program!r}]) for _ in range(9)]
print("ready", flush=True)
sys.stdin.read()
for child in children:
    child.kill()
    child.wait()
"""
    with subprocess.Popen(
        [sys.executable, "-c", tree], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as root:
        root.stdout.readline()
        time.sleep(1)
        meter = Meter(root.pid)
        meter.begin("fit")

        def sample_for_ten_seconds():
            until = time.perf_counter() + 10
            while time.perf_counter() < until:
                meter.sample_if_due()
                time.sleep(min(meter.seconds_to_next, 0.25))

        cpu, wall = time.thread_time(), time.perf_counter()
        benchmark.pedantic(sample_for_ten_seconds, rounds=1)
        share = (time.thread_time() - cpu) / (time.perf_counter() - wall)
        root.stdin.close()
    benchmark.extra_info["share of one core"] = share
    print(f"\nsampling ten processes: {share:.2%} of one core (at most 2 %)")
    assert share <= 0.02
