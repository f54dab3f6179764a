"""What Dask's own configuration files say of a cluster to join."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engines.errors import ClusterError, headline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SCHEDULER_KEY: Final = "scheduler-address"
_TLS_KEYS: Final = {
    "ca_file": "distributed.comm.tls.ca-file",
    "cert": "distributed.comm.tls.client.cert",
    "key": "distributed.comm.tls.client.key",
}


def scheduler(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the address of the scheduler that Dask's configuration files name.

    Parameters
    ----------
    environ : mapping
        Environment variables; ``DASK_CONFIG`` names a file or folder that counts most.

    Returns
    -------
    address : str
        As it is written; empty where none is.
    source : str
        The key and the file that it is from.

    Raises
    ------
    ClusterError
        If a file cannot be understood.
    """
    address, source = "", ""
    for file, values in _files(environ):
        value = _value(values, SCHEDULER_KEY)
        if value is not _NOTHING:
            address = "" if value is None else str(value).strip()
            source = f"{SCHEDULER_KEY} of {file}"
    return address, source


def certificates(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the files for TLS that Dask's configuration files name for a client.

    Parameters
    ----------
    environ : mapping
        As in `scheduler`.

    Returns
    -------
    dict
        ``ca_file``, ``cert`` and ``key``, each empty where it is not named.

    Raises
    ------
    ClusterError
        If a file cannot be understood.
    """
    named = dict.fromkeys(_TLS_KEYS, "")
    for _, values in _files(environ):
        for name, key in _TLS_KEYS.items():
            value = _value(values, key)
            if value is not _NOTHING:
                named[name] = "" if value is None else str(value)
    return named


_NOTHING: Final = object()


def _value(values: Mapping[str, Any], key: str) -> Any:
    from dask import config

    return config.get(key, default=_NOTHING, config=dict(values))


def _files(environ: Mapping[str, str]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield the files that Dask reads, the last of which counts most, with what is in each."""
    try:
        from dask import config  # which reads them all, too

        places = [*config.paths]
        if own := environ.get("DASK_CONFIG"):  # also one that was set after Dask was imported
            places.append(own)
        found = list(config.collect_yaml(places, return_paths=True))
    except ValueError as exc:
        why = headline(exc).removesuffix(", original error message:")
        raise ClusterError(
            f"dask: its own configuration cannot be read ({why}): mend that file, or take it away."
        ) from None
    yield from found
