"""The page of a report is one file that needs no other, and nothing from data is markup in it."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import itertools
import json
import math
import re
from html.parser import HTMLParser

import pytest

from experiments.report import build_report
from experiments.report.charts.build import build_figures
from experiments.report.charts.figure import spec
from experiments.report.given import list_given
from experiments.report.html import as_page
from experiments.report.html.page import FULL_TABLES
from experiments.report.html.parts import deciding, lead, main_row, noise
from experiments.report.html.scripts import as_json, as_script, policy
from experiments.report.html.sorting import sort_value
from experiments.report.markdown import as_markdown
from experiments.report.parameters import list_parameters
from experiments.report.points import at_points
from experiments.report.shortened import shorten, tell_rest
from experiments.report.text import markdown
from experiments.report.write import write_report

HOSTILE = (
    '</script><script>hacked()</script><img src=x onerror=hacked()> " onload=hacked() x=" \' &amp; '
    "{{ 7 * 7 }} {% raw %} \x1b[31mred\x00 \u202eright مرحبا 数据 " + "x" * 200
)
MOST_BYTES = 4_000_000


class Page(HTMLParser):
    """Elements of a page, with their attributes, and what their text is."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements = []
        self.texts = {}
        self._open = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        assert len(attrs) == len(dict(attrs)), f"{tag} has an attribute twice: {attrs}"
        self.elements.append((tag, dict(attrs)))
        if tag in {"script", "h1", "h2", "h3", "p", "li", "td", "th", "pre"}:
            self._open.append((tag, len(self.elements)))

    def handle_endtag(self, tag):
        if self._open and self._open[-1][0] == tag:
            self._open.pop()

    def handle_data(self, data):
        for tag, place in self._open:
            self.texts.setdefault((tag, place), []).append(data)

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def text_of(self, tag):
        return ["".join(parts).strip() for (name, _), parts in self.texts.items() if name == tag]


@pytest.fixture
def full(runs, tmp_path):
    """Return the report of a run with rounds and a failure."""
    records = [
        one for number in range(3) for one in runs.complete(("sklearn", "dask"), round=number)
    ]
    records.append(runs.failed("spark", "out of memory", "It used 5 GiB of 4 GiB."))
    return build_report(runs.write(tmp_path, records, rounds=3))


@pytest.fixture
def hostile(runs, tmp_path):
    """Return the report of a run in which every text is hostile."""
    point = {f"dataset.{HOSTILE}": HOSTILE}
    records = [
        *runs.complete(("sklearn", "dask"), warnings=[HOSTILE], point=point),
        runs.failed("spark", "failed", HOSTILE, point=point),
        runs.record(HOSTILE, metrics={HOSTILE: 1.0}, implementation=HOSTILE, point=point),
    ]
    records[0]["parameters"] = [
        {"name": HOSTILE, "asked": HOSTILE, "verdict": "convert", "native": HOSTILE,
         "value": HOSTILE, "why": HOSTILE},
    ]  # fmt: skip
    records[1]["facts"] = {
        "cores": HOSTILE,
        "versions": {HOSTILE: HOSTILE},
        "native_threads": {HOSTILE: HOSTILE},
        "details": {HOSTILE: [HOSTILE]},
    }
    folder = runs.write(
        tmp_path,
        records,
        points=(point,),
        experiment=HOSTILE,
        question=HOSTILE,
        started=HOSTILE,
        host={HOSTILE: HOSTILE},
        versions={HOSTILE: HOSTILE},
        run=HOSTILE,
    )
    with (folder / "definition.yaml").open("a", encoding="utf-8") as file:
        file.write(f"question: |\n  {HOSTILE}\n")
    return build_report(folder)


def test_a_page_is_one_small_file_that_refers_to_no_other(full):
    text = as_page(full, build_figures(full))
    assert len(text.encode()) < MOST_BYTES
    page = Page(text)
    for tag, attributes in page.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            if name in attributes:
                value = attributes[name]
                assert value.startswith(("#", "data:image/svg+xml;base64,")), value[:80]
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style


