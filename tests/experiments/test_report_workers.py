"""What a report says of engines on clusters: sums, the most of any worker, what is not known."""

from __future__ import annotations

import csv
import io
import json

import pytest

from experiments.report import build_report
from experiments.report.charts import build_figures
from experiments.report.csv_tables import as_csv
from experiments.report.data import as_data
from experiments.report.given import list_given
from experiments.report.html import as_page
from experiments.report.latex import as_latex
from experiments.report.legend import legend
from experiments.report.markdown import as_markdown
from experiments.report.notebook import as_html
from experiments.report.terminal import as_text

MIB = 2**20
ADDRESS = "tcp://10.0.0.5:8786"
UNENCRYPTED = f"It talked to {ADDRESS} without encryption; use tls://."


def share(number, **other):
    """Return what one worker of Dask used of one phase; the second uses twice as much."""
    counters = {
        "spilled_bytes": 0,
        "sent_bytes": 1000 * number,
        "received_bytes": 5000,
        "gc_s": None,
        "tasks": 12 * number,
    }
    return {
        "worker": f"{number}@tcp://10.0.0.{number}:4001",
        "host": f"10.0.0.{number}",
        "cpu_s": float(number),
        "peak_memory_bytes": (100 + number) * MIB,
        "read_bytes": 7,
        "write_bytes": 9,
        "counters": counters | other.pop("counters", {}),
        **other,
    }


def attached(record, workers=(1, 2), *, address=ADDRESS, warnings=(UNENCRYPTED,), **counters):
    """Return a record as an engine on a cluster leaves it."""
    for phase in record["phases"]:
        phase["workers"] = [share(number, counters=counters) for number in workers]
    who = "psutil in the worker, with all processes below it"
    facts = {
        **record["facts"],
        "details": {"attached": True, "address": address, "encrypted": False},
        "measured_by": {"cpu_s": who, "peak_memory_bytes": who, "spilled_bytes": "its own account"},
        "warnings": list(warnings),
    }
    return {**record, "schema": 3, "null_run": False, "facts": facts, "warnings": list(warnings)}


@pytest.fixture
def report(runs, tmp_path):
    """Return the report of scikit-learn on this machine and Dask on a cluster of two workers."""
    records = runs.complete(("sklearn",))
    records += [attached(one) for one in runs.complete(("dask",))]
    runs.write(tmp_path / "run", records, engines=("sklearn", "dask"), clusters={"dask": {}})
    return build_report(tmp_path / "run")


def rows_of(report):
    return {row.key: row for group in report.tables[0].groups for row in group.rows}


def test_the_most_on_one_worker_stands_beside_the_sum(report):
    rows = rows_of(report)
    assert [cell.value for cell in rows["fit_cpu_worker_most_s"].cells] == [None, 2.0]
    assert [cell.value for cell in rows["peak_memory_worker_most_bytes"].cells] == [None, 102 * MIB]


def test_what_only_clusters_count_is_summed_over_workers_and_phases(report):
    rows = rows_of(report)
    # two workers in the six phases of the two repeats
    assert rows["workers_sent_bytes"].cells[1].value == 6 * 3000
    assert rows["workers_received_bytes"].cells[1].value == 6 * 10000
    assert rows["workers_spilled_bytes"].cells[1].value == 0
    assert rows["workers_sent_bytes"].cells[0].text == ""


def test_what_an_engine_cannot_tell_is_marked_and_the_mark_explained(report):
    row = rows_of(report)["workers_gc_s"]
    assert [cell.text for cell in row.cells] == ["", "?"]
    assert "?: the engine cannot tell." in legend(report.tables[0])
    assert "?: the engine cannot tell." in report.tables[0].workers[0].legend


def test_an_engine_that_failed_before_anybody_was_asked_is_no_engine_that_cannot_tell(
    runs, tmp_path
):
    records = [attached(one) for one in runs.complete(("dask",))]
    records.append(runs.failed("spark", "crashed", "The master is gone."))
    runs.write(tmp_path / "run", records, engines=("dask", "spark"))
    rows = rows_of(build_report(tmp_path / "run"))
    assert rows["workers_sent_bytes"].cells[1].text == ""
    assert rows["workers_gc_s"].cells[0].text == "?"


