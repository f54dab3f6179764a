"""From a path or a name to an experiment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from engines import engine_names
from experiments.definition.catalogue import entries
from experiments.definition.reading import LARGEST_BYTES, read_document
from experiments.definition.shorthand import with_overrides
from experiments.definition.validation import check_points, validate
from experiments.definition.variants import with_variant
from experiments.definition.wording import ended, meant, nearest, shown
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.definition.models import Experiment


def load_experiment(
    path_or_name: str | Path,
    overrides: Sequence[str] = (),
    engines: Sequence[str] | None = None,
    variant: str | None = None,
) -> Experiment:
    """Read and validate a definition.

    Parameters
    ----------
    path_or_name : str or pathlib.Path
        A YAML file, or the name of a ready experiment. A text that is such a name means it; write
        ``./name`` for a file of that name.
    overrides : sequence of str
        Each ``dotted.key=value``, put in place before anything is validated.
    engines : sequence of str, optional
        The engines to run, in this order, instead of those of the file; one that the file does not
        name has its defaults.
    variant : str, optional
        The variant of the definition to take; it is put in place before the overrides, and the
        experiment is named ``<name>-<variant>``.

    Returns
    -------
    Experiment
        With every point of its sweep validated, and without variants.

    Raises
    ------
    RequestError
        With one sentence for each thing that is wrong, also in variants that were not chosen, and
        where it was written.
    """
    text, label = _read(path_or_name)
    read = read_document(text, label)
    document = with_overrides(with_variant(read, variant, label), overrides)
    experiment = validate(document)
    if engines is not None:
        selected = experiment.engines.only(_known(engines))
        experiment = experiment.model_copy(update={"engines": selected})
    check_points(experiment, document)
    return experiment


def _known(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of engines without repetition, all of them known."""
    known = engine_names()
    for name in names:
        if name not in known:
            separate = set(name.split()) <= set(known)
            hint = "; put commas between the names" if separate and name else meant(name, known)
            raise RequestError(ended(f"--engines: there is no engine {shown(name)}{hint}"))
    if not names:
        raise RequestError(f"--engines: name at least one engine of {', '.join(known)}.")
    return tuple(dict.fromkeys(names))


def _read(path_or_name: str | Path) -> tuple[str, str]:
    """Return the text of a definition, and what errors call it."""
    ready = entries()
    if isinstance(path_or_name, str) and path_or_name in ready:
        file = ready[path_or_name]
        return file.read_text(encoding="utf-8"), file.name
    path = Path(path_or_name)
    label = str(path) if str(path).isprintable() else shown(str(path))
    try:
        if path.is_dir():
            raise RequestError(f"{label} is a folder; name the YAML file in it.")
        if not path.exists():
            near = nearest(path.stem, ready)
            hint = f"did you mean {near}?" if near else f"they are {', '.join(ready)}."
            raise RequestError(f"There is no file {label} and no ready experiment so named; {hint}")
        if not path.is_file():
            raise RequestError(f"{label} is no regular file; write the definition to one.")
        with path.open("rb") as opened:
            content = opened.read(LARGEST_BYTES + 1)
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else "it cannot be opened"
        raise RequestError(f"{label} cannot be read: {reason}; name another file.") from error
    except ValueError as error:
        raise RequestError(f"{label} is no path; name a YAML file.") from error
    if len(content) > LARGEST_BYTES:
        raise RequestError(
            f"{label} is larger than {LARGEST_BYTES // 1024} KiB, so it is no definition; "
            "name a YAML file."
        )
    try:
        return content.decode("utf-8-sig"), label
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RequestError(
            f"{label}:{line}: the file is not UTF-8 text; save it in that encoding."
        ) from error
