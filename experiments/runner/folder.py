"""The folder that a run leaves behind."""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.errors import RequestError
from experiments.measure.samples import SAMPLES_FOLDER
from experiments.paths import user_path
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

    @property
    def samples(self) -> Path:
        """Folder of what each child process used over time."""
        return self.path / SAMPLES_FOLDER

    @property
    def null_run(self) -> Path:
        """Folder of the candidates of null runs."""
        return self.path / "null_run"

    def relative(self, path: str | Path) -> str:
        """Return a path as seen from this folder, so that the folder can be moved."""
        return os.path.relpath(path, self.path)

    def write_description(self, description: dict[str, Any]) -> None:
        """Write ``run.json`` whole or not at all."""
        aside = self.path / "run.json.new"
        aside.write_text(json.dumps(description, indent=2, ensure_ascii=False), encoding="utf-8")
        aside.replace(self.path / "run.json")


def check_output(experiment: str, output: Path | None) -> Path:
    """Return the absolute path that a run folder will have, having refused what cannot become one.

    Nothing is left behind: that a folder can be made is tried out beside it.

    Parameters
    ----------
    experiment : str
        Name of the experiment.
    output : pathlib.Path or None
        The folder itself, new or empty; ``results/<experiment>-<time>`` when not given.

    Raises
    ------
    RequestError
        If it is a file, holds something already, or cannot be written.
    """
    path = _default_path(experiment) if output is None else user_path(output, "--output")
    try:
        path = path.absolute()
        _check_name(path)
        above = next(folder for folder in (path, *path.parents) if _is_there(folder))
        if not above.is_dir():
            kind = "a file" if above.is_file() else "no folder"
            what = "is" if above == path else f"cannot be written, because {above} is"
            raise RequestError(
                f"The output folder {path} {what} {kind}; name another with --output."
            )
        if above == path and any(path.iterdir()):
            raise RequestError(
                f"The output folder {path} is not empty; name a new one with --output, so that no "
                f"run overwrites another."
            )
        # only trying tells of all that may forbid it: permissions, quotas, file systems to read
        Path(tempfile.mkdtemp(prefix=".enginebench-", dir=above)).rmdir()
    except OSError as exc:
        raise RequestError(
            f"The output folder {path} cannot be written: {exc.strerror}; choose another with "
            f"--output."
        ) from exc
    return path


def make_run_folder(experiment: str, output: Path | None) -> RunFolder:
    """Make the folder of a run, of the same arguments as `check_output`.

    Raises
    ------
    RequestError
        As `check_output` does.
    """
    folder = RunFolder(check_output(experiment, output))
    try:
        folder.predictions.mkdir(parents=True)
        folder.logs.mkdir()
        folder.samples.mkdir()
    except OSError as exc:
        raise RequestError(
            f"The output folder {folder.path} cannot be written: {exc.strerror}; choose another "
            f"with --output."
        ) from exc
    return folder


def _default_path(experiment: str) -> Path:
    path = Path("results") / f"{experiment}-{time.strftime('%Y%m%d-%H%M%S')}"
    while path.exists():  # two runs within one second
        path = path.with_name(f"{path.name}-again")
    return path


def _check_name(path: Path) -> None:
    try:
        path.name.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise RequestError(
            f"The output folder {path} has a name that is not UTF-8, and a run is named after its "
            f"folder; choose another with --output."
        ) from exc


def _is_there(path: Path) -> bool:
    """Say whether anything has this path, be it a link that leads nowhere."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