def test_it_is_said_where_each_engine_computed_and_with_how_many_cores(report):
    rows = rows_of(report)
    assert [cell.text for cell in rows["granted_place"].cells] == ["this machine", ADDRESS]
    assert [cell.text for cell in rows["granted_cores"].cells] == ["2", "2"]
    assert "asked for; clusters have their own memory" in report.granted


def test_the_peak_of_a_cluster_is_called_a_sum_of_peaks(report):
    assert "peak memory is the sum of their peaks" in legend(report.tables[0])
    assert "the peaks of its workers are added" in rows_of(report)["peak_memory_bytes"].meaning


def test_each_worker_has_a_line_of_its_own_in_the_last_fit(report):
    (table,) = report.tables[0].workers
    assert table.title == "Workers of Dask"
    assert table.about == "What each worker used in its last fit (round 1, repeat 2, warm)."
    cells = {row[0]: dict(zip(table.heads, row, strict=True)) for row in table.rows}
    assert list(cells) == [
        "1@tcp://10.0.0.1:4001", "2@tcp://10.0.0.2:4001", "all", "most on one",
    ]  # fmt: skip
    assert cells["1@tcp://10.0.0.1:4001"]["CPU"] == "1.00 s"
    assert cells["all"]["CPU"] == "3.00 s"
    assert cells["most on one"]["Memory"] == "102 MiB"
    assert cells["all"]["GC"] == "?"
    assert "tasks 36" in table.legend


WAYS = [
    "Dask, CPU time and peak memory: psutil in the worker, with all processes below it.",
    "Dask, spilled: its own account.",
]


def test_each_way_of_measuring_is_told_once_and_by_engine(runs, tmp_path):
    records = [attached(one) for one in runs.complete(("dask",))]
    records += [{**one, "implementation": "tuned"} for one in records]
    records += [attached(one) for one in runs.complete(("spark",))]
    runs.write(tmp_path / "run", records, engines=("dask", "spark"))
    report = build_report(tmp_path / "run")
    assert len(report.tables[0].workers) == 3
    ways = [one.text for one in report.measured]
    assert ways == [*WAYS, *(way.replace("Dask", "Spark") for way in WAYS)]
    for form in (as_text, as_markdown, as_html, as_page, as_latex):
        shown = " ".join(form(report).replace("\n", " ").split())
        assert shown.count("psutil in the worker") == 2, form
        assert "ow the workers were measured" in shown
    assert [one["names"] for one in as_data(report)["measured"][:2]] == [
        ["cpu_s", "peak_memory_bytes"], ["spilled_bytes"],
    ]  # fmt: skip


def test_how_workers_are_measured_stands_beneath_all_tables(report):
    for form in (as_text, as_markdown, as_html, as_page):
        shown = form(report)
        assert shown.rindex("2@tcp://10.0.0.2:4001") < shown.index("How the workers were measured")


FIRST = "the last fit that completed (round 1, repeat 1, cold)."
LEFT = "the last fit that did not fail (round 1, repeat 1, cold, degraded)."


def ended(record, outcome):
    lost = {"type": "WorkerLostError", "message": "the worker 1 died", "log": None}
    return {**record, "outcome": outcome, "error": None if outcome == "completed" else lost}


