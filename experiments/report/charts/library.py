"""The scripts that draw charts in a page, kept from one report to the next."""

from __future__ import annotations

import os
from importlib import metadata
from typing import TYPE_CHECKING

from experiments.datasets.cache import default_cache
from experiments.errors import RequestError
from experiments.report.charts.figure import vega_lite_version
from experiments.report.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

_BUNDLER = "vl-convert-python"
# what else makes the bundle what it is
_SNIPPET = "window.vegaEmbed = vegaEmbed;"
# stands at the end, by which a file that lacks its end is known
_END = "window.vegaEmbed="


def chart_scripts() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that sets ``window.vegaEmbed``.

    To put it together takes longer than all else in a report, so it is kept in the user's cache,
    under the versions that it is of. A cache that cannot be used is done without.
    """
    import vl_convert

    version = vega_lite_version()
    kept = _place(f"vega-lite-{version}-vl-convert-{metadata.version(_BUNDLER)}.js")
    if kept is not None and (text := _read(kept)):
        return text
    made: str = vl_convert.javascript_bundle(_SNIPPET, version)
    if kept is not None:
        _keep(kept, made)
    return made


def _place(name: str) -> Path | None:
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


def _keep(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    except (OSError, RequestError):
        # the report has it all the same
        return
