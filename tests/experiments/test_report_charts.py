"""Charts: what is drawn, what is said of it, and what is never drawn."""

from __future__ import annotations

import gc
import json
import math
import re
import xml.etree.ElementTree as ET
import zlib
from itertools import combinations, pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.errors import RequestError
from experiments.measure.samples import COLUMNS, read_samples
from experiments.report import build_report
from experiments.report.cells import show
from experiments.report.charts import build_figures, png, spec, svg, write_figures
from experiments.report.charts.lanes import lanes_of
from experiments.report.charts.library import bundling, chart_scripts
from experiments.report.charts.marks import (
    LINE_HEIGHT,
    Named,
    log_domain,
    log_ticks,
    place_above,
    spread,
)
from experiments.report.charts.theme import ENGINE_COLOURS, GROUND, PHASE_COLOURS
from experiments.report.write import write_report

HOSTILE = "<script>alert(1)</script>"
ARABIC, CHINESE = "محرك التجزئة", "分布式引擎"
ROWS = "dataset.n_samples"
# one round is a little slower than another: every interval has a width
ROUNDS = (1.0, 1.04, 1.09)


def figures_of(folder):
    return {one.key: one for one in build_figures(build_report(folder))}


def find(figures, start):
    return next(one for key, one in figures.items() if key.startswith(start))


def layers(figure):
    return spec(figure)["layer"]


def rows_of(layer, content):
    data = layer["data"]
    return data["values"] if "values" in data else content["datasets"][data["name"]]


def drawn(figure, kind, **looks):
    """Return the rows of all layers of one kind of mark."""
    content = spec(figure)
    return [
        row
        for layer in content["layer"]
        if layer["mark"]["type"] == kind
        and all(layer["mark"].get(name) == value for name, value in looks.items())
        for row in rows_of(layer, content)
    ]


def texts_of(image):
    return " ".join(ET.fromstring(image).itertext())  # noqa: S314


def timed(runs, engine, seconds, *, rounds=ROUNDS, **other):
    """Return the records of some rounds, each of one cold and one warm fit."""
    return [
        runs.record(
            engine,
            repeat=repeat,
            round=number,
            phases=[
                *([runs.phase("start", 1.0)] if repeat == 0 else []),
                runs.phase("fit", seconds * factor * (2 if repeat == 0 else 1)),
            ],
            **other,
        )
        for number, factor in enumerate(rounds)
        for repeat in (0, 1)
    ]


def sweep(runs, folder, key, times, *, failed=(), **other):
    """Write a run over the values of a key; `times` gives the seconds of each engine."""
    values = other.pop("values")
    records = []
    for value in values:
        for engine, seconds in times.items():
            if (engine, value) in failed:
                message = "It needed more than it was granted."
                records.append(
                    runs.failed(engine, failed[engine, value], message, point={key: value})
                )
            else:
                records += timed(runs, engine, seconds(value), point={key: value})
    points = tuple({key: value} for value in values)
    return runs.write(
        folder, records, points=points, engines=tuple(times), rounds=len(ROUNDS), **other
    )


def write_samples(folder, engine, *, point=0, number=0, end=8.0, steps=40, peak=300):
    """Write samples of a process: memory rises to a peak in MiB, and half a core is busy."""
    own = folder / "samples"
    own.mkdir(exist_ok=True)
    lines = ["seconds,repeat,phase,cpu_s,memory_bytes,read_bytes,write_bytes,processes"]
    for step in range(steps + 1):
        at = end * step / steps
        phase = "fit" if 0.4 < step / steps < 0.8 else "start"
        size = int(peak * 2**20 * math.sin(math.pi * step / steps / 1.2))
        lines.append(f"{at:.3f},0,{phase},{at * 1.5:.3f},{size},0,0,3")
    path = own / f"{engine}-p{point}-r{number}.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def whole(runs, tmp_path):
    """Write a run of three rounds of three engines, with samples."""
    records = [one for engine, s in SECONDS.items() for one in timed(runs, engine, s)]
    folder = runs.write(tmp_path / "run", records, rounds=3)
    for engine, seconds in SECONDS.items():
        for number in range(3):
            write_samples(folder, engine, number=number, end=4 * seconds, peak=100 * seconds)
    return folder


SECONDS = {"sklearn": 1.0, "dask": 2.5, "spark": 6.0}


@pytest.fixture
def searched(runs, tmp_path):
    """Write a search of six candidates on two engines."""
    folder = runs.write(
        tmp_path / "search",
        [runs.search_record(engine) for engine in ("sklearn", "dask")],
        engines=("sklearn", "dask"),
        warm_repeats=0,
        search="{strategy: grid}",
    )
    rows = [
        runs.candidate(number, engine=engine, ended_s=(number + 1) * apart)
        for engine, apart in (("sklearn", 0.5), ("dask", 1.5))
        for number in range(6)
    ]
    runs.write_candidates(folder, rows)
    return folder


