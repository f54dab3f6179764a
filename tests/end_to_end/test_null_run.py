"""A null run shows the noise floor, in what the command prints and in what it keeps."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.records import read_records
from experiments.report import build_report
from experiments.statistics.bootstrap import estimate
from experiments.statistics.noise import noise_floor

COMMAND = str(Path(sys.executable).with_name("enginebench"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Run a small experiment with a null run; return what was printed and the run folder."""
    folder = tmp_path_factory.mktemp("null-run")
    done = subprocess.run(
        [
            COMMAND, "run", "kmeans-digits", "--engines", "sklearn", "--output", "runs",
            "--set", "measure.rounds=3", "--set", "measure.null_run=true",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done, folder / "runs"


def warm_fits(run, *, null_run):
    """Return the seconds of the warm fits of each round, from the records alone."""
    rounds = {}
    for record in read_records(run / "records.jsonl"):
        if record.warm and record.null_run == null_run:
            seconds = [phase.wall_s for phase in record.phases if phase.name == "fit"]
            rounds.setdefault(record.round, []).extend(seconds)
    return list(rounds.values())


def test_the_noise_floor_is_that_of_the_records(finished):
    _, run = finished
    baseline, null = (warm_fits(run, null_run=which) for which in (False, True))
    assert len(baseline) == len(null) == 3
    (table,) = build_report(run).tables
    assert table.noise["fit_warm_wall_s"] == noise_floor(baseline, null, paired=True)
    row = next(r for g in table.groups for r in g.rows if r.key == "fit_warm_wall_s")
    # the second run is no engine of the comparison
    (cell,) = row.cells
    assert cell.interval == estimate(baseline)
    assert cell.summary.n == sum(map(len, baseline))


def test_the_noise_floor_is_printed_and_written(finished):
    done, run = finished
    said = (
        r"Noise floor of warm fits: a second scikit-learn took \S+ times as long "
        r"\(95 % interval \S+ to \S+ over 3 rounds\); differences below \S+"
    )
    for text in (done.stdout, (run / "report.md").read_text(encoding="utf-8")):
        assert re.search(said, " ".join(text.split())), text


def test_the_noise_floor_is_in_the_data_for_programs(finished):
    _, run = finished
    done = subprocess.run(
        [COMMAND, "report", str(run), "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    (content,) = json.loads(done.stdout)["runs"]
    (table,) = content["tables"]
    floor = table["noise"]["fit_warm_wall_s"]
    assert floor["factor"] >= 1
    assert floor["ratio"]["rounds"] == 3
    assert table["null_run"].startswith("Noise floor of warm fits")
