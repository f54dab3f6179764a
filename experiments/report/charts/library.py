"""The scripts that draw charts in a page, kept from one report to the next."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING

from experiments.datasets.cache import default_cache
from experiments.errors import RequestError
from experiments.report.charts.figure import vega_lite_version
from experiments.report.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_BUNDLER = "vl-convert-python"
# what else makes the bundle what it is
_SNIPPET = "window.vegaEmbed = vegaEmbed;"
# stands at the end, by which a file that lacks its end is known
_END = "window.vegaEmbed="
# puts the scripts together in a process of its own
_BUNDLE = """
import sys, vl_convert
sys.stdout.buffer.write(vl_convert.javascript_bundle(*sys.argv[1:]).encode())
"""


@contextmanager
def bundling() -> Iterator[Callable[[], str]]:
    """Put the scripts of a page together beside what a block does, if they are not kept.

    It takes two seconds, in which no other thread of a process could run, and so has a process of
    its own. The block is given a function that waits for it and returns what `chart_scripts`
    returns; it raises what that raises.
    """
    version = vega_lite_version()
    if _kept(version) or not sys.executable:
        yield chart_scripts
        return
    # nothing is imported from the folder that the user happens to be in
    command = [sys.executable, "-P", "-c", _BUNDLE, _SNIPPET, version]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        yield chart_scripts
        return
    with process:
        try:
            yield lambda: _await(process, version)
        finally:
            process.kill()


def chart_scripts() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that sets ``window.vegaEmbed``.

    To put it together takes longer than all else in a report, so it is kept in the user's cache,
    under the versions that it is of. A cache that cannot be used is done without.

    Raises
    ------
    RequestError
        If it cannot be put together.
    """
    import vl_convert

    version = vega_lite_version()
    if text := _kept(version):
        return text
    try:
        made: str = vl_convert.javascript_bundle(_SNIPPET, version)
    except Exception as exc:  # the library raises whatever its scripts do
        reason = str(exc).strip().partition("\n")[0].rstrip(".") or type(exc).__name__
        raise RequestError(
            f"The scripts that draw the charts of report.html cannot be put together ({reason}); "
            f"install {_BUNDLER} again."
        ) from exc
    _keep(version, made)
    return made


def _await(process: subprocess.Popen[bytes], version: str) -> str:
    """Return what a process puts together; put it together here where it does not."""
    made = process.communicate()[0].decode("utf-8", errors="replace")
    if process.returncode or _END not in made[-100:]:
        return chart_scripts()
    _keep(version, made)
    return made


def _kept(version: str) -> str:
    path = _place(version)
    return "" if path is None else _read(path)


def _place(version: str) -> Path | None:
    name = f"vega-lite-{version}-vl-convert-{metadata.version(_BUNDLER)}.js"
    try:
        return default_cache() / "charts" / name
    except RequestError:
        return None


def _read(path: Path) -> str:
    """Return the script, if this user wrote it: a page runs it, and others may write to a cache."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            own = os.fstat(file.fileno()).st_uid == os.getuid()
            text = file.read() if own else ""
            return text if _END in text[-100:] else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _keep(version: str, text: str) -> None:
    path = _place(version)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    except (OSError, RequestError):
        # the report has it all the same
        return
