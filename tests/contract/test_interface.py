"""An engine writes the hooks of the interface, as they are, and leaves its public half alone."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from engines.base import Engine
from engines.gaps import Feature
from engines.specs import KMeansSpec

if TYPE_CHECKING:
    from engines.prepared import Prepared

# what an engine may know better than the interface
REPLACEABLE = {"lost_workers"}
HOOKS = sorted(Engine.__abstractmethods__)
PUBLIC = sorted(
    name
    for name, member in vars(Engine).items()
    if not name.startswith("_") and callable(getattr(Engine, name)) and member is not None
)


def test_the_interface_has_hooks_and_public_methods():
    assert {"_fit_kmeans", "_load", "_start", "_stop"} <= set(HOOKS)
    assert {"fit_kmeans", "load", "start", "stop", "facts", "parameters"} <= set(PUBLIC)


@pytest.mark.parametrize("hook", [*HOOKS, "_translate", "lost_workers"])
def test_a_hook_takes_what_the_interface_says(engine_class: type[Engine[Any]], hook: str):
    expected = inspect.signature(getattr(Engine, hook)).parameters
    found = inspect.signature(getattr(engine_class, hook)).parameters
    assert list(found) == list(expected)
    assert [one.kind for one in found.values()] == [one.kind for one in expected.values()]
    assert [one.default for one in found.values()] == [one.default for one in expected.values()]


@pytest.mark.parametrize("method", [name for name in PUBLIC if name not in REPLACEABLE])
def test_a_public_method_is_the_interfaces_own(engine_class: type[Engine[Any]], method: str):
    owner = next(one for one in engine_class.__mro__ if method in vars(one))
    assert owner is Engine


def test_an_engine_has_its_own_name(engine_class: type[Engine[Any]], engine_name: str):
    assert engine_class.name == engine_name
    assert engine_class.title


def test_a_gap_is_found_before_anything_runs(engine_class: type[Engine[Any]], blobs: Prepared):
    by_init = {
        "k-means++": Feature.KMEANS_INIT_PLUS_PLUS,
        "k-means||": Feature.KMEANS_INIT_PARALLEL,
        "random": Feature.KMEANS_INIT_RANDOM,
    }
    for init, feature in by_init.items():
        met = engine_class.gap_for(KMeansSpec(n_clusters=2, init=init))
        assert (met is not None) == (feature in engine_class.gaps)
