"""The description of a prepared dataset, and what is told when it cannot be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from engines.errors import SpecError, headline

if TYPE_CHECKING:
    from engines.locations import Location

SCHEMA = 1
MANIFEST = "dataset.json"
# the manifest's key for how rows are drawn, in a folder that has none
DRAWN = "drawn"
# how S3, Google and Azure say that who asks may not, in errors that have no type of their own
_REFUSALS = (
    "ACCESS_DENIED",
    "FORBIDDEN",
    "INVALID_ACCESS_KEY_ID",
    "PERMISSION_DENIED",
    "SIGNATURE_DOES_NOT_MATCH",
    "UNAUTHORIZED",
)
# what to do about a folder that this program has written and can write again
_AGAIN = "delete the folder and run again"


def read_manifest(location: Location, remedy: str = _AGAIN) -> dict[str, Any]:
    """Return what ``dataset.json`` says, having checked that the files it names are there.

    Parameters
    ----------
    location : Location
        The folder.
    remedy : str
        What to do about a folder that is not whole.

    Raises
    ------
    SpecError
        If it is missing or unreadable, was written by a newer version, or a file it names is
        missing or has another size; also if the folder cannot be reached, or may not be read.
    """
    try:
        folder = location.connect()
        text = folder.read(MANIFEST)
    except FileNotFoundError:
        raise SpecError(_incomplete(location, f"{MANIFEST} is missing", remedy)) from None
    except OSError as exc:
        raise SpecError(f"The dataset folder {unreadable(location, exc)}") from exc
    try:
        content: Any = json.loads(text)
    except ValueError as exc:
        what = f"{MANIFEST} is cut off, or is no JSON"
        raise SpecError(_incomplete(location, what, remedy)) from exc
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        found = content.get("schema") if isinstance(content, dict) else None
        raise SpecError(
            f"The dataset folder {location} has schema {found!r}, and this version "
            f"reads {SCHEMA}; {remedy}."
        )
    described: dict[str, Any] = content
    try:
        sizes = folder.sizes([file["name"] for file in content["files"]])
    except OSError as exc:
        raise SpecError(f"The dataset folder {unreadable(location, exc)}") from exc
    for file in content["files"]:
        name = file["name"]
        if name not in sizes:
            raise SpecError(_incomplete(location, f"{name} is missing", remedy))
        if sizes[name] != file["bytes"]:
            what = f"{name} is not {file['bytes']} bytes long"
            raise SpecError(_incomplete(location, what, remedy))
    return described


def unreadable(location: Location, exc: OSError) -> str:
    """Return a sentence on a folder that does not answer, or does not answer this user."""
    said = headline(exc).rstrip(".")
    if isinstance(exc, PermissionError) or any(word in said.upper() for word in _REFUSALS):
        return (
            f"{location} may not be read by this user ({said}); ask for the right to read it, or "
            f"set the keys of one who has it in the environment."
        )
    return (
        f"{location} cannot be read ({said}); check the address, and that this machine reaches it."
    )


def _incomplete(location: Location, what: str, remedy: str) -> str:
    return f"The dataset folder {location} is incomplete: {what}; {remedy}."
