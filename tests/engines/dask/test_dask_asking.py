"""A scheduler is asked also where an event loop already runs, as in a notebook."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from engines.dask import DaskEngine
from engines.dask.asking import answer
from engines.dask.members import members
from engines.errors import ClusterError
from engines.types import Attachment, Resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from experiments.cluster import Cluster


@pytest.fixture(scope="module")
def cluster(start_cluster: Callable[..., AbstractContextManager[Cluster]]) -> Iterator[Cluster]:
    """One worker of one thread, over TLS."""
    options = ("--engines", "dask", "--workers", "1", "--memory", "1 GiB", "--tls")
    with start_cluster("asking", *options) as made:
        yield made


def in_a_loop(function, *arguments):
    """Call a function as a cell of a notebook does: from a coroutine of a loop that runs."""

    async def cell():
        return function(*arguments)

    return asyncio.run(cell())


def test_a_session_is_opened_on_a_cluster_where_a_loop_runs(cluster: Cluster, tmp_path: Path):
    attachment = Attachment(cluster.dask_address, 60.0, certificates=cluster.certificates)
    resources = Resources(1, 2**30, 1, 1, tmp_path, attachment=attachment)

    def cell():
        with DaskEngine(resources) as engine:
            return engine.facts()

    facts = in_a_loop(cell)
    assert (facts.cores, facts.details["attached"]) == (1, True)


def test_the_workers_of_a_scheduler_are_told_where_a_loop_runs(cluster: Cluster):
    asked = (cluster.dask_address, cluster.certificates, 30.0)
    told = in_a_loop(members, *asked)
    assert len(told) == 1
    assert told == members(*asked)


def test_a_scheduler_that_does_not_answer_is_given_up_in_time_where_a_loop_runs():
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(ClusterError, match="does not tell its workers"):
            in_a_loop(members, address, None, 0.5)
    assert time.monotonic() - began < 10
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("caller", [in_a_loop, lambda function: function()])
def test_what_a_coroutine_raises_is_raised_to_who_waits(caller):
    async def fail():
        await asyncio.sleep(0)
        raise ValueError("told")

    async def last():
        await asyncio.sleep(60)

    with pytest.raises(ValueError, match="told"):
        caller(lambda: answer(fail(), 10.0))
    with pytest.raises(TimeoutError):
        caller(lambda: answer(last(), 0.05))
