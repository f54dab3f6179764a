"""``enginebench report`` prints the form asked for and writes the report of a run again."""

from __future__ import annotations

import csv
import io
import json

import pytest

from experiments.cli import run_command


@pytest.fixture
def folder(runs, tmp_path):
    """Return a run folder with one failure."""
    records = [*runs.complete(("sklearn", "dask")), runs.failed("spark", "crashed", "It ended.")]
    return runs.write(tmp_path / "run", records)


@pytest.mark.parametrize(
    ("form", "beginning"),
    [
        ("text", "kmeans\n"),
        ("markdown", "# kmeans\n"),
        ("latex", "% Made by enginebench."),
        ("csv", "engine,implementation,group,"),
        ("json", '{\n  "schema": 1,'),
    ],
)
def test_each_form_is_printed_and_the_files_are_written(folder, capsys, form, beginning):
    assert run_command(["report", str(folder), "--format", form]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(beginning)
    assert printed.err == f"report: {folder / 'report.html'}\n"
    assert (folder / "report.md").is_file()
    assert (folder / "report.html").is_file()
    assert list((folder / "figures").glob("*.svg"))


def test_csv_and_json_can_be_read_by_programs(folder, capsys):
    run_command(["report", str(folder), "--format", "csv"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert {row["engine"] for row in rows} == {"sklearn", "dask", "spark"}
    run_command(["report", str(folder), "--format", "json"])
    first = json.loads(capsys.readouterr().out)
    run_command(["report", str(folder), "--json"])
    assert json.loads(capsys.readouterr().out) == first


def test_markdown_printed_is_the_file_written(folder, capsys):
    run_command(["report", str(folder), "--format", "markdown"])
    assert capsys.readouterr().out == (folder / "report.md").read_text(encoding="utf-8")


def test_two_forms_at_once_are_refused(folder, capsys):
    assert run_command(["report", str(folder), "--json", "--format", "csv"]) == 2
    assert "--json and --format csv ask for two forms at once" in capsys.readouterr().err
    assert not (folder / "report.html").exists()


def test_an_unknown_form_is_refused_with_those_there_are(folder, capsys):
    assert run_command(["report", str(folder), "--format", "pdf"]) == 2
    told = capsys.readouterr().err
    assert "'pdf' is not one of 'text', 'markdown', 'latex', 'csv', 'json'" in told


def test_a_folder_that_cannot_be_written_still_gives_its_tables(folder, capsys):
    (folder / "figures").write_text("a file, where a folder is to be", encoding="utf-8")
    assert run_command(["report", str(folder), "--format", "csv"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("engine,")
    assert printed.err.startswith("note: ")
    assert "cannot be written" in printed.err


def test_figures_are_written_as_png_where_that_is_asked_for(folder):
    assert run_command(["report", str(folder), "--figures", "png"]) == 0
    own = folder / "figures"
    stems = {one.stem for one in own.glob("*.svg")}
    assert stems
    assert {one.stem for one in own.glob("*.png")} == stems
    assert run_command(["report", str(folder)]) == 0
    assert not list(own.glob("*.png"))
    assert {one.stem for one in own.glob("*.svg")} == stems
    assert run_command(["report", str(folder), "--figures", "gif"]) == 2


def test_markdown_and_its_files_are_drawn_from_one_set_of_figures(folder, monkeypatch):
    from experiments.report.charts import build

    drawn = []
    real = build.build_figures

    def count(report):
        drawn.append(report)
        return real(report)

    monkeypatch.setattr(build, "build_figures", count)
    for form in ("markdown", "text"):
        drawn.clear()
        assert run_command(["report", str(folder), "--format", form]) == 0
        assert len(drawn) == 1


def test_a_figure_that_cannot_be_drawn_leaves_the_tables(folder, capsys, monkeypatch):
    import vl_convert

    def fail(*_arguments, **_options):
        raise ValueError("the scripts failed")

    monkeypatch.setattr(vl_convert, "vegalite_to_svg", fail)
    assert run_command(["report", str(folder)]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("kmeans\n")
    assert printed.err.startswith("note: The figure 'time-by-phase' cannot be drawn")
