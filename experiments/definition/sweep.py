"""A sweep: dotted keys with the values to try, expanded to points."""

from __future__ import annotations

import copy
import itertools
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from experiments.definition.wording import KeyPath

MOST_POINTS = 1000

# key that says where an engine's cluster is, in a sweep of it -> what an address may have no use
# for, and how an address begins that has
_PLACES = {
    "engines.dask.address": (("tls",), "tls://"),
    "engines.spark.master": (("secret_env", "secret_file", "python"), "spark://"),
}


def count_points(sweep: Mapping[str, Sequence[Any]]) -> int:
    """Return the number of combinations."""
    return math.prod(len(values) for values in sweep.values())


def combinations(sweep: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yield every combination in the order written; the last key varies fastest.

    Without a sweep there is one combination, of nothing.
    """
    for values in itertools.product(*sweep.values()):
        yield dict(zip(sweep, values, strict=True))


def at_point(tree: Mapping[str, Any], point: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a definition's values with those of one point in place, and no sweep.

    Certificates and the like that are given beside a sweep of addresses, such as of ``local`` and
    ``tls://host:port``, are of the points whose address has a use for them.
    """
    placed = {key: copy.deepcopy(value) for key, value in tree.items() if key != "sweep"}
    for key, value in point.items():
        set_value(placed, tuple(key.split(".")), copy.deepcopy(value))
    for key, (companions, scheme) in _PLACES.items():
        address = point.get(key)
        if isinstance(address, str) and not address.startswith(scheme):
            engine = key.rpartition(".")[0]
            options = _section(placed, engine.split("."))
            for one in companions:
                whole = f"{engine}.{one}"
                if not any(other == whole or other.startswith(f"{whole}.") for other in point):
                    options.pop(one, None)
    return placed


def secret_variables(tree: Mapping[str, Any], sweep: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    """Yield the environment variables that a definition says hold secrets, at any point."""
    whole: list[Mapping[str, Any]] = [tree]
    for key, values in sweep.items():
        for value in values:
            alone: dict[str, Any] = {}
            set_value(alone, tuple(key.split(".")), value)
            whole.append(alone)
    for one in whole:
        for options in _section(dict(one), ["engines"]).values():
            name = options.get("secret_env") if isinstance(options, dict) else None
            if isinstance(name, str):
                yield name


def _section(tree: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """Return the section at a path; an empty one where there is none."""
    for key in path:
        below = tree.get(key)
        if not isinstance(below, dict):
            return {}
        tree = below
    return tree


def set_value(tree: dict[str, Any], path: KeyPath, value: Any) -> KeyPath | None:
    """Set the value at a path in place, and create the sections above it that are missing.

    Parameters
    ----------
    tree : dict
        Nested mappings.
    path : tuple of str
        At least one key.
    value : object
        What to put there.

    Returns
    -------
    tuple of str or None
        The path of a value in the way that is no section, when nothing was set.
    """
    section = tree
    for depth, key in enumerate(path[:-1], start=1):
        if section.get(str(key)) is None:
            section[str(key)] = {}
        below = section[str(key)]
        if not isinstance(below, dict):
            return path[:depth]
        section = below
    section[str(path[-1])] = value
    return None
