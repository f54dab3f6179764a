"""Which rows are kept, which are held out, and the folds among the others.

Up to `EXACT_ROWS` rows the splits are scikit-learn's own. Beyond, where a permutation of all rows
costs more memory than the data is read with, each row's fate is a seeded hash of its number.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from experiments.datasets.labels import MOST_INTEGER_CLASSES, count_codes
from experiments.datasets.options import FoldOptions
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from experiments.datasets.options import SplitOptions
    from experiments.datasets.table import Labels

EXACT_ROWS = 10_000_000

_CHUNK = 2**20
_SAMPLE, _TEST, _FOLD = 1, 2, 3


class Parts(NamedTuple):
    """The part that every row belongs to.

    Attributes
    ----------
    split : ndarray of shape (n_rows,), dtype int8
        0 for training rows, 1 for rows held out.
    fold : ndarray of shape (n_rows,), dtype int8
        Number of the fold that a training row is validated in; -1 in no fold.
    n_folds : int
        Number of folds, 0 for none.
    notes : tuple of str
        How rows were dealt out, where not by scikit-learn.
    """

    split: NDArray[np.int8]
    fold: NDArray[np.int8]
    n_folds: int
    notes: tuple[str, ...]


def choose_rows(
    n_rows: int, sample: float | None, seed: int, exact_rows: int = EXACT_ROWS
) -> tuple[NDArray[np.bool_] | None, str | None]:
    """Choose the rows of a sample.

    Parameters
    ----------
    n_rows : int
        Rows of the source.
    sample : int, float or None
        How many rows, or which share of them.
    seed : int
        Seed of the choice.
    exact_rows : int
        Most rows of a source from which exactly as many are drawn as asked.

    Returns
    -------
    tuple
        Which rows are kept (None for all), and a note where the number is not exact.

    Raises
    ------
    RequestError
        If more rows are asked for than there are.
    """
    if sample is None:
        return None, None
    wanted = sample if isinstance(sample, int) else max(1, round(sample * n_rows))
    if wanted > n_rows:
        raise RequestError(
            f"dataset.sample asks for {wanted:,} rows, and the source has {n_rows:,}; ask for "
            f"fewer."
        )
    if wanted == n_rows:
        return None, None
    if n_rows <= exact_rows:
        keep = np.zeros(n_rows, dtype=np.bool_)
        keep[np.random.default_rng(seed).choice(n_rows, wanted, replace=False)] = True
        return keep, None
    keep = _hashed(
        n_rows, lambda hashes: hashes < _threshold(wanted / n_rows), seed, _SAMPLE, np.bool_
    )
    if not keep.any():
        raise RequestError("dataset.sample leaves no row; ask for more.")
    return keep, (
        f"Sampled by a seeded hash of the row number, as the source has more than {exact_rows:,} "
        f"rows: {int(keep.sum()):,} rows instead of exactly {wanted:,}."
    )


def split_rows(
    n_rows: int,
    split: SplitOptions | None,
    labels: Labels,
    exact_rows: int = EXACT_ROWS,
    folds: FoldOptions | None = None,
) -> Parts:
    """Deal the rows out.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    split : SplitOptions or None
        What is asked; None trains on all rows.
    labels : Labels
        Labels of these rows, for stratifying.
    exact_rows : int
        Most rows that are dealt out exactly as scikit-learn does.
    folds : FoldOptions, optional
        Folds of a search, instead of those of the split.

    Returns
    -------
    Parts
        Equal to ``train_test_split(np.arange(n_rows), ...)`` and, over the training rows in
        order, ``KFold`` or ``StratifiedKFold``, which shuffle for the split and as asked for a
        search, up to ``exact_rows`` rows.

    Raises
    ------
    RequestError
        If a part would be empty, or a class too small for it.
    """
    codes = np.zeros(n_rows, dtype=np.int8)
    fold = np.full(n_rows, -1, dtype=np.int8)
    if split is not None and split.stratify:
        _check_classes(labels, "split.stratify")
    exact = n_rows <= exact_rows
    share = None if split is None else split.test_fraction
    if split is not None and share is not None:
        if exact:
            codes[_test_rows(n_rows, share, split, labels)] = 1
        else:
            codes = _hashed_test_rows(n_rows, share, split.seed)
    n_train = n_rows - int(codes.sum())
    if not 0 < n_train <= n_rows - (share is not None):
        part = "training" if not n_train else "held-out"
        raise RequestError(
            f"split.test_fraction {share} of {n_rows:,} rows leaves no {part} row; change it or "
            f"use more rows."
        )
    asked, section = _folds_asked(split, folds)
    if asked is not None and asked.stratify is None:
        asked = replace(asked, stratify=labels.kind == "classes")
    if asked is not None:
        if asked.stratify:
            _check_classes(labels, f"{section}.stratify")
        if asked.n_folds > n_train:
            raise RequestError(
                f"{section}.folds must be at most the number of training rows, {n_train:,}; got "
                f"{asked.n_folds}."
            )
        if exact:
            _deal_folds(fold, codes, asked, labels, section)
        else:
            fold = _hashed_folds(n_rows, asked.n_folds, asked.seed)
            fold[codes == 1] = -1
    notes = _hash_notes(exact_rows, split, asked) if not exact else ()
    return Parts(codes, fold, 0 if asked is None else asked.n_folds, notes)


def _folds_asked(
    split: SplitOptions | None, folds: FoldOptions | None
) -> tuple[FoldOptions | None, str]:
    """Return the folds to deal, and the section of the definition that asks for them."""
    if split is None or split.folds is None:
        return folds, "search"
    if folds is not None:
        raise RequestError(
            "split.folds and search.folds both ask for folds; leave one of them out."
        )
    of_split = FoldOptions(split.folds, shuffle=True, seed=split.seed, stratify=split.stratify)
    return of_split, "split"


def _check_classes(labels: Labels, key: str) -> None:
    if labels.kind != "classes":
        what = "numbers" if labels.kind == "numbers" else "absent"
        raise RequestError(
            f"{key} needs a label with classes, and the label is {what}; set it to false."
        )


def unlearnable(split: NDArray[np.int8], labels: Labels, *, stratified: bool) -> str | None:
    """Say why no model could learn a label that is classes; None where one could.

    Parameters
    ----------
    split : ndarray of shape (n_rows,), dtype int8
        0 for training rows.
    labels : Labels
        Labels of the rows.
    stratified : bool
        Whether the split keeps the shares of the classes, so that no more advice helps.

    Returns
    -------
    str or None
        That all rows have one class, or that only rows held out have some class, which could be
        predicted by luck alone.
    """
    if labels.kind != "classes":
        return None
    total = count_codes(labels.codes, len(labels.classes))
    if len(total) < 2:
        return (
            f"The label {labels.name!r} has the same value {labels.classes[0]!r} in every row, so "
            f"there is nothing to learn; choose another label, or none."
        )
    train = np.zeros_like(total)
    for start in range(0, len(split), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        train += np.bincount(labels.codes[chunk][split[chunk] == 0], minlength=len(total))
    if unseen := [labels.classes[i] for i in np.flatnonzero(train == 0)]:
        advice = "use more rows" if stratified else "set split.stratify to true, or use more rows"
        if len(total) > MOST_INTEGER_CLASSES:
            advice = (
                f"it has {len(total):,} classes: use task: regression if they are quantities, or "
                f"{advice}"
            )
        return (
            f"No training row has class {unseen[0]!r} of the label {labels.name!r}, but held-out "
            f"rows have; {advice}."
        )
    return None


def hash_rows(start: int, stop: int, seed: int, purpose: int) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each row number from ``start`` up to ``stop``.

    The mixing is that of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", 2014), with the seed and the purpose mixed first.
    """
    key = _mix(_mix(np.array([seed], dtype=np.uint64)) + np.uint64(purpose))
    return _mix(np.arange(start, stop, dtype=np.uint64) + key)


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = state + np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _threshold(share: float) -> np.uint64:
    return np.uint64(min(int(share * 2.0**64), 2**64 - 1))


