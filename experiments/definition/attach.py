"""Where an experiment's clusters come from: its definition, a named cluster, the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from engines.types import Attachment, Certificates
from experiments.definition.addresses import LOCAL
from experiments.definition.conventions import (
    PLACES,
    SECRET_FILE_VARIABLE,
    SECRET_VARIABLE,
    TLS_VARIABLES,
    keys_of,
)
from experiments.definition.credentials import absolute, check_certificates, secret_of
from experiments.definition.engines import DaskOptions, EnginesOptions, SparkOptions
from experiments.definition.sweep import at_point

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from experiments.definition.models import Experiment


class ClusterAddresses(Protocol):
    """What is to be known of a running cluster to join it."""

    @property
    def dask_address(self) -> str | None:
        """Address of Dask's scheduler; None where it does not run."""
        ...

    @property
    def spark_master(self) -> str | None:
        """URL of Spark's master; None where it does not run."""
        ...

    @property
    def certificates(self) -> Certificates | None:
        """Files for TLS, if Dask's processes talk it."""
        ...

    @property
    def secret_file(self) -> Path | None:
        """File with Spark's secret, if its processes authenticate."""
        ...


def attach_from_environment(
    experiment: Experiment, environ: Mapping[str, str]
) -> tuple[Experiment, dict[str, str]]:
    """Return an experiment with the clusters that the environment names, where it says nothing.

    Parameters
    ----------
    experiment : Experiment
        What is asked. An engine that it places itself stays there, and nothing is added of one
        that `with_cluster` has placed.
    environ : mapping
        Environment variables.

    Returns
    -------
    experiment : Experiment
        With addresses, certificates and the whereabouts of the secret in place.
    sources : dict
        For each engine that joins a cluster at any point of the sweep, unless `with_cluster` has
        placed it, where its address is from, in words.

    Raises
    ------
    RequestError
        If the environment names a cluster that cannot be joined, or if certificates or the secret
        of any cluster are missing or cannot be read.
    """
    tree = experiment.model_dump(mode="json")
    sources = {
        name: _fill(tree, name, environ)
        for name in PLACES
        if name in experiment.engines.selected() and name not in experiment.placed
    }
    filled = experiment.remade(tree)
    joined: set[str] = set()
    for _, placed in filled.points():
        for name, options in placed.engines.attached.items():
            joined.add(name)
            check_certificates(options, environ)
            secret_of(options, environ)
    return filled, {name: source for name, source in sources.items() if name in joined}


def named_in_environment(
    environ: Mapping[str, str], engines: Iterable[str] = tuple(PLACES)
) -> dict[str, tuple[str, str]]:
    """Return the clusters that the environment names.

    Parameters
    ----------
    environ : mapping
        Environment variables.
    engines : iterable of {"dask", "spark"}
        Which to look for.

    Returns
    -------
    dict
        For each engine that has one the address of its cluster, and where that is from, in words.

    Raises
    ------
    RequestError
        If what it names is no cluster that can be joined.
    """
    named = {}
    for name in engines:
        keys, source = keys_of(name, {}, environ)
        if (address := keys[PLACES[name]]) is not None:
            named[name] = (address, source)
    return named


def with_cluster(experiment: Experiment, cluster: ClusterAddresses) -> Experiment:
    """Return an experiment whose engines join a cluster, whatever is said of places elsewhere.

    Neither its definition nor, later, the environment adds to what the cluster has: where that has
    no certificates or no secret, none are used.

    Parameters
    ----------
    experiment : Experiment
        What is asked.
    cluster : ClusterAddresses
        A running cluster. An engine that it does not run stays where it was.
    """
    given: dict[str, dict[str, Any]] = {}
    if cluster.dask_address is not None:
        files = cluster.certificates
        tls = None if files is None else _files(files)
        given["dask"] = {"address": cluster.dask_address, "tls": tls}
    if cluster.spark_master is not None:
        secret = None if cluster.secret_file is None else str(cluster.secret_file)
        given["spark"] = {
            "master": cluster.spark_master, "secret_env": None, "secret_file": secret
        }  # fmt: skip
    return _replaced(experiment, given)


def attachment_of(experiment: Experiment, engine: str) -> Attachment | None:
    """Return the cluster that an engine joins; None if it starts its own workers.

    Parameters
    ----------
    experiment : Experiment
        At one point of its sweep, as `attach_from_environment` returned it.
    engine : str
        One of the engines that it selects.
    """
    return _attachment(experiment.engines, engine, exact=not experiment.resources.allow_unequal)


def attachment_from_environment(
    engine: str, environ: Mapping[str, str], *, exact: bool
) -> tuple[Attachment, str, str | None] | None:
    """Return the cluster that the environment names for an engine, without a definition of it.

    Parameters
    ----------
    engine : str
        Name of the engine.
    environ : mapping
        Environment variables.
    exact : bool
        Whether a cluster that gives other cores than asked for is refused.

    Returns
    -------
    attachment : Attachment
        How to join it.
    source : str
        Where its address is from, in words.
    secret : str or None
        What the variable that `attachment` names is to hold, if it names one.
    None
        In the place of all where the engine starts its own workers.

    Raises
    ------
    RequestError
        As `attach_from_environment`.
    """
    if engine not in PLACES:
        return None
    keys, source = keys_of(engine, {}, environ)
    given = {key: value for key, value in keys.items() if value is not None}
    engines = EnginesOptions.model_validate({engine: given})
    attachment = _attachment(engines, engine, exact=exact)
    if attachment is None:
        return None
    options = engines.attached[engine]
    check_certificates(options, environ)
    return attachment, source, secret_of(options, environ)


