"""Stop a cluster, whatever is left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from experiments.cluster.parts import HEADS
from experiments.cluster.processes import end
from experiments.cluster.state import (
    StartedElsewhereError,
    check_machine,
    claimed,
    names,
    read,
    read_started,
    remove,
)
from experiments.errors import RequestError
from experiments.runner.interrupts import uninterrupted

if TYPE_CHECKING:
    from pathlib import Path

# seconds to wait for another command that starts or stops the same cluster
_WAIT_S = 60.0


class Stopped(NamedTuple):
    """What became of a cluster that was to be stopped.

    Attributes
    ----------
    name : str
        Its name.
    was_there : bool
        Whether there was one.
    """

    name: str
    was_there: bool


def down(name: str = "default") -> Stopped:
    """Stop a cluster and remove all that is kept of it; one that is not there is stopped already.

    Parameters
    ----------
    name : str
        As given to `up`.

    Raises
    ------
    RequestError
        If it was started on another machine, is being started by another command, or a process of
        it cannot be ended.
    """
    with claimed(name, _WAIT_S, make=False) as folder:
        if folder is None:
            return Stopped(name, was_there=False)
        try:
            if (cluster := read(name)) is not None:
                check_machine(cluster)
        except StartedElsewhereError:
            raise
        except RequestError:  # what is written is of no use, and its processes are found without
            pass
        end_and_remove(folder)
    return Stopped(name, was_there=True)


def down_all() -> tuple[Stopped, ...]:
    """Stop every cluster that was started on this machine.

    Raises
    ------
    RequestError
        As `down` does, having stopped those that could be.
    """
    stopped, refused = [], []
    for name in names():
        try:
            stopped.append(down(name))
        except RequestError as exc:
            refused.append(str(exc))
    if refused:
        raise RequestError("\n".join(refused))
    return tuple(stopped)


def end_and_remove(folder: Path) -> None:
    """End all processes of a cluster, workers first, and remove its folder.

    Raises
    ------
    RequestError
        If a process cannot be ended; the folder stays then.
    """
    started = read_started(folder)
    heads = {f"{engine}-{head}" for engine, head in HEADS.items()}
    order = (
        [one for part, one in started.items() if part not in heads],
        [one for part, one in started.items() if part in heads],
    )
    with uninterrupted():
        left = end(order, str(folder))
        if not left:
            remove(folder)
    if left:
        raise RequestError(
            f"{left} processes of the cluster {folder.name!r} cannot be ended; its logs are in "
            f"{folder / 'logs'}, and 'enginebench cluster down --name {folder.name}' tries again."
        )
