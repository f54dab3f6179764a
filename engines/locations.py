"""Folders of files that every machine of a cluster can open: a path, or a URL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from engines.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable

# what the query of a URL may say; everything else might be a key, and keys are kept out of records
_QUERIES = ("endpoint_override", "scheme", "region", "anonymous", "project_id")
# the part before the @ is a container there, and no user
_WITH_CONTAINER = ("abfs", "abfss")
# pyarrow's own file systems; fsspec has others
_OF_PYARROW = ("file", "s3", "gs", "gcs", "hdfs", "viewfs", *_WITH_CONTAINER)
# a file appears there whole, when the last byte was sent, or not at all
_OBJECT_STORES = ("s3", "gs", "gcs", *_WITH_CONTAINER)


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
            If it is no URL, or one that holds a name, a password or a key.
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
        if unknown := [name for name in names if name not in _QUERIES]:
            raise SpecError(
                f"the {parts.scheme}:// URL must not say {unknown[0]!r}, which may be a secret; "
                f"behind the ? it may have {', '.join(_QUERIES)}"
            )
        if any("@" in value for _, value in said):
            raise SpecError(
                f"the {parts.scheme}:// URL has a user or a password behind its ?, which records "
                f"would show; leave it out, and set it in the environment"
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
        try:
            if self.scheme in _OF_PYARROW:
                system, folder = fs.FileSystem.from_uri(self.address)
            else:
                system, folder = _fsspec(self.address)
        except (ImportError, ValueError) as exc:
            # ValueError: an ArrowInvalid, or fsspec's word for an unknown protocol
            first = str(exc).strip().partition("\n")[0]
            raise OSError(
                f"nothing that is installed opens {self.scheme}:// addresses: {first}"
            ) from exc
        whole_at_once = self.scheme in _OBJECT_STORES
        return Folder(system, folder, local=False, whole_at_once=whole_at_once)


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
    """

    def __init__(self, system: Any, path: str, *, local: bool, whole_at_once: bool) -> None:
        self._system = system
        self._path = PurePosixPath(path)
        self._local = local
        self._whole_at_once = whole_at_once

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """Return the bytes of those files that are there."""
        paths = {str(self._path / name): name for name in names}
        found = self._system.get_file_info(list(paths))
        return {paths[one.path]: one.size for one in found if one.is_file}

    def read(self, name: str) -> bytes:
        """Return what a file holds."""
        with self._system.open_input_stream(str(self._path / name)) as file:
            content: bytes = file.read()
        return content

    def parquet(self, name: str) -> Any:
        """Open a Parquet file, to be used as a context."""
        import pyarrow.parquet as pq

        path = str(self._path / name)
        if self._local:
            return pq.ParquetFile(path)
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

        there = self._system.get_file_info(fs.FileSelector(str(self._path), allow_not_found=True))
        return {
            one.base_name: None if one.mtime is None else one.mtime.timestamp()
            for one in there
            if one.is_file and one.base_name.startswith(prefix)
        }

    def remove(self, name: str) -> None:
        """Remove a file."""
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
    from pyarrow import fs

    try:
        import fsspec  # type: ignore[import-untyped]  # it ships no types
    except ImportError as exc:
        raise ImportError("install fsspec, and what it needs for them") from exc
    system, folder = fsspec.core.url_to_fs(address)
    return fs.PyFileSystem(fs.FSSpecHandler(system)), str(folder)
