"""Open an engine, end its session in one of three ways, and print what is left of it.

Run as a program by the tests: engine, prepared dataset, folder for temporary files, ending.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import psutil

from engines import get_engine
from engines.errors import EngineFailedError, SessionError
from engines.prepared import open_prepared
from engines.specs import KMeansSpec, XGBoostSpec
from engines.types import Resources, Source


def run(engine: str, dataset: str, scratch: str, ending: str) -> None:
    """Walk through one session."""
    workers = 1 if engine == "sklearn" else 2
    resources = Resources(
        cores=2,
        memory_bytes=(3 * 2**30 if ending != "failed start" else 2**20),
        workers=workers,
        threads_per_worker=2 // workers,
        scratch=Path(scratch),
    )
    opened = get_engine(engine)(resources)
    if ending == "failed start":
        if engine != "sklearn":  # which has no start that could fail
            try:
                opened.start()
            except SessionError:
                return
            sys.exit("the session started with next to no memory")
        return
    with opened:
        data = opened.load(Source(open_prepared(Path(dataset)), "train"))
        if ending == "fit":
            spec = KMeansSpec(n_clusters=2, init="random", max_iter=2)
            opened.predict(opened.fit_kmeans(spec, data), data)
            return
        try:
            opened.fit_xgboost(XGBoostSpec(task="regression", n_estimators=2), data)
        except EngineFailedError:
            return
        sys.exit("the fit did not fail")


def left() -> dict[str, object]:
    """Return what this process still has, beside itself."""
    this = psutil.Process()
    return {
        "processes": [process.cmdline() for process in this.children(recursive=True)],
        "threads": [
            one.name for one in threading.enumerate() if one is not threading.main_thread()
        ],
        "listening": [
            list(one.laddr) for one in this.net_connections("inet") if one.status == "LISTEN"
        ],
    }


def main() -> None:
    """Print what is left, once nothing goes away any more."""
    before = dict(os.environ)
    run(*sys.argv[1:])
    deadline = time.monotonic() + 5
    while any(left().values()) and time.monotonic() < deadline:
        time.sleep(0.1)
    after = dict(os.environ)
    changed = {
        name: [before.get(name), after.get(name)]
        for name in {*before, *after}
        if before.get(name) != after.get(name)
    }
    files = [str(path) for path in Path(sys.argv[3]).rglob("*")]
    print(json.dumps({**left(), "environment": changed, "files": files}))  # noqa: T201


if __name__ == "__main__":
    main()
