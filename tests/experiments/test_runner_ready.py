"""What is fixed before any engine starts, and what is refused then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from experiments.definition import host, load_experiment
from experiments.errors import RequestError
from experiments.runner.ready import make_ready

if TYPE_CHECKING:
    from experiments.runner.ready import ReadyPoint

# a label of numbers cannot be stratified
NUMBERS = ("dataset.source=diabetes", "workload.task=auto", "split.stratify=false", "metrics=null")


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("ENGINEBENCH_CACHE", str(tmp_path / "cache"))


def ready(name: str, *overrides: str) -> ReadyPoint:
    return make_ready({}, load_experiment(name, overrides), lambda *_: None)


@pytest.mark.parametrize("cores", ["null", "12"])
def test_there_are_as_many_row_groups_as_cores_also_when_these_are_not_given(monkeypatch, cores):
    monkeypatch.setattr(host, "usable_cores", lambda: 12)
    made = ready("kmeans-digits", f"resources.cores={cores}")
    assert len(made.prepared.row_groups) == 12


@pytest.mark.parametrize("base_score", [0, 1, 7])
def test_a_base_score_that_turns_out_to_be_no_probability_is_refused(base_score):
    with pytest.raises(RequestError) as raised:
        ready("xgboost-breast-cancer", f"workload.base_score={base_score}", "workload.task=auto")
    assert str(raised.value) == (
        f"workload.base_score must lie between 0 and 1 for task: binary; got {base_score}.0, and "
        "task: auto found it in the label."
    )


def test_a_base_score_of_any_size_is_for_numbers():
    made = ready("xgboost-breast-cancer", *NUMBERS, "workload.base_score=150")
    assert (made.task, made.spec.task) == ("regression", "regression")


def test_regression_is_scored_by_what_fits_numbers():
    assert ready("xgboost-breast-cancer", *NUMBERS).metrics == ("rmse", "mae", "r2")
    assert ready("xgboost-breast-cancer", *NUMBERS, "metrics=[mae]").metrics == ("mae",)
    with pytest.raises(RequestError, match="choose from rmse, mae, r2"):
        ready("xgboost-breast-cancer", *NUMBERS, "metrics=[accuracy]")


def test_clusters_are_made_of_rows_whose_classes_could_not_be_learned():
    blobs = "dataset={source: blobs, n_samples: 2000, centers: 600}"
    asked = [blobs, "split={test_fraction: 0.25}"]
    made = ready("kmeans-digits", *asked, "workload.n_clusters=5", "metrics=null")
    assert "adjusted_rand" in made.metrics
    workload = "workload={kind: xgboost, task: multiclass}"
    with pytest.raises(RequestError, match="No training row has class"):
        ready("kmeans-digits", *asked, workload, "metrics=null")
