"""The experiments that a command asks for: loaded, checked and with a folder for each."""

from __future__ import annotations

import os
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


def on_cluster(loaded: list[Experiment], name: str) -> tuple[list[Experiment], dict[str, str]]:
    """Return experiments whose engines join a cluster that ``enginebench cluster up`` started.

    Parameters
    ----------
    loaded : list of Experiment
        What is asked. An engine that the cluster does not have stays where it was.
    name : str
        Of the cluster; empty for the default one, or the only one there is.

    Returns
    -------
    experiments : list of Experiment
        With the addresses in place.
    sources : dict
        For each engine of the cluster, where its address is from, in words.

    Raises
    ------
    RequestError
        If there is no such cluster, or it has no engine of an experiment.
    """
    from experiments.cluster import find
    from experiments.definition.attach import with_cluster

    cluster = find(name or None)
    for one in loaded:
        if not set(cluster.engines) & set(one.engines.selected()):
            raise RequestError(
                f"--cluster: the cluster {cluster.name!r} has {' and '.join(cluster.engines)}, and "
                f"{one.name} runs on none of it; leave --cluster out or choose other --engines."
            )
    source = f"the cluster {cluster.name!r} of this machine"
    return [with_cluster(one, cluster) for one in loaded], dict.fromkeys(cluster.engines, source)


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
    from experiments.definition.attach import attach_from_environment

    for one in loaded:
        check_host(attach_from_environment(one, os.environ)[0])
    if len(loaded) > 1:
        # their data too: it is kept, so the run finds it ready
        for one in loaded:
            prepare_points(one)


def prepare_points(experiment: Experiment, to: str | None = None) -> list[str]:
    """Prepare the data of each point and return a line on each.

    Parameters
    ----------
    experiment : Experiment
        The definition.
    to : str, optional
        A folder or URL to copy it to, instead of the storage that the definition names.

    Raises
    ------
    RequestError
        If it cannot be prepared, or there are no files to copy.
    """
    from experiments.datasets.storage import asked_storage
    from experiments.progress import watch
    from experiments.runner.events import Preparing
    from experiments.runner.ready import make_ready

    lines = []
    storage_key = "storage" if to is None else "--to"
    asked_storage(to, {}, key=storage_key)
    with watch() as on_event:
        asked = experiment if to is None else experiment.model_copy(update={"storage": to})
        for point, at_point in asked.points():
            ready = make_ready(
                point,
                at_point,
                lambda done, total: on_event(Preparing(done, total)),
                storage_key=storage_key,
            )
            at = "".join(f"{key} = {value}: " for key, value in point.items())
            prepared = ready.prepared
            if prepared is None:
                lines.append(f"{at}a workload of tasks has no data to prepare")
                continue
            if to is not None and prepared.blocks is not None:
                raise RequestError(
                    "--to: dataset.generate: on_workers makes no files to copy; leave it out, or "
                    "set dataset.generate=prepared."
                )
            lines.append(
                f"{at}{prepared.address}  {prepared.counts['train']:,} rows to train on, "
                f"{prepared.counts['test']:,} held out, {prepared.n_features} features"
            )
    return lines
