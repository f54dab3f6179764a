"""The commands of compose.yaml, run on this machine: clusters that a client finds by its variables.

Names of containers become 127.0.0.1, their ports free ones, and their folders temporary ones;
nothing else of a command, a variable or a check of health is changed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psutil
import pytest

UP_SECONDS = 120
HOSTS = ("dask-scheduler", "spark-master")
WORKERS = ("dask-worker", "spark-worker")
# what the image sets beside the variables of a service; see the Dockerfile
FOLDERS = ("/run/secrets", "/data", "/cache", "/scratch")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@dataclass
class Stack:
    """The containers of compose.yaml as processes of this machine.

    Parameters
    ----------
    services : dict
        Of compose.yaml.
    folder : Path
        Holds what is a file or a folder in a container.
    checks : Path
        The probe of the image.
    """

    services: dict
    folder: Path
    checks: Path
    ports: dict = field(default_factory=dict)
    running: list = field(default_factory=list)

    def here(self, text, own=()):
        """Return a word or a variable of a service with names, folders and ports replaced.

        `own` has the ports that no other container shares, and what stands for each.
        """
        for host in HOSTS:
            text = text.replace(f"//{host}:", "//127.0.0.1:").replace(f"={host}", "=127.0.0.1")
        for folder in FOLDERS:
            text = re.sub(rf"(^|=){folder}\b", rf"\g<1>{self.folder}{folder}", text)
        found = re.search(r"(?<=:)[0-9]{4}$|(?<=^--port=)[0-9]{4}$", text)
        if found is None:
            return text
        port = found[0]
        return text.removesuffix(port) + str(dict(own).get(port) or self.shared(port))

    def shared(self, port):
        """Return the port that stands for one, the same for all that name it."""
        return self.ports.setdefault(port, free_port())

    def environment(self, name):
        """Return the variables of a container: the image's and those of its service."""
        scratch = self.folder / "scratch" / name
        scratch.mkdir(parents=True, exist_ok=True)
        given = self.services[name].get("environment", {})
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "ENGINEBENCH_CACHE": f"{self.folder}/cache",
            # Java that starts quickly, where the tests have set one
            **{key: os.environ[key] for key in ("JAVA_HOME",) if key in os.environ},
            # what has no value is the person's own, who has none here
            **{key: self.here(value) for key, value in given.items() if value is not None},
        }

    def start(self, name, number):
        """Start one container of a service, and return what waits until it is healthy."""
        service = self.services[name]
        # a port of a worker is its own: two containers may have the same, two processes not
        own = {"8788": free_port(), "7078": free_port()}
        command = [self.here(word, own) for word in service["command"]]
        log = self.folder / f"{name}-{number}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                command,
                env=self.environment(name),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.running.append((name, process))
        test = service["healthcheck"]["test"][2:]
        check = [str(self.checks), *(self.here(word, own) for word in test)]

        def wait():
            deadline = time.monotonic() + UP_SECONDS
            while subprocess.run(check, capture_output=True, check=False, timeout=30).returncode:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)

        return wait

    def stop(self):
        """Stop all as Docker does, and return what each ended with and what is left of it."""
        ended = []
        for name, process in reversed(self.running):
            below = tree(process.pid)[1:] if process.poll() is None else []
            process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(timeout=20)  # stop_grace_period
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait(timeout=20)
            _, left = psutil.wait_procs(below, timeout=2)
            for one in left:
                one.kill()
            ended.append((name, code, len(left)))
        self.running.clear()
        return ended


@pytest.fixture(scope="module")
def stack(compose, root, tmp_path_factory):
    """Both clusters, with the workers that compose.yaml asks for."""
    folder = tmp_path_factory.mktemp("containers")
    maker = folder / "docker"
    maker.mkdir()
    shutil.copy(root / "docker" / "make-secrets", maker)
    subprocess.run([str(maker / "make-secrets")], check=True, capture_output=True, timeout=60)
    (folder / "run").mkdir()
    (maker / "secrets").rename(folder / "run" / "secrets")
    (folder / "data").mkdir()
    stack = Stack(compose["services"], folder, root / "docker" / "healthy")
    with ExitStack() as undo:
        undo.callback(stack.stop)
        for together in (HOSTS, WORKERS):
            waiting = [
                stack.start(name, number)
                for name in together
                for number in range(stack.services[name].get("deploy", {}).get("replicas", 1))
            ]
            for wait in waiting:
                wait()
        yield stack


