"""The ``enginebench`` command.

Results go to standard output, everything else to standard error. Exit codes:

==== ===============================================================================
0    every engine completed (``run``); what was asked for was done (other commands)
1    an engine did not complete, or only degraded; ``doctor`` found a problem; ``compare`` found
     more than ``--fail-above`` allows
2    the request was wrong; one sentence on standard error says what to do
70   a mistake of this program; ``--debug`` shows the traceback
130  stopped by Ctrl-C, after everything that ran was stopped
==== ===============================================================================

Whatever takes time to import is imported by the command that needs it.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from experiments.definition import Experiment
    from experiments.report.build import Report


class Form(StrEnum):
    """What `enginebench report` prints."""

    TEXT = "text"
    MARKDOWN = "markdown"
    LATEX = "latex"
    CSV = "csv"
    JSON = "json"


COMPLETED, NOT_COMPLETED, WRONG_REQUEST, INTERNAL_ERROR, INTERRUPTED = 0, 1, 2, 70, 130

app = typer.Typer(
    name="enginebench",
    help="Run one machine-learning experiment, unchanged, on scikit-learn, Dask and Spark, and "
    "compare accuracy, time and resources side by side.",
    # help without boxes needs no rich, which takes a tenth of a second to import
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

ExperimentName = Annotated[
    str,
    typer.Argument(metavar="EXPERIMENT", help="A YAML file, or the name of a ready experiment."),
]
Engines = Annotated[
    str | None,
    typer.Option(help="Engines to run, separated by commas, instead of the definition's."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace a value, such as measure.rounds=3."),
]
Variant = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The variant of the definition to take, such as full."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def main() -> None:
    """Run the command with the arguments of this process, and exit."""
    # asked to end by another program, or by a terminal that closes: stop as for Ctrl-C
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    # started without one of the three streams: the first file opened would take its place
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code; a person never sees a traceback unasked.

    Parameters
    ----------
    arguments : sequence of str
        What follows the name of the command.
    """
    for stream in (sys.stdout, sys.stderr):
        # a locale without the characters of a report must not end the run that made it
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = typer.main.get_command(app).main(
            list(arguments), prog_name="enginebench", standalone_mode=False
        )
    except KeyboardInterrupt:
        code = INTERRUPTED
    except RequestError as exc:
        _tell_error(str(exc), arguments)
        return WRONG_REQUEST
    except Exception as exc:  # noqa: BLE001 - the last line of defence
        return _tell_other(exc, arguments)
    if code == INTERRUPTED:
        _say("stopped")
    return code if isinstance(code, int) else COMPLETED


def _print_version(asked: bool) -> None:
    if asked:
        from importlib import metadata

        _out(f"enginebench {metadata.version('enginebench')}\n")
        raise typer.Exit


@app.callback()
def _enginebench(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    del version
    try:
        Path.cwd()
    except OSError as exc:
        raise RequestError(
            f"The current folder cannot be used ({exc.strerror}); change to another one."
        ) from exc


@app.command("run", help="Run experiments and print a table of each.")
def _run(
    experiment: Annotated[
        list[str],
        typer.Argument(metavar="EXPERIMENT...", help="YAML files or names of ready experiments."),
    ],
    *,
    engines: Engines = None,
    variant: Variant = None,
    overrides: Overrides = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Run folder, new or empty; of several experiments, the folder above theirs. "
            "results/NAME-TIME by default.",
        ),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    del debug
    loaded = [_load(name, overrides, engines, variant) for name in experiment]
    outputs = _outputs(loaded, output)
    _check(loaded)

    from experiments.progress import watch
    from experiments.report.build import build_report
    from experiments.report.write import write_report
    from experiments.runner.run import run_experiment

    reports: list[Report] = []
    interrupted = False
    for number, (one, folder) in enumerate(zip(loaded, outputs, strict=True)):
        with watch() as on_event:
            result = run_experiment(one, output=folder, on_event=on_event)
        interrupted = result.interrupted
        if interrupted and not (result.folder / "records.jsonl").exists():
            _say(_stopped_early(result.folder))
            break
        report = build_report(result.folder)
        reports.append(report)
        if not as_json:
            _print_report(report, blank_before=number > 0)
        # the tables stand, whatever becomes of the files
        _say(f"results: {result.folder}")
        _say(f"report: {write_report(report).html}")
        if interrupted:
            break
    if as_json:
        _print_json({"schema": 1, "runs": _as_data(reports)})
    if interrupted:
        return INTERRUPTED
    return COMPLETED if all(report.completed for report in reports) else NOT_COMPLETED


@app.command("report", help="Print the tables of a run again, and write its report again.")
def _report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    *,
    form: Annotated[
        Form, typer.Option("--format", help="What to print.", show_default=True)
    ] = Form.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    debug: Debug = False,
) -> int:
    del debug
    if as_json and form not in {Form.TEXT, Form.JSON}:
        raise RequestError(
            f"--json and --format {form.value} ask for two forms at once; give one of them."
        )
    from experiments.report.build import build_report
    from experiments.report.write import write_report

    report = build_report(run)
    _print_form(report, Form.JSON if as_json else form)
    try:
        _say(f"report: {write_report(report).html}")
    except RequestError as exc:
        # the tables were asked for and stand; a folder that is only to be read is no mistake
        _say(f"note: {exc}")
    return COMPLETED


