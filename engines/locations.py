"""Folders of files that every machine of a cluster can open: a path, or a URL."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from engines.errors import SpecError, headline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

# the part before the @ is a container there, and no user
_WITH_CONTAINER = ("abfs", "abfss")
_GOOGLE = ("gs", "gcs")
# pyarrow's own file systems, and what they are called there; fsspec has others
_OF_PYARROW = {
    "s3": "S3FileSystem",
    **dict.fromkeys(_GOOGLE, "GcsFileSystem"),
    **dict.fromkeys(_WITH_CONTAINER, "AzureFileSystem"),
    **dict.fromkeys(("hdfs", "viewfs"), "HadoopFileSystem"),
}
# a file appears there whole, when the last byte was sent, or not at all
_OBJECT_STORES = ("s3", *_GOOGLE, *_WITH_CONTAINER)
_RETRY_LIMIT = "retry_limit_seconds"
# what the query of a URL may say: of what pyarrow takes, that which is no key, because keys are
# kept out of records, and which makes no difference to where Spark's own readers look
_QUERIES = {
    "s3": ("endpoint_override", "scheme", "region"),
    **dict.fromkeys(_GOOGLE, ("endpoint_override", "scheme", "project_id", _RETRY_LIMIT)),
    **dict.fromkeys(_WITH_CONTAINER, ("credential_kind",)),
}
# what a good URL looks like; others are as S3's
_EXAMPLES = {
    **dict.fromkeys(_WITH_CONTAINER, "container@account.dfs.core.windows.net/folder"),
    **dict.fromkeys(("hdfs", "viewfs"), "host:8020/folder"),
}
# Google's library tries again for a quarter of an hour unless told otherwise, which nobody waits
# for; it takes up to twice as long as it is told
_RETRIED_S = 15
# a connection that is open and silent is no reason for it to try again, for two minutes
_ANSWERED_S = 60


@dataclass(frozen=True)
class Location:
    """A folder, as an address that any process can open it by; it pickles to workers.

    Parameters
    ----------
    address : str
        An absolute path, or a URL such as ``s3://bucket/folder?region=eu-central-1``. `parse`
        checks one that a person wrote.
    """

    address: str

    @classmethod
    def parse(cls, text: str | Path) -> Location:
        """Return the location that a person means.

        Parameters
        ----------
        text : str or pathlib.Path
            A folder, absolute or relative to the current one, or a URL.

        Raises
        ------
        SpecError
            If it is no URL, or one that names no bucket, or that holds a name, a password or a
            key.
        """
        if isinstance(text, Path) or "://" not in text:
            try:
                return cls(str(Path(text).expanduser().absolute()))
            except RuntimeError:
                raise SpecError("the home folder in it is not known") from None
        parts = _split(text)
        if parts.username is not None and (
            parts.password is not None or parts.scheme not in _WITH_CONTAINER
        ):
            raise SpecError(
                f"the {parts.scheme}:// URL has a user or a password in it, which records would "
                f"show; leave it out, and set it in the environment, as the library that reads "
                f"{parts.scheme}:// expects"
            )
        said = parse_qsl(parts.query, keep_blank_values=True)
        names = [name for name, _ in said]
        if parts.fragment or (parts.query and not names):
            raise SpecError(f"the {parts.scheme}:// URL must end with its folder")
        known = _QUERIES.get(parts.scheme, ())
        if unknown := [name for name in names if name not in known]:
            instead = f"behind the ? it may have {', '.join(known)}"
            raise SpecError(
                f"the {parts.scheme}:// URL must not say {unknown[0]!r}, which may be a secret; "
                f"{instead if known else 'leave out the ? and what is behind it'}"
            )
        if any("@" in value for _, value in said):
            raise SpecError(
                f"the {parts.scheme}:// URL has a user or a password behind its ?, which records "
                f"would show; leave it out, and set it in the environment"
            )
        if parts.scheme != "file" and not parts.hostname:
            example = _EXAMPLES.get(parts.scheme, "bucket/folder")
            raise SpecError(
                f"the {parts.scheme}:// URL names no {'host' if 'host' in example else 'bucket'}; "
                f"a good one looks like {parts.scheme}://{example}"
            )
        return cls(parts._replace(path=parts.path.rstrip("/")).geturl())

    def __str__(self) -> str:
        """Return the address; no address has a secret."""
        return self.address

    def __truediv__(self, name: str) -> Location:
        """Return a file or folder in this one."""
        if not self.is_url:
            return Location(str(Path(self.address) / name))
        parts = urlsplit(self.address)
        return Location(parts._replace(path=f"{parts.path.rstrip('/')}/{name}").geturl())

    @property
    def is_url(self) -> bool:
        """Whether it is a URL, and not a path of this machine."""
        return "://" in self.address

    @property
    def scheme(self) -> str:
        """What a URL begins with; ``file`` for a path."""
        return urlsplit(self.address).scheme if self.is_url else "file"

    @property
    def path(self) -> Path | None:
        """The folder on a disk of this machine; None where it is not on one."""
        if not self.is_url:
            return Path(self.address)
        parts = urlsplit(self.address)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None

    @property
    def queries(self) -> dict[str, str]:
        """What a URL says behind its ``?``."""
        return dict(parse_qsl(urlsplit(self.address).query)) if self.is_url else {}

    def connect(self) -> Folder:
        """Return the folder, to read and write files in it.

        Raises
        ------
        OSError
            If there is no library that opens such addresses, or it cannot.
        """
        from pyarrow import fs

        if (path := self.path) is not None:
            return Folder(fs.LocalFileSystem(), str(path), local=True, whole_at_once=False)
        self.check_opener()
        with _as_os_error():
            if self.scheme in _OF_PYARROW:
                system, folder = fs.FileSystem.from_uri(self._impatient())
            else:
                system, folder = _fsspec(self.address)
        whole_at_once = self.scheme in _OBJECT_STORES
        return Folder(
            system,
            folder,
            local=False,
            whole_at_once=whole_at_once,
            answered_s=self._answered_s(),
        )

    def check_opener(self) -> None:
        """Check that something that is installed opens such addresses, without opening one.

        Raises
        ------
        OSError
            If nothing does.
        """
        if self.path is not None:
            return
        try:
            if self.scheme in _OF_PYARROW:
                from pyarrow import fs

                # a pyarrow that was built without it raises an ImportError
                getattr(fs, _OF_PYARROW[self.scheme])
            else:
                _fsspec_class(self.scheme)
        except (ImportError, ValueError) as exc:
            # ValueError: fsspec's word for an unknown protocol
            first = str(exc).strip().partition("\n")[0]
            raise OSError(
                f"nothing that is installed opens {self.scheme}:// addresses: {first}"
            ) from exc

    def _impatient(self) -> str:
        """Return the address, with a limit for how long Google is tried if it says none."""
        if self.scheme not in _GOOGLE or _RETRY_LIMIT in self.queries:
            return self.address
        parts = urlsplit(self.address)
        limit = urlencode({_RETRY_LIMIT: _RETRIED_S})
        return parts._replace(query=f"{parts.query}&{limit}".lstrip("&")).geturl()

    def _answered_s(self) -> float | None:
        """Return how long an answer is awaited; None where the library that asks sees to it."""
        if self.scheme not in _GOOGLE:
            return None
        return _ANSWERED_S if _RETRY_LIMIT not in self.queries else threading.TIMEOUT_MAX


class Folder:
    """An open folder.

    Parameters
    ----------
    system : pyarrow.fs.FileSystem
        What reads and writes.
    path : str
        The folder, as the file system calls it.
    local : bool
        Whether it is a folder of this machine.
    whole_at_once : bool
        Whether a file that is written appears whole or not at all.
    answered_s : float, optional
        How long an answer to a question is awaited, where Ctrl-C would not end the wait.
    """

    def __init__(
        self,
        system: Any,
        path: str,
        *,
        local: bool,
        whole_at_once: bool,
        answered_s: float | None = None,
    ) -> None:
        self._system = system
        self._path = PurePosixPath(path)
        self._local = local
        self._whole_at_once = whole_at_once
        self._answered_s = answered_s

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """Return the bytes of those files that are there."""
        paths = {str(self._path / name): name for name in names}
        found = self._ask(lambda: self._system.get_file_info(list(paths)))
        return {paths[one.path]: one.size for one in found if one.is_file}

    def read(self, name: str) -> bytes:
        """Return what a file holds."""
        self._look_for(name)

        def whole() -> bytes:
            with self._system.open_input_stream(str(self._path / name)) as file:
                content: bytes = file.read()
            return content

        return self._ask(whole)

    def parquet(self, name: str) -> Any:
        """Open a Parquet file, to be used as a context."""
        import pyarrow.parquet as pq

        path = str(self._path / name)
        if self._local:
            return pq.ParquetFile(path)
        self._look_for(name)
        with _as_os_error():
            # the columns of a row group in few requests, instead of one each
            return pq.ParquetFile(path, filesystem=self._system, pre_buffer=True)

    def unfinished(self, prefix: str) -> dict[str, float | None]:
        """Return the files that are not whole yet, by how their names begin.

        Parameters
        ----------
        prefix : str
            How the names given to `write` for what is not whole yet begin.

        Returns
        -------
        dict
            For each name, when it was last changed in seconds since 1970; None where the file
            system does not tell. Empty where a file appears whole or not at all.
        """
        if self._whole_at_once:
            return {}
        from pyarrow import fs

        chosen = fs.FileSelector(str(self._path), allow_not_found=True)
        there = self._ask(lambda: self._system.get_file_info(chosen))
        return {
            one.base_name: None if one.mtime is None else one.mtime.timestamp()
            for one in there
            if one.is_file and one.base_name.startswith(prefix)
        }

    def remove(self, name: str) -> None:
        """Remove a file."""
        with _as_os_error():
            self._system.delete_file(str(self._path / name))

    def write(self, name: str, source: Path, aside: str) -> None:
        """Copy a file of this machine here, where it appears whole or not at all.

        Parameters
        ----------
        name : str
            What it is to be called; a file of that name is replaced.
        source : pathlib.Path
            What to copy.
        aside : str
            A name that no other writer uses, for a file that is not whole yet.
        """
        with _as_os_error():
            self._write(name, source, aside)

    def _write(self, name: str, source: Path, aside: str) -> None:
        self._system.create_dir(str(self._path), recursive=True)
        final = str(self._path / name)
        target = final if self._whole_at_once else str(self._path / aside)
        try:
            with source.open("rb") as read, self._system.open_output_stream(target) as written:
                while chunk := read.read(2**22):
                    written.write(chunk)
            if target != final:
                self._system.move(target, final)
        except BaseException:
            if target != final and self._system.get_file_info(target).is_file:
                self._system.delete_file(target)
            raise

    def _look_for(self, name: str) -> None:
        """Raise an OSError where the library that opens a file would end the process instead.

        Without credentials, pyarrow's file system of Azure does so; it answers whether there is
        such a file with an error.
        """
        if self._system.type_name == "abfs" and name not in self.sizes([name]):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)

    def _ask(self, question: Callable[[], T]) -> T:
        """Return the answer of the file system; where there is none, that is an OSError."""
        with _as_os_error():
            if self._answered_s is None:
                return question()
            return _in_time(question, self._answered_s)


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Raise as an OSError whatever a file system raises.

    Those of pyarrow have errors of Arrow beside it, and those of fsspec the ones of any library.
    """
    try:
        yield
    except MemoryError:
        raise
    except OSError as exc:
        # Google's library says all of it twice, the second time for programs
        said, more, _ = str(exc).partition(" error_info={")
        if not more or exc.errno is not None:
            raise
        raise type(exc)(f"{said})") from exc
    except Exception as exc:
        raise OSError(headline(exc)) from exc


