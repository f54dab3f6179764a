"""The command answers on standard output, explains on standard error, and exits as it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from experiments import cli
from experiments.errors import RequestError
from experiments.report import write as write_module
from experiments.report.candidate_table import count_tried

COMMAND = [sys.executable, "-m", "experiments"]
DEFINITION = """
name: tiny
question: Is it tiny?
dataset: {source: iris}
workload: {kind: kmeans, n_clusters: 3, init: shared, max_iter: 5}
engines: {sklearn: {}}
resources: {cores: 1, memory: 2 GiB}
measure: {rounds: 1, warm_repeats: 1, timeout: 2 min}
metrics: [inertia, adjusted_rand]
"""


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    """Return a function that runs the command here and gives code, output and errors."""
    monkeypatch.setenv("ENGINEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = cli.run_command([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def definition(tmp_path):
    """Return the path of a definition that runs in seconds."""
    path = tmp_path / "tiny.yaml"
    path.write_text(DEFINITION, encoding="utf-8")
    return path


def one_error(errors):
    """Return the only line of errors, having checked that it is one sentence for a person."""
    (line,) = errors.splitlines()
    assert line.startswith("error: ")
    assert "Traceback" not in errors
    return line


@pytest.mark.parametrize(
    ("arguments", "spared"),
    # typer itself builds the options of one command with pydantic
    [(["--help"], set()), (["--version"], set()), (["run", "--help"], {"pydantic"})],
)
def test_help_imports_nothing_heavy(arguments, spared):
    heavy = {
        "sklearn", "dask", "distributed", "dask_ml", "pyspark", "xgboost", "pydantic", "numpy",
        "pandas", "pyarrow", "scipy", "yaml", "psutil", "rich",
    }  # fmt: skip
    program = (
        "import sys\n"
        "from experiments import cli\n"
        f"assert cli.run_command({arguments!r}) == 0\n"
        f"print(sorted({heavy - spared!r} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert done.stderr == ""


def test_help_lists_every_command(command):
    code, out, err = command("--help")
    assert (code, err) == (0, "")
    for name in ("run", "report", "list", "doctor", "prepare", "schema", "--version"):
        assert name in out


def test_the_version_is_printed(command):
    code, out, _ = command("--version")
    assert code == 0
    assert out.startswith("enginebench ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "kmeans-digit"], "kmeans-digits"),
        (["run", "no/such/file.yaml"], "no/such/file.yaml"),
        (["run", "kmeans-digits", "--set", "workload.n_cluster=3"], "n_clusters"),
        (["run", "kmeans-digits", "--set", "workload.n_clusters=0"], "n_clusters"),
        (["run", "kmeans-digits", "--set", "nonsense"], "nonsense"),
        (["run", "kmeans-digits", "--engines", "sklearn,dusk"], "dask"),
        (["run", "kmeans-digits", "--engines", ","], "at least one engine"),
        (["run", "kmeans-digits", "--engines", "sklearn dask"], "put commas between the names"),
        (["run", "kmeans-digits", "--output", "~nosuchuser/x"], "--output: the home folder"),
        (["run", "kmeans-digits", "--set", "resources={cores: 1, memory: 4}"], "to 1 GiB or"),
        (["run", "kmeans-digits", "--set", "workload.max_iter=3000000000"], "to 2147483647"),
        (["run", "kmeans-digits", "--set", "resources.cores=4096"], "resources.cores"),
        (["run"], "EXPERIMENT"),
        (["rum"], "rum"),
        (["run", "kmeans-digits", "--speed"], "--speed"),
        ([], "Missing command"),
        (["run", "svc-grid", "--variant", "ful"], "did you mean full?"),
        (["prepare", "kmeans-digits", "--variant", "full"], "has no variant 'full'; it has none"),
        (["report", "nowhere"], "nowhere"),
        (["report"], "RUN"),
        (["prepare", "kmeans-digit"], "kmeans-digits"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_code_2(command, tmp_path, arguments, said):
    code, out, err = command(*arguments)
    assert code == 2
    assert out == ""
    assert said in one_error(err)
    assert not (tmp_path / "results").exists()


def test_every_experiment_is_checked_before_the_first_one_runs(command, definition, tmp_path):
    code, out, err = command("run", definition, "kmeans-digit", "--output", tmp_path / "out")
    assert (code, out) == (2, "")
    assert "kmeans-digits" in one_error(err)
    assert not (tmp_path / "out").exists()


def test_data_of_the_second_experiment_is_checked_before_the_first_one_runs(
    command, definition, tmp_path
):
    other = tmp_path / "other.yaml"
    other.write_text(
        DEFINITION.replace("name: tiny", "name: other").replace(
            "{source: iris}", "{source: csv, path: missing.csv}"
        ),
        encoding="utf-8",
    )
    code, out, err = command("run", definition, other, "--output", tmp_path / "out")
    assert (code, out) == (2, "")
    assert "missing.csv" in err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_holds_something_is_refused(command, definition, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    code, _, err = command("run", definition, "--output", tmp_path / "out")
    assert code == 2
    assert "name a new one" in one_error(err)


def test_an_output_folder_that_cannot_be_written_is_refused(command, definition, tmp_path):
    (tmp_path / "file").touch()
    for output in (tmp_path / "file" / "out", Path("/proc/out")):
        code, _, err = command("run", definition, "--output", output)
        assert code == 2
        assert "cannot be written" in err.splitlines()[-1]
        assert "Traceback" not in err


def test_two_experiments_of_one_name_cannot_share_an_output_folder(command, definition, tmp_path):
    code, _, err = command("run", definition, definition, "--output", tmp_path / "out")
    assert code == 2
    assert "name tiny" in one_error(err)


def test_debug_shows_the_traceback_of_a_wrong_request(command):
    code, _, err = command("report", "nowhere", "--debug")
    assert code == 2
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("error: ")


def test_a_mistake_of_the_program_is_one_sentence_and_code_70(command, runs, tmp_path):
    folder = runs.write(tmp_path / "run", runs.complete())
    # a point whose record has a type that no reader expects
    content = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    content["points"]["{}"]["dataset"]["counts"]["train"] = "many"
    (folder / "run.json").write_text(json.dumps(content), encoding="utf-8")
    code, out, err = command("report", folder)
    assert (code, out) == (70, "")
    assert "--debug" in one_error(err)
    code, _, err = command("report", folder, "--debug")
    assert code == 70
    assert "Traceback" in err


def test_report_prints_the_table_and_writes_report_md(command, runs, tmp_path):
    folder = runs.write(tmp_path / "run", runs.complete())
    code, out, err = command("report", folder)
    assert code == 0
    assert "fit, warm" in out
    assert "…" not in out
    assert "\x1b" not in out
    assert (folder / "report.md").exists()
    assert str(folder) in err


def test_report_as_json_is_one_document(command, runs, tmp_path):
    folder = runs.write(tmp_path / "run", runs.complete())
    code, out, _ = command("report", folder, "--json")
    assert code == 0
    (run,) = json.loads(out)["runs"]
    assert run["completed"]
    assert len(run["records"]) == 6


def test_report_on_a_folder_without_records_is_a_sentence(command, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, err = command("report", tmp_path / "empty")
    assert code == 2
    assert "records.jsonl" in one_error(err)


def test_list_names_every_ready_experiment_with_its_question(command):
    code, out, err = command("list")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert any(line.startswith("kmeans-digits ") and line.endswith("?") for line in lines)


def test_list_names_the_variants_below_their_experiment(command):
    _, out, _ = command("list")
    lines = out.splitlines()
    (place,) = [place for place, line in enumerate(lines) if line.startswith("svc-grid ")]
    assert lines[place + 1].strip() == "variants: reference, full"
    (place,) = [place for place, line in enumerate(lines) if line.startswith("kmeans-digits ")]
    assert "variants" not in lines[place + 1]


def test_schema_is_json(command):
    code, out, _ = command("schema")
    assert code == 0
    assert "workload" in json.loads(out)["properties"]


def test_prepare_says_where_the_data_lies(command, definition, tmp_path):
    code, out, _ = command("prepare", definition)
    assert code == 0
    assert str(tmp_path / "cache") in out
    assert "150 rows" in out


def test_prepare_takes_a_variant(command, definition):
    with definition.open("a") as file:
        file.write("variants: {half: {dataset.sample: 75}}\n")
    code, out, _ = command("prepare", definition, "--variant", "half")
    assert code == 0
    assert "75 rows" in out


def test_prepare_says_that_tasks_have_no_data(command, definition):
    definition.write_text("name: tasks\nworkload: {kind: tasks, paths: 100}\nengines: [sklearn]\n")
    code, out, _ = command("prepare", definition, "--set", "resources={cores: 1, memory: 2 GiB}")
    assert (code, out) == (0, "a workload of tasks has no data to prepare\n")


def test_a_run_of_a_variant_is_named_after_it(command, definition, tmp_path):
    with definition.open("a") as file:
        file.write("variants: {two: {workload.n_clusters: 2}}\n")
    arguments = ("--variant", "two", "--output", tmp_path / "out")
    code, _, err = command("run", definition, *arguments)
    assert code == 0, err
    written = yaml.safe_load((tmp_path / "out" / "definition.yaml").read_text())
    assert written["name"] == "tiny-two"
    assert written["workload"]["n_clusters"] == 2
    assert "variants" not in written


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("search: {strategy: grid, space: {}}", "search.space: must name at least one parameter"),
        ("search: {strategy: grid, space: {n_cluster: [2]}}", "did you mean n_clusters?"),
        ("search: {strategy: grid, space: {tol: [0]}, scoring: accuracy}", "does not score"),
        ("search: {strategy: halving, space: {tol: [0]}, resource: init}", "search.max_resources"),
        (
            "search: {strategy: halving, space: {tol: [0]}, resource: init, max_resources: 9}",
            "search.resource: must be rows or a parameter that is a whole number; got init",
        ),
        ("variants: {full: {dataset.sampel: 3}}", "variants.full: dataset.sampel: unknown key"),
    ],
)
def test_a_wrong_search_is_one_sentence_with_its_line_and_code_2(
    command, definition, tmp_path, change, said
):
    with definition.open("a") as file:
        file.write(f"{change}\n")
    code, out, err = command("run", definition)
    assert (code, out) == (2, "")
    assert said in one_error(err)
    assert f"tiny.yaml:{len(definition.read_text().splitlines())}: " in err
    assert not (tmp_path / "results").exists()


def test_run_prints_the_table_and_leaves_a_run_folder(command, definition, tmp_path):
    code, out, err = command("run", definition, "--output", tmp_path / "out")
    assert code == 0, err
    assert "Is it tiny?" in out
    assert "fit, warm" in out
    assert "fit, warm" not in err
    assert f"results: {tmp_path / 'out'}" in err
    assert {"definition.yaml", "run.json", "records.jsonl", "report.md"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }


def test_several_experiments_give_one_json_document(command, definition, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(DEFINITION.replace("name: tiny", "name: other"), encoding="utf-8")
    code, out, err = command(
        "run", definition, other, "--json", "--output", tmp_path / "out",
        "--set", "measure.warm_repeats=0",
    )  # fmt: skip
    assert code == 0, err
    content = json.loads(out)
    assert [run["experiment"] for run in content["runs"]] == ["tiny", "other"]
    assert [len(run["records"]) for run in content["runs"]] == [1, 1]
    assert (tmp_path / "out" / "other" / "report.md").exists()


def test_a_report_that_cannot_be_written_loses_no_run_and_no_numbers(
    command, definition, tmp_path, monkeypatch
):
    def write(report, *arguments, **options):
        if report.folder.name == "tiny":
            raise RequestError("The disk is full; make room.")
        return real(report, *arguments, **options)

    real = write_module.write_report
    monkeypatch.setattr(write_module, "write_report", write)
    other = definition.with_name("other.yaml")
    other.write_text(definition.read_text().replace("name: tiny", "name: other"))
    code, out, err = command(
        "run", definition, other, "--engines", "sklearn", "--output", tmp_path / "out", "--json"
    )
    assert code == 0
    assert [one["experiment"] for one in json.loads(out)["runs"]] == ["tiny", "other"]
    assert "note: The disk is full; make room." in err
    assert f"report: {tmp_path / 'out' / 'other' / 'report.html'}" in err


def test_an_engine_that_did_not_complete_is_code_1(command, definition, tmp_path):
    code, out, err = command(
        "run", definition, "--output", tmp_path / "out", "--set", "measure.timeout=0.01"
    )
    assert code == 1, err
    assert "timed out" in out


def test_ctrl_c_says_where_the_results_are_and_is_code_130(definition, tmp_path):
    process = subprocess.Popen(
        [
            *COMMAND, "run", str(definition), "--output", str(tmp_path / "out"),
            "--set", "dataset={source: blobs, n_samples: 100000, n_features: 10, seed: 0}",
            "--set", "workload.n_clusters=60", "--set", "workload.max_iter=100000",
            "--set", "workload.tol=0", "--set", "measure.warm_repeats=1000",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ENGINEBENCH_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    try:
        told = []
        for line in process.stderr:
            told.append(line)
            if "[1/1]" in line:
                process.send_signal(signal.SIGINT)
                break
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    told = "".join([*told, err])
    assert process.returncode == 130, told
    assert str(tmp_path / "out") in told
    assert told.splitlines()[-1] == "stopped"
    assert "Traceback" not in told
    assert "Traceback" not in out


SEARCH = """
name: slow
dataset: {source: iris}
workload: {kind: estimator, class: sklearn.neural_network.MLPClassifier,
  parameters: {max_iter: 2, tol: 0}}
