"""The definition of an experiment as validated, frozen models.

Every field is described here (or in the specification it belongs to) once: for the YAML file, for
error messages and for the JSON Schema.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from engines.specs import KMeansSpec, XGBoostSpec
from experiments.datasets.options import DatasetOptions, SplitOptions
from experiments.definition import sweep as sweeps
from experiments.definition.reading import DefinitionDumper
from experiments.definition.units import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)
from experiments.definition.wording import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,79}$"

# what is asked is the same whatever it is called
_TEXTS = frozenset({"name", "question"})


def default_split(kind: str) -> dict[str, Any] | None:
    """Return the split of a definition that says nothing of one.

    Parameters
    ----------
    kind : str
        Kind of the workload.

    Returns
    -------
    dict or None
        A quarter of the rows held out where a label is learned; none for clustering, which is
        scored on the rows it was fitted to.
    """
    return {"test_fraction": 0.25, "seed": 0} if kind == "xgboost" else None


def _default_split_of(validated: dict[str, Any]) -> SplitOptions | None:
    split = default_split(validated["workload"].kind)
    return None if split is None else SplitOptions.model_validate(split)


def _check_name(name: str) -> str:
    if re.fullmatch(NAME_PATTERN, name) and "\n" not in name:
        return name
    slug = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("._-")[:80]
    example = f", for example {slug}" if slug else ""
    raise ValueError(
        "must be 1 to 80 lower-case letters, digits, '.', '_' and '-' that start with a letter or "
        f"a digit, because folders are named after it{example}; got {shown(name)}"
    )


Name = Annotated[
    str,
    AfterValidator(_check_name),
    WithJsonSchema({"type": "string", "pattern": NAME_PATTERN}),
]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": SIZE_PATTERN},
            ],
            "examples": ["4 GiB", "500 MB"],
        }
    ),
]
Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": DURATION_PATTERN},
            ],
            "examples": ["10 min", "90 s", "1.5 h"],
        }
    ),
]
Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    """Base of the sections: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class EngineOptions(_Section):
    """How one engine takes part."""

    implementation: Literal["library"] = Field(
        default="library", description="Whose algorithm runs: 'library' is what the engine offers."
    )


class SklearnOptions(EngineOptions):
    """scikit-learn: one process with as many threads as there are cores."""


class ClusterOptions(EngineOptions):
    """An engine that spreads over workers; workers times threads must equal resources.cores."""

    workers: Count | None = Field(
        default=None,
        description="Worker processes (Dask) or tasks at a time (Spark); resources.cores divided "
        "by threads_per_worker when not given.",
    )
    threads_per_worker: Count | None = Field(
        default=None,
        description="Threads that each worker computes with; 1 when neither this nor workers is "
        "given, else what workers leaves of resources.cores.",
    )


class EnginesOptions(_Section):
    """Which engines run, in the order written. An empty engine means its defaults."""

    sklearn: SklearnOptions | None = Field(default=None, description="scikit-learn, the baseline.")
    dask: ClusterOptions | None = Field(default=None, description="Dask on a local cluster.")
    spark: ClusterOptions | None = Field(default=None, description="Spark in local mode.")

    _order: tuple[str, ...] = PrivateAttr(())

    @model_validator(mode="wrap")
    @classmethod
    def _keep_the_order(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(value, dict):
            return handler(value)
        if not value:
            raise ValueError(
                f"must name at least one engine; choose from {', '.join(cls.model_fields)}"
            )
        options = handler({name: {} if given is None else given for name, given in value.items()})
        options._order = tuple(value)  # noqa: SLF001 - an instance of this class
        return options

    @model_serializer(mode="plain")
    def _only_the_selected(self) -> dict[str, Any]:
        return {name: options.model_dump(mode="json") for name, options in self.selected().items()}

    @classmethod
    def all(cls) -> Self:
        """Return every engine with its defaults, the baseline first."""
        return cls.model_validate(dict.fromkeys(cls.model_fields))

    def selected(self) -> dict[str, EngineOptions]:
        """Return the options of the engines that run, by name, in the order written."""
        return {name: getattr(self, name) for name in self._order}

    def only(self, names: tuple[str, ...]) -> Self:
        """Return the named engines alone, in that order; those not selected have defaults."""
        selected = self.selected()
        return type(self).model_validate(
            {name: selected[name].model_dump() if name in selected else None for name in names}
        )


class ResourceOptions(_Section):
    """Cores and memory."""

    cores: Count | None = Field(
        default=None,
        description="CPU cores, the same ones for every engine; all usable ones by default.",
    )
    memory: Size | None = Field(
        default=None,
        description="Memory of an engine with all its processes: bytes, or a size such as 4 GiB "
        "or 500 MB. When not given, 4 GiB, or what the workers of the chosen engines need to start "
        "if that is more, but never more than the machine has. An engine that takes more is "
        "stopped.",
    )


class MeasureOptions(_Section):
    """Rounds, repeats and their longest time."""

    rounds: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1,
        description="Fresh processes of each engine, interleaved with those of the others.",
    )
    warm_repeats: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=1, description="Further fits in the same process after the first, cold one."
    )
    timeout: Duration = Field(
        default=600.0,
        description="Most time for one process: seconds, or a duration such as 10 min or 90 s; "
        "10 min by default.",
    )