def test_question_answer_and_what_decides_it_come_first(full):
    text = as_page(full)
    page = Page(text)
    assert page.text_of("h1") == ["Does distributing k-means pay off on one machine?"]
    places = [
        text.index(part)
        for part in (
            "<h1",
            '<p class="answer',
            'id="deciding"',
            'id="tables"',
            'id="given"',
            'id="parameters"',
            'id="machine"',
            'id="definition"',
            'id="limits"',
        )
    ]
    assert places == sorted(places)


def test_every_text_of_a_report_is_in_its_page(full):
    said = " ".join(Page(as_page(full)).text_of("p") + Page(as_page(full)).text_of("li"))
    for text in (lead(full.answer)[0], *full.limits, *full.warnings, *full.footnotes):
        assert text in said
    cells = Page(as_page(full)).text_of("td")
    assert "out of memory" in cells
    assert "Spark out of memory" in said
    assert "It used 5 GiB of 4 GiB." in said


def test_headings_are_in_order_and_every_reference_has_its_element(full):
    page = Page(as_page(full, build_figures(full)))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for name in attributes.get("aria-labelledby", "").split():
            assert name in ids
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in ids


def test_a_chart_has_an_image_a_text_and_its_numbers(full):
    figures = build_figures(full)
    assert figures
    text = as_page(full, figures, {figures[0].key: "<svg>drawn before</svg>"})
    page = Page(text)
    images = page.of("img")
    assert [one["alt"] for one in images] == [figure.text for figure in figures]
    first = base64.b64decode(images[0]["src"].partition(",")[2]).decode()
    assert first == "<svg>drawn before</svg>"
    cells = page.text_of("td")
    for figure in figures:
        assert figure.text in text.replace("&#39;", "'")
        assert figure.rows[0][-1] in cells


def test_a_chart_of_the_other_theme_is_the_same_but_for_its_colours(full):
    figures = build_figures(full)
    data = re.findall(
        r'<script type="application/json">(.*?)</script>', as_page(full, figures), re.DOTALL
    )
    assert len(data) == len(figures)
    for figure, text in zip(figures, data, strict=True):
        specs = json.loads(text)
        assert specs["light"] == json.loads(as_json(spec(figure, "light")))
        assert specs["light"] | specs["dark"] == json.loads(as_json(spec(figure, "dark")))


def test_only_the_scripts_of_the_page_may_run(full):
    text = as_page(full, build_figures(full))
    page = Page(text)
    rules = page.of("meta")[1]["content"]
    assert page.of("meta")[1]["http-equiv"] == "Content-Security-Policy"
    assert "default-src 'none'" in rules
    assert "unsafe-eval" not in rules
    assert "http" not in rules.replace("'none'", "")
    allowed = set(re.findall(r"'sha256-([^']+)'", rules))
    run = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(run) == 2
    digests = {base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in run}
    assert allowed == digests


def test_a_page_without_charts_carries_no_chart_library(full):
    text = as_page(full)
    assert "vegaEmbed=" not in text.replace(" ", "")
    assert len(text) < 200_000


def test_nothing_from_data_becomes_markup(hostile):
    text = as_page(hostile, build_figures(hostile))
    page = Page(text)
    assert not [one for one in page.of("img") if one.get("src") == "x"]
    for tag, attributes in page.elements:
        handlers = [name for name in attributes if name.startswith("on")]
        assert not handlers, (tag, attributes)
    assert text.count("<script>") == 2
    assert text.count("</script>") == text.count("<script")
    # outside of a script every one of them is text
    assert "49" not in page.text_of("h1")[0]
    assert "{{ 7 * 7 }}" in page.text_of("h1")[0]


def test_no_text_steers_or_reorders_the_page(hostile):
    text = as_page(hostile, build_figures(hostile))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)


