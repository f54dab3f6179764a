"""Where an experiment's clusters come from: its definition, a named cluster, the environment."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from engines.types import Attachment, Certificates
from experiments.definition.addresses import LOCAL, parse_dask_address, parse_spark_master
from experiments.definition.engines import DaskOptions, SparkOptions
from experiments.definition.models import Experiment
from experiments.definition.wording import shown
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from experiments.definition.engines import ClusterOptions

# the one name under which an engine's own process finds Spark's secret
SECRET_VARIABLE: Final = "ENGINEBENCH_SPARK_SECRET"  # noqa: S105 - the name of a variable
SECRET_FILE_VARIABLE: Final = "ENGINEBENCH_SPARK_SECRET_FILE"  # noqa: S105 - as above
DASK_VARIABLE: Final = "DASK_SCHEDULER_ADDRESS"
SPARK_VARIABLE: Final = "SPARK_MASTER"

DEFINITION: Final = "the definition"

_DASK_TLS: Final = {
    "ca_file": "DASK_DISTRIBUTED__COMM__TLS__CA_FILE",
    "cert": "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT",
    "key": "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY",
}
_DEFAULTS_FILE: Final = "spark-defaults.conf"
# a key and its value as in all properties of Java: apart by white space, '=' or ':'
_MASTER_LINE: Final = re.compile(r"\s*spark\.master(?:\s*[=:]\s*|\s+)(?P<master>.*)")


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
    given: dict[str, dict[str, Any]] = {}
    sources: dict[str, str] = {}
    selected = experiment.engines.selected()
    if isinstance(dask := selected.get("dask"), DaskOptions):
        given["dask"], sources["dask"] = _dask_keys(dask, environ)
    if isinstance(spark := selected.get("spark"), SparkOptions):
        given["spark"], sources["spark"] = _spark_keys(spark, environ)
    filled = _with_keys(experiment, given, replace=False)
    joined: set[str] = set()
    for _, at_point in filled.points():
        for name, options in at_point.engines.attached.items():
            joined.add(name)
            _check_certificates(options)
            child_secrets(at_point, name, environ)
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
    dask, dask_source = _dask_keys(DaskOptions(), environ)
    spark, spark_source = _spark_keys(SparkOptions(), environ)
    named = {"dask": (dask["address"], dask_source), "spark": (spark["master"], spark_source)}
    return {
        name: (address, source)
        for name, (address, source) in named.items()
        if address not in {None, LOCAL}
    }


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
    return _with_keys(experiment, given, replace=True)


def attachment_of(experiment: Experiment, engine: str) -> Attachment | None:
    """Return the cluster that an engine joins; None if it starts its own workers.

    Parameters
    ----------
    experiment : Experiment
        At one point of its sweep, as `attach_from_environment` returned it.
    engine : str
        One of the engines that it selects.
    """
    options = experiment.engines.attached.get(engine)
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
        exact=not experiment.resources.allow_unequal,
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
    told: dict[str, str | None] = {SECRET_VARIABLE: None, SECRET_FILE_VARIABLE: None}
    for options in experiment.engines.selected().values():
        if isinstance(options, SparkOptions) and options.secret_env is not None:
            told[options.secret_env] = None
    joined = experiment.engines.attached.get(engine)
    if isinstance(joined, SparkOptions):
        told[SECRET_VARIABLE] = _secret(joined, environ)
    return told


def _dask_keys(options: DaskOptions, environ: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """Return what the environment adds to the options of Dask, and where the address is from."""
    address, source = options.address, DEFINITION
    if address is None and (text := environ.get(DASK_VARIABLE, "").strip()):
        # Dask itself takes an address without a scheme for tcp
        whole = text if "://" in text else f"tcp://{text}"
        address = _parsed(parse_dask_address, whole, DASK_VARIABLE, "engines.dask.address")
        source = DASK_VARIABLE
    keys: dict[str, Any] = {"address": address}
    if address is not None and address.startswith("tls://"):
        files = {key: environ.get(name, "") for key, name in _DASK_TLS.items()}
        if options.tls is None and all(files.values()):
            keys["tls"] = files
    elif address is not None and options.tls is not None and source == DASK_VARIABLE:
        raise RequestError(
            f"engines.dask.tls: certificates are given, and {DASK_VARIABLE} is {address}, which "
            "is not encrypted; set it to an address that starts with tls://, or remove tls."
        )
    return keys, source


def _spark_keys(options: SparkOptions, environ: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """Return what the environment adds to the options of Spark, and where the master is from."""
    master, source = options.master, DEFINITION
    if master is None:
        text, source = _spark_master(environ)
        if text and text.partition("[")[0] != LOCAL:  # local[4] is no cluster
            master = _parsed(parse_spark_master, text, source, "engines.spark.master")
    keys: dict[str, Any] = {"master": master}
    told = options.secret_env or options.secret_file
    if master not in {None, LOCAL} and not told:
        if environ.get(SECRET_VARIABLE):
            keys["secret_env"] = SECRET_VARIABLE
        elif file := environ.get(SECRET_FILE_VARIABLE):
            keys["secret_file"] = file
    return keys, source


def _spark_master(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the master that Spark's own conventions name, empty if none, and where it is named."""
    if text := environ.get(SPARK_VARIABLE, "").strip():
        return text, SPARK_VARIABLE
    folder = environ.get("SPARK_CONF_DIR", "")
    if not folder and (home := environ.get("SPARK_HOME", "")):
        folder = str(Path(home) / "conf")
    if folder:
        file = Path(folder) / _DEFAULTS_FILE
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:  # it need not be there
            return "", ""
        # as in all properties of Java, the last one counts
        for line in reversed(lines):
            if found := _MASTER_LINE.fullmatch(line):
                return found["master"].strip(), f"spark.master of {file}"
    return "", ""


