"""Ask a master which workers it has, without a session on them."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

from engines.errors import ClusterError, headline
from engines.roles import Member


def members(web: str, timeout_s: float) -> tuple[Member, ...]:
    """Return the live workers of a master, sorted by name.

    Parameters
    ----------
    web : str
        Address of the master's page, ``http://host:port``.
    timeout_s : float
        Seconds in which it must answer.

    Raises
    ------
    ClusterError
        If it does not answer, or with something else.
    """
    where = urlsplit(web)
    # not urllib's opener: it would ask a proxy that a shell names
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=timeout_s)
    try:
        connection.request("GET", "/json/")
        answer = connection.getresponse()
        told = json.loads(answer.read())
        found = [
            Member(
                str(one["id"]),
                str(one["host"]),
                int(one["port"]),
                int(one["cores"]),
                int(one["memory"]) * 2**20,
            )
            for one in told["workers"]
            if one["state"] == "ALIVE"
        ]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as exc:
        raise ClusterError(
            f"spark: the master's page at {web} does not tell its workers ({headline(exc)}); see "
            f"whether the master is up."
        ) from exc
    finally:
        connection.close()
    return tuple(sorted(found, key=lambda one: one.name))