class Experiment(_Section):
    """One question, asked unchanged of every engine."""

    name: Name = Field(
        description="Short name: lower-case letters, digits, '.', '_' and '-', at most 80."
    )
    question: str = Field(default="", description="What a reader wants to know, in one sentence.")
    dataset: DatasetOptions = Field(description="Where the rows come from; source chooses.")
    workload: Annotated[KMeansSpec | XGBoostSpec, Field(discriminator="kind")] = Field(
        description="What is computed; kind chooses."
    )
    split: SplitOptions | None = Field(
        default_factory=_default_split_of,
        description="Which rows are held out for scoring. When not given: test_fraction 0.25 and "
        "seed 0 for xgboost, null for kmeans. null trains on all rows and scores on all rows.",
    )
    engines: EnginesOptions = Field(
        default_factory=EnginesOptions.all,
        description="Engines to run, in this order: names with options, or a list of names; "
        "sklearn, dask and spark by default.",
    )
    resources: ResourceOptions = Field(
        default_factory=ResourceOptions, description="What every engine is granted."
    )
    measure: MeasureOptions = Field(
        default_factory=MeasureOptions, description="How often everything is measured."
    )
    metrics: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        default=None, description="Scores to compute; all that fit the task when not given."
    )
    sweep: dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="Dotted keys of this file, such as dataset.n_samples, each with the list of "
        "values to try; every combination is run.",
    )

    @property
    def digest(self) -> str:
        """``sha256:`` and the digest of what is asked, with every default filled in.

        The name and the question are left out, and the order of keys does not count: two
        definitions that ask the same have the same digest.
        """
        asked = self.model_dump(mode="json", exclude=set(_TEXTS))
        text = json.dumps(asked, sort_keys=True, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def points(self) -> list[tuple[dict[str, Any], Experiment]]:
        """Expand the sweep.

        Returns
        -------
        list of (dict, Experiment)
            For each combination of the sweep's values, in the order written with the last key
            varying fastest, the values by dotted key and the experiment with them in place and
            no sweep. Without a sweep, one empty point.
        """
        tree = self.model_dump(mode="json")
        return [
            (point, type(self).from_tree(sweeps.at_point(tree, point)))
            for point in sweeps.combinations(self.sweep)
        ]

    def to_yaml(self) -> str:
        """Return the definition as YAML with every default written out.

        Reading it gives an equal experiment.
        """
        tree = self.model_dump(mode="json")
        if self.resources.memory is not None:
            tree["resources"]["memory"] = format_size(self.resources.memory)
        tree["measure"]["timeout"] = format_duration(self.measure.timeout)
        return yaml.dump(
            tree, Dumper=DefinitionDumper, sort_keys=False, allow_unicode=True, width=100
        )

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Validate plain values as YAML and JSON have them.

        Raises
        ------
        pydantic.ValidationError
            If they are no definition. Unlike Python, it takes no boolean or text for a number.
        """
        # in JSON a list is a tuple and an integer a float, and nothing else is converted
        return cls.model_validate_json(json.dumps(tree), strict=True)
