"""Kinds of values that fields of the sections have, and their limits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Callable

# a class has a 16-bit number while data is prepared, and a score in every table of probabilities
MOST_CLASSES = 10_000
# no engine reads a Parquet file of more columns in a time that anybody would wait
MOST_FEATURES = 100_000


def refuse_boolean(value: Any) -> Any:
    """Refuse a boolean where a number is needed; anything else is left as it is."""
    # YAML's yes and on are booleans, which Python would take for the number 1
    if isinstance(value, bool):
        raise ValueError(f"a number is needed; got {str(value).lower()}")  # noqa: TRY004
    return value


Count = Annotated[int, BeforeValidator(refuse_boolean), Field(ge=1)]
Features = Annotated[int, BeforeValidator(refuse_boolean), Field(ge=1, le=MOST_FEATURES)]
Classes = Annotated[int, BeforeValidator(refuse_boolean), Field(ge=2, le=MOST_CLASSES)]
Seed = Annotated[int, BeforeValidator(refuse_boolean), Field(ge=0, lt=2**31)]
Natural = Annotated[int, BeforeValidator(refuse_boolean), Field(ge=0)]
Number = Annotated[float, BeforeValidator(refuse_boolean)]
Positive = Annotated[float, BeforeValidator(refuse_boolean), Field(gt=0)]
Magnitude = Annotated[float, BeforeValidator(refuse_boolean), Field(ge=0)]
Share = Annotated[float, BeforeValidator(refuse_boolean), Field(ge=0, le=1)]
RandomState = Annotated[int, BeforeValidator(refuse_boolean), Field(ge=0, lt=2**32)]


class Options(BaseModel):
    """Base of the sections: frozen, and closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def is_number(
    value: Any, *, least: float = -math.inf, most: float = math.inf, whole: bool = False
) -> bool:
    """Tell whether a value is a finite number within bounds, and no boolean."""
    kinds = int if whole else int | float
    plain = isinstance(value, kinds) and not isinstance(value, bool)
    return plain and math.isfinite(value) and least <= value <= most


def as_list(value: Any, fits: Callable[[Any], bool]) -> tuple[Any, ...] | None:
    """Return a list of fitting values as a tuple, which strict validation asks for; or None."""
    if isinstance(value, list | tuple) and all(fits(one) for one in value):
        return tuple(value)
    return None


def check_corners(n_classes: int, n_clusters_per_class: int, n_informative: int) -> None:
    """Refuse more clouds than a hypercube has corners.

    Raises
    ------
    ValueError
        Naming the fields.
    """
    clouds = n_classes * n_clusters_per_class
    if clouds > 2 ** min(n_informative, 62):
        raise ValueError(
            f"n_classes times n_clusters_per_class, {clouds}, must be at most 2 to the power of "
            f"n_informative, {n_informative}: there are no more corners"
        )
