"""What measurements support: intervals, noise floors, growth with size, and scaling with workers.

Pure functions of numbers; none of them reads a run or shows anything.
"""

from __future__ import annotations
