"""What an executor uses, with all processes below it: watched from beside it, asked from a task.

One sampler a JVM of an executor is forked by the first daemon of Python workers that starts in it.
It is a child of nobody in the executor's tree, so that it is not counted, and ends with the JVM.
One that was killed is replaced by the next task that asks.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import re
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

# tells the daemons that they serve the executors of a cluster
WANTED = "ENGINEBENCH_SPARK_SAMPLER"

# seconds between looks at the memory
PERIOD = 0.25
# To add up proportional sizes takes tens of milliseconds, for the kernel walks all pages. It is
# done when the resident sizes, which are there to be read, have grown by some part, and now and
# then, for pages that are shared no more make the one grow but not the other.
_GROWN = 1.02
_LOOKS_BETWEEN = 8
_LOOKS_BETWEEN_TREES = 4
# In the executor's own working folder. The name is relative, for an absolute one may be too long
# for a socket. A sampler holds a lock on the folder as long as it lives, which makes it the only
# one: the socket of one that was killed stays.
_SOCKET = "enginebench-sampler"
_ANSWER_SECONDS = 10.0
# seconds in which a sampler that was begun listens
_BEGIN_SECONDS = 2.0
_LONGEST = 65536


@dataclass(frozen=True)
class Sample:
    """What an executor says of itself.

    Parameters
    ----------
    executor : str
        Its number.
    host : str
        The machine it is on, as the cluster names it.
    pid : int
        Of its JVM.
    heap_bytes : int
        Greatest heap that the JVM may have; 0 where it does not say.
    java : str
        Version of its runtime, with the modules that matter; empty where it does not say.
    cpu_s : float
        CPU seconds of its tree of processes since it started.
    peak_memory_bytes : int
        Greatest memory (PSS) of the tree since the last question.
    read_bytes, write_bytes : int
        Bytes that came from or reached storage.
    python_workers : int
        Python processes in the tree, without the daemons that fork them.
    watched : bool
        Whether the memory was watched all the time; if not, its peak is at least what is told.
    """

    executor: str
    host: str
    pid: int
    heap_bytes: int
    java: str
    cpu_s: float
    peak_memory_bytes: int
    read_bytes: int
    write_bytes: int
    python_workers: int
    watched: bool


def start(jvm: int) -> None:
    """Fork the sampler of the executor whose JVM this is, unless it has one.

    Parameters
    ----------
    jvm : int
        Process id; the working folder must be the executor's.
    """
    if between := os.fork():
        os.waitpid(between, 0)  # so that the sampler is in no tree and nobody's to reap
        return
    try:
        os.setsid()
        if not os.fork():
            _serve(jvm)
    finally:
        os._exit(0)


def ask() -> Sample:
    """Return what the executor uses that this task runs in, and let the peak start anew.

    Raises
    ------
    OSError
        If no sampler answers.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(_ANSWER_SECONDS)
        _connect(line)
        content = b""
        while part := line.recv(_LONGEST):
            content += part
    return Sample(**json.loads(content))


def _connect(line: socket.socket) -> None:
    """Connect to the sampler, which may only just be starting, or have been killed."""
    import psutil

    deadline = time.monotonic() + _ANSWER_SECONDS
    replace_at = time.monotonic() + _BEGIN_SECONDS
    while True:
        try:
            return line.connect(_SOCKET)
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > deadline:
                raise
            if time.monotonic() > replace_at:
                replace_at = deadline
                # a task runs in a worker, which a daemon has forked, which the JVM has started
                start(psutil.Process(os.getppid()).ppid())
            time.sleep(PERIOD / 10)


def _serve(jvm: int) -> None:
    """Look at the executor, and answer who asks, until its JVM has ended."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # the JVM waits for the ends of the daemon's
        os.dup2(nothing, descriptor)
    for path in tuple(Path("/proc/self/fd").iterdir()):  # and for those of a worker
        if int(path.name) > 2:
            with contextlib.suppress(OSError):  # the list's own
                os.close(int(path.name))
    folder = os.open(".", os.O_RDONLY)
    another = Path(_SOCKET).exists()
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        Path(_SOCKET).unlink(missing_ok=True)
    except BlockingIOError:  # taken
        return
    except OSError:  # no locks there: whoever binds is the only one
        pass
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        try:
            door.bind(_SOCKET)
        except OSError:
            return
        Path(_SOCKET).chmod(0o600)
        door.listen()
        door.settimeout(PERIOD)
        try:
            _watch(jvm, door, watched=not another)
        except Exception:  # noqa: BLE001 - the socket stays, which tells the next one of the gap
            return
        with contextlib.suppress(OSError):
            Path(_SOCKET).unlink()


def _watch(jvm: int, door: socket.socket, *, watched: bool) -> None:
    import psutil

    from engines.usage import usage

    process = psutil.Process(jvm)
    executor, host, heap = _of_command(process.cmdline())
    java = _runtime(process)
    memory = _Peak(jvm)
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        asked = None
        with contextlib.suppress(TimeoutError):
            asked, _ = door.accept()
        if asked is None:
            memory.look()
            continue
        used = usage(jvm)
        with asked:
            asked.settimeout(_ANSWER_SECONDS)
            sample = Sample(
                executor,
                host,
                jvm,
                heap,
                java,
                used.cpu_s,
                max(memory.bytes, used.memory_bytes),
                used.read_bytes,
                used.write_bytes,
                _python_workers(process),
                watched,
            )
            with contextlib.suppress(OSError):
                asked.sendall(json.dumps(asdict(sample)).encode())
                watched = True
        memory.forget()


class _Peak:
    """The greatest memory of a tree of processes."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._looks = 0
        self._processes: list[psutil.Process] = []
        self.forget()

    def forget(self) -> None:
        """Let the peak start anew."""
        self.bytes = 0
        self._resident = 0.0

    def look(self) -> None:
        """Take what is in use now into account."""
        from engines.usage import total, tree

        if self._looks % _LOOKS_BETWEEN_TREES == 0:
            self._processes = tree(self._root)
        resident = sum(map(_resident_bytes, self._processes))
        if resident > self._resident * _GROWN or self._looks % _LOOKS_BETWEEN == 0:
            self._resident = max(resident, self._resident)
            self.bytes = max(self.bytes, total(self._processes).memory_bytes)
        self._looks += 1


def _resident_bytes(process: psutil.Process) -> int:
    import psutil

    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _of_command(command: list[str]) -> tuple[str, str, int]:
    """Return an executor's number, host and heap from the arguments that it was started with."""
    values = dict(itertools.pairwise(command))
    heap = next((found for one in command if (found := re.fullmatch(r"-Xmx(\d+)[mM]", one))), None)
    return (
        values.get("--executor-id", "?"),
        values.get("--hostname", socket.gethostname()),
        int(heap[1]) * 2**20 if heap else 0,
    )


def _runtime(process: psutil.Process) -> str:
    """Return what the file beside a Java runtime says of it."""
    try:
        text = (Path(process.exe()).parents[1] / "release").read_text(encoding="utf-8")
    except (OSError, IndexError):
        return ""
    version = re.search(r'^JAVA_VERSION="(.+)"', text, re.MULTILINE)
    vector = " with jdk.incubator.vector" if "jdk.incubator.vector" in text else ""
    return f"{version[1]}{vector}" if version else ""


def _python_workers(process: psutil.Process) -> int:
    """Count the processes that the daemons below a JVM have forked."""
    import psutil

    workers = 0
    for daemon in process.children():
        with contextlib.suppress(
            psutil.Error
        ):  # it ended meanwhile, which must not end the sampler
            workers += len(daemon.children())
    return workers
