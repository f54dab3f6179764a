from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from experiments.datasets import prepare
from experiments.datasets.cache import default_cache, new_folder
from experiments.datasets.options import BlobsOptions, BundledOptions, CsvOptions, SplitOptions
from experiments.errors import RequestError

IRIS = BundledOptions(source="iris")


def prepared_in(cache: Path, options: Any = IRIS, split: Any = None, **arguments: Any) -> Path:
    return prepare(
        options, split, **{"label_kind": "auto", "min_row_groups": 2, "cache": cache} | arguments
    ).path


def test_a_dataset_is_prepared_once(tmp_path: Path) -> None:
    path = prepared_in(tmp_path)
    written = (path / "part-00000.parquet").stat().st_mtime_ns
    assert prepared_in(tmp_path) == path
    assert (path / "part-00000.parquet").stat().st_mtime_ns == written
    assert [folder.name for folder in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "change",
    [
        {"options": IRIS.model_copy(update={"standardize": True})},
        {"options": IRIS.model_copy(update={"sample": 100})},
        {"split": SplitOptions(test_fraction=0.5)},
        {"label_kind": "classes"},
        {"min_row_groups": 3},
        {"exact_rows": 10},
    ],
)
def test_whatever_changes_the_content_changes_the_folder(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    assert prepared_in(tmp_path, **change) != prepared_in(tmp_path)


def test_a_changed_file_is_prepared_again(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n2\n")
    options = CsvOptions(path=str(path))
    first = prepared_in(tmp_path / "cache", options)
    path.write_text("a\n1\n3\n")
    os.utime(path, ns=(1, 1))
    assert prepared_in(tmp_path / "cache", options) != first


def test_a_file_is_the_same_by_whichever_path_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n2\n")
    monkeypatch.chdir(tmp_path)
    named = [prepared_in(tmp_path / "c", CsvOptions(path=p)) for p in ("a.csv", f"{tmp_path}/a.*")]
    assert named[0] == named[1]


def test_the_cache_is_where_the_environment_says() -> None:
    assert default_cache({"ENGINEBENCH_CACHE": "/a"}) == Path("/a")
    assert default_cache({"XDG_CACHE_HOME": "/b"}) == Path("/b/enginebench")
    assert default_cache({}) == Path("~/.cache/enginebench").expanduser()


@pytest.mark.parametrize("variable", ["ENGINEBENCH_CACHE", "XDG_CACHE_HOME"])
def test_a_cache_of_a_user_that_is_not_there_is_refused(variable: str) -> None:
    with pytest.raises(RequestError, match=f"{variable}: the home folder that ~nosuchuser stands"):
        default_cache({variable: "~nosuchuser/cache"})


def test_without_any_home_folder_the_cache_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    with pytest.raises(RequestError, match=r"no home folder .* set ENGINEBENCH_CACHE"):
        default_cache({})


@pytest.mark.parametrize("harm", ["no manifest", "no part", "short part", "torn manifest"])
def test_a_half_written_folder_is_refused(tmp_path: Path, harm: str) -> None:
    path = prepared_in(tmp_path)
    part, manifest = path / "part-00000.parquet", path / "dataset.json"
    if harm == "no manifest":
        manifest.unlink()
    elif harm == "no part":
        part.unlink()
    elif harm == "short part":
        part.write_bytes(part.read_bytes()[:-1])
    else:
        manifest.write_text(manifest.read_text()[:-20])
    with pytest.raises(RequestError, match=r"incomplete.*delete the folder and run again"):
        prepared_in(tmp_path)


def test_a_cache_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match=r"cannot be kept in .*set ENGINEBENCH_CACHE"):
        prepared_in(tmp_path / "file" / "cache")


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def interrupt(done: int, total: int | None) -> None:
        if total is not None:
            assert len(list(tmp_path.iterdir())) == 1
            raise error

    with pytest.raises(error):
        prepared_in(tmp_path, on_progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from pathlib import Path
from experiments.datasets import prepare
from experiments.datasets.options import BlobsOptions
from experiments.errors import RequestError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
options = BlobsOptions(n_samples=100_000)
try:
    prepare(options, None, label_kind="auto", min_row_groups=1, cache=Path(sys.argv[1]))
except RequestError as error:
    print(error)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "cannot be kept in" in done.stdout
    assert "File too large" in done.stdout
    assert "; free space" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from experiments.datasets.cache import new_folder

with new_folder(Path(sys.argv[1]) / "data") as folder:
    print(folder, flush=True)
    time.sleep(60)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        prepared_in(tmp_path)
        assert left.is_dir()  # its process lives
        process.send_signal(signal.SIGKILL)
    assert left.is_dir()
    with new_folder(tmp_path / "other"):
        assert not left.exists()


def test_the_slower_of_two_uses_what_the_faster_wrote(tmp_path: Path) -> None:
    final = tmp_path / "data"
    with new_folder(final) as slow:
        (slow / "who").write_text("slow")
        with new_folder(final) as fast:
            (fast / "who").write_text("fast")
    assert (final / "who").read_text() == "fast"
    assert list(tmp_path.iterdir()) == [final]


def test_many_may_prepare_the_same_dataset_at_once(tmp_path: Path) -> None:
    options = BlobsOptions(n_samples=20_000)
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: prepared_in(tmp_path, options), range(4)))
    assert list(tmp_path.iterdir()) == [paths[0]]
    assert set(paths) == {paths[0]}


def test_a_dataset_found_in_the_cache_is_opened_at_once(tmp_path: Path) -> None:
    options = BlobsOptions(n_samples=300_000, n_features=10)
    start = time.perf_counter()
    prepared_in(tmp_path, options)
    written = time.perf_counter()
    prepared_in(tmp_path, options)
    assert time.perf_counter() - written < (written - start) / 4
