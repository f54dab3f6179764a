"""Sessions: what is granted is what was asked, and nothing is left of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from engines.errors import SessionError
from engines.specs import KMeansSpec
from engines.types import Source

if TYPE_CHECKING:
    from engines.base import Engine
    from engines.prepared import Prepared
    from engines.types import Attachment, Data, Resources

LEFT_BEHIND = Path(__file__).with_name("left_behind.py")
NOTHING = {"processes": [], "threads": [], "listening": [], "environment": {}, "files": []}


def test_nothing_works_without_a_session(
    engine_class: type[Engine[Any]], resources: Resources, blobs: Prepared
):
    closed = engine_class(resources)
    with pytest.raises(SessionError, match="needs a session"):
        closed.load(Source(blobs, "train"))
    with pytest.raises(SessionError, match="needs a session"):
        closed.facts()


def test_fitting_needs_a_session(
    engine_class: type[Engine[Any]], resources: Resources, train: Data[Any]
):
    closed = engine_class(resources)
    spec = KMeansSpec(n_clusters=2, init="random")
    with pytest.raises(SessionError, match="needs a session"):
        closed.fit_kmeans(spec, train)


def test_stopping_what_never_started_does_nothing(
    engine_class: type[Engine[Any]], resources: Resources
):
    closed = engine_class(resources)
    closed.stop()
    closed.stop()


def test_a_running_session_is_not_started_again(engine: Engine[Any]):
    with pytest.raises(SessionError, match="running already"):
        engine.start()


def test_facts_count_what_was_asked(engine: Engine[Any], resources: Resources):
    facts = engine.facts()
    assert facts.cores == resources.cores
    assert facts.workers == resources.workers
    assert facts.threads_per_worker == resources.threads_per_worker
    assert 0 < facts.memory_bytes <= resources.memory_bytes
    assert facts.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert "xgboost" in facts.versions
    json.dumps(facts.details)


def test_no_process_may_run_more_native_threads_than_it_was_given(
    engine: Engine[Any], resources: Resources
):
    threads = dict(engine.facts().native_threads)
    assert threads.pop("driver") <= resources.cores
    expected = 0 if engine.name == "sklearn" else resources.workers
    assert list(threads.values()) == [resources.threads_per_worker] * expected


def test_no_worker_is_lost_in_an_ordinary_session(engine: Engine[Any]):
    assert engine.lost_workers() == ()


def test_nothing_listens_beyond_this_machine(engine: Engine[Any], train: Data[Any]):
    this = psutil.Process()
    for process in (this, *this.children(recursive=True)):
        for connection in process.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                # Java writes 127.0.0.1 as an address of IPv6
                address = connection.laddr.ip.removeprefix("::ffff:")
                assert address in {"127.0.0.1", "::1"}, process.cmdline()


@pytest.mark.parametrize("ending", ["fit", "failure", "failed start"])
def test_nothing_is_left_after_stopping(
    engine_name: str,
    missing_labels: Prepared,
    tmp_path: Path,
    ending: str,
    attachment: Attachment | None,
):
    assert _left_behind(engine_name, missing_labels, tmp_path, ending, attachment) == NOTHING


def test_a_killed_worker_loses_no_score_and_nothing_is_left_of_a_search(
    engine_name: str, folded_regression: Prepared, tmp_path: Path, attachment: Attachment | None
):
    """See `left_behind.search`; the session ends while another search is under way."""
    left = _left_behind(engine_name, folded_regression, tmp_path, "search", attachment)
    assert left == NOTHING


def _left_behind(
    engine_name: str,
    prepared: Prepared,
    scratch: Path,
    ending: str,
    attachment: Attachment | None,
) -> dict[str, object]:
    script = [sys.executable, "-W", "error", str(LEFT_BEHIND)]
    joined = [] if attachment is None else [attachment.address]
    finished = subprocess.run(
        [*script, engine_name, str(prepared.path), str(scratch), ending, *joined],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
    )
    assert finished.returncode == 0, finished.stderr
    # joblib tells at exit of shared folders that it finds nobody responsible for
    assert "joblib_memmapping" not in finished.stderr, finished.stderr
    assert not [one for one in psutil.process_iter() if str(scratch) in _command(one)]
    left: dict[str, object] = json.loads(finished.stdout.splitlines()[-1])
    return left


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
