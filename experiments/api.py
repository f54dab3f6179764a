"""The public Python API: load a definition, run it, and look at what came out."""

from __future__ import annotations

import contextlib
import warnings
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.errors import RequestError
from experiments.records import point_key
from experiments.report.build import build_report
from experiments.report.candidate_table import open_candidates
from experiments.report.text import definition_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from experiments.definition import Experiment
    from experiments.records import Record
    from experiments.report.build import Report
    from experiments.report.tables import Table


def load(
    path_or_name: str | Path,
    *,
    overrides: Sequence[str] = (),
    engines: Sequence[str] | None = None,
    variant: str | None = None,
) -> Experiment:
    """Read and validate the definition of an experiment.

    Parameters
    ----------
    path_or_name : str or pathlib.Path
        A YAML file, or the name of a ready experiment.
    overrides : sequence of str
        Each ``dotted.key=value``, put in place before anything is validated.
    engines : sequence of str, optional
        The engines to run, in this order, instead of those of the definition.
    variant : str, optional
        The variant of the definition to take, put in place before the overrides.

    Returns
    -------
    Experiment
        For `run`.

    Raises
    ------
    RequestError
        Saying what is wrong, and where it was written.
    """
    from experiments.definition import load_experiment

    return load_experiment(path_or_name, overrides, engines, variant)


def run(
    experiment: Experiment | str | Path,
    *,
    engines: Sequence[str] | None = None,
    output: str | Path | None = None,
    cluster: str | bool | None = None,
    progress: bool = False,
) -> Run:
    """Run an experiment on its engines.

    Parameters
    ----------
    experiment : Experiment, str or pathlib.Path
        What `load` returned, or what it takes.
    engines : sequence of str, optional
        The engines to run, in this order, instead of those of the definition.
    output : str or pathlib.Path, optional
        The run folder, new or empty; ``results/<name>-<time>`` by default.
    cluster : str or bool, optional
        Name of a cluster that ``enginebench cluster up`` has started, for the engines that it has;
        True for the default one.
    progress : bool
        Whether to tell on standard error what is going on.

    Returns
    -------
    Run
        An engine that failed is a column of its tables, not an exception.

    Raises
    ------
    RequestError
        If the request is wrong; no engine has started then.
    KeyboardInterrupt
        If the run was stopped; its message names the folder of what was measured, for `Run.load`.

    Warns
    -----
    UserWarning
        If the files of the report could not be written. The records are whole, and what is
        returned has all the numbers.
    """
    from experiments.progress import watch
    from experiments.report.write import write_report
    from experiments.runner.run import run_experiment

    if isinstance(experiment, str | Path):
        experiment = load(experiment, engines=engines)
    elif engines is not None:
        experiment = _only(experiment, tuple(engines))
    sources: dict[str, str] = {}
    if cluster is not None and cluster is not False:
        from experiments.asked import on_cluster

        (experiment,), sources = on_cluster([experiment], "" if cluster is True else cluster)
    where = None if output is None else Path(output)
    with watch() if progress else contextlib.nullcontext() as on_event:
        result = run_experiment(experiment, output=where, on_event=on_event, sources=sources)
    if result.interrupted:
        raise KeyboardInterrupt(f"what was measured is in {result.folder}")
    done = Run.load(result.folder)
    try:
        write_report(done.report)
    except RequestError as exc:
        # what took hours to measure is not lost over a page
        warnings.warn(f"The report was not written: {exc}", stacklevel=2)
    return done


def _only(experiment: Experiment, engines: tuple[str, ...]) -> Experiment:
    from engines import engine_names

    for name in engines:
        if name not in engine_names():
            raise RequestError(
                f"There is no engine {name!r}; choose from {', '.join(engine_names())}."
            )
    if not engines:
        raise RequestError(f"Name at least one engine of {', '.join(engine_names())}.")
    return experiment.model_copy(
        update={"engines": experiment.engines.only(tuple(dict.fromkeys(engines)))}
    )


