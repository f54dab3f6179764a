"""The tables of a report as LaTeX: whole floats, with nothing from data that LaTeX would run."""

from __future__ import annotations

import re

import pytest

from experiments.report import build_report
from experiments.report.latex import as_latex, escape

HOSTILE = r"\input{/etc/passwd} $x$ 50% a_b a&b #1 {x} ~ ^ | < > `x' \\[9pt] * -- '' é 数 م"


@pytest.fixture
def swept(runs, tmp_path):
    """Return the report of two points with three rounds, in which one engine failed."""
    points = ({"dataset.n_samples": 1000}, {"dataset.n_samples": 20000})
    records = [
        one
        for point in points
        for number in range(3)
        for one in runs.complete(("sklearn", "dask"), point=point, round=number)
    ]
    for place, one in enumerate(records):
        one["phases"] = [
            {**phase, "wall_s": phase["wall_s"] * (1 + place / 500)} for phase in one["phases"]
        ]
    records += [
        runs.failed("spark", "out of memory", "It used 5 GiB.", point=one) for one in points
    ]
    return build_report(runs.write(tmp_path, records, points=points, rounds=3))


def test_a_table_a_point_has_caption_label_and_rules(swept):
    text = as_latex(swept)
    sweeps = text.count(r"\label{tab:enginebench-sweep-")
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 2 + sweeps
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert len(labels) == len(set(labels)) == 2 + sweeps
    for number in (1, 2):
        assert rf"\label{{tab:enginebench-kmeans-{number}}}" in text
    for command in (r"\caption[", r"\toprule", r"\midrule", r"\bottomrule"):
        assert text.count(command) >= 2
    assert "dataset.n\\_samples = 1000" in text


def test_every_line_of_a_table_has_as_many_cells(swept):
    text = as_latex(swept)
    for body in re.findall(r"\\begin\{tabular\}.*?\n(.*?)\\end\{tabular\}", text, re.DOTALL):
        lines = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert len(lines) > 2
        assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {3}


def test_medians_ratios_and_intervals_are_told(swept):
    text = as_latex(swept)
    fit = next(line for line in text.splitlines() if "fit, warm" in line)
    assert re.search(r"s \([\d.]+x\)", fit)
    assert re.search(r"\\scriptsize \{\[\}[\d.]+-[\d.]+ s\{\]\} \{\[\}[\d.]+-[\d.]+x\{\]\}", text)


def test_a_sweep_has_its_times_over_all_points(swept):
    text = as_latex(swept)
    table = text[text.index(r"\label{tab:enginebench-sweep-kmeans-1-times}") :]
    table = table[: table.index(r"\end{table}")]
    assert "rows & scikit-learn & Dask & Spark" in table
    for size in ("1,000 &", "20,000 &"):
        assert size in table
    assert "out of memory" in table


def test_a_failure_is_named_in_its_column_and_below(swept):
    text = as_latex(swept)
    assert text.count(r"\emph{out of memory}") == 2
    assert "Spark out of memory" in text
    assert "It used 5 GiB." in text


def test_footnotes_that_a_table_bears_stand_below_it(swept):
    text = as_latex(swept)
    own = text[text.index(r"\label{tab:enginebench-kmeans-1}") :]
    notes = own[own.index(r"\bottomrule") : own.index(r"\end{table}")]
    assert r"\textsuperscript{1} Dask: tol 0.0001 is converted to" in notes


def test_what_is_escaped_is_plain_text_in_ascii():
    text = escape(HOSTILE)
    assert text.isascii()
    assert text.startswith(r"\textbackslash{}input\{/etc/passwd\} \$x\$ 50\% a\_b a\&b \#1 \{x\}")
    assert r"{\'{e}}" in text
    assert r"\enginebenchletter{6570}" in text
    assert "--" not in text
    assert "''" not in text


def test_every_command_in_a_hostile_report_is_one_of_ours(runs, tmp_path):
    records = [
        *runs.complete(("sklearn", "dask"), warnings=[HOSTILE], metrics={HOSTILE: 1.0}),
        runs.failed("spark", "failed", HOSTILE),
        runs.record(HOSTILE),
    ]
    folder = runs.write(tmp_path, records, experiment=HOSTILE, question=HOSTILE)
    text = as_latex(build_report(folder))
    ours = {
        "textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar",
        "textasciigrave", "enginebenchletter", "begin", "end", "centering", "footnotesize",
        "caption", "label", "linewidth", "toprule", "midrule", "bottomrule", "textbf", "emph",
        "scriptsize", "textsuperscript", "par", "medskip", "raggedright", "providecommand",
        "setlength", "tabcolsep", "belowcaptionskip",
        "ifdefined", "XeTeXversion", "char", "relax", "else", "directlua", "fi", "usepackage",
    }  # fmt: skip
    found = set(re.findall(r"\\([a-zA-Z]+)", text))
    assert found <= ours, found - ours
    # nothing from data ends a group that is open, or opens one that stays so
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")


def test_a_row_never_begins_with_what_a_line_end_would_take_as_its_option(runs, tmp_path):
    records = runs.complete(("sklearn",), metrics={"[9pt] x": 1.0, "* x": 2.0})
    text = as_latex(build_report(runs.write(tmp_path, records, engines=("sklearn",))))
    assert not re.search(r"\\\\\s*[\[*]", text)
    assert "{[}9pt{]} x" in text


def test_a_table_too_long_for_a_page_continues_in_another(runs, tmp_path):
    records = [
        one
        for number in range(3)
        for one in runs.complete(
            ("sklearn", "dask"),
            round=number,
            metrics={f"metric {one}": 1.0 + number for one in range(30)},
        )
    ]
    folder = runs.write(tmp_path, records, engines=("sklearn", "dask"), rounds=3)
    text = as_latex(build_report(folder))
    assert text.count(r"\begin{table}") > 1
    assert "(continued)" in text
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert len(labels) == len(set(labels)) == text.count(r"\begin{table}")


def test_a_run_without_measurements_is_a_table_of_what_went_wrong(runs, tmp_path):
    records = [{**runs.failed("sklearn", "crashed", "It ended."), "phases": []}]
    text = as_latex(build_report(runs.write(tmp_path, records, engines=("sklearn",))))
    assert "scikit-learn crashed" in text