def test_a_complete_run_has_every_chart_that_has_numbers(whole):
    assert list(figures_of(whole)) == [
        "time-by-phase",
        "cold-and-warm",
        "accuracy-and-time",
        "memory-over-time",
        "cpu-over-time",
    ]


def test_every_form_of_every_chart_shows_its_engines(whole):
    for figure in figures_of(whole).values():
        image = svg(figure)
        assert texts_of(image).startswith(figure.title) or figure.title in texts_of(image)
        for name in ("scikit-learn", "Dask", "Spark"):
            assert name in texts_of(image), figure.key
        assert png(figure, 1).startswith(b"\x89PNG")
        assert spec(figure)["width"] == "container"
        assert "title" not in spec(figure)
        assert spec(figure)["description"] == figure.text


def test_a_chart_is_the_same_in_both_themes_but_for_its_config(whole):
    for figure in figures_of(whole).values():
        light, dark = spec(figure, "light"), spec(figure, "dark")
        assert light.pop("config") != dark.pop("config")
        assert light == dark
        assert svg(figure, "dark") != svg(figure, "light")


def test_every_chart_is_valid_vega_lite(whole, searched, scaled):
    for folder in (whole, searched, scaled):
        for figure in build_figures(build_report(folder)):
            figure.chart.to_dict(validate=True)


def test_an_image_tells_its_text_alternative(whole):
    for figure in figures_of(whole).values():
        root = ET.fromstring(svg(figure))  # noqa: S314
        assert (root.get("role"), root.get("aria-label")) == ("img", figure.text)


def test_the_same_report_gives_the_same_image(whole):
    first, second = figures_of(whole), figures_of(whole)
    for key, figure in first.items():
        assert svg(figure) == svg(second[key])


def test_every_table_of_numbers_has_a_cell_a_head(whole, searched):
    for figure in (*figures_of(whole).values(), *figures_of(searched).values()):
        assert figure.rows
        assert all(len(row) == len(figure.heads) for row in figure.rows)


def test_every_mark_but_lines_of_reference_says_its_numbers(whole, searched):
    figures = (*figures_of(whole).values(), *figures_of(searched).values())
    for figure in figures:
        seen = [one for one in layers(figure) if "tooltip" in one["encoding"]]
        kinds = {one["mark"]["type"] for one in seen}
        assert kinds & {"bar", "point"}, figure.key
        for layer in layers(figure):
            if layer["mark"]["type"] in {"bar", "point", "tick"}:
                assert layer["encoding"]["tooltip"], figure.key


def test_the_parts_of_a_bar_add_up_to_the_whole_and_begin_at_zero(whole):
    figure = figures_of(whole)["time-by-phase"]
    bars = drawn(figure, "bar")
    axis = layers(figure)[0]["encoding"]["x"]["scale"]
    assert axis["domain"][0] == 0
    wholes = {row["engine"]: row["whole"] for row in drawn(figure, "text", fontWeight="bold")}
    assert wholes.keys() == {"scikit-learn", "Dask", "Spark"}
    for engine, total in wholes.items():
        parts = [row for row in bars if row["engine"] == engine]
        assert parts[0]["from"] == 0
        assert all(a["to"] == pytest.approx(b["from"]) for a, b in pairwise(parts))
        assert parts[-1]["to"] == pytest.approx(total)


def test_the_interval_of_a_whole_process_is_drawn_from_three_rounds_on(runs, tmp_path, whole):
    figure = figures_of(whole)["time-by-phase"]
    assert "interval of the whole" in texts_of(svg(figure))
    for row in drawn(figure, "rule"):
        assert row["low"] < row["whole"] < row["high"]
    folder = runs.write(tmp_path / "two", timed(runs, "sklearn", 1.0, rounds=(1.0, 1.1)), rounds=2)
    figure = figures_of(folder)["time-by-phase"]
    assert drawn(figure, "rule") == []
    assert figure.rows[0][-1] == "none, 2 rounds only"


def test_an_engine_without_a_whole_process_is_named_with_its_outcome(runs, tmp_path):
    message = "It needed more than 4 GiB."
    folder = runs.write(
        tmp_path / "run",
        [*timed(runs, "sklearn", 1.0), runs.failed("spark", "out of memory", message)],
        engines=("sklearn", "spark"),
        rounds=3,
    )
    figure = figures_of(folder)["time-by-phase"]
    assert "no whole process: out of memory" in texts_of(svg(figure))
    assert "Without a whole process: Spark" in figure.text
    assert [row[0] for row in figure.rows] == ["scikit-learn"]


def test_cold_and_warm_are_told_apart_by_shape_and_by_words(whole):
    figure = figures_of(whole)["cold-and-warm"]
    points = drawn(figure, "point")
    assert {row["which"] for row in points} == {"cold", "warm"}
    cold, warm = (
        {row["engine"]: row["value"] for row in points if row["which"] == which}
        for which in ("cold", "warm")
    )
    assert all(cold[engine] == pytest.approx(2 * warm[engine]) for engine in warm)
    assert "cold: the first fit" in texts_of(svg(figure))


