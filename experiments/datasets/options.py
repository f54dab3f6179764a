"""The ``dataset`` and ``split`` sections of a definition, as validated models.

Each field is described here once: for the YAML file, for error messages and for the JSON Schema.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from engines.locations import Location

if TYPE_CHECKING:
    from collections.abc import Callable

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
Natural = Annotated[int, BeforeValidator(_refuse_boolean), Field(ge=0)]
Number = Annotated[float, BeforeValidator(_refuse_boolean)]
Positive = Annotated[float, BeforeValidator(_refuse_boolean), Field(gt=0)]
Magnitude = Annotated[float, BeforeValidator(_refuse_boolean), Field(ge=0)]
Share = Annotated[float, BeforeValidator(_refuse_boolean), Field(ge=0, le=1)]
RandomState = Annotated[int, BeforeValidator(_refuse_boolean), Field(ge=0, lt=2**32)]


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


class DrawnOptions(SourceOptions):
    """What sources that are drawn page by page understand."""

    generate: Literal["prepared", "on_workers"] = Field(
        "prepared",
        description="Where the rows are drawn: once, into the prepared files that every engine "
        "reads; or on_workers, where each worker draws its own rows whenever they are loaded, "
        "which gives the same rows and writes none.",
    )

    @model_serializer(mode="wrap")
    def _without_what_is_usual(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        if self.generate == "prepared":
            written.pop("generate", None)
        return written


class BlobsOptions(DrawnOptions):
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


class ClassificationOptions(DrawnOptions):
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
        _check_corners(self.n_classes, self.n_clusters_per_class, self.n_informative)
        return self


class RegressionOptions(DrawnOptions):
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


def _is_number(
    value: Any, *, least: float = -math.inf, most: float = math.inf, whole: bool = False
) -> bool:
    kinds = int if whole else int | float
    plain = isinstance(value, kinds) and not isinstance(value, bool)
    return plain and math.isfinite(value) and least <= value <= most


def _as_list(value: Any, fits: Callable[[Any], bool]) -> tuple[Any, ...] | None:
    """Return a list of fitting values as a tuple, which strict validation asks for; or None."""
    if isinstance(value, list | tuple) and all(fits(one) for one in value):
        return tuple(value)
    return None


class MakeClassificationOptions(SourceOptions):
    """``sklearn.datasets.make_classification``, row for row; all rows are drawn in memory.

    Names, meanings and defaults are scikit-learn's.
    """

    source: Literal["make_classification"] = "make_classification"
    n_samples: Count = Field(100, description="Number of rows.")
    n_features: Features = Field(
        20, description="Number of features: informative, redundant, repeated and noise."
    )
    n_informative: Count = Field(2, description="Number of features that tell of the class.")
    n_redundant: Natural = Field(
        2, description="Number of features that are linear combinations of the informative ones."
    )
    n_repeated: Natural = Field(
        0, description="Number of features that repeat informative and redundant ones."
    )
    n_classes: Annotated[int, BeforeValidator(_refuse_boolean), Field(ge=1, le=MOST_CLASSES)] = (
        Field(2, description="Number of classes.")
    )
    n_clusters_per_class: Count = Field(2, description="Number of clouds of each class.")
    weights: tuple[Share, ...] | None = Field(
        None,
        description="Share of the rows of each class, of which the last may be left out; equal "
        "ones when not given. flip_y changes them.",
    )
    flip_y: Share = Field(0.01, description="Share of rows whose class is drawn anew at random.")
    class_sep: Positive = Field(
        1.0, description="Half the edge of the hypercube: larger is easier."
    )
    hypercube: bool = Field(
        default=True,
        description="Whether the clouds lie at the corners of a hypercube, or of a polytope drawn "
        "at random.",
    )
    shift: Number | tuple[Number, ...] | None = Field(
        0.0,
        description="What is added to the features, one number or one for each; drawn at random "
        "when null.",
    )
    scale: Positive | tuple[Number, ...] | None = Field(
        1.0,
        description="What the features are then multiplied by, one number or one for each; drawn "
        "at random when null.",
    )
    shuffle: bool = Field(default=True, description="Whether rows and features are shuffled.")
    random_state: RandomState = Field(0, description="Seed of everything that is drawn.")

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and of features."""
        return self.n_samples, self.n_features

    @field_validator("weights", mode="before")
    @classmethod
    def _weights_are_shares(cls, value: Any) -> Any:
        shares = _as_list(value, partial(_is_number, least=0, most=1))
        if value is None or shares is not None:
            return shares
        raise ValueError(f"weights must be a list of shares between 0 and 1; got {value!r}")

    @field_validator("shift", "scale", mode="before")
    @classmethod
    def _one_number_or_one_for_each_feature(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None or _is_number(value):
            return value
        if (numbers := _as_list(value, _is_number)) is not None:
            return numbers
        raise ValueError(
            f"{info.field_name} must be a number, a list with one for each feature, or null; got "
            f"{value!r}"
        )

    @model_validator(mode="after")
    def _features_suffice(self) -> Self:
        told = self.n_informative + self.n_redundant + self.n_repeated
        if told > self.n_features:
            raise ValueError(
                f"n_informative, n_redundant and n_repeated must sum to at most n_features, "
                f"{self.n_features}; got {told}"
            )
        _check_corners(self.n_classes, self.n_clusters_per_class, self.n_informative)
        return self

    @model_validator(mode="after")
    def _lists_have_their_length(self) -> Self:
        weights = self.weights
        if weights is not None and self.n_classes - len(weights) not in {0, 1}:
            raise ValueError(
                f"weights must have a share for each of n_classes, {self.n_classes}, or for all "
                f"but the last; got {len(weights)}"
            )
        for name, values in (("shift", self.shift), ("scale", self.scale)):
            if isinstance(values, tuple) and len(values) not in {1, self.n_features}:
                raise ValueError(
                    f"{name} must be one number or one for each of n_features, "
                    f"{self.n_features}; got {len(values)}"
                )
        return self


class MakeBlobsOptions(SourceOptions):
    """``sklearn.datasets.make_blobs``, row for row; all rows are drawn in memory.

    Names, meanings and defaults are scikit-learn's.
    """

    source: Literal["make_blobs"] = "make_blobs"
    n_samples: Count | tuple[Natural, ...] = Field(
        100, description="Number of rows, or a list with the number of each cloud."
    )
    n_features: Features = Field(
        2, description="Number of features; not read where centers are points."
    )
    centers: (
        Annotated[int, BeforeValidator(_refuse_boolean), Field(ge=1, le=MOST_CLASSES)]
        | tuple[tuple[Number, ...], ...]
        | None
    ) = Field(
        None,
        description="Number of clouds, or a list of their centres, each a list of numbers; 3 when "
        "not given, or as many as n_samples lists.",
    )
    cluster_std: Magnitude | tuple[Magnitude, ...] = Field(
        1.0, description="Standard deviation of all clouds, or a list with that of each."
    )
    center_box: tuple[Number, Number] = Field(
        (-10.0, 10.0), description="Bounds that centres are drawn between, in every feature."
    )
    shuffle: bool = Field(default=True, description="Whether the rows are shuffled.")
    random_state: RandomState = Field(0, description="Seed of everything that is drawn.")

    @property
    def n_centers(self) -> int:
        """Number of clouds."""
        if isinstance(self.centers, tuple):
            return len(self.centers)
        if isinstance(self.n_samples, tuple):
            return len(self.n_samples)
        return 3 if self.centers is None else self.centers

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and of features."""
        n_rows = sum(self.n_samples) if isinstance(self.n_samples, tuple) else self.n_samples
        given = isinstance(self.centers, tuple)
        return n_rows, len(self.centers[0]) if given else self.n_features  # type: ignore[index]

    @field_validator("n_samples", mode="before")
    @classmethod
    def _rows_are_counted(cls, value: Any) -> Any:
        if _is_number(value, least=1, whole=True):
            return value
        counts = _as_list(value, partial(_is_number, least=0, whole=True))
        if counts is not None and sum(counts):
            return counts
        raise ValueError(
            "n_samples must be a number of rows, 1 or more, or a list with the number of each "
            f"cloud; got {value!r}"
        )

    @field_validator("cluster_std", mode="before")
    @classmethod
    def _deviations_are_not_negative(cls, value: Any) -> Any:
        if _is_number(value, least=0):
            return value
        deviations = _as_list(value, partial(_is_number, least=0))
        if deviations is not None:
            return deviations
        raise ValueError(
            "cluster_std must be a number, 0 or more, or a list with one for each cloud; got "
            f"{value!r}"
        )

    @field_validator("center_box", mode="before")
    @classmethod
    def _box_has_two_sides(cls, value: Any) -> Any:
        bounds = _as_list(value, _is_number)
        if bounds is not None and len(bounds) == 2:
            return bounds
        raise ValueError(f"center_box must be a list of two numbers; got {value!r}")

    @field_validator("centers", mode="before")
    @classmethod
    def _centres_are_points(cls, value: Any) -> Any:
        if value is None or _is_number(value, least=1, most=MOST_CLASSES, whole=True):
            return value
        given = value if isinstance(value, list | tuple) else ()
        points = [_as_list(one, _is_number) for one in given]
        lengths = {0 if point is None else len(point) for point in points}
        if len(lengths) == 1 and 1 <= max(lengths) <= MOST_FEATURES:
            return tuple(points)
        raise ValueError(
            f"centers must be a number from 1 to {MOST_CLASSES}, or a list of points that are "
            f"lists of as many numbers each; got {value!r}"
        )

    @model_validator(mode="after")
    def _centres_can_be_numbered(self) -> Self:
        if self.n_centers > MOST_CLASSES:
            raise ValueError(
                f"there must be at most {MOST_CLASSES:,} centers; got {self.n_centers:,}"
            )
        return self

    @model_validator(mode="after")
    def _lists_have_their_length(self) -> Self:
        if isinstance(self.n_samples, tuple):
            if isinstance(self.centers, int):
                raise ValueError(  # noqa: TRY004 - pydantic's validators raise ValueError
                    "centers must be a list of points, or left out, where n_samples is a list"
                )
            if len(self.n_samples) != self.n_centers:
                raise ValueError(
                    f"n_samples must list a number for each of {self.n_centers} centers; got "
                    f"{len(self.n_samples)}"
                )
        if isinstance(self.cluster_std, tuple) and len(self.cluster_std) != self.n_centers:
            raise ValueError(
                f"cluster_std must be one number or one for each of {self.n_centers} centers; got "
                f"{len(self.cluster_std)}"
            )
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


class PreparedOptions(_Options):
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


# what is drawn page by page
GeneratedOptions = BlobsOptions | ClassificationOptions | RegressionOptions

# what has to be prepared before an engine can read it
MadeOptions = (
    GeneratedOptions
    | MakeClassificationOptions
    | MakeBlobsOptions
    | BundledOptions
    | CsvOptions
    | ParquetOptions
    | OpenmlOptions
)

DatasetOptions = Annotated[MadeOptions | PreparedOptions, Field(discriminator="source")]


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
        "none when not given. A search uses them, and nothing else does.",
    )

    @model_validator(mode="after")
    def _something_is_stratified(self) -> Self:
        if self.stratify and self.test_fraction is None and self.folds is None:
            raise ValueError("stratify has a meaning only with test_fraction or folds")
        return self


@dataclass(frozen=True)
class FoldOptions:
    """Folds among the training rows, dealt out as scikit-learn does over them in order.

    Parameters
    ----------
    n_folds : int
        How many, from 2 to 127.
    shuffle : bool
        Whether rows are shuffled before they are dealt out.
    seed : int
        Seed of the shuffle; not read without.
    stratify : bool or None
        Whether every fold keeps the shares of the classes; None where the label is classes, as
        scikit-learn does for a classifier.
    """

    n_folds: int
    shuffle: bool = False
    seed: int = 0
    stratify: bool | None = False


def _check_informative(n_informative: int, n_features: int) -> None:
    if n_informative > n_features:
        raise ValueError(
            f"n_informative must be at most n_features, {n_features}; got {n_informative}"
        )


def _check_corners(n_classes: int, n_clusters_per_class: int, n_informative: int) -> None:
    clouds = n_classes * n_clusters_per_class
    if clouds > 2 ** min(n_informative, 62):
        raise ValueError(
            f"n_classes times n_clusters_per_class, {clouds}, must be at most 2 to the power of "
            f"n_informative, {n_informative}: there are no more corners"
        )
