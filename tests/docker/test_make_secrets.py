"""Secrets of containers are made for their owner alone, whole, and never replaced."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess

import pytest

FILES = {"tls/ca.pem", "tls/cert.pem", "tls/key.pem", "spark-secret"}


@pytest.fixture
def make(root, tmp_path):
    """Run the script beside a copy of its folder."""
    folder = tmp_path / "docker"
    folder.mkdir()
    shutil.copy(root / "docker" / "make-secrets", folder)

    def call(**environment):
        return subprocess.run(
            [str(folder / "make-secrets")],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, **environment},
        )

    call.folder = folder
    return call


def test_what_is_made_is_all_there_and_readable_by_its_owner_alone(make):
    done = make()
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    secrets = make.folder / "secrets"
    made = {str(path.relative_to(secrets)): path for path in secrets.rglob("*") if path.is_file()}
    assert set(made) == FILES
    for path in [secrets, *secrets.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert len(made["spark-secret"].read_text().strip()) == 64
    assert {path.name for path in make.folder.iterdir()} == {"make-secrets", "secrets", ".env"}


def test_the_image_is_built_for_the_user_who_owns_the_secrets(make):
    make()
    owner = (make.folder / "secrets" / "spark-secret").stat()
    assert (make.folder / ".env").read_text() == (
        f"ENGINEBENCH_UID={owner.st_uid}\nENGINEBENCH_GID={owner.st_gid}\n"
    )
    assert owner.st_uid != 0


def test_secrets_that_are_there_are_not_replaced(make):
    make()
    before = (make.folder / "secrets" / "spark-secret").read_text()
    again = make()
    assert again.returncode == 1
    assert again.stderr == "docker/secrets is there already; remove it to have new ones\n"
    assert (make.folder / "secrets" / "spark-secret").read_text() == before


def test_two_calls_make_different_secrets(make):
    make()
    first = (make.folder / "secrets" / "spark-secret").read_text()
    shutil.rmtree(make.folder / "secrets")
    make()
    assert (make.folder / "secrets" / "spark-secret").read_text() != first


def test_half_of_it_is_never_left(make, tmp_path):
    broken = tmp_path / "bin"
    broken.mkdir()
    openssl = broken / "openssl"
    openssl.write_text(f'#!/bin/sh\n[ "$1" = rand ] && exit 1\nexec {shutil.which("openssl")} "$@"')
    openssl.chmod(0o700)
    done = make(PATH=f"{broken}:{os.environ['PATH']}")
    assert done.returncode != 0
    assert {path.name for path in make.folder.iterdir()} == {"make-secrets"}