def test_a_run_without_warm_repeats_has_no_chart_of_cold_and_warm(runs, tmp_path):
    folder = runs.write(tmp_path / "run", [runs.record()], engines=("sklearn",), warm_repeats=0)
    assert "cold-and-warm" not in figures_of(folder)


def test_memory_over_time_begins_at_zero_and_names_the_peak(whole):
    figure = figures_of(whole)["memory-over-time"]
    domain = layers(figure)[0]["encoding"]["y"]["scale"]["domain"]
    assert domain[0] == 0
    assert [row[2] for row in figure.rows] == ["100 MiB", "250 MiB", "600 MiB"]
    assert "Spark 600 MiB" in texts_of(svg(figure))


def test_the_process_over_time_is_the_one_of_median_length(whole):
    figure = figures_of(whole)["memory-over-time"]
    assert {row[1] for row in figure.rows} == {"round 2 of 3"}


def test_cores_used_are_differences_of_cpu_seconds_and_never_below_zero(whole):
    figure = figures_of(whole)["cpu-over-time"]
    values = [row["value"] for row in drawn(figure, "line")]
    assert values
    assert all(value == pytest.approx(1.5, rel=0.05) for value in values)
    path = whole / "samples" / "sklearn-p0-r1.csv"
    lines = [line.split(",") for line in path.read_text().splitlines()]
    # a process with most of the seconds left the tree
    late = [[*cells[:3], "0.001", *cells[4:]] for cells in lines[20:]]
    path.write_text("\n".join(map(",".join, [*lines[:20], *late])) + "\n")
    values = [row["value"] for row in drawn(figures_of(whole)["cpu-over-time"], "line")]
    assert min(values) == 0


def test_the_granted_cores_are_a_line_that_is_named(whole):
    assert "granted: 2 cores" in texts_of(svg(figures_of(whole)["cpu-over-time"]))


def test_samples_that_cannot_be_read_are_passed_over(whole):
    for path in (whole / "samples").glob("spark-*"):
        path.write_text("seconds,repeat\nnonsense,\x00,1\ninf,0,fit,1,1,1,1,1\n")
    figure = figures_of(whole)["memory-over-time"]
    assert [row[0] for row in figure.rows] == ["scikit-learn", "Dask"]
    for path in (whole / "samples").iterdir():
        path.unlink()
    assert not {"memory-over-time", "cpu-over-time"} & figures_of(whole).keys()


def test_samples_of_a_null_run_are_no_engine(whole):
    (whole / "samples" / "sklearn-p0-r0.csv").rename(whole / "samples" / "sklearn-p0-r0-null.csv")
    (whole / "samples" / "sklearn-p0-r1.csv").unlink()
    (whole / "samples" / "sklearn-p0-r2.csv").unlink()
    figure = figures_of(whole)["memory-over-time"]
    assert [row[0] for row in figure.rows] == ["Dask", "Spark"]


def test_equal_scores_are_not_drawn_as_different_by_a_tight_axis(whole):
    figure = figures_of(whole)["accuracy-and-time"]
    scale = next(
        one["encoding"]["y"]["scale"]
        for one in layers(figure)
        if "scale" in one["encoding"].get("y", {})
    )
    low, high = scale["domain"]
    value = drawn(figure, "point")[0]["score"]
    assert low < value < high
    assert (high - low) / value >= 0.019
    assert "lower is better" in figure.text


def test_one_engine_alone_is_not_drawn_against_itself(runs, tmp_path):
    folder = runs.write(tmp_path / "run", timed(runs, "sklearn", 1.0), engines=("sklearn",))
    assert "accuracy-and-time" not in figures_of(folder)


def test_a_simulation_has_no_chart_of_accuracy(runs, tmp_path):
    folder = runs.write(
        tmp_path / "run",
        [runs.tasks_record(repeat=repeat) for repeat in (0, 1)],
        engines=("sklearn",),
        workload="{kind: tasks}",
    )
    figures = figures_of(folder)
    assert "accuracy-and-time" not in figures
    assert "run of the tasks" in figures["cold-and-warm"].title


def test_the_progress_of_a_search_only_ever_gets_better(searched):
    figure = figures_of(searched)["search-progress"]
    for engine in ("scikit-learn", "Dask"):
        line = [row for row in drawn(figure, "line") if row["engine"] == engine]
        assert [row["value"] for row in line] == sorted(row["value"] for row in line)
    assert figure.rows == (
        ("scikit-learn", "0.98", "2.50 s", "3.00 s", "6"),
        ("Dask", "0.98", "7.50 s", "9.00 s", "6"),
    )
    assert "C 10" in [row["params"] for row in drawn(figure, "point")][-1]


