from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from experiments.datasets.labels import class_labels, no_labels, number_labels
from experiments.datasets.options import FoldOptions, SplitOptions
from experiments.datasets.splits import choose_rows, hash_rows, split_rows, unlearnable
from experiments.errors import RequestError

if TYPE_CHECKING:
    from experiments.datasets.table import Labels


def classes_of(codes: list[int] | np.ndarray) -> Labels:
    names = tuple(f"class {i}" for i in range(int(np.max(codes)) + 1))
    return class_labels(np.asarray(codes, dtype=np.uint8), names, "kind")


@settings(max_examples=40, deadline=None)
@given(
    n_rows=st.integers(30, 400),
    share=st.floats(0.1, 0.8),
    seed=st.integers(0, 2**31 - 1),
    folds=st.integers(2, 6),
    stratify=st.booleans(),
)
def test_splits_and_folds_are_those_of_scikit_learn(
    n_rows: int, share: float, seed: int, folds: int, *, stratify: bool
) -> None:
    y = np.arange(n_rows) * 7 % 3
    train, test = train_test_split(
        np.arange(n_rows), test_size=share, random_state=seed, stratify=y if stratify else None
    )
    train = np.sort(train)
    if len(train) < folds or (stratify and np.bincount(y[train], minlength=3).min() < folds):
        return
    dealer = (StratifiedKFold if stratify else KFold)(folds, shuffle=True, random_state=seed)
    expected = np.full(n_rows, -1)
    for number, (_, validated) in enumerate(dealer.split(train, y[train])):
        expected[train[validated]] = number

    asked = SplitOptions(test_fraction=share, seed=seed, folds=folds, stratify=stratify)
    labels = classes_of(y) if stratify else no_labels()
    parts = split_rows(n_rows, asked, labels)

    assert np.array_equal(np.flatnonzero(parts.split), np.sort(test))
    assert np.array_equal(parts.fold, expected)
    assert parts.split.dtype == parts.fold.dtype == np.int8
    assert parts.n_folds == folds
    assert parts.notes == ()


@settings(max_examples=80, deadline=None)
@given(
    n_rows=st.integers(30, 200),
    share=st.none() | st.floats(0.1, 0.5),
    seed=st.integers(0, 2**31 - 1),
    folds=st.integers(2, 6),
    stratify=st.booleans(),
    shuffle=st.booleans(),
)
def test_folds_of_a_search_are_those_of_scikit_learn(
    n_rows: int, share: float | None, seed: int, folds: int, *, stratify: bool, shuffle: bool
) -> None:
    # classes in runs, so that folds in order would lack some
    y = np.arange(n_rows) * 3 // n_rows
    train = np.arange(n_rows)
    if share is not None:
        train = np.sort(train_test_split(train, test_size=share, random_state=9)[0])
    if stratify and np.bincount(y[train], minlength=3).min() < folds:
        return
    kind = StratifiedKFold if stratify else KFold
    dealer = kind(folds, shuffle=shuffle, random_state=seed if shuffle else None)
    expected = np.full(n_rows, -1)
    for number, (_, validated) in enumerate(dealer.split(train, y[train])):
        expected[train[validated]] = number

    split = None if share is None else SplitOptions(test_fraction=share, seed=9)
    asked = FoldOptions(folds, shuffle=shuffle, seed=seed, stratify=stratify)
    parts = split_rows(n_rows, split, classes_of(y), folds=asked)

    assert np.array_equal(parts.fold, expected)
    assert parts.n_folds == folds
    assert (parts.split == 1).sum() == n_rows - len(train)
    assert parts.notes == ()


@pytest.mark.parametrize("shuffle", [False, True])
def test_beyond_the_exact_rows_folds_of_a_search_are_hashed_and_a_note_says_so(
    *, shuffle: bool
) -> None:
    asked = FoldOptions(4, shuffle=shuffle, seed=3, stratify=True)
    parts = split_rows(40_000, None, classes_of(np.arange(40_000) % 3), 1000, asked)
    assert np.bincount(parts.fold) / 40_000 == pytest.approx([0.25] * 4, abs=0.01)
    (note,) = parts.notes
    assert note == (
        "Dealt into folds by a seeded hash of row_id, not by scikit-learn, as there are more than "
        "1,000 rows; shares of the classes are kept on average, not exactly."
    )
    reseeded = FoldOptions(4, shuffle=shuffle, seed=4)
    other = split_rows(40_000, None, no_labels(), 1000, reseeded)
    assert (other.fold != parts.fold).mean() == pytest.approx(0.75, abs=0.02)


def test_rows_that_are_not_dealt_out_have_no_note() -> None:
    assert split_rows(2000, SplitOptions(), no_labels(), exact_rows=1000).notes == ()