def _in_time(call: Callable[[], T], limit_s: float) -> T:
    """Return what a call returns that no signal interrupts, and that may take too long.

    It is then left behind, in a thread that ends with the process.
    """
    outcome: Future[T] = Future()

    def carry_out() -> None:
        try:
            outcome.set_result(call())
        except BaseException as exc:  # noqa: BLE001 - raised where it is awaited
            outcome.set_exception(exc)

    threading.Thread(target=carry_out, name="enginebench-storage", daemon=True).start()
    try:
        return outcome.result(limit_s)
    except TimeoutError:
        if outcome.done():  # it is what the call raised
            raise
        raise TimeoutError(f"no answer within {limit_s:g} s") from None


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:  # brackets without an end, or a port that is no number
        raise SpecError("the URL cannot be read: its host is malformed") from None
    if not parts.scheme or not text.isprintable() or " " in text:
        raise SpecError("a URL such as s3://bucket/folder or file:///folder is needed")
    if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/")):
        raise SpecError("a file:// URL has three slashes and then an absolute path")
    return parts


def _fsspec(address: str) -> tuple[Any, str]:
    """Return a file system of fsspec as one of pyarrow, and the folder in it."""
    import fsspec  # type: ignore[import-untyped]  # it ships no types
    from pyarrow import fs

    system, folder = fsspec.core.url_to_fs(address)
    return fs.PyFileSystem(fs.FSSpecHandler(system)), str(folder)


def _fsspec_class(scheme: str) -> None:
    """Raise an ImportError or a ValueError where fsspec has no file system for a scheme."""
    try:
        import fsspec
    except ImportError as exc:
        raise ImportError("install fsspec, and what it needs for them") from exc
    fsspec.get_filesystem_class(scheme)
