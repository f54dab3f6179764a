"""Keep the samples of a process tree, so that a reader can see them over time."""

from __future__ import annotations

import math
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, TextIO, TypeAlias

from experiments.measure.meter import SHORTEST_INTERVAL_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engines.usage import Usage

    OnSample: TypeAlias = Callable[[str | None, Usage], None]

SAMPLES_FOLDER: Final = "samples"
COLUMNS: Final = (
    "seconds",
    "repeat",
    "phase",
    "cpu_s",
    "memory_bytes",
    "read_bytes",
    "write_bytes",
    "processes",
)
# The longer a process runs, the sparser its samples: a few hundred lines for a minute or an hour
_SHARE_OF_PAST = 0.01
# What no machine counts to: a line with more is spoilt
_MOST_BYTES = 2**63


@dataclass(frozen=True)
class Sample:
    """What a process tree had used at one moment.

    Parameters
    ----------
    seconds : float
        Since its process started, without those in which it waited for the runner.
    repeat : int
        The repeat that ran.
    phase : str
        The phase that ran; empty between phases.
    cpu_s : float
        CPU seconds so far.
    memory_bytes : int
        Memory (PSS) at that moment.
    read_bytes, write_bytes : int
        Bytes that came from or reached storage so far.
    processes : int
        Live processes.
    """

    seconds: float
    repeat: int
    phase: str
    cpu_s: float
    memory_bytes: int
    read_bytes: int
    write_bytes: int
    processes: int


class SampleLog:
    """Write samples to a file as they are taken.

    Of several within a short time the one with the most memory is kept: peaks survive. What is
    taken at the boundary of a phase is always kept.

    A file that cannot be written ends the log and nothing else: samples are beside what is
    measured, and a full disk must not cost a run.

    Parameters
    ----------
    path : pathlib.Path
        A CSV file, new or of an earlier try.
    seconds : callable
        Returns the seconds of the process that is sampled.

    Attributes
    ----------
    repeat : int
        The repeat that runs.
    problem : str
        Why the log ended early, in a sentence; empty where it did not.
    """

    def __init__(self, path: Path, seconds: Callable[[], float]) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._seconds = seconds
        self._pending: Sample | None = None
        self._written_s = 0.0
        self._last_s = 0.0
        self._phase: str | None = None
        self.repeat = 0
        self.problem = ""
        with self._noting_errors():
            self._file = path.open("w", encoding="utf-8")
            self._file.write(",".join(COLUMNS) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def add(self, phase: str | None, usage: Usage) -> None:
        """Take a sample; `phase` is None between phases."""
        # time that turns out not to count takes the clock back, and no reader looks for that
        self._last_s = max(self._last_s, self._seconds())
        sample = Sample(
            seconds=self._last_s,
            repeat=self.repeat,
            phase=phase or "",
            cpu_s=usage.cpu_s,
            memory_bytes=usage.memory_bytes,
            read_bytes=usage.read_bytes,
            write_bytes=usage.write_bytes,
            processes=usage.processes,
        )
        if phase != self._phase:
            self._phase = phase
            self._write(self._pending)
            self._write(sample)
            self._pending = None
            return
        if self._pending is None or sample.memory_bytes >= self._pending.memory_bytes:
            self._pending = sample
        apart = max(SHORTEST_INTERVAL_S, _SHARE_OF_PAST * sample.seconds)
        if sample.seconds - self._written_s >= apart:
            self._write(self._pending)
            self._pending = None

    def flush(self) -> None:
        """Hand what was written to the system, which tells of a full disk only then."""
        with self._noting_errors():
            if self._file is not None:
                self._file.flush()

    def close(self) -> None:
        """Write what is left, and close the file; what comes after that is not kept."""
        self._write(self._pending)
        self._pending = None
        file, self._file = self._file, None
        with self._noting_errors():
            if file is not None:
                file.close()

    def _write(self, sample: Sample | None) -> None:
        if sample is None or self._file is None:
            return
        self._written_s = sample.seconds
        with self._noting_errors():
            self._file.write(
                f"{sample.seconds:.3f},{sample.repeat},{sample.phase},{sample.cpu_s:.3f},"
                f"{sample.memory_bytes},{sample.read_bytes},{sample.write_bytes},"
                f"{sample.processes}\n"
            )

    @contextmanager
    def _noting_errors(self) -> Iterator[None]:
        """Note why the file could not be written, and write no more to it."""
        try:
            yield
        except OSError as exc:
            file, self._file = self._file, None
            if file is not None:
                with suppress(OSError):  # it would fail over the same once more
                    file.close()
            reason = (exc.strerror or str(exc)).lower()
            self.problem = self.problem or (
                f"{SAMPLES_FOLDER}/{self._path.name} could not be written ({reason}), so it lacks "
                "what was used over time from then on; the times and memory of phases are whole."
            )


def read_samples(path: Path) -> tuple[Sample, ...]:
    """Read the samples of one process.

    Parameters
    ----------
    path : pathlib.Path
        A file of `SampleLog`.

    Returns
    -------
    tuple of Sample
        In the order taken; lines that are cut off or no samples are passed over, and a missing
        file has none.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except (OSError, ValueError):  # a name that comes from data may be that of no file
        return ()
    return tuple(one for one in map(_parse, lines[1:]) if one is not None)


def _parse(line: str) -> Sample | None:
    cells = line.split(",")
    if len(cells) != len(COLUMNS):
        return None
    try:
        seconds, cpu_s = float(cells[0]), float(cells[3])
        repeat, *counts = (int(cells[place]) for place in (1, 4, 5, 6, 7))
    except ValueError:
        return None
    if not (math.isfinite(seconds) and math.isfinite(cpu_s)):
        return None
    if any(abs(one) >= _MOST_BYTES for one in (repeat, *counts)):
        return None
    return Sample(seconds, repeat, cells[2], cpu_s, *counts)
