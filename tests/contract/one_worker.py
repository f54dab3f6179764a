"""Price an option on one worker of an engine, and print the estimate.

Run as a program by the tests: engine, folder for temporary files, JSON of the specification.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from engines import get_engine, monte_carlo
from engines.specs import TasksSpec
from engines.types import Resources


def main() -> None:
    """Run all blocks in one session."""
    engine, scratch, spec = sys.argv[1:]
    asked = TasksSpec.model_validate_json(spec)
    resources = Resources(
        cores=1, memory_bytes=3 * 2**30, workers=1, threads_per_worker=1, scratch=Path(scratch)
    )
    with get_engine(engine)(resources) as opened:
        parts = opened.map_tasks(monte_carlo.simulation(asked), monte_carlo.blocks(asked))
    print(json.dumps(dataclasses.asdict(monte_carlo.combine(parts))))  # noqa: T201


if __name__ == "__main__":
    main()
