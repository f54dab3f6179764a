"""The ``search`` section of a definition: which candidates are tried, and how each is judged."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, cast, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    field_validator,
    model_serializer,
    model_validator,
)

from engines import strategies
from engines.errors import SpecError
from engines.strategies import Distribution, DistributionKind
from experiments.definition.conflicts import Conflict, raise_conflicts
from experiments.definition.units import Duration
from experiments.definition.wording import first_repeated, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_CANDIDATES = 100_000

# what other strategies have no use for
_ONLY_HALVING = ("factor", "resource", "min_resources", "max_resources", "aggressive_elimination")

_KINDS = get_args(DistributionKind)
_VALUES_EXPECTED = (
    "must be a non-empty list of values, or one of {uniform: [low, high]}, "
    "{loguniform: [low, high]} and {randint: [low, high]}"
)


def _read_values(given: Any) -> tuple[Any, ...] | Distribution:
    """Return the values to try, or what they are drawn from."""
    if isinstance(given, Distribution):
        return given
    if isinstance(given, list | tuple) and given:
        return tuple(given)
    if not isinstance(given, dict) or len(given) != 1 or next(iter(given)) not in _KINDS:
        raise ValueError(f"{_VALUES_EXPECTED}; got {shown(given)}")
    [(kind, bounds)] = given.items()
    return _read_distribution(kind, bounds)


def _read_distribution(kind: DistributionKind, bounds: Any) -> Distribution:
    numbers = int if kind == "randint" else (int, float)
    what = "whole numbers" if kind == "randint" else "numbers"
    wrong = f"{kind} needs two {what}, [low, high] with low less than high; got {shown(bounds)}"
    if not isinstance(bounds, list | tuple) or len(bounds) != 2:
        raise ValueError(wrong)
    if any(isinstance(bound, bool) or not isinstance(bound, numbers) for bound in bounds):
        raise ValueError(wrong)
    low, high = bounds
    if not low < high or not math.isfinite(high - low):
        raise ValueError(wrong)
    if kind == "loguniform" and low <= 0:
        raise ValueError(f"loguniform needs bounds above zero; got {shown(bounds)}")
    return Distribution(kind, low, high)


def _written_values(values: tuple[Any, ...] | Distribution) -> Any:
    if isinstance(values, Distribution):
        return {values.kind: [values.low, values.high]}
    return list(values)


def _as_names(given: Any) -> Any:
    """Take one name for a list of it; strict validation asks for a tuple."""
    if isinstance(given, str):
        return (given,)
    return tuple(given) if isinstance(given, list) else given


def _bounds_schema(kind: str) -> dict[str, Any]:
    number = {"type": "integer" if kind == "randint" else "number"}
    pair = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
    described = {
        "uniform": "Lowest and highest value; all between them are equally likely.",
        "loguniform": "Lowest and highest value, above zero; all orders of magnitude between them "
        "are equally likely.",
        "randint": "Lowest whole number, and the one after the highest.",
    }
    return {
        "type": "object",
        "properties": {kind: {**pair, "description": described[kind]}},
        "required": [kind],
        "additionalProperties": False,
    }


Values = Annotated[
    tuple[Any, ...] | Distribution,
    PlainValidator(_read_values),
    PlainSerializer(_written_values),
    WithJsonSchema(
        {"anyOf": [{"type": "array", "minItems": 1}, *(_bounds_schema(kind) for kind in _KINDS)]}
    ),
]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_as_names),
    Field(min_length=1),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        }
    ),
]


class SearchOptions(BaseModel):
    """A search for the best parameters of the workload."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    strategy: Literal["grid", "random", "halving"] = Field(
        description="'grid' tries every combination, 'random' so many drawn ones; 'halving' starts "
        "with many candidates and few resources, and keeps the best for the next round.",
    )
    space: dict[str, Values] = Field(
        description="Parameters of the workload to vary, each with the list of values to try or, "
        "where candidates are drawn, with {uniform: [low, high]}, {loguniform: [low, high]} or "
        "{randint: [low, high]}, the last without high itself.",
    )
    candidates: Annotated[int, Field(ge=1, le=MOST_CANDIDATES)] | None = Field(
        None,
        description="How many candidates are drawn; for halving the first round has so many drawn "
        "ones, and every combination when not given.",
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(
        0, description="Seed of the candidates, of shuffled folds, and of the rows of a round."
    )
    folds: Annotated[int, Field(ge=2, le=127)] | None = Field(
        None,
        description="Each candidate is fitted so many times, each time without one fold of the "
        "training rows, and scored on it; split.folds when not given, otherwise 5.",
    )
    shuffle: bool = Field(
        default=False, description="Shuffle the rows before they are cut into folds."
    )
    stratify: bool | None = Field(
        None,
        description="Keep the shares of the classes in every fold; true where classes are learned "
        "when not given.",
    )
    scoring: Names | None = Field(
        None,
        description="One metric or several, computed on the fold held out; when not given accuracy "
        "for classes, r2 for numbers and silhouette for clusters.",
    )
    refit: str | None = Field(
        None,
        description="The metric that chooses the winner, which is then fitted with all training "
        "rows; the first of scoring when not given.",
    )
    parallel_over: Literal["candidates", "rows", "auto"] = Field(
        "auto",
        description="'candidates': each fit is done by one worker, which has all rows, and many "
        "are done at a time; 'rows': each fit is spread over all workers, one after the other; "
        "'auto': candidates where the data fits a worker.",
    )
    time_budget: Duration | None = Field(
        None,
        description="Once it has passed no further fit is begun; no limit when not given.",
    )
    factor: Annotated[float, Field(gt=1, le=1000)] = Field(
        3.0,
        description="For halving: one in so many candidates goes on, with so many times the "
        "resources; 3 when not given.",
    )
    resource: str = Field(
        "rows",
        description="For halving: what grows from round to round: rows, or a parameter of the "
        "workload that is a whole number, such as n_estimators; rows when not given.",
    )
    min_resources: Count | Literal["exhaust", "smallest"] = Field(
        "exhaust",
        description="For halving: what a candidate of the first round is given: a number; "
        "'smallest' for two rows a class and fold, or 1 of a parameter; 'exhaust', which is the "
        "default, for what makes the last round use all.",
    )
    max_resources: Count | None = Field(
        None,
        description="For halving: the most that a candidate is given; all training rows when not "
        "given. A parameter needs it.",
    )
    aggressive_elimination: bool = Field(
        default=False,
        description="For halving: repeat the first round's resources until few enough candidates "
        "are left; false when not given.",
    )

    @field_validator("space")
    @classmethod
    def _something_varies(cls, space: dict[str, Any]) -> dict[str, Any]:
        if not space:
            raise ValueError(
                "must name at least one parameter with the values to try, such as "
                "{max_depth: [3, 4, 5]}; got {}"
            )
        return space

    @model_validator(mode="after")
    def _keys_fit_one_another(self) -> Self:
        raise_conflicts(self, self._conflicts())
        return self

    @model_serializer(mode="wrap")
    def _only_what_the_strategy_reads(
        self, handler: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        if self.strategy != "halving":
            for name in _ONLY_HALVING:
                written.pop(name, None)
        return written

    @property
    def distributions(self) -> tuple[str, ...]:
        """Names of the parameters that are not lists of values."""
        return tuple(
            name for name, values in self.space.items() if isinstance(values, Distribution)
        )

    @property
    def combinations(self) -> int | None:
        """Number of combinations of the listed values; None if something is no list."""
        if self.distributions:
            return None
        return math.prod(len(cast("tuple[Any, ...]", values)) for values in self.space.values())

    @property
    def n_candidates(self) -> int:
        """How many candidates there are, in the first round where there are several."""
        return self.candidates or self.combinations or 0

    def draw(self) -> list[dict[str, Any]]:
        """Return the candidates, in their order: equal for every engine."""
        if self.candidates is None:
            return strategies.grid(cast("Mapping[str, tuple[Any, ...]]", self.space))
        return strategies.sample(self.space, self.candidates, self.seed)

    def _conflicts(self) -> Iterator[Conflict]:
        yield from self._conflicts_of_candidates()
        for name, values in self.space.items():
            if not isinstance(values, Distribution) and (twice := first_repeated(values)):
                yield ("space", name), f"has the value {twice} twice; write each value once"
        if self.strategy != "halving":
            for name in _ONLY_HALVING:
                if name in self.model_fields_set:
                    yield (name,), f"has a meaning only with strategy: halving; remove {name}"
        if self.refit is not None and self.refit not in (self.scoring or ()):
            among = f"one of scoring, {', '.join(self.scoring)}" if self.scoring else None
            expected = among or "one of scoring, which is not given"
            yield ("refit",), f"must be {expected}; got {shown(self.refit)}"
        yield from self._conflicts_of_resources()

    def _conflicts_of_candidates(self) -> Iterator[Conflict]:
        if self.strategy == "grid" and self.candidates is not None:
            yield ("candidates",), "a grid tries every combination; remove candidates"
        if self.strategy == "random" and self.candidates is None:
            yield ("candidates",), "is missing; strategy: random needs the number of draws"
        if self.strategy != "random" and self.candidates is None:
            for name in self.distributions:
                needed = "candidates" if self.strategy == "halving" else "strategy: random"
                message = f"values are drawn from a distribution, which needs {needed}"
                yield ("space", name), f"{message}; or list the values to try"
        count = self.combinations
        if self.candidates is None and count is not None and count > MOST_CANDIDATES:
            message = f"has {count} combinations, and at most {MOST_CANDIDATES} are tried"
            yield ("space",), f"{message}; remove some values, or draw some with strategy: random"
        if self.candidates is not None and count is not None and self.candidates > count:
            all_of_them = "leave it out" if self.strategy == "halving" else "use strategy: grid"
            message = f"must be at most the number of combinations, {count}; got {self.candidates}"
            yield ("candidates",), f"{message}; {all_of_them} to try them all"

    def _conflicts_of_resources(self) -> Iterator[Conflict]:
        if self.strategy != "halving":
            return
        if self.resource in self.space:
            message = f"{self.resource} is in the space; take it out, or choose another resource"
            yield ("resource",), message
        if self.resource != "rows" and self.max_resources is None:
            yield (
                ("max_resources",),
                f"is missing; with resource: {self.resource} it says how many the last round has",
            )
            return
        if self.max_resources is None:
            return
        try:
            self.rungs(self.n_candidates or 1, smallest=1, max_resources=self.max_resources)
        except SpecError as error:
            yield ("min_resources",), str(error).rstrip(".")

    def rungs(
        self, n_candidates: int, *, smallest: int, max_resources: int
    ) -> tuple[strategies.Rung, ...]:
        """Return the schedule of halving; see `engines.strategies.halving`."""
        return strategies.halving(
            n_candidates,
            factor=self.factor,
            min_resources=self.min_resources,
            smallest=smallest,
            max_resources=max_resources,
            aggressive_elimination=self.aggressive_elimination,
        )
