"""Sections and keys that do not go together, told at the key that is to change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Iterable

# the type that pydantic gives such an error
CONFLICT = "conflict"

# the key below the section that is validated, and what is wrong with it, without a full stop
Conflict: TypeAlias = tuple[tuple[str | int, ...], str]


def raise_conflicts(section: Any, conflicts: Iterable[Conflict]) -> None:
    """Raise what a validator found as pydantic raises what it finds itself: with its key.

    Raises
    ------
    pydantic.ValidationError
        Unless there is no conflict.
    """
    details = [
        InitErrorDetails(
            type=PydanticCustomError(CONFLICT, "{error}", {"error": message}),
            loc=path,
            input=None,
        )
        for path, message in conflicts
    ]
    if details:
        raise ValidationError.from_exception_data(type(section).__name__, details)
