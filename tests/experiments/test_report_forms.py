"""A report can be read at 80 columns, in Markdown and in HTML, whatever the data says."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from experiments.metrics import METRICS
from experiments.report import build_report
from experiments.report.cells import label
from experiments.report.data import as_data
from experiments.report.markdown import as_markdown, write_markdown
from experiments.report.notebook import as_html
from experiments.report.terminal import as_text
from experiments.report.text import clean, hypertext, markdown, markdown_code

HOSTILE = (
    "<script>alert(1)</script> a|b `c` \x1b[31mred\x1b[0m\x1b]0;title\x07 [x](y)\nnext\x00 مرحبا"
)


@pytest.fixture
def hostile(runs, tmp_path):
    """Return the report of a run in which every text is hostile."""
    records = [
        *runs.complete(("sklearn", "dask"), warnings=[HOSTILE]),
        runs.failed("spark", "failed", HOSTILE),
        runs.record(HOSTILE, metrics={HOSTILE: 1.0}),
    ]
    records[0]["parameters"] = [
        {"name": HOSTILE, "asked": HOSTILE, "verdict": "convert", "native": HOSTILE,
         "value": HOSTILE, "why": HOSTILE},
    ]  # fmt: skip
    point = {"dataset.path": HOSTILE}
    for record in records:
        record["point"] = point
    folder = runs.write(
        tmp_path,
        records,
        points=(point,),
        experiment=HOSTILE,
        question=HOSTILE,
        host={HOSTILE: HOSTILE},
        versions={HOSTILE: HOSTILE},
        run=HOSTILE,
    )
    with (folder / "definition.yaml").open("a", encoding="utf-8") as file:
        file.write("question: |\n  ```\n  <script>\n")
    return build_report(folder)


@pytest.fixture
def full(runs, tmp_path):
    """Return the report of a run with rounds, a failure and a disagreement."""
    records = [
        runs.record(engine, round=number, repeat=repeat)
        for number in range(3)
        for engine in ("sklearn", "dask", "spark")
        for repeat in range(3)
    ]
    for number, record in enumerate(records):
        for phase in record["phases"]:
            phase["wall_s"] *= 1 + number / 100
        if record["engine"] == "dask":
            record["metrics"]["inertia"] *= 2
    records.append(runs.failed("spark", "out of memory", "too much", round=2))
    return build_report(runs.write(tmp_path, records, rounds=3, warm_repeats=2))


def test_three_engines_stand_side_by_side_at_80_columns(full):
    text = as_text(full, 80)
    (header,) = [line for line in text.splitlines() if line.split()[:2] == ["scikit-learn", "Dask"]]
    assert len(header) <= 80
    fit = text[text.index("fit, warm") :]
    assert re.match(r"fit, warm \(n=6\) +\S+ s +1\.0x +\S+ s +4\.\dx +\S+ s\n", fit)


@pytest.mark.parametrize("width", [30, 40, 60, *range(68, 92), 120, 200])
def test_no_line_is_wider_than_the_terminal_and_nothing_is_cut(full, width):
    text = as_text(full, width)
    assert all(cell_len(line) <= width for line in text.splitlines() if "log:" not in line)
    assert "…" not in text
    for engine in ("scikit-learn", "Dask", "Spark"):
        assert engine in text
    joined = " ".join(text.split())
    for number in ("4.00 GiB", "out of memory", "0.182311", "200 MiB", "2 x 1 thread"):
        assert number in joined, number


def test_the_log_of_a_failure_can_be_copied_from_a_narrow_terminal(full):
    assert f"log: {full.folder / 'logs' / 'spark-p0-r0.log'}" in as_text(full, 30)


def test_the_disagreement_stands_above_the_table(full):
    for text in (as_text(full, 80), as_markdown(full), as_html(full)):
        alarm = text.lower().index("the engines do not agree")
        assert alarm < text.index("Accuracy")
        assert alarm < text.index("fit, cold")


def test_plain_text_has_no_escape_sequences(full, hostile):
    for report in (full, hostile):
        for form in (as_text(report, 80), as_markdown(report), as_html(report)):
            assert "\x1b" not in form
            assert "\x00" not in form
            assert "\x07" not in form
            # nothing is left of a sequence either
            assert "31m" not in form
            assert "0;title" not in form


def test_letters_of_every_script_stay(hostile):
    for form in (as_text(hostile, 80), as_markdown(hostile), as_html(hostile)):
        assert "مرحبا" in form


def test_hostile_text_makes_no_markup_in_markdown(hostile):
    text = as_markdown(hostile)
    # the definition is the last block; within a fence nothing is markup
    prose, _, block = text.partition("## Definition as run\n\n")
    fence = block.splitlines()[0].removesuffix("yaml")
    assert len(fence) > 3
    assert block.count(fence) == 2
    without_code = re.sub(r"(?<!\\)(`+)(?!`).*?(?<!`)\1(?!`)", "", prose)
    assert "<script" not in without_code
    assert not re.search(r"(?<!\\)\]\(", without_code)
    for line in prose.splitlines():
        if line.startswith("|"):
            cells = len(re.findall(r"(?<!\\)\|", line)) - 1
            assert cells == 5, line


def test_hostile_text_makes_no_markup_in_a_notebook(hostile):
    tags = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.append((tag, dict(attrs)))

    Tags().feed(as_html(hostile))
    assert {tag for tag, _ in tags} <= {
        "div", "h3", "h4", "p", "strong", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th",
        "td", "br", "small", "sup",
    }  # fmt: skip
    assert {key for _, attrs in tags for key in attrs} <= {"style", "colspan"}


@given(st.text(st.characters(), max_size=60))
def test_cleaned_text_is_one_line_without_control_characters(text):
    cleaned = clean(text)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", cleaned)
    cleaned.encode("utf-8")
    assert clean(cleaned) == cleaned
    for form in (markdown, markdown_code, hypertext):
        assert "\n" not in form(text)
    assert "<" not in markdown(text)
    assert not re.search(r"(?<!\\)(\\\\)*\|", markdown(text))


def test_report_md_holds_all_that_a_reader_needs(full):
    text = write_markdown(full).read_text(encoding="utf-8")
    assert text == as_markdown(full)
    for part in (
        "# kmeans", "Does distributing k-means pay off", "## Comparison", "## Footnotes",
        "## What this comparison does not show", "## What the rows mean", "## Parameters",
        "## Machine", "## Versions", "## Definition as run", "```yaml", "n_clusters: 10",
        "scikit-learn: 1.9.1", "out of memory", "logs/spark-p0-r0.log", "page cache",
        "2 cores and 4.00 GiB for each engine",
    ):  # fmt: skip
        assert part in text, part


def test_writing_the_report_leaves_nothing_beside_it(full):
    before = {path.name for path in full.folder.iterdir()}
    path = write_markdown(full)
    write_markdown(full)
    assert {one.name for one in full.folder.iterdir()} == before | {"report.md"}
    assert path.stat().st_mode & 0o777 == 0o644


def test_the_report_is_a_function_of_the_folder(full):
    again = build_report(full.folder)
    assert as_markdown(again) == as_markdown(full)
    assert as_text(again) == as_text(full)


def test_data_for_programs_has_full_numbers_and_is_json(full):
    content = json.loads(json.dumps(as_data(full), allow_nan=False))
    (table,) = content["tables"]
    assert table["baseline"] == "sklearn/library"
    cells = {row["key"]: row["cells"] for row in table["rows"]}
    fit = cells["fit_warm_wall_s"]
    # three rounds have an interval, and so the ratio is that of the typical values
    for ratio, value in (("ratio", "typical"), ("ratio_of_medians", "median")):
        assert fit["dask/library"][ratio] == pytest.approx(
            fit["dask/library"][value] / fit["sklearn/library"][value]
        )
    assert fit["spark/library"]["ratio"] is None
    assert len(content["records"]) == 28
    assert content["completed"] is False
    assert table["problems"][0]["log"] == "logs/spark-p0-r0.log"


def test_a_kmeans_table_of_three_engines_wraps_no_row_at_80_columns(runs, tmp_path):
    names = [name for name, metric in METRICS.items() if "clustering" in metric.tasks]
    facts = {"workers": 1, "threads_per_worker": 2, "memory_bytes": 4 * 2**30}
    seconds = {"sklearn": 0.00312, "dask": 0.998, "spark": 13.7}
    records = []
    for number in range(2):
        for engine, unit in seconds.items():
            for repeat in range(6):
                one = runs.record(engine, round=number, repeat=repeat, facts=facts)
                one["metrics"] = dict.fromkeys(names, 1165402.3)
                for phase in one["phases"]:
                    phase["wall_s"] = unit * (1 + number / 10 + repeat / 30)
                    phase["cpu_s"] = phase["wall_s"] * 1.2345
                    phase["peak_memory_bytes"] = 900 * 2**20
                records.append(one)
    pairs = {"sklearn~dask": 0.986732, "sklearn~spark": 0.986732, "dask~spark": 0.986732}
    folder = runs.write(
        tmp_path, records, rounds=2, warm_repeats=5, agreement={"{}": pairs}
    )  # fmt: skip
    report = build_report(folder)
    lines = as_text(report, 80).splitlines()
    for group in report.tables[0].groups:
        for row in group.rows:
            assert any(line.startswith(f"  {label(row)}  ") for line in lines), row.label


def test_every_form_gives_the_answer_above_the_table(full):
    (table,) = full.tables
    assert table.answer
    words = " ".join(table.answer.split()[:3])
    assert words in as_text(full, 200)
    for form in (as_text(full, 200), as_markdown(full), as_html(full)):
        assert form.index(words) < form.index("Iterations")
    assert as_data(full)["tables"][0]["answer"] == table.answer


def test_every_form_says_how_far_the_phase_was_that_was_cut_short(runs, tmp_path):
    failed = runs.failed("dask", "timed out", "too long")
    failed["phases"].append(runs.phase("fit", 12.3, peak_memory_bytes=2**30, ended=False))
    records = [*runs.complete(("sklearn",)), failed]
    report = build_report(runs.write(tmp_path, records, engines=("sklearn", "dask")))
    for form in (as_text(report, 200), as_markdown(report), as_html(report)):
        assert "in phase fit after 12.3 s, peak 1.00 GiB: too long" in form
    (problem,) = as_data(report)["tables"][0]["problems"]
    assert problem["phase"]["wall_s"] == 12.3


def test_every_form_says_what_each_point_of_a_sweep_was_granted(runs, tmp_path):
    points = ({"measure.warm_repeats": 1}, {"measure.warm_repeats": 0})
    records = [
        *runs.complete(point=points[0]),
        *(runs.record(name, point=points[1]) for name in ("sklearn", "dask", "spark")),
    ]
    report = build_report(runs.write(tmp_path, records, points=points))
    for form in (as_text(report), as_markdown(report), as_html(report)):
        assert form.index("cold fit and 1 warm") < form.index("cold fit and 0 warm")
        assert form.count("2 cores and 4.00 GiB for each engine") == 2
    again = build_report(runs.write(tmp_path / "one", runs.complete()))
    for form in (as_text(again), as_markdown(again), as_html(again)):
        assert form.count("2 cores and 4.00 GiB for each engine") == 1


def test_the_memory_that_an_engine_limits_itself_to_is_explained_beside_the_grant(
    full, runs, tmp_path
):
    records = runs.complete()
    for record in records:
        if record["engine"] == "dask":
            record["facts"]["memory_bytes"] = 3 * 2**30
    report = build_report(runs.write(tmp_path / "own", records))
    for form in (as_text(report, 200), as_markdown(report), as_html(report)):
        assert "own memory limit" in form
        assert "Own memory limit: what an engine holds its workers or its Java heap to" in form
    # where no engine has a limit of its own there is nothing to explain
    assert "Own memory limit:" not in as_text(full, 200)