@pytest.mark.parametrize(
    ("outcomes", "about", "cpu"),
    [
        (("completed", "completed"), "its last fit (round 1, repeat 2, warm).", "2.00 s"),
        (("completed", "degraded"), FIRST, "1.00 s"),
        (("completed", "crashed"), FIRST, "1.00 s"),
        (("degraded", "failed"), LEFT, "1.00 s"),
        (("degraded", "degraded"), "its last fit (round 1, repeat 2, warm, degraded).", "2.00 s"),
        (
            ("failed", "timed out"),
            "its last fit, from a round that failed (round 1, repeat 2, warm, timed out).",
            "2.00 s",
        ),
    ],
)  # fmt: skip
def test_rows_of_workers_are_of_what_completed_or_say_how_it_ended(
    runs, tmp_path, outcomes, about, cpu
):
    records = [
        ended(attached(one, workers=(number,)), outcome)
        for number, (one, outcome) in enumerate(
            zip(runs.complete(("dask",)), outcomes, strict=True), start=1
        )
    ]
    runs.write(tmp_path / "run", records, engines=("dask",))
    report = build_report(tmp_path / "run")
    (table,) = report.tables[0].workers
    assert table.about == f"What each worker used in {about}"
    assert table.rows[0][table.heads.index("CPU")] == cpu
    whole = "completed" in outcomes
    assert ("until it died in it" in table.legend) is not whole
    assert as_data(report)["tables"][0]["workers"][0]["outcome"] == table.outcome
    lines = csv.DictReader(io.StringIO(as_csv(report)))
    (line,) = [
        one for one in lines if one["group"].startswith("Worker ") and one["key"] == "fit_cpu_s"
    ]
    assert line["text"] == ("" if whole else table.outcome)


def test_a_fit_that_was_cut_short_is_no_row_of_a_worker(runs, tmp_path):
    records = [attached(one) for one in runs.complete(("dask",))]
    for phase in records[-1]["phases"]:
        phase["ended"] = phase["name"] != "fit"
    runs.write(tmp_path / "run", records, engines=("dask",))
    (table,) = build_report(tmp_path / "run").tables[0].workers
    assert "(round 1, repeat 1, cold)" in table.about


def test_it_is_said_that_what_a_dead_worker_used_is_in_no_number(report, runs, tmp_path):
    assert "until it died" not in legend(report.tables[0])
    records = [ended(attached(one), "degraded") for one in runs.complete(("dask",))]
    runs.write(tmp_path / "other", records, engines=("dask",))
    assert "until it died" in legend(build_report(tmp_path / "other").tables[0])


def test_a_sum_with_an_unknown_part_is_unknown_in_every_form(runs, tmp_path):
    records = [attached(one) for one in runs.complete(("dask",))]
    for record in records:
        for phase in record["phases"]:
            phase["workers"][1]["counters"]["sent_bytes"] = None
            phase["workers"][1]["counters"]["tasks"] = None
    runs.write(tmp_path / "run", records, engines=("dask",))
    report = build_report(tmp_path / "run")
    (table,) = report.tables[0].workers
    sent = [row[table.heads.index("Sent")] for row in table.rows]
    assert sent == ["1000 B", "?", "?", "?"]
    assert "tasks ?" in table.legend
    assert "A sum with an unknown part is unknown" in table.legend
    row = rows_of(report)["workers_sent_bytes"]
    assert (row.cells[0].summary, row.cells[0].text) == (None, "?")
    lines = list(csv.DictReader(io.StringIO(as_csv(report))))
    (line,) = [one for one in lines if one["key"] == "workers_sent_bytes"]
    assert (line["median"], line["text"]) == ("", "?")
    for form in (as_text, as_markdown, as_html, as_page, as_latex):
        shown = " ".join(form(report).replace("\n", " ").split())
        assert "A sum with an unknown part is unknown" in shown
        assert "the engine cannot tell" in shown


def test_a_worker_whose_name_says_nothing_of_its_machine_has_it_beside(runs, tmp_path):
    records = [attached(one, workers=(1,)) for one in runs.complete(("spark",))]
    for one in records:
        for phase in one["phases"]:
            phase["workers"] = [share(1, worker="executor 0")]
    runs.write(tmp_path / "run", records, engines=("spark",))
    (table,) = build_report(tmp_path / "run").tables[0].workers
    assert table.heads[:2] == ("Worker", "Host")
    # one worker is its own sum
    assert [row[:2] for row in table.rows] == [("executor 0", "10.0.0.1")]


