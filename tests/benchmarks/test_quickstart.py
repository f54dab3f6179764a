"""The first command of the README, once installed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

COMMAND = str(Path(sys.executable).with_name("enginebench"))


def test_quickstart_ends_within_two_minutes(benchmark, tmp_path):
    def quickstart():
        subprocess.run(
            [COMMAND, "run", "kmeans-digits", "xgboost-breast-cancer"],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    started = time.perf_counter()
    benchmark.pedantic(quickstart, rounds=1)
    took = time.perf_counter() - started
    print(f"\nquickstart: {took:.0f} s (at most 120)")
    assert took <= 120
