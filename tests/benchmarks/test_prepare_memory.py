"""How much memory preparing a large dataset takes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

MOST_MIB = 700
FULL_ROWS = 20_000_000

# the process reads its own peak: the kernel keeps it exactly, where sampling could miss it
PREPARE = """
import json, sys
from pathlib import Path
from experiments.datasets import prepare
from experiments.datasets.options import BlobsOptions, SplitOptions

rows, cache = int(sys.argv[1]), Path(sys.argv[2])
prepared = prepare(
    BlobsOptions(n_samples=rows, n_features=20, centers=12, dtype="float32", standardize=True),
    SplitOptions(test_fraction=0.25, folds=5, stratify=True),
    label_kind="auto",
    min_row_groups=8,
    cache=cache,
)
status = Path("/proc/self/status").read_text()
peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
size = sum(file.stat().st_size for file in prepared.path.iterdir())
print(json.dumps({"rows": prepared.n_rows, "peak_mib": int(peak) / 1024, "mib": size / 2**20}))
"""


def test_preparing_20_million_rows_stays_below_700_mib(
    benchmark: BenchmarkFixture, tmp_path: Path
) -> None:
    # where nothing is measured, a hundredth of the rows shows that the script still works
    rows = FULL_ROWS if benchmark.enabled else FULL_ROWS // 100
    command = [sys.executable, "-c", PREPARE, str(rows), str(tmp_path)]

    def run() -> dict[str, float]:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        outcome: dict[str, float] = json.loads(done.stdout)
        return outcome

    outcome = benchmark.pedantic(run, rounds=1, iterations=1)

    benchmark.extra_info.update(outcome)
    size = f"{outcome['rows']:,} rows, {outcome['mib']:.0f} MiB"
    print(f"{size}: peak {outcome['peak_mib']:.0f} MiB")
    assert outcome["rows"] == rows
    assert outcome["peak_mib"] < MOST_MIB
