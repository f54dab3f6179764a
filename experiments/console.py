"""Write to the two streams of a command: results to the one, everything else to the other."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console


def print_drawn(draw: Callable[[Console], None], *, blank_before: bool = False) -> None:
    """Write what is drawn on a console as wide and colourful as the real one."""
    import io

    from rich.console import Console

    real = Console(highlight=False, emoji=False)
    text = io.StringIO()
    drawn = Console(
        file=text,
        width=real.width,
        force_terminal=real.is_terminal,
        color_system="auto" if real.is_terminal else None,
        highlight=False,
        emoji=False,
    )
    draw(drawn)
    lines = (line.rstrip() for line in text.getvalue().splitlines())
    out(("\n\n" if blank_before else "") + "\n".join(lines) + "\n")


def print_json(content: Any) -> None:
    """Write one JSON document."""
    import json

    out(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def out(text: str) -> None:
    """Write results; a reader that has gone away, such as ``head``, ends nothing."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
    except OSError as exc:
        _forget_output()
        raise RequestError(
            f"The results cannot be written to the standard output: {exc.strerror}; write them "
            f"elsewhere."
        ) from exc


def _forget_output() -> None:
    # what is still buffered would fail once more when the interpreter ends
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str) -> None:
    """Tell something that is not a result."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