def _parsed(parse: Callable[[Any], str], text: str, source: str, key: str) -> str:
    try:
        return parse(text)
    except ValueError as exc:
        raise RequestError(
            f"{source}: {exc}; change it, or set {key}, which counts more."
        ) from None


def _with_keys(
    experiment: Experiment, given: Mapping[str, Mapping[str, Any]], *, replace: bool
) -> Experiment:
    """Return an experiment with keys of its engines put in place, also in a sweep of engines."""
    tree = experiment.model_dump(mode="json")
    for name, keys in given.items():
        if name not in tree["engines"]:
            continue
        tree["engines"][name] = _merged(tree["engines"][name], keys, replace=replace)
        whole = f"engines.{name}"
        if whole in tree["sweep"]:
            tree["sweep"][whole] = [
                _merged(one or {}, keys, replace=replace) for one in tree["sweep"][whole]
            ]
        if replace:
            for key in keys:
                tree["sweep"].pop(f"{whole}.{key}", None)
    return Experiment.from_tree(tree)


def _merged(
    options: Mapping[str, Any], keys: Mapping[str, Any], *, replace: bool
) -> dict[str, Any]:
    if not replace and _placed_elsewhere(options, keys):
        return dict(options)
    before = {key: value for key, value in options.items() if not (replace and key in keys)}
    return {**before, **{key: value for key, value in keys.items() if value is not None}}


def _placed_elsewhere(options: Mapping[str, Any], keys: Mapping[str, Any]) -> bool:
    """Say whether options name a cluster, and another than the keys."""
    return any(
        options.get(key) is not None and options[key] != keys.get(key)
        for key in ("address", "master")
    )


def _check_certificates(options: ClusterOptions) -> None:
    if not isinstance(options, DaskOptions):
        return
    if options.tls is None:
        if options.address is not None and options.address.startswith("tls://"):
            raise RequestError(
                f"engines.dask.address: {options.address} needs certificates and none are given; "
                f"set ca_file, cert and key of engines.dask.tls, or {', '.join(_DASK_TLS.values())}"
                "."
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
    return {key: str(getattr(certificates, key)) for key in _DASK_TLS}
