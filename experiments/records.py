"""What one repeat of one engine gave, as one line of ``records.jsonl``.

A file of records only ever grows: a record is written with one call and forced to the disk, so
that whatever ends a run, everything measured before it can still be read. Numbers are kept in
full; they are rounded where they are shown.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from io import FileIO
    from pathlib import Path

SCHEMA: Final = 3
RECORDS_FILE: Final = "records.jsonl"

Outcome: TypeAlias = Literal[
    "completed", "degraded", "timed out", "out of memory", "crashed", "failed", "unsupported"
]
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)


@dataclass(frozen=True)
class WorkerShare:
    """What one worker of a cluster used in one phase.

    Parameters
    ----------
    worker, host : str
        Its name, and the machine it is on.
    cpu_s : float
        CPU seconds of its process and of all below it.
    peak_memory_bytes : int
        Greatest memory of them (PSS) in any sample.
    read_bytes, write_bytes : int
        Bytes that came from or reached storage.
    counters : dict
        What the engine's own accounts say: ``spilled_bytes``, ``sent_bytes``, ``received_bytes``,
        ``gc_s`` and what only this engine counts; None where it cannot tell.
    """

    worker: str
    host: str
    cpu_s: float
    peak_memory_bytes: int
    read_bytes: int
    write_bytes: int
    counters: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Phase:
    """What an engine used in one phase.

    On a cluster its numbers are those of the process tree of this machine and of the workers
    together, where the peaks of memory need not have been at the same moment.

    Parameters
    ----------
    name : str
        ``start``, ``load``, ``search``, ``refit``, ``tasks``, ``fit``, ``predict``, ``save``,
        ``inspect`` or ``stop``.
    wall_s : float
        Seconds that passed.
    cpu_s : float
        CPU seconds of the whole tree.
    peak_memory_bytes : int
        Greatest memory of the whole tree (PSS) in any sample.
    read_bytes, write_bytes : int
        Bytes that came from or reached storage.
    ended : bool
        False for the phase in which an engine died, ran out of time or was killed: what it used
        until then.
    workers : tuple of WorkerShare
        What each worker of a cluster used of it; empty where the engine started its own, and in
        a phase in which the workers could not be asked.
    """

    name: str
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    read_bytes: int
    write_bytes: int
    ended: bool = True
    workers: tuple[WorkerShare, ...] = ()


@dataclass(frozen=True)
class Failure:
    """Why a record's outcome is not ``completed``.

    Parameters
    ----------
    type : str
        Class of the exception, or what ended the process.
    message : str
        One sentence.
    log : str or None
        Path of the engine's log, relative to the run folder.
    """

    type: str
    message: str
    log: str | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """One repeat of one engine in one round, at one point of a sweep.

    Parameters
    ----------
    run, experiment : str
        Names of the run folder and of the experiment.
    definition : str
        Digest of the definition as run, ``"sha256:..."``.
    engine, implementation : str
        Which column of the table this belongs to.
    point : dict
        Values of the swept keys; empty without a sweep.
    round, repeat : int
        Both count from 0. Each round is a process of its own; repeats share it.
    warm : bool
        Whether the same process fitted before.
    outcome : str
        One of `OUTCOMES`.
    error : Failure or None
        None when the outcome is ``completed``.
    phases : tuple of Phase
        In the order they ran. The first repeat carries start and load, the last one stop.
    unaccounted_s : float or None
        Seconds of the process that no phase of this record explains.
    metrics : dict
        Name to score; None where a score does not exist.
    model : dict
        What was learned, such as ``n_iter``; what a search found (``search``: the best candidate,
        how many candidates ended how, and what they cost); the estimate of a simulation.
    parameters : tuple of dict
        What became of each parameter: `engines.parameters.AppliedParameter` as a dict.
    facts : dict
        What the engine was really granted: `engines.types.Facts` as a dict.
    warnings : tuple of str
        Sentences that a reader of the result must know.
    null_run : bool
        Whether the engine ran once more to be compared with itself; no column of a table.
    schema : int
        Version of this layout.
    """

    run: str
    experiment: str
    definition: str
    engine: str
    implementation: str
    point: dict[str, Any] = field(default_factory=dict)
    round: int
    repeat: int
    warm: bool
    outcome: Outcome
    error: Failure | None = None
    phases: tuple[Phase, ...] = ()
    unaccounted_s: float | None = None
    metrics: dict[str, float | None] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    parameters: tuple[dict[str, Any], ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    null_run: bool = False
    schema: int = SCHEMA


def point_key(point: Mapping[str, Any]) -> str:
    """Return the text that stands for a point of a sweep where only text can be a key.

    Parameters
    ----------
    point : mapping
        Values of the swept keys.

    Returns
    -------
    str
        JSON with sorted keys: equal points have equal texts.
    """
    return json.dumps(plain(point), sort_keys=True, ensure_ascii=False)


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: a number that is not finite becomes None.

    NumPy scalars and arrays become Python's own numbers and lists; anything else that JSON does
    not know becomes its text.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return str(value)


def to_json(record: Record) -> dict[str, Any]:
    """Return a record as one JSON object, ``schema`` first."""
    content: dict[str, Any] = plain(asdict(record))
    return {"schema": content.pop("schema"), **content}


def append_record(path: Path, record: Record) -> None:
    """Append a record to a file and force it to the disk.

    A write that fails half-way is taken back, so that the next record starts a line of its own.

    Parameters
    ----------
    path : pathlib.Path
        The file; created if it is missing.
    record : Record
        What to append.

    Raises
    ------
    OSError
        If it cannot be written; what the file held before is untouched.
    """
    append_line(path, to_json(record))


def append_line(path: Path, content: dict[str, Any]) -> None:
    """Append an object as a line of JSON and force it to the disk, as `append_record` does.

    Parameters
    ----------
    path : pathlib.Path
        The file; created if it is missing.
    content : dict
        What JSON can hold: see `plain`.

    Raises
    ------
    OSError
        If it cannot be written; what the file held before is untouched.
    """
    line = json.dumps(content, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    with path.open("ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            _write_all(file, line)
            os.fsync(file.fileno())
        except OSError:
            file.truncate(before)
            raise


def read_records(path: Path) -> tuple[Record, ...]:
    """Read all records of a file, in order.

    A last line without its end, as a killed process or a full disk leaves it, is passed over:
    see `ends_torn`.

    Parameters
    ----------
    path : pathlib.Path
        ``records.jsonl``.

    Returns
    -------
    tuple of Record
        Empty when nothing was written before the run ended.

    Raises
    ------
    RequestError
        If the file is missing, was written by a newer version, or holds a line that is no record;
        the message names the line.
    """
    *lines, _torn = _content(path).split(b"\n")
    return tuple(
        _read_line(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()
    )


def ends_torn(path: Path) -> bool:
    """Tell whether the last line of a file of records was only half written."""
    content = _content(path)
    return bool(content) and not content.endswith(b"\n")


def _write_all(file: FileIO, line: bytes) -> None:
    written = file.write(line)
    if written != len(line):
        raise OSError(f"Only {written} of {len(line)} bytes reached {file.name!r}.")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise RequestError(
            f"{path} does not exist, so there is nothing to report; "
            "give the folder that a run printed last."
        ) from None
    except OSError as exc:
        raise RequestError(f"{path} cannot be read: {exc.strerror}.") from exc


def _read_line(path: Path, number: int, line: bytes) -> Record:
    try:
        content = json.loads(line, parse_constant=_no_constant)
    except _ConstantError as exc:
        raise RequestError(
            f"{path}, line {number}, is not a record: {exc} is no number; remove the line."
        ) from None
    except ValueError:
        raise RequestError(f"{path}, line {number}, is not JSON; remove the line.") from None
    if not isinstance(content, dict):
        raise RequestError(f"{path}, line {number}, is not a record but JSON of another kind.")
    schema = content.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise RequestError(
            f"{path}, line {number}, was written by a newer version (schema {schema}, and this "
            f"one reads {SCHEMA}); update enginebench."
        )
    try:
        return _from_json(content)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise RequestError(f"{path}, line {number}, is not a record: {_reason(exc)}.") from None


class _ConstantError(ValueError):
    """NaN or Infinity, which Python's JSON knows and JSON does not."""


