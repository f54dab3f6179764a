"""Words that several parts of a report share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from experiments.metrics import METRICS
from experiments.report.columns import NOT_FINISHED
from experiments.report.footnotes import shown
from experiments.report.numbers import score
from experiments.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A number that is no measurement but whatever stood in a file may be too large to be shown
_GREATEST = 1e300
# whose names metrics bear
_PERSONS = ("Calinski", "Davies")

# of one engine and of several
_HAPPENED = {
    "timed out": ("timed out", "timed out"),
    "out of memory": ("ran out of memory", "ran out of memory"),
    "crashed": ("crashed", "crashed"),
    "failed": ("failed", "failed"),
    "unsupported": ("does not support what was asked", "do not support what was asked"),
    "degraded": ("was degraded", "were degraded"),
    NOT_FINISHED: ("was not finished", "were not finished"),
}


def tell_outcome(outcome: str, *, several: bool = False) -> str:
    """Say what happened to an engine that did not complete, or to several."""
    return _HAPPENED.get(outcome, (outcome, outcome))[several]


def workers_in_words(workers: int, threads: int, cores: int) -> str:
    """Return a number of workers and of the threads of each, or at most of each."""
    most = "" if workers * threads == cores else "up to "
    return f"{workers} x {most}{threads} thread{'' if threads == 1 else 's'}"


def joined(texts: Sequence[str]) -> str:
    """Return texts as a list within a sentence: ``"a, b and c"``."""
    *first, last = texts or [""]
    return f"{', '.join(first)} and {last}" if first else last


def metric_title(name: str) -> str:
    """Return a metric's title as it stands within a sentence: a person's name keeps its capital."""
    text = METRICS[name].title if name in METRICS else clean(name)
    if text.startswith(_PERSONS):
        return text
    return f"{text[0].lower()}{text[1:]}" if text[1:2].islower() else text


def metric_tolerance(name: str) -> str:
    """Return the tolerance of a metric in words."""
    bound = METRICS[name].tolerance
    if not bound.relative:
        return f"{bound.absolute:g}"
    limit = f"{bound.relative * 100:g} % of the larger value"
    return f"{bound.absolute:g} and {limit}" if bound.absolute else limit


def score_or_undefined(value: float | None) -> str:
    """Return a score, or that there is none."""
    return "undefined" if value is None else score(value)


def parameter_value(value: Any) -> str:
    """Return the value of a candidate's parameter as a definition would give it."""
    return "null" if value is None else shown(value)


def parameters_in_words(params: Mapping[str, Any]) -> str:
    """Return the parameters of a candidate on one line."""
    return ", ".join(f"{clean(name)} {parameter_value(value)}" for name, value in params.items())


def number_or_none(value: object) -> float | None:
    """Return a number from a file as it is, and None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < _GREATEST else None
