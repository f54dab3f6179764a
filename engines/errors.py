"""Every error that an engine raises on purpose.

::

    EngineError
    ├── SpecError                 a request that no engine could carry out
    ├── EngineNotInstalledError   the engine's libraries are missing
    ├── JavaError                 no Java, or one that is too old
    ├── UnsupportedFeatureError   a gap that the engine declares
    ├── SessionError              the session is not open, or could not be opened
    │   └── ClusterError          a cluster cannot be joined, or is not what was asked for
    │       └── UnequalCoresError it has other cores than those asked for
    └── EngineFailedError         the engine's library raised
        ├── WorkerLostError       a worker process or the JVM died
        ├── UnseenDataError       a worker cannot read the prepared dataset
        └── EngineMemoryError     the engine ran out of its memory

A message is one sentence that says what is wrong, where, and what to do. The library's own
exception is kept as ``__cause__``.
"""

from __future__ import annotations


class EngineError(Exception):
    """Base of every error that an engine raises on purpose."""


class SpecError(EngineError, ValueError):
    """A request that no engine could carry out."""


class EngineNotInstalledError(EngineError, ImportError):
    """The libraries of an engine are missing; the message names the extra that brings them."""


class JavaError(EngineError):
    """No Java runtime was found, or only one that is too old for Spark."""


class UnsupportedFeatureError(EngineError, NotImplementedError):
    """The engine declares a gap for what was asked."""


class SessionError(EngineError, RuntimeError):
    """The session is not open, or could not be opened."""


class ClusterError(SessionError):
    """A cluster cannot be joined, refuses who asks, or is not what was asked for."""


class UnequalCoresError(ClusterError):
    """A cluster has other cores than those asked for.

    What to do about it depends on who asks: only a definition has keys to set.

    Parameters
    ----------
    found : str
        What the cluster has, and what is asked for.
    more : str
        What would give the cluster more cores; empty where it has too many.
    keys : tuple of str
        What to set in a definition instead; empty where asking for less does not help.
    """

    def __init__(self, found: str, more: str, keys: tuple[str, ...]) -> None:
        super().__init__(found, more, keys)
        self.found = found
        self.more = more
        self.keys = keys

    def __str__(self) -> str:
        """Return what was found, and what to do where a definition asks."""
        return self.told(*self.keys)

    def told(self, *instead: str) -> str:
        """Return what was found, and what to do where something else than a definition asks.

        Parameters
        ----------
        *instead : str
            What to do about what is asked for.
        """
        *others, last = [one for one in (self.more, *instead) if one]
        ways_out = f"{', '.join(others)}, or {last}" if others else last
        return f"{self.found}: {ways_out}."


class EngineFailedError(EngineError, RuntimeError):
    """The engine's library raised while it did what was asked."""


class WorkerLostError(EngineFailedError):
    """A worker process or the JVM died."""


class UnseenDataError(EngineFailedError):
    """A process of the engine cannot read the prepared dataset where it is."""


class EngineMemoryError(EngineFailedError, MemoryError):
    """The engine ran out of the memory it was given."""


def headline(exc: BaseException) -> str:
    """Return the first line of an exception's message, with its type."""
    first = str(exc).strip().partition("\n")[0]
    return f"{type(exc).__name__}: {first}" if first else type(exc).__name__
