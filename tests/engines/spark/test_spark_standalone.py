"""How cores and memory of a cluster are shared out, and how its roles are started."""

from __future__ import annotations

import socket
import time

import pytest

from engines.errors import ClusterError
from engines.loopback import is_loopback
from engines.roles import RoleOptions
from engines.spark import roles
from engines.spark.attached import warnings_of
from engines.spark.standalone import (
    Worker,
    cores_of_executor,
    heap_of_executor,
    host_and_port,
    own_host,
    slots_of,
)
from engines.types import Attachment

GIB = 2**30


def workers(*cores: int) -> list[Worker]:
    return [Worker(f"worker-{n}", "10.0.0.1", one, GIB) for n, one in enumerate(cores)]


@pytest.mark.parametrize(
    ("slots", "threads", "cores", "expected"),
    [
        (2, 1, (1, 1), 1),  # one on each
        (2, 1, (2, 2), 1),  # spread, although one has enough
        (4, 1, (2, 2), 2),
        (2, 2, (2, 2), 2),
        (2, 2, (4,), 4),  # both tasks in the one executor
        (3, 1, (2, 2), 1),  # no equal shares on two: three executors
        (2, 1, (4, 1, 1), 1),
        (4, 1, (4, 1), 4),  # equal shares only on the large one
    ],
)
def test_executors_have_equal_shares_on_as_many_workers_as_can(slots, threads, cores, expected):
    assert cores_of_executor(slots, threads, workers(*cores)) == expected


def test_a_core_that_no_task_fits_on_is_no_slot():
    assert slots_of(workers(3, 1), 2) == 1
    assert slots_of(workers(3, 1), 1) == 4


def test_the_heap_is_shared_where_a_worker_gets_several_executors():
    assert heap_of_executor(2, 1, 1, workers(1, 1), 0.5) == GIB // 2
    assert heap_of_executor(3, 1, 1, workers(2, 2), 0.5) == GIB // 4


def test_a_name_that_cannot_be_looked_up_just_now_is_looked_up_again(monkeypatch):
    look_up, failures = socket.getaddrinfo, [socket.EAI_AGAIN] * 2

    def fail_first(*args, **options):
        if failures:
            raise socket.gaierror(failures.pop(), "Temporary failure in name resolution")
        return look_up(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", fail_first)
    with socket.create_server(("127.0.0.1", 0)) as master:
        port = master.getsockname()[1]
        assert own_host(f"spark://localhost:{port}", time.monotonic() + 30.0) == "127.0.0.1"
    assert not failures


@pytest.mark.parametrize(
    "address", ["spark://host", "tcp://host:7077", "host:7077", "spark://h:70770", "spark://:1"]
)
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ClusterError, match=r"give spark://host:port\.$"):
        host_and_port(address)


def test_where_nothing_listens_is_told_within_the_time_out():
    started = time.monotonic()
    with pytest.raises(
        ClusterError, match=r"no master answers at spark://127\.0\.0\.1:1, .*refused"
    ):
        own_host("spark://127.0.0.1:1", started + 1.0)
    assert 0.5 < time.monotonic() - started < 5.0


def test_a_host_that_does_not_exist_is_told_at_once():
    started = time.monotonic()
    with pytest.raises(ClusterError, match=r"there is no host 'nowhere\.invalid'"):
        own_host("spark://nowhere.invalid:7077", started + 60.0)
    assert time.monotonic() - started < 50.0


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("10.0.0.5", False), ("m", False)],
)
def test_what_is_loopback(host, expected):
    assert is_loopback(host) is expected


def test_a_plain_connection_beyond_loopback_is_warned_of():
    plain = Attachment("spark://10.0.0.5:7077", 1.0)
    secret = Attachment("spark://10.0.0.5:7077", 1.0, secret_variable="S")  # noqa: S106
    here = Attachment("spark://127.0.0.1:7077", 1.0)
    (warning,) = warnings_of(plain, {"17"}, "17")
    assert "spark://10.0.0.5:7077 without encryption" in warning
    assert warnings_of(here, {"17"}, "17") == ()
    # XGBoost's workers talk to each other by a way of their own
    (xgboost,) = warnings_of(secret, {"17"}, "17")
    assert xgboost.startswith("XGBoost's workers sent each other sums over rows without encryption")


def test_executors_on_another_java_are_warned_of():
    here = Attachment("spark://127.0.0.1:7077", 1.0)
    (warning,) = warnings_of(here, {"17", "21"}, "17")
    assert warning.startswith("Executors ran on Java 21, and the driver on Java 17")


def test_no_role_shows_its_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDS_IT", "never-to-be-shown")
    options = RoleOptions("127.0.0.1", 7077, tmp_path, secret_variable="HOLDS_IT")  # noqa: S106
    for role in (
        roles.master(options),
        roles.worker(options, "spark://127.0.0.1:7077", "worker"),
    ):
        assert role.environment[roles.SECRET] == "never-to-be-shown"
        assert "never-to-be-shown" not in " ".join(role.command)
        assert "never-to-be-shown" not in repr(role)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert all(b"never-to-be-shown" not in path.read_bytes() for path in files)


def test_a_role_whose_secret_is_not_set_is_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("HOLDS_IT", raising=False)
    options = RoleOptions("127.0.0.1", 7077, tmp_path, secret_variable="HOLDS_IT")  # noqa: S106
    with pytest.raises(ClusterError, match="HOLDS_IT is not set"):
        roles.master(options)


def test_a_role_can_be_made_again_in_the_same_folder(tmp_path):
    options = RoleOptions("127.0.0.1", 7077, tmp_path)
    assert roles.master(options) == roles.master(options)