def test_halving_begins_a_line_of_its_own_in_each_round(runs, searched):
    rows = [runs.candidate(number, ended_s=float(number + 1)) for number in range(6)]
    # more rows, and so a worse score than the best of the round before
    rows += [
        runs.candidate(4, iter=1, n_resources=200, mean_test_accuracy=0.9, ended_s=8.0),
        runs.candidate(5, iter=1, n_resources=200, mean_test_accuracy=0.91, ended_s=9.0),
    ]
    runs.write_candidates(searched, rows)
    figure = figures_of(searched)["search-progress"]
    assert figure.rows[0][1:3] == ("0.91", "9.00 s")
    assert len({row["rung"] for row in drawn(figure, "line")}) == 2
    assert "Each round of halving begins a line of its own" in figure.text


def test_a_search_of_a_time_that_kept_no_seconds_has_no_progress(runs, searched):
    runs.write_candidates(searched, [runs.candidate(number) for number in range(6)])
    assert "search-progress" not in figures_of(searched)
    (searched / "candidates.parquet").write_bytes(b"no table")
    assert "search-progress" not in figures_of(searched)


def test_a_metric_that_is_to_be_low_is_searched_downwards(runs, searched):
    records = [runs.search_record(search={"refit": "log_loss", "scoring": ["log_loss"]})]
    text = "\n".join(json.dumps(one) for one in records) + "\n"
    (searched / "records.jsonl").write_text(text, encoding="utf-8")
    rows = [runs.candidate(number, ended_s=float(number + 1)) for number in range(6)]
    runs.write_candidates(searched, rows)
    figure = figures_of(searched)["search-progress"]
    assert figure.rows[0][1:3] == ("0.07", "5.00 s")
    assert "lower is better" in texts_of(svg(figure))


def linear(fixed, each):
    return lambda value: fixed + each * value


@pytest.fixture
def scaled(runs, tmp_path):
    """Write a sweep over three decades; Spark runs out of memory at the largest."""
    return sweep(
        runs,
        tmp_path / "sizes",
        ROWS,
        {"sklearn": linear(0.01, 2e-5), "dask": linear(1.0, 5e-6), "spark": linear(4.0, 4e-6)},
        values=(1_000, 10_000, 100_000, 1_000_000),
        failed={("spark", 1_000_000): "out of memory"},
    )


def test_a_sweep_over_rows_is_drawn_on_logarithmic_axes_that_say_so(scaled):
    figure = find(figures_of(scaled), "scaling-1")
    scales = [one["encoding"] for one in layers(figure)]
    assert any(one.get("x", {}).get("scale", {}).get("type") == "log" for one in scales)
    shown = texts_of(svg(figure))
    assert "log scale" in shown
    assert "rows" in shown
    for tick in ("1k", "10k", "100k", "1M"):
        assert tick in shown


def test_a_failure_is_drawn_at_its_size_with_its_outcome(scaled):
    figure = find(figures_of(scaled), "scaling-1")
    (cross,) = [row for row in drawn(figure, "point") if row.get("outcome") == "out of memory"]
    assert cross["size"] == 1_000_000
    assert "Spark: out of memory" in texts_of(svg(figure))
    assert "Not completed: Spark at 1,000,000 (out of memory)" in figure.text
    assert ("Spark", "1,000,000", "-", "-", "out of memory") in figure.rows
    times = [row["seconds"] for row in drawn(figure, "point") if "seconds" in row]
    assert cross["value"] > max(times)


def test_a_fitted_line_ends_where_the_measurements_end(scaled):
    figure = find(figures_of(scaled), "scaling-1")
    ends = {
        engine: max(row["size"] for row in drawn(figure, "line") if row["engine"] == engine)
        for engine in ("scikit-learn", "Dask", "Spark")
    }
    assert ends["scikit-learn"] == pytest.approx(1_000_000)
    assert ends["Spark"] == pytest.approx(100_000)


def test_the_size_from_which_an_engine_is_faster_is_drawn_with_its_interval(scaled):
    figure = find(figures_of(scaled), "scaling-1")
    (dask,) = [row for row in drawn(figure, "rect") if row["engine"] == "Dask"]
    assert dask["low"] < 66_000 < dask["high"]
    assert "Dask faster from" in texts_of(svg(figure))


def test_intervals_at_one_size_stand_beside_each_other(scaled):
    figure = find(figures_of(scaled), "scaling-1")
    places = [row["size"] for row in drawn(figure, "point") if row.get("at") == "10,000"]
    assert len(set(places)) == len(places) == 3
    assert all(9_000 < place < 11_000 for place in places)


def test_a_sweep_over_values_that_are_no_numbers_is_drawn_without_a_line_fitted(runs, tmp_path):
    folder = sweep(
        runs,
        tmp_path / "init",
        "workload.init",
        {"sklearn": lambda value: {"shared": 1.0, HOSTILE: 3.0}[value]},
        values=("shared", HOSTILE),
    )
    figure = find(figures_of(folder), "scaling")
    assert "fitted" not in texts_of(svg(figure))
    assert re.fullmatch(r"[a-z0-9-]+", figure.key)