@pytest.fixture(scope="module")
def run(stack):
    """Run an experiment on one engine as the client does, once: its process and its results."""

    @cache
    def run(engine):
        results = stack.folder / "results" / engine
        command = [
            "enginebench", "run", "kmeans-digits", "--engines", engine, "--output", str(results),
            "--set", "measure.warm_repeats=0", "--set", "resources.memory=2 GiB",
            "--set", f"engines.{engine}.wait=2 min",
        ]  # fmt: skip
        done = subprocess.run(
            command,
            env=stack.environment("client"),
            cwd=stack.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        return done, results

    return run


def tree(pid):
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def listened_on(processes):
    return {
        (connection.laddr.ip.removeprefix("::ffff:"), connection.laddr.port)
        for one in processes
        for connection in one.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


@pytest.mark.parametrize(
    ("engine", "variable"), [("dask", "DASK_SCHEDULER_ADDRESS"), ("spark", "SPARK_MASTER")]
)
def test_a_client_runs_on_the_cluster_that_its_variables_name(run, engine, variable):
    done, results = run(engine)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"(from {variable})" in done.stderr
    (records,) = results.rglob("records.jsonl")
    for line in records.read_text().splitlines():
        record = json.loads(line)
        assert (record["engine"], record["outcome"]) == (engine, "completed")
        assert record["facts"]["cores"] == 2
        details = record["facts"]["details"]
        assert details["attached"] is True
        assert details["encrypted"] is True
        assert len(details["workers"]) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("dask-worker", "--address", "tcp://nowhere.invalid:8786"),
            "error: --host auto: nowhere.invalid cannot be reached from this machine (",
        ),
        (("dask-scheduler",), "error: --host: auto is no address of this machine that can be "),
    ],
)
def test_only_a_worker_finds_its_own_address_and_says_when_it_cannot(arguments, said):
    enginebench = str(Path(sys.executable).parent / "enginebench")
    done = subprocess.run(
        [enginebench, "cluster", "role", *arguments, "--host", "auto"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_prepared_data_is_where_all_containers_see_it(run, stack):
    run("dask")
    assert list((stack.folder / "data").rglob("dataset.json"))


def test_no_secret_is_written_down_or_on_a_command_line(run, stack):
    told = [run(engine)[0] for engine in ("dask", "spark")]
    secrets = [
        (stack.folder / "run" / "secrets" / name).read_text().strip().splitlines()
        for name in ("spark-secret", "tls/key.pem")
    ]
    words = [line for lines in secrets for line in lines if not line.startswith("-----")]
    assert len(words) > 3
    files = [*stack.folder.glob("*.log"), *(stack.folder / "results").rglob("*")]
    written = [done.stdout + done.stderr for done in told]
    written += [path.read_bytes().decode("utf-8", "replace") for path in files if path.is_file()]
    command_lines = []
    for _, process in stack.running:
        for one in tree(process.pid):
            with suppress(psutil.Error):  # an executor of the run may just have ended
                command_lines.append(" ".join(one.cmdline()))
    assert len(command_lines) > len(stack.running)
    for word in words:
        assert not any(word in text for text in (*written, *command_lines))


def test_the_parts_listen_on_the_address_given_and_end_when_docker_says_so(stack):
    processes = [one for _, role in stack.running for one in tree(role.pid)]
    heard = listened_on(processes)
    assert len(heard) > len(stack.running)
    assert {ip for ip, _ in heard} == {"127.0.0.1"}
    count = len(stack.running)
    ended = stack.stop()
    assert len(ended) == count == 6
    assert {(code, left) for _, code, left in ended} == {(0, 0)}
    assert not any(one.is_running() for one in processes)
    for path in (stack.folder / "scratch").iterdir():
        assert not list(path.glob("enginebench-*")), path
