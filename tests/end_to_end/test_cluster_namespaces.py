"""Client, scheduler and workers on machines of their own, as far as one machine can play several.

Each is a network namespace with an address on a bridge, and reaches the others by nothing else.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.records import read_records

COMMAND = str(Path(sys.executable).with_name("enginebench"))
EXPERIMENT = """
name: on-machines
dataset: {source: blobs, n_samples: 2000, n_features: 5, centers: 4, cluster_std: 3, seed: 1}
workload: {kind: kmeans, n_clusters: 4, init: shared, max_iter: 10}
engines: {dask: {workers: 2}, spark: {workers: 2}}
resources: {cores: 2, memory: 4 GiB}
measure: {rounds: 1, warm_repeats: 0, timeout: 3 min}
metrics: [inertia]
"""
MACHINES = ("client", "head", "one", "two")
# of those that are kept for documentation, so that nothing real has it
NETWORK = "198.51.100"


def ip(*arguments):
    return subprocess.run(
        ["ip", *arguments],  # noqa: S607 - wherever this system has it
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )


class Machines:
    """Namespaces that a bridge in one more of them connects."""

    def __init__(self):
        # names of interfaces have 15 characters
        self._prefix = f"eb{os.getpid()}"
        self._made = []

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *failure):
        for name in self._made[::-1]:
            # ends what may still run there
            for pid in ip("netns", "pids", name).stdout.split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            # with its interfaces, of which each takes its other end with it
            ip("netns", "delete", name)

    def _build(self):
        between = self._name("between")
        self._add(between)
        ip("-n", between, "link", "add", "bridge0", "type", "bridge")
        ip("-n", between, "link", "set", "bridge0", "up")
        for number, machine in enumerate(MACHINES):
            name = self._name(machine)
            self._add(name)
            port = f"port{number}"
            ip("-n", between, "link", "add", port, "type", "veth",
               "peer", "name", "eth0", "netns", name)  # fmt: skip
            ip("-n", between, "link", "set", port, "master", "bridge0", "up")
            ip("-n", name, "address", "add", f"{self.address(machine)}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")

    def _add(self, name):
        ip("netns", "add", name)
        self._made.append(name)
        ip("-n", name, "link", "set", "lo", "up")

    def _name(self, machine):
        return f"{self._prefix}-{machine}"

    @staticmethod
    def address(machine):
        return f"{NETWORK}.{10 + MACHINES.index(machine)}"

    def on(self, machine, *command):
        """Return a command that runs on a machine."""
        return ["ip", "netns", "exec", self._name(machine), *map(str, command)]

    def listening(self, machine):
        """Return the addresses that anything on a machine listens on."""
        done = subprocess.run(
            self.on(machine, "ss", "-Hltn"), capture_output=True, text=True, timeout=20, check=True
        )
        sockets = (line.split()[3].rpartition(":")[0] for line in done.stdout.splitlines())
        return {one.strip("[]").removeprefix("::ffff:") for one in sockets}


@pytest.fixture(scope="module")
def machines():
    """Build the machines, or skip with the reason why that cannot be."""
    for command in ("ip", "ss"):
        if shutil.which(command) is None:
            pytest.skip(f"network namespaces need the command {command}, and it is not here")
    made = Machines()
    try:
        made.__enter__()
    except subprocess.CalledProcessError as exc:
        pytest.skip(f"network namespaces cannot be made here: {exc.stderr.strip()}")
    with contextlib.ExitStack() as ending:
        ending.push(made)
        yield made


@pytest.fixture(scope="module")
def clusters(machines, tmp_path_factory):
    """Run a scheduler and a master on one machine, and workers of both on two others."""
    logs = tmp_path_factory.mktemp("logs")
    addresses = {
        "dask": f"tcp://{machines.address('head')}:8786",
        "spark": f"spark://{machines.address('head')}:7077",
    }
    roles = [("head", "dask-scheduler", None), ("head", "spark-master", None)]
    for worker in ("one", "two"):
        roles += [(worker, f"{engine}-worker", addresses[engine]) for engine in addresses]
    with contextlib.ExitStack() as ending:
        running = []
        ending.callback(end, running)
        for machine, role, address in roles:
            command = [COMMAND, "cluster", "role", role, "--host", machines.address(machine)]
            if address is not None:
                command += ["--address", address, "--name", machine]
            with (logs / f"{machine}-{role}").open("w") as log:
                running.append(
                    subprocess.Popen(machines.on(machine, *command), stdout=log, stderr=log)
                )
        yield addresses, logs, running


def end(running):
    """End the parts as a container engine does; each must do so cleanly and soon."""
    for process in running[::-1]:
        process.terminate()
    codes = []
    for process in running:
        try:
            codes.append(process.wait(timeout=20))
        except subprocess.TimeoutExpired:
            process.kill()
            codes.append(process.wait())
    assert set(codes) <= {0}


@pytest.fixture(scope="module")
def finished(machines, clusters, tmp_path_factory):
    """Run the experiment from the client's machine; return its records, and who listened where."""
    addresses, logs, running = clusters
    folder = tmp_path_factory.mktemp("client")
    (folder / "experiment.yaml").write_text(EXPERIMENT)
    command = [COMMAND, "run", "experiment.yaml", "--output", "run"]
    with subprocess.Popen(
        machines.on("client", *command),
        cwd=folder,
        env={
            **os.environ,
            "DASK_SCHEDULER_ADDRESS": addresses["dask"],
            "SPARK_MASTER": addresses["spark"],
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        listened = {machine: set() for machine in MACHINES}
        deadline = time.monotonic() + 400
        while run.poll() is None and time.monotonic() < deadline:
            for machine in MACHINES:
                listened[machine] |= machines.listening(machine)
            time.sleep(0.5)
        if run.poll() is None:
            run.kill()
        said = run.communicate()[0]
    told = {path.name: path.read_text()[-500:] for path in logs.iterdir()}
    assert run.returncode == 0, (said, told)
    assert all(process.poll() is None for process in running), told
    return read_records(folder / "run" / "records.jsonl"), listened


def test_client_scheduler_and_workers_need_not_share_a_machine(finished, machines):
    records, _ = finished
    assert [(record.engine, record.outcome) for record in records] == [
        ("dask", "completed"),
        ("spark", "completed"),
    ]
    first, second = (record.metrics["inertia"] for record in records)
    assert first == pytest.approx(second, rel=1e-9)
    for record in records:
        (fit,) = (phase for phase in record.phases if phase.name == "fit")
        assert {share.host for share in fit.workers} == {
            machines.address("one"),
            machines.address("two"),
        }
        assert all(share.cpu_s > 0 for share in fit.workers)


def test_what_is_sent_in_the_open_between_machines_is_a_warning(finished, machines):
    for record in finished[0]:
        (told,) = (text for text in record.warnings if "without encryption" in text)
        assert machines.address("head") in told


def test_every_machine_listens_on_its_own_address_alone(finished, machines):
    for machine, addresses in finished[1].items():
        assert addresses <= {machines.address(machine), "127.0.0.1", "::1"}, machine
    assert machines.address("head") in finished[1]["head"]