def test_the_charts_of_a_sweep_show_the_largest_size_that_most_engines_answered(scaled):
    figure = figures_of(scaled)["time-by-phase"]
    assert figure.title.endswith("at 100,000 rows")


def test_speed_up_is_drawn_beside_the_ideal(runs, tmp_path):
    folder = sweep(
        runs,
        tmp_path / "cores",
        "resources.cores",
        {"sklearn": lambda n: 8.0 / n**0.5, "dask": lambda n: 1.0 + 8.0 / n},
        values=(1, 2, 4),
    )
    figure = figures_of(folder)["speed-up"]
    ideal = [row for row in drawn(figure, "line") if "engine" not in row]
    assert [(row["workers"], row["speedup"]) for row in ideal] == [(1, 1), (4, 4)]
    last = [row for row in drawn(figure, "point") if row["workers"] == 4]
    assert {row["engine"]: row["speedup"] for row in last} == pytest.approx(
        {"scikit-learn": 2.0, "Dask": 3.0}
    )
    scale = layers(figure)[0]["encoding"]["y"]["scale"]["domain"]
    assert scale[0] == 0
    assert "ideal" in texts_of(svg(figure))


def test_an_engine_looks_the_same_in_every_chart_whoever_ran_with_it():
    alone = {one.engine: one for one in lanes_of([("spark", "library")])}
    among = {one.engine: one for one in lanes_of([(name, "library") for name in ENGINE_COLOURS])}
    assert alone["spark"] == among["spark"]
    looks = [(one.colour, one.shape, one.dash) for one in among.values()]
    for first, second in combinations(looks, 2):
        assert all(a != b for a, b in zip(first, second, strict=True))


def test_two_implementations_of_an_engine_share_its_colour_and_nothing_else():
    library, tuned = lanes_of([("dask", "library"), ("dask", "tuned")])
    assert library.colour == tuned.colour
    assert (library.shape, library.dash) != (tuned.shape, tuned.dash)
    assert library.name != tuned.name
    assert tuned.name == "Dask (tuned)"


def test_names_that_are_cut_short_stay_apart():
    lanes = lanes_of([(f"{'x' * 200}{number}", "library") for number in range(3)])
    assert len({one.name for one in lanes}) == 3
    assert all(len(one.name) <= 28 for one in lanes)


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * one for weight, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first, second):
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_engines_stand_out_from_paper_and_from_a_dark_page():
    for colour in ENGINE_COLOURS.values():
        assert contrast(colour, GROUND["light"]) >= 3
        assert contrast(colour, GROUND["dark"]) >= 3


def test_the_work_stands_out_from_what_leads_up_to_it_without_colour():
    work, warm = PHASE_COLOURS["cold"], PHASE_COLOURS["warm"]
    assert contrast(work, warm) >= 2
    assert contrast(work, PHASE_COLOURS["load"]) >= 2


@pytest.mark.parametrize(
    "name", [HOSTILE, "x" * 200, ARABIC, CHINESE, "a\"b'c${d}", "\x1b[31m\u202e"]
)
def test_no_name_does_harm_in_any_chart(runs, tmp_path, name):
    records = [
        one
        for engine in ("sklearn", name)
        for one in timed(runs, engine, 1.0, point={name: 1}, metrics={name: 0.5})
    ]
    folder = runs.write(
        tmp_path / "run", records, engines=("sklearn",), points=({name: 1},), rounds=3
    )
    figures = build_figures(build_report(folder))
    assert figures
    for figure in figures:
        image = svg(figure)
        root = ET.fromstring(image)  # noqa: S314
        assert not [one for one in root.iter() if one.tag.endswith("script")]
        assert "\x1b" not in image
        assert "\u202e" not in image
        assert re.fullmatch(r"[a-z0-9-]+", figure.key)
        width = float(re.search(r'width="([\d.]+)"', image)[1])
        assert width < 1100


def test_nothing_from_data_becomes_an_expression_of_a_chart(scaled, searched, whole):
    known = re.compile(r"datum\.label == 'cold' \? '[a-z: ]+' : '[a-z: ]+'")
    for folder in (scaled, searched, whole):
        for figure in build_figures(build_report(folder)):
            found = re.findall(r'"(?:\w*[eE]xpr|signal)": "([^"]*)"', json.dumps(spec(figure)))
            assert all(known.fullmatch(one) for one in found)


def test_a_run_in_which_nothing_was_measured_has_no_charts(runs, tmp_path):
    empty = runs.write(tmp_path / "empty", [])
    assert build_figures(build_report(empty)) == ()
    message = "It stopped."
    failed = runs.write(
        tmp_path / "failed",
        [{**runs.failed("spark", "crashed", message), "phases": []}],
        engines=("spark",),
    )
    assert build_figures(build_report(failed)) == ()


@pytest.fixture
def bundled(monkeypatch, tmp_path):
    """Let the cache be in a folder of its own, and count how often scripts are put together."""
    import vl_convert

    made = []

    def bundle(snippet, version):
        made.append(version)
        return "draw();window.vegaEmbed=t;"

    monkeypatch.setattr(vl_convert, "javascript_bundle", bundle)
    monkeypatch.setenv("ENGINEBENCH_CACHE", str(tmp_path / "cache"))
    return made


