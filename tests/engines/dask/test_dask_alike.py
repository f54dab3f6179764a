"""Which versions a scheduler and its workers must share with who joins them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from engines.dask.alike import PACKAGES, check
from engines.errors import ClusterError

ADDRESS = "tcp://10.0.0.1:8786"
WORKERS = ("tcp://10.0.0.2:40001", "tcp://10.0.0.3:40002")
HERE = {
    "dask": "2026.8.0",
    "distributed": "2026.8.1",
    "xgboost": "3.2.0",
    "scikit-learn": "1.9.1",
    "dask-ml": "2025.1.0",
    "numpy": "2.3.4",
    "pandas": "2.3.3",
    "enginebench": "0.1.0",
}
SAME = "install the same versions on both sides."


def one_side() -> dict[str, Any]:
    """Return what one process tells, with more than is asked for."""
    packages = {"python": "3.11.9.final.0", **HERE, "msgpack": "1.1.1", "lz4": None}
    return {"host": {"python": "3.11.9.final.0", "OS": "Linux"}, "packages": packages}


@pytest.fixture
def told() -> dict[str, Any]:
    """Return what a cluster of the same versions tells."""
    return {
        "client": one_side(),
        "scheduler": one_side(),
        "workers": {address: one_side() for address in WORKERS},
    }


def refusal(told: dict[str, Any]) -> str:
    with pytest.raises(ClusterError) as refused:
        check(ADDRESS, told)
    return str(refused.value)


def test_the_same_versions_everywhere_are_let_in(told):
    check(ADDRESS, told)


def test_what_neither_side_has_and_what_nobody_needs_is_no_difference(told):
    for side in (told["client"], told["scheduler"], *told["workers"].values()):
        side["packages"]["dask-ml"] = None
    told["scheduler"]["packages"]["msgpack"] = "0.1"
    told["scheduler"]["host"]["OS"] = "Darwin"
    check(ADDRESS, told)


@pytest.mark.parametrize("package", HERE)
@pytest.mark.parametrize("where", [None, *WORKERS])
def test_another_version_of_what_both_sides_compute_with_is_refused(told, package, where):
    side = told["scheduler"] if where is None else told["workers"][where]
    side["packages"][package] = "0.0.1"
    assert refusal(told) == (
        f"dask: the cluster at {ADDRESS} has {package} 0.0.1 on {where or 'its scheduler'} and "
        f"this machine has {HERE[package]}: {SAME}"
    )


@pytest.mark.parametrize("package", HERE)
def test_what_only_one_side_has_is_refused(told, package):
    fewer = deepcopy(told)
    told["workers"][WORKERS[-1]]["packages"][package] = None
    assert f" has no {package} on {WORKERS[-1]} and this machine has {HERE[package]}: " in (
        refusal(told)
    )
    del fewer["client"]["packages"][package]
    assert f" has {package} {HERE[package]} on its scheduler and this machine has none; " in (
        refusal(fewer)
    )


@pytest.mark.parametrize("other", ["3.12.9.final.0", "3.1.9.final.0", "4.11.9.final.0"])
@pytest.mark.parametrize("where", [None, WORKERS[1]])
def test_another_python_is_refused(told, other, where):
    side = told["scheduler"] if where is None else told["workers"][where]
    side["host"]["python"] = other
    assert refusal(told) == (
        f"dask: the cluster at {ADDRESS} has Python {other[: other.index('.9')]} on "
        f"{where or 'its scheduler'} and this machine has 3.11: {SAME}"
    )


def test_another_patch_of_python_is_let_in(told):
    told["scheduler"]["host"]["python"] = "3.11.0.candidate.1"
    check(ADDRESS, told)


def test_of_many_differences_the_first_are_named_and_the_others_counted(told):
    told["scheduler"]["host"]["python"] = "3.13.0.final.0"
    for side in told["workers"].values():
        side["packages"]["xgboost"] = "3.1.0"
        side["packages"]["numpy"] = None
    assert refusal(told) == (
        f"dask: the cluster at {ADDRESS} has Python 3.13 on its scheduler and this machine has "
        f"3.11; xgboost 3.1.0 on {WORKERS[0]} and this machine has 3.2.0; no numpy on {WORKERS[0]} "
        f"and this machine has 2.3.4 and 2 more differences: {SAME}"
    )


def test_what_dask_tells_of_this_machine_is_told_in_the_form_that_is_read():
    from distributed.versions import get_versions

    own = get_versions(packages=PACKAGES)
    assert None not in {own["packages"].get(package) for package in HERE}
    told = {"client": own, "scheduler": deepcopy(own), "workers": {WORKERS[0]: deepcopy(own)}}
    check(ADDRESS, told)
    told["workers"][WORKERS[0]]["host"]["python"] = "2.7.18.final.0"
    assert f"has Python 2.7 on {WORKERS[0]} and this machine has 3." in refusal(told)
