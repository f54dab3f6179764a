"""Run folders written by hand, as a run would leave them, for the tests of the report."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = {"sklearn": 1.0, "dask": 4.0, "spark": 10.0}
PARAMETERS = [
    {
        "name": "tol",
        "asked": 1e-4,
        "verdict": "convert",
        "native": "tol",
        "value": 3.21e-4,
        "why": "dask-ml compares the squared shift itself: tol x mean variance.",
    },
    {
        "name": "n_init",
        "asked": 1,
        "verdict": "reject",
        "native": None,
        "value": None,
        "why": "dask-ml runs once.",
    },
]


def phase(name: str, wall_s: float | None, **other: Any) -> dict[str, Any]:
    """Return one phase; its CPU seconds are one and a half times its seconds."""
    return {
        "name": name,
        "wall_s": wall_s,
        "cpu_s": None if wall_s is None else wall_s * 1.5,
        "peak_memory_bytes": 200 * 2**20,
        "read_bytes": 0,
        "write_bytes": 4096,
        **other,
    }


def record(engine: str = "sklearn", **other: Any) -> dict[str, Any]:
    """Return one record as JSON; every number follows from the engine's name."""
    unit = SECONDS.get(engine, 2.0)
    repeat = other.get("repeat", 0)
    phases = [phase("fit", unit * (2 if repeat == 0 else 1)), phase("predict", unit / 10)]
    if repeat == 0:
        phases = [phase("start", unit * 3), phase("load", unit / 2), *phases]
    return {
        "schema": 1,
        "run": "kmeans-1",
        "experiment": "kmeans",
        "definition": "sha256:0",
        "engine": engine,
        "implementation": "library",
        "point": {},
        "round": 0,
        "repeat": repeat,
        "warm": repeat > 0,
        "outcome": "completed",
        "error": None,
        "phases": phases,
        "unaccounted_s": 0.05,
        "metrics": {"inertia": 1165133.7172, "silhouette": 0.18231145},
        "model": {"n_iter": 17},
        "parameters": PARAMETERS if engine == "dask" else [],
        "facts": {
            "cores": 2,
            "workers": 2 if engine == "dask" else 1,
            "threads_per_worker": 1 if engine == "dask" else 2,
            "memory_bytes": 4 * 2**30,
        },
        "warnings": ["Spark computes in float64."] if engine == "spark" else [],
        **other,
    }


def failed(engine: str, outcome: str, message: str, **other: Any) -> dict[str, Any]:
    """Return the record of an engine that ended in its first fit."""
    error = {"type": "EngineFailedError", "message": message, "log": f"logs/{engine}-p0-r0.log"}
    return record(
        engine,
        outcome=outcome,
        error=error,
        phases=[phase("start", 3.0), phase("load", 0.5)],
        metrics={},
        model={},
        facts={},
        parameters=[],
        **other,
    )


def searched(**other: Any) -> dict[str, Any]:
    """Return what a record tells of a search of six candidates on three folds, two at a time."""
    return {
        "strategy": "grid",
        "parallel_over": "candidates",
        "why": "chosen, as 0.7 MiB of training rows, 3 times, fit the 2.0 GiB that a worker has",
        "folds": 3,
        "scoring": ["accuracy", "log_loss"],
        "refit": "accuracy",
        "planned": 6,
        "completed": 6,
        "failed": 0,
        "not_run": 0,
        "first_error": None,
        "best": {
            "candidate": 4,
            "params": {"C": 10.0, "kernel": "rbf"},
            "scores": {"accuracy": 0.9736842105, "log_loss": 0.0712},
            "std": {"accuracy": 0.0123456, "log_loss": 0.00031},
        },
        "fits_s": 7.0,
        "scores_s": 0.6,
        "slots": 2,
        "wall_s": 4.0,
        "candidates_per_minute": 90.0,
        "beyond_fits_s": 0.2,
        **other,
    }


def search_record(engine: str = "sklearn", **other: Any) -> dict[str, Any]:
    """Return the record of a search; its seconds follow from the engine's name."""
    unit = SECONDS.get(engine, 2.0)
    walls = {"start": 3, "load": 0.5, "search": 4, "refit": 0.7, "predict": 0.1, "stop": 0.2}
    search = other.pop("search", None) or {}
    found = searched(
        wall_s=4 * unit,
        fits_s=7 * unit,
        scores_s=0.6 * unit,
        candidates_per_minute=90 / unit,
        beyond_fits_s=0.2 * unit,
    )
    return record(
        engine,
        **{
            "phases": [phase(name, wall * unit) for name, wall in walls.items()],
            "metrics": {"accuracy": 0.9580419, "log_loss": 0.0912},
            "model": {"search": {**found, **search}},
            "parameters": [],
            "warnings": [],
            **other,
        },
    )