search: {strategy: grid, space: {alpha: [1, 2], max_iter: [2, 1000000000]}, folds: 2}
engines: {sklearn: {}}
resources: {cores: 1, memory: 2 GiB}
"""


def test_ctrl_c_in_the_first_search_says_how_many_candidates_were_tried(command, tmp_path):
    (tmp_path / "slow.yaml").write_text(SEARCH, encoding="utf-8")
    out = tmp_path / "out"
    process = subprocess.Popen(
        [*COMMAND, "run", str(tmp_path / "slow.yaml"), "--output", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ENGINEBENCH_CACHE": str(tmp_path / "cache")},
    )
    try:
        # the first candidate is quick, and another never ends
        by = time.monotonic() + 60
        while time.monotonic() < by and process.poll() is None:
            if (out / "candidates.jsonl").exists() and count_tried(out)[0]:
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, told
    tried, known = count_tried(out)
    assert (tried >= 1, known) == (True, 4)
    assert f"{tried} of 4 candidates had been tried" in told
    assert str(out / "candidates.parquet") in told
    assert "nothing was measured" not in told
    code, shown, _ = command("report", out)
    assert code == 0
    assert "Best candidates: scikit-learn" in shown
    assert f"{tried} of 4 candidates had been tried" in " ".join(shown.split())


def test_a_reader_that_goes_away_is_met_with_silence(runs, tmp_path):
    folder = runs.write(tmp_path / "run", runs.complete())
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, "report", str(folder)],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(writer)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [f"report: {folder / 'report.html'}"]


def test_results_that_cannot_be_written_are_no_mistake_of_the_program():
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [*COMMAND, "list"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 2
    assert "standard output: No space left on device" in one_error(done.stderr)


@pytest.mark.parametrize(("closed", "code"), [(">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0)])
def test_a_closed_stream_ends_nothing(closed, code):
    line = f"'{sys.executable}' -m experiments list {closed}"
    done = subprocess.run(["/bin/bash", "-c", line], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (code, b"")


def test_a_wrong_request_without_standard_error_is_still_code_2():
    line = f"'{sys.executable}' -m experiments run nowhere.yaml 2>&-"
    done = subprocess.run(["/bin/bash", "-c", line], capture_output=True, check=False, timeout=60)
    assert done.returncode == 2


def test_a_current_folder_that_was_removed_is_told(tmp_path):
    (tmp_path / "gone").mkdir()
    line = f"cd gone && rmdir ../gone && '{sys.executable}' -m experiments run kmeans-digits"
    done = subprocess.run(
        ["/bin/bash", "-c", line],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "The current folder cannot be used" in one_error(done.stderr)


def test_a_terminal_without_unicode_still_shows_the_table(runs, tmp_path):
    folder = runs.write(tmp_path / "run", runs.complete(), question="مرحبا")
    done = subprocess.run(
        [*COMMAND, "report", str(folder)],
        capture_output=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    assert b"fit, warm" in done.stdout
    assert b"\\u0645" in done.stdout