def test_the_scripts_of_a_page_are_put_together_once_and_kept(bundled, tmp_path):
    assert chart_scripts() == chart_scripts() == "draw();window.vegaEmbed=t;"
    assert len(bundled) == 1
    (kept,) = (tmp_path / "cache" / "charts").iterdir()
    assert "vl-convert-" in kept.name


def test_kept_scripts_that_are_cut_off_or_of_another_user_are_not_run(
    bundled, tmp_path, monkeypatch
):
    chart_scripts()
    (kept,) = (tmp_path / "cache" / "charts").iterdir()
    kept.write_text("draw();")
    assert chart_scripts() == "draw();window.vegaEmbed=t;"
    assert len(bundled) == 2
    kept.write_text("steal();window.vegaEmbed=t;")
    monkeypatch.setattr("os.getuid", lambda: kept.stat().st_uid + 1)
    assert "steal" not in chart_scripts()


def test_a_cache_that_cannot_be_used_is_done_without(bundled, tmp_path):
    (tmp_path / "cache").write_text("a file")
    assert chart_scripts() == chart_scripts()
    assert len(bundled) == 2


def test_the_search_for_cycles_is_on_again_after_a_report_and_after_a_failure(whole, tmp_path):
    assert gc.isenabled()
    build_report(whole)
    assert gc.isenabled()
    with pytest.raises(RequestError):
        build_report(tmp_path / "nowhere")
    assert gc.isenabled()


def test_figures_are_written_under_their_keys_and_nothing_else_is_left(whole):
    report = build_report(whole)
    figures = build_figures(report)
    paths = write_figures(figures, whole)
    assert [path.name for path in paths] == [f"{one.key}.svg" for one in figures]
    assert sorted((whole / "figures").iterdir()) == sorted(paths)
    for path in paths:
        ET.parse(path)  # noqa: S314
    assert write_figures((), whole / "nowhere") == ()
    assert not (whole / "nowhere").exists()


def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(whole):
    figures = build_figures(build_report(whole))
    (whole / "figures").write_text("a file")
    with pytest.raises(RequestError, match="cannot be written"):
        write_figures(figures, whole)


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8),
    st.floats(0.1, 50),
)
def test_names_are_moved_apart_in_their_order(wanted, gap):
    placed = spread(wanted, gap)
    order = sorted(range(len(wanted)), key=lambda one: wanted[one])
    assert all(
        placed[after] - placed[before] >= gap * (1 - 1e-9) - 1e-9
        for before, after in pairwise(order)
    )
    assert sum(placed) == pytest.approx(sum(wanted), abs=1e-6)


def test_names_that_are_far_apart_stay_where_they_are():
    assert spread([30.0, 0.0, 60.0], 10.0) == [30.0, 0.0, 60.0]


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 200), st.integers(1, 28)), min_size=1, max_size=6
    )
)
def test_names_over_marks_never_lie_on_each_other(marks):
    named = [Named("x" * length, across, up) for across, up, length in marks]
    boxes = []
    for mark, (up, align) in zip(named, place_above(named), strict=True):
        assert up > mark.up
        width = 6.2 * len(mark.text)
        start = mark.across * 300 - {"left": 0.0, "center": width / 2, "right": width}[align]
        boxes.append((start, start + width, up))
    for one, two in combinations(boxes, 2):
        beside = one[0] >= two[1] or two[0] >= one[1]
        assert beside or abs(one[2] - two[2]) >= LINE_HEIGHT - 1e-6


@given(st.floats(1e-6, 1e6), st.floats(1.0, 1e8))
def test_a_logarithmic_axis_holds_all_values_and_has_few_round_ticks(low, factor):
    start, end = log_domain([low, low * factor])
    assert start < low <= low * factor < end
    ticks = log_ticks(start, end)
    assert len(ticks) <= 7
    assert all(start <= tick <= end for tick in ticks)
    assert all(f"{tick:.0e}"[0] in "1235" for tick in ticks)


def test_lanes_are_given_in_the_order_asked():
    pairs = [("spark", "library"), ("sklearn", "library"), ("mine", "library")]
    assert [one.engine for one in lanes_of(pairs)] == ["spark", "sklearn", "mine"]
    assert SimpleNamespace(**vars(lanes_of(pairs)[2])).colour not in ENGINE_COLOURS.values()


def tabled(report, key):
    """Return what the tables show in one row, by engine."""
    table = report.tables[-1]
    row = next(row for group in table.groups for row in group.rows if row.key == key)
    shown = (show(row, cell).value for cell in row.cells)
    return dict(zip((head.title for head in table.heads), shown, strict=True))


