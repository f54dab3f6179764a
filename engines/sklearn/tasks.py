"""Independent function calls, in as many processes as there are cores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engines.sklearn.pool import Pool

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class _Call:
    function: Callable[[Any], Any]
    number: int
    item: Any


def run(pool: Pool, function: Callable[[ItemT], ResultT], items: Sequence[ItemT]) -> list[ResultT]:
    """Call a function with each item, and return the results in the order of the items."""
    todo = [_Call(function, number, item) for number, item in reversed(list(enumerate(items)))]
    results = dict(pool.unordered(_carry_out, lambda: todo.pop() if todo else None, todo.append))
    return [results[number] for number in range(len(items))]


def _carry_out(call: _Call) -> tuple[int, Any]:
    return call.number, call.function(call.item)
