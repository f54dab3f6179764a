"""Wait for a coroutine of distributed, also where an event loop already runs."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

AnswerT = TypeVar("AnswerT")


def answer(coroutine: Coroutine[object, object, AnswerT], seconds: float) -> AnswerT:
    """Return what a coroutine returns.

    Parameters
    ----------
    coroutine : coroutine
        Not started yet.
    seconds : float
        Time in which it must end.

    Raises
    ------
    TimeoutError
        If it does not end in time. What it raises itself is raised here, too.
    """
    limited = asyncio.wait_for(coroutine, seconds)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(limited)
    # the loop of this thread, such as that of a notebook, waits for whoever called: another one
    # has to run the coroutine meanwhile
    with ThreadPoolExecutor(1, thread_name_prefix="enginebench-asking") as beside:
        return beside.submit(asyncio.run, limited).result()
