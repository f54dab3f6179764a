"""Reach a scheduler, or say in one sentence why it cannot be reached."""

from __future__ import annotations

import gc
import socket
import ssl
import warnings
from typing import TYPE_CHECKING, Any

from engines.dask.asking import answer
from engines.errors import ClusterError, headline

if TYPE_CHECKING:
    from engines.types import Attachment

# Share of the time in which the scheduler must answer; the rest is for finding out why it did not
_KNOCKING = 0.7
# Share of it for each of three questions on that, and seconds that are always enough
_DIAGNOSIS = 0.1
_ENOUGH = 3.0


def security(attachment: Attachment) -> Any:
    """Return Dask's form of the certificates; None without them.

    Raises
    ------
    ClusterError
        If a file is missing or is no certificate or key.
    """
    files = attachment.certificates
    if files is None:
        return None
    from distributed.security import Security

    made = Security(
        tls_ca_file=files.ca_file,
        tls_client_cert=files.cert,
        tls_client_key=files.key,
        require_encryption=True,
    )
    try:
        made.get_connection_args("client")
    except OSError as exc:  # what ssl raises is one, too
        raise ClusterError(
            f"dask: the certificates for {attachment.address} cannot be used ({headline(exc)}): "
            f"give ca_file {files.ca_file}, cert {files.cert} and key as PEM files that belong "
            f"together."
        ) from None
    return made


def knock(attachment: Attachment, secured: Any) -> None:
    """Ask the scheduler who it is.

    Raises
    ------
    ClusterError
        If it does not answer in time, with the reason.
    """
    address = attachment.address
    seconds = _KNOCKING * attachment.wait_s
    kind, failure = "?", ""
    try:
        kind = answer(_identity(address, secured, seconds), seconds)
    except (OSError, TimeoutError, ValueError, RuntimeError, EOFError) as exc:
        failure = headline(exc)
    if failure:
        _close_given_up()
        raise ClusterError(f"dask: {_why(attachment, failure)}")
    if kind != "Scheduler":
        raise ClusterError(
            f"dask: {address} is no Dask scheduler but says that it is a {kind}: give the address "
            f"of the scheduler."
        )


async def _identity(address: str, secured: Any, seconds: float) -> str:
    from distributed.core import connect
    from distributed.security import Security

    args = (secured or Security()).get_connection_args("client")
    comm = await connect(address, timeout=seconds, **args)
    try:
        await comm.write({"op": "identity", "n_workers": 0, "reply": True})
        told = await comm.read()
    finally:
        comm.abort()
    return str(told.get("type", "?")) if isinstance(told, dict) else "?"


def _close_given_up() -> None:
    """Close what distributed leaves open of an encrypted connection that it gives up halfway."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _why(attachment: Attachment, failure: str) -> str:
    """Find out why a scheduler did not answer."""
    address = attachment.address
    where = f"the scheduler at {address}"
    wait = f"within {attachment.wait_s:g} s"
    place = (*_host_and_port(address), min(_DIAGNOSIS * attachment.wait_s, _ENOUGH))
    try:
        socket.create_connection(place[:2], place[2]).close()
    except OSError as refused:
        return (
            f"{where} cannot be reached {wait} ({headline(refused)}): see whether it is up, and "
            f"whether the address is right."
        )
    speaks_tls = _handshake(*place, _anyone())
    if address.startswith("tls://"):
        if speaks_tls is not None:
            return f"{where} does not speak TLS: use tcp://, or start it with certificates."
        trusted = ssl.create_default_context(cafile=_ca_file(attachment))
        trusted.check_hostname = False
        trusted.verify_flags &= ~ssl.VERIFY_X509_STRICT
        refused_by_us = _handshake(*place, trusted)
        if isinstance(refused_by_us, ssl.SSLCertVerificationError):
            return (
                f"{where} shows a certificate that {_ca_file(attachment)} does not vouch for: give "
                f"the ca_file of that cluster."
            )
        return (
            f"{where} does not accept the certificate {_cert(attachment)}, or gave no answer "
            f"{wait} ({failure}): give a certificate that its ca_file vouches for."
        )
    if speaks_tls is None:
        return f"{where} speaks TLS: use tls:// and give ca_file, cert and key."
    return (
        f"{where} gave no answer {wait} ({failure}): see whether a Dask scheduler listens "
        f"there, and whether it is overloaded."
    )


def _handshake(host: str, port: int, seconds: float, context: ssl.SSLContext) -> OSError | None:
    """Return why no encrypted connection came up, or None."""
    try:
        with (
            socket.create_connection((host, port), seconds) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return None
    except OSError as exc:
        return exc


def _anyone() -> ssl.SSLContext:
    """Return a context that only asks whether TLS is spoken; nothing is sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.partition("://")[2].rpartition(":")
    return host.strip("[]"), int(port) if port.isdecimal() else 0


def _ca_file(attachment: Attachment) -> str:
    return "" if attachment.certificates is None else attachment.certificates.ca_file


def _cert(attachment: Attachment) -> str:
    return "" if attachment.certificates is None else attachment.certificates.cert
