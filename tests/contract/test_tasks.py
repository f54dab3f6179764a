"""Independent tasks: the same estimate to the last bit, on every engine and number of workers."""

from __future__ import annotations

import json
import math
import operator
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engines import monte_carlo
from engines.errors import EngineFailedError
from engines.gaps import Feature
from engines.specs import TasksSpec

if TYPE_CHECKING:
    from engines.base import Engine
    from engines.types import Resources

pytestmark = pytest.mark.feature(Feature.TASKS)
ONE_WORKER = Path(__file__).with_name("one_worker.py")
# 21 blocks, the last of them a short one
OPTION = TasksSpec(paths=2050, block_paths=100, days=60, seed=5)


def alone(spec: TasksSpec) -> monte_carlo.Estimate:
    """Simulate in this process."""
    return monte_carlo.combine([monte_carlo.simulate(spec, n) for n in monte_carlo.blocks(spec)])


def test_results_come_in_the_order_of_the_items(engine: Engine[Any]):
    items = [float(number) for number in range(50, 0, -1)]
    assert engine.map_tasks(math.sqrt, items) == [math.sqrt(item) for item in items]
    assert engine.map_tasks(math.sqrt, []) == []


def test_an_option_costs_the_same_to_the_last_bit(engine: Engine[Any]):
    function, items = monte_carlo.simulation(OPTION), monte_carlo.blocks(OPTION)
    parts = engine.map_tasks(function, items)
    assert [part.paths for part in parts] == [100] * 20 + [50]
    found = monte_carlo.combine(parts)
    assert found == alone(OPTION)
    assert found.paths == OPTION.paths


def test_one_worker_finds_what_two_find(engine_name: str, tmp_path: Path):
    """In a process of its own, because a process can hold one JVM only."""
    finished = subprocess.run(
        [
            *(sys.executable, "-W", "error", str(ONE_WORKER)),
            *(engine_name, str(tmp_path), OPTION.model_dump_json()),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout.splitlines()[-1])
    expected = alone(OPTION)
    # JSON keeps every bit of a float
    assert found == {
        "price": expected.price,
        "standard_error": expected.standard_error,
        "paths": expected.paths,
    }


def test_the_same_call_is_carried_out_each_time_it_is_asked_for(engine: Engine[Any]):
    first, second = engine.map_tasks(os.urandom, [8, 8])
    assert first != second
    assert engine.map_tasks(os.urandom, [8, 8]) != [first, second]


def test_a_task_has_one_thread(engine: Engine[Any], resources: Resources):
    values = engine.map_tasks(os.getenv, ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"] * 3)
    assert values == ["1"] * 6


def test_what_a_task_raises_is_told_with_its_cause(engine: Engine[Any]):
    with pytest.raises(EngineFailedError, match=f"^{engine.name}: independent tasks: ") as raised:
        engine.map_tasks(math.sqrt, [1.0, -1.0])
    assert raised.value.__cause__ is not None
    # and the session goes on
    assert engine.map_tasks(operator.neg, [1, 2]) == [-1, -2]
