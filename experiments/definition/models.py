"""The definition of an experiment as validated, frozen models.

Every field is described here (or in the specification it belongs to) once: for the YAML file, for
error messages and for the JSON Schema.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Self

import yaml
from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from engines.errors import SpecError
from engines.estimators import find_estimator, kind_of
from engines.specs import EstimatorSpec, KMeansSpec, Spec, TasksSpec, XGBoostSpec
from experiments.datasets.options import (
    DatasetOptions,
    PreparedOptions,
    SplitOptions,
    check_location,
)
from experiments.definition import sweep as sweeps
from experiments.definition.conflicts import Conflict, raise_conflicts
from experiments.definition.engines import ClusterOptions, Count, EnginesOptions, Section
from experiments.definition.reading import DefinitionDumper
from experiments.definition.search import SearchOptions
from experiments.definition.searched import search_conflicts
from experiments.definition.units import Duration, Size, format_duration, format_size
from experiments.definition.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,79}$"

# what is asked is the same whatever it is called
_TEXTS = frozenset({"name", "question"})


def default_split(workload: Any) -> dict[str, Any] | None:
    """Return the split of a definition that says nothing of one.

    Parameters
    ----------
    workload : object
        The section as it was written, validated or not.

    Returns
    -------
    dict or None
        A quarter of the rows held out where a label is learned; none for clustering, which is
        scored on the rows it was fitted to.
    """
    return {"test_fraction": 0.25, "seed": 0} if _learns_label(workload) else None


def missing_dataset(kind: str) -> str:
    """Say that a workload of a kind needs a dataset."""
    return f"is missing; kind: {kind} needs rows to learn from, such as {{source: digits}}"


def _learns_label(workload: Any) -> bool:
    if not isinstance(workload, dict):
        return False
    if workload.get("kind") != "estimator":
        return workload.get("kind") == "xgboost"
    try:
        return kind_of(find_estimator(workload.get("class", ""))) != "clusterer"
    except (SpecError, AttributeError):  # no text, or none of scikit-learn's
        return False


def _default_split_of(validated: dict[str, Any]) -> SplitOptions | None:
    if isinstance(validated["dataset"], PreparedOptions):
        return None
    split = default_split(validated["workload"].model_dump())
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


def _check_storage(where: str) -> str:
    check_location(where)
    return where


Name = Annotated[
    str,
    AfterValidator(_check_name),
    WithJsonSchema({"type": "string", "pattern": NAME_PATTERN}),
]


class ResourceOptions(Section):
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
    allow_unequal: bool = Field(
        default=False,
        description="Run even where the engines get different numbers of cores, as on a cluster "
        "that is larger or smaller than this machine. The engines are then not compared on equal "
        "terms, and the report says so.",
    )

    @model_serializer(mode="wrap")
    def _without_what_is_rarely_asked(
        self, handler: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        if not self.allow_unequal:
            written.pop("allow_unequal", None)
        return written


class MeasureOptions(Section):
    """Rounds, repeats and their longest time."""

    rounds: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1,
        description="Fresh processes of each engine, interleaved with those of the others.",
    )
    warm_repeats: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=1,
        description="Further fits in the same process after the first, cold one; further searches "
        "with a search, and then 0 when not given.",
    )
    null_run: bool = Field(
        default=False,
        description="Run the baseline once more at the end of each round, as if it were another "
        "engine: by how much it differs from itself is the noise floor, and no difference below "
        "it is reported as one.",
    )
    timeout: Duration = Field(
        default=600.0,
        description="Most time for one process: seconds, or a duration such as 10 min or 90 s; "
        "10 min by default.",
    )


class Experiment(Section):
    """One question, asked unchanged of every engine."""

    name: Name = Field(
        description="Short name: lower-case letters, digits, '.', '_' and '-', at most 80."
    )
    question: str = Field(default="", description="What a reader wants to know, in one sentence.")
    dataset: DatasetOptions | None = Field(
        default=None,
        description="Where the rows come from; source chooses. Every workload needs one but tasks.",
    )
    storage: Annotated[str, Field(min_length=1), AfterValidator(_check_storage)] | None = Field(
        default=None,
        description="Where prepared data is kept for every engine to read: a folder that all "
        "machines share, or a URL such as s3://bucket/folder; the cache of this machine when not "
        "given. ENGINEBENCH_STORAGE is another way to say it.",
    )
    workload: Annotated[
        KMeansSpec | XGBoostSpec | EstimatorSpec | TasksSpec, Field(discriminator="kind")
    ] = Field(description="What is computed; kind chooses.")
    search: SearchOptions | None = Field(
        default=None,
        description="Which of many parameters of the workload are the best; it is fitted as it "
        "stands when not given.",
    )
    split: SplitOptions | None = Field(
        default_factory=_default_split_of,
        description="Which rows are held out for scoring. When not given: test_fraction 0.25 and "
        "seed 0 where a label is learned, null for clusters. null trains on all rows and scores on "
        "all rows.",
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

    _placed: frozenset[str] = PrivateAttr(frozenset())
    _secret_variables: frozenset[str] = PrivateAttr(frozenset())

    @model_validator(mode="after")
    def _sections_fit_one_another(self) -> Self:
        raise_conflicts(self, self._conflicts())
        tree = {"engines": self.engines.model_dump(mode="json")}
        self._secret_variables = frozenset(sweeps.secret_variables(tree, self.sweep))
        return self

    @model_serializer(mode="wrap")
    def _without_sections_that_have_no_part(
        self, handler: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        for section in ("dataset", "storage", "search"):
            if written.get(section, ...) is None:
                del written[section]
        return written

    @property
    def placed(self) -> frozenset[str]:
        """The engines that join a cluster by its name: nothing else says how it is reached."""
        return self._placed

    @property
    def secret_variables(self) -> frozenset[str]:
        """The environment variables with secrets, of every engine and point that were read.

        Those of engines that were left out afterwards, and of other points, are among them.
        """
        return self._secret_variables

    @property
    def digest(self) -> str:
        """``sha256:`` and the digest of what is asked, with every default filled in.

        The name and the question are left out, and so is where a cluster is and how it is reached,
        and where data is stored; the order of keys does not count. Two definitions that ask the
        same have the same digest.
        """
        asked = self.model_dump(mode="json", exclude={*_TEXTS, "storage"})
        for name, options in self.engines.selected().items():
            if isinstance(options, ClusterOptions):
                of_points = asked["sweep"].get(f"engines.{name}", ())
                for written in (asked["engines"][name], *filter(None, of_points)):
                    for key in options.place:
                        written.pop(key, None)
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
            (point, self.remade(sweeps.at_point(tree, point)))
            for point in sweeps.combinations(self.sweep)
        ]

    def remade(self, tree: Mapping[str, Any], placed: Iterable[str] = ()) -> Self:
        """Return this experiment with other values.

        Parameters
        ----------
        tree : mapping
            Plain values, as in `from_tree`.
        placed : iterable of str
            Engines whose values are now those of a cluster with a name.
        """
        made = type(self).from_tree(tree)
        # an instance of this class
        made._placed = self._placed.union(placed)  # noqa: SLF001
        made._secret_variables |= self._secret_variables  # noqa: SLF001
        return made

    def to_yaml(self) -> str:
        """Return the definition as YAML with every default written out.

        Reading it gives an equal experiment, but for `placed` and for those of `secret_variables`
        that it does not name.
        """
        tree = self.model_dump(mode="json")
        if self.resources.memory is not None:
            tree["resources"]["memory"] = format_size(self.resources.memory)
        tree["measure"]["timeout"] = format_duration(self.measure.timeout)
        if self.search is not None and self.search.time_budget is not None:
            tree["search"]["time_budget"] = format_duration(self.search.time_budget)
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
        return cls.model_validate_json(json.dumps(_without_warm_searches(tree)), strict=True)

    def _conflicts(self) -> Iterator[Conflict]:
        if isinstance(self.workload, TasksSpec):
            for name in ("dataset", "split", "search"):
                if getattr(self, name) is not None:
                    message = "has no meaning with kind: tasks, which learns from no rows"
                    yield (name,), f"{message}; remove {name}"
            return
        if self.dataset is None:
            yield ("dataset",), missing_dataset(self.workload.kind)
        if isinstance(self.dataset, PreparedOptions) and self.split is not None:
            message = "has no meaning with source: prepared, whose rows are split already"
            yield ("split",), f"{message}; remove split"
        yield from _prediction_conflicts(self.workload, self.split, self.search)
        if self.search is not None:
            yield from search_conflicts(self.search, self.workload, self.split)


def _without_warm_searches(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a definition that does not repeat a search unless it says so: a search takes long."""
    sweep, measure = tree.get("sweep"), tree.get("measure", {})
    swept = isinstance(sweep, dict) and any(key.partition(".")[0] == "search" for key in sweep)
    if not isinstance(measure, dict) or (tree.get("search") is None and not swept):
        return tree
    return {**tree, "measure": {"warm_repeats": 0, **measure}}


def _prediction_conflicts(
    workload: Spec, split: SplitOptions | None, search: SearchOptions | None
) -> Iterator[Conflict]:
    """Find rows held out from an estimator that can predict no others than those it has seen."""
    if not isinstance(workload, EstimatorSpec) or workload.can_predict:
        return
    seen = f"{workload.class_} cannot predict rows that it was not fitted to"
    if split is not None and split.test_fraction is not None:
        yield ("split",), f"{seen}, so none can be held out; write split: null"
    if search is not None:
        yield ("search",), f"{seen}, so it cannot be scored on a fold; choose another estimator"
