"""Open an engine, end its session in one of some ways, and print what is left of it.

Run as a program by the tests: engine, prepared dataset, folder for temporary files, ending, and
the address of the cluster that the session joins, if it joins one.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from engines import get_engine
from engines.errors import EngineFailedError, SessionError
from engines.prepared import open_prepared
from engines.specs import EstimatorSpec, KMeansSpec, XGBoostSpec
from engines.types import Attachment, Judgement, Resources, Source, Trial

if TYPE_CHECKING:
    from engines.base import Engine
    from engines.prepared import Prepared


SLOW_SECONDS = 0.1
NOBODY = {"dask": "tcp://127.0.0.1:1", "spark": "spark://127.0.0.1:1"}


def run(engine: str, dataset: str, scratch: str, ending: str, address: str = "") -> None:
    """Walk through one session."""
    if address and ending == "failed start":
        address = NOBODY[engine]
    workers = 1 if engine == "sklearn" else 2
    resources = Resources(
        cores=2,
        memory_bytes=(3 * 2**30 if ending != "failed start" else 2**20),
        workers=workers,
        threads_per_worker=2 // workers,
        scratch=Path(scratch),
        attachment=Attachment(address, wait_s=5.0 if address in NOBODY.values() else 60.0)
        if address
        else None,
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
        if ending == "search":
            search(opened, open_prepared(Path(dataset)))
            return
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


@dataclass(frozen=True)
class Slow:
    """Take a while, and tell which process took it."""

    def __call__(self, fit: Any, predict: Any, rows: Any) -> Judgement:
        """Wait for a moment."""
        predict(fit())
        time.sleep(SLOW_SECONDS)
        return Judgement({"pid": float(os.getpid()), "rows": float(len(rows.X))}, 0.0, SLOW_SECONDS)


def search(opened: Engine[Any], prepared: Prepared) -> None:
    """Search while a worker is killed, fit in a loop of processes, and abandon a search."""
    data = opened.load(Source(prepared, "train", "everywhere"))
    spec = KMeansSpec(n_clusters=2, init="random", max_iter=2)
    trials = [Trial(number, fold, spec) for number in range(12) for fold in range(prepared.n_folds)]
    scores = []
    for score in opened.score_candidates(trials, data, Slow()):
        scores.append((score.candidate, score.fold))
        if len(scores) == 5:
            victim = psutil.Process(int(score.judgement.scores["pid"]))
            own = psutil.Process().children(recursive=True)
            if opened.resources.attachment is None and victim not in own:
                sys.exit("the search does not run in processes of the engine")
            # in what it does next: a worker that dies between two trials takes nothing along
            time.sleep(SLOW_SECONDS / 2)
            victim.kill()
    if sorted(scores) != [(one.candidate, one.fold) for one in trials]:
        sys.exit(f"scores are lost or there twice: {sorted(scores)}")
    if len(opened.lost_workers()) != 1:
        sys.exit(f"one worker was killed, and those lost are {opened.lost_workers()}")

    bagging = EstimatorSpec.model_validate(
        {"class": "sklearn.ensemble.BaggingRegressor", "parameters": {"n_estimators": 4}}
    )
    opened.fit_estimator(bagging, opened.load(Source(prepared, "train", "host")))
    opened.map_tasks(math.sqrt, [1.0, 2.0])
    abandoned = opened.score_candidates(trials, data, Slow())
    next(abandoned)
    # it is still there when the session ends
    globals()["abandoned"] = abandoned


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


def shared() -> list[Path]:
    """Return what lies in shared memory by the name of this process."""
    return [path for path in Path("/dev/shm").glob("*") if f"_{os.getpid()}_" in path.name]  # noqa: S108


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
    files = [str(path) for path in (*Path(sys.argv[3]).rglob("*"), *shared())]
    print(json.dumps({**left(), "environment": changed, "files": files}))  # noqa: T201


if __name__ == "__main__":
    main()
