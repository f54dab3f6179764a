"""The commands below ``enginebench cluster``."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path  # noqa: TC003 - typer reads annotations when they run
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from experiments.console import out, print_json, say
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from experiments.cluster.state import Cluster

T = TypeVar("T")

app = typer.Typer(
    name="cluster",
    help="Start, look at and stop clusters of Dask and Spark on this machine.",
    rich_markup_mode=None,
)

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Name = Annotated[str, typer.Option("--name", metavar="NAME", help="Name of the cluster.")]
Threads = Annotated[int, typer.Option(metavar="N", help="Threads or cores of a worker.")]
Memory = Annotated[str, typer.Option(metavar="SIZE", help="Memory of a worker.")]
Host = Annotated[
    str, typer.Option(metavar="ADDRESS", help="Address of this machine to listen on, alone.")
]


@app.command("up", help="Start a cluster in the background: all of it, or nothing.")
def _up(
    *,
    name: Name = "default",
    engines: Annotated[
        str, typer.Option(metavar="NAMES", help="Separated by commas.")
    ] = "dask,spark",
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Workers of each engine; 2 by default, or fewer where the cores are not enough. "
            "Workers times threads are no more than this machine has cores.",
        ),
    ] = None,
    threads: Threads = 1,
    memory: Memory = "1 GiB",
    host: Host = "127.0.0.1",
    tls: Annotated[
        bool,
        typer.Option(
            "--tls",
            help="Dask talks TLS with temporary certificates, Spark authenticates and encrypts.",
        ),
    ] = False,
    wait: Annotated[
        str, typer.Option(metavar="DURATION", help="How long all may take to be up.")
    ] = "60 s",
    debug: Debug = False,
) -> int:
    del debug
    from experiments.cluster import ClusterRequest, up
    from experiments.cluster.look import addresses
    from experiments.cluster.request import default_workers, is_loopback
    from experiments.definition.units import parse_duration, parse_size

    request = ClusterRequest(
        name=name,
        engines=tuple(dict.fromkeys(one.strip() for one in engines.split(",") if one.strip())),
        workers=default_workers(threads) if workers is None else workers,
        threads=threads,
        memory_bytes=_parsed(parse_size, memory, "--memory"),
        host=host,
        tls=tls,
        wait_s=_parsed(parse_duration, wait, "--wait"),
    )
    cluster = up(request)
    for engine, address in addresses(cluster).items():
        out(f"{engine}  {address}\n")
    say(_how_to_use(cluster))
    if not tls and not is_loopback(host):
        say(
            f"warning: nothing is encrypted, and whoever reaches {host} can use the cluster and "
            f"read what is sent; --tls changes that."
        )
    return 0


@app.command("down", help="Stop a cluster and remove all that is kept of it.")
def _down(
    *,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Name of the cluster.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Stop all clusters.")] = False,
    debug: Debug = False,
) -> int:
    del debug
    if every and name is not None:
        raise RequestError("--name and --all ask for different things; give one of them.")
    from experiments.cluster import down, down_all

    stopped = down_all() if every else (down(name or "default"),)
    for one in stopped:
        say(f"{one.name}: {'stopped' if one.was_there else 'was not there'}")
    if not stopped:
        say("no cluster was there")
    return 0


@app.command("status", help="Show what runs, with the workers that have registered.")
def _status(
    *,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Only this cluster.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    debug: Debug = False,
) -> int:
    del debug
    from experiments.cluster import status
    from experiments.cluster.look import as_data, as_text

    found = status(name)
    if as_json:
        print_json(as_data(found))
    elif found:
        out(as_text(found))
    else:
        say("no cluster is up; 'enginebench cluster up' starts one")
    return 1 if any(one.state == "broken" for one in found) else 0


@app.command("role", help="Run one part of a cluster in the foreground, as in a container.")
def _role(
    role: Annotated[
        str,
        typer.Argument(
            metavar="ROLE", help="dask-scheduler, dask-worker, spark-master or spark-worker."
        ),
    ],
    *,
    address: Annotated[
        str | None,
        typer.Option(metavar="URL", help="For a worker: its scheduler or master."),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Address of this machine to listen on, alone; for a worker auto is the one that "
            "reaches --address.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(metavar="N", help="8786 (Dask), 7077 (Spark), any for a worker by default."),
    ] = None,
    threads: Threads = 1,
    memory: Memory = "1 GiB",
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="For a worker: its name; HOST-PROCESS by default."),
    ] = None,
    tls_folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="For Dask over TLS: ca.pem, cert.pem and key.pem."),
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For Spark: the secret; it is encrypted then."),
    ] = None,
    debug: Debug = False,
) -> int:
    del debug
    from experiments.cluster.foreground import RoleRequest, run_role
    from experiments.definition.units import parse_size

    return run_role(
        RoleRequest(
            role=role,
            address=address,
            host=host,
            port=port,
            threads=threads,
            memory_bytes=_parsed(parse_size, memory, "--memory"),
            name=name,
            tls_folder=tls_folder,
            secret_file=secret_file,
        )
    )


@app.command("secrets", help="Write temporary certificates and a secret, for parts by hand.")
def _secrets(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write them.")],
    debug: Debug = False,
) -> int:
    del debug
    from experiments.cluster.secret_files import write_secrets

    for path in write_secrets(folder):
        out(f"{path}\n")
    return 0


def with_bare_option(arguments: Sequence[str]) -> list[str]:
    """Return arguments with an empty name for each ``--cluster`` that has none.

    An option whose value may be left out is nothing that typer knows. What follows it is its value
    unless it begins with a hyphen.
    """
    given = list(arguments)
    for number, argument in enumerate(given):
        if argument == "--":
            break
        following = given[number + 1 : number + 2]
        if argument == "--cluster" and (not following or following[0].startswith("-")):
            given[number] = "--cluster="
    return given


def taken_for_a_name(arguments: Sequence[str]) -> str | None:
    """Return the word behind ``--cluster``, which is the name of a cluster; None without one."""
    return next(
        (word for option, word in pairwise(with_bare_option(arguments)) if option == "--cluster"),
        None,
    )


def _parsed(parse: Callable[[str], T], text: str, option: str) -> T:
    try:
        return parse(text)
    except ValueError as exc:
        raise RequestError(f"{option}: {exc}.") from exc


def _how_to_use(cluster: Cluster) -> str:
    default = cluster.name == "default"
    run = "--cluster" if default else f"--cluster {cluster.name}"
    down = "" if default else f" --name {cluster.name}"
    return (
        f"use it with 'enginebench run EXPERIMENT {run}', stop it with "
        f"'enginebench cluster down{down}'"
    )
