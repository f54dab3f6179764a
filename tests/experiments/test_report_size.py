"""A report of ten thousand records is made at once, in little memory, and opens anywhere."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.report import build_report
from experiments.report.write import write_report

MOST_PAGE_BYTES = 4_000_000
# five seconds are promised of an idle machine, which one that runs tests is not
MOST_CPU_S = 20.0
MOST_MEMORY_BYTES = 500 * 2**20
# what a parent is told of its child's peak includes what the parent held when it forked
TELL_USED = """
import re, time
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(time.process_time(), peak)
"""
SPEED = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "test_report_speed.py"))


def test_ten_thousand_records_take_little_time_and_memory_and_make_a_small_page(tmp_path):
    assert SPEED["write_run"](tmp_path, points=24, rounds=10, repeats=14) >= 10_000
    program = SPEED["WRITE"] + TELL_USED
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    cpu_s, peak_kib = done.stdout.split()
    assert (tmp_path / "report.html").stat().st_size < MOST_PAGE_BYTES
    assert float(cpu_s) < MOST_CPU_S
    assert int(peak_kib) * 1024 < MOST_MEMORY_BYTES


@pytest.fixture
def failing(tmp_path):
    """Write a run of ten thousand records that all warn, and half of which fail, unlike another."""
    count = SPEED["write_run"](tmp_path, points=24, rounds=10, repeats=14)
    path = tmp_path / "records.jsonl"
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for number, one in enumerate(records):
        one["warnings"] = [f"Warning {number}: {'w' * 150}"]
        if number % 2:
            message = f"Failure {number}: {'x' * 400}"
            one["outcome"] = "failed"
            one["error"] = {"type": "E", "message": message, "log": f"logs/{number}.log"}
            one["parameters"][0] |= {"verdict": "convert", "value": number, "why": "y" * 100}
            one["facts"]["details"] = {f"detail {number}": number}
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    assert count >= 10_000
    return tmp_path


def test_thousands_of_failures_make_a_small_page_that_counts_them(failing):
    report = build_report(failing)
    assert sum(len(table.problems) for table in report.tables) > 5_000
    assert len(report.footnotes) > 10_000
    written = write_report(report)
    page = written.html.read_text(encoding="utf-8")
    assert len(page.encode()) < MOST_PAGE_BYTES
    of_first = len(report.tables[0].problems)
    for text in (page, written.markdown.read_text(encoding="utf-8")):
        assert f"And {len(report.footnotes) - 50:,} more, which records.jsonl has." in text
        assert f"And {of_first - 50:,} more, which records.jsonl has." in text
    # a mark of a footnote that is not listed leads to where the rest is counted
    assert 'href="#footnote-51"' in page
    assert 'id="footnote-51"' in page
    assert 'id="footnote-52"' not in page
