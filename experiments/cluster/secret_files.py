"""Temporary certificates and secrets, as files for their owner alone."""

from __future__ import annotations

import contextlib
import os
import secrets
import ssl
from typing import TYPE_CHECKING

from engines import cluster_roles
from engines.types import Certificates
from experiments.definition.conventions import SECRET_VARIABLE
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TLS_FOLDER, SECRET_FILE = "tls", "spark-secret"
_TLS_FILES = ("ca.pem", "cert.pem", "key.pem")
_MAKES_SUCH = "'enginebench cluster secrets DIR' makes such files."
# what OpenSSL calls a key of another certificate, of one kind or of another
_OF_ANOTHER = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")


def make_certificates(folder: Path) -> Certificates:
    """Write temporary certificates of a Dask cluster into a folder.

    Raises
    ------
    RequestError
        If the library that makes them is missing, or the folder cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made: Certificates = cluster_roles("dask").temporary_certificates(folder)
    except ImportError as exc:
        raise RequestError(
            "Certificates are made by the library cryptography, which is not installed; run "
            "pip install 'enginebench[dask]'."
        ) from exc
    except OSError as exc:
        raise _not_written(folder, exc) from exc
    return made


def make_secret(file: Path) -> Path:
    """Write a random secret of a Spark cluster into a file, and return the file.

    Raises
    ------
    RequestError
        If it cannot be written.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as written:
            written.write(secrets.token_hex(32) + "\n")
    except OSError as exc:
        raise _not_written(file, exc) from exc
    return file


def write_secrets(folder: Path) -> tuple[Path, ...]:
    """Write certificates and a secret for a cluster whose parts are started one by one.

    Parameters
    ----------
    folder : pathlib.Path
        New, or without such files: what is in use is not replaced.

    Returns
    -------
    tuple of pathlib.Path
        The folder of the certificates and the file of the secret.

    Raises
    ------
    RequestError
        If there is something already, or nothing can be written.
    """
    tls, secret = folder / TLS_FOLDER, folder / SECRET_FILE
    for path in (*(tls / name for name in _TLS_FILES), secret):
        if path.exists():
            raise RequestError(
                f"{path} is there already, and what is in use is not replaced; remove it or name "
                f"another folder."
            )
    make_certificates(tls)
    return tls, make_secret(secret)


def read_certificates(folder: Path) -> Certificates:
    """Return the certificates of a folder, having looked that they can be used.

    Raises
    ------
    RequestError
        If a file is missing or is no PEM, or the key is not that of the certificate.
    """
    paths = [folder / name for name in _TLS_FILES]
    for path in paths:
        _read(path, "--tls-folder")
    _check_loading(*paths)
    return Certificates(*(str(path.absolute()) for path in paths))


def read_secret(file: Path) -> str:
    """Return the secret of a file.

    Raises
    ------
    RequestError
        If there is none.
    """
    secret = _read(file, "--secret-file").strip()
    if not secret:
        raise RequestError(f"--secret-file: {file} is empty; write the secret into it.")
    return secret


@contextlib.contextmanager
def secret_at_hand(secret: str | None) -> Iterator[str | None]:
    """Give the variable that holds a secret while the block runs; None without a secret.

    What makes the roles of Spark takes it from there, as what starts a session does.
    """
    if secret is None:
        yield None
        return
    before = os.environ.get(SECRET_VARIABLE)
    os.environ[SECRET_VARIABLE] = secret
    try:
        yield SECRET_VARIABLE
    finally:
        if before is None:
            del os.environ[SECRET_VARIABLE]
        else:
            os.environ[SECRET_VARIABLE] = before


def _check_loading(ca_file: Path, cert: Path, key: Path) -> None:
    """Refuse what Dask would end of as it starts: it loads the files in this way."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for path in (ca_file, cert):
        try:
            context.load_verify_locations(path)
        except ssl.SSLError as exc:
            raise _unusable(f"{path} is no certificate in PEM form") from exc
    try:
        # a key with a passphrase would ask for it on the terminal, which a container does not have
        context.load_cert_chain(cert, key, password=lambda: "")
    except ssl.SSLError as exc:
        if exc.reason in _OF_ANOTHER:
            what = f"{cert} and {key.name} do not belong together"
        elif exc.reason:
            reason = exc.reason.lower().replace("_", " ")
            what = f"{cert} and {key.name} cannot be used ({reason})"
        else:  # OpenSSL has no word for it
            what = f"{key} is no key in PEM form without a passphrase"
        raise _unusable(what) from exc


def _unusable(what: str) -> RequestError:
    return RequestError(f"--tls-folder: {what}; {_MAKES_SUCH}")


def _read(path: Path, option: str) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError as exc:
        raise RequestError(
            f"{option}: {path} cannot be read ({exc.strerror}); {_MAKES_SUCH}"
        ) from exc
    except UnicodeDecodeError as exc:
        raise RequestError(
            f"{option}: {path} holds other characters than ASCII; {_MAKES_SUCH}"
        ) from exc


def _not_written(path: Path, exc: OSError) -> RequestError:
    return RequestError(f"{path} cannot be written ({exc.strerror}); name another folder.")
