"""How names and values of a definition appear in an error: on one line, and not too long."""

from __future__ import annotations

import difflib
import json
import re
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# keys of mappings and indices of lists, from the root down
KeyPath: TypeAlias = tuple[str | int, ...]

_LONGEST = 60


def shown(value: Any) -> str:
    """Return a value as YAML would write it, cut off where it is long."""
    if isinstance(value, str):
        text = repr(value)
    else:
        text = json.dumps(value, default=repr, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def shown_path(path: Sequence[str | int]) -> str:
    """Return ``dataset.n_samples`` for a path; keys with unusual characters are quoted."""
    return ".".join(_shown_key(key) for key in path)


def ended(sentence: str) -> str:
    """Return a sentence with a full stop, unless it asks."""
    return sentence if sentence.endswith("?") else f"{sentence}."


def nearest(name: Any, names: Iterable[str]) -> str | None:
    """Return the name that was probably meant, if one is near."""
    known = {other.lower(): other for other in names}
    close = difflib.get_close_matches(str(name)[:_LONGEST].lower(), known, n=1)
    return known[close[0]] if close else None


def meant(name: Any, names: Iterable[str]) -> str:
    """Return ``; did you mean ...?`` where a near name exists, else what there is to choose."""
    names = tuple(names)
    if near := nearest(name, names):
        return f"; did you mean {near}?"
    return f"; choose from {', '.join(names)}" if names else ""


def first_repeated(values: Iterable[Any]) -> str | None:
    """Return the first value that was there before, as it is shown; None if there is none."""
    seen: set[str] = set()
    for value in values:
        text = json.dumps(value, sort_keys=True, default=repr)
        if text in seen:
            return shown(value)
        seen.add(text)
    return None


def _shown_key(key: str | int) -> str:
    return str(key) if isinstance(key, int) or re.fullmatch(r"[\w.-]{1,60}", key) else shown(key)
