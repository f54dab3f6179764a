"""Where prepared datasets are kept, and how one appears there whole or not at all."""

from __future__ import annotations

import os
import platform
import re
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.errors import RequestError
from experiments.paths import user_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


UNFINISHED = ".unfinished-"


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
    aside = final.parent / unfinished_name()
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


def unfinished_name() -> str:
    """Return a name that no other writer uses, for what is not whole yet."""
    # the machine is part of the name, as a shared folder holds what several write
    return f"{UNFINISHED}{platform.node()}-{os.getpid()}-{secrets.token_hex(4)}"


def is_left_over(name: str) -> bool:
    """Tell whether something of such a name was left by a process of this machine that died."""
    # the whole of it, as the name of another machine may begin like that of this one
    mine = re.fullmatch(re.escape(f"{UNFINISHED}{platform.node()}-") + r"(\d+)-[0-9a-f]+", name)
    return mine is not None and not _alive(int(mine[1]))


def _remove_leftovers(cache: Path) -> None:
    for folder in cache.glob(f"{UNFINISHED}*"):
        if is_left_over(folder.name):
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
