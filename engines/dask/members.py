"""Ask a scheduler which workers it has, without a session on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engines.dask.asking import answer
from engines.errors import ClusterError, headline
from engines.roles import Member

if TYPE_CHECKING:
    from engines.types import Certificates


def members(
    address: str, certificates: Certificates | None, timeout_s: float
) -> tuple[Member, ...]:
    """Return the workers that a scheduler has now, sorted by name.

    Parameters
    ----------
    address : str
        Of the scheduler.
    certificates : Certificates, optional
        For ``tls://``.
    timeout_s : float
        Seconds in which it must answer.

    Raises
    ------
    ClusterError
        If it does not answer, or with something else.
    """
    try:
        told = answer(_ask(address, certificates, timeout_s), timeout_s)
    except (OSError, TimeoutError, ValueError, KeyError, TypeError) as exc:
        raise ClusterError(
            f"dask: the scheduler at {address} does not tell its workers ({headline(exc)}); see "
            f"whether it is up."
        ) from exc
    found = [_member(worker, known) for worker, known in told.items()]
    return tuple(sorted(found, key=lambda one: one.name))


async def _ask(
    address: str, certificates: Certificates | None, timeout_s: float
) -> dict[str, dict[str, Any]]:
    from distributed.core import connect
    from distributed.security import Security

    # a person's own configuration may ask for encryption, which this cluster has not
    security = Security(require_encryption=False)
    if certificates is not None:
        security = Security(
            tls_ca_file=certificates.ca_file,
            tls_client_cert=certificates.cert,
            tls_client_key=certificates.key,
            require_encryption=True,
        )
    comm = await connect(address, timeout=timeout_s, **security.get_connection_args("client"))
    try:
        await comm.write({"op": "identity", "n_workers": -1, "reply": True})
        told = await comm.read()
    finally:
        comm.abort()
    workers: dict[str, dict[str, Any]] = told["workers"]
    return workers


def _member(address: str, known: dict[str, Any]) -> Member:
    host, _, port = address.rpartition("://")[2].rpartition(":")
    return Member(
        str(known["name"]), host, int(port), int(known["nthreads"]), int(known["memory_limit"])
    )