@pytest.mark.parametrize(
    ("n_rows", "split", "folds", "labels", "told"),
    [
        (4, None, FoldOptions(5), no_labels(), r"^search\.folds must be .* rows, 4; got 5\.$"),
        (
            10,
            SplitOptions(test_fraction=0.7),
            FoldOptions(4),
            no_labels(),
            r"^search\.folds must be .* rows, 3; got 4\.$",
        ),
        (
            8,
            None,
            FoldOptions(3, stratify=True),
            classes_of([0, 0, 0, 0, 0, 0, 1, 1]),
            r"^search\.folds must be .* class 'class 1' has 2; got 3\.$",
        ),
        (
            8,
            None,
            FoldOptions(3, stratify=True),
            number_labels("y"),
            r"^search\.stratify needs a label with classes, and the label is numbers; set it",
        ),
        (
            8,
            SplitOptions(folds=2),
            FoldOptions(2),
            no_labels(),
            r"split\.folds and search\.folds both ask for folds; leave one of them out",
        ),
    ],
)
def test_folds_of_a_search_that_cannot_be_are_refused(
    n_rows: int, split: SplitOptions | None, folds: FoldOptions, labels: Labels, told: str
) -> None:
    with pytest.raises(RequestError, match=told):
        split_rows(n_rows, split, labels, folds=folds)


def test_seeds_and_purposes_do_not_share_hashes() -> None:
    hashes = [
        set(hash_rows(0, 1000, seed, purpose).tolist()) for seed in range(4) for purpose in (1, 2)
    ]
    assert len(set.union(*hashes)) == 8000


def test_without_a_split_all_rows_train_and_are_in_no_fold() -> None:
    for asked in (None, SplitOptions()):
        parts = split_rows(5, asked, no_labels())
        assert parts.split.tolist() == [0] * 5
        assert parts.fold.tolist() == [-1] * 5


def test_folds_without_a_test_part_cover_all_rows() -> None:
    parts = split_rows(10, SplitOptions(folds=5), no_labels())
    assert np.bincount(parts.fold).tolist() == [2] * 5


def test_beyond_the_exact_rows_a_seeded_hash_splits_in_the_shares_asked() -> None:
    asked = SplitOptions(test_fraction=0.3, folds=4, seed=3)
    parts = split_rows(40_000, asked, no_labels(), exact_rows=1000)
    assert parts.split.mean() == pytest.approx(0.3, abs=0.01)
    counts = np.bincount(parts.fold[parts.split == 0])
    assert counts / counts.sum() == pytest.approx([0.25] * 4, abs=0.01)
    assert (parts.fold[parts.split == 1] == -1).all()
    assert "seeded hash of row_id" in parts.notes[0]

    again = split_rows(40_000, asked, no_labels(), exact_rows=1000)
    assert np.array_equal(parts.split, again.split)
    other = split_rows(40_000, asked.model_copy(update={"seed": 4}), no_labels(), exact_rows=1000)
    assert (other.split != parts.split).mean() == pytest.approx(2 * 0.3 * 0.7, abs=0.02)


def test_a_hashed_row_keeps_its_part_when_rows_are_added() -> None:
    asked = SplitOptions(test_fraction=0.3, seed=3)
    few = split_rows(2000, asked, no_labels(), exact_rows=1000)
    more = split_rows(3000, asked, no_labels(), exact_rows=1000)
    assert np.array_equal(few.split, more.split[:2000])


def test_a_hashed_split_says_when_it_is_only_stratified_on_average() -> None:
    asked = SplitOptions(test_fraction=0.3, stratify=True)
    parts = split_rows(4000, asked, classes_of(np.arange(4000) % 3), exact_rows=1000)
    assert "kept on average, not exactly" in parts.notes[0]


def test_the_hash_is_splitmix64() -> None:
    # first outputs of the reference generator seeded with 0
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    golden = 0x9E3779B97F4A7C15
    from experiments.datasets.splits import _mix

    states = np.array([golden * i % 2**64 for i in range(3)], dtype=np.uint64)
    assert _mix(states).tolist() == expected


def test_hashes_do_not_depend_on_where_a_chunk_starts() -> None:
    whole = hash_rows(0, 100, seed=5, purpose=1)
    assert np.array_equal(whole[40:], hash_rows(40, 100, seed=5, purpose=1))
    assert not np.array_equal(whole, hash_rows(0, 100, seed=5, purpose=2))


