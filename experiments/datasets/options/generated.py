"""Data that is drawn page by page."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from experiments.datasets.options.fields import Classes, Count, Features, Seed, check_corners
from experiments.datasets.options.source import SourceOptions


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
        check_corners(self.n_classes, self.n_clusters_per_class, self.n_informative)
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


def _check_informative(n_informative: int, n_features: int) -> None:
    if n_informative > n_features:
        raise ValueError(
            f"n_informative must be at most n_features, {n_features}; got {n_informative}"
        )
