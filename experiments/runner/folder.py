"""The folder that a run leaves behind."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.errors import RequestError
from experiments.records import RECORDS_FILE


@dataclass(frozen=True)
class RunFolder:
    """Where everything of a run lies.

    Parameters
    ----------
    path : pathlib.Path
        The folder; its name is the name of the run.
    """

    path: Path

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.path.name

    @property
    def records(self) -> Path:
        """One record a line, appended as they are measured."""
        return self.path / RECORDS_FILE

    @property
    def predictions(self) -> Path:
        """Folder of the predictions that were scored."""
        return self.path / "predictions"

    @property
    def logs(self) -> Path:
        """Folder of what each child process printed."""
        return self.path / "logs"

    def relative(self, path: str | Path) -> str:
        """Return a path as seen from this folder, so that the folder can be moved."""
        return os.path.relpath(path, self.path)

    def write_description(self, description: dict[str, Any]) -> None:
        """Write ``run.json`` whole or not at all."""
        aside = self.path / "run.json.new"
        aside.write_text(json.dumps(description, indent=2, ensure_ascii=False), encoding="utf-8")
        aside.replace(self.path / "run.json")


def make_run_folder(experiment: str, output: Path | None) -> RunFolder:
    """Make the folder of a run.

    Parameters
    ----------
    experiment : str
        Name of the experiment.
    output : pathlib.Path or None
        The folder itself, new or empty; ``results/<experiment>-<time>`` when not given.

    Raises
    ------
    RequestError
        If it cannot be written, or holds something already.
    """
    path = output
    if path is None:
        path = Path("results") / f"{experiment}-{time.strftime('%Y%m%d-%H%M%S')}"
        while path.exists():  # two runs within one second
            path = path.with_name(f"{path.name}-again")
    folder = RunFolder(path.expanduser().absolute())
    try:
        if folder.path.exists() and (not folder.path.is_dir() or any(folder.path.iterdir())):
            raise RequestError(
                f"The output folder {path} is not empty; name a new one, so that no run "
                f"overwrites another."
            )
        folder.predictions.mkdir(parents=True)
        folder.logs.mkdir()
        probe = folder.path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as exc:
        raise RequestError(
            f"The output folder {path} cannot be written: {exc.strerror}; choose another with "
            f"--output."
        ) from exc
    return folder
