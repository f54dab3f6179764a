"""The parts of a cluster: what each is called, and the process that it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from engines import cluster_roles

if TYPE_CHECKING:
    from engines.roles import Role, RoleOptions

# engine -> what its workers register with
HEADS = {"dask": "scheduler", "spark": "master"}
# what a person names a part by
ROLES = tuple(f"{engine}-{part}" for engine, head in HEADS.items() for part in (head, "worker"))


class Part(NamedTuple):
    """One process of a cluster.

    Attributes
    ----------
    engine : str
        "dask" or "spark".
    number : int
        0 for what the workers register with, and a worker's number from 1.
    """

    engine: str
    number: int

    @property
    def name(self) -> str:
        """How it is called in files and messages, such as ``dask-worker-1``."""
        if self.number == 0:
            return f"{self.engine}-{HEADS[self.engine]}"
        return f"{self.engine}-worker-{self.number}"


def parts_of(engines: tuple[str, ...], workers: int) -> tuple[Part, ...]:
    """Return all parts of a cluster, those that workers register with first."""
    return tuple(Part(engine, number) for number in range(workers + 1) for engine in engines)


def role_of(
    engine: str,
    part: str,
    options: RoleOptions,
    *,
    address: str = "",
    name: str = "",
    web_port: int = 0,
) -> Role:
    """Return a part of a cluster as a process.

    Parameters
    ----------
    engine : str
        "dask" or "spark".
    part : str
        "scheduler", "master" or "worker".
    options : RoleOptions
        What it is given.
    address : str
        For a worker, what it registers with.
    name : str
        For a worker, its name in the cluster.
    web_port : int
        For Spark's master, port of its page on the loopback address; 0 for any.

    Raises
    ------
    EngineError
        If what the process needs is missing.
    """
    module = cluster_roles(engine)
    role: Role
    if part == "worker":
        role = module.worker(options, address, name)
    elif part == "master":
        role = module.master(options, web_port)
    else:
        role = module.scheduler(options)
    return role