class Run:
    """What a run left in its folder; in a notebook it shows its tables.

    Parameters
    ----------
    report : Report
        See `Run.load`.
    """

    def __init__(self, report: Report) -> None:
        self.report = report

    @classmethod
    def load(cls, folder: str | Path) -> Run:
        """Read the folder of a run.

        Raises
        ------
        RequestError
            If it is no run folder, or a file in it cannot be read.
        """
        return cls(build_report(Path(folder)))

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.report.folder

    @property
    def completed(self) -> bool:
        """Whether every engine completed all that was planned."""
        return self.report.completed

    @cached_property
    def records(self) -> pd.DataFrame:
        """One row a record, numbers in full.

        The columns are what identifies the record, ``outcome`` and ``error``; a column for each
        swept key; ``<phase>_<measure>`` such as ``fit_wall_s``; ``unaccounted_s``; a column for
        each metric and for what the model says of itself, a search as ``search_*``; and
        ``granted_*``. A phase that was cut
        short is no measurement of it: its name is in ``cut_short`` and what it used until then in
        ``cut_short_<measure>``.
        """
        import pandas as pd

        return pd.DataFrame([_flat(record) for record in self.report.records])

    @cached_property
    def candidates(self) -> pd.DataFrame:
        """One row a candidate of every search, numbers in full: ``candidates.parquet``.

        The columns are what identifies the search (``engine``, ``implementation``, ``point`` as
        JSON, ``round``, ``repeat``); ``candidate``, its ``params`` as JSON and each of them as
        ``param_<name>``; scikit-learn's ``split<k>_test_<metric>``, ``mean_test_<metric>``,
        ``std_test_<metric>``, ``rank_test_<metric>``, ``mean_fit_time`` and the like in seconds,
        and with halving ``iter`` and ``n_resources``; ``worker``, ``outcome`` and ``error``.

        Raises
        ------
        RequestError
            If the run had no search, or the file cannot be read.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = open_candidates(self.folder)
        try:
            # pandas.read_parquet would take the folder's name for a partition
            with pq.ParquetFile(path) as file:
                frame: pd.DataFrame = file.read().to_pandas()
        except (OSError, ValueError, pa.ArrowException) as exc:
            reason = str(exc).partition("\n")[0].rstrip(".")
            raise RequestError(f"{path} cannot be read: {reason}.") from exc
        return frame

    def table(self, point: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return the comparison, with the engines as columns.

        Parameters
        ----------
        point : mapping, optional
            Which point of the sweep; all of them when not given.

        Returns
        -------
        pandas.DataFrame
            Indexed by group and measure, whose name carries its unit, and before these by the
            values of the swept keys if there are any; a section, a list or a null is its
            JSON. Repeated numbers are those that the report shows, in full: the mean over rounds,
            on logarithms, where its interval can be given, and else the median.

        Raises
        ------
        KeyError
            If the sweep has no such point.
        """
        import pandas as pd

        asked = None if point is None else point_key(point)
        chosen = [one for one in self.report.tables if asked in {None, point_key(one.point)}]
        if not chosen:
            known = "; ".join(one.title or "{}" for one in self.report.tables)
            raise KeyError(f"There is no point {point}; the points are {known}.")
        frames = [_frame(one) for one in chosen]
        if not any(one.point for one in chosen):
            return frames[0]
        names = list(chosen[0].point)
        keys = [tuple(_as_key(value) for value in one.point.values()) for one in chosen]
        return pd.concat(frames, keys=keys, names=names)

    def __repr__(self) -> str:
        from experiments.report.terminal import as_text

        return as_text(self.report)

    def _repr_html_(self) -> str:
        from experiments.report.notebook import as_html

        return as_html(self.report)


def _as_key(value: Any) -> Any:
    """Return a value of a sweep as pandas can index by it: text where it is no scalar, or null."""
    return definition_value(value) if value is None or isinstance(value, dict | list) else value


def _flat(record: Record) -> dict[str, Any]:
    row: dict[str, Any] = {
        "run": record.run,
        "experiment": record.experiment,
        "engine": record.engine,
        "implementation": record.implementation,
        "round": record.round,
        "repeat": record.repeat,
        "warm": record.warm,
        "outcome": record.outcome,
        "error": record.error.message if record.error else None,
        **{key: _as_key(value) for key, value in record.point.items()},
    }
    for phase in record.phases:
        if not phase.ended:
            row["cut_short"] = phase.name
        prefix = phase.name if phase.ended else "cut_short"
        for measure in ("wall_s", "cpu_s", "peak_memory_bytes", "read_bytes", "write_bytes"):
            row[f"{prefix}_{measure}"] = getattr(phase, measure)
    row["unaccounted_s"] = record.unaccounted_s
    row |= {**record.metrics, **_flat_model(record.model)}
    granted = ("cores", "workers", "threads_per_worker", "memory_bytes")
    return row | {f"granted_{name}": record.facts.get(name) for name in granted}


def _flat_model(model: dict[str, Any]) -> dict[str, Any]:
    """Return what a model says of itself, with a column for each part of a search."""
    search = model.get("search")
    if not isinstance(search, dict):
        return model
    flat = {name: value for name, value in model.items() if name != "search"}
    best = search.get("best")
    parts = {name: value for name, value in search.items() if name != "best"}
    if isinstance(best, dict):
        parts |= {"best_candidate": best.get("candidate"), "best_params": best.get("params")}
        for name, kind in (("scores", "mean"), ("std", "std")):
            values = best.get(name)
            if isinstance(values, dict):
                parts |= {f"best_{kind}_{metric}": value for metric, value in values.items()}
    # a column that groups and compares: lists and parameters are their JSON
    return flat | {
        f"search_{name}": definition_value(value) if isinstance(value, dict | list) else value
        for name, value in parts.items()
    }


def _frame(table: Table) -> pd.DataFrame:
    import pandas as pd

    alone = len({head.engine for head in table.heads}) == len(table.heads)
    names = [
        head.engine if alone else f"{head.engine} ({head.implementation})" for head in table.heads
    ]
    rows: dict[tuple[str, str], list[Any]] = {
        ("Outcome", "outcome"): [head.outcome for head in table.heads]
    }
    for group in table.groups:
        for row in group.rows:
            rows[group.title, row.key] = [
                (cell.text or None) if row.unit == "text" else cell.value for cell in row.cells
            ]
    index = pd.MultiIndex.from_tuples(list(rows), names=["group", "measure"])
    return pd.DataFrame(list(rows.values()), index=index, columns=names, dtype=object)