def test_charts_draw_and_tell_the_values_of_the_tables(runs, tmp_path):
    # repeats that differ within a round: the typical value of rounds is not the median of all
    odd = [(1.0, 1.1, 4.0), (1.2, 1.3, 1.4), (3.0, 3.1, 3.3)]
    for rounds in (3, 2):
        records = [
            runs.record(
                engine,
                round=number,
                repeat=repeat,
                phases=[
                    *([runs.phase("start", 1.0)] if repeat == 0 else []),
                    runs.phase("fit", unit * factor),
                ],
            )
            for engine, unit in (("sklearn", 1.0), ("dask", 2.0))
            for number, factors in enumerate(odd[:rounds])
            for repeat, factor in enumerate((2.0, *factors))
        ]
        folder = runs.write(
            tmp_path / f"run-{rounds}",
            records,
            engines=("sklearn", "dask"),
            rounds=rounds,
            warm_repeats=3,
        )
        report = build_report(folder)
        figures = {one.key: one for one in build_figures(report)}
        warm, whole = tabled(report, "fit_warm_wall_s"), tabled(report, "total_wall_s")
        for name, _, _, seconds, *_ in figures["cold-and-warm"].rows:
            assert seconds == warm[name]
        for name, _, seconds, _ in figures["accuracy-and-time"].rows:
            assert seconds == warm[name]
        for name, *_, seconds, _ in figures["time-by-phase"].rows:
            assert seconds == whole[name]
        assert "Dask" in warm


def test_charts_of_a_sweep_draw_the_values_of_the_tables(scaled):
    report = build_report(scaled)
    warm = tabled(report, "fit_warm_wall_s")
    figure = next(one for one in build_figures(report) if one.key.startswith("scaling-1"))
    drawn_ = {row[0]: row[2] for row in figure.rows if row[1] == "1,000,000"}
    assert drawn_["Dask"] == warm["Dask"]
    assert drawn_["scikit-learn"] == warm["scikit-learn"]


def test_the_bounds_of_a_speed_up_are_told_apart(runs, tmp_path):
    folder = sweep(
        runs,
        tmp_path / "cores",
        "resources.cores",
        {"sklearn": lambda n: {1: 1.0, 2: 0.983}[n]},
        values=(1, 2),
    )
    rows = figures_of(folder)["speed-up"].rows
    low, high = rows[-1][3].removesuffix("x").split("-")
    assert rows[0][3] == "1 by definition"
    assert float(low) < float(high)


def test_samples_at_one_moment_alone_are_no_chart_over_time(whole):
    for path in (whole / "samples").glob("*"):
        head, *lines = path.read_text().splitlines()
        cells = [line.split(",") for line in lines]
        path.write_text("\n".join([head, *(",".join(["0.000", *one[1:]]) for one in cells)]))
    assert not {"memory-over-time", "cpu-over-time"} & figures_of(whole).keys()


@pytest.mark.parametrize(
    "line",
    [
        "nan,0,fit,1,1,1,1,1",
        "1.0,0,fit,inf,1,1,1,1",
        "-inf,0,fit,1,1,1,1,1",
        f"1.0,0,fit,1,{10**400},1,1,1",
    ],
)
def test_a_sample_that_no_machine_can_take_is_none(tmp_path, line):
    path = tmp_path / "samples.csv"
    path.write_text(f"{','.join(COLUMNS)}\n{line}\n2.0,0,fit,1.5,1024,0,0,3\n", encoding="utf-8")
    assert [one.seconds for one in read_samples(path)] == [2.0]


@pytest.mark.parametrize("params", ["{", '{"C": 1', "[1, 2]", '"C"', "", "{" * 50_000])
def test_spoilt_parameters_of_a_candidate_end_no_chart(runs, searched, params):
    rows = [runs.candidate(number, ended_s=float(number + 1), params=params) for number in range(6)]
    runs.write_candidates(searched, rows)
    figure = figures_of(searched)["search-progress"]
    assert {row["params"] for row in drawn(figure, "point")} == {""}
    assert write_report(build_report(searched)).html.is_file()


def test_intervals_without_any_bound_are_drawn_and_told_as_such(runs, tmp_path):
    # three rounds that differ as much leave the interval practically unbounded
    wild = (1e-60, 1.0, 1e60)
    records = [
        one
        for size in (1_000, 10_000, 100_000)
        for engine in ("sklearn", "dask")
        for one in timed(runs, engine, 1.0, rounds=wild, point={ROWS: size})
    ]
    points = tuple({ROWS: size} for size in (1_000, 10_000, 100_000))
    folder = runs.write(
        tmp_path / "run", records, points=points, engines=("sklearn", "dask"), rounds=3
    )
    written = write_report(build_report(folder))
    assert written.html.is_file()
    assert len(written.figures) >= 4
    for figure in build_figures(build_report(folder)):
        ET.fromstring(svg(figure))  # noqa: S314
        assert "Infinity" not in json.dumps(spec(figure))
        assert "NaN" not in json.dumps(spec(figure))
        assert all(len(cell) < 60 for row in figure.rows for cell in row), figure.rows
    assert "or more" in figures_of(folder)["cold-and-warm"].rows[0][2]


