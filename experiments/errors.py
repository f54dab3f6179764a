"""What `experiments` raises for a mistake in a request."""

from __future__ import annotations


class RequestError(Exception):
    """A request that cannot be carried out, found before any engine starts.

    The message is one sentence for the person who asked: what is wrong, where, and what to do.
    When several things are wrong at once it holds one such line for each. The command prints it
    as it is and exits with code 2.
    """
