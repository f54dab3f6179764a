"""What is asked of an engine: frozen, validated, and the same for every engine.

The specifications are also the ``workload`` section of an experiment's YAML file, so each field
is described here once, for engines, for error messages and for the JSON Schema.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engines.gaps import Feature

_INIT_FEATURES = {
    "shared": Feature.KMEANS_INIT_SHARED,
    "k-means++": Feature.KMEANS_INIT_PLUS_PLUS,
    "k-means||": Feature.KMEANS_INIT_PARALLEL,
    "random": Feature.KMEANS_INIT_RANDOM,
}

Seed = Annotated[int, Field(ge=0, lt=2**31)]


# libraries hold these in 32 bits
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Spec(BaseModel):
    """Base of every specification: frozen, and closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: str

    def features(self) -> tuple[Feature, ...]:
        """Return what an engine must be able to do to carry out this specification."""
        return ()

    def relevant_fields(self) -> tuple[str, ...]:
        """Return the names of the fields that have a meaning beside the others' values.

        ``kind`` only chooses the specification and is never among them.
        """
        return tuple(name for name in type(self).model_fields if name != "kind")


class KMeansSpec(Spec):
    """K-means clustering by Lloyd's iterations.

    The names and meanings are those of ``sklearn.cluster.KMeans``; adapters convert.
    """

    kind: Literal["kmeans"] = "kmeans"
    n_clusters: Annotated[int, Field(ge=1)] = Field(description="Number of clusters.")
    init: Literal["shared", "k-means++", "k-means||", "random"] = Field(
        "shared",
        description="Starting centres: 'shared' draws them once (k-means++ on a fixed sample) and "
        "hands the same ones to every engine; the others are each engine's own.",
    )
    max_iter: Count = Field(300, description="Most Lloyd iterations.")
    tol: Annotated[float, Field(ge=0)] = Field(
        1e-4,
        description="Stop when the squared shifts of all centres sum to at most tol times the mean "
        "variance of the features (scikit-learn's meaning; converted for other engines).",
    )
    n_init: Count = Field(
        1, description="Runs from different starting centres; the one of least inertia is kept."
    )
    oversampling_factor: Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="Points drawn a round by init 'k-means||'; 2 x n_clusters when not given.",
    )
    init_max_iter: Count | None = Field(
        None, description="Rounds of init 'k-means||'; 2 when not given."
    )
    seed: Seed = Field(0, description="Seed of everything that is drawn.")

    @model_validator(mode="after")
    def _shared_centres_have_one_run(self) -> Self:
        if self.init == "shared" and self.n_init > 1:
            raise ValueError(
                f"n_init must be 1 with init: shared, where every run would start from the same "
                f"centres; got {self.n_init}"
            )
        return self

    @model_validator(mode="after")
    def _rounds_belong_to_parallel_init(self) -> Self:
        if self.init != "k-means||":
            for name in ("oversampling_factor", "init_max_iter"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} has a meaning only with init: k-means||")
        return self

    def features(self) -> tuple[Feature, ...]:
        """Return k-means and the form of initialisation asked for."""
        return (Feature.KMEANS, _INIT_FEATURES[self.init])

    def relevant_fields(self) -> tuple[str, ...]:
        """Leave out what only ``init: k-means||`` reads, and what ``shared`` has no use for."""
        only_parallel = {"oversampling_factor", "init_max_iter"}
        fields = super().relevant_fields()
        if self.init == "k-means||":
            return fields
        return tuple(name for name in fields if name not in only_parallel)


class XGBoostSpec(Spec):
    """Gradient-boosted trees by XGBoost's histogram method.

    The names, meanings and defaults are those of XGBoost's scikit-learn interface.
    """

    kind: Literal["xgboost"] = "xgboost"
    task: Literal["auto", "binary", "multiclass", "regression"] = Field(
        "auto", description="What is learned; 'auto' reads it off the label."
    )
    n_estimators: Count = Field(100, description="Number of trees a class.")
    max_depth: Count = Field(6, description="Greatest depth of a tree.")
    learning_rate: Annotated[float, Field(gt=0, le=1)] = Field(
        0.3, description="Shrinkage of each tree (eta)."
    )
    min_child_weight: Annotated[float, Field(ge=0)] = Field(
        1.0, description="Least sum of instance weights (hessian) in a child."
    )
    gamma: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Least loss reduction that justifies a split."
    )
    subsample: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="Share of the rows drawn for each tree."
    )
    colsample_bytree: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="Share of the features drawn for each tree."
    )
    reg_alpha: Annotated[float, Field(ge=0)] = Field(0.0, description="L1 penalty on the leaves.")
    reg_lambda: Annotated[float, Field(ge=0)] = Field(1.0, description="L2 penalty on the leaves.")
    max_bin: Annotated[int, Field(ge=2, le=2**31 - 1)] = Field(
        256, description="Most bins a feature."
    )
    base_score: float | None = Field(
        None, description="Prediction before the first tree; XGBoost's own estimate when not given."
    )
    seed: Seed = Field(0, description="Seed of everything that is drawn.")

    @model_validator(mode="after")
    def _base_score_is_a_probability(self) -> Self:
        probability = self.task in {"binary", "multiclass"}
        if probability and self.base_score is not None and not 0 < self.base_score < 1:
            raise ValueError(
                f"base_score must lie between 0 and 1 for task: {self.task}; got {self.base_score}"
            )
        return self

    def resolved(self, label_task: Literal["binary", "multiclass", "regression"]) -> Self:
        """Return the specification with 'auto' replaced by what the label is for."""
        if self.task != "auto":
            return self
        return type(self).model_validate({**self.model_dump(), "task": label_task})

    def features(self) -> tuple[Feature, ...]:
        """Return XGBoost."""
        return (Feature.XGBOOST,)
