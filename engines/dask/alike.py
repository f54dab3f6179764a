"""Whether a cluster has the versions that this machine has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engines.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# What both sides compute with, or send each other objects of
PACKAGES = (
    "dask",
    "distributed",
    "xgboost",
    "scikit-learn",
    "dask-ml",
    "numpy",
    "pandas",
    "enginebench",
)
# as many differences are named
_FEW = 3


def check(address: str, told: Mapping[str, Any]) -> None:
    """Refuse a cluster whose versions differ.

    Parameters
    ----------
    address : str
        Of the scheduler.
    told : mapping
        What ``distributed.Client.get_versions`` returns, asked for `PACKAGES`. It looks versions up
        where they are by distributed's own means, and works where nothing of ours is installed.

    Raises
    ------
    ClusterError
        With both sides of the first few differences.
    """
    here = told["client"]
    # The scheduler, too: it opens every graph
    places = {"its scheduler": told["scheduler"], **told["workers"]}
    found = [one for where, there in places.items() for one in _differences(where, here, there)]
    if not found:
        return
    more = f" and {len(found) - _FEW} more differences" if len(found) > _FEW else ""
    raise ClusterError(
        f"dask: the cluster at {address} has {'; '.join(found[:_FEW])}{more}: install the same "
        f"versions on both sides."
    )


def _differences(where: str, here: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[str]:
    pythons = [_python(one["host"]["python"]) for one in (here, there)]
    if pythons[0] != pythons[1]:
        yield f"Python {pythons[1]} on {where} and this machine has {pythons[0]}"
    for package in PACKAGES:
        ours, theirs = here["packages"].get(package), there["packages"].get(package)
        if ours == theirs:
            continue
        has = f"no {package}" if theirs is None else f"{package} {theirs}"
        yield f"{has} on {where} and this machine has {ours or 'none'}"


def _python(version: str) -> str:
    """Return major and minor version, by which pickled functions are alike."""
    return ".".join(version.split(".")[:2])