def _attachment(engines: EnginesOptions, engine: str, *, exact: bool) -> Attachment | None:
    options = engines.attached.get(engine)
    if options is None or options.cluster is None:
        return None
    certificates = secret = python = None
    if isinstance(options, DaskOptions) and options.tls is not None:
        tls = options.tls
        certificates = Certificates(*(absolute(one) for one in (tls.ca_file, tls.cert, tls.key)))
    if isinstance(options, SparkOptions):
        secret = SECRET_VARIABLE if options.secret_env or options.secret_file else None
        python = options.python
    return Attachment(
        address=options.cluster,
        wait_s=options.wait_s,
        exact=exact,
        certificates=certificates,
        secret_variable=secret,
        worker_python=python,
    )


def child_secrets(
    experiment: Experiment, engine: str, environ: Mapping[str, str]
) -> dict[str, str | None]:
    """Return what the environment of an engine's process is to have of secrets.

    Parameters
    ----------
    experiment : Experiment
        At one point of its sweep, as `attach_from_environment` returned it.
    engine : str
        The engine; only one that joins a cluster with a secret is told it.
    environ : mapping
        Environment variables of this process.

    Returns
    -------
    dict
        Variables to set, and with None those that it must not have: all that the definition says
        hold secrets are among these, of whatever engine and point.

    Raises
    ------
    RequestError
        If the secret is missing.
    """
    told: dict[str, str | None] = dict.fromkeys(sorted(experiment.secret_variables))
    told[SECRET_FILE_VARIABLE] = None
    joined = experiment.engines.attached.get(engine)
    told[SECRET_VARIABLE] = None if joined is None else secret_of(joined, environ)
    return told


def _fill(tree: dict[str, Any], name: str, environ: Mapping[str, str]) -> str:
    """Put what the environment says of an engine into a definition, wherever that says nothing.

    Parameters
    ----------
    tree : dict
        The definition, changed in place.
    name : str
        The engine.
    environ : mapping
        Environment variables.

    Returns
    -------
    str
        Where the addresses are from, in words.
    """
    key, whole, sweep = PLACES[name], f"engines.{name}", tree["sweep"]
    swept = {one.split(".")[2] for one in sweep if one.startswith(f"{whole}.")}
    if swept & {"secret_env", "secret_file"}:
        swept |= {"secret_env", "secret_file"}  # there is one of them
    sources: list[str] = []

    def filled(options: dict[str, Any]) -> dict[str, Any]:
        keys, source = keys_of(name, options, environ)
        if keys[key] not in {None, LOCAL}:
            sources.append(source)
        more = {one: value for one, value in keys.items() if value is not None}
        return options | {one: value for one, value in more.items() if one not in swept - {key}}

    options = tree["engines"][name]
    if whole in sweep:  # no point has the options beside the sweep
        sweep[whole] = [filled(one or {}) for one in sweep[whole]]
    elif key not in swept:
        tree["engines"][name] = filled(options)
    else:
        place = f"{whole}.{key}"
        of_points = [
            filled(at_point({"engines": {name: options}}, {place: address})["engines"][name])
            for address in sweep[place]
        ]
        sweep[place] = [one[key] for one in of_points]
        added = {one: value for many in of_points for one, value in many.items()}
        added = {one: value for one, value in added.items() if one not in {key, *options}}
        if added:
            # no point has the address beside the sweep, and it need not go together with these
            before = {one: value for one, value in options.items() if one != key}
            tree["engines"][name] = before | added
    return " and ".join(sorted(set(sources), key=sources.index))


def _replaced(experiment: Experiment, given: Mapping[str, Mapping[str, Any]]) -> Experiment:
    """Return an experiment with keys of its engines replaced, also in a sweep of engines."""
    tree = experiment.model_dump(mode="json")
    placed = [name for name in given if name in tree["engines"]]
    for name in placed:
        keys = given[name]
        tree["engines"][name] = _with(tree["engines"][name], keys)
        whole = f"engines.{name}"
        if whole in tree["sweep"]:
            tree["sweep"][whole] = [_with(one or {}, keys) for one in tree["sweep"][whole]]
        tree["sweep"] = {
            key: values
            for key, values in tree["sweep"].items()
            if not any(f"{key}.".startswith(f"{whole}.{one}.") for one in keys)
        }
    return experiment.remade(tree, placed)


def _with(options: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    before = {key: value for key, value in options.items() if key not in keys}
    return before | {key: value for key, value in keys.items() if value is not None}


def _files(certificates: Certificates) -> dict[str, str]:
    return {key: str(getattr(certificates, key)) for key in TLS_VARIABLES}
