"""Addresses of clusters: read, refused in one sentence, and never with a password in them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator, WithJsonSchema

from engines import loopback
from experiments.definition.wording import shown

# in the place of an address: the engine starts its own workers, whatever the environment says
LOCAL: Final = "local"

DASK_SCHEMES: Final = ("tcp", "tls")
SPARK_SCHEMES: Final = ("spark",)

_DASK_EXPECTED = (
    "must be the address of a Dask scheduler such as tcp://10.0.0.5:8786 or "
    "tls://10.0.0.5:8786, or local"
)
_SPARK_EXPECTED = (
    "must be a standalone master of Spark such as spark://10.0.0.5:7077, or local; other kinds of "
    "masters are not attached to"
)
MOST_PORTS = 65535
# a key that a secret may be written behind, and where it ends is not to be told from a broken text
_SECRET = re.compile(
    r"((?:secret(?!_file)\w*|password|passwd|passphrase|token|key)[\"']?\s*[=:]\s*).+",
    re.IGNORECASE | re.DOTALL,
)


def parse_dask_address(value: Any) -> str:
    """Return the address of a Dask scheduler, or ``local``.

    Parameters
    ----------
    value : object
        ``tcp://host:port``, ``tls://host:port`` or ``local``.

    Raises
    ------
    ValueError
        If it is none of them; what it says shows no password.
    """
    return _parse(value, DASK_SCHEMES, _DASK_EXPECTED)


def parse_spark_master(value: Any) -> str:
    """Return the URL of a standalone master of Spark, or ``local``.

    Parameters
    ----------
    value : object
        ``spark://host:port`` or ``local``.

    Raises
    ------
    ValueError
        If it is neither; what it says shows no password.
    """
    return _parse(value, SPARK_SCHEMES, _SPARK_EXPECTED)


def is_loopback(address: str) -> bool:
    """Say whether an address is of this machine alone."""
    return loopback.is_loopback(urlsplit(address).hostname or "")


def host_and_port(address: str) -> tuple[str, int]:
    """Return the host and the port of an address that was read."""
    parts = urlsplit(address)
    return parts.hostname or "", parts.port or 0


def without_secrets(text: str) -> str:
    """Return a text with nothing before the ``@`` of a URL in it, and nothing from a secret on."""
    return _SECRET.sub(r"\1...", re.sub(r"(?<=://)\S*@", "...@", text))


def _parse(value: Any, schemes: tuple[str, ...], expected: str) -> str:
    example = 8786 if schemes is DASK_SCHEMES else 7077  # where each listens unless told otherwise
    if value == LOCAL:
        return LOCAL
    if isinstance(value, str) and "@" in value:  # not shown, however it is written
        raise ValueError(f"{expected}, without a name or password before the host")
    refusal = f"{expected}; got {without_secrets(shown(value))}"
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        raise ValueError(refusal)
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:  # brackets without an end, or a port that is no number or too large
        raise ValueError(refusal) from None
    if parts.scheme in schemes and port is None and _is_bare(parts):
        raise ValueError(f"needs a port, such as {value}:{example}; got {shown(value)}")
    if parts.scheme not in schemes or not port or port > MOST_PORTS or not _is_bare(parts):
        raise ValueError(refusal)
    return value


def _is_bare(parts: SplitResult) -> bool:
    """Say whether there is one host, and nothing behind the port."""
    host = parts.hostname or ""
    try:
        host.encode("idna")  # as it is looked up
    except UnicodeError:  # a label is empty or too long
        return False
    bare = not (parts.path or parts.query or parts.fragment)
    return bool(host) and "," not in parts.netloc and bare


def _schema(schemes: tuple[str, ...], example: str) -> WithJsonSchema:
    pattern = rf"^(local|({'|'.join(schemes)})://[^@/?#,\s]+:[0-9]+)$"
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example, LOCAL]})


DaskAddress = Annotated[
    str, BeforeValidator(parse_dask_address), _schema(DASK_SCHEMES, "tcp://10.0.0.5:8786")
]
SparkMaster = Annotated[
    str, BeforeValidator(parse_spark_master), _schema(SPARK_SCHEMES, "spark://10.0.0.5:7077")
]