def _hashed(
    n_rows: int,
    decide: Callable[[NDArray[np.uint64]], NDArray[Any]],
    seed: int,
    purpose: int,
    dtype: type[np.generic],
) -> NDArray[Any]:
    out = np.empty(n_rows, dtype=dtype)
    for start in range(0, n_rows, _CHUNK):
        stop = min(start + _CHUNK, n_rows)
        out[start:stop] = decide(hash_rows(start, stop, seed, purpose))
    return out


def _hashed_test_rows(n_rows: int, share: float, seed: int) -> NDArray[np.int8]:
    return _hashed(n_rows, lambda hashes: hashes < _threshold(share), seed, _TEST, np.int8)


def _hashed_folds(n_rows: int, folds: int, seed: int) -> NDArray[np.int8]:
    # the upper half of the hash times the number of folds, instead of a slower remainder
    def decide(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
        return ((hashes >> np.uint64(32)) * np.uint64(folds)) >> np.uint64(32)

    return _hashed(n_rows, decide, seed, _FOLD, np.int8)


def _hash_notes(
    exact_rows: int, split: SplitOptions | None, folds: FoldOptions | None
) -> tuple[str, ...]:
    """Say which parts were dealt out by a hash of the row number, if any."""
    held_out = split is not None and split.test_fraction is not None
    if not held_out and folds is None:
        return ()
    stratified = (held_out and split is not None and split.stratify) or (
        folds is not None and bool(folds.stratify)
    )
    what = "Split" if held_out else "Dealt into folds"
    shares = "; shares of the classes are kept on average, not exactly" if stratified else ""
    note = (
        f"{what} by a seeded hash of row_id, not by scikit-learn, as there are more than "
        f"{exact_rows:,} rows{shares}."
    )
    return (note,)


def _test_rows(n_rows: int, share: float, split: SplitOptions, labels: Labels) -> NDArray[np.int64]:
    from sklearn.model_selection import train_test_split

    n_test = int(np.ceil(share * n_rows))
    n_train = n_rows - n_test
    if not n_train:
        return np.arange(n_rows)
    if split.stratify:
        counts = count_codes(labels.codes, len(labels.classes))
        least = int(counts.argmin())
        if counts[least] < 2:
            raise RequestError(
                f"split.stratify needs two rows of every class, and class "
                f"{labels.classes[least]!r} has one; set it to false or remove that row."
            )
        if min(n_test, n_train) < len(labels.classes):
            raise RequestError(
                f"split.stratify needs a row of every class in each part, and "
                f"split.test_fraction {share} leaves parts of {n_train:,} and {n_test:,} rows for "
                f"{len(labels.classes):,} classes; change it."
            )
    _, test = train_test_split(
        np.arange(n_rows),
        test_size=share,
        random_state=split.seed,
        shuffle=True,
        stratify=labels.codes if split.stratify else None,
    )
    rows: NDArray[np.int64] = test
    return rows


def _deal_folds(
    fold: NDArray[np.int8],
    codes: NDArray[np.int8],
    asked: FoldOptions,
    labels: Labels,
    section: str,
) -> None:
    from sklearn.model_selection import KFold, StratifiedKFold

    n_folds, seed = asked.n_folds, asked.seed if asked.shuffle else None
    train = np.flatnonzero(codes == 0)
    if not asked.stratify:
        dealer = KFold(n_folds, shuffle=asked.shuffle, random_state=seed).split(train)
    else:
        y = labels.codes[train]
        counts = count_codes(y, len(labels.classes))
        least = int(counts.argmin())
        if counts[least] < n_folds:
            raise RequestError(
                f"{section}.folds must be at most the training rows of every class to be "
                f"stratified, and class {labels.classes[least]!r} has {counts[least]:,}; got "
                f"{n_folds}."
            )
        stratified = StratifiedKFold(n_folds, shuffle=asked.shuffle, random_state=seed)
        dealer = stratified.split(train, y)
    for number, (_, validated) in enumerate(dealer):
        fold[train[validated]] = number
