"""Independent function calls, each a task of Dask."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from engines.dask.session import watched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engines.dask.session import Session

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def run(
    session: Session, function: Callable[[ItemT], ResultT], items: Sequence[ItemT]
) -> list[ResultT]:
    """Call a function with each item, and return the results in the order of the items."""

    def carry_out() -> list[ResultT]:
        # Not pure: the same call, asked for again, is to be carried out again
        futures = session.client.map(function, list(items), pure=False)
        results: list[ResultT] = session.client.gather(futures)
        return results

    return watched(session, carry_out, recovers=True)
