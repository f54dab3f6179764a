"""Data that scikit-learn's own functions make in memory."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from experiments.datasets.options.fields import (
    MOST_CLASSES,
    MOST_FEATURES,
    Count,
    Features,
    Magnitude,
    Natural,
    Number,
    Positive,
    RandomState,
    Share,
    as_list,
    check_corners,
    is_number,
    refuse_boolean,
)
from experiments.datasets.options.source import SourceOptions


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
    n_classes: Annotated[int, BeforeValidator(refuse_boolean), Field(ge=1, le=MOST_CLASSES)] = (
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
        shares = as_list(value, partial(is_number, least=0, most=1))
        if value is None or shares is not None:
            return shares
        raise ValueError(f"weights must be a list of shares between 0 and 1; got {value!r}")

    @field_validator("shift", "scale", mode="before")
    @classmethod
    def _one_number_or_one_for_each_feature(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None or is_number(value):
            return value
        if (numbers := as_list(value, is_number)) is not None:
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
        check_corners(self.n_classes, self.n_clusters_per_class, self.n_informative)
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
        Annotated[int, BeforeValidator(refuse_boolean), Field(ge=1, le=MOST_CLASSES)]
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
        if is_number(value, least=1, whole=True):
            return value
        counts = as_list(value, partial(is_number, least=0, whole=True))
        if counts is not None and sum(counts):
            return counts
        raise ValueError(
            "n_samples must be a number of rows, 1 or more, or a list with the number of each "
            f"cloud; got {value!r}"
        )

    @field_validator("cluster_std", mode="before")
    @classmethod
    def _deviations_are_not_negative(cls, value: Any) -> Any:
        if is_number(value, least=0):
            return value
        deviations = as_list(value, partial(is_number, least=0))
        if deviations is not None:
            return deviations
        raise ValueError(
            "cluster_std must be a number, 0 or more, or a list with one for each cloud; got "
            f"{value!r}"
        )

    @field_validator("center_box", mode="before")
    @classmethod
    def _box_has_two_sides(cls, value: Any) -> Any:
        bounds = as_list(value, is_number)
        if bounds is not None and len(bounds) == 2:
            return bounds
        raise ValueError(f"center_box must be a list of two numbers; got {value!r}")

    @field_validator("centers", mode="before")
    @classmethod
    def _centres_are_points(cls, value: Any) -> Any:
        if value is None or is_number(value, least=1, most=MOST_CLASSES, whole=True):
            return value
        given = value if isinstance(value, list | tuple) else ()
        points = [as_list(one, is_number) for one in given]
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
