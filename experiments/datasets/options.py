"""The ``dataset`` and ``split`` sections of a definition, as validated models.

Each field is described here once: for the YAML file, for error messages and for the JSON Schema.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

# a class has a 16-bit number while data is prepared, and a score in every table of probabilities
MOST_CLASSES = 10_000
# no engine reads a Parquet file of more columns in a time that anybody would wait
MOST_FEATURES = 100_000


def _refuse_boolean(value: Any) -> Any:
    # YAML's yes and on are booleans, which Python would take for the number 1
    if isinstance(value, bool):
        raise ValueError(f"a number is needed; got {str(value).lower()}")  # noqa: TRY004
    return value


Count = Annotated[int, BeforeValidator(_refuse_boolean), Field(ge=1)]
Features = Annotated[int, BeforeValidator(_refuse_boolean), Field(ge=1, le=MOST_FEATURES)]
Classes = Annotated[int, BeforeValidator(_refuse_boolean), Field(ge=2, le=MOST_CLASSES)]
Seed = Annotated[int, BeforeValidator(_refuse_boolean), Field(ge=0, lt=2**31)]


class _Options(BaseModel):
    """Base of the sections: frozen, and closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SourceOptions(_Options):
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
    levels: Annotated[int, BeforeValidator(_refuse_boolean), Field(ge=2)] | None = Field(
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


class BlobsOptions(SourceOptions):
    """Normal clouds around centres drawn uniformly from [-10, 10] in every feature."""

    source: Literal["blobs"] = "blobs"
    n_samples: Count = Field(description="Number of rows.")
    n_features: Features = Field(2, description="Number of features.")
    centers: Classes = Field(
        3, description="Number of clouds; which one a row is from is its label."
    )
    cluster_std: Annotated[float, Field(gt=0)] = Field(
        1.0, description="Standard deviation of each cloud in every feature."
    )
    seed: Seed = Field(0, description="Seed of everything that is drawn.")


class ClassificationOptions(SourceOptions):
    """Classes made of normal clouds at corners of a hypercube, and features of pure noise.

    The informative features come first. Each cloud has its own random linear mixing of them.
    """

    source: Literal["classification"] = "classification"
    n_samples: Count = Field(description="Number of rows.")
    n_features: Features = Field(20, description="Number of features, informative and noise.")
    n_informative: Count = Field(2, description="Number of features that tell of the class.")
    n_classes: Classes = Field(2, description="Number of classes.")
    n_clusters_per_class: Count = Field(2, description="Number of clouds of each class.")
    class_sep: Annotated[float, Field(gt=0)] = Field(
        1.0, description="Half the edge of the hypercube: larger is easier."
    )
    flip_y: Annotated[float, Field(ge=0, le=1)] = Field(
        0.01, description="Share of rows whose class is drawn anew at random."
    )
    seed: Seed = Field(0, description="Seed of everything that is drawn.")

    @model_validator(mode="after")
    def _informative_features_suffice(self) -> Self:
        _check_informative(self.n_informative, self.n_features)
        clouds = self.n_classes * self.n_clusters_per_class
        if clouds > 2 ** min(self.n_informative, 62):
            raise ValueError(
                f"n_classes times n_clusters_per_class, {clouds}, must be at most 2 to the power "
                f"of n_informative, {self.n_informative}: there are no more corners"
            )
        return self


class RegressionOptions(SourceOptions):
    """Standard normal features, and a label that is linear in the informative ones."""

    source: Literal["regression"] = "regression"
    n_samples: Count = Field(description="Number of rows.")
    n_features: Features = Field(100, description="Number of features.")
    n_informative: Count = Field(
        10, description="Number of features in the label, which come first."
    )
    noise: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Standard deviation of the normal noise added to the label."
    )
    seed: Seed = Field(0, description="Seed of everything that is drawn.")

    @model_validator(mode="after")
    def _informative_features_exist(self) -> Self:
        _check_informative(self.n_informative, self.n_features)
        return self


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


DatasetOptions = Annotated[
    BlobsOptions
    | ClassificationOptions
    | RegressionOptions
    | BundledOptions
    | CsvOptions
    | ParquetOptions
    | OpenmlOptions,
    Field(discriminator="source"),
]


class SplitOptions(_Options):
    """Which rows are held out, and the folds among the others."""

    test_fraction: Annotated[float, BeforeValidator(_refuse_boolean), Field(gt=0, lt=1)] | None = (
        Field(None, description="Share of the rows held out for scoring; none when not given.")
    )
    seed: Seed = Field(0, description="Seed of the split and of the folds.")
    stratify: bool = Field(
        default=False, description="Keep the shares of the classes in every part."
    )
    folds: Annotated[int, BeforeValidator(_refuse_boolean), Field(ge=2, le=127)] | None = Field(
        None,
        description="Number of folds among the training rows, written to the data as a column; "
        "none when not given. No workload uses them yet.",
    )

    @model_validator(mode="after")
    def _something_is_stratified(self) -> Self:
        if self.stratify and self.test_fraction is None and self.folds is None:
            raise ValueError("stratify has a meaning only with test_fraction or folds")
        return self


def _check_informative(n_informative: int, n_features: int) -> None:
    if n_informative > n_features:
        raise ValueError(
            f"n_informative must be at most n_features, {n_features}; got {n_informative}"
        )
