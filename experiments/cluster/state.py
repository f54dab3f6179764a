"""What is kept of a cluster while it is up: one folder, which is also the lock on its name."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.types import Certificates
from experiments.cluster.processes import Started
from experiments.cluster.request import check_name, is_name
from experiments.errors import RequestError
from experiments.paths import user_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_NAME = "default"
_FILE = "cluster.json"
_POLL_S = 0.1


class StartedElsewhereError(RequestError):
    """Another machine that shares the folder has started the cluster, and looks after it."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that this program has started on this machine.

    Parameters
    ----------
    name : str
        As it was asked for.
    folder : pathlib.Path
        Logs and all that its processes write; it goes with the cluster.
    engines : tuple of str
        Of "dask" and "spark".
    workers, threads : int
        Of each engine, and threads of each worker.
    memory_bytes : int
        Of each worker.
    dask_address : str or None
        ``tcp://`` or ``tls://`` address of the scheduler.
    spark_master : str or None
        ``spark://`` address of the master.
    certificates : Certificates or None
        For ``tls://``.
    secret_file : pathlib.Path or None
        File with the secret that Spark's parties authenticate by.
    spark_web : str or None
        Loopback address of the master's page, which tells its workers.
    started_on : str
        Name of the machine.
    ready : bool
        Whether all of it was up once.
    """

    name: str
    folder: Path
    engines: tuple[str, ...]
    workers: int
    threads: int
    memory_bytes: int
    dask_address: str | None = None
    spark_master: str | None = None
    certificates: Certificates | None = None
    secret_file: Path | None = None
    spark_web: str | None = None
    started_on: str = ""
    ready: bool = False


def clusters_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder that holds one folder for each cluster.

    Raises
    ------
    RequestError
        If it stands under a home folder that is not known.
    """
    if given := environ.get("ENGINEBENCH_STATE"):
        return user_path(given, "ENGINEBENCH_STATE").absolute() / "clusters"
    if given := environ.get("XDG_STATE_HOME"):
        return user_path(given, "XDG_STATE_HOME").absolute() / "enginebench" / "clusters"
    try:
        return Path("~/.local/state/enginebench/clusters").expanduser()
    except RuntimeError as exc:
        raise RequestError(
            "There is no home folder to keep the state of clusters in; set ENGINEBENCH_STATE to "
            "a folder."
        ) from exc


def names() -> tuple[str, ...]:
    """Return the names of the clusters that have a folder, sorted."""
    try:
        return tuple(
            sorted(
                path.name
                for path in clusters_folder().iterdir()
                if is_name(path.name) and path.is_dir()
            )
        )
    except FileNotFoundError:
        return ()
    except OSError as exc:
        raise _unusable(clusters_folder(), exc) from exc


def folder_of(name: str) -> Path:
    """Return the folder of a cluster, which is there or not."""
    check_name(name)
    return clusters_folder() / name


def find(name: str | None = None) -> Cluster:
    """Return a cluster that `up` has started.

    Parameters
    ----------
    name : str, optional
        Its name; when not given it is "default", or the only one there is.

    Raises
    ------
    RequestError
        If there is none of that name, or its file cannot be read.
    """
    known = names()
    if name is None:
        name = known[0] if len(known) == 1 else DEFAULT_NAME
    if name in known:
        cluster = read(name)
        if cluster is not None and cluster.ready:
            return cluster
        raise RequestError(
            f"The cluster {name!r} is not up: its start has not ended, or was cut short; wait, or "
            f"run 'enginebench cluster down --name {name}' and start it again."
        )
    check_name(name)
    there = f" (there are: {', '.join(known)})" if known else ""
    option = "" if name == DEFAULT_NAME else f" --name {name}"
    raise RequestError(
        f"There is no cluster {name!r}{there}; start one with 'enginebench cluster up{option}'."
    )


def read(name: str) -> Cluster | None:
    """Return what is written of a cluster; None if nothing is.

    Raises
    ------
    StartedElsewhereError
        If another version has written it, on another machine.
    RequestError
        If it is no such file.
    """
    file = folder_of(name) / _FILE
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise _torn(file, f"cannot be read ({exc.strerror or type(exc).__name__})") from exc
    except UnicodeDecodeError as exc:
        raise _torn(file, "is no text") from exc
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise _torn(file, "is cut off, or is no JSON") from exc
    try:
        return _from_json(content, file.parent)
    except (ValueError, KeyError, TypeError) as exc:
        if isinstance(content, dict) and isinstance(machine := content.get("started_on"), str):
            _check_machine(name, machine, file.parent)  # which may have another version
        raise _torn(file, "does not describe a cluster of this version") from exc


