"""The probe of a container tells what listens and what is connected, and connects to nothing."""

from __future__ import annotations

import socket
import subprocess

import pytest


@pytest.fixture
def healthy(root):
    """Run the probe: its exit code and what it said."""

    def probe(*conditions):
        done = subprocess.run(
            [str(root / "docker" / "healthy"), *conditions],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return done.returncode, done.stderr

    return probe


@pytest.fixture(params=["127.0.0.1", "::1"])
def listening(request):
    """Return a socket that listens on loopback."""
    try:
        family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
        server = socket.create_server((request.param, 0), family=family)
    except OSError as exc:
        pytest.skip(f"there is no such loopback address here: {exc}")
    with server:
        yield server


def test_a_port_that_is_listened_on_is_healthy_and_is_not_connected_to(healthy, listening):
    assert healthy(f"listening:{listening.getsockname()[1]}") == (0, "")
    listening.settimeout(0.2)
    with pytest.raises(TimeoutError):
        listening.accept()


def test_a_port_that_nothing_listens_on_is_not_healthy(healthy, listening):
    port = listening.getsockname()[1]
    listening.close()
    assert healthy(f"listening:{port}") == (
        1,
        f"enginebench-healthy: nothing listens on port {port}\n",
    )


def test_a_connection_counts_from_the_side_that_made_it(healthy, listening):
    port = listening.getsockname()[1]
    assert healthy(f"connected:{port}") == (
        1,
        f"enginebench-healthy: nothing is connected to port {port}\n",
    )
    with socket.create_connection(listening.getsockname()[:2]) as client:
        assert healthy(f"connected:{port}", f"listening:{port}") == (0, "")
        assert client.fileno() >= 0


def test_one_condition_that_does_not_hold_is_enough(healthy, listening):
    port = listening.getsockname()[1]
    code, said = healthy(f"listening:{port}", f"connected:{port}")
    assert code == 1
    assert "is connected to" in said


@pytest.mark.parametrize("wrong", ["", "8786", "listening:", "listening:87x6", "open:8786"])
def test_a_condition_that_is_none_is_never_healthy(healthy, wrong):
    code, said = healthy(wrong)
    assert code == 1
    assert said.count("\n") == 1


def test_no_condition_at_all_is_never_healthy(healthy):
    assert healthy() == (
        1,
        "enginebench-healthy: name what must hold, such as listening:8786\n",
    )
