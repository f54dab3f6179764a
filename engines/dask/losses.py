"""The workers that died while a session was open."""

from __future__ import annotations


class Losses:
    """The workers that died, as the scheduler saw it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.out_of_memory: list[str] = []
        self.ended: set[str] = set()
        # Addresses of the workers alive, where others start and end them
        self.alive: set[str] | None = None
        self.closing = False

    def removed(self, address: str, name: object) -> None:
        """Note that the scheduler lost a worker."""
        if self.closing or address in self.ended:
            return
        reason = " after it exceeded its memory limit" if address in self.out_of_memory else ""
        self.lines.append(f"worker {name} at {address} died{reason}")

    @property
    def anyone_left(self) -> bool:
        """Whether a worker is alive, or nobody counts."""
        return self.alive is None or bool(self.alive)
