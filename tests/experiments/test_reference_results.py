"""The reference evaluation says what its records say."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from experiments.definition import load_experiment
from experiments.records import read_records
from experiments.report import build_report
from experiments.report.charts import build_figures
from experiments.report.markdown import as_markdown

RESULTS = Path(__file__).parents[2] / "results"

# the evaluations, and the sizes that they sweep over
SIZES = {
    "kmeans-blobs": [10**4, 10**5, 10**6, 10**7],
    "xgboost-scaling": [10**4, 10**5, 3 * 10**5, 10**6],
    "kmeans-grid": None,
    "xgboost-grid": None,
    "svc-grid": None,
}
NUMBER_WORDS = r"\b(two|three|four|five|six|seven|eight|nine|ten|hundred|thousand|million|half)\b"
# made from the rest by one command, or too large for a repository
NOT_COMMITTED = {"predictions", "logs", "null_run", "candidates.jsonl", "report.html"}


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(RESULTS / "evaluate.py"))


@pytest.fixture(scope="module", params=SIZES)
def folder(request):
    return RESULTS / "reference" / request.param


@pytest.fixture(scope="module")
def report(folder):
    return build_report(folder)


def test_every_number_of_the_evaluation_is_in_the_records(script):
    assert (RESULTS / "README.md").read_text(encoding="utf-8") == script["evaluation"]()


def test_the_prose_itself_holds_no_measured_number():
    template = (RESULTS / "README.md.j2").read_text(encoding="utf-8")
    # what is read from records, commands, and the addresses of links
    no_prose = r"\{\{.*?\}\}|\{%.*?%\}|```.*?```|\]\(.*?\)"
    prose = re.sub(no_prose, "", template, flags=re.DOTALL)
    assert re.findall(r"\d+", prose) == ["95", "95"]  # the level of the intervals
    assert not re.findall(NUMBER_WORDS, prose)


def test_a_sentence_that_the_records_do_not_show_is_refused(script):
    assert script["claim"]("Dask is faster.", True) == "Dask is faster."
    with pytest.raises(script["EvaluationError"], match=r"do not show this: Dask is faster\."):
        script["claim"]("Dask is faster.", False)


def test_a_claim_of_the_evaluation_looks_at_every_size(script):
    kmeans = script["read"]("kmeans-blobs")
    assert kmeans.never_faster("fit_warm_wall_s")
    # scikit-learn needs no more than itself, and Spark starts later at every size
    assert kmeans.above_everywhere("start_wall_s")
    assert not kmeans.same("start_wall_s")


def test_a_committed_report_is_the_one_that_its_records_give(folder, report):
    figures = build_figures(report)
    assert (folder / "report.md").read_text(encoding="utf-8") == as_markdown(report, figures)
    committed = {path.stem for path in (folder / "figures").glob("*.svg")}
    assert committed == {figure.key for figure in figures}


def test_a_reference_is_the_ready_experiment_run_often_enough_with_a_null_run(folder):
    asked = load_experiment(folder.name, variant="reference")
    assert (folder / "definition.yaml").read_text(encoding="utf-8") == asked.to_yaml()
    records = read_records(folder / "records.jsonl")
    assert {one.outcome for one in records} == {"completed"}
    assert {one.engine for one in records} == {"sklearn", "dask", "spark"}
    assert len({one.round for one in records}) >= 3
    assert any(one.null_run for one in records)
    assert list(asked.sweep.get("dataset.n_samples", ())) == (SIZES[folder.name] or [])


def test_nothing_committed_is_bulky(folder):
    for path in folder.rglob("*"):
        if path.is_file() and not NOT_COMMITTED & set(path.relative_to(folder).parts):
            assert path.stat().st_size < 10**6, path
