"""Footnotes: what became of each parameter, and what else a reader must know of an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from experiments.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from experiments.report.columns import Column


class Footnotes:
    """Number footnotes in the order they are first needed.

    What is true of several engines is one footnote, which begins with their names.
    """

    def __init__(self) -> None:
        self._engines: dict[str, list[str]] = {}

    def add(self, engine: str, text: str) -> int:
        """Note a text on an engine and return its number."""
        engines = self._engines.setdefault(text, [])
        if engine not in engines:
            engines.append(engine)
        return list(self._engines).index(text) + 1

    @property
    def texts(self) -> tuple[str, ...]:
        """All footnotes; number 1 comes first."""
        return tuple(f"{', '.join(engines)}: {text}" for text, engines in self._engines.items())


def footnotes_of(column: Column) -> Iterable[str]:
    """Return what a reader must know of one engine.

    That is each parameter that was converted or rejected, each that is not quite the same, and
    each warning of the engine.
    """
    for parameter in column.parameters:
        if text := _parameter(parameter):
            yield text
    # what weakens the numbers of a whole session stands among the warnings of the report
    told = column.facts.get("warnings")
    session = told if isinstance(told, list) else []
    for warning in column.warnings:
        if warning not in session:
            yield sentence(warning)


def marks(numbers: Sequence[int]) -> str:
    """Return footnote numbers with runs shortened: ``"1-3,7"``."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(
        f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs
    )


def sentence(text: str) -> str:
    """Return a text that ends like a sentence."""
    text = clean(text)
    return text if not text or text[-1] in ".!?" else f"{text}."


def shown(value: Any) -> str:
    """Return the value of a parameter as a definition would give it."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    return clean(value)


def _parameter(parameter: dict[str, Any]) -> str:
    name, why = clean(parameter.get("name", "?")), sentence(parameter.get("why") or "")
    asked = shown(parameter.get("asked"))
    match parameter.get("verdict"):
        case "convert":
            given = f"{clean(parameter.get('native') or '')} {shown(parameter.get('value'))}"
            return f"{name} {asked} is converted to {given.strip()}. {why}"
        case "reject":
            return f"{name} {asked} is not given to the engine. {why}"
        case _ if why:
            return f"{name} {asked}: {why}"
    return ""
