"""Data that was prepared before."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from engines.locations import Location
from experiments.datasets.options.fields import Options


class PreparedOptions(Options):
    """A folder of data that was prepared before, read where it is.

    Its rows are split already, and have the folds that they were prepared with.
    """

    source: Literal["prepared"] = "prepared"
    url: Annotated[str, Field(min_length=1)] = Field(
        description="The folder with dataset.json: a path, or a URL such as "
        "s3://bucket/folder or file:///folder. Keys and passwords do not belong in it."
    )

    @field_validator("url")
    @classmethod
    def _url_can_be_kept(cls, url: str) -> str:
        check_location(url)
        return url


def check_location(text: str) -> None:
    """Refuse the address of a folder that cannot be one, or that records must not show.

    Raises
    ------
    ValueError
        Which does not show it.
    """
    Location.parse(text)