def test_the_data_of_a_chart_cannot_end_its_element():
    text = as_json({"a": "</script><!--<script> & ' \u2028", "b": math.nan, "c": [math.inf, 1.5]})
    assert not set("<>&'\u2028") & set(text)
    assert json.loads(text) == {
        "a": "</script><!--<script> & ' \u2028",
        "b": None,
        "c": [None, 1.5],
    }


def test_a_script_cannot_end_its_element():
    text = as_script("a = '</script><!-- </SCRIPT>';\r\nb\r")
    assert not re.search("</script|<!--", text, re.IGNORECASE)
    assert "\r" not in text


def test_without_scripts_none_is_allowed():
    assert "script-src 'none';" in policy([])


def test_a_sweep_of_many_points_says_which_have_full_tables(runs, tmp_path):
    points = tuple({"dataset.n_samples": 1000 * (one + 1)} for one in range(FULL_TABLES + 6))
    records = [one for point in points for one in runs.complete(point=point)]
    page = Page(as_page(build_report(runs.write(tmp_path, records, points=points))))
    full = [one for one in page.of("table") if "full" in one.get("class", "")]
    assert len(full) == FULL_TABLES
    assert any("Only the first 24 have full tables here" in one for one in page.text_of("p"))
    shown = " ".join(page.text_of("th"))
    assert "30,000" in shown


def test_the_longest_bar_is_the_slowest_engine(full):
    lines = {line.title: line.values[0] for line in deciding(full).lines}
    assert lines["Dask"].bar == 1
    assert lines["scikit-learn"].bar == pytest.approx(1 / 4)
    assert lines["Spark"].bar is None
    assert lines["Spark"].value == "out of memory"


def test_what_decides_is_the_warm_search_before_any_fit(runs, tmp_path):
    records = [
        runs.search_record(engine, repeat=repeat)
        for engine in ("sklearn", "dask")
        for repeat in (0, 1)
    ]
    folder = runs.write(tmp_path, records, engines=("sklearn", "dask"), search="{strategy: grid}")
    assert main_row(build_report(folder).tables[0]).key == "search_warm_wall_s"


def test_a_run_in_which_nothing_was_measured_still_makes_a_page(runs, tmp_path):
    records = [
        {**runs.failed(name, "crashed", "It ended."), "phases": []}
        for name in ("sklearn", "dask", "spark")
    ]
    report = build_report(runs.write(tmp_path, records))
    said = Page(as_page(report, build_figures(report))).text_of("li")
    assert any("scikit-learn crashed" in one for one in said)


def test_a_run_with_one_engine_makes_a_page(runs, tmp_path):
    folder = runs.write(tmp_path, runs.complete(("dask",)), engines=("dask",))
    report = build_report(folder)
    page = Page(as_page(report, build_figures(report)))
    assert page.text_of("h1") == [report.question]
    assert any(one.startswith("Dask") for one in page.text_of("th"))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("376 ms", 0.376),
        ("1.09 s", 1.09),
        ("1,797", 1797),
        ("3.60 GiB", 3.6 * 2**30),
        ("-0.25", -0.25),
        ("1.5e-05", 1.5e-5),
        ("12 %", 0.12),
        ("501 ms (1.7x) [1.2-2.3x]", 0.501),
        ("0.9737 ± 0.012", 0.9737),
        ("2 min", 120),
        ("out of memory", None),
        ("", None),
    ],
)
def test_a_cell_is_sorted_by_its_number_in_the_base_unit(text, number):
    assert sort_value(text) == (None if number is None else pytest.approx(number))


def test_the_first_sentence_of_an_answer_leads():
    text = (
        "Dask takes 1.5 (95 % interval 1.2 to 1.9) times as long. More cores could change it. So."
    )
    assert lead(text) == (
        "Dask takes 1.5 (95 % interval 1.2 to 1.9) times as long.",
        "More cores could change it. So.",
    )
    assert lead("") == ("", "")


