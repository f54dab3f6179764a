"""Certificates and secrets by which this machine and a cluster know each other."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.definition.conventions import TLS_VARIABLES, certificates_of
from experiments.definition.engines import DaskOptions, SparkOptions
from experiments.definition.wording import shown
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from experiments.definition.engines import ClusterOptions


def check_certificates(options: ClusterOptions, environ: Mapping[str, str]) -> None:
    """Refuse certificates that are missing or cannot be read.

    Parameters
    ----------
    options : ClusterOptions
        Of an engine that joins a cluster, with what the environment adds to them.
    environ : mapping
        Environment variables.

    Raises
    ------
    RequestError
        Naming the key.
    """
    if not isinstance(options, DaskOptions):
        return
    if options.tls is None:
        if options.address is not None and options.address.startswith("tls://"):
            raise RequestError(_missing_certificates(options.address, environ))
        return
    for key, file in options.tls.model_dump().items():
        _read(file, f"engines.dask.tls.{key}")


def _missing_certificates(address: str, environ: Mapping[str, str]) -> str:
    """Say which certificates are missing, and every place to name them in."""
    named = certificates_of(environ)
    missing = [key for key, file in named.items() if not file]
    needs = f"engines.dask.address: {address} needs certificates and"
    everything = f"{_listed(list(TLS_VARIABLES))} of engines.dask.tls"
    if not 0 < len(missing) < len(named):
        missing = list(named)
        needs = f"{needs} none are given; set {everything}, or"
        otherwise = ""
    else:
        verb = "is" if len(missing) == 1 else "are"
        needs = f"{needs} {_listed(missing)} {verb} not given; set"
        otherwise = f", or {everything}"
    variables = [TLS_VARIABLES[key] for key in missing]
    keys = _listed([_key_of_dask(one) for one in variables])
    return f"{needs} {', '.join(variables)}, or {keys} of Dask's configuration{otherwise}."


def _key_of_dask(variable: str) -> str:
    """Return the key of Dask's configuration that one of its variables stands for."""
    return variable.removeprefix("DASK_").lower().replace("__", ".").replace("_", "-")


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def secret_of(options: ClusterOptions, environ: Mapping[str, str]) -> str | None:
    """Return the secret of a cluster, which no message shows.

    Parameters
    ----------
    options : ClusterOptions
        Of an engine that joins it; only Spark has a secret.
    environ : mapping
        Environment variables.

    Returns
    -------
    str or None
        None where the cluster has none.

    Raises
    ------
    RequestError
        If it is missing or cannot be read.
    """
    if not isinstance(options, SparkOptions):
        return None
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


def absolute(file: str) -> str:
    """Return the whole path of a file, whatever folder is worked in."""
    path = Path(file)
    try:
        return str(path.expanduser().absolute())
    except RuntimeError:  # the home of a user who is not known
        return str(path.absolute())


def _read(file: str, key: str) -> bytes:
    try:
        return Path(absolute(file)).read_bytes()
    except (OSError, ValueError) as exc:  # a name with a zero byte is no file's
        reason = getattr(exc, "strerror", None) or str(exc)
        raise RequestError(
            f"{key}: {shown(file)} cannot be read: {reason}; name another file."
        ) from None
