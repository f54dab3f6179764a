"""Each parameter of each specification has a verdict on each engine, and no verdict is stale."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from engines.parameters import Convert, Reject, Rename, Same
from engines.specs import EstimatorSpec, KMeansSpec, XGBoostSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines.base import Engine
    from engines.prepared import Prepared
    from engines.specs import Spec

SPECS: list[type[Spec]] = [KMeansSpec, XGBoostSpec]


def fields(spec: type[Spec]) -> set[str]:
    """Return the parameters of a specification."""
    return set(spec.model_fields) - {"kind"}


def kind(spec: type[Spec]) -> str:
    """Return the name of a specification."""
    return spec.model_fields["kind"].default


def accepted(engine_name: str, kind_: str) -> set[str]:
    """Return the names that the engine's library takes for a workload.

    XGBoost's estimators take theirs as keywords, which they hand on to `XGBModel`.
    """
    calls: list[Callable[..., Any]]
    if engine_name == "sklearn":
        from sklearn.cluster import KMeans
        from xgboost import XGBClassifier, XGBModel

        calls = [KMeans] if kind_ == "kmeans" else [XGBClassifier, XGBModel]
    elif engine_name == "dask":
        from dask_ml.cluster import KMeans
        from xgboost import XGBModel
        from xgboost.dask import DaskXGBClassifier

        calls = [KMeans] if kind_ == "kmeans" else [DaskXGBClassifier, XGBModel]
    else:
        from pyspark.ml.clustering import KMeans
        from xgboost import XGBModel
        from xgboost.spark import SparkXGBClassifier

        calls = [KMeans] if kind_ == "kmeans" else [SparkXGBClassifier, XGBModel]
    return {name for call in calls for name in inspect.signature(call).parameters}


@pytest.mark.parametrize("spec", SPECS, ids=kind)
def test_every_parameter_has_a_verdict(engine_class: type[Engine[Any]], spec: type[Spec]):
    assert set(engine_class.verdicts[kind(spec)]) == fields(spec)


def test_there_are_verdicts_for_the_specifications_and_for_nothing_else(
    engine_class: type[Engine[Any]],
):
    assert set(engine_class.verdicts) == {kind(spec) for spec in (*SPECS, EstimatorSpec)}
    # the parameters of the estimator itself are no fields, and given to it as they are
    assert set(engine_class.verdicts["estimator"]) == {"response", "seed"}


@pytest.mark.parametrize("spec", SPECS, ids=kind)
def test_the_library_knows_the_names_that_it_is_given(
    engine_class: type[Engine[Any]], engine_name: str, spec: type[Spec]
):
    names = accepted(engine_name, kind(spec))
    for field, verdict in engine_class.verdicts[kind(spec)].items():
        match verdict:
            case Same():
                given = field
            case Rename(native):
                given = native
            case Convert(native):
                given = native
            case Reject():
                given = None
        assert given is None or given in names, f"{field}: {given}"


@pytest.mark.parametrize("spec", SPECS, ids=kind)
def test_a_verdict_that_changes_a_parameter_says_why(
    engine_class: type[Engine[Any]], spec: type[Spec]
):
    for field, verdict in engine_class.verdicts[kind(spec)].items():
        if isinstance(verdict, Convert | Reject):
            assert len(verdict.why) > 15, field


def test_what_became_of_each_parameter_is_told_in_order(
    engine_class: type[Engine[Any]], blobs: Prepared
):
    spec = KMeansSpec(n_clusters=3, init="random", tol=1e-3, n_init=2)
    applied = engine_class.parameters(spec, blobs)
    assert [one.name for one in applied] == list(spec.relevant_fields())
    assert {one.name: one.asked for one in applied}["tol"] == 1e-3
    assert all(one.why for one in applied if one.verdict in {"convert", "reject"})


def test_runs_that_a_library_does_not_make_itself_are_told_of(
    engine_class: type[Engine[Any]], engine_name: str, blobs: Prepared
):
    for n_init, expected in ((1, "same"), (3, "same" if engine_name == "sklearn" else "convert")):
        spec = KMeansSpec(n_clusters=3, init="random", n_init=n_init)
        applied = {one.name: one for one in engine_class.parameters(spec, blobs)}
        assert applied["n_init"].verdict == expected
        assert (applied["n_init"].why is not None) == (expected == "convert")