def test_a_parameter_that_is_the_same_everywhere_is_told_once(runs, tmp_path):
    points = tuple({"dataset.n_samples": number} for number in (10, 20, 30, 40, 50, 60))
    records = [one for point in points for one in runs.complete(("dask",), point=point)]
    for one in records:
        if one["point"]["dataset.n_samples"] > 10:
            tol, n_init = one["parameters"]
            one["parameters"] = [{**tol, "value": 0.5}, n_init]
    folder = runs.write(tmp_path, records, points=points, engines=("dask",))
    (dask,) = list_parameters(build_report(folder))
    assert dask.name == "Dask (library)"
    assert [(one.name, one.verdict, one.value, one.where) for one in dask.parameters] == [
        ("tol", "converted", "0.000321", "dataset.n_samples = 10"),
        (
            "tol",
            "converted",
            "0.5",
            "dataset.n_samples = 20; dataset.n_samples = 30; dataset.n_samples = 40 and 2 more",
        ),
        ("n_init", "rejected", "-", ""),
    ]
    assert all(one.told for one in dask.parameters)


def test_points_that_are_all_there_are_need_no_names():
    assert at_points(["a", "b"], ["a", "b"]) == ""
    assert at_points(["a"], ["a", "b"]) == "a"


def test_what_differed_between_processes_is_listed(runs, tmp_path):
    records = [
        one for number in range(6) for one in runs.complete(("sklearn", "dask"), round=number)
    ]
    for one in records:
        one["facts"] = {
            **one["facts"],
            "versions": {"numpy": "2.0"},
            "native_threads": {"driver": 2},
            "details": {
                "scheduler": f"tcp://127.0.0.1:{one['round']}",
                "worker_memory_bytes": [2**30],
            },
        }
    folder = runs.write(tmp_path, records, engines=("sklearn", "dask"), rounds=6)
    table = list_given(build_report(folder))
    rows = {row.label: row for row in table.rows}
    assert [group for group, _ in table.groups] == [
        "Granted", "Native threads", "Versions", "Details",
    ]  # fmt: skip
    assert rows["workers"].cells == ("1", "2")
    assert rows["own memory limit"].cells == ("4.00 GiB", "4.00 GiB")
    assert rows["worker memory bytes"].cells == ("1.00 GiB", "1.00 GiB")
    assert rows["scheduler"].cells[0] == (
        "tcp://127.0.0.1:0; tcp://127.0.0.1:1; tcp://127.0.0.1:2; tcp://127.0.0.1:3; and 2 more"
    )


def test_all_files_of_a_report_are_written_and_written_again(full):
    first = write_report(full)
    assert first.markdown.name == "report.md"
    assert first.html.name == "report.html"
    assert [one.parent.name for one in first.figures] == ["figures"] * len(first.figures)
    text = first.markdown.read_text(encoding="utf-8")
    for image in first.figures:
        assert f"(figures/{image.name})" in text
    before = first.html.read_text(encoding="utf-8")
    assert write_report(full) == first
    assert first.html.read_text(encoding="utf-8") == before
    left = {one.name for one in full.folder.iterdir() if one.name.startswith(".")}
    assert not left


def test_all_that_a_page_tells_of_the_engines_is_in_markdown_too(full):
    page, text = Page(as_page(full)), as_markdown(full)
    heads = {one.rstrip() for one in page.text_of("h2")} - {"Answer", "Versions and host"}
    missing = {
        head for head in heads - {"Accuracy, time and resources"} if f"## {head}\n" not in text
    }
    assert missing == set()
    given = list_given(full)
    assert given.rows
    for row in given.rows:
        assert (
            f"| {markdown(row.label)} | {' | '.join(markdown(c or '-') for c in row.cells)} |"
            in (text)
        )
    told = [one for engine in list_parameters(full) for one in engine.parameters if one.told]
    assert {one.verdict for one in told} == {"converted", "rejected"}
    for one in told:
        assert one.why
        assert f"- **{markdown(one.name)}** {markdown(one.fate)}" in text
        assert f"{one.name} {one.fate}" in page.text_of("li")