def _no_constant(name: str) -> Any:
    raise _ConstantError(name)


def _from_json(content: dict[str, Any]) -> Record:
    known = {one.name for one in fields(Record)}
    if content.get("schema") == 1:  # which knew no null runs
        content = {"null_run": False, **content}
    if unknown := sorted(content.keys() - known):
        raise ValueError(f"it has the unknown field {unknown[0]!r}")
    if missing := sorted(known - content.keys()):
        raise ValueError(f"it lacks the field {missing[0]!r}")
    for name, kind in _KINDS.items():
        if not isinstance(content[name], kind):
            raise TypeError(f"its field {name!r} is a {type(content[name]).__name__}")
    if content["outcome"] not in OUTCOMES:
        raise ValueError(f"its outcome {content['outcome']!r} is not one of {', '.join(OUTCOMES)}")
    for name, value in content["metrics"].items():
        if value is not None and not _is_number(value):
            raise ValueError(f"its metric {name!r} is {value!r} and no number")
    error = content["error"]
    return Record(
        **{
            **content,
            "error": None if error is None else Failure(**error),
            "phases": tuple(_phase(one) for one in content["phases"]),
            "parameters": tuple(dict(one) for one in content["parameters"]),
            "warnings": tuple(str(one) for one in content["warnings"]),
        }
    )


