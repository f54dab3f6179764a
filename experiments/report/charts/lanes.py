"""The engines of a run as charts show them: each with one name, colour, shape and dash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.report.charts.theme import ENGINE_COLOURS, FURTHER_COLOURS
from experiments.report.text import clean
from experiments.titles import title

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Beside a line or a bar there is room for so many letters
_LONGEST_NAME = 28
_SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "triangle-right", "cross")
_DASHES = ((1, 0), (7, 3), (2, 2), (9, 3, 2, 3), (4, 4), (12, 3), (2, 5))


@dataclass(frozen=True)
class Lane:
    """One engine, in one implementation, in every chart.

    Parameters
    ----------
    engine, implementation : str
        What it is.
    name : str
        What it is called: unlike any other's, and short enough to stand beside a mark.
    colour : str
        Of its engine.
    shape, dash : str and tuple of int
        Its own, for those who cannot tell colours apart.
    """

    engine: str
    implementation: str
    name: str
    colour: str
    shape: str
    dash: tuple[int, ...]


def lanes_of(pairs: Iterable[tuple[str, str]]) -> tuple[Lane, ...]:
    """Return the lanes of engines and their implementations, in their order.

    An engine of this package looks the same in the charts of every run, whichever others ran.
    """
    known = tuple(dict.fromkeys(pairs))
    engines = tuple(dict.fromkeys(engine for engine, _ in known))
    places = {engine: place for place, engine in enumerate(_in_fixed_order(engines))}
    names = _names(known)
    own = tuple(ENGINE_COLOURS.values()) + FURTHER_COLOURS
    lanes = []
    for (engine, implementation), name in zip(known, names, strict=True):
        place = places[engine]
        # a second implementation shares the colour, and takes a shape that no engine has
        mates = [two for one, two in known if one == engine]
        sign = place + len(places) * mates.index(implementation)
        lanes.append(
            Lane(
                engine,
                implementation,
                name,
                own[place % len(own)],
                _SHAPES[sign % len(_SHAPES)],
                _DASHES[sign % len(_DASHES)],
            )
        )
    return tuple(lanes)


def _in_fixed_order(engines: Sequence[str]) -> list[str]:
    return [*ENGINE_COLOURS, *(one for one in engines if one not in ENGINE_COLOURS)]


def _names(pairs: Sequence[tuple[str, str]]) -> list[str]:
    engines = [engine for engine, _ in pairs]
    names: list[str] = []
    for engine, implementation in pairs:
        several = engines.count(engine) > 1
        full = clean(f"{title(engine)} ({implementation})" if several else title(engine))
        name = shorten(full, _LONGEST_NAME) or "?"
        number = 2
        while name in names:
            name = f"{shorten(full, _LONGEST_NAME - 4)} #{number}"
            number += 1
        names.append(name)
    return names


def shorten(text: str, longest: int) -> str:
    """Return a text of at most so many characters, with an ellipsis where some are left out."""
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"