def write(cluster: Cluster) -> None:
    """Write what there is to know of a cluster; it is there whole or not at all."""
    content = asdict(cluster)
    del content["folder"]
    content["secret_file"] = None if cluster.secret_file is None else str(cluster.secret_file)
    _replace(cluster.folder / _FILE, content)


def write_started(folder: Path, part: str, started: Started) -> None:
    """Write which process is a part of a cluster."""
    _replace(folder / f"{part}.pid", asdict(started))


def read_started(folder: Path) -> dict[str, Started]:
    """Return the processes that were started, by the name of the part; a torn file is left out."""
    found = {}
    for file in sorted(folder.glob("*.pid")):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            content = json.loads(file.read_text(encoding="utf-8"))
            found[file.stem] = Started(int(content["pid"]), str(content["since"]))
    return found


def check_machine(cluster: Cluster) -> None:
    """Refuse to judge processes of another machine, which shares this folder.

    Raises
    ------
    StartedElsewhereError
        Naming the machine.
    """
    _check_machine(cluster.name, cluster.started_on, cluster.folder)


@contextlib.contextmanager
def claimed(name: str, wait_s: float, *, make: bool) -> Iterator[Path | None]:
    """Hold the folder of a cluster, so that nobody else starts or stops it meanwhile.

    Parameters
    ----------
    name : str
        Of the cluster.
    wait_s : float
        Seconds to wait for another process that holds it.
    make : bool
        Whether to make the folder if it is not there.

    Yields
    ------
    pathlib.Path or None
        The folder; None if there is none.

    Raises
    ------
    RequestError
        If another process holds it for longer, or the folder cannot be made.
    """
    folder = folder_of(name)
    deadline = time.monotonic() + wait_s
    while True:
        try:
            handle = _opened(folder, make=make)
        except OSError as exc:
            raise _unusable(folder, exc) from exc
        if handle is None and not make:
            yield None
            return
        if handle is not None:
            try:
                # whoever held it may have removed it since, and another may have made it again
                if _lock(folder, handle) and _same(folder, handle):
                    yield folder
                    return
            finally:
                os.close(handle)
        if time.monotonic() > deadline:
            raise RequestError(
                f"The cluster {name!r} is being started or stopped by another command; wait until "
                f"that has ended."
            )
        time.sleep(_POLL_S)


def held(folder: Path) -> bool:
    """Tell whether some process holds the folder of a cluster: it is being started or stopped."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        return not _lock(folder, handle)
    finally:
        os.close(handle)


def remove(folder: Path) -> None:
    """Remove all that is kept of a cluster, and the folders above that are empty then."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()


def _opened(folder: Path, *, make: bool) -> int | None:
    """Return a descriptor of a folder, which is made before if asked; None if it is not there."""
    if make:
        # nobody removes what is above: where that cannot be made, it is not there for all time
        folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        if make:
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None  # or it was removed since it was made


def _lock(folder: Path, handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as exc:
        raise _unusable(folder, exc) from exc
    return True


def _same(folder: Path, handle: int) -> bool:
    try:
        return os.path.samestat(folder.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _replace(file: Path, content: dict[str, Any]) -> None:
    aside = file.with_name(f".{file.name}")
    aside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    aside.chmod(0o600)
    aside.replace(file)


def _check_machine(name: str, machine: str, folder: Path) -> None:
    if machine != platform.node():
        raise StartedElsewhereError(
            f"The cluster {name!r} was started on {machine} and this is {platform.node()}; stop it "
            f"there, or remove {folder} if that machine is gone."
        )


def _torn(file: Path, what: str) -> RequestError:
    return RequestError(
        f"{file} {what}; run 'enginebench cluster down --name {file.parent.name}', which ends what "
        f"still runs of the cluster, and start it again."
    )


def _from_json(content: dict[str, Any], folder: Path) -> Cluster:
    certificates, secret = content["certificates"], content["secret_file"]
    cluster = Cluster(
        **{
            **content,
            "folder": folder,
            "engines": tuple(content["engines"]),
            "certificates": None if certificates is None else Certificates(**certificates),
            "secret_file": None if secret is None else Path(secret),
        }
    )
    needed = {
        "dask": (cluster.dask_address,),
        "spark": (cluster.spark_master, cluster.spark_web),
    }
    texts: list[Any] = [cluster.name, cluster.started_on]
    for engine in cluster.engines:
        texts += needed[engine]
    if cluster.certificates is not None:
        texts += asdict(cluster.certificates).values()
    numbers = (cluster.workers, cluster.threads, cluster.memory_bytes)
    if not (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(number, int) for number in numbers)
        and cluster.name == folder.name
    ):
        raise ValueError(f"{texts} {numbers}")
    return cluster


def _unusable(folder: Path, exc: OSError) -> RequestError:
    return RequestError(
        f"{folder} cannot be used for the state of clusters ({exc.strerror}); set "
        f"ENGINEBENCH_STATE to another folder."
    )
