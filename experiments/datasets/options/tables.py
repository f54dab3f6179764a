"""Real data: bundled with scikit-learn, in files, or of openml.org."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from experiments.datasets.options.fields import Count  # noqa: TC001 - pydantic reads annotations
from experiments.datasets.options.source import SourceOptions


class BundledOptions(SourceOptions):
    """Real data that comes with scikit-learn; needs no network."""

    source: Literal["digits", "breast_cancer", "wine", "iris", "diabetes"]


class _TableOptions(SourceOptions):
    """What sources with named columns understand."""

    label: str | None = Field(
        None, description="Column to predict or to compare clusters with; none when not given."
    )
    features: tuple[str, ...] | None = Field(
        None,
        description="Columns to learn from, in this order; all numeric ones but the label when "
        "not given.",
    )

    @model_validator(mode="after")
    def _features_are_distinct(self) -> Self:
        if self.features is None:
            return self
        if not self.features:
            raise ValueError("features must name at least one column, or be left out")
        if twice := [name for name in self.features if self.features.count(name) > 1]:
            raise ValueError(f"features names {twice[0]!r} more than once")
        if self.label in self.features:
            raise ValueError(f"features names the label {self.label!r}; leave it out")
        return self


class _FileOptions(_TableOptions):
    """What sources in files understand."""

    path: Annotated[str, Field(min_length=1)] = Field(
        description="A file, a folder or a pattern such as 'data/*.csv', relative to the current "
        "folder; several files are read in the order of their names."
    )


class CsvOptions(_FileOptions):
    """UTF-8 text files with a header line."""

    source: Literal["csv"] = "csv"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = Field(
        ",",
        description="Character between two values: one ASCII character such as , ; | or a tab, "
        "and no quotation mark or line break.",
    )

    @field_validator("delimiter")
    @classmethod
    def _delimiter_can_separate(cls, delimiter: str) -> str:
        if delimiter == "\t" or (delimiter.isascii() and delimiter.isprintable()):
            if delimiter != '"':
                return delimiter
            raise ValueError(
                "delimiter must not be the quotation mark, which encloses values that hold a "
                "delimiter; name the character between two values, such as , or ;"
            )
        raise ValueError(
            f"delimiter must be one ASCII character that can be seen, or a tab; got {delimiter!r}"
        )


class ParquetOptions(_FileOptions):
    """Parquet files."""

    source: Literal["parquet"] = "parquet"


class OpenmlOptions(_TableOptions):
    """A dataset of openml.org, by name or by number; needs the network the first time."""

    source: Literal["openml"] = "openml"
    name: str | None = Field(None, description="Name of the dataset.")
    data_id: Count | None = Field(None, description="Number of the dataset.")
    version: Count | None = Field(
        None, description="Version of the named dataset; the active one when not given."
    )
    label: str | None = Field(
        None, description="Column to predict; the dataset's own target when not given."
    )

    @model_validator(mode="after")
    def _one_way_to_name_it(self) -> Self:
        if (self.name is None) == (self.data_id is None):
            raise ValueError("exactly one of name and data_id must be given")
        if self.version is not None and self.name is None:
            raise ValueError("version has a meaning only with name: a data_id has one version")
        return self
