"""Where prepared datasets are kept, and how one appears there whole or not at all."""

from __future__ import annotations

import os
import platform
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.errors import RequestError
from experiments.paths import user_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def default_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Return ``$ENGINEBENCH_CACHE``, or the user's cache folder for this program.

    Raises
    ------
    RequestError
        If it stands under a home folder that is not known.
    """
    if given := environ.get("ENGINEBENCH_CACHE"):
        return user_path(given, "ENGINEBENCH_CACHE").absolute()
    if given := environ.get("XDG_CACHE_HOME"):
        return user_path(given, "XDG_CACHE_HOME").absolute() / "enginebench"
    try:
        return Path("~/.cache/enginebench").expanduser()
    except RuntimeError as exc:
        raise RequestError(
            "There is no home folder to keep prepared data in; set ENGINEBENCH_CACHE to a folder."
        ) from exc


@contextmanager
def new_folder(final: Path) -> Iterator[Path]:
    """Give a folder to fill, which takes its final name only when the block ends well.

    Where another process has put a folder of that name there meanwhile, that one stays: equal
    names mean equal content. A block that raises, and a process that died, leave nothing for
    long: what dead processes of this machine left is removed first.

    Parameters
    ----------
    final : pathlib.Path
        Where the folder is to be.

    Raises
    ------
    OSError
        If the folder cannot be made, or written through to the disk.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(final.parent)
    aside = final.parent / f"{_prefix()}{os.getpid()}-{secrets.token_hex(4)}"
    aside.mkdir()
    try:
        yield aside
        for file in sorted(aside.iterdir()):
            _sync(file)
        _sync(aside)
        try:
            aside.rename(final)
        except OSError:
            if not final.is_dir():
                raise
        else:
            _sync(final.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _prefix() -> str:
    # the machine is part of the name, as a shared cache holds processes of several
    return f".unfinished-{platform.node()}-"


def _remove_leftovers(cache: Path) -> None:
    for folder in cache.glob(f"{_prefix()}*"):
        pid = folder.name.removeprefix(_prefix()).partition("-")[0]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