def _phase(content: dict[str, Any]) -> Phase:
    phase = Phase(
        **{**content, "workers": tuple(_share(one) for one in content.get("workers", ()))}
    )
    if not isinstance(phase.name, str):
        raise TypeError(f"a phase has the name {phase.name!r}, which is no text")
    _check_amounts(phase, ("wall_s", *_AMOUNTS), f"its phase {phase.name!r}")
    return phase


def _share(content: dict[str, Any]) -> WorkerShare:
    share = WorkerShare(**content)
    if not all(isinstance(one, str) for one in (share.worker, share.host)):
        raise TypeError(f"a worker has the name {share.worker!r}, which is no text")
    _check_amounts(share, _AMOUNTS, f"its worker {share.worker!r}")
    for name, value in share.counters.items():
        if value is not None and not _is_number(value):
            raise ValueError(f"{name} of its worker {share.worker!r} is {value!r} and no number")
    return share


_AMOUNTS: Final = ("cpu_s", "peak_memory_bytes", "read_bytes", "write_bytes")


def _check_amounts(of: Phase | WorkerShare, names: Iterable[str], what: str) -> None:
    for name in names:
        value = getattr(of, name)
        if value is not None and not (_is_number(value) and value >= 0):
            raise ValueError(f"{name} of {what} is {value!r} and no amount")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# What a record's fields must be for the tables to be built without a second look
_KINDS: Final[dict[str, type | tuple[type, ...]]] = {
    "schema": int,
    "run": str,
    "experiment": str,
    "definition": str,
    "engine": str,
    "implementation": str,
    "point": dict,
    "round": int,
    "repeat": int,
    "warm": bool,
    "outcome": str,
    "error": (dict, type(None)),
    "phases": list,
    "unaccounted_s": (int, float, type(None)),
    "metrics": dict,
    "model": dict,
    "parameters": list,
    "facts": dict,
    "warnings": list,
    "null_run": bool,
}


def _reason(exc: Exception) -> str:
    return f"it lacks the field {exc}" if isinstance(exc, KeyError) else str(exc)