@settings(deadline=None)
@given(st.lists(st.floats(5e-324, 1.7e308), min_size=1, max_size=5))
def test_no_value_is_too_great_or_too_small_for_a_logarithmic_axis(values):
    low, high = log_domain(values)
    assert 0 < low < high < math.inf
    assert all(math.isfinite(tick) for tick in log_ticks(low, high))


def test_figures_that_an_earlier_report_left_are_removed_and_nothing_else(whole):
    write_report(build_report(whole), png=True)
    own = whole / "figures"
    (own / "notes.svg").write_text("<svg><!-- of a user --></svg>")
    (own / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n of a user")
    (own / "scaling-1-of-a-sweep-of-before.svg").write_text(
        svg(build_figures(build_report(whole))[0])
    )
    for path in (whole / "samples").iterdir():
        path.unlink()
    report = build_report(whole)
    written = write_report(report)
    keys = {f"{one.key}.svg" for one in build_figures(report)}
    assert {one.name for one in written.figures} == keys
    assert {one.name for one in own.iterdir()} == keys | {"notes.svg", "photo.png"}


def test_images_are_png_that_say_what_wrote_them(whole):
    figures = build_figures(build_report(whole))
    paths = write_figures(figures, whole, ("svg", "png"))
    assert [one.suffix for one in paths] == [".svg"] * len(figures) + [".png"] * len(figures)
    for path in paths[len(figures) :]:
        content = path.read_bytes()
        chunks, place = [], 8
        while place < len(content):
            size = int.from_bytes(content[place : place + 4], "big")
            body = content[place + 4 : place + 8 + size]
            assert zlib.crc32(body) == int.from_bytes(content[place + 8 + size :][:4], "big")
            chunks.append(body)
            place += 12 + size
        assert b"tEXtSoftware\0enginebench" in chunks
        assert chunks[-1] == b"IEND"


def test_a_figure_that_cannot_be_drawn_is_told_in_a_sentence(whole, monkeypatch):
    import vl_convert

    def fail(*_arguments, **_options):
        raise ValueError("the scripts failed\nat a line")

    (figure, *_) = build_figures(build_report(whole))
    for name, draw in (("vegalite_to_svg", svg), ("vegalite_to_png", png)):
        monkeypatch.setattr(vl_convert, name, fail)
        with pytest.raises(RequestError, match=r"'time-by-phase' cannot be drawn \(the scripts"):
            draw(figure)
    with pytest.raises(RequestError, match="cannot be drawn"):
        write_report(build_report(whole))


def test_scripts_that_cannot_be_put_together_are_told_in_a_sentence(monkeypatch, tmp_path):
    import vl_convert

    def fail(*_arguments):
        raise ValueError("no memory")

    monkeypatch.setattr(vl_convert, "javascript_bundle", fail)
    monkeypatch.setenv("ENGINEBENCH_CACHE", str(tmp_path / "cache"))
    with pytest.raises(RequestError, match=r"cannot be put together \(no memory\)"):
        chart_scripts()


def test_scripts_are_put_together_beside_the_drawing_of_a_first_report(
    bundled, tmp_path, monkeypatch
):
    # what this process would put together itself is marked, and is not asked for
    with bundling() as library:
        text = library()
    assert text.endswith("window.vegaEmbed=t;") or "window.vegaEmbed=" in text[-100:]
    assert bundled == []
    assert chart_scripts() == text
    (kept,) = (tmp_path / "cache" / "charts").iterdir()
    assert kept.read_text(encoding="utf-8") == text
    monkeypatch.setattr("subprocess.Popen", None)
    with bundling() as library:
        assert library() == text


def test_a_process_that_puts_nothing_together_is_done_without(bundled, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.executable", "/bin/false")
    with bundling() as library:
        assert library() == "draw();window.vegaEmbed=t;"
    monkeypatch.setenv("ENGINEBENCH_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr("sys.executable", str(tmp_path / "nowhere"))
    with bundling() as library:
        assert library() == "draw();window.vegaEmbed=t;"
    assert len(bundled) == 2


def test_a_report_that_fails_leaves_no_process_that_puts_scripts_together(bundled):
    with pytest.raises(RuntimeError), bundling() as library:
        raise RuntimeError
    with pytest.raises(ValueError, match="closed"):
        library()


def test_of_very_many_sizes_some_are_drawn_and_it_is_said(runs, tmp_path):
    sizes = tuple(1_000 * number for number in range(1, 301))
    records = [runs.record("sklearn", point={ROWS: size}, repeat=0) for size in sizes]
    points = tuple({ROWS: size} for size in sizes)
    folder = runs.write(tmp_path, records, points=points, engines=("sklearn",), warm_repeats=0)
    figure = find(figures_of(folder), "scaling-1")
    assert len(figure.rows) == 120
    assert (figure.rows[0][1], figure.rows[-1][1]) == ("1,000", "300,000")
    assert figure.text.endswith("Of 300 values 120 are drawn.")
