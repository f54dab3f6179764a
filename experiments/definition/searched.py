"""Whether a search fits the workload that it searches."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from engines.estimators import find_estimator
from engines.specs import EstimatorSpec
from experiments.definition.wording import meant, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines.specs import Spec
    from experiments.datasets.options import SplitOptions
    from experiments.definition.conflicts import Conflict
    from experiments.definition.search import SearchOptions

# names of XGBoost's own interface, for what its scikit-learn interface and this project call so
_OTHER_NAMES = {
    "eta": "learning_rate",
    "lambda": "reg_lambda",
    "alpha": "reg_alpha",
    "min_split_loss": "gamma",
    "num_boost_round": "n_estimators",
    "nrounds": "n_estimators",
}


def search_conflicts(
    search: SearchOptions, workload: Spec, split: SplitOptions | None
) -> Iterator[Conflict]:
    """Find what in a search does not fit the workload or the split.

    Whether the workload takes the values is another question, which takes longer: see
    `experiments.definition.candidates`.
    """
    for name in search.space:
        if message := _unknown(name, workload):
            yield ("search", "space", name), message
    if split is not None and split.folds is not None:
        given = {
            "folds": search.folds is not None,
            "shuffle": search.shuffle,
            "stratify": search.stratify is not None,
        }
        for key in (key for key, is_given in given.items() if is_given):
            yield ("search", key), f"split.folds already says what the folds are; remove {key}"
    if search.strategy == "halving" and search.resource != "rows":
        yield from _resource_conflicts(search, workload)


def _unknown(name: str, workload: Spec) -> str | None:
    """Say why a parameter cannot be searched, if it cannot."""
    names = workload.searchable()
    if name in names:
        return None
    if isinstance(workload, EstimatorSpec):
        if name == "n_jobs":
            return "n_jobs is set by each engine from resources.cores; remove it"
        return f"{workload.class_} has no parameter {shown(name)}{meant(name, names)}"
    if name in type(workload).model_fields:
        return f"{name} cannot be searched; choose from {', '.join(names)}"
    other = _OTHER_NAMES.get(name)
    near = f"; did you mean {other}?" if other in names else meant(name, names)
    return f"{workload.kind} has no parameter {shown(name)}{near}"


def _resource_conflicts(search: SearchOptions, workload: Spec) -> Iterator[Conflict]:
    if message := _unusable(search.resource, workload):
        yield ("search", "resource"), message
        return
    for rung in search.rungs(
        search.n_candidates, smallest=1, max_resources=search.max_resources or 1
    ):
        try:
            workload.with_values({search.resource: rung.n_resources})
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            key = "max_resources" if rung.n_resources == search.max_resources else "min_resources"
            message = f"makes a round with {search.resource} {rung.n_resources}"
            yield ("search", key), f"{message}; {reason[0].lower()}{reason[1:]}"


def _unusable(resource: str, workload: Spec) -> str | None:
    """Say why halving cannot use a parameter as its resource, if it cannot."""
    if message := _unknown(resource, workload):
        return message
    values = _values_of(workload)
    if _is_whole(values[resource]):
        return None
    whole = [name for name in workload.searchable() if _is_whole(values[name])]
    return (
        f"must be rows or a parameter that is a whole number; got {resource}, which is "
        f"{shown(values[resource])}; choose from {', '.join(['rows', *whole])}"
    )


def _values_of(workload: Spec) -> dict[str, Any]:
    """Return the value that each parameter has when nothing is searched."""
    if not isinstance(workload, EstimatorSpec):
        return dict(workload)
    signature = inspect.signature(find_estimator(workload.class_).__init__)
    defaults = {name: one.default for name, one in signature.parameters.items()}
    return {**defaults, **workload.parameters}


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
