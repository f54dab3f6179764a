"""What benchmarks of the runner share."""

from __future__ import annotations

import itertools

import pytest

from experiments.records import read_records
from experiments.runner.run import run_experiment


@pytest.fixture
def warm_seconds(tmp_path):
    """Return what runs an experiment, and returns the seconds of each warm phase of a name."""
    turns = itertools.count()

    def measure(experiment, phase_name):
        result = run_experiment(experiment, output=tmp_path / f"run-{next(turns)}")
        records = read_records(result.folder / "records.jsonl")
        assert {record.outcome for record in records} == {"completed"}
        return [
            phase.wall_s
            for record in records
            if record.warm
            for phase in record.phases
            if phase.name == phase_name
        ]

    return measure
