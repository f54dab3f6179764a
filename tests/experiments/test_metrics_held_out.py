from __future__ import annotations

import dataclasses
import pickle
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression
from sklearn.svm import SVC

from engines.folds import positions, take
from engines.prepared import Rows, read_rows
from engines.types import Judgement, Model, Predictions, Sample
from experiments.datasets import prepare
from experiments.datasets.options import BundledOptions, FoldOptions, SplitOptions
from experiments.metrics import (
    HeldOutJudge,
    PredictionsError,
    clustering,
    default_metrics,
    score,
    score_held_out,
)
from experiments.metrics import rows as rows_module

if TYPE_CHECKING:
    from pathlib import Path

    from engines.prepared import Prepared

CLUSTERING = default_metrics("kmeans", None, labelled=True)
CLASSES = default_metrics("estimator", "multiclass", labelled=True, probabilities=False)
CLASSIFICATION = default_metrics("estimator", "multiclass", labelled=True)
REGRESSION = default_metrics("estimator", "regression", labelled=True)
# sums are the same numbers in both forms, added in another order
SAME = {"rel": 1e-12, "abs": 1e-12}


def prepared_of(cache: Path, source: Any, **arguments: Any) -> Prepared:
    arguments = {"label_kind": "auto", "min_row_groups": 7} | arguments
    return prepare(
        BundledOptions(source=source),
        SplitOptions(test_fraction=0.2),
        folds=FoldOptions(3, shuffle=True, seed=1),
        cache=cache,
        **arguments,
    )


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Three classes, 13 features, 142 training rows in 3 folds and 7 row groups."""
    return prepared_of(tmp_path_factory.mktemp("wine"), "wine")


@pytest.fixture(scope="module")
def diabetes(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared_of(tmp_path_factory.mktemp("diabetes"), "diabetes")


def parts(prepared: Prepared, fold: int, sample: Sample | None = None) -> tuple[Rows, Rows]:
    """Return the rows to fit and those held out, as engines choose them."""
    rows = read_rows(prepared, prepared.row_groups, "train")
    kept, held_out = (
        take(rows, positions(rows.fold, fold, held_out=which, sample=sample))
        for which in (False, True)
    )
    return kept, held_out


def in_both_forms(
    prepared: Prepared, held_out: Rows, value: Any, names: Any, task: Any, **other: Any
) -> dict[str, float | None]:
    """Score rows in memory and from the files; the same values must come out."""
    label = other.pop("label", None)
    options = {"task": task, "centers": None, "seed": 0} | other
    predictions = Predictions(held_out.row_id, value, label)
    in_memory = score_held_out(prepared, predictions, names, rows=held_out, **options)
    from_files = score_held_out(prepared, predictions, names, rows=None, **options)
    assert in_memory.values == pytest.approx(from_files.values, **SAME)
    assert in_memory.undefined == from_files.undefined
    assert list(in_memory.values) == list(names)
    return in_memory.values


SAMPLES = [None, Sample(0.7, 3)]


@pytest.mark.parametrize("sample", SAMPLES, ids=["all rows", "a sample"])
@pytest.mark.parametrize("fold", [0, 1, 2])
def test_scores_of_clusters_equal_scikit_learns_on_the_same_rows(
    wine: Prepared, fold: int, sample: Sample | None
) -> None:
    kept, held_out = parts(wine, fold, sample)
    model = KMeans(4, n_init=1, random_state=0).fit(kept.X)
    labels = model.predict(held_out.X)
    found = in_both_forms(
        wine, held_out, labels, CLUSTERING, "clustering", centers=model.cluster_centers_
    )
    X = held_out.X
    assert found == pytest.approx(
        {
            "inertia": -model.score(X),
            "silhouette": reference.silhouette_score(X, labels),
            "silhouette_squared": reference.silhouette_score(X, labels, metric="sqeuclidean"),
            "davies_bouldin": reference.davies_bouldin_score(X, labels),
            "calinski_harabasz": reference.calinski_harabasz_score(X, labels),
            "adjusted_rand": reference.adjusted_rand_score(held_out.y, labels),
        },
        rel=1e-9,
    )


@pytest.mark.parametrize("sample", SAMPLES, ids=["all rows", "a sample"])
def test_scores_of_probabilities_and_a_choice_equal_scikit_learns(
    wine: Prepared, sample: Sample | None
) -> None:
    kept, held_out = parts(wine, 1, sample)
    rng = np.random.default_rng(0)
    probability = rng.dirichlet(np.ones(3), len(held_out.y))
    choice = SVC().fit(kept.X, kept.y).predict(held_out.X)
    assert (choice != probability.argmax(axis=1)).any()
    found = in_both_forms(wine, held_out, probability, CLASSIFICATION, "multiclass", label=choice)
    y = held_out.y
    assert found == pytest.approx(
        {
            "accuracy": reference.accuracy_score(y, choice),
            "balanced_accuracy": reference.balanced_accuracy_score(y, choice),
            "f1_macro": reference.f1_score(y, choice, average="macro"),
            "roc_auc": reference.roc_auc_score(y, probability, multi_class="ovr"),
            "log_loss": reference.log_loss(y, probability),
        },
        **SAME,
    )


@pytest.mark.parametrize("sample", SAMPLES, ids=["all rows", "a sample"])
def test_scores_of_classes_alone_equal_scikit_learns(wine: Prepared, sample: Sample | None) -> None:
    kept, held_out = parts(wine, 2, sample)
    model = SVC().fit(kept.X, kept.y)
    classes = model.predict(held_out.X).astype(np.int32)
    found = in_both_forms(wine, held_out, classes, CLASSES, "multiclass")
    y = held_out.y
    assert found["accuracy"] == model.score(held_out.X, y)
    assert found == pytest.approx(
        {
            "accuracy": reference.accuracy_score(y, classes),
            "balanced_accuracy": reference.balanced_accuracy_score(y, classes),
            "f1_macro": reference.f1_score(y, classes, average="macro"),
        },
        **SAME,
    )


def test_scores_of_values_equal_scikit_learns(diabetes: Prepared) -> None:
    kept, held_out = parts(diabetes, 0)
    model = LinearRegression().fit(kept.X, kept.y)
    found = in_both_forms(diabetes, held_out, model.predict(held_out.X), REGRESSION, "regression")
    y, value = held_out.y, model.predict(held_out.X)
    assert found["r2"] == model.score(held_out.X, y)
    assert found == pytest.approx(
        {
            "rmse": reference.root_mean_squared_error(y, value),
            "mae": reference.mean_absolute_error(y, value),
            "r2": reference.r2_score(y, value),
        },
        **SAME,
    )


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_scores_of_any_classes_equal_scikit_learns(wine: Prepared, data: st.DataObject) -> None:
    # folds in which a class is missing, and classes that nobody predicts, among them
    n_rows = data.draw(st.integers(1, 25))
    classes = st.lists(st.integers(0, 2), min_size=n_rows, max_size=n_rows)
    y, predicted = (np.array(data.draw(classes), dtype=np.int32) for _ in range(2))
    ids = np.arange(n_rows)
    rows = Rows(np.zeros((n_rows, 13)), y, ids, np.zeros(n_rows, dtype=np.int8))
    found = score_held_out(
        wine,
        Predictions(ids, predicted),
        CLASSES,
        task="multiclass",
        centers=None,
        seed=0,
        rows=rows,
    )
    present = np.unique(y)
    assert found.values == pytest.approx(
        {
            "accuracy": reference.accuracy_score(y, predicted),
            "balanced_accuracy": reference.recall_score(
                y, predicted, labels=present, average="macro", zero_division=0.0
            ),
            "f1_macro": reference.f1_score(y, predicted, average="macro", zero_division=0.0),
        },
        **SAME,
    )


def test_the_silhouette_samples_the_same_rows_in_both_forms(
    wine: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clustering, "SILHOUETTE_SAMPLE", 12)
    _, held_out = parts(wine, 0, Sample(0.9, 5))
    labels = (held_out.X[:, 0] > 13).astype(np.int32)
    found = [
        in_both_forms(wine, held_out, labels, ["silhouette"], "clustering", seed=seed)
        for seed in (0, 1)
    ]
    assert found[0] != found[1]


def test_a_fold_is_read_from_its_row_groups_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # without a shuffle a fold is one run of rows: 599 to 1197, in row groups of 200
    prepared = prepare(
        BundledOptions(source="digits"),
        None,
        label_kind="auto",
        min_row_groups=9,
        folds=FoldOptions(3),
        cache=tmp_path,
    )
    read: list[int] = []

    def noting(dataset: Prepared, groups: Any, split: Any) -> Rows:
        read.extend(dataset.row_groups.index(group) for group in groups)
        return read_rows(dataset, groups, split)

    monkeypatch.setattr(rows_module, "read_rows", noting)
    rows = read_rows(prepared, prepared.row_groups, "train")
    held_out = take(rows, positions(rows.fold, 1, held_out=True))
    labels = (held_out.X[:, 20] > 5).astype(np.int32)
    score_held_out(
        prepared,
        Predictions(held_out.row_id, labels),
        ["calinski_harabasz"],
        task="clustering",
        centers=None,
        seed=0,
        rows=None,
    )
    assert read == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda ids: ids[::-1], "not in the order of row_id, each row once"),
        (lambda ids: np.sort(np.append(ids, ids[0])), "not in the order of row_id, each row once"),
        (lambda ids: np.append(ids, ids[-1] + 10_000), "1 of 49 predictions are not of training"),
        (lambda ids: np.arange(ids[0], ids[0] + 40), "not of training rows"),
        (lambda ids: ids[:0], "of folds none"),
    ],
)
def test_predictions_of_other_rows_than_training_rows_are_refused(
    wine: Prepared, spoil: Any, told: str
) -> None:
    _, held_out = parts(wine, 0)
    row_id = spoil(held_out.row_id)
    predictions = Predictions(row_id, np.zeros(len(row_id), dtype=np.int32))
    with pytest.raises(PredictionsError, match=told):
        score_held_out(
            wine, predictions, CLASSES, task="multiclass", centers=None, seed=0, rows=None
        )


def test_predictions_of_rows_of_two_folds_are_refused(wine: Prepared) -> None:
    rows = read_rows(wine, wine.row_groups, "train")
    predictions = Predictions(rows.row_id, np.zeros(len(rows.y), dtype=np.int32))
    with pytest.raises(PredictionsError, match="rows of one fold, and are of folds 0, 1, 2"):
        score_held_out(
            wine, predictions, CLASSES, task="multiclass", centers=None, seed=0, rows=None
        )


def test_predictions_of_fewer_rows_than_are_in_memory_are_refused(wine: Prepared) -> None:
    _, held_out = parts(wine, 0, Sample(0.9, 5))
    predictions = Predictions(held_out.row_id[1:], np.zeros(len(held_out.y) - 1, dtype=np.int32))
    with pytest.raises(PredictionsError, match="1 missing"):
        score_held_out(
            wine, predictions, CLASSES, task="multiclass", centers=None, seed=0, rows=held_out
        )


@pytest.mark.parametrize("name", ["roc_auc", "log_loss"])
def test_classes_alone_have_no_score_of_probabilities(wine: Prepared, name: str) -> None:
    _, held_out = parts(wine, 0)
    with pytest.raises(PredictionsError, match=f"metric {name} needs probabilities, and the pred"):
        in_both_forms(wine, held_out, held_out.y, ["accuracy", name], "multiclass")


@pytest.mark.parametrize(
    ("value", "label", "told"),
    [
        (np.full(47, 3, dtype=np.int32), None, "47 of 47 predicted classes are not among the num"),
        (np.full(47, -1, dtype=np.int32), None, "0 to 2"),
        (np.full((47, 3), 1 / 3), np.full(47, 3), "47 of 47 predicted classes are not among"),
        (np.full((47, 3), 1 / 3), np.zeros(47), "predicted classes are float64 of the shape"),
        (np.full((47, 3), 1 / 3), np.zeros(46, dtype=int), r"of the shape \(46,\)"),
        (np.zeros(47), None, r"have the shape \(47,\), and should have \(47, 3\)"),
    ],
)
def test_classes_that_the_label_does_not_have_are_refused(
    wine: Prepared, value: Any, label: Any, told: str
) -> None:
    row_id = read_rows(wine, wine.row_groups, "train").row_id[:47]
    rows = Rows(np.zeros((47, 13)), np.zeros(47, dtype=np.int32), row_id, np.zeros(47, np.int8))
    with pytest.raises(PredictionsError, match=told):
        score_held_out(
            wine,
            Predictions(row_id, value, label),
            ["accuracy"],
            task="multiclass",
            centers=None,
            seed=0,
            rows=rows,
        )


def test_classes_of_two_are_not_taken_for_probabilities(tmp_path: Path) -> None:
    prepared = prepared_of(tmp_path, "breast_cancer")
    rows = read_rows(prepared, prepared.row_groups, "test")
    names = ("accuracy", "balanced_accuracy", "f1_macro")
    found = score(prepared, Predictions(rows.row_id, rows.y), names, task="binary")
    assert set(found.values.values()) == {1.0}
    with pytest.raises(PredictionsError, match="needs probabilities"):
        score(prepared, Predictions(rows.row_id, rows.y), ["roc_auc"], task="binary")
    # the choice of a classifier may contradict its probabilities, as that of SVC does
    wrong = Predictions(rows.row_id, 1.0 - rows.y, rows.y)
    found = score(prepared, wrong, ["accuracy", "roc_auc"], task="binary")
    assert found.values == {"accuracy": 1.0, "roc_auc": 0.0}


# -- the judge -------------------------------------------------------------------------------------


@pytest.fixture
def judge(wine: Prepared) -> HeldOutJudge:
    return HeldOutJudge(wine, ("silhouette", "inertia"), "clustering", seed=0)


def judged(judge: HeldOutJudge, held_out: Rows, labels: Any, *, in_memory: bool) -> Judgement:
    """Have a model judged that takes 20 ms to fit and 40 ms to predict."""

    def fit() -> Model:
        time.sleep(0.02)
        centers = np.array([held_out.X.mean(axis=0), held_out.X.mean(axis=0) + 1])
        return Model(native=None, parameters=(), centers=centers)

    def predict(model: Model) -> Predictions:
        assert model.centers is not None
        time.sleep(0.04)
        return Predictions(held_out.row_id, labels)

    return judge(fit, predict, held_out if in_memory else None)


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_judge_times_the_fit_apart_from_predicting_and_scoring(
    judge: HeldOutJudge, wine: Prepared, *, in_memory: bool
) -> None:
    _, held_out = parts(wine, 0)
    labels = (held_out.X[:, 0] > 13).astype(np.int32)
    found = judged(judge, held_out, labels, in_memory=in_memory)
    assert found.fit_s is not None
    assert found.score_s is not None
    assert 0.02 <= found.fit_s < found.score_s
    assert found.score_s >= 0.04
    centers = held_out.X.mean(axis=0) + labels[:, None]
    assert found.scores == pytest.approx(
        {
            "silhouette": reference.silhouette_score(held_out.X, labels),
            "inertia": ((held_out.X - centers) ** 2).sum(),
        },
        rel=1e-9,
    )


def test_a_metric_without_a_value_is_none(judge: HeldOutJudge, wine: Prepared) -> None:
    _, held_out = parts(wine, 0)
    labels = np.zeros(len(held_out.y), dtype=np.int32)
    found = judged(judge, held_out, labels, in_memory=True)
    assert found.scores["silhouette"] is None
    assert found.scores["inertia"] is not None


def test_after_the_deadline_nothing_is_fitted(judge: HeldOutJudge) -> None:
    late = dataclasses.replace(judge, deadline=time.time())
    never: Any = None  # calling it would raise
    assert late(never, never, None) == Judgement(scores={}, fit_s=None, score_s=None)


def test_before_the_deadline_a_candidate_is_judged(judge: HeldOutJudge, wine: Prepared) -> None:
    _, held_out = parts(wine, 0)
    early = dataclasses.replace(judge, deadline=time.time() + 60)
    labels = (held_out.X[:, 0] > 13).astype(np.int32)
    found = judged(early, held_out, labels, in_memory=True)
    assert found.scores.keys() == {"silhouette", "inertia"}


def test_a_judge_refuses_wrong_predictions(judge: HeldOutJudge, wine: Prepared) -> None:
    _, held_out = parts(wine, 0)
    with pytest.raises(PredictionsError, match="should be cluster numbers"):
        judged(judge, held_out, np.zeros(len(held_out.y)), in_memory=True)


def test_a_judge_pickles_and_judges_the_same(judge: HeldOutJudge, wine: Prepared) -> None:
    _, held_out = parts(wine, 1)
    labels = (held_out.X[:, 0] > 13).astype(np.int32)
    again = pickle.loads(pickle.dumps(judge))  # noqa: S301 - written a moment ago
    assert again == judge
    found = [judged(one, held_out, labels, in_memory=True) for one in (judge, again)]
    assert found[0].scores == found[1].scores
