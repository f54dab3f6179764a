"""The workers of a session, whoever started them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engines.types import WorkerUsage

# What each worker has one of: a task that asks for it runs beside no other such task of the worker,
# whatever its threads, and waits where it can still be cancelled
SINGLE_FIT = "single-node fit"


@dataclass(frozen=True)
class Worker:
    """A worker alive, as the scheduler knows it.

    Parameters
    ----------
    name : int or str
        Its name, which one that takes its place has too.
    threads : int
        Tasks that it runs at a time.
    memory_bytes : int
        Its memory limit.
    takes : bool
        Whether it takes tasks: one short of memory is paused.
    computes : bool
        Whether it has begun a task that is not done.
    """

    name: int | str
    threads: int
    memory_bytes: int
    takes: bool
    computes: bool


class Crew(Protocol):
    """What a session asks of the workers that it uses, and of their scheduler."""

    @property
    def scheduler(self) -> str:
        """Address of the scheduler."""
        ...

    @property
    def tracker_host(self) -> str:
        """Address that XGBoost's tracker, which runs beside the scheduler, listens on."""
        ...

    @property
    def single_fit(self) -> dict[str, int]:
        """Resources of a task that runs beside no other such task of its worker."""
        ...

    @property
    def settled(self) -> bool:
        """Whether a task that was lost with its worker may be done by another one."""
        ...

    def workers(self) -> dict[str, Worker]:
        """Return the workers alive by their addresses, in the order of their names."""
        ...

    def gone(self) -> str | None:
        """Say why nothing will come of a call any more, or None."""
        ...

    def end(self, addresses: Iterable[str]) -> bool:
        """End workers that go on with what nobody waits for; False where they are not ours."""
        ...

    def usage(self) -> tuple[WorkerUsage, ...]:
        """Ask each worker what it used; empty where all of them are below this process."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return the fields of `engines.types.Facts` that only this kind of crew has."""
        ...


def in_order(name: int | str) -> tuple[int, str]:
    """Return what workers are sorted by: numbers as such, other names behind them."""
    text = str(name)
    return (int(text), "") if text.isdecimal() else (2**63, text)
