"""Data that was prepared before, and is asked for by its folder or URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.errors import SpecError
from engines.locations import Location
from engines.manifest import MANIFEST, read_manifest, unreadable
from experiments.datasets.opening import open_dataset
from experiments.datasets.preparation import UNLEARNABLE, refuse_unlearnable
from experiments.errors import RequestError

if TYPE_CHECKING:
    from engines.prepared import Prepared
    from experiments.datasets.labels import LabelKind
    from experiments.datasets.options import FoldOptions, PreparedOptions, SplitOptions


def open_existing(
    options: PreparedOptions,
    split: SplitOptions | None,
    *,
    label_kind: LabelKind,
    folds: FoldOptions | None,
    learns_label: bool,
) -> Prepared:
    """Open a prepared folder, having checked that it is what is asked for.

    Parameters
    ----------
    options : PreparedOptions
        Where it is.
    split : SplitOptions or None
        None: the rows are split already.
    label_kind : {"auto", "classes", "numbers"}
        What the label is to be.
    folds : FoldOptions or None
        Folds of a search, of which the folder must have as many.
    learns_label : bool
        Whether a label that no model could learn is refused.

    Raises
    ------
    RequestError
        If it cannot be read, or is something else.
    """
    location = Location.parse(options.url)
    if split is not None:
        raise RequestError(
            "split has no meaning with dataset.source: prepared, whose rows are split already; "
            "leave it out."
        )
    try:
        found = location.connect().sizes([MANIFEST])
    except OSError as exc:
        raise RequestError(f"dataset.url: {unreadable(location, exc)}") from exc
    if not found:
        raise RequestError(
            f"dataset.url: {location} has no {MANIFEST}, so it is no prepared dataset; "
            f"'enginebench prepare EXPERIMENT --to {location}' makes one in a folder of its own "
            f"below it."
        )
    try:
        unfit = read_manifest(location, "prepare it again").get(UNLEARNABLE)
        prepared = open_dataset(location.address if location.is_url else location.path or "")
    except SpecError as exc:
        raise RequestError(f"dataset.url: {exc}") from exc
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise RequestError(
            f"dataset.url: {location / MANIFEST} does not describe a prepared dataset; prepare it "
            f"again."
        ) from exc
    _check_label(prepared, label_kind)
    refuse_unlearnable(unfit, learns=learns_label)
    if folds is not None:
        _check_folds(prepared, folds)
    return prepared


def _check_label(prepared: Prepared, asked: LabelKind) -> None:
    found = prepared.label_kind
    if asked in {"auto", found}:
        return
    what = {"none": "no label", "classes": "a label of classes", "numbers": "a label of numbers"}
    raise RequestError(
        f"dataset.url: {prepared.location} has {what[found]}, and {asked} are to be learned; "
        f"prepare the data for this workload."
    )


def _check_folds(prepared: Prepared, asked: FoldOptions) -> None:
    if not prepared.n_folds:
        raise RequestError(
            f"dataset.url: {prepared.location} has no folds, which a search needs; prepare it with "
            f"split.folds, or with the search."
        )
    if prepared.n_folds != asked.n_folds:
        raise RequestError(
            f"search.folds: {prepared.location} was prepared with {prepared.n_folds} folds, and "
            f"{asked.n_folds} are asked for; set it to {prepared.n_folds}."
        )