def test_what_differs_between_points_is_told_of_parameters_in_markdown(runs, tmp_path):
    points = tuple({"dataset.n_samples": number} for number in (10, 20, 30))
    records = [one for point in points for one in runs.complete(("dask",), point=point)]
    for one in records:
        if one["point"]["dataset.n_samples"] > 10:
            tol, n_init = one["parameters"]
            one["parameters"] = [{**tol, "value": 0.5}, n_init]
    text = as_markdown(build_report(runs.write(tmp_path, records, points=points)))
    assert "- **tol** 0.0001 becomes tol 0.000321 at dataset.n\\_samples = 10. dask-ml" in (
        text.replace("n_samples", "n\\_samples")
    )
    assert "| tol | 0.0001 | converted | tol | 0.5 | " in text


def test_the_noise_of_a_sweep_is_told_of_its_greatest_value(runs, tmp_path):
    # written in an order of their own
    sizes = (1_000, 100_000, 10_000)
    points = tuple({"dataset.n_samples": size} for size in sizes)
    records = []
    for size, point in zip(sizes, points, strict=True):
        for number in range(3):
            made = runs.complete(("sklearn", "dask"), point=point, round=number)
            again = runs.complete(("sklearn",), point=point, round=number)
            for one in again:
                one["null_run"] = True
                for phase in one["phases"]:
                    phase["wall_s"] *= 1 + size / 1e5 + number / 50
            records += [*made, *again]
    for one in records:
        one.setdefault("null_run", False)
        one["schema"] = 2
    report = build_report(runs.write(tmp_path, records, points=points, rounds=3))
    told = noise(report)
    assert told == report.sweeps[0].noise
    assert "at 100,000 rows: a second scikit-learn took 2" in told
    first_screen = html.unescape(as_page(report).partition("<nav")[0])
    assert told in first_screen
    for table in report.tables:
        assert table.null_run not in first_screen


def test_a_null_run_that_was_asked_for_and_not_made_is_told_in_the_first_screen(runs, tmp_path):
    records = runs.complete(("sklearn", "dask"))
    folder = runs.write(tmp_path, records, engines=("sklearn", "dask"))
    path = folder / "definition.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("warm_repeats: 1", "warm_repeats: 1, null_run: true"))
    report = build_report(folder)
    assert "is not known" in noise(report)
    assert noise(report) in html.unescape(as_page(report).partition("<nav")[0])


def test_a_long_answer_is_small_and_its_first_sentence_leads(full):
    short = as_page(full)
    assert '<p class="answer">' in short or '<p class="answer long">' in short
    sentence = f"Dask is {'much ' * 60}slower."
    text = as_page(dataclasses.replace(full, answer=f"{sentence} More cores may change it."))
    assert f'<p class="answer long">{sentence}</p>' in text
    assert '<p class="quiet">More cores may change it.</p>' in text
    text = as_page(dataclasses.replace(full, answer="Dask is slower. More cores may change it."))
    assert '<p class="answer">Dask is slower.</p>' in text


def test_what_is_left_out_of_a_list_is_counted():
    assert shorten(range(10), 3) == [0, 1, 2]
    assert shorten(range(10), 3, foot=2) == [0, 1, 2, 8, 9]
    assert shorten((1, 2, 3), 3) == (1, 2, 3)
    assert shorten(tuple(range(5)), 3, foot=2) == (0, 1, 2, 3, 4)
    assert tell_rest(range(1_210), 10) == "And 1,200 more, which records.jsonl has."
    assert tell_rest(range(10), 8, foot=2) == ""
    assert tell_rest(range(3)) == ""
