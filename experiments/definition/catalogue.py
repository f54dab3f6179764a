"""The ready experiments that come with the package."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

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


def catalogue_names() -> list[tuple[str, str]]:
    """Return the name and the question of every ready experiment, sorted by name.

    The files are read but not validated.
    """
    return [
        (name, str(read_document(file.read_text(encoding="utf-8"), name).tree["question"]))
        for name, file in entries().items()
    ]
