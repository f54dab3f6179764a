"""Independent function calls in Spark's Python workers."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

from engines.spark.pool import broadcast, unordered
from engines.threads import limited

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engines.spark.session import Session

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

# Parts that the items are cut into for each worker: to send one costs some milliseconds, and the
# last ones should end together
_PARTS = 4


def run(
    session: Session, function: Callable[[ItemT], ResultT], items: Sequence[ItemT]
) -> list[ResultT]:
    """Call a function with each item, and return the results in the order of the items."""
    todo = _parts(items, _PARTS * session.workers)
    with broadcast(session, function) as sent:
        results = dict(
            unordered(
                session,
                functools.partial(_carry_out, sent),
                lambda: todo.pop() if todo else None,
                todo.append,
            )
        )
    return [result for number in sorted(results) for result in results[number]]


def _parts(items: Sequence[ItemT], most: int) -> list[tuple[int, list[ItemT]]]:
    """Cut items into numbered parts, the first part last."""
    count = min(most, len(items))
    bounds = [len(items) * number // count for number in range(count + 1)] if count else [0]
    return [
        (number, list(items[bounds[number] : bounds[number + 1]]))
        for number in reversed(range(count))
    ]


def _carry_out(function: Any, part: tuple[int, list[Any]]) -> tuple[int, list[Any]]:
    """Call a function with the items of a part, in a Python worker."""
    call: Callable[[Any], Any] = function.value.value
    number, items = part
    with limited(1):
        return number, [call(item) for item in items]
