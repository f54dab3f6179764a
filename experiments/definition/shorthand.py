"""What a definition may leave out or write shorter, written out in full; and what replaces it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from experiments.definition.models import EnginesOptions, default_split
from experiments.definition.reading import Document, Place, Problem, read_value, refuse
from experiments.definition.sweep import set_value
from experiments.definition.wording import shown
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.definition.wording import KeyPath

# split is not among them: null has a meaning there
_EMPTY_MEANS_DEFAULTS = ("engines", "resources", "measure", "sweep")


def full_form(document: Document) -> Document:
    """Return a definition with empty sections left out and engines as a mapping.

    Raises
    ------
    RequestError
        If a list of engines names one twice.
    """
    tree = {
        key: value
        for key, value in document.tree.items()
        if value is not None or key not in _EMPTY_MEANS_DEFAULTS
    }
    names = tree.get("engines")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return Document(tree, document.places)
    places = {path: at for path, at in document.places.items() if path[:1] != ("engines",)}
    places["engines",] = document.place(("engines",))
    problems = []
    for index, name in enumerate(names):
        place = document.place(("engines", index))
        if name in names[:index]:
            problems.append(
                Problem(str(place), "engines", f"{shown(name)} is named twice", place.line)
            )
        places["engines", name] = place
    refuse(problems)
    tree["engines"] = dict.fromkeys(names)
    return Document(tree, places)


def with_overrides(document: Document, overrides: Sequence[str]) -> Document:
    """Return a definition with values replaced, one after the other.

    Parameters
    ----------
    document : Document
        In full form. It is not changed.
    overrides : sequence of str
        Each ``dotted.key=value``, the value as YAML. Missing sections are created. Everything
        after ``sweep.`` is one key of the sweep.

    Returns
    -------
    Document
        In full form, with ``--set dotted.key=value`` as the place of what was replaced.

    Raises
    ------
    RequestError
        If one has no such form, its value is no YAML, or it goes below a value that is no section.
    """
    for override in overrides:
        label = f"--set {override if override.isprintable() else shown(override)}"
        key, equals, text = override.partition("=")
        path = _split_key(key.strip())
        if not equals or not all(path):
            raise RequestError(
                f"{label}: an override has the form key=value, such as "
                "--set dataset.n_samples=1000."
            )
        document = full_form(_replaced(document, path, read_value(text, label), label))
    return document


def _split_key(key: str) -> tuple[str, ...]:
    first, dot, rest = key.partition(".")
    return (first, rest) if first == "sweep" and dot else tuple(key.split("."))


def _replaced(document: Document, path: tuple[str, ...], value: Any, label: str) -> Document:
    tree = _copied(document.tree)
    if len(path) > 1 and path[0] not in tree:
        # one option of a default changes, not all that the default says
        if path[0] == "split":
            workload = tree.get("workload")
            kind = workload.get("kind") if isinstance(workload, dict) else None
            tree["split"] = default_split(kind) if isinstance(kind, str) else None
        elif path[0] == "engines":
            tree["engines"] = dict.fromkeys(EnginesOptions.model_fields)
    in_the_way = set_value(tree, path, value)
    if in_the_way is not None:
        raise RequestError(
            f"{label}: {'.'.join(map(str, in_the_way))} is no section, so nothing can be set in it."
        )
    places: dict[KeyPath, Place] = {
        other: at for other, at in document.places.items() if other[: len(path)] != path
    }
    for depth in range(1, len(path) + 1):
        places.setdefault(path[:depth], Place(label))
    return Document(tree, places)


def _copied(value: Any) -> Any:
    """Copy nested mappings and lists."""
    if isinstance(value, dict):
        return {key: _copied(below) for key, below in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