@app.command("compare", help="Compare two runs of one experiment, number by number.")
def _compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder compared with.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="The later or other run folder.")],
    *,
    fail_above: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE",
            help="Exit with 1 if the second run is slower by more than this, such as 10%, beyond "
            "the noise, or if an engine no longer completes.",
        ),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    del debug
    from experiments.compare.threshold import parse_threshold

    above = None if fail_above is None else parse_threshold(fail_above)
    from experiments.compare import compare_runs
    from experiments.compare.gate import judge

    comparison = compare_runs(first, second)
    judgement = None if above is None else judge(comparison, above)
    if as_json:
        from experiments.compare.data import as_data

        _print_json(as_data(comparison, judgement))
    else:
        from experiments.compare.terminal import print_comparison

        _print_drawn(lambda console: print_comparison(comparison, console, judgement))
    if judgement is None:
        return COMPLETED
    if judgement.empty:
        raise RequestError(
            "--fail-above: there is nothing to judge, as no engine has a time in both runs that "
            "can be compared; compare runs that share a point and an engine that completed."
        )
    return NOT_COMPLETED if judgement.failed else COMPLETED


@app.command("list", help="List the ready experiments.")
def _list(debug: Debug = False) -> int:
    del debug
    from experiments.definition import catalogue_names

    ready = catalogue_names()
    width = max((len(one.name) for one in ready), default=0)
    for one in ready:
        _out(f"{one.name.ljust(width)}  {one.question}\n")
        if one.variants:
            _out(f"{' ' * width}  variants: {', '.join(one.variants)}\n")
    return COMPLETED


@app.command("doctor", help="Check what this machine has, and say what to do about problems.")
def _doctor(as_json: AsJson = False, debug: Debug = False) -> int:
    del debug
    from experiments.doctor import as_data, as_text, examine

    checks = examine()
    if as_json:
        _print_json(as_data(checks))
    else:
        _out(as_text(checks))
    return NOT_COMPLETED if any(check.advice for check in checks) else COMPLETED


@app.command("prepare", help="Prepare the data of an experiment, and run nothing.")
def _prepare(
    experiment: ExperimentName,
    variant: Variant = None,
    overrides: Overrides = None,
    debug: Debug = False,
) -> int:
    del debug
    for line in _prepare_points(_load(experiment, overrides, None, variant)):
        _out(f"{line}\n")
    return COMPLETED


@app.command("schema", help="Print the JSON Schema of a definition, for editors.")
def _schema(debug: Debug = False) -> int:
    del debug
    from experiments.definition import experiment_schema

    _print_json(experiment_schema())
    return COMPLETED


def _load(
    name: str, overrides: list[str] | None, engines: str | None, variant: str | None
) -> Experiment:
    from experiments.definition import load_experiment

    names = None if engines is None else [one.strip() for one in engines.split(",") if one.strip()]
    return load_experiment(name, overrides or (), names, variant)


