"""Where an experiment's clusters come from: its definition, a named cluster, the environment."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
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
from experiments.definition.engines import DaskOptions, EnginesOptions, SparkOptions
from experiments.definition.models import Experiment
from experiments.definition.sweep import at_point
from experiments.definition.wording import shown
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from experiments.definition.engines import ClusterOptions


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
        What is asked. An engine that it places itself stays there.
    environ : mapping
        Environment variables.

    Returns
    -------
    experiment : Experiment
        With addresses, certificates and the whereabouts of the secret in place.
    sources : dict
        For each engine that joins a cluster at any point of the sweep, where its address is from,
        in words.

    Raises
    ------
    RequestError
        If the environment names a cluster that cannot be joined, or if certificates or the secret
        of any cluster are missing or cannot be read.
    """
    tree = experiment.model_dump(mode="json")
    sources = {
        name: _fill(tree, name, environ) for name in PLACES if name in experiment.engines.selected()
    }
    filled = Experiment.from_tree(tree)
    joined: set[str] = set()
    for _, placed in filled.points():
        for name, options in placed.engines.attached.items():
            joined.add(name)
            _check_certificates(options)
            child_secrets(placed, name, environ)
    return filled, {name: source for name, source in sources.items() if name in joined}


def named_in_environment(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the clusters that the environment names.

    Parameters
    ----------
    environ : mapping
        Environment variables.

    Returns
    -------
    dict
        For each engine the address of its cluster, and where that is from, in words.

    Raises
    ------
    RequestError
        If what it names is no cluster that can be joined.
    """
    named = {}
    for name, key in PLACES.items():
        keys, source = keys_of(name, {}, environ)
        if keys[key] is not None:
            named[name] = (keys[key], source)
    return named


def with_cluster(experiment: Experiment, cluster: ClusterAddresses) -> Experiment:
    """Return an experiment whose engines join a cluster, whatever its definition says of places.

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
    _check_certificates(engines.attached[engine])
    return attachment, source, _secrets(engines, engine, environ)[SECRET_VARIABLE]


def _attachment(engines: EnginesOptions, engine: str, *, exact: bool) -> Attachment | None:
    options = engines.attached.get(engine)
    if options is None or options.cluster is None:
        return None
    certificates = secret = python = None
    if isinstance(options, DaskOptions) and options.tls is not None:
        tls = options.tls
        certificates = Certificates(*(_absolute(one) for one in (tls.ca_file, tls.cert, tls.key)))
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
        Variables to set, and with None those that it must not have.

    Raises
    ------
    RequestError
        If the secret is missing.
    """
    return _secrets(experiment.engines, engine, environ)


def _secrets(
    engines: EnginesOptions, engine: str, environ: Mapping[str, str]
) -> dict[str, str | None]:
    told: dict[str, str | None] = {SECRET_VARIABLE: None, SECRET_FILE_VARIABLE: None}
    for options in engines.selected().values():
        if isinstance(options, SparkOptions) and options.secret_env is not None:
            told[options.secret_env] = None
    joined = engines.attached.get(engine)
    if isinstance(joined, SparkOptions):
        told[SECRET_VARIABLE] = _secret(joined, environ)
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
    if key not in swept:
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
    if whole in sweep:
        sources.clear()
        sweep[whole] = [filled(one or {}) for one in sweep[whole]]
    return " and ".join(sorted(set(sources), key=sources.index))


def _replaced(experiment: Experiment, given: Mapping[str, Mapping[str, Any]]) -> Experiment:
    """Return an experiment with keys of its engines replaced, also in a sweep of engines."""
    tree = experiment.model_dump(mode="json")
    for name, keys in given.items():
        if name not in tree["engines"]:
            continue
        tree["engines"][name] = _with(tree["engines"][name], keys)
        whole = f"engines.{name}"
        if whole in tree["sweep"]:
            tree["sweep"][whole] = [_with(one or {}, keys) for one in tree["sweep"][whole]]
        for key in keys:
            tree["sweep"].pop(f"{whole}.{key}", None)
    return Experiment.from_tree(tree)


def _with(options: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    before = {key: value for key, value in options.items() if key not in keys}
    return before | {key: value for key, value in keys.items() if value is not None}


def _check_certificates(options: ClusterOptions) -> None:
    if not isinstance(options, DaskOptions):
        return
    if options.tls is None:
        if options.address is not None and options.address.startswith("tls://"):
            raise RequestError(
                f"engines.dask.address: {options.address} needs certificates and none are given; "
                "set ca_file, cert and key of engines.dask.tls, or "
                f"{', '.join(TLS_VARIABLES.values())}."
            )
        return
    for key, file in options.tls.model_dump().items():
        _read(file, f"engines.dask.tls.{key}")


def _secret(options: SparkOptions, environ: Mapping[str, str]) -> str | None:
    """Return the secret, which no message shows."""
    if options.secret_env is not None:
        secret = environ.get(options.secret_env, "").strip()
        if not secret:
            raise RequestError(
                f"engines.spark.secret_env: the environment variable {options.secret_env} is not "
                "set; set it to the secret of the cluster."
            )
        return secret
    if options.secret_file is None:
        return None
    content = _read(options.secret_file, "engines.spark.secret_file")
    text: str | None = None
    with suppress(UnicodeDecodeError):
        text = content.decode().strip()
    if not text or "\0" in text:  # which no variable of an environment can hold
        wrong = "is empty" if text == "" else "is no text"
        raise RequestError(
            f"engines.spark.secret_file: {shown(options.secret_file)} {wrong}; write the secret "
            "of the cluster into it."
        )
    return text


def _read(file: str, key: str) -> bytes:
    try:
        return Path(_absolute(file)).read_bytes()
    except (OSError, ValueError) as exc:  # a name with a zero byte is no file's
        reason = getattr(exc, "strerror", None) or str(exc)
        raise RequestError(
            f"{key}: {shown(file)} cannot be read: {reason}; name another file."
        ) from None


def _absolute(file: str) -> str:
    path = Path(file)
    try:
        return str(path.expanduser().absolute())
    except RuntimeError:  # the home of a user who is not known
        return str(path.absolute())


def _files(certificates: Certificates) -> dict[str, str]:
    return {key: str(getattr(certificates, key)) for key in TLS_VARIABLES}
