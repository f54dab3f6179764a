"""Sources with named columns: which are features, whether they can be, and their rows in blocks.

CSV files, Parquet files and data frames all come here as Arrow columns.
"""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow.compute as pc

from engines.prepared import RESERVED_COLUMNS
from experiments.datasets.labels import LabelScan, TooManyClassesError, no_labels
from experiments.datasets.table import Block, Table
from experiments.datasets.tallies import (
    BOOLEAN,
    NUMBER,
    OTHER,
    TEXT,
    Tally,
    as_numbers,
    examine,
    spelled_boolean,
)
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from experiments.datasets.labels import LabelKind
    from experiments.datasets.table import Labels, Progress
    from experiments.datasets.tallies import Values


class Batch(NamedTuple):
    """Some consecutive rows of a file.

    Attributes
    ----------
    file : str
        Name of the file.
    first_row : int
        Number of the first row among the file's data rows, from 1.
    arrays : list of pyarrow.Array
        The columns that were asked for, in that order.
    """

    file: str
    first_row: int
    arrays: list[Any]


@dataclass(frozen=True)
class Columns:
    """Named columns that can be read many times.

    Parameters
    ----------
    title : str
        What messages call the source.
    names : tuple of str
        Names of all columns.
    spelled : bool
        Whether values are text that stands for what it spells, as in CSV.
    read : callable
        Takes the names of the columns to read, those of them known to spell only numbers, and the
        most rows of a batch; returns an iterator over batches.
    """

    title: str
    names: tuple[str, ...]
    spelled: bool
    read: Callable[[Sequence[str], frozenset[str], int], Iterator[Batch]]


def open_columns(
    source: Columns,
    *,
    features: Sequence[str] | None,
    label: str | None,
    label_kind: LabelKind,
    block_rows: int,
    on_rows: Progress,
) -> Table:
    """Read all columns once, check them, and choose the features.

    Parameters
    ----------
    source : Columns
        Where to read.
    features : sequence of str or None
        The features; all numeric columns but the label when None.
    label : str or None
        The column to predict, if any.
    label_kind : {"auto", "classes", "numbers"}
        What the label is to be.
    block_rows : int
        Most rows held at a time.
    on_rows : callable
        Told the rows read so far.

    Raises
    ------
    RequestError
        If a column is missing or named twice, a feature or the label holds what it must not, or
        there is no row or no feature.
    """
    _check_names(source, features, label)
    candidates = list(source.names) if features is None else list(features)
    if features is None and label is not None:
        candidates.remove(label)
    scan = _scan(source, candidates, label, block_rows, on_rows)
    notes = []
    if features is None:
        left_out = [name for name in candidates if scan.tallies[name].leaves_out or not name]
        candidates = [name for name in candidates if name not in left_out]
        if left_out:
            listed = ", ".join(repr(name) if name else "one without a name" for name in left_out)
            notes.append(f"Columns left out, as they are not numbers or have no name: {listed}.")
    _check_features(source, candidates, scan.tallies, label)
    labels, unlearnable = no_labels(), None
    if label is not None:
        try:
            labels, note = _finish_label(
                source, label, scan.tallies[label], scan.classes, label_kind
            )
        except TooManyClassesError as exc:
            # clusters are made without a label; whoever must learn it refuses
            unlearnable = str(exc)
            note = f"The label {label!r} was left out, as it has too many distinct values."
        notes += [note] if note else []
    return Table(
        source.title,
        tuple(candidates),
        scan.n_rows,
        labels,
        partial(_blocks, source, scan, candidates, label if labels.kind == "numbers" else None),
        tuple(notes),
        unlearnable,
    )


class _Scan(NamedTuple):
    n_rows: int
    tallies: dict[str, Tally]
    classes: LabelScan


def _scan(
    source: Columns,
    candidates: Sequence[str],
    label: str | None,
    block_rows: int,
    on_rows: Progress,
) -> _Scan:
    names = [*candidates, *([label] if label is not None else [])]
    tallies = {name: Tally() for name in names}
    classes = LabelScan()
    n_rows = 0
    for batch in source.read(names, frozenset(), block_rows):
        for name, array in zip(names, batch.arrays, strict=True):
            values = examine(array, parse=source.spelled)
            tallies[name].add(values, batch.file, batch.first_row)
            if name == label:
                _add_classes(classes, values)
        n_rows += len(batch.arrays[0])
        on_rows(n_rows, None)
    if not n_rows:
        raise RequestError(f"{_capital(source.title)} has no rows, only column names.")
    return _Scan(n_rows, tallies, classes)


