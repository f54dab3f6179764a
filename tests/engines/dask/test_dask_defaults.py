"""Files with a person's own configuration of Dask change nothing that is measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from engines.dask import roles
from engines.dask.defaults import INHERITED, only_defaults
from engines.roles import RoleOptions
from experiments.runner.environment import child_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

THEIRS = """
distributed:
  comm: {require-encryption: true, shard: 1 MiB}
  worker: {memory: {target: 0.01, spill: 0.02}}
  nanny: {environ: {THEIRS: "1"}}
  admin: {pdb-on-err: true}
"""
# what is read at work, and what distributed reads once, as it is imported
SEEN = """
def seen():
    import os

    import distributed
    from dask import config
    from distributed import core
    from distributed.protocol import utils

    return {
        "memory": config.get("distributed.worker.memory"),
        "encrypts": config.get("distributed.comm.require-encryption"),
        "read once": [core.LOG_PDB, utils.BIG_BYTES_SHARD_SIZE],
        "variable": os.environ.get("THEIRS"),
    }
"""
SESSION = (
    SEEN
    + """
import json
import sys
from pathlib import Path

from engines.dask import DaskEngine
from engines.types import Resources

if __name__ == "__main__":
    resources = Resources(1, 2 * 2**30, 1, 1, Path(sys.argv[1]))
    with DaskEngine(resources) as engine:
        (worker,) = engine._opened.client.run(seen).values()
        told = {"here": seen(), "worker": worker}
    told["afterwards"] = seen()
    print(json.dumps(told))
"""
)
PROCESS = SEEN + "\nimport json\nprint(json.dumps(seen()))\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a home folder with settings of Dask that would change every measurement."""
    folder = tmp_path / "home"
    file = folder / ".config" / "dask" / "mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(THEIRS, encoding="utf-8")
    monkeypatch.setenv("HOME", str(folder))
    return folder


def of_the_library() -> dict[str, object]:
    """Return what the library comes with, as its own file has it."""
    (folder,) = find_spec("distributed").submodule_search_locations
    written = yaml.safe_load((Path(folder) / "distributed.yaml").read_text())["distributed"]
    assert written["comm"]["shard"] == "64MiB"
    return {
        "memory": written["worker"]["memory"],
        "encrypts": written["comm"]["require-encryption"],
        "read once": [False, 64 * 2**20],
        "variable": None,
    }


def told(program: str, environment: Mapping[str, str], folder: Path) -> dict[str, object]:
    """Return what a program says, as a file that the processes that it starts find again."""
    file = folder / "program.py"
    file.write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(file), str(folder)],
        env=dict(environment),
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_session_and_its_workers_have_the_library_s_own_settings(home, tmp_path):
    environment = child_environment(1, tmp_path)
    assert environment["HOME"] == str(home)
    environment["PYTHONPATH"] = str(Path(__file__).parents[3])
    found = told(SESSION, environment, tmp_path)
    assert found["here"] == found["worker"] == of_the_library()
    # put back for whoever goes on with Dask in this process
    assert found["afterwards"]["encrypts"] is True
    assert found["afterwards"]["memory"] == {
        **of_the_library()["memory"],
        "target": 0.01,
        "spill": 0.02,
    }


@pytest.mark.usefixtures("home")
def test_a_process_of_a_cluster_has_the_library_s_own_settings(tmp_path):
    options = RoleOptions("127.0.0.1", 0, tmp_path)
    environment = child_environment(1, tmp_path)
    for role in (
        roles.scheduler(options),
        roles.worker(options, "tcp://127.0.0.1:1", "0"),
    ):
        found = told(PROCESS, {**environment, **role.environment}, tmp_path)
        assert found == {**of_the_library(), "encrypts": False}


def test_a_configuration_is_put_back_with_what_libraries_have_added_meanwhile(tmp_path, home):
    """A library adds its defaults as it is imported, which may be within a session."""
    program = """
import json
import sys
from dask import config
from engines.dask.defaults import only_defaults

assert "distributed" not in sys.modules
before = {**config.config}
with only_defaults():
    import distributed
    encrypts = config.get("distributed.comm.require-encryption")
print(json.dumps([encrypts, config.get("distributed")]))
assert config.config.keys() == before.keys()
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    environment.pop(INHERITED, None)  # which another session of these tests may have set
    encrypts, after = told(program, environment, tmp_path)
    assert encrypts is None
    assert after["comm"]["require-encryption"] is True
    assert after["worker"]["memory"]["target"] == 0.01
    assert after["scheduler"]["allowed-failures"] == 3


def test_what_a_person_has_set_meanwhile_is_back_to_what_it_was(monkeypatch):
    import distributed  # noqa: F401 - it adds its defaults as it is imported
    from dask import config

    monkeypatch.setitem(config.config, "mine", {"key": 1})
    before, inherited = {**config.config}, os.environ.get(INHERITED)
    with config.set({"distributed.worker.memory.target": 0.3}):
        inside = {**config.config}
        with only_defaults():
            assert config.get("distributed.worker.memory.target") == 0.6
            assert "mine" not in config.config
        assert config.config == inside
        assert config.get("distributed.worker.memory.target") == 0.3
    assert config.config == before
    assert os.environ.get(INHERITED) == inherited
