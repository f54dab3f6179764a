"""A folder for the temporary files of one child process."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from experiments.runner.interrupts import uninterrupted


class Scratch:
    """A folder for one child's temporary files, gone with it whatever it left inside."""

    def __enter__(self) -> Path:
        self._path = Path(tempfile.mkdtemp(prefix="enginebench-"))
        return self._path

    def __exit__(self, *exc_info: object) -> None:
        with uninterrupted():
            shutil.rmtree(self._path, ignore_errors=True)
