"""Prepared data where every machine of a cluster can read it."""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engines import locations
from engines.errors import SpecError
from engines.locations import Location
from engines.manifest import MANIFEST, read_manifest, unreadable
from engines.prepared import open_prepared, read_labels, read_rows
from experiments.cli import INTERRUPTED, WRONG_REQUEST, run_command
from experiments.datasets import prepare
from experiments.datasets.opening import open_dataset
from experiments.datasets.options import BlobsOptions, PreparedOptions, SplitOptions
from experiments.datasets.storage import asked_storage, publish
from experiments.definition import Experiment
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines.prepared import Prepared

SPLIT = SplitOptions(test_fraction=0.25, folds=3)
OPTIONS = BlobsOptions(n_samples=900, n_features=3, centers=3, seed=1)
SECRET = "hunter2"  # noqa: S105 - to be searched for
WITH_SECRETS = [
    f"s3://someone:{SECRET}@bucket/data",
    f"s3://{SECRET}@bucket/data",
    f"s3://bucket/data?secret_key={SECRET}",
    f"https://store.example/data?sig={SECRET}",
    f"abfs://container:{SECRET}@account.dfs.core.windows.net/data",
]


@pytest.fixture
def local(tmp_path: Path) -> Prepared:
    """Prepare a dataset in the cache of this machine."""
    return prepare(OPTIONS, SPLIT, label_kind="auto", min_row_groups=3, cache=tmp_path / "cache")


def storage_in(folder: Path) -> Location:
    return Location.parse(f"file://{folder}")


def definition(**sections: Any) -> dict[str, Any]:
    return {
        "name": "stored",
        "dataset": {"source": "blobs", "n_samples": 200, "n_features": 2},
        "workload": {"kind": "kmeans", "n_clusters": 3, "max_iter": 5},
        "engines": {"sklearn": None},
        "resources": {"cores": 1},
        "measure": {"warm_repeats": 0},
        **sections,
    }


def write_definition(folder: Path, **sections: Any) -> str:
    """Write a definition, as JSON, which is YAML too."""
    file = folder / "stored.yaml"
    file.write_text(json.dumps(definition(**sections)), encoding="utf-8")
    return str(file)


def assert_same(one: Prepared, other: Prepared) -> None:
    for split in ("train", "test"):
        found, expected = (read_rows(each, each.row_groups, split) for each in (one, other))
        for values, others in zip(found, expected, strict=True):
            assert values.tobytes() == others.tobytes()
        np.testing.assert_array_equal(read_labels(one, split)[0], read_labels(other, split)[0])


def test_a_copy_holds_the_same_rows(local: Prepared, tmp_path: Path) -> None:
    stored = publish(local, storage_in(tmp_path / "storage"))
    assert stored.path == local.path
    opened = open_dataset(stored.address)
    assert opened.path is None
    assert opened.address == stored.url
    assert_same(opened, local)


def test_a_folder_needs_no_scheme(local: Prepared, tmp_path: Path) -> None:
    stored = publish(local, Location.parse(str(tmp_path / "storage")))
    assert Path(stored.address).parent == tmp_path / "storage"
    assert_same(open_dataset(stored.address), local)


def test_any_file_system_of_fsspec_will_do(local: Prepared) -> None:
    stored = publish(local, Location.parse("memory://storage"))
    assert_same(open_dataset(stored.address), local)


def test_nothing_is_copied_twice(local: Prepared, tmp_path: Path) -> None:
    first = publish(local, storage_in(tmp_path / "storage"))
    copied = {file: file.stat().st_mtime_ns for file in (tmp_path / "storage").rglob("*")}
    assert publish(local, storage_in(tmp_path / "storage")) == first
    assert {file: file.stat().st_mtime_ns for file in copied} == copied


@pytest.mark.parametrize("damage", ["no description", "a file is gone", "a file is cut off"])
def test_a_copy_that_is_not_whole_is_made_whole(
    local: Prepared, tmp_path: Path, damage: str
) -> None:
    stored = publish(local, storage_in(tmp_path / "storage"))
    (folder,) = (tmp_path / "storage").iterdir()
    part = next(folder.glob("*.parquet"))
    if damage == "no description":
        (folder / MANIFEST).unlink()
    elif damage == "a file is gone":
        part.unlink()
    else:
        part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(SpecError, match="is incomplete"):
        open_dataset(stored.address)
    publish(local, storage_in(tmp_path / "storage"))
    assert_same(open_dataset(stored.address), local)


