"""Hold Ctrl-C back for the few seconds in which cutting in would leave something behind."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def uninterrupted() -> Iterator[list[int]]:
    """Note the signals that would interrupt the block, and raise once it is done.

    Yields
    ------
    list of int
        The signals noted so far, so that the block may hurry.

    Raises
    ------
    KeyboardInterrupt
        At the end of the block, if a signal was noted. None is lost.
    """
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted  # only the main thread is ever interrupted
        return
    before = {
        number: signal.signal(number, lambda number, _: noted.append(number))
        for number in _INTERRUPTS
    }
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if noted:
        raise KeyboardInterrupt