def tasks_record(engine: str = "sklearn", **other: Any) -> dict[str, Any]:
    """Return the record of a simulation; the estimate is the same on every engine."""
    unit = SECONDS.get(engine, 2.0)
    walls = {"tasks": 2} if other.get("repeat") else {"start": 3, "tasks": 2, "stop": 0.2}
    model = {
        "estimate": 12.345678901234567,
        "standard_error": 0.0512,
        "paths": 10000,
        "reference": 12.3421,
        "reference_standard_error": 0.00012,
        "reference_paths": 1000000,
    }
    scored = {
        "estimate": model["estimate"],
        "standard_error": model["standard_error"],
        "reference_error": model["estimate"] - model["reference"],
        "reference_z": 0.0699,
    }
    return record(
        engine,
        **{
            "phases": [phase(name, wall * unit) for name, wall in walls.items()],
            "metrics": scored,
            "model": model,
            "parameters": [],
            "warnings": [],
            **other,
        },
    )


def candidate(number: int, **other: Any) -> dict[str, Any]:
    """Return one row of the table of candidates; the fifth is the best."""
    params = {"C": 10.0 ** (number - 3), "kernel": "rbf"}
    accuracy = 0.98 - 0.01 * abs(number - 4)
    return {
        "engine": "sklearn",
        "implementation": "library",
        "point": "{}",
        "round": 0,
        "repeat": 0,
        "iter": 0,
        "n_resources": None,
        "candidate": number,
        "params": json.dumps(params),
        **{f"param_{name}": value for name, value in params.items()},
        "rank_test_accuracy": 1 + abs(number - 4),
        "mean_test_accuracy": accuracy,
        "std_test_accuracy": 0.0123456,
        **{f"split{fold}_test_accuracy": accuracy for fold in range(3)},
        "mean_test_log_loss": 0.07 + 0.01 * abs(number - 4),
        "std_test_log_loss": 0.00031,
        "mean_fit_time": 0.35 + number / 100,
        "std_fit_time": 0.01,
        "mean_score_time": 0.03,
        "std_score_time": 0.001,
        "worker": "1234",
        "outcome": "completed",
        "error": None,
        **other,
    }


def write_candidates(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """Write a table of candidates into a run folder and return its path."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "candidates.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def write_run(
    folder: Path,
    records: list[dict[str, Any]],
    *,
    engines: tuple[str, ...] = ("sklearn", "dask", "spark"),
    points: tuple[dict[str, Any], ...] = ({},),
    rounds: int = 1,
    warm_repeats: int = 1,
    agreement: dict[str, dict[str, float]] | None = None,
    workload: str = "{kind: kmeans, n_clusters: 10, init: shared, tol: 0.0001}",
    search: str = "null",
    **description: Any,
) -> Path:
    """Write a run folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "schema": 1,
        "run": "kmeans-1",
        "experiment": "kmeans",
        "question": "Does distributing k-means pay off on one machine?",
        "definition": "sha256:0",
        "started": "2026-01-02T03:04:05+00:00",
        "interrupted": False,
        "host": {"system": "Linux 6.1", "memory_bytes": 8 * 2**30, "usable_cores": 2},
        "versions": {"python": "3.11.7", "scikit-learn": "1.9.1"},
        "commit": None,
        "resources": {"cores": 2, "memory_bytes": 4 * 2**30},
        "points": {
            json.dumps(point, sort_keys=True): {
                "dataset": {
                    "n_features": 64,
                    "dtype": "float64",
                    "counts": {"train": 1347, "test": 450},
                    "notes": [],
                },
                "scored_on": "450 held-out rows",
            }
            for point in points
        },
        "agreement": agreement or {},
        **description,
    }
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    selected = "\n".join(f"  {engine}: {{}}" for engine in engines)
    (folder / "definition.yaml").write_text(
        f"name: kmeans\nworkload: {workload}\nsearch: {search}\n"
        f"engines:\n{selected}\n"
        f"measure: {{rounds: {rounds}, warm_repeats: {warm_repeats}}}\n",
        encoding="utf-8",
    )
    lines = "".join(json.dumps(one) + "\n" for one in records)
    (folder / "records.jsonl").write_text(lines, encoding="utf-8")
    return folder


def complete(
    engines: tuple[str, ...] = ("sklearn", "dask", "spark"), **other: Any
) -> list[dict[str, Any]]:
    """Return the cold and the warm record of each engine."""
    return [record(engine, repeat=repeat, **other) for engine in engines for repeat in (0, 1)]


@pytest.fixture
def runs():
    """Return the functions that write run folders by hand."""
    return SimpleNamespace(
        phase=phase,
        record=record,
        failed=failed,
        complete=complete,
        write=write_run,
        searched=searched,
        search_record=search_record,
        tasks_record=tasks_record,
        candidate=candidate,
        write_candidates=write_candidates,
    )
