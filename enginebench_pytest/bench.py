"""Benchmark one phase of an experiment, in a child process of the runner."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from enginebench_pytest.held import ChildOverError, HeldChild
from enginebench_pytest.journal import Entries
from enginebench_pytest.measured import Measured
from enginebench_pytest.turns import Turns
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

    from enginebench_pytest.journal import Journal
    from experiments.definition import Experiment
    from experiments.records import Record
    from experiments.runner.clusters import Joined
    from experiments.runner.ready import ReadyPoint

# these come once in a process, so that each round of them is a process of its own
_ONCE: Final = ("start", "load")
_MOST_ROUNDS: Final = 1000


@dataclass(frozen=True)
class BenchExperiment:
    """What the fixture `bench_experiment` is: call it to run an experiment on one engine.

    Parameters
    ----------
    engine : str
        Name of the engine.
    benchmark : BenchmarkFixture
        pytest-benchmark's own fixture.
    folder : pathlib.Path
        New or empty: takes logs, predictions and samples.
    journal : Journal
        Takes every measurement as it is made.
    test : str
        Id of the test.
    warnings : tuple of str
        Sentences that a reader of the result must know.
    """

    engine: str
    benchmark: BenchmarkFixture
    folder: Path
    journal: Journal
    test: str
    warnings: tuple[str, ...] = ()

    def __call__(
        self,
        definition: str | Path | Experiment,
        *overrides: str,
        phase: str | None = None,
        rounds: int | None = None,
        variant: str | None = None,
    ) -> tuple[Record, ...]:
        """Run an experiment in the runner's own child process, and benchmark a phase of it.

        CPUs, memory and time are limited, and CPU seconds and memory measured, as in a run, and an
        engine joins the cluster that the definition or else the environment names, as in a run. The
        seconds that pytest-benchmark shows are those that the child itself counted.

        Parameters
        ----------
        definition : str, pathlib.Path or Experiment
            Name of a ready experiment, YAML file, or what `experiments.load` returned.
        *overrides : str
            Each ``dotted.key=value``, as ``--set`` takes them.
        phase : {"fit", "search", "tasks", "load", "start", "predict", "refit"}, optional
            What is measured: the main one of the workload when not given.
        rounds : int, optional
            How often. They are warm repeats in one process, ``measure.warm_repeats`` of the
            definition when not given, at least 1; the cold one before them is a warm-up, told
            as ``cold_s``. Of a phase that comes once in a process, start or load, each is a
            process, and ``measure.rounds`` counts.
        variant : str, optional
            The variant of the definition to take.

        Returns
        -------
        tuple of Record
            One a repeat, the cold one first, or one a process.
        """
        __tracebackhide__ = True
        refused = None
        try:
            experiment, ready, joined = self._prepare(definition, overrides, variant)
            phase = _phase(experiment, phase)
            count = _rounds(experiment, phase, rounds)
            self.benchmark.group = f"{experiment.name}: {phase}, {_size(ready)}"
            about = {"test": self.test, "engine": self.engine, "group": self.benchmark.group}
            entries = Entries(self.journal, about)
            entries.append("started", phase=phase, definition=experiment.digest)
            measured = Measured(
                self.engine, experiment, ready, joined, phase, entries, self.warnings
            )
            start = self._starter(measured, count)
        except (RequestError, pytest.fail.Exception) as exc:
            refused = str(exc)
        if refused is not None:
            self._use_for_nothing()
            pytest.fail(refused, pytrace=False)
        turns = Turns(self.benchmark, measured, start, count, a_process_each=phase in _ONCE)
        try:
            turns.take()
        except ChildOverError:
            pass  # the last record says why
        except BaseException as exc:
            turns.abandon()
            self._drop(measured, "interrupted" if isinstance(exc, KeyboardInterrupt) else "failed")
            raise
        if measured.outcome != "completed":
            self._drop(measured, measured.outcome)
            pytest.fail(self._why(measured), pytrace=False)
        self.benchmark.extra_info.update(measured.told())
        entries.append("ended", outcome="completed", extra_info=self.benchmark.extra_info)
        return tuple(measured.records)

    def _prepare(
        self, definition: str | Path | Experiment, overrides: tuple[str, ...], variant: str | None
    ) -> tuple[Experiment, ReadyPoint, Joined]:
        from experiments.definition import check_host, load_experiment
        from experiments.definition.attach import attach_from_environment
        from experiments.runner.clusters import join_clusters
        from experiments.runner.ready import make_ready

        if isinstance(definition, str | Path):
            loaded = load_experiment(definition, overrides, (self.engine,), variant)
        elif overrides or variant is not None:
            raise RequestError(
                "Overrides and variants are for definitions that are read; hand them to "
                "experiments.load, or give the name of the definition here."
            )
        else:
            engines = definition.engines.only((self.engine,))
            loaded = definition.model_copy(update={"engines": engines})
        loaded, sources = attach_from_environment(loaded, os.environ)
        points = loaded.points()
        if len(points) > 1:
            keys = list(loaded.sweep)
            raise RequestError(
                f"{loaded.name} sweeps over {' and '.join(keys)}, and a benchmark is of one point; "
                f'choose it with the overrides "sweep=null" and "{keys[0]}=...".'
            )
        point, experiment = points[0]
        check_host(experiment)
        joined = join_clusters(experiment, sources, lambda _event: None)
        ready = make_ready(point, experiment, lambda _done, _total: None, joined)
        return experiment, ready, joined

    def _starter(self, measured: Measured, rounds: int) -> Callable[[int], HeldChild]:
        """Return what starts a child process, given how many there were before it."""
        from experiments.runner.folder import make_run_folder
        from experiments.runner.plan import PlanItem
        from experiments.runner.run import Books, run_child
        from experiments.runner.scoring import Scorer
        from experiments.search.log import CandidateLog

        folder = make_run_folder(measured.experiment.name, self.folder)
        books = Books(
            folder,
            Scorer(folder),
            CandidateLog(folder.path),
            CandidateLog(folder.null_run),
            measured.joined,
        )
        repeats = 0
        if measured.phase not in _ONCE:
            repeats = 1 + (rounds if self.benchmark.enabled else 0)

        def start(number: int) -> HeldChild:
            item = PlanItem(0, number, self.engine)
            run = partial(run_child, item, measured.ready, books, repeats=repeats)
            return HeldChild(run, measured.phase, measured.add_record)

        return start

    def _use_for_nothing(self) -> None:
        """Keep pytest-benchmark from a warning of its own, that it was not used."""

        def refuse() -> None:
            raise RequestError

        with suppress(Exception):  # also that it was used before
            self.benchmark.pedantic(refuse)  # type: ignore[no-untyped-call]

    def _drop(self, measured: Measured, outcome: str) -> None:
        """Keep a benchmark that was not completed out of the table and of what is saved."""
        self.benchmark.has_error = True
        if self.benchmark.stats is not None:
            self.benchmark.stats.stats.data.clear()
        self.benchmark.extra_info.update({**measured.told(), "outcome": outcome})
        measured.entries.append("ended", outcome=outcome, extra_info=self.benchmark.extra_info)

    def _why(self, measured: Measured) -> str:
        error = measured.error
        message = error.message if error else "it ended before all was measured"
        log = f"; its log is {self.folder / error.log}" if error and error.log else ""
        name = measured.experiment.name
        return f"{name} on {self.engine}: {measured.outcome}: {message.rstrip('.')}{log}."


def _phase(experiment: Experiment, asked: str | None) -> str:
    """Return the phase to measure: one that the workload has."""
    if experiment.workload.kind == "tasks":
        phases: tuple[str, ...] = ("tasks", "start")
    elif experiment.search is not None:
        phases = ("search", "refit", "predict", "start", "load")
    else:
        phases = ("fit", "predict", "start", "load")
    if asked is not None and asked not in phases:
        raise RequestError(
            f"phase: {experiment.name} has no phase {asked!r} to measure; choose from "
            f"{', '.join(phases)}."
        )
    return asked or phases[0]


def _rounds(experiment: Experiment, phase: str, asked: int | None) -> int:
    """Return how many rounds there are."""
    if asked is None:
        measure = experiment.measure
        return measure.rounds if phase in _ONCE else max(1, measure.warm_repeats)
    if type(asked) is not int or not 1 <= asked <= _MOST_ROUNDS:
        raise RequestError(
            f"rounds must be a whole number from 1 to {_MOST_ROUNDS:,}; got {asked!r}."
        )
    return asked


def _size(ready: ReadyPoint) -> str:
    """Return how much is worked on."""
    if ready.prepared is None:
        return f"{getattr(ready.spec, 'paths', 0):,} paths"
    return f"{ready.prepared.counts['train']:,} rows of {ready.prepared.n_features:,} features"
