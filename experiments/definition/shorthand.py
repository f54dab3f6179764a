"""What a definition may leave out or write shorter, written out in full; and what replaces it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from experiments.definition.addresses import without_secrets
from experiments.definition.engines import EnginesOptions
from experiments.definition.models import default_split
from experiments.definition.reading import Document, Place, Problem, read_value, refuse
from experiments.definition.sweep import set_value
from experiments.definition.wording import shown
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
        told = without_secrets(override)
        label = f"--set {told if told.isprintable() else shown(told)}"
        key, equals, text = override.partition("=")
        path = split_key(key.strip())
        if not equals or not all(path):
            raise RequestError(
                f"{label}: an override has the form key=value, such as "
                "--set dataset.n_samples=1000."
            )
        if path[0] == "variants":
            raise RequestError(f"{label}: a variant cannot be set; choose one with --variant.")
        document = full_form(replaced(document, path, read_value(text, label), {(): Place(label)}))
    return document


def split_key(key: str) -> tuple[str, ...]:
    """Return the path of a dotted key; everything after ``sweep.`` is one key of the sweep."""
    first, dot, rest = key.partition(".")
    return (first, rest) if first == "sweep" and dot else tuple(key.split("."))


def replaced(
    document: Document, path: tuple[str, ...], value: Any, written: Mapping[KeyPath, Place]
) -> Document:
    """Return a definition with one value replaced; missing sections are created.

    Parameters
    ----------
    document : Document
        In full form. It is not changed.
    path : tuple of str
        Which value.
    value : object
        What takes its place.
    written : mapping of path to Place
        Where the value was written, and what is in it, by the path from the value down.

    Raises
    ------
    RequestError
        If the path goes below a value that is no section.
    """
    tree = _copied(document.tree)
    place = written[()]
    if len(path) > 1 and path[0] not in tree:
        # one option of a default changes, not all that the default says
        if path[0] == "split":
            tree["split"] = default_split(tree.get("workload"))
        elif path[0] == "engines":
            tree["engines"] = dict.fromkeys(EnginesOptions.model_fields)
    in_the_way = set_value(tree, path, _copied(value))
    if in_the_way is not None:
        raise RequestError(
            f"{place}: {'.'.join(map(str, in_the_way))} is no section, so nothing can be set in it."
        )
    places: dict[KeyPath, Place] = {
        other: at for other, at in document.places.items() if other[: len(path)] != path
    }
    for depth in range(1, len(path)):
        places.setdefault(path[:depth], place)
    places |= {(*path, *below): at for below, at in written.items()}
    return Document(tree, places)


def _copied(value: Any) -> Any:
    """Copy nested mappings and lists."""
    if isinstance(value, dict):
        return {key: _copied(below) for key, below in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
