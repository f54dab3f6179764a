"""The whole report of 10,000 records is written in 5 seconds, within 500 MiB."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time

import pytest

LONGEST_S = 5.0
MOST_BYTES = 500 * 2**20
ENGINES = {"sklearn": 1.0, "dask": 4.0, "spark": 10.0}
WRITE = """
import sys
from pathlib import Path
from experiments.report import build_report
from experiments.report.write import write_report
write_report(build_report(Path(sys.argv[1])))
"""


def record(engine, point, number, repeat, factor):
    unit = ENGINES[engine] * factor
    walls = {"fit": unit, "predict": unit / 10, "save": 0.01}
    if repeat == 0:
        walls = {"start": 3 * unit, "load": unit / 2, **walls}
    return {
        "schema": 2,
        "run": "speed",
        "experiment": "speed",
        "definition": "sha256:0",
        "engine": engine,
        "implementation": "library",
        "point": point,
        "round": number,
        "repeat": repeat,
        "warm": repeat > 0,
        "outcome": "completed",
        "error": None,
        "phases": [
            {
                "name": name,
                "wall_s": wall_s,
                "cpu_s": 1.5 * wall_s,
                "peak_memory_bytes": 200 * 2**20,
                "read_bytes": 0,
                "write_bytes": 4096,
                "ended": True,
            }
            for name, wall_s in walls.items()
        ],
        "unaccounted_s": 0.05,
        "metrics": {"inertia": 1165133.7172, "silhouette": 0.18231145},
        "model": {"n_iter": 17},
        "parameters": [
            {"name": name, "asked": 1, "verdict": "same", "native": name, "value": 1, "why": None}
            for name in ("n_clusters", "init", "max_iter", "tol", "n_init", "seed")
        ],
        "facts": {"cores": 2, "workers": 2, "threads_per_worker": 1},
        "warnings": [],
        "null_run": False,
    }


def write_run(folder, *, points, rounds, repeats):
    """Write a run folder of so many records of each engine and return how many there are."""
    draw = random.Random(0)  # noqa: S311
    swept = [{"dataset.n_samples": 1000 * (place + 1)} for place in range(points)]
    records = [
        record(engine, point, number, repeat, (1 + place / 10) * draw.lognormvariate(0, 0.05))
        for place, point in enumerate(swept)
        for number in range(rounds)
        for engine in ENGINES
        for repeat in range(repeats)
    ]
    lines = "".join(json.dumps(one) + "\n" for one in records)
    (folder / "records.jsonl").write_text(lines, encoding="utf-8")
    about = {"schema": 1, "run": "speed", "points": {json.dumps(one): {} for one in swept}}
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    (folder / "definition.yaml").write_text(
        "name: speed\nworkload: {kind: kmeans, n_clusters: 10}\n"
        f"measure: {{rounds: {rounds}, warm_repeats: {repeats - 1}}}\n",
        encoding="utf-8",
    )
    samples = folder / "samples"
    samples.mkdir()
    head = "seconds,repeat,phase,cpu_s,memory_bytes,read_bytes,write_bytes,processes\n"
    for engine in ENGINES:
        for place in range(points):
            for number in range(rounds):
                rows = [f"{at / 10},0,fit,{at / 8},{at * 2**20},0,0,3\n" for at in range(400)]
                path = samples / f"{engine}-p{place}-r{number}.csv"
                path.write_text(head + "".join(rows), encoding="utf-8")
    return len(records)


@pytest.mark.parametrize(
    ("points", "rounds", "repeats"),
    [(10, 10, 34), (24, 10, 14), (1, 1112, 3)],
    ids=["ten points", "24 points", "1112 rounds"],
)
def test_a_report_of_ten_thousand_records_is_written_in_five_seconds(
    tmp_path, benchmark, points, rounds, repeats
):
    count = write_run(tmp_path, points=points, rounds=rounds, repeats=repeats)
    assert count >= 10_000

    def write():
        started = time.perf_counter()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", WRITE, str(tmp_path)], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return time.perf_counter() - started, cpu_s, after.ru_maxrss * 1024

    took_s, cpu_s, peak = benchmark.pedantic(write, rounds=1, iterations=1)
    print(f"\n{count:,} records: {took_s:.1f} s, {cpu_s:.1f} CPU s, {peak / 2**20:.0f} MiB")
    assert (tmp_path / "report.html").stat().st_size > 0
    assert len(list((tmp_path / "figures").glob("*.svg"))) >= 5
    assert took_s <= LONGEST_S
    assert peak <= MOST_BYTES
