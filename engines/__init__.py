"""Engines that run the same machine-learning steps: scikit-learn, Dask and Spark.

Importing this package loads no engine; `get_engine` does, on use.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from engines.errors import EngineNotInstalledError, SpecError

if TYPE_CHECKING:
    from types import ModuleType

    from engines.base import Engine

__all__ = [
    "cluster_configuration",
    "cluster_members",
    "cluster_roles",
    "engine_names",
    "get_engine",
    "least_memory",
    "missing_libraries",
]

# name -> (module, class, libraries it needs, extra that installs them)
_ENGINES = {
    "sklearn": ("engines.sklearn", "SklearnEngine", ("sklearn", "xgboost"), None),
    "dask": ("engines.dask", "DaskEngine", ("dask", "distributed", "dask_ml", "xgboost"), "dask"),
    "spark": ("engines.spark", "SparkEngine", ("pyspark", "xgboost"), "spark"),
}


def engine_names() -> tuple[str, ...]:
    """Return the names of all engines, the baseline first."""
    return tuple(_ENGINES)


def missing_libraries(name: str) -> tuple[str, ...]:
    """Return the libraries of an engine that are not installed, without importing any."""
    libraries = _entry(name)[2]
    return tuple(library for library in libraries if importlib.util.find_spec(library) is None)


def least_memory(name: str, workers: int) -> int:
    """Return the memory that an engine needs to start, without importing its libraries.

    Parameters
    ----------
    name : {"sklearn", "dask", "spark"}
        Which engine.
    workers : int
        Number of its workers.

    Returns
    -------
    int
        Bytes of the whole process tree, before it holds any data.
    """
    session = importlib.import_module(f"{_entry(name)[0]}.session")
    needed: int = session.least_memory(workers)
    return needed


def cluster_roles(name: str) -> ModuleType:
    """Return the module with the processes of an engine's cluster.

    Parameters
    ----------
    name : {"dask", "spark"}
        Which engine.
    """
    return importlib.import_module(f"{_entry(name)[0]}.roles")


def cluster_members(name: str) -> ModuleType:
    """Return the module that asks a cluster of an engine which workers it has.

    Parameters
    ----------
    name : {"dask", "spark"}
        Which engine.
    """
    return importlib.import_module(f"{_entry(name)[0]}.members")


def cluster_configuration(name: str) -> ModuleType | None:
    """Return the module that asks an engine's own configuration files for a cluster.

    Parameters
    ----------
    name : {"dask"}
        Which engine; the others are not asked.

    Returns
    -------
    module or None
        None where the engine's libraries are not installed.
    """
    if missing_libraries(name):
        return None
    return importlib.import_module(f"{_entry(name)[0]}.configuration")


def get_engine(name: str) -> type[Engine[Any]]:
    """Import an engine and return its class.

    Parameters
    ----------
    name : {"sklearn", "dask", "spark"}
        Which engine.

    Returns
    -------
    type
        A subclass of `engines.base.Engine`.

    Raises
    ------
    SpecError
        If there is no engine of that name.
    EngineNotInstalledError
        If a library that the engine needs is not installed.
    """
    module, class_name, _, extra = _entry(name)
    if missing := missing_libraries(name):
        install = f"enginebench[{extra}]" if extra else "enginebench"
        raise EngineNotInstalledError(
            f"The engine {name} needs {', '.join(missing)}; install it with "
            f"pip install '{install}'."
        )
    engine: type[Engine[Any]] = getattr(importlib.import_module(module), class_name)
    return engine


def _entry(name: str) -> tuple[str, str, tuple[str, ...], str | None]:
    try:
        return _ENGINES[name]
    except KeyError:
        raise SpecError(
            f"There is no engine {name!r}; choose from {', '.join(_ENGINES)}."
        ) from None
