"""What the runner tells whoever watches it, as it happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from experiments.records import Phase, Record


@dataclass(frozen=True)
class Preparing:
    """Rows of the dataset are being written; `total` is None while it is unknown."""

    done: int
    total: int | None


@dataclass(frozen=True)
class Joining:
    """A running cluster is joined to see what it has; `source` says where its address is from."""

    engine: str
    address: str
    source: str


@dataclass(frozen=True)
class Granted:
    """What an engine gets is known: on the cluster at `address`, or on this machine if None."""

    engine: str
    address: str | None
    source: str
    cores: int
    workers: int
    threads_per_worker: int
    memory_bytes: int


@dataclass(frozen=True)
class Planned:
    """The plan is made: so many child processes will run, one after the other."""

    children: int


@dataclass(frozen=True)
class ChildStarted:
    """A child process started; `position` counts from 1."""

    position: int
    children: int
    engine: str
    round: int
    point: dict[str, Any]
    null_run: bool = False


@dataclass(frozen=True)
class PhaseStarted:
    """A child process entered a phase; `repeat` is None outside the repeats."""

    name: str
    repeat: int | None


@dataclass(frozen=True)
class PhaseEnded:
    """A child process left a phase, or was cut short in it; `repeat` as in `PhaseStarted`."""

    phase: Phase
    repeat: int | None


@dataclass(frozen=True)
class CandidateScored:
    """A candidate of a search came to its end: scored, failed or left out for want of time.

    Parameters
    ----------
    engine : str
        The engine that searches.
    done, total : int
        Candidates that came to their end, and how many there are; halving counts a candidate once
        in each of its rounds.
    best : float or None
        The best mean score so far; None while no candidate has one.
    metric : str
        Which metric `best` is of: the one that chooses the winner.
    seconds_left : float or None
        How much longer the search is expected to take; None while nothing is known of it.
    """

    engine: str
    done: int
    total: int
    best: float | None
    metric: str
    seconds_left: float | None


@dataclass(frozen=True)
class RecordWritten:
    """A record was appended to the run folder."""

    record: Record


@dataclass(frozen=True)
class ChildEnded:
    """A child process ended, and nothing of it is left."""

    engine: str
    outcome: str


Event: TypeAlias = (
    Preparing
    | Joining
    | Granted
    | Planned
    | ChildStarted
    | PhaseStarted
    | PhaseEnded
    | CandidateScored
    | RecordWritten
    | ChildEnded
)
OnEvent: TypeAlias = "Callable[[Event], None]"