def test_several_writers_and_a_reader_at_once_do_no_harm(local: Prepared, tmp_path: Path) -> None:
    storage = storage_in(tmp_path / "storage")
    first = publish(local, storage)
    (folder,) = (tmp_path / "storage").iterdir()
    problems: list[Exception] = []

    def write() -> None:
        try:
            for _ in range(10):
                # as one that saw no description yet
                there = Location.parse(first.address).connect()
                for file in sorted((local.path or folder).iterdir()):
                    there.write(file.name, file, f".aside-{threading.get_ident()}")
        except Exception as exc:  # noqa: BLE001 - told below
            problems.append(exc)

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert_same(open_dataset(first.address), local)
    assert not problems
    assert {file.name for file in folder.iterdir()} == {
        file.name for file in (local.path or folder).iterdir()
    }


def test_a_storage_that_cannot_be_written_is_refused_in_one_sentence(
    local: Prepared, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RequestError, match=r"storage: .* cannot be written to file:///.*file/"):
        publish(local, storage_in(tmp_path / "file"))
    with pytest.raises(RequestError, match="nothing that is installed opens nonsense:// addresses"):
        publish(local, Location.parse("nonsense://there/data"))


@pytest.mark.parametrize("key", ["storage", "--to", "ENGINEBENCH_STORAGE"])
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_storage_in_a_folder_that_is_not_there_is_refused_and_not_made(
    scheme: str,
    key: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = f"{scheme}{tmp_path}/shraed/data"
    if key == "ENGINEBENCH_STORAGE":
        monkeypatch.setenv(key, address)
    sections = {"storage": address} if key == "storage" else {}
    arguments = ["prepare", write_definition(tmp_path, **sections)]
    arguments += ["--to", address] if key == "--to" else []
    assert run_command(arguments) == WRONG_REQUEST
    (line,) = [one for one in capsys.readouterr().err.splitlines() if one.startswith("error:")]
    assert line == (
        f"error: {key}: {address} would be a new folder in {tmp_path}/shraed, which is no folder; "
        f"create that or mend the path."
    )
    assert not (tmp_path / "shraed").exists()


def refusal(
    key: str,
    address: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """Prepare with an address that is refused, and return what is told after its name."""
    sections: dict[str, Any] = {}
    arguments = ["--to", address] if key == "--to" else []
    if key == "storage":
        sections["storage"] = address
    elif key == "dataset.url":
        sections["dataset"] = {"source": "prepared", "url": address}
    elif key == "ENGINEBENCH_STORAGE":
        monkeypatch.setenv(key, address)
    assert run_command(["prepare", write_definition(folder, **sections), *arguments]) == (
        WRONG_REQUEST
    )
    (line,) = [one for one in capsys.readouterr().err.splitlines() if one.startswith("error:")]
    _, named, told = line.partition(f"{key}: ")
    assert named
    # what the definition says is checked when it is read, and told with its file
    if key in {"--to", "ENGINEBENCH_STORAGE"}:
        assert line.startswith(f"error: {key}: ")
    return told


@pytest.mark.parametrize("key", ["storage", "dataset.url", "--to", "ENGINEBENCH_STORAGE"])
@pytest.mark.parametrize(
    ("address", "example"),
    [
        ("s3://", "s3://bucket/folder"),
        ("s3:///x", "s3://bucket/folder"),
        ("s3://?region=x", "s3://bucket/folder"),
        ("gs://", "gs://bucket/folder"),
        ("abfs://c@/x", "abfs://container@account.dfs.core.windows.net/folder"),
        ("hdfs:///x", "hdfs://host:8020/folder"),
    ],
)
def test_an_address_without_a_bucket_is_refused(  # noqa: PLR0917 - fixtures
    key: str,
    address: str,
    example: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = refusal(key, address, tmp_path, capsys, monkeypatch)
    scheme, what = address.partition("://")[0], "host" if "host" in example else "bucket"
    assert told == f"the {scheme}:// URL names no {what}; a good one looks like {example}."


@pytest.mark.parametrize("key", ["storage", "--to", "ENGINEBENCH_STORAGE"])
def test_what_nothing_opens_is_refused_before_the_data_is_prepared(
    key: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENGINEBENCH_CACHE", str(tmp_path / "cache"))
    told = refusal(key, "s4://bucket/x", tmp_path, capsys, monkeypatch)
    assert told == (
        "nothing that is installed opens s4:// addresses: Protocol not known: s4; install what "
        "opens them, or mend the address."
    )
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("key", ["storage", "--to", "ENGINEBENCH_STORAGE"])
def test_a_copy_that_fails_is_told_by_the_name_of_what_asked_for_it(
    key: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    told = refusal(key, str(tmp_path / "file"), tmp_path, capsys, monkeypatch)
    assert told.startswith(f"the prepared dataset cannot be written to {tmp_path}/file/")


@pytest.mark.parametrize("key", ["--to", "dataset.url"])
@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("abfs://account/x", "ArrowInvalid: AzureOptions doesn't contain a valid account name"),
        ("abfs://c@account/x?credential_kind=none", "ArrowInvalid: Unexpected credential_kind"),
        ("abfs://c@account/x?credential_kind=cli", "Check for Hierarchical Namespace support"),
    ],
)
def test_what_arrow_refuses_is_told_in_one_sentence(  # noqa: PLR0917 - fixtures
    key: str,
    address: str,
    why: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # without Azure's command, which has credentials
    told = refusal(key, address, tmp_path, capsys, monkeypatch)
    assert ("cannot be written to" if key == "--to" else "cannot be read") in told
    assert why in told


def test_a_reader_without_credentials_of_azure_does_not_end() -> None:
    # in a process of its own, which opening a file would end
    script = (
        "from engines.locations import Location\n"
        "folder = Location.parse('abfs://c@account/x?credential_kind=cli').connect()\n"
        "for read in (folder.read, folder.parquet):\n"
        "    try:\n"
        "        read('dataset.json')\n"
        "    except OSError as exc:\n"
        "        print('told')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PATH": ""},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["told", "told"])


@pytest.mark.parametrize("scheme", ["s3", "gs", "gcs", "abfs", "abfss"])
def test_what_an_address_may_say_is_what_opens_it(scheme: str) -> None:
    from pyarrow import fs

    bucket = "c@account.dfs.core.windows.net" if scheme.startswith("abfs") else "bucket"
    values = {
        "endpoint_override": "127.0.0.1:1",
        "scheme": "http",
        "region": "us-east-1",
        "project_id": "p",
        "retry_limit_seconds": "5",
        "credential_kind": "anonymous",
    }
    with pytest.raises(SpecError, match="behind the \\? it may have") as refused:
        Location.parse(f"{scheme}://{bucket}/x?key=1")
    may = str(refused.value).rpartition(" it may have ")[2].split(", ")
    # S3 would be asked for the region otherwise
    asked = {"region": "us-east-1"} if scheme == "s3" else {}
    for name, value in values.items():
        query = "&".join(f"{one}={said}" for one, said in {**asked, name: value}.items())
        address = f"{scheme}://{bucket}/x?{query}"
        if name in may:
            Location.parse(address).connect()
            continue
        with pytest.raises(SpecError, match=f"must not say '{name}'"):
            Location.parse(address)
        with pytest.raises(ValueError, match="Unexpected query parameter"):
            fs.FileSystem.from_uri(address)
    for wrong in (f"{scheme}://{bucket}/x?anonymous=true", "hdfs://nn/x?region=a"):
        with pytest.raises(SpecError, match="must not say"):
            Location.parse(wrong)


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen and never answer, where Google's library asks for what a key gives it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)
        key = dict.fromkeys(("client_id", "client_secret", "refresh_token"), "test")
        token_uri = f"http://127.0.0.1:{listening.getsockname()[1]}/token"
        file = tmp_path / "key.json"
        text = json.dumps({"type": "authorized_user", "token_uri": token_uri, **key})
        file.write_text(text, encoding="utf-8")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        yield listening


def test_google_is_not_tried_for_longer_than_anybody_waits(
    silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent.close()
    assert locations._RETRIED_S <= 15
    monkeypatch.setattr(locations, "_RETRIED_S", 1)
    monkeypatch.setattr(locations, "_ANSWERED_S", 600)
    began = time.monotonic()
    with pytest.raises(RequestError, match=r"cannot be read \(OSError: .*CURL error") as refused:
        existing("gs://bucket/x?endpoint_override=127.0.0.1:1&scheme=http")
    assert time.monotonic() - began < 30
    assert "error_info" not in str(refused.value)
    # the address that records show says nothing of it
    assert str(refused.value).startswith(
        "dataset.url: gs://bucket/x?endpoint_override=127.0.0.1:1&scheme=http cannot be read"
    )


@pytest.mark.usefixtures("silent")
def test_google_s_silence_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locations, "_RETRIED_S", 1)
    monkeypatch.setattr(locations, "_ANSWERED_S", 2)
    told = r"cannot be read \(TimeoutError: no answer within 2 s\); check the address"
    with pytest.raises(RequestError, match=told):
        existing("gs://bucket/x")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_wait_for_google_is_stopped(
    silent: socket.socket, ending: signal.Signals, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "experiments", "prepare", write_definition(tmp_path)]
    with subprocess.Popen([*command, "--to", "gs://bucket/x?retry_limit_seconds=600"]) as waiting:
        try:
            asked, _ = silent.accept()
            with asked:
                waiting.send_signal(ending)
                assert waiting.wait(10) == INTERRUPTED
        finally:
            waiting.kill()


COPY_AND_DIE = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from engines.locations import Folder, Location
from engines.prepared import open_prepared
from experiments.datasets.storage import publish

class Dying:
    def __init__(self, path):
        self.path = path
        self.name = path.name
    def open(self, mode):
        return self
    def __enter__(self):
        self.file = self.path.open("rb")
        return self
    def __exit__(self, *_):
        self.file.close()
    def read(self, n):
        if self.file.tell():
            os.kill(os.getpid(), signal.SIGKILL)
        return self.file.read(100)

write = Folder.write
Folder.write = lambda self, name, source, aside: write(self, name, Dying(source), aside)
publish(open_prepared(Path(sys.argv[1])), Location.parse(sys.argv[2]))
"""


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_what_a_killed_writer_left_is_removed_and_what_may_be_written_stays(
    local: Prepared, tmp_path: Path, scheme: str
) -> None:
    address = f"{scheme}{tmp_path}/storage"
    died = subprocess.run(
        [sys.executable, "-c", COPY_AND_DIE, str(local.path), address], check=False, timeout=60
    )
    assert died.returncode == -9
    (folder,) = (tmp_path / "storage").iterdir()
    (left,) = folder.iterdir()
    assert left.name.startswith(f".unfinished-{platform.node()}-")
    other = tmp_path / "storage" / "other-dataset"
    other.mkdir()
    dead = int(left.name.split("-")[-2])
    living = f".unfinished-{platform.node()}-{os.getpid()}-0123abcd"
    old, elsewhere, like_ours = (
        f".unfinished-{host}-{dead}-0123abcd"
        for host in ("gone", "elsewhere", f"{platform.node()}-{dead}")
    )
    for name in (left.name, living, old, elsewhere, like_ours, "part.parquet"):
        (other / name).write_bytes(b"x")
    yesterday = left.stat().st_mtime - 25 * 3600
    os.utime(other / old, (yesterday, yesterday))
    os.utime(other / "part.parquet", (yesterday, yesterday))

    stored = publish(local, Location.parse(address))
    assert not [file for file in folder.iterdir() if file.name.startswith(".unfinished-")]
    assert {file.name for file in other.iterdir()} == {
        living, elsewhere, like_ours, "part.parquet",
    }  # fmt: skip
    assert_same(open_dataset(stored.address), local)


def test_what_a_killed_writer_left_is_removed_from_any_file_system(local: Prepared) -> None:
    import fsspec  # type: ignore[import-untyped]

    address = "memory://storage-left"
    folder = publish(local, Location.parse(address)).address.partition("://")[2]
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    left, young = (
        f"/{folder}/.unfinished-{host}-{dead.pid}-0123abcd"
        for host in (platform.node(), "elsewhere")
    )
    memory = fsspec.filesystem("memory")
    for name in (left, young):
        memory.pipe(name, b"x")
    publish(local, Location.parse(address))
    assert (memory.exists(left), memory.exists(young)) == (False, True)


def test_rows_that_workers_draw_are_not_copied(tmp_path: Path) -> None:
    on_workers = OPTIONS.model_copy(update={"generate": "on_workers"})
    drawn = prepare(
        on_workers,
        SPLIT,
        label_kind="auto",
        min_row_groups=3,
        cache=tmp_path / "cache",
        storage=storage_in(tmp_path / "storage"),
    )
    assert drawn.url is None
    assert not (tmp_path / "storage").exists()


@pytest.mark.parametrize("address", WITH_SECRETS)
@pytest.mark.parametrize("key", ["storage", "dataset.url", "--to", "ENGINEBENCH_STORAGE"])
def test_a_secret_in_an_address_is_refused_and_not_shown(
    key: str,
    address: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sections: dict[str, Any] = {}
    arguments = []
    if key == "storage":
        sections["storage"] = address
    elif key == "dataset.url":
        sections["dataset"] = {"source": "prepared", "url": address}
    elif key == "--to":
        arguments = ["--to", address]
    else:
        monkeypatch.setenv(key, address)
    file = write_definition(tmp_path, **sections)
    assert run_command(["prepare", file, *arguments]) == WRONG_REQUEST
    told = capsys.readouterr()
    assert SECRET not in told.out + told.err
    assert "secret" in told.err or "password" in told.err
    assert told.err.count("error:") == 1


def test_the_definition_says_where_before_the_environment_does(tmp_path: Path) -> None:
    environ = {"ENGINEBENCH_STORAGE": "s3://bucket/of-all"}
    assert str(asked_storage(None, environ)) == "s3://bucket/of-all"
    assert str(asked_storage(str(tmp_path), environ)) == str(tmp_path)
    assert asked_storage(None, {}) is None


def test_where_data_is_kept_changes_nothing_in_what_is_asked(tmp_path: Path) -> None:
    plain = Experiment.from_tree(definition())
    stored = Experiment.from_tree(definition(storage=str(tmp_path)))
    assert stored.digest == plain.digest
    assert "storage" not in plain.model_dump(mode="json")
    assert f"storage: {tmp_path}" in stored.to_yaml()


def test_a_run_reads_the_storage_and_says_so(tmp_path: Path) -> None:
    storage = f"file://{tmp_path}/storage"
    file = write_definition(tmp_path, storage=storage)
    assert run_command(["run", file, "--output", str(tmp_path / "run")]) == 0
    (folder,) = (tmp_path / "storage").iterdir()
    described = json.loads((tmp_path / "run" / "run.json").read_bytes())
    (point,) = described["points"].values()
    assert point["dataset"]["url"] == f"{storage}/{folder.name}"


def test_prepare_copies_to_an_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storage = f"file://{tmp_path}/storage"
    assert run_command(["prepare", write_definition(tmp_path), "--to", storage]) == 0
    address = capsys.readouterr().out.split()[0]
    assert address.startswith(f"{storage}/blobs-")
    assert open_dataset(address).n_rows == 200


def test_prepare_has_nothing_to_copy_where_workers_draw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_definition(tmp_path)
    arguments = ["prepare", file, "--set", "dataset.generate=on_workers", "--to", str(tmp_path)]
    assert run_command(arguments) == WRONG_REQUEST
    assert "makes no files to copy" in capsys.readouterr().err


def test_prepared_data_is_run_by_its_address(local: Prepared, tmp_path: Path) -> None:
    stored = publish(local, storage_in(tmp_path / "storage"))
    tree = definition(dataset={"source": "prepared", "url": stored.address})
    file = write_definition(tmp_path, dataset=tree["dataset"])
    assert run_command(["run", file, "--output", str(tmp_path / "run")]) == 0
    described = json.loads((tmp_path / "run" / "run.json").read_bytes())
    (point,) = described["points"].values()
    assert point["dataset"]["fingerprint"] == local.fingerprint
    assert point["dataset"]["counts"] == local.counts


def test_prepared_data_has_its_own_split(tmp_path: Path) -> None:
    dataset = {"source": "prepared", "url": str(tmp_path)}
    learned = definition(dataset=dataset, workload={"kind": "xgboost"})
    assert Experiment.from_tree(learned).split is None
    with pytest.raises(ValueError, match="rows are split already; remove split"):
        Experiment.from_tree({**learned, "split": {"test_fraction": 0.5}})


def existing(url: str, split: SplitOptions | None = None, **asked: Any) -> Prepared:
    asked = {"label_kind": "auto", "min_row_groups": 1, **asked}
    return prepare(PreparedOptions(url=url), split, **asked)


def test_a_folder_that_is_no_prepared_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"has no dataset\.json"):
        existing(str(tmp_path))
    for content in ("{}", "[]", "nonsense", '{"schema": 1}', '{"schema": 1, "files": [3]}'):
        (tmp_path / MANIFEST).write_text(content, encoding="utf-8")
        with pytest.raises(RequestError, match=r"^dataset\.url: .*[^.]\.$"):
            existing(f"file://{tmp_path}")


class Refusing(BaseHTTPRequestHandler):
    """Answer every request of S3's protocol with one status."""

    status = 403

    def do_HEAD(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (403, r"may not be read by this user \(OSError: .*ask for the right to read it"),
        (404, r"has no dataset\.json"),
    ],
)
def test_what_refuses_is_told_from_what_is_not_there(
    status: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(Refusing, "status", status)
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            url = (
                f"s3://bucket/data?endpoint_override=127.0.0.1:{server.server_port}"
                f"&scheme=http&region=us-east-1"
            )
            with pytest.raises(RequestError, match=told) as refused:
                existing(url)
            with pytest.raises(SpecError) as unread:
                read_manifest(Location.parse(url))
        finally:
            server.shutdown()
            serving.join()
    assert "delete" not in str(refused.value)
    assert ("delete" in str(unread.value)) is (status == 404)
    assert ("is incomplete" in str(unread.value)) is (status == 404)


def test_a_folder_that_this_user_may_not_read_is_told_as_such(tmp_path: Path) -> None:
    denied = PermissionError(13, "Permission denied")
    told = unreadable(Location(str(tmp_path)), denied)
    assert told.startswith(f"{tmp_path} may not be read by this user (PermissionError: ")


def test_prepared_data_that_is_torn_is_not_to_be_deleted(local: Prepared, tmp_path: Path) -> None:
    stored = publish(local, storage_in(tmp_path / "storage"))
    (folder,) = (tmp_path / "storage").iterdir()
    next(folder.glob("*.parquet")).unlink()
    with pytest.raises(RequestError, match=r"is incomplete: .* is missing; prepare it again\.$"):
        existing(stored.address)
    (folder / MANIFEST).write_bytes((folder / MANIFEST).read_bytes()[:-20])
    with pytest.raises(RequestError, match=r"dataset\.json is cut off.*; prepare it again\.$"):
        existing(stored.address)


def test_prepared_data_must_be_what_is_asked_for(local: Prepared) -> None:
    from experiments.datasets.options import FoldOptions

    url = str(local.path)
    with pytest.raises(RequestError, match="a label of classes, and numbers are to be learned"):
        existing(url, label_kind="numbers")
    with pytest.raises(RequestError, match="with 3 folds, and 5 are asked for"):
        existing(url, folds=FoldOptions(5))
    with pytest.raises(RequestError, match="rows are split already"):
        existing(url, SPLIT)
    assert existing(url, folds=FoldOptions(3)).counts == local.counts


def test_an_address_is_kept_as_it_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(Location.parse("data")) == f"{tmp_path}/data"
    assert Location.parse(f"file://{tmp_path}/a%20b").path == tmp_path / "a b"
    s3 = Location.parse("s3://bucket/data/?region=eu-central-1")
    assert str(s3 / "part") == "s3://bucket/data/part?region=eu-central-1"
    assert s3.queries == {"region": "eu-central-1"}
    for wrong in ("file://data", "s3://[bucket", "://x", "s3://bucket/a b", "s3://b/x#part"):
        with pytest.raises(SpecError):
            Location.parse(wrong)


def test_a_folder_of_files_is_opened_as_before(local: Prepared) -> None:
    assert local.path is not None
    opened = open_prepared(local.path)
    assert opened == local
    assert (opened.path, opened.url, opened.address) == (local.path, None, str(local.path))