def _blocks(
    source: Columns, scan: _Scan, features: Sequence[str], label: str | None, block_rows: int
) -> Iterator[Block]:
    names = [*features, *([label] if label is not None else [])]
    booleans = {name for name in names if source.spelled and scan.tallies[name].only(BOOLEAN)}
    read = 0
    for batch in source.read(names, frozenset(names) - booleans, block_rows):
        rows = len(batch.arrays[0])
        columns = np.empty((len(names), rows))
        for out, name, array in zip(columns, names, batch.arrays, strict=True):
            out[:] = spelled_boolean(array) if name in booleans else as_numbers(array)
        read += rows
        yield Block(columns[: len(features)], columns[-1, : 0 if label is None else rows])
    if read != scan.n_rows:
        raise RequestError(
            f"{_capital(source.title)} changed while it was read: {scan.n_rows:,} rows at first, "
            f"then {read:,}; run again when nothing writes to it."
        )


def nearest(name: str, names: Sequence[str]) -> str:
    """Return a clause that names the most similar name, or lists the first few."""
    if similar := difflib.get_close_matches(name, names, n=1, cutoff=0.5):
        return f"did you mean {similar[0]!r}?"
    shown = ", ".join(map(repr, names[:10]))
    return f"it has {shown}{' and others' if len(names) > 10 else ''}."


def _check_names(source: Columns, features: Sequence[str] | None, label: str | None) -> None:
    twice = [name for name, count in Counter(source.names).items() if count > 1]
    if twice:
        raise RequestError(
            f"{_capital(source.title)} has more than one column named {twice[0]!r}; rename them."
        )
    for name in [*(features or ()), *([label] if label is not None else [])]:
        if name not in source.names:
            role = "label" if name == label else "feature"
            hint = nearest(name, source.names)
            if source.spelled and len(source.names) == 1:
                hint = f"its only column is {source.names[0]!r}; check dataset.delimiter."
            raise RequestError(
                f"{_capital(source.title)} has no column {name!r} for the {role}; {hint}"
            )


def _check_features(
    source: Columns, names: Sequence[str], tallies: dict[str, Tally], label: str | None
) -> None:
    if not names:
        besides = f" besides the label {label!r}" if label is not None else ""
        raise RequestError(
            f"{_capital(source.title)} has no numeric column{besides}, so there is no feature; "
            f"check dataset.path and the delimiter."
        )
    problems = {name: problem for name in names if (problem := tallies[name].problem())}
    if problems:
        name, problem = next(iter(problems.items()))
        others = [f"{other!r} {problems[other]}" for other in problems if other != name]
        also = "".join(f"; {other}" for other in others[:5])
        more = f"; and {len(others) - 5} more columns have such values" if len(others) > 5 else ""
        raise RequestError(
            f"The feature {name!r} of {source.title} {problem}{also}{more}: a feature needs a "
            f"finite number in every row, so clean it or list dataset.features without it."
        )
    seen: dict[str, str] = {}
    for name in names:
        if name.casefold() in RESERVED_COLUMNS:
            advice = "set dataset.label to it, or " if name.casefold() == "label" else ""
            raise RequestError(
                f"The feature {name!r} of {source.title} has a name that prepared data keeps for "
                f"itself ({', '.join(RESERVED_COLUMNS)}); {advice}rename it, or list "
                f"dataset.features without it."
            )
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise RequestError(
                f"The features {other!r} and {name!r} of {source.title} differ only in upper and "
                f"lower case, which Spark does not tell apart; rename one."
            )


def _add_classes(scan: LabelScan, values: Values) -> None:
    if values.texts is not None:
        encoded = pc.dictionary_encode(values.texts.fill_null(""))
        scan.add(encoded.dictionary.to_pylist(), encoded.indices.to_numpy())
    else:
        distinct, positions = np.unique(values.numbers, return_inverse=True)
        scan.add(distinct.tolist(), positions)


def _finish_label(
    source: Columns, name: str, tally: Tally, classes: LabelScan, label_kind: LabelKind
) -> tuple[Labels, str | None]:
    if tally.counts[OTHER]:
        raise RequestError(
            f"The label {name!r} of {source.title} is neither text nor numbers; choose another "
            f"column, or convert it."
        )
    if gap := tally.gap():
        raise RequestError(
            f"The label {name!r} of {source.title} {gap}; remove those rows or fill them in."
        )
    boolean = tally.only(BOOLEAN)
    return classes.finish(
        label_kind,
        name,
        source.title,
        text=bool(tally.counts[TEXT]) or not (boolean or tally.only(NUMBER)),
        integers=tally.whole_numbers,
        boolean=boolean,
    )


def _capital(sentence: str) -> str:
    # file names keep their case
    return "T" + sentence[1:] if sentence.startswith("the ") else sentence
