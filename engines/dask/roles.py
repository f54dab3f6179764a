"""The processes of a Dask cluster, as commands: a scheduler, and workers with a nanny each.

They are set as a session's own workers are, so that a definition gives the same numbers on either.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from engines.dask.defaults import inherited_defaults
from engines.roles import Role
from engines.threads import THREAD_COUNTS
from engines.types import Certificates

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engines.roles import RoleOptions

# What decides on the placement of rows, on repeated work and on waiting, wherever a cluster runs
SETTINGS: Mapping[str, object] = {
    # Rows stay on the worker that read them: the same placement gives the same numbers
    "distributed.scheduler.work-stealing": False,
    # Rows that were sent to every worker stay there, though one copy would be enough for Dask
    "distributed.scheduler.active-memory-manager.start": False,
    # A fit may hold the interpreter of its worker for as long as it takes; a worker that dies
    # closes its connection
    "distributed.scheduler.worker-ttl": None,
    # A task that took two workers with it is not tried on a third
    "distributed.scheduler.allowed-failures": 1,
    # A task that no worker can take fails instead of waiting for ever
    "distributed.scheduler.no-workers-timeout": "60s",
    "distributed.comm.timeouts.connect": "30s",
    "distributed.comm.timeouts.tcp": "30s",
    # Nobody reads these pages
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.use-file-locking": True,
}
# seconds in which a worker must find its scheduler
_DEATH_TIMEOUT = 60
# What `temporary_certificates` writes
_FILES = ("ca.pem", "cert.pem", "key.pem")


def scheduler(options: RoleOptions) -> Role:
    """Return the command of a scheduler that listens on the host and port given, and nowhere else.

    Its HTTP server, which cannot be left out, has no pages and any port of the host.
    """
    command = (
        *_dask("scheduler", options),
        "--port",
        str(options.port),
    )
    return Role(command, _environment("SCHEDULER", options))


def worker(options: RoleOptions, address: str, name: str) -> Role:
    """Return the command of a worker, with the nanny that starts it again when it dies.

    Parameters
    ----------
    options : RoleOptions
        Threads and memory of the worker; its port, which the nanny has another beside.
    address : str
        Of the scheduler.
    name : str
        Its name in the cluster; a number is sorted as one.
    """
    command = (
        *_dask("worker", options),
        address,
        "--name",
        name,
        "--nthreads",
        str(options.threads),
        "--memory-limit",
        str(options.memory_bytes),
        "--worker-port",
        str(options.port),
        "--nanny-port",
        "0",
        "--local-directory",
        str(options.folder),
        "--death-timeout",
        str(_DEATH_TIMEOUT),
    )
    # A worker runs as many tasks at once as it has threads: a task with a pool of its own besides
    # would multiply them. XGBoost alone trains in one task a worker, and counts threads itself.
    threads = dict.fromkeys(THREAD_COUNTS, "1")
    return Role(command, {**_environment("WORKER", options), **threads})


def temporary_certificates(folder: Path) -> Certificates:
    """Write a certificate that signs itself, with its key, for every party of one cluster.

    Parameters
    ----------
    folder : pathlib.Path
        Existing folder; the files are for their owner alone.

    Returns
    -------
    Certificates
        Good for a year.
    """
    from distributed.security import Security

    made = Security.temporary()
    paths = [folder / name for name in _FILES]
    contents = (made.tls_ca_file, made.tls_scheduler_cert, made.tls_scheduler_key)
    for path, content in zip(paths, contents, strict=True):
        # Never readable by others, not even between its creation and a change of its mode
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(content)
    return Certificates(*(str(path) for path in paths))


def _dask(role: str, options: RoleOptions) -> tuple[str, ...]:
    """Return the beginning of a command line."""
    bracketed = f"[{options.host}]" if ":" in options.host else options.host
    return (
        sys.executable,
        # A folder named dask or engines where the command is given does not hide the library
        "-P",
        "-m",
        "dask",
        role,
        "--host",
        options.host,
        "--protocol",
        "tcp" if options.certificates is None else "tls",
        "--no-dashboard",
        "--dashboard-address",
        f"{bracketed}:0",
    )


def _environment(party: str, options: RoleOptions) -> dict[str, str]:
    """Return the settings as the variables that Dask reads; files of a person count less."""
    settings: dict[str, object] = {
        **SETTINGS,
        "temporary-directory": str(options.folder),
        "distributed.comm.require-encryption": options.certificates is not None,
    }
    files = options.certificates
    if files is not None:
        tls = "distributed.comm.tls"
        settings[f"{tls}.ca-file"] = files.ca_file
        settings[f"{tls}.{party.lower()}.cert"] = files.cert
        settings[f"{tls}.{party.lower()}.key"] = files.key
    own = {
        "DASK_" + key.upper().replace("-", "_").replace(".", "__"): str(value)
        for key, value in settings.items()
    }
    try:
        inherited = inherited_defaults()
    except Exception:  # noqa: BLE001 - a Dask that cannot be imported is told of by the part's log
        inherited = {}
    return {**inherited, **own}
