"""The experiments that a command asks for: loaded, checked and with a folder for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from experiments.definition import Experiment


def load(
    name: str, overrides: list[str] | None, engines: str | None, variant: str | None
) -> Experiment:
    """Load an experiment, with the engines given as names separated by commas."""
    from experiments.definition import load_experiment

    names = None if engines is None else [one.strip() for one in engines.split(",") if one.strip()]
    return load_experiment(name, overrides or (), names, variant)


def output_folders(loaded: list[Experiment], output: Path | None) -> list[Path | None]:
    """Return the run folder of each experiment, having refused what cannot become one."""
    from experiments.runner.folder import check_output

    folders: list[Path | None] = [output] * len(loaded)
    if output is not None and len(loaded) > 1:
        names = [one.name for one in loaded]
        if twice := {name for name in names if names.count(name) > 1}:
            raise RequestError(
                f"Two experiments have the name {twice.pop()}, so they would share a folder "
                f"in {output}; run them one by one."
            )
        folders = [output / name for name in names]
    for one, folder in zip(loaded, folders, strict=True):
        check_output(one.name, folder)
    return folders


def check_all(loaded: list[Experiment]) -> None:
    """Refuse what is wrong with any experiment before the first one runs."""
    from experiments.definition import check_host

    for one in loaded:
        check_host(one)
    if len(loaded) > 1:
        # their data too: it is kept, so the run finds it ready
        for one in loaded:
            prepare_points(one)


def prepare_points(experiment: Experiment) -> list[str]:
    """Prepare the data of each point and return a line on each."""
    from experiments.progress import watch
    from experiments.runner.events import Preparing
    from experiments.runner.ready import make_ready

    lines = []
    with watch() as on_event:
        for point, at_point in experiment.points():
            ready = make_ready(
                point, at_point, lambda done, total: on_event(Preparing(done, total))
            )
            at = "".join(f"{key} = {value}: " for key, value in point.items())
            prepared = ready.prepared
            if prepared is None:
                lines.append(f"{at}a workload of tasks has no data to prepare")
                continue
            lines.append(
                f"{at}{prepared.path}  {prepared.counts['train']:,} rows to train on, "
                f"{prepared.counts['test']:,} held out, {prepared.n_features} features"
            )
    return lines