@pytest.mark.parametrize(
    ("n_rows", "asked", "labels", "told"),
    [
        (3, SplitOptions(test_fraction=0.9), no_labels(), "leaves no training row"),
        (1, SplitOptions(test_fraction=0.1), no_labels(), "leaves no training row"),
        (4, SplitOptions(folds=5), no_labels(), "number of training rows, 4; got 5"),
        (
            9,
            SplitOptions(test_fraction=0.5, stratify=True),
            number_labels("y"),
            "needs a label with classes, and the label is numbers",
        ),
        (
            9,
            SplitOptions(test_fraction=0.5, stratify=True),
            no_labels(),
            "needs a label with classes, and the label is absent",
        ),
        (
            5,
            SplitOptions(test_fraction=0.5, stratify=True),
            classes_of([0, 0, 0, 0, 1]),
            "class 'class 1' has one",
        ),
        (
            8,
            SplitOptions(test_fraction=0.2, stratify=True),
            classes_of([0, 0, 1, 1, 2, 2, 3, 3]),
            "leaves parts of 6 and 2 rows for 4 classes",
        ),
        (
            8,
            SplitOptions(folds=3, stratify=True),
            classes_of([0, 0, 0, 0, 0, 0, 1, 1]),
            "class 'class 1' has 2; got 3",
        ),
    ],
)
def test_a_split_that_cannot_be_is_refused(
    n_rows: int, asked: SplitOptions | None, labels: Labels, told: str
) -> None:
    with pytest.raises(RequestError, match=told):
        split_rows(n_rows, asked, labels)


def test_a_hashed_split_that_holds_nothing_out_is_refused() -> None:
    with pytest.raises(RequestError, match="leaves no held-out row"):
        split_rows(20, SplitOptions(test_fraction=1e-9), no_labels(), exact_rows=10)


@pytest.mark.parametrize("exact_rows", [10_000, 100])
def test_a_class_that_no_training_row_has_cannot_be_learned(exact_rows: int) -> None:
    codes = np.zeros(1000, dtype=np.uint8)
    held_out = np.flatnonzero(
        split_rows(1000, SplitOptions(test_fraction=0.2), no_labels(), exact_rows).split
    )
    codes[held_out[0]] = 2
    codes[1::2][codes[1::2] == 0] = 1
    labels = classes_of(codes)
    split = split_rows(1000, SplitOptions(test_fraction=0.2), labels, exact_rows).split
    why = unlearnable(split, labels, stratified=False)
    assert why is not None
    assert "class 'class 2' of the label 'kind'" in why
    assert "set split.stratify to true, or use more rows" in why
    assert "split.stratify" not in str(unlearnable(split, labels, stratified=True))


def test_a_class_of_every_row_cannot_be_learned() -> None:
    why = unlearnable(np.zeros(4, dtype=np.int8), classes_of([0, 0, 0, 0]), stratified=False)
    assert why is not None
    assert "same value 'class 0' in every row" in why


def test_quantities_taken_for_classes_are_told_to_be_for_regression() -> None:
    split = np.array([0] * 150 + [1], dtype=np.int8)
    why = unlearnable(split, classes_of(np.arange(151)), stratified=False)
    assert why is not None
    assert "it has 151 classes: use task: regression if they are quantities" in why


def test_a_sample_is_exact_seeded_and_in_order() -> None:
    keep, note = choose_rows(1000, 300, seed=1)
    assert keep is not None
    assert keep.sum() == 300
    assert note is None
    share, _ = choose_rows(1000, 0.3, seed=1)
    assert np.array_equal(keep, share)
    other, _ = choose_rows(1000, 300, seed=2)
    assert not np.array_equal(keep, other)


def test_a_sample_of_all_rows_keeps_them_as_they_are() -> None:
    assert choose_rows(10, None, seed=0) == (None, None)
    assert choose_rows(10, 10, seed=0) == (None, None)


def test_beyond_the_exact_rows_a_sample_says_how_many_rows_it_has() -> None:
    keep, note = choose_rows(50_000, 0.1, seed=1, exact_rows=1000)
    assert keep is not None
    assert keep.mean() == pytest.approx(0.1, abs=0.01)
    assert note is not None
    assert f"{int(keep.sum()):,} rows instead of exactly 5,000" in note


def test_a_sample_larger_than_its_source_is_refused() -> None:
    with pytest.raises(RequestError, match="asks for 1,001 rows, and the source has 1,000"):
        choose_rows(1000, 1001, seed=0)


def test_a_hashed_sample_that_keeps_nothing_is_refused() -> None:
    unlucky = next(s for s in range(100) if hash_rows(0, 20, s, purpose=1).min() > 2**64 // 20)
    with pytest.raises(RequestError, match="leaves no row"):
        choose_rows(20, 1, unlucky, exact_rows=10)
