"""What a child process told of one repeat, before it is a record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.records import Failure, Phase


@dataclass
class Repeat:
    """What a child process reported of one fit and all around it.

    Attributes
    ----------
    number : int
        0 is cold.
    outcome : str
        As in the record.
    failure : Failure or None
        Why it was not completed.
    phases : list of Phase
        Those that ended.
    content : dict
        The child's own report: where predictions lie, parameters, facts.
    wall_s : float
        Seconds that passed for the child outside the runner's reading and scoring.
    handed_over : bool
        Whether it was given to whoever records it.
    warnings : tuple of str
        What the runner could not keep of it.
    """

    number: int
    outcome: str = "completed"
    failure: Failure | None = None
    phases: list[Phase] = field(default_factory=list)
    content: dict[str, Any] = field(default_factory=dict)
    wall_s: float = 0.0
    handed_over: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def unaccounted_s(self) -> float:
        """Seconds that no phase explains."""
        return max(0.0, self.wall_s - sum(phase.wall_s for phase in self.phases))
