"""Copies of prepared datasets where every machine of a cluster can read them."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engines.errors import SpecError, headline
from engines.locations import Location
from engines.manifest import MANIFEST, read_manifest
from experiments.datasets.cache import UNFINISHED, is_left_over, unfinished_name
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engines.prepared import Prepared

KEY = "storage"
VARIABLE = "ENGINEBENCH_STORAGE"
# no copy of one file takes as long, so that whoever wrote it is gone, on whatever machine
_ABANDONED_S = 24 * 3600


@dataclass(frozen=True)
class Storage(Location):
    """A folder of prepared datasets.

    Parameters
    ----------
    key : str
        What messages call the place where it was given.
    """

    key: str = KEY


def asked_storage(
    given: str | None, environ: Mapping[str, str] = os.environ, *, key: str = KEY
) -> Storage | None:
    """Return where engines are to find prepared data: as given, else ``$ENGINEBENCH_STORAGE``.

    Parameters
    ----------
    given : str or None
        What the definition says.
    environ : mapping
        The environment.
    key : str
        What messages call the place where it was given.

    Returns
    -------
    Storage or None
        None where nobody says anything: engines then read the cache of this machine.

    Raises
    ------
    RequestError
        If it is no folder and no URL, or one with a secret in it; or a folder of this machine in
        one that is not there, or a URL that nothing opens. No server is asked.
    """
    where, text = (key, given) if given else (VARIABLE, environ.get(VARIABLE))
    if not text:
        return None
    try:
        storage = Storage(Location.parse(text).address, where)
        storage.check_opener()
    except SpecError as exc:
        raise RequestError(f"{where}: {exc}.") from exc
    except OSError as exc:
        raise RequestError(
            f"{where}: {str(exc).rstrip('.')}; install what opens them, or mend the address."
        ) from exc
    above = None if storage.path is None else storage.path.parent
    if above is not None and not os.path.isdir(above):  # noqa: PTH112 - it raises nothing
        raise RequestError(
            f"{where}: {storage} would be a new folder in {above}, which is no folder; create that "
            f"or mend the path."
        )
    return storage


def publish(prepared: Prepared, storage: Location) -> Prepared:
    """Copy a prepared dataset to a storage, if it is not there whole.

    Its folder there is named after the source and the content. The description is copied last, so
    that a copy that was cut short is none; and two writers at once do no harm, as they write the
    same.

    Parameters
    ----------
    prepared : Prepared
        The dataset.
    storage : Location
        The folder above.

    Returns
    -------
    Prepared
        With the ``url`` of the copy; as it was where it has no files, or none on this machine.

    Raises
    ------
    RequestError
        If the storage cannot be written.
    """
    key = storage.key if isinstance(storage, Storage) else KEY
    folder = prepared.path
    if prepared.blocks is not None or folder is None:
        return prepared
    # what wrote the files may differ in version, and then so do their lengths: the description,
    # which has them, is part of the name
    described = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    target = storage / f"{folder.name}-{described[:8]}"
    with suppress(OSError):  # what can be done without is no reason to fail
        _remove_leftovers(storage, target)
    try:
        if not _is_whole(target):
            _copy(folder, target)
            read_manifest(target)
    except OSError as exc:
        raise RequestError(
            f"{key}: the prepared dataset cannot be written to {target} "
            f"({headline(exc).rstrip('.')}); check the address, and that this machine may write "
            f"there."
        ) from exc
    except SpecError as exc:
        raise RequestError(f"{key}: {exc}") from exc
    return replace(prepared, url=str(target))


def _is_whole(target: Location) -> bool:
    """Tell whether all of a dataset is there; an OSError says that nobody can tell."""
    if MANIFEST not in target.connect().sizes([MANIFEST]):
        return False
    try:
        read_manifest(target)
    except SpecError:
        return False
    return True


def _copy(folder: Path, target: Location) -> None:
    there = target.connect()
    files = [file for file in sorted(folder.iterdir()) if file.name != MANIFEST]
    for file in [*files, folder / MANIFEST]:
        there.write(file.name, file, unfinished_name())


def _remove_leftovers(storage: Location, target: Location) -> None:
    """Remove what writers that were killed have left, and nothing that one may still write.

    In a folder of this machine, which is listed in no time, all copies are looked at.
    """
    copies = [target]
    if storage.path is not None:
        copies = [storage / path.name for path in storage.path.iterdir() if path.is_dir()]
    for copy in copies:
        there = copy.connect()
        for name, changed in there.unfinished(UNFINISHED).items():
            old = changed is not None and time.time() - changed > _ABANDONED_S
            if old or is_left_over(name):
                with suppress(OSError):  # another may have been faster
                    there.remove(name)
