"""What the image is built from, and that it holds the whole project."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

PACKAGES = ("enginebench_pytest", "engines", "experiments")


def sources(instructions, *, of_context=True):
    """Return what is copied from the folder that the image is built from, or from a stage."""
    return {
        source
        for one in instructions
        if one.name == "COPY" and of_context != one.rest.startswith("--from=")
        for source in one.words[:-1]
    }


def run(command, **options):
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(instructions, root, tmp_path_factory):
    """Return the wheel that the image's own step builds from what the image copies."""
    folder = tmp_path_factory.mktemp("image")
    source, made = folder / "src", folder / "wheel"
    for one in (one for one in instructions if one.name == "COPY" and one.stage == 1):
        *names, target = one.words
        for name in names:
            to = source / target / Path(name).name if target.endswith("/") else source / target
            to.parent.mkdir(parents=True, exist_ok=True)
            if (root / name).is_dir():
                shutil.copytree(root / name, to, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(root / name, to)
    step = [one for one in instructions if one.name == "RUN" and one.stage == 1][-1]
    build = step.rest.partition(" && ")[0]
    assert "pip wheel" in build
    build = build.replace("/tools/bin/python", shlex.quote(sys.executable))
    run(["/bin/sh", "-c", build.replace("/wheel ", f"{shlex.quote(str(made))} ")], cwd=source)
    (wheel,) = made.iterdir()
    return wheel


def test_the_wheel_in_the_image_holds_every_file_of_the_packages(wheel, root):
    there = {
        str(path.relative_to(root))
        for package in PACKAGES
        for path in (root / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == there


def test_the_command_works_from_the_wheel_outside_of_the_checkout(wheel, root, tmp_path):
    venv = tmp_path / "venv"
    run([sys.executable, "-m", "venv", "--without-pip", str(venv)])
    python = str(venv / "bin" / "python")
    run([sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index",
         "--quiet", str(wheel)])  # fmt: skip
    # the libraries are those of this environment; it names the checkout in a file that is not read
    site = next(venv.glob("lib/python*/site-packages"))
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")

    def answer(*arguments):
        clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return run([str(venv / "bin" / "enginebench"), *arguments], cwd=tmp_path, env=clean)

    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    assert answer("--version") == f"enginebench {version}\n"
    assert "kmeans-digits" in answer("list")
    assert "dask-worker" in answer("cluster", "role", "--help")
    program = "import engines, experiments; print(engines.__file__, experiments.__file__)"
    assert run([python, "-c", program], cwd=tmp_path).count(str(site)) == 2


def test_the_context_holds_what_is_copied_and_nothing_else(instructions, root):
    first, *lines = (
        line
        for line in (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    assert first == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == sources(instructions)
    assert [line for line in lines if not line.startswith("!")] == ["**/__pycache__"]


def test_both_stages_have_one_base_that_is_pinned_by_digest(instructions):
    (base,) = (one.rest for one in instructions if one.name == "ARG" and one.stage == 0)
    assert re.fullmatch(r"BASE=python:3\.\d+\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", base)
    stages = [one.rest for one in instructions if one.name == "FROM"]
    assert stages == ["${BASE} AS build", "${BASE}"]


def test_everything_that_is_installed_has_its_hash_checked(instructions, root):
    for one in instructions:
        for command in one.rest.split(" && ") if one.name == "RUN" else ():
            if "--requirement" in command:
                assert {"--require-hashes", "--no-deps"} < set(command.split())
            elif " install --" in command or "pip wheel" in command:
                assert command.endswith(" .") or "--no-index" in command or "--directory" in command


def test_what_runs_has_no_root_no_compiler_and_no_installer(instructions):
    last = [one for one in instructions if one.stage == 2]
    assert [one.rest for one in last if one.name == "USER"] == ["${UID}:${GID}"]
    assert {"UID=1000", "GID=1000"} <= {one.rest for one in last if one.name == "ARG"}
    for one in last:
        if one.name == "RUN":
            assert not re.search(r"\b(apt-get|pip|gcc|curl|wget)\b", one.rest)
    assert sources(last, of_context=False) == {"--from=build", "/opt/enginebench"}


def test_the_image_has_the_version_of_the_project(instructions, compose, root):
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    (labels,) = (one.words for one in instructions if one.name == "LABEL")
    assert f"org.opencontainers.image.version={version}" in labels
    assert {service["image"] for service in compose["services"].values()} == {
        f"enginebench:{version}"
    }
