"""The sentence above a table says what the table says, and no more than it shows."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.records import OUTCOMES
from experiments.report import build_report

SAME = {"sklearn~dask": 1.0, "sklearn~spark": 1.0, "dask~spark": 1.0}
FEW = "fewer than 3 rounds, so no interval can be given"
NAMES = {"sklearn": "scikit-learn", "dask": "Dask", "spark": "Spark"}


def fits(runs, times, **other):
    """Return a cold record and one for each warm fit of every engine, by its seconds."""
    records = []
    for engine, seconds in times.items():
        for repeat, wall_s in enumerate((9.0, *seconds)):
            one = runs.record(engine, repeat=repeat, **other)
            one["phases"] = [runs.phase("fit", wall_s)]
            records.append(one)
    return records


def said(runs, folder, records, *, agreement=None, **other):
    """Return the answer of the only table of a run."""
    warm = max((one["repeat"] for one in records), default=0)
    pairs = SAME if agreement is None else agreement
    folder = runs.write(folder, records, warm_repeats=warm, agreement={"{}": pairs}, **other)
    (table,) = build_report(folder).tables
    return table.answer


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (
            {"sklearn": [1.0, 1.2], "dask": [139.7, 139.7], "spark": [140.7, 140.9]},
            (
                "Perhaps scikit-learn fitted fastest: Dask's warm fit took 127 times as long "
                "and Spark's "
                f"128 times ({FEW}); all three found the same clusters (adjusted Rand 1)."
            ),
        ),
        (  # the baseline need not win
            {"sklearn": [6.0, 6.2], "dask": [2.0, 2.0], "spark": [3.0, 3.1]},
            (
                "Perhaps Dask fitted fastest: Spark's warm fit took 1.5 times as long and "
                "scikit-learn's "
                f"3.0 times ({FEW}); all three found the same clusters (adjusted Rand 1)."
            ),
        ),
        (  # a range that touches is no difference
            {"sklearn": [1.0, 2.0], "dask": [2.0, 3.0], "spark": [1.1, 1.9]},
            (
                "No difference shown in warm fits: the times of Spark (1.50 s) and Dask (2.50 s) "
                f"overlap with those of scikit-learn (1.50 s); {FEW}; all three found the same "
                "clusters (adjusted Rand 1)."
            ),
        ),
        (
            {"sklearn": [1.0, 2.0], "dask": [1.5, 2.5], "spark": [15.0, 15.0]},
            (
                "No difference shown in warm fits: the times of Dask (2.00 s) overlap with those "
                "of scikit-learn (1.50 s); compared with scikit-learn, Spark's warm fit took 10 "
                f"times as long ({FEW}); all three found the same clusters (adjusted Rand 1)."
            ),
        ),
        (  # repeats of one process are no sample, so that their quartiles tell no engines apart
            {"sklearn": [1, 1, 1, 1, 9], "dask": [2, 2, 2, 2, 2], "spark": [3, 3, 3, 3, 3]},
            (
                "No difference shown in warm fits: the times of Dask (2.00 s) and Spark (3.00 s) "
                f"overlap with those of scikit-learn (1.00 s); {FEW}; all three found the same "
                "clusters (adjusted Rand 1)."
            ),
        ),
        (  # never "1.0 times as long"
            {"sklearn": [1.0, 1.0], "dask": [1.003, 1.003], "spark": [1.04, 1.04]},
            (
                "Perhaps scikit-learn fitted fastest: Dask's warm fit took 1.003 times as long "
                "and Spark's "
                f"1.04 times ({FEW}); all three found the same clusters (adjusted Rand 1)."
            ),
        ),
        (
            {"sklearn": [1.0], "dask": [4.0], "spark": [8.0]},
            (
                "Perhaps scikit-learn fitted fastest: Dask's warm fit took 4.0 times as long "
                "and Spark's "
                "8.0 times (one fit each, so chance is not excluded and no interval "
                "can be given); all three found the same clusters (adjusted Rand 1)."
            ),
        ),
        (
            {"sklearn": [0.0, 0.0], "dask": [4.0, 4.0], "spark": [8.0, 8.0]},
            (
                "Perhaps scikit-learn fitted fastest: Dask's warm fit took 4.00 s and Spark's "
                "8.00 s "
                f"({FEW}); all "
                "three found the same clusters (adjusted Rand 1)."
            ),
        ),
    ],
    ids=["first", "other", "level", "partly", "quartiles", "close", "once", "zero"],
)
def test_times_are_told_apart_only_beyond_the_spread_of_the_repeats(
    runs, tmp_path, times, expected
):
    assert said(runs, tmp_path, fits(runs, times)) == expected


def test_without_warm_fits_the_cold_ones_are_compared(runs, tmp_path):
    records = [runs.record(engine) for engine in NAMES]
    assert said(runs, tmp_path, records).startswith(
        "Perhaps scikit-learn fitted fastest: Dask's cold fit took 4.0 times as long and "
        "Spark's 10 times "
        "(one fit each"
    )


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        (
            {"spark": "out of memory"},
            (
                "Perhaps scikit-learn fitted fastest: Dask's warm fit took 4.0 times as long "
                f"({FEW}); scikit-learn "
                "and Dask found the same clusters (adjusted Rand 1). Spark ran out of memory."
            ),
        ),
        (  # the baseline is missing
            {"sklearn": "timed out"},
            (
                "Perhaps Dask fitted fastest: Spark's warm fit took 2.5 times as long "
                f"({FEW}); Dask and Spark "
                "found the same clusters (adjusted Rand 1). scikit-learn timed out."
            ),
        ),
        (
            {"sklearn": "crashed", "spark": "unsupported"},
            (
                "Only Dask completed, and its warm fit took 4.00 s; Dask's inertia is 1,165,134. "
                "scikit-learn crashed and Spark does not support what was asked."
            ),
        ),
        (
            {"sklearn": "crashed", "dask": "failed", "spark": "timed out"},
            "No engine completed: scikit-learn crashed, Dask failed and Spark timed out.",
        ),
    ],
    ids=["one", "baseline", "two", "all"],
)
def test_what_failed_is_named_and_takes_no_part(runs, tmp_path, lost, expected):
    times = {"sklearn": [1.0, 1.0], "dask": [4.0, 4.0], "spark": [10.0, 10.0]}
    records = fits(runs, {name: one for name, one in times.items() if name not in lost})
    # a fit that was cut short early is not a fast one
    for engine, outcome in lost.items():
        one = runs.failed(engine, outcome, "no")
        one["phases"].append(runs.phase("fit", 0.001, ended=False))
        records.append(one)
    assert said(runs, tmp_path, records) == expected


def test_an_engine_that_failed_in_a_later_round_takes_no_part(runs, tmp_path):
    times = {"sklearn": [1.0, 1.0], "dask": [0.1, 0.1], "spark": [10.0, 10.0]}
    records = [*fits(runs, times), *fits(runs, {"sklearn": [1, 1], "spark": [10, 10]}, round=1)]
    records.append(runs.failed("dask", "crashed", "gone", round=1))
    text = said(runs, tmp_path, records, rounds=2)
    assert text.startswith(
        "Perhaps scikit-learn fitted fastest: Spark's warm fit took 10 times as long ("
    )
    assert text.endswith(" Dask crashed.")


def test_a_degraded_engine_has_an_answer_but_no_time(runs, tmp_path):
    times = {"sklearn": [1.0, 1.0], "dask": [0.1, 0.1], "spark": [10.0, 10.0]}
    records = fits(runs, times)
    for record in records:
        if record["engine"] == "dask":
            record["outcome"] = "degraded"
            record["error"] = {"type": "WorkerLostError", "message": "gone", "log": None}
    assert said(runs, tmp_path, records) == (
        "Perhaps scikit-learn fitted fastest: Spark's warm fit took 10 times as long "
        f"({FEW}); all three found the "
        "same clusters (adjusted Rand 1). Dask was degraded."
    )


def test_where_every_engine_was_degraded_nothing_is_compared(runs, tmp_path):
    error = {"type": "WorkerLostError", "message": "gone", "log": None}
    records = fits(runs, {"dask": [1.0], "spark": [2.0]}, outcome="degraded", error=error)
    assert said(runs, tmp_path, records, engines=("dask", "spark")) == (
        "No engine completed: Dask was degraded and Spark was degraded."
    )


def test_one_engine_alone_is_compared_with_nothing(runs, tmp_path):
    records = fits(runs, {"dask": [4.0, 4.0]}, metrics={"accuracy": 0.9580419})
    assert said(runs, tmp_path, records, engines=("dask",), agreement={}) == (
        "Dask's warm fit took 4.00 s; Dask's accuracy is 0.958."
    )


def test_an_interrupted_run_says_what_was_not_finished_nor_compared(runs, tmp_path):
    records = fits(runs, {"sklearn": [1.0, 1.0], "dask": [4.0, 4.0]})
    assert said(runs, tmp_path, records, agreement={}, interrupted=True) == (
        "Perhaps scikit-learn fitted fastest: Dask's warm fit took 4.0 times as long "
        f"({FEW}); whether scikit-learn "
        "and Dask found the same clusters is not known. Spark was not finished."
    )


@pytest.mark.parametrize(
    ("agreement", "expected"),
    [
        (
            {"sklearn~dask": 0.98679, "sklearn~spark": 1.0, "dask~spark": 0.99},
            "all three found nearly the same clusters (adjusted Rand at least 0.986).",
        ),
        (
            {"sklearn~dask": 0.99999, "sklearn~spark": 1.0, "dask~spark": 1.0},
            "all three found nearly the same clusters (adjusted Rand at least 0.999).",
        ),
        (
            {"sklearn~dask": 0.96, "sklearn~spark": 0.96, "dask~spark": 0.94},
            (
                "they did not find the same clusters (adjusted Rand 0.940 between Dask and Spark), "
                "so the times are of different answers."
            ),
        ),
        (
            {"sklearn~dask": 1.0, "sklearn~spark": 1.0},
            "whether all three found the same clusters is not known.",
        ),
    ],
    ids=["nearly", "almost", "other", "unknown"],
)
def test_clusters_are_called_the_same_only_where_every_pair_is(runs, tmp_path, agreement, expected):
    records = fits(runs, {"sklearn": [1.0], "dask": [4.0], "spark": [8.0]})
    text = said(runs, tmp_path, records, agreement=agreement)
    assert text.partition("; ")[2] == expected


def test_a_metric_beyond_its_tolerance_is_named_beside_equal_clusters(runs, tmp_path):
    records = fits(runs, {"sklearn": [1.0], "dask": [4.0], "spark": [8.0]})
    for record in records:
        if record["engine"] == "dask":
            record["metrics"]["silhouette"] = 0.5
    assert said(runs, tmp_path, records).endswith(
        "all three found the same clusters (adjusted Rand 1), but differ in silhouette (Euclidean)."
    )


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        (
            [{"accuracy": 0.958042}] * 3,
            "all three scored accuracy 0.958.",
        ),
        (
            [{"accuracy": 0.9581}, {"accuracy": 0.9549}, {"accuracy": 0.9562}],
            "all three scored alike (accuracy 0.955 to 0.958).",
        ),
        (
            [{"accuracy": 0.958}, {"accuracy": 0.9}, {"accuracy": 0.958}],
            (
                "accuracy differs beyond its tolerance: 0.958 on scikit-learn, 0.900 on Dask and "
                "0.958 on Spark."
            ),
        ),
        (
            [{"accuracy": 0.9, "log_loss": 0.2}, {"accuracy": 0.9, "log_loss": 0.4}] * 2,
            "all three scored accuracy 0.900, but differ in log loss.",
        ),
        (
            [{"accuracy": 0.8, "roc_auc": 0.8}, {"accuracy": 0.9, "roc_auc": 0.9}] * 2,
            (
                "accuracy differs beyond its tolerance: 0.800 on scikit-learn, 0.900 on Dask and "
                "0.800 on Spark (and so does ROC AUC)."
            ),
        ),
        (
            [{"roc_auc": None}, {"roc_auc": 0.9}, {"roc_auc": 0.9}],
            (
                "ROC AUC differs beyond its tolerance: undefined on scikit-learn, 0.900 on Dask "
                "and 0.900 on Spark."
            ),
        ),
        ([{"roc_auc": None}] * 3, "ROC AUC is undefined on all three."),
        # 0.9996 is not 1
        ([{"accuracy": 0.9996}] * 3, "all three scored accuracy 0.9996."),
        ([{"accuracy": 1.0}] * 3, "all three scored accuracy 1."),
        ([{"r2": -0.25}] * 3, "all three scored R² -0.250."),
        ([{"rmse": 1.25e9}] * 3, "all three scored RMSE 1.25000e+09."),
        ([{"rmse": 0.0}] * 3, "all three scored RMSE 0."),
    ],
    ids=lambda value: value[-30:] if isinstance(value, str) else "",
)
def test_scores_are_told_with_their_values(runs, tmp_path, scores, expected):
    records = fits(runs, {"sklearn": [1.0], "dask": [4.0], "spark": [8.0]})
    for record in records:
        record["metrics"] = scores[list(NAMES).index(record["engine"])]
    text = said(runs, tmp_path, records, agreement={})
    assert text.partition("; ")[2] == expected


def test_two_engines_are_both(runs, tmp_path):
    records = fits(runs, {"sklearn": [1.0], "dask": [4.0]}, metrics={"accuracy": 0.5})
    assert said(runs, tmp_path, records, engines=("sklearn", "dask")).endswith(
        "; both scored accuracy 0.500."
    )


def test_two_implementations_of_an_engine_are_named_apart(runs, tmp_path):
    records = [
        *fits(runs, {"sklearn": [1.0, 1.0], "dask": [4.0, 4.0]}),
        *fits(runs, {"dask": [2.0, 2.0]}, implementation="own"),
    ]
    text = said(runs, tmp_path, records, engines=("sklearn", "dask"))
    assert text.startswith(
        "Perhaps scikit-learn fitted fastest: Dask (own)'s warm fit took 2.0 times as long and "
        "Dask "
        "(library)'s 4.0 times ("
    )


def test_each_point_of_a_sweep_has_its_own_answer(runs, tmp_path):
    points = ({"dataset.n_samples": 10}, {"dataset.n_samples": 20})
    records = [
        *fits(runs, {"sklearn": [1.0], "dask": [4.0]}, point=points[0]),
        *fits(runs, {"sklearn": [8.0], "dask": [4.0]}, point=points[1]),
    ]
    folder = runs.write(tmp_path, records, points=points, engines=("sklearn", "dask"))
    first, second = (table.answer for table in build_report(folder).tables)
    assert first.startswith("Perhaps scikit-learn fitted fastest")
    assert second.startswith("Perhaps Dask fitted fastest")


def test_engines_without_a_fit_are_no_error(runs, tmp_path):
    records = [{**one, "phases": []} for one in runs.complete()]
    assert said(runs, tmp_path, records).startswith("No fit was measured; all three found")


WALLS = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=6)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(WALLS, st.sampled_from(OUTCOMES)), min_size=1, max_size=3),
    st.floats(-1, 1),
    st.lists(st.none() | st.floats(-1e12, 1e12), min_size=3, max_size=3),
)
def test_whatever_was_measured_the_fastest_named_has_the_least_median(
    runs, tmp_path, engines, rand, scores
):
    error = {"type": "E", "message": "m", "log": None}
    names = tuple(NAMES)[: len(engines)]
    records = []
    for name, (walls, outcome), score in zip(names, engines, scores, strict=False):
        fine = outcome == "completed"
        own = fits(runs, {name: walls}, outcome=outcome, error=None if fine else error)
        records += [{**one, "metrics": {"inertia": score}} for one in own]
    folder = runs.write(
        tmp_path,
        records,
        engines=names,
        warm_repeats=max(len(walls) for walls, _ in engines),
        agreement={"{}": dict.fromkeys(SAME, rand)},
    )
    (table,) = build_report(folder).tables
    text = table.answer
    assert text.endswith(".")
    assert text == " ".join(text.split())
    walls = dict(zip(names, (one for one, _ in engines), strict=False))
    compared = {
        head.title: walls[head.engine]
        for head in table.heads
        if head.outcome in {"completed", "not finished"}
    }
    if " fitted fastest" in text:
        # one round: what lies apart may do so by chance
        assert text.startswith("Perhaps ")
        named = compared.pop(text.removeprefix("Perhaps ").partition(" fitted fastest")[0])
        assert all(max(named) < min(other) for other in compared.values())
    elif "No difference shown" in text:
        least = min(compared.values(), key=statistics.median)
        others = [one for one in compared.values() if one is not least]
        assert any(min(one) <= max(least) and min(least) <= max(one) for one in others)
    elif "No engine completed" in text:
        assert not compared
    else:
        assert len(compared) == 1
