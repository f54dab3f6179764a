"""What differs between two runs besides their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from experiments.report.folder import section_of
from experiments.report.footnotes import shown
from experiments.report.numbers import memory
from experiments.report.text import definition_value
from experiments.report.wording import joined
from experiments.titles import title

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from experiments.report.folder import RunFiles

NOT_GIVEN: Final = "not given"
# what is asked is the same whatever it is called
_TEXTS: Final = ("name", "question")
_UNCOMMITTED: Final = "+changes"
_NOTHING: Final = object()


@dataclass(frozen=True)
class Change:
    """One thing that is not the same in two runs.

    Parameters
    ----------
    section : str
        ``definition``, ``data``, ``granted``, ``parameters``, ``versions`` or ``host``.
    key : str
        What it is, within the section.
    first, second : str
        Its value in each run.
    """

    section: str
    key: str
    first: str
    second: str


def find_changes(
    first: RunFiles, second: RunFiles, points: Sequence[tuple[str, dict[str, Any]]]
) -> tuple[Change, ...]:
    """Return what differs between two runs; what one of them does not tell is not compared.

    Parameters
    ----------
    first, second : RunFiles
        The runs.
    points : sequence of (str, dict)
        The points that both have, each with its title.
    """
    return (
        *_definition(first.asked, second.asked),
        *_data(first, second, points),
        *_granted(first, second, points),
        *_parameters(first, second, points),
        *_versions(first.description, second.description),
        *_host(first.description, second.description),
    )


def find_doubts(first: RunFiles, second: RunFiles) -> tuple[str, ...]:
    """Say what may have changed without a trace: what a run does not tell."""
    found = []
    for which, files in (("first", first), ("second", second)):
        if not files.asked:
            found.append(
                f"The {which} run has no definition.yaml that can be read, so it is not known "
                "whether the same was asked."
            )
        unknown = [
            words
            for name, words in (("versions", "the versions"), ("host", "the machine"))
            if not section_of(files.description, name)
        ]
        if unknown:
            found.append(
                f"Of the {which} run run.json does not tell {joined(unknown)}, so what changed of "
                "it is not known."
            )
    commits = [str(files.description.get("commit") or "") for files in (first, second)]
    if commits[0] == commits[1] and commits[0].endswith(_UNCOMMITTED):
        found.append(
            "Both runs were made from the same commit with uncommitted changes, which may not have "
            "been the same ones."
        )
    return tuple(found)


def _definition(first: dict[str, Any], second: dict[str, Any]) -> Iterator[Change]:
    if not first or not second:
        return
    one, other = _with_defaults(first), _with_defaults(second)
    if one is None or other is None:
        one, other = first, second
    for key, old, new in _differences(one, other):
        if key not in _TEXTS:
            yield Change("definition", key, _as_given(old), _as_given(new))


def _with_defaults(asked: dict[str, Any]) -> dict[str, Any] | None:
    """Return a definition in full, as options may have come since it was written.

    None where it is no definition of this version.
    """
    import yaml

    from experiments.definition.models import Experiment

    try:
        written = Experiment.from_tree(asked).to_yaml()
    # pydantic's error is a ValueError; YAML has values, such as dates, that JSON has not
    except (ValueError, TypeError):
        return None
    content: dict[str, Any] = yaml.safe_load(written)
    return content


def _differences(
    first: Mapping[Any, Any], second: Mapping[Any, Any], above: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Yield the dotted key and both values of what differs between nested mappings."""
    for name in dict.fromkeys((*first, *second)):
        old, new = first.get(name, _NOTHING), second.get(name, _NOTHING)
        key = f"{above}{name}"
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{key}.")
        # to Python 1, 1.0 and True are equal, and to a definition they are not
        elif (type(old), old) != (type(new), new):
            yield key, old, new


def _as_given(value: Any) -> str:
    return NOT_GIVEN if value is _NOTHING else definition_value(value)


def _data(
    first: RunFiles, second: RunFiles, points: Sequence[tuple[str, dict[str, Any]]]
) -> Iterator[Change]:
    def told(files: RunFiles, point: dict[str, Any]) -> dict[str, str]:
        about = files.about(point)
        dataset = section_of(about, "dataset")
        counts = section_of(dataset, "counts")
        return _known(
            {
                "contents of the prepared rows": str(dataset.get("fingerprint") or "")[:12],
                "rows trained on": counts.get("train"),
                "rows held out": counts.get("test"),
                "features": dataset.get("n_features"),
                "dtype": dataset.get("dtype"),
                "scored on": about.get("scored_on"),
                "task": about.get("task"),
            }
        )

    yield from _over_points(
        "data", [(name, told(first, at), told(second, at)) for name, at in points]
    )