def _outputs(loaded: list[Experiment], output: Path | None) -> list[Path | None]:
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


def _check(loaded: list[Experiment]) -> None:
    """Refuse what is wrong with any experiment before the first one runs."""
    from experiments.definition import check_host

    for one in loaded:
        check_host(one)
    if len(loaded) > 1:
        # their data too: it is kept, so the run finds it ready
        for one in loaded:
            _prepare_points(one)


def _stopped_early(folder: Path) -> str:
    """Say what a run left that was stopped before its first record."""
    from experiments.report.candidates import count_tried
    from experiments.search.log import TABLE_FILE

    tried, known = count_tried(folder)
    if not tried:
        return f"nothing was measured before the run was stopped; its folder is {folder}"
    return (
        f"the run was stopped in its first search: {tried:,} of {known:,} candidates had been "
        f"tried, and their scores are in {folder / TABLE_FILE}; 'enginebench report {folder}' "
        f"shows the best"
    )


def _prepare_points(experiment: Experiment) -> list[str]:
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


def _as_data(reports: list[Report]) -> list[dict[str, Any]]:
    from experiments.report.data import as_data

    return [as_data(report) for report in reports]


def _print_form(report: Report, form: Form) -> None:
    if form is Form.MARKDOWN:
        from experiments.report.charts.build import build_figures
        from experiments.report.markdown import as_markdown

        _out(as_markdown(report, build_figures(report)))
    elif form is Form.LATEX:
        from experiments.report.latex import as_latex

        _out(as_latex(report))
    elif form is Form.CSV:
        from experiments.report.csv_tables import as_csv

        _out(as_csv(report))
    elif form is Form.JSON:
        _print_json({"schema": 1, "runs": _as_data([report])})
    else:
        _print_report(report)


def _print_report(report: Report, *, blank_before: bool = False) -> None:
    from experiments.report.terminal import print_report

    _print_drawn(lambda console: print_report(report, console), blank_before=blank_before)


def _print_drawn(draw: Callable[[Console], None], *, blank_before: bool = False) -> None:
    """Write what is drawn on a console as wide and colourful as the real one."""
    import io

    from rich.console import Console

    real = Console(highlight=False, emoji=False)
    text = io.StringIO()
    drawn = Console(
        file=text,
        width=real.width,
        force_terminal=real.is_terminal,
        color_system="auto" if real.is_terminal else None,
        highlight=False,
        emoji=False,
    )
    draw(drawn)
    lines = (line.rstrip() for line in text.getvalue().splitlines())
    _out(("\n\n" if blank_before else "") + "\n".join(lines) + "\n")


def _print_json(content: Any) -> None:
    import json

    _out(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _out(text: str) -> None:
    """Write results; a reader that has gone away, such as ``head``, ends nothing."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
    except OSError as exc:
        _forget_output()
        raise RequestError(
            f"The results cannot be written to the standard output: {exc.strerror}; write them "
            f"elsewhere."
        ) from exc


def _forget_output() -> None:
    # what is still buffered would fail once more when the interpreter ends
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str) -> None:
    """Tell something that is not a result."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _tell_error(message: str, arguments: Sequence[str]) -> None:
    from experiments.report.text import clean

    if "--debug" in arguments:
        _say(traceback.format_exc().rstrip())
    for line in message.splitlines() or [""]:
        _say(f"error: {clean(line)}")


def _tell_other(exc: Exception, arguments: Sequence[str]) -> int:
    if hasattr(exc, "format_message"):
        # the command line itself was wrong
        message = str(exc.format_message()).rstrip(". ")
        _tell_error(f"{message}; 'enginebench --help' tells more.", arguments)
        return WRONG_REQUEST
    what = f"{type(exc).__name__}: {exc}".partition("\n")[0].rstrip(".")
    _tell_error(
        f"This is a mistake of enginebench and not yours ({what}); --debug shows the traceback.",
        arguments,
    )
    return INTERNAL_ERROR
