"""The files that containers are made from, read as Docker reads them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile.

    Parameters
    ----------
    stage : int
        Number of the ``FROM`` that it comes after, from 1; 0 before the first.
    name : str
        Such as ``RUN``.
    rest : str
        What follows the name, on one line.
    """

    stage: int
    name: str
    rest: str

    @property
    def words(self) -> list[str]:
        """What follows the name, as a shell divides it."""
        return shlex.split(self.rest)


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder that an image is built from."""
    return ROOT


@pytest.fixture(scope="session")
def instructions() -> list[Instruction]:
    """Return the instructions of the Dockerfile."""
    text = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    found: list[Instruction] = []
    stage = 0
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.partition(" ")
        stage += name == "FROM"
        found.append(Instruction(stage, name, " ".join(rest.split())))
    return found


@pytest.fixture(scope="session")
def compose_with() -> Callable[..., dict[str, Any]]:
    """Return a function that gives what compose.yaml holds for a person with some variables."""
    text = (ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8")

    def read(**variables: str) -> dict[str, Any]:
        def value(found: re.Match[str]) -> str:
            return variables.get(found[1], found[2])

        return yaml.safe_load(re.sub(r"\$\{(\w+):-([^}]*)\}", value, text))

    return read


@pytest.fixture(scope="session")
def compose(compose_with: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Return what compose.yaml holds where no variable is set."""
    return compose_with()


@pytest.fixture(scope="session")
def readme() -> str:
    """Return what a person reads beside it, with commands on one line each."""
    text = (ROOT / "docker" / "README.md").read_text(encoding="utf-8")
    return re.sub(r"\\\n\s*", "", text)
