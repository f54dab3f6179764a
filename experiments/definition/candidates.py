"""Which candidates of a search the workload refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from engines.specs import EstimatorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engines.specs import Spec
    from experiments.definition.search import SearchOptions


def refused_candidates(
    search: SearchOptions, workload: Spec
) -> Iterator[tuple[Mapping[str, Any], ValidationError]]:
    """Find candidates with values that their specification refuses.

    Parameters
    ----------
    search : SearchOptions
        Its parameters are those of the workload.
    workload : Spec
        What is searched. What values an estimator of scikit-learn takes only its fit can tell, so
        none of its candidates is refused.

    Yields
    ------
    candidate : dict
        The first one of which something is wrong.
    error : pydantic.ValidationError
        What pydantic says of it.
    """
    if isinstance(workload, EstimatorSpec):
        return
    fields = workload.model_dump()
    told: set[tuple[Any, ...]] = set()
    for candidate in search.draw():
        try:
            type(workload).model_validate({**fields, **candidate}, strict=True)
        except ValidationError as error:
            # a value is told of once, whatever the others are; so is a rule that several break
            found = {
                (*one["loc"], repr(one["input"]) if one["loc"] else one["msg"].partition(";")[0])
                for one in error.errors(include_url=False)
            }
            if not found <= told:
                told |= found
                yield candidate, error
