"""Ask one machine-learning question of several engines, measure them, and tell what came out.

::

    from experiments import load, run

    done = run("kmeans-digits")     # a ready experiment, or the path of a YAML file
    done                            # shows its tables, in a notebook too
    done.table()                    # a pandas DataFrame with the engines as columns

Importing this package loads no engine and no other heavy library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.api import Run, load, run

__all__ = ["Run", "load", "run"]


def __getattr__(name: str) -> Any:
    """Import the public names on first use."""
    if name in __all__:
        from experiments import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
