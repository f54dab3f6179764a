"""The clusters that the environment names, each engine in its own way."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engines import cluster_configuration
from engines.errors import ClusterError
from experiments.definition.addresses import LOCAL, parse_dask_address, parse_spark_master
from experiments.definition.engines import DaskOptions, SparkOptions
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# the one name under which an engine's own process finds Spark's secret
SECRET_VARIABLE: Final = "ENGINEBENCH_SPARK_SECRET"  # noqa: S105 - the name of a variable
SECRET_FILE_VARIABLE: Final = "ENGINEBENCH_SPARK_SECRET_FILE"  # noqa: S105 - as above
DASK_VARIABLE: Final = "DASK_SCHEDULER_ADDRESS"
SPARK_VARIABLE: Final = "SPARK_MASTER"

DEFINITION: Final = "the definition"

# engine -> the key of its options that says where its cluster is
PLACES: Final = {"dask": "address", "spark": "master"}

# engine -> the variable that counts more than its own files
PLACE_VARIABLES: Final = {"dask": DASK_VARIABLE, "spark": SPARK_VARIABLE}

# key of the options -> the variable that Dask itself reads it from
TLS_VARIABLES: Final = {
    "ca_file": "DASK_DISTRIBUTED__COMM__TLS__CA_FILE",
    "cert": "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT",
    "key": "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY",
}
_DEFAULTS_FILE: Final = "spark-defaults.conf"
# a key and its value as in all properties of Java: apart by white space, '=' or ':'
_MASTER_LINE: Final = re.compile(r"\s*spark\.master(?:\s*[=:]\s*|\s+)(?P<master>.*)")


def keys_of(
    engine: str, options: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[dict[str, Any], str]:
    """Return what the environment adds to the options of an engine.

    Parameters
    ----------
    engine : {"dask", "spark"}
        Which engine.
    options : mapping
        Its options, as a definition has them.
    environ : mapping
        Environment variables.

    Returns
    -------
    keys : dict
        To put in place, None where there is nothing to put. The place of the cluster is among them
        also where the options name it.
    source : str
        Where that place is from, in words.

    Raises
    ------
    RequestError
        If what the environment names is no cluster that can be joined.
    """
    if engine == "dask":
        return _dask_keys(DaskOptions.model_validate(options), environ)
    return _spark_keys(SparkOptions.model_validate(options), environ)


def _dask_keys(options: DaskOptions, environ: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    address, source = options.address, DEFINITION
    if address is None:
        text, source = _dask_scheduler(environ)
        if text and text != LOCAL:
            # Dask itself takes an address without a scheme for tcp
            whole = text if "://" in text else f"tcp://{text}"
            address = _parsed(parse_dask_address, whole, source, "engines.dask.address")
    keys: dict[str, Any] = {"address": address}
    if address is not None and address.startswith("tls://"):
        if options.tls is None and all((files := certificates_of(environ)).values()):
            keys["tls"] = files
    elif address is not None and options.tls is not None and source != DEFINITION:
        raise RequestError(
            f"engines.dask.tls: certificates are given, and {source} is {address}, which is not "
            "encrypted; set it to an address that starts with tls://, or remove tls."
        )
    return keys, source


def _dask_scheduler(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the scheduler that Dask's own conventions name, empty if none, and its source."""
    if text := environ.get(DASK_VARIABLE, "").strip():
        return text, DASK_VARIABLE
    configuration = cluster_configuration("dask")
    if configuration is None:
        return "", ""
    try:
        found: tuple[str, str] = configuration.scheduler(environ)
    except ClusterError as exc:
        raise RequestError(str(exc)) from None
    return found


def certificates_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the files for TLS that Dask's own conventions name; a variable counts more.

    Parameters
    ----------
    environ : mapping
        Environment variables.

    Returns
    -------
    dict
        ``ca_file``, ``cert`` and ``key``, each empty where it is not named.

    Raises
    ------
    RequestError
        If Dask's configuration files cannot be understood.
    """
    files = {key: environ.get(name, "") for key, name in TLS_VARIABLES.items()}
    if all(files.values()) or (configuration := cluster_configuration("dask")) is None:
        return files
    try:
        configured: dict[str, str] = configuration.certificates(environ)
    except ClusterError as exc:
        raise RequestError(str(exc)) from None
    return {key: file or configured[key] for key, file in files.items()}


def _spark_keys(options: SparkOptions, environ: Mapping[str, str]) -> tuple[dict[str, Any], str]:
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
    """Return the master that Spark's own conventions name, empty if none, and its source."""
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