@pytest.mark.parametrize("form", [as_text, as_markdown, as_html, as_page, as_latex])
def test_every_form_shows_the_workers_and_how_they_were_measured(report, form):
    shown = form(report).replace("{[}", "[").replace("{]}", "]").replace("\n", " ")
    for text in (
        "orkers of Dask", "2@tcp://10.0.0.2:4001", "psutil in the worker", "on one worker",
        "sum of their peaks", "the engine cannot tell",
    ):  # fmt: skip
        assert text in " ".join(shown.split()), text


def test_csv_has_a_line_for_each_number_of_each_worker(report):
    lines = list(csv.DictReader(io.StringIO(as_csv(report))))
    found = {
        (line["group"], line["key"]): line for line in lines if line["group"].startswith("Worker ")
    }
    second = "Worker 2@tcp://10.0.0.2:4001"
    assert found[second, "fit_cpu_s"]["median"] == "2.0"
    assert found[second, "fit_sent_bytes"]["median"] == "2000"
    assert found[second, "fit_tasks"]["unit"] == "number"
    assert found[second, "fit_gc_s"]["text"] == "?"


def test_json_has_the_numbers_of_workers_in_full(report):
    data = json.loads(json.dumps(as_data(report)))
    (one,) = data["tables"][0]["workers"]
    assert (one["column"], one["phase"]) == ("dask/library", "fit")
    assert [worker["cpu_s"] for worker in one["workers"]] == [1.0, 2.0]
    assert one["workers"][0]["counters"]["gc_s"] is None


def test_more_workers_than_a_page_takes_are_counted_and_their_sums_stay(runs, tmp_path):
    many = tuple(range(1, 400))
    records = [attached(one, workers=many) for one in runs.complete(("dask",))]
    runs.write(tmp_path / "run", records, engines=("dask",))
    report = build_report(tmp_path / "run")
    assert "And 99 more, which records.jsonl has." in as_markdown(report)
    assert "And 349 more" in as_latex(report)
    assert "And 349 more" in as_text(report)
    for form in (as_markdown, as_page, as_latex, as_text):
        assert "most on one" in form(report).replace("\n", " ")


def test_warnings_of_a_session_are_warnings_of_the_report_and_told_once(report):
    assert f"Dask: {UNENCRYPTED}" in report.warnings
    assert not any(UNENCRYPTED in text for text in report.footnotes)


def test_unequal_cores_weaken_a_comparison_and_it_is_said(runs, tmp_path):
    records = runs.complete(("sklearn",))
    for one in runs.complete(("dask",)):
        one["facts"]["cores"] = 8
        records.append(attached(one))
    runs.write(tmp_path / "run", records, engines=("sklearn", "dask"))
    warnings = build_report(tmp_path / "run").warnings
    assert any("different numbers of cores (scikit-learn 2, Dask 8)" in one for one in warnings)


@pytest.mark.parametrize(
    ("address", "limit"),
    [(ADDRESS, "The same machines for all"), ("tcp://127.0.0.1:8786", "More than one machine")],
)
def test_what_is_not_shown_depends_on_where_the_cluster_is(runs, tmp_path, address, limit):
    records = [attached(one, address=address) for one in runs.complete(("dask",))]
    runs.write(tmp_path / "run", records, engines=("dask",))
    assert build_report(tmp_path / "run").limits[0].startswith(limit)


def test_a_degraded_engine_on_a_cluster_has_no_ratio(runs, tmp_path):
    records = runs.complete(("sklearn",))
    records += [attached(one) for one in runs.complete(("dask",))]
    lost = {"type": "WorkerLostError", "message": "the worker 1 died", "log": None}
    records[-1] |= {"outcome": "degraded", "error": lost}
    runs.write(tmp_path / "run", records, engines=("sklearn", "dask"))
    report = build_report(tmp_path / "run")
    assert report.tables[0].heads[1].outcome == "degraded"
    for row in rows_of(report).values():
        assert row.cells[1].ratio is None, row.key


def test_a_run_on_this_machine_alone_says_nothing_of_workers_or_clusters(runs, tmp_path):
    runs.write(tmp_path / "run", runs.complete())
    report = build_report(tmp_path / "run")
    assert report.tables[0].workers == ()
    assert not {key for key in rows_of(report) if "worker" in key} - {"granted_workers"}
    assert not {"granted_place", "granted_cores"} & set(rows_of(report))
    for form in (as_text, as_markdown, as_latex, as_html):
        assert "n a cluster" not in form(report)
        assert "cannot tell" not in form(report)


