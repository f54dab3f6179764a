"""What every source of data understands."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from experiments.datasets.options.fields import Options, Seed, refuse_boolean


class SourceOptions(Options):
    """What every source of data understands.

    The steps follow one another in this order: sample, split, standardize, levels, dtype.
    """

    source: str
    dtype: Literal["float32", "float64"] = Field(
        "float64", description="Type of every feature, on disk and in every engine."
    )
    standardize: bool = Field(
        default=False,
        description="Subtract each feature's mean and divide by its standard deviation (divisor "
        "n), both taken from the training rows only; a constant feature becomes 0.",
    )
    sample: int | float | None = Field(
        None,
        description="Rows to keep: a number of them, or a share between 0 and 1; all when not "
        "given. They keep their order.",
    )
    sample_seed: Seed = Field(0, description="Seed of the rows that sample keeps.")
    levels: Annotated[int, BeforeValidator(refuse_boolean), Field(ge=2)] | None = Field(
        None,
        description="Most distinct values a feature may have: each is moved to the nearest of so "
        "many equally spaced values between its least and greatest training value.",
    )

    @field_validator("sample", mode="before")
    @classmethod
    def _sample_is_a_number_or_a_share(cls, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        if isinstance(value, float) and 0 < value < 1:
            return value
        if isinstance(value, float) and value >= 1 and value.is_integer():
            return int(value)  # 1.0e6 is how YAML writes a million
        raise ValueError(
            "sample must be a number of rows, 1 or more, or a share of them between 0 and 1; "
            f"got {value!r}"
        )
