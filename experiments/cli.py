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
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments import cluster_command
from experiments.asked import check_all, load, on_cluster, output_folders, prepare_points
from experiments.console import out, print_drawn, print_json, say
from experiments.errors import RequestError
from experiments.printing import (
    Form,
    Images,
    all_as_data,
    draw,
    print_form,
    print_tables,
    tell_stopped_early,
    write_files,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.report.build import Report

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
app.add_typer(cluster_command.app)

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
            cluster_command.with_bare_option(arguments),
            prog_name="enginebench",
            standalone_mode=False,
        )
    except KeyboardInterrupt:
        code = INTERRUPTED
    except RequestError as exc:
        _tell_error(str(exc), arguments)
        return WRONG_REQUEST
    except Exception as exc:  # noqa: BLE001 - the last line of defence
        return _tell_other(exc, arguments)
    if code == INTERRUPTED:
        say("stopped")
    return code if isinstance(code, int) else COMPLETED


def _print_version(asked: bool) -> None:
    if asked:
        from importlib import metadata

        out(f"enginebench {metadata.version('enginebench')}\n")
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
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="[NAME]",
            help="Run on what 'enginebench cluster up' has started: alone, on the default one.",
        ),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    del debug
    loaded = [load(name, overrides, engines, variant) for name in experiment]
    sources: dict[str, str] = {}
    if cluster is not None:
        loaded, sources = on_cluster(loaded, cluster)
    outputs = output_folders(loaded, output)
    check_all(loaded)

    from experiments.progress import watch
    from experiments.report.build import build_report
    from experiments.runner.run import run_experiment

    reports: list[Report] = []
    interrupted = False
    for number, (one, folder) in enumerate(zip(loaded, outputs, strict=True)):
        with watch() as on_event:
            result = run_experiment(one, output=folder, on_event=on_event, sources=sources)
        interrupted = result.interrupted
        if interrupted and not (result.folder / "records.jsonl").exists():
            say(tell_stopped_early(result.folder))
            break
        report = build_report(result.folder)
        reports.append(report)
        if not as_json:
            print_tables(report, blank_before=number > 0)
        # the tables stand, whatever becomes of the files
        say(f"results: {result.folder}")
        write_files(report)
        if interrupted:
            break
    if as_json:
        print_json({"schema": 1, "runs": all_as_data(reports)})
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
    images: Annotated[
        Images,
        typer.Option("--figures", help="png writes figures/*.png beside the *.svg."),
    ] = Images.SVG,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    debug: Debug = False,
) -> int:
    del debug
    if as_json and form not in {Form.TEXT, Form.JSON}:
        raise RequestError(
            f"--json and --format {form.value} ask for two forms at once; give one of them."
        )
    from experiments.report.build import build_report

    report = build_report(run)
    # Markdown shows the charts that are written below
    figures = draw(report) if form is Form.MARKDOWN else None
    print_form(report, Form.JSON if as_json else form, figures or ())
    write_files(report, figures, png=images is Images.PNG)
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

        print_json(as_data(comparison, judgement))
    else:
        from experiments.compare.terminal import print_comparison

        print_drawn(lambda console: print_comparison(comparison, console, judgement))
    if judgement is None:
        return COMPLETED
    if judgement.empty:
        raise RequestError(
            "--fail-above: too few rounds to judge anything, as fewer than three have no interval; "
            "raise measure.rounds and run both again."
            if judgement.too_few
            else "--fail-above: there is nothing to judge, as no engine has a time in both runs "
            "that can be compared; compare runs that share a point and an engine that completed."
        )
    return NOT_COMPLETED if judgement.failed else COMPLETED


@app.command("list", help="List the ready experiments.")
def _list(debug: Debug = False) -> int:
    del debug
    from experiments.definition import catalogue_names

    ready = catalogue_names()
    width = max((len(one.name) for one in ready), default=0)
    for one in ready:
        out(f"{one.name.ljust(width)}  {one.question}\n")
        if one.variants:
            out(f"{' ' * width}  variants: {', '.join(one.variants)}\n")
    return COMPLETED


@app.command("doctor", help="Check what this machine has, and say what to do about problems.")
def _doctor(as_json: AsJson = False, debug: Debug = False) -> int:
    del debug
    from experiments.doctor import as_data, as_text, examine

    checks = examine()
    if as_json:
        print_json(as_data(checks))
    else:
        out(as_text(checks))
    return NOT_COMPLETED if any(check.advice for check in checks) else COMPLETED


@app.command("prepare", help="Prepare the data of an experiment, and run nothing.")
def _prepare(
    experiment: ExperimentName,
    *,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Copy it to a folder or URL that every machine of a cluster can read, such as "
            "s3://bucket/folder.",
        ),
    ] = None,
    variant: Variant = None,
    overrides: Overrides = None,
    debug: Debug = False,
) -> int:
    del debug
    for line in prepare_points(load(experiment, overrides, None, variant), to):
        out(f"{line}\n")
    return COMPLETED


@app.command("schema", help="Print the JSON Schema of a definition, for editors.")
def _schema(debug: Debug = False) -> int:
    del debug
    from experiments.definition import experiment_schema

    print_json(experiment_schema())
    return COMPLETED


def _tell_error(message: str, arguments: Sequence[str]) -> None:
    from experiments.report.text import clean

    if "--debug" in arguments:
        say(traceback.format_exc().rstrip())
    for line in message.splitlines() or [""]:
        say(f"error: {clean(line)}")


def _tell_other(exc: Exception, arguments: Sequence[str]) -> int:
    if hasattr(exc, "format_message"):
        # the command line itself was wrong
        message = str(exc.format_message()).rstrip(". ")
        if message == "Missing argument 'EXPERIMENT...'" and (
            name := cluster_command.taken_for_a_name(arguments)
        ):
            message += (
                f", as {name} behind --cluster was taken for the name of a cluster; give --cluster "
                f"last"
            )
        context = getattr(exc, "ctx", None)  # of the command that the mistake is in
        command = "enginebench" if context is None else context.command_path
        end = "" if message.endswith("?") else ";"
        _tell_error(f"{message}{end} '{command} --help' tells more.", arguments)
        return WRONG_REQUEST
    what = f"{type(exc).__name__}: {exc}".partition("\n")[0].rstrip(".")
    _tell_error(
        f"This is a mistake of enginebench and not yours ({what}); --debug shows the traceback.",
        arguments,
    )
    return INTERNAL_ERROR