def _granted(
    first: RunFiles, second: RunFiles, points: Sequence[tuple[str, dict[str, Any]]]
) -> Iterator[Change]:
    def told(files: RunFiles, point: dict[str, Any]) -> dict[str, str]:
        resources = files.resources(point)
        return _known(
            {
                "cores for each engine": resources.get("cores"),
                "memory for each engine": _bytes(resources.get("memory_bytes")),
                **{
                    f"{title(engine)}: {name}": value
                    for engine in files.engines
                    for name, value in _facts(files, point, engine).items()
                },
            }
        )

    yield from _over_points(
        "granted", [(name, told(first, at), told(second, at)) for name, at in points]
    )


def _facts(files: RunFiles, point: dict[str, Any], engine: str) -> dict[str, Any]:
    """Return what an engine was really granted at a point, as its last process reported."""
    facts = next(
        (
            record.facts
            for record in reversed(files.records)
            if record.facts and record.engine == engine and record.point == point
        ),
        {},
    )
    return {
        "workers": facts.get("workers"),
        "threads of a worker": facts.get("threads_per_worker"),
        "own memory limit": _bytes(facts.get("memory_bytes")),
    }


def _parameters(
    first: RunFiles, second: RunFiles, points: Sequence[tuple[str, dict[str, Any]]]
) -> Iterator[Change]:
    """Find parameters of which something else became, although the same was asked."""

    def told(files: RunFiles, point: dict[str, Any]) -> dict[str, str]:
        return {
            # what was asked is part of the key, and so parameters of which else was asked drop out
            f"{title(engine)}: {one.get('name', '?')} {shown(one.get('asked'))}": _became(one)
            for engine in files.engines
            for one in _applied(files, point, engine)
        }

    yield from _over_points(
        "parameters", [(name, told(first, at), told(second, at)) for name, at in points]
    )


def _applied(files: RunFiles, point: dict[str, Any], engine: str) -> tuple[dict[str, Any], ...]:
    return next(
        (
            record.parameters
            for record in files.records
            if record.parameters and record.engine == engine and record.point == point
        ),
        (),
    )


def _became(parameter: Mapping[str, Any]) -> str:
    if parameter.get("verdict") == "reject":
        return "not given to the engine"
    return f"{parameter.get('native') or '?'} {shown(parameter.get('value'))}"


def _over_points(
    section: str, told: Sequence[tuple[str, dict[str, str], dict[str, str]]]
) -> Iterator[Change]:
    """Yield one change for each key that both runs tell, however many points it changed at."""
    changed: dict[str, list[tuple[str, str, str]]] = {}
    for name, old, new in told:
        for key in old.keys() & new.keys():
            if old[key] != new[key]:
                changed.setdefault(key, []).append((name, old[key], new[key]))
    for key in sorted(changed, key=lambda one: _place(one, told)):
        name, old_value, new_value = changed[key][0]
        alike = {(old, new) for _, old, new in changed[key]} == {(old_value, new_value)}
        where = ""
        if len(changed[key]) < len(told) or not alike:
            others = len(changed[key]) - 1
            more = f" and {others} other point{'' if others == 1 else 's'}" if others else ""
            where = f" at {name}{more}"
        yield Change(section, f"{key}{where}", old_value, new_value)


def _place(key: str, told: Sequence[tuple[str, dict[str, str], dict[str, str]]]) -> int:
    """Return where a key stands in what is told of a point."""
    return next(list(old).index(key) for _, old, _ in told if key in old)


def _versions(first: dict[str, Any], second: dict[str, Any]) -> Iterator[Change]:
    old, new = section_of(first, "versions"), section_of(second, "versions")
    if old and new:
        for key, one, other in _differences(old, new):
            yield Change("versions", key, _as_text(one), _as_text(other))
    commits = first.get("commit"), second.get("commit")
    if commits[0] != commits[1] and first and second:
        yield Change("versions", "commit", *(str(one or NOT_GIVEN) for one in commits))


def _host(first: dict[str, Any], second: dict[str, Any]) -> Iterator[Change]:
    old, new = section_of(first, "host"), section_of(second, "host")
    if not old or not new:
        return
    for key, one, other in _differences(old, new):
        name = key.removesuffix("_bytes").replace("_", " ")
        values = (_bytes(one), _bytes(other)) if key.endswith("_bytes") else (one, other)
        old_text, new_text = map(_as_text, values)
        # some kilobytes of memory more or less, as from one start of a machine to the next
        if old_text != new_text:
            yield Change("host", name, old_text, new_text)


def _as_text(value: Any) -> str:
    return NOT_GIVEN if value is _NOTHING or value is None else str(value)


def _bytes(value: Any) -> Any:
    """Return an amount of memory in words, and anything else as it is."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return memory(value) if known else value


def _known(told: dict[str, Any]) -> dict[str, str]:
    """Return what is told at all."""
    return {name: str(value) for name, value in told.items() if value not in (None, "")}
