"""The long-running processes that a cluster consists of, as commands that start them.

The same commands start a cluster in the background on one machine, and each of its parts in the
foreground of a container.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from engines.types import Certificates


@dataclass(frozen=True)
class Role:
    """One process of a cluster.

    Parameters
    ----------
    command : tuple of str
        Program and arguments. No argument holds a secret: all users of a machine see them.
    environment : dict
        Variables to be set for it, beside those of whoever starts it.
    """

    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict, repr=False)  # it may hold a secret


@dataclass(frozen=True)
class RoleOptions:
    """What the processes of a cluster have in common.

    Parameters
    ----------
    host : str
        Address to listen on, and that others of the cluster reach it by.
    port : int
        Port to listen on; 0 for a worker to take any.
    folder : pathlib.Path
        Folder for what it writes; whoever starts it removes it.
    threads : int
        Threads (Dask) or cores (Spark) of a worker.
    memory_bytes : int
        Memory of a worker.
    certificates : Certificates, optional
        With them Dask's processes talk TLS, and nothing else.
    secret_variable : str, optional
        Environment variable with the secret by which Spark's processes authenticate; they also
        encrypt what they send then.
    """

    host: str
    port: int
    folder: Path
    threads: int = 1
    memory_bytes: int = 2**30
    certificates: Certificates | None = None
    secret_variable: str | None = None


@dataclass(frozen=True)
class Member:
    """A worker, as its scheduler or master knows it.

    Parameters
    ----------
    name : str
        Its name in the cluster.
    host : str
        Where it listens.
    port : int
        On which port.
    cores : int
        Threads (Dask) or cores (Spark).
    memory_bytes : int
        What it has for work.
    """

    name: str
    host: str
    port: int
    cores: int
    memory_bytes: int
