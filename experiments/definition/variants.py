"""Variants: named sets of values that replace those of a definition, kept in the same file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from experiments.definition.models import NAME_PATTERN, Experiment
from experiments.definition.reading import Document, Problem, refuse
from experiments.definition.shorthand import full_form, replaced, split_key
from experiments.definition.validation import examine, points_problems
from experiments.definition.wording import ended, meant, shown, shown_path
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from experiments.definition.wording import KeyPath

# what makes an experiment this one and not another
_FIXED = ("name", "variants")


def without_variants(document: Document) -> Document:
    """Return a definition as it is when none of its variants is chosen."""
    tree = {key: value for key, value in document.tree.items() if key != "variants"}
    return Document(tree, document.places)


def variant_names(tree: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the variants in a definition's values, in the order written."""
    variants = tree.get("variants")
    return tuple(variants) if isinstance(variants, dict) else ()


def with_variant(document: Document, name: str | None, label: str) -> Document:
    """Return a definition with one of its variants in place, having validated all of them.

    Parameters
    ----------
    document : Document
        As it was read.
    name : str or None
        The variant; None for the definition as it stands.
    label : str
        What errors call the file.

    Returns
    -------
    Document
        In full form, without variants, and named after the variant.

    Raises
    ------
    RequestError
        With one line for each thing that is wrong with any of the variants, or if there is no such
        variant.
    """
    base = full_form(without_variants(document))
    names = variant_names(document.tree)
    # a definition that is wrong by itself is refused for that, when it is validated
    if document.tree.get("variants") is not None and isinstance(examine(base), Experiment):
        refuse(_problems(document, base))
    if name is None:
        return base
    if name not in names:
        hint = meant(name, names) if names else "; it has none"
        raise RequestError(ended(f"--variant: {label} has no variant {shown(name)}{hint}"))
    return _applied(document, base, name)


def _problems(document: Document, base: Document) -> list[Problem]:
    """Return what is wrong with the variants of a definition that is valid without them."""
    place = document.place(("variants",))
    variants = document.tree["variants"]
    if not isinstance(variants, dict):
        message = f"must be a mapping of names to values; got {shown(variants)}"
        return [Problem(str(place), "variants", message, place.line)]
    found: list[Problem] = []
    for name in variants:
        wrong = list(_problems_of_form(document, name, variants[name], base.tree["name"]))
        found += wrong or _problems_of_values(document, base, name)
    return found


def _problems_of_form(
    document: Document, name: str, values: Any, experiment: str
) -> Iterator[Problem]:
    """Find what keeps a variant from being put in place."""
    place = document.place(("variants", name))
    where = shown_path(("variants", name))
    if not re.fullmatch(NAME_PATTERN, f"{experiment}-{name}") or "\n" in name:
        message = (
            "must have a name of lower-case letters, digits, '.', '_' and '-', which with that of "
            "the experiment has at most 80 characters"
        )
        yield Problem(str(place), where, message, place.line)
    if values is None:
        return
    if not isinstance(values, dict):
        message = f"must be a mapping of dotted keys to values; got {shown(values)}"
        yield Problem(str(place), where, message, place.line)
        return
    for key in values:
        path = split_key(key)
        at = document.place(("variants", name, key))
        if not all(path) or path[0] in _FIXED:
            wrong = "must be a dotted key such as dataset.n_samples"
            message = wrong if not all(path) else "cannot be replaced by a variant"
            yield Problem(str(at), shown_path(("variants", name, key)), message, at.line)


def _problems_of_values(document: Document, base: Document, name: str) -> list[Problem]:
    """Return what is wrong with a definition once a variant is in place."""
    applied = _applied(document, base, name)
    found = examine(applied)
    problems = points_problems(found, applied) if isinstance(found, Experiment) else found
    where = shown_path(("variants", name))
    return [Problem(one.place, f"{where}: {one.path}", one.message, one.line) for one in problems]


def _applied(document: Document, base: Document, name: str) -> Document:
    values = document.tree["variants"][name] or {}
    applied = base
    for key, value in values.items():
        path: KeyPath = ("variants", name, key)
        below = {
            other[len(path) :]: place
            for other, place in document.places.items()
            if other[: len(path)] == path
        }
        applied = full_form(replaced(applied, split_key(key), value, below))
    named = {**applied.tree, "name": f"{applied.tree['name']}-{name}"}
    return Document(named, applied.places)