def test_what_is_drawn_over_time_says_that_workers_elsewhere_are_not_in_it(runs, tmp_path):
    records = [attached(one) for one in runs.complete(("dask",))]
    folder = runs.write(tmp_path / "run", records, engines=("dask",))
    (folder / "samples").mkdir()
    lines = ["seconds,repeat,phase,cpu_s,memory_bytes,read_bytes,write_bytes,processes"]
    lines += [f"{second},0,fit,{second},{MIB},0,0,1" for second in range(20)]
    (folder / "samples" / "dask-p0-r0.csv").write_text("\n".join(lines) + "\n", encoding="ascii")
    drawn = {figure.key: figure.text for figure in build_figures(build_report(folder))}
    for key in ("memory-over-time", "cpu-over-time"):
        assert "these are its processes on this machine alone" in drawn[key]


def test_a_narrow_terminal_shows_what_matters_most_and_breaks_no_number(report):
    lines = as_text(report, 80).splitlines()
    head = next(line for line in lines if line.startswith("Worker  "))
    assert "Written" not in head
    second = next(line for line in lines if line.startswith("2@tcp://10.0.0.2:4001"))
    assert second.split() == [
        "2@tcp://10.0.0.2:4001", "2.00", "s", "102", "MiB", "7", "B", "0", "B", "1.95", "KiB",
        "4.88", "KiB", "?",
    ]  # fmt: skip
    wide = as_text(report, 120).splitlines()
    assert any("Written" in line for line in wide if line.startswith("Worker  "))


def test_what_stood_at_an_end_is_told_apart_from_what_was_counted_in_the_phase(runs, tmp_path):
    more = {"jvm_heap_peak_bytes": 90 * MIB, "python_workers": 2, "shuffle_read_bytes": 1000}
    records = [attached(one, **more) for one in runs.complete(("spark",))]
    runs.write(tmp_path / "run", records, engines=("spark",), clusters={"spark": {}})
    (table,) = build_report(tmp_path / "run").tables[0].workers
    counted, _, levels = table.legend.partition("At its end, or the most since the session began, ")
    assert "shuffle read" in counted
    assert "over all workers: JVM heap peak 180 MiB and Python workers 4." in levels
    assert "peak 180" not in counted


def test_it_is_said_of_which_phases_the_numbers_of_workers_are(report):
    (table,) = report.tables
    assert "is of all phases of one process." in legend(table)
    assert rows_of(report)["workers_spilled_bytes"].meaning.endswith(
        "In all phases of one process."
    )
    assert table.workers[0].about.startswith("What each worker used in its last fit")


def test_what_is_told_of_each_worker_is_in_words(runs, tmp_path):
    records = [attached(one) for one in runs.complete(("spark",))]
    for one in records:
        one["facts"]["details"]["workers"] = [
            {"name": f"executor {number}", "cores": 1, "memory_bytes": 512 * MIB}
            for number in (0, 1)
        ]
    runs.write(tmp_path / "run", records, engines=("spark",))
    rows = {
        (row.group, row.label): row.cells for row in list_given(build_report(tmp_path / "run")).rows
    }
    assert rows["Details", "workers"] == (
        "executor 0, cores 1, memory 512 MiB; executor 1, cores 1, memory 512 MiB",
    )


def test_why_an_engine_is_degraded_stands_apart_from_its_workers_and_is_a_sentence(runs, tmp_path):
    records = [ended(attached(one), "degraded") for one in runs.complete(("dask",))]
    for one in records:
        one["error"]["log"] = "logs/dask-p0-r0.log"
    runs.write(tmp_path / "run", records, engines=("dask",))
    report = build_report(tmp_path / "run")
    assert "\n\nDask degraded in repeat 1: the worker 1 died.\n" in as_text(report)
    assert "the worker 1 died. Log:" in as_markdown(report)
