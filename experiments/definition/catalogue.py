"""The ready experiments that come with the package."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from experiments.definition.reading import read_document

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_SUFFIX = ".yaml"


def entries() -> dict[str, Traversable]:
    """Return the file of each ready experiment by name, sorted by name."""
    folder = resources.files("experiments") / "catalogue"
    files = [file for file in folder.iterdir() if file.name.endswith(_SUFFIX)]
    return {
        file.name.removesuffix(_SUFFIX): file for file in sorted(files, key=lambda file: file.name)
    }


class Ready(NamedTuple):
    """What is told of a ready experiment before it is chosen.

    Attributes
    ----------
    name, question : str
        As in its file.
    variants : tuple of str
        Names of its variants.
    """

    name: str
    question: str
    variants: tuple[str, ...]


def catalogue_names() -> list[Ready]:
    """Return name, question and variants of every ready experiment, sorted by name.

    The files are read but not validated.
    """
    found = []
    for name, file in entries().items():
        tree = read_document(file.read_text(encoding="utf-8"), name).tree
        found.append(Ready(name, str(tree["question"]), tuple(tree.get("variants") or ())))
    return found
