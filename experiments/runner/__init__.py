"""Run an experiment: fix everything, then one child process for each engine and round.

`experiments.runner.run` is the way in. Nothing is imported here, since each child process imports
this package too, and what it imports before its engine would count as the engine's.
"""

from __future__ import annotations
