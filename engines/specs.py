"""What is asked of an engine: frozen, validated, and the same for every engine.

The specifications are also the ``workload`` section of an experiment's YAML file, so each field
is described here once, for engines, for error messages and for the JSON Schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from engines.errors import SpecError
from engines.estimators import (
    EstimatorKind,
    find_estimator,
    kind_of,
    parameter_names,
    parameter_near,
)
from engines.gaps import Feature

if TYPE_CHECKING:
    from collections.abc import Mapping

_INIT_FEATURES = {
    "shared": Feature.KMEANS_INIT_SHARED,
    "k-means++": Feature.KMEANS_INIT_PLUS_PLUS,
    "k-means||": Feature.KMEANS_INIT_PARALLEL,
    "random": Feature.KMEANS_INIT_RANDOM,
}

# what chooses the workload, what is no question of quality, and what the label decides
_NEVER_SEARCHED = frozenset({"kind", "seed", "task"})

Seed = Annotated[int, Field(ge=0, lt=2**31)]


# libraries hold these in 32 bits
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]


def _refusal(path: tuple[str, ...], message: str) -> ValidationError:
    """Return the error of a validator that knows which key inside its value is wrong."""
    error = PydanticCustomError("value_error", "{error}", {"error": message})
    detail = InitErrorDetails(type=error, loc=path, input=None)
    return ValidationError.from_exception_data("Spec", [detail])


class Spec(BaseModel):
    """Base of every specification: frozen, and closed to unknown fields."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, serialize_by_alias=True
    )

    kind: str

    def features(self) -> tuple[Feature, ...]:
        """Return what an engine must be able to do to carry out this specification."""
        return ()

    def relevant_fields(self) -> tuple[str, ...]:
        """Return the names of the fields that have a meaning beside the others' values.

        ``kind`` only chooses the specification and is never among them.
        """
        return tuple(name for name in type(self).model_fields if name != "kind")

    def asked(self) -> dict[str, Any]:
        """Return the values that an engine is given or refuses, by name."""
        return {name: getattr(self, name) for name in self.relevant_fields()}

    def searchable(self) -> tuple[str, ...]:
        """Return the names of the parameters that a search may vary, whatever their values are."""
        # a field may have a meaning for some candidates only
        return tuple(name for name in type(self).model_fields if name not in _NEVER_SEARCHED)

    def with_values(self, values: Mapping[str, Any]) -> Self:
        """Return the specification with some parameters replaced.

        Raises
        ------
        pydantic.ValidationError
            If the values are none that it may have.
        """
        return type(self).model_validate({**self.model_dump(), **values})


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


class EstimatorSpec(Spec):
    """Any classifier, regressor or clusterer of scikit-learn."""

    kind: Literal["estimator"] = "estimator"
    class_: str = Field(
        alias="class",
        description="Public path of a classifier, regressor or clusterer of scikit-learn, such as "
        "sklearn.svm.SVC.",
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="Its parameters by name; those left out have its own defaults. n_jobs is set "
        "by the engine.",
    )
    response: Literal["auto", "classes", "ranking", "probabilities"] = Field(
        "auto",
        description="What a classifier predicts; 'ranking' is classes with the decision function "
        "of two classes, or else with probabilities. 'auto' asks for what the metrics need, and "
        "for no more.",
    )
    seed: Seed = Field(
        0, description="Its random_state, unless the parameters set one or it has none."
    )

    @field_validator("class_")
    @classmethod
    def _class_is_scikit_learns(cls, path: str) -> str:
        try:
            find_estimator(path)
        except SpecError as exc:
            raise ValueError(str(exc)) from exc
        return path

    @model_validator(mode="after")
    def _parameters_are_the_estimators(self) -> Self:
        estimator = find_estimator(self.class_)
        known = parameter_names(estimator)
        for name in self.parameters:
            if name == "n_jobs":
                raise _refusal(
                    ("parameters", name),
                    "is set by each engine from resources.cores; leave it out",
                )
            if name not in known:
                near = parameter_near(estimator, name)
                raise _refusal(
                    ("parameters", name), f"{self.class_} has no parameter {name!r}{near}"
                )
        return self

    @property
    def estimator_kind(self) -> EstimatorKind:
        """What the estimator is for."""
        return kind_of(find_estimator(self.class_))

    @property
    def can_predict(self) -> bool:
        """Whether it can predict rows that it was not fitted to."""
        return hasattr(find_estimator(self.class_), "predict")

    def features(self) -> tuple[Feature, ...]:
        """Return estimators."""
        return (Feature.ESTIMATOR,)

    def relevant_fields(self) -> tuple[str, ...]:
        """Leave out what only chooses, and a seed or a response that the estimator has no use for.

        The estimator's own parameters are no fields: see `asked`.
        """
        found = find_estimator(self.class_)
        seeded = "random_state" in parameter_names(found) and "random_state" not in self.parameters
        classifies = kind_of(found) == "classifier"
        return (*(("response",) if classifies else ()), *(("seed",) if seeded else ()))

    def asked(self) -> dict[str, Any]:
        """Return the estimator's own parameters, then the fields that matter."""
        return {**self.parameters, **super().asked()}

    def searchable(self) -> tuple[str, ...]:
        """Return the parameters of the estimator."""
        known = parameter_names(find_estimator(self.class_))
        return tuple(name for name in known if name != "n_jobs")

    def with_values(self, values: Mapping[str, Any]) -> Self:
        """Return the specification with some of the estimator's parameters replaced."""
        parameters = {**self.parameters, **values}
        return type(self).model_validate({**self.model_dump(), "parameters": parameters})


class TasksSpec(Spec):
    """Independent tasks: the price of an Asian option by simulation.

    The option pays the excess of the arithmetic mean of the daily prices over the strike, if any.
    Prices follow a geometric Brownian motion, stepped daily; see `engines.monte_carlo`.
    """

    kind: Literal["tasks"] = "tasks"
    function: Literal["asian_option"] = Field(
        "asian_option", description="What each task does: simulate a block of paths."
    )
    s0: Annotated[float, Field(gt=0)] = Field(100.0, description="Price today.")
    strike: Annotated[float, Field(ge=0)] = Field(100.0, description="Strike price.")
    drift: float = Field(
        0.05, description="Yearly drift of the price, and the rate it is discounted at."
    )
    volatility: Annotated[float, Field(gt=0)] = Field(
        0.2, description="Yearly standard deviation of the logarithm of the price."
    )
    days: Count = Field(252, description="Trading days until the option ends.")
    days_per_year: Count = Field(252, description="Trading days in a year.")
    paths: Annotated[int, Field(ge=2, le=10**12)] = Field(10_000, description="Paths to simulate.")
    block_paths: Count = Field(
        500,
        description="Paths of a task. Each block has a random stream of its own, so that the "
        "estimate depends on this number but not on the workers.",
    )
    reference_paths: Annotated[int, Field(ge=2, le=10**12)] = Field(
        100_000,
        description="Paths of the reference that the estimate is compared with. It is computed "
        "before any engine starts, from another stream, with the geometric mean as its control.",
    )
    seed: Seed = Field(0, description="Seed of everything that is drawn.")

    def features(self) -> tuple[Feature, ...]:
        """Return independent tasks."""
        return (Feature.TASKS,)
