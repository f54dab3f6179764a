from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pydantic
import pytest

from experiments.definition import Experiment, catalogue_names, load_experiment
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

KMEANS = """\
name: small
question: Is it quick?
dataset:
  source: blobs
  n_samples: 100
workload:
  kind: kmeans
  n_clusters: 3
"""
XGBOOST = """\
name: small
dataset: {source: breast_cancer}
workload: {kind: xgboost}
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Experiment]:
    monkeypatch.chdir(tmp_path)

    def load(
        text: str, overrides: Sequence[str] = (), engines: Sequence[str] | None = None
    ) -> Experiment:
        (tmp_path / "e.yaml").write_text(text, encoding="utf-8")
        return load_experiment("e.yaml", overrides, engines)

    return load


@pytest.fixture
def refusal(load: Callable[..., Experiment]) -> Callable[..., list[str]]:
    def refusal(text: str, *overrides: str, engines: Sequence[str] | None = None) -> list[str]:
        with pytest.raises(RequestError) as raised:
            load(text, overrides, engines)
        return str(raised.value).split("\n")

    return refusal


# ---- defaults ------------------------------------------------------------------------------------


def test_kmeans_scores_the_rows_it_was_fitted_to(load):
    assert load(KMEANS).split is None


def test_xgboost_holds_out_a_quarter(load):
    split = load(XGBOOST).split
    assert (split.test_fraction, split.seed, split.stratify) == (0.25, 0, False)


def test_an_explicit_null_split_trains_on_all_rows(load):
    assert load(XGBOOST + "split: null\n").split is None


def test_all_engines_run(load):
    assert list(load(KMEANS).engines.selected()) == ["sklearn", "dask", "spark"]


def test_resources_are_left_to_the_machine(load):
    resources = load(KMEANS).resources
    assert (resources.cores, resources.memory) == (None, None)


def test_measuring_is_one_round_with_one_warm_repeat_for_ten_minutes(load):
    measure = load(KMEANS).measure
    assert (measure.rounds, measure.warm_repeats, measure.timeout) == (1, 1, 600.0)


def test_metrics_are_left_to_the_task(load):
    assert load(KMEANS).metrics is None


@pytest.mark.parametrize("section", ["engines", "resources", "measure", "metrics", "sweep"])
def test_an_empty_section_means_its_defaults(load, section):
    assert load(f"{KMEANS}{section}:\n") == load(KMEANS)


# ---- engines -------------------------------------------------------------------------------------


def test_the_order_written_is_kept(load):
    experiment = load(KMEANS + "engines: {spark: {}, sklearn: {}, dask: null}\n")
    assert list(experiment.engines.selected()) == ["spark", "sklearn", "dask"]


def test_a_list_of_names_takes_their_defaults(load):
    assert load(KMEANS + "engines: [spark, dask]\n") == load(
        KMEANS + "engines: {spark: {}, dask: {}}\n"
    )


def test_an_engine_left_out_is_not_selected(load):
    engines = load(KMEANS + "engines: {dask: {workers: 2}}\n").engines
    assert list(engines.selected()) == ["dask"]
    assert engines.dask.workers == 2
    assert engines.sklearn is None
    assert engines.spark is None


def test_sklearn_has_no_workers(refusal):
    assert refusal(KMEANS + "engines: {sklearn: {workers: 2}}\n") == [
        "e.yaml:9: engines.sklearn.workers: unknown key; choose from implementation."
    ]


def test_no_engine_is_refused(refusal):
    assert refusal(KMEANS + "engines: {}\n") == [
        "e.yaml:9: engines: must name at least one engine; choose from sklearn, dask, spark."
    ]


def test_an_engine_named_twice_is_refused(refusal):
    assert refusal(KMEANS + "engines: [dask, dask]\n") == [
        "e.yaml:9: engines: 'dask' is named twice."
    ]


@pytest.mark.parametrize("engines", ["{dsk: {}}", "[dsk]"])
def test_an_unknown_engine_gets_the_nearest_name(refusal, engines):
    assert refusal(f"{KMEANS}engines: {engines}\n") == [
        "e.yaml:9: engines.dsk: unknown key; did you mean dask?"
    ]


def test_the_engines_argument_selects_and_orders(load):
    text = KMEANS + "engines: {sklearn: {}, dask: {workers: 2}}\n"
    engines = load(text, engines=["dask", "sklearn"]).engines
    assert list(engines.selected()) == ["dask", "sklearn"]
    assert engines.dask.workers == 2


def test_the_engines_argument_adds_what_the_file_leaves_out(load):
    engines = load(KMEANS + "engines: [sklearn]\n", engines=["spark"]).engines
    assert list(engines.selected()) == ["spark"]


def test_an_unknown_name_in_the_engines_argument_is_refused(refusal):
    assert refusal(KMEANS, engines=["sprak"]) == [
        "--engines: there is no engine 'sprak'; did you mean spark?"
    ]


def test_an_empty_engines_argument_is_refused(refusal):
    assert refusal(KMEANS, engines=[]) == [
        "--engines: name at least one engine of sklearn, dask, spark."
    ]


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("n_samples", "n_sample", "5: dataset.n_sample: unknown key; did you mean n_samples?"),
        ("dataset:", "datset:", "3: datset: unknown key; did you mean dataset?"),
        ("source:", "sorce:", "4: dataset.sorce: unknown key; did you mean source?"),
        ("100", "0", "5: dataset.n_samples: must be an integer of at least 1; got 0."),
        ("100", "2.5", "5: dataset.n_samples: must be an integer of at least 1; got 2.5."),
        ("100", "x", "5: dataset.n_samples: must be an integer of at least 1; got 'x'."),
        ("100", "[1]", "5: dataset.n_samples: must be an integer of at least 1; got [1]."),
        ("100", "", "5: dataset.n_samples: must be an integer of at least 1; got null."),
        ("Is it quick?", "7", "2: question: must be text; got 7."),
        (
            "kind: kmeans",
            "kind: kmean",
            (
                "7: workload.kind: must be one of estimator, kmeans, tasks, xgboost; got 'kmean'; "
                "did you mean kmeans?"
            ),
        ),
        (
            "  kind: kmeans\n",
            "",
            "6: workload.kind: is missing; it must be one of estimator, kmeans, tasks, xgboost.",
        ),
        (
            "kind: kmeans",
            "kind: [kmeans]",
            '7: workload.kind: must be one of estimator, kmeans, tasks, xgboost; got ["kmeans"].',
        ),
        (
            "n_clusters: 3",
            "n_clusters: 3\n  init: k-mean++",
            (
                "9: workload.init: must be one of shared, k-means++, k-means||, random; "
                "got 'k-mean++'; did you mean k-means++?"
            ),
        ),
        (
            "  n_clusters: 3\n",
            "",
            "6: workload.n_clusters: is missing; it must be an integer of at least 1.",
        ),
        (
            "n_clusters: 3",
            "n_clusters: 3\n  n_init: 4",
            (
                "6: workload: n_init must be 1 with init: shared, where every run would start from "
                "the same centres; got 4."
            ),
        ),
        (
            "n_clusters: 3",
            "n_clusters: 3\n  tol: yes",
            "9: workload.tol: must be a number of at least 0; got true.",
        ),
        (
            "n_clusters: 3",
            "n_clusters: 3\nsplit: {test_fraction: 2}",
            (
                "9: split.test_fraction: must be a number greater than 0 and less than 1 or null; "
                "got 2."
            ),
        ),
        (
            "n_clusters: 3",
            "n_clusters: 3\nsplit: 4",
            "9: split: must be a mapping of keys to values or null; got 4.",
        ),
        (
            "name: small",
            "name: A Name",
            (
                "1: name: must be 1 to 80 lower-case letters, digits, '.', '_' and '-' that start "
                "with a letter or a digit, because folders are named after it, for example a-name; "
                "got 'A Name'."
            ),
        ),
    ],
)
def test_one_mistake_gets_one_sentence(refusal, old, new, line):
    assert KMEANS.count(old) == 1
    assert refusal(KMEANS.replace(old, new)) == [f"e.yaml:{line}"]


def test_an_unknown_source_lists_the_sources(refusal):
    (line,) = refusal(KMEANS.replace("blobs", "blob"))
    assert line.startswith("e.yaml:4: dataset.source: must be one of blobs, breast_cancer, ")
    assert line.endswith("; got 'blob'; did you mean blobs?")


def test_a_missing_source_lists_the_sources(refusal):
    (line,) = refusal(KMEANS.replace("  source: blobs\n", ""))
    assert line.startswith("e.yaml:3: dataset.source: is missing; it must be one of blobs, ")


def test_a_section_that_is_a_number_is_refused_at_its_line(refusal):
    lines = refusal(KMEANS.replace("dataset:", "dataset: 3\nother:"))
    assert lines[0].startswith("e.yaml:3: dataset: must be a mapping with source: one of ")
    assert lines[0].endswith("; got 3.")
    assert lines[1].startswith("e.yaml:4: other: unknown key; choose from name, question, ")


@pytest.mark.parametrize("key", ["n_samples", "n_features", "centers", "seed", "levels"])
def test_no_boolean_is_a_number(refusal, key):
    text = KMEANS.replace("  n_samples: 100\n", "")
    others = "" if key == "n_samples" else "  n_samples: 100\n"
    text = text.replace("blobs\n", f"blobs\n  {key}: true\n{others}")
    (line,) = refusal(text)
    assert line.startswith(f"e.yaml:5: dataset.{key}: ")
    assert line.endswith("got true.")


def test_no_text_is_a_number_or_a_boolean(refusal):
    text = KMEANS.replace("100", '"100"') + 'resources: {cores: "2"}\n'
    text = text.replace("blobs\n", 'blobs\n  standardize: "true"\n')
    assert [line.partition(";")[0] for line in refusal(text)] == [
        "e.yaml:5: dataset.standardize: must be true or false",
        "e.yaml:6: dataset.n_samples: must be an integer of at least 1",
        "e.yaml:10: resources.cores: must be an integer of at least 1 or null",
    ]


def test_every_mistake_gets_its_line_in_the_order_of_the_file(refusal):
    text = KMEANS.replace("100", "-1") + "measure: {rounds: 0, timeout: soon}\nmetric: []\n"
    assert [line.split(": ")[:2] for line in refusal(text)] == [
        ["e.yaml:5", "dataset.n_samples"],
        ["e.yaml:9", "measure.rounds"],
        ["e.yaml:9", "measure.timeout"],
        ["e.yaml:10", "metric"],
    ]


def test_a_list_of_mistakes_ends(refusal):
    lines = refusal(KMEANS + "".join(f"wrong{i}: 1\n" for i in range(50)))
    assert len(lines) == 21
    assert lines[-1] == "30 more problems of this kind are not shown."


def test_an_unknown_key_that_is_long_or_holds_a_line_break_stays_on_one_line(refusal):
    lines = refusal(f'{KMEANS}"a\\nb": 1\n{"c" * 200}: 1\n')
    assert [line.split(": ")[1] for line in lines] == [r"'a\nb'", f"'{'c' * 59}..."]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cores", "0"),
        ("cores", "-1"),
        ("memory", "0"),
        ("memory", "-4 GiB"),
        ("memory", "0 GiB"),
    ],
)
def test_no_resource_is_zero_or_negative(refusal, key, value):
    (line,) = refusal(f"{KMEANS}resources: {{{key}: {value}}}\n")
    assert line.startswith(f"e.yaml:9: resources.{key}: must be a")


@pytest.mark.parametrize(
    ("key", "value"),
    [("rounds", "0"), ("warm_repeats", "-1"), ("timeout", "0 s"), ("timeout", "-1")],
)
def test_no_measure_is_zero_or_negative(refusal, key, value):
    (line,) = refusal(f"{KMEANS}measure: {{{key}: {value}}}\n")
    assert line.startswith(f"e.yaml:9: measure.{key}: must be a")


def test_the_key_that_a_value_error_of_a_dataset_belongs_to_is_the_section(refusal):
    text = KMEANS.replace("  source: blobs\n  n_samples: 100\n", "  source: openml\n  version: 1\n")
    assert refusal(text) == ["e.yaml:3: dataset: exactly one of name and data_id must be given."]


def test_a_key_named_like_its_source_is_told_apart_from_it(refusal):
    (line,) = refusal(KMEANS.replace("100", "100\n  blobs: {n_samples: 1}"))
    assert line.startswith("e.yaml:6: dataset.blobs: unknown key")


# ---- metrics -------------------------------------------------------------------------------------


def test_known_ones_that_fit_are_kept_in_order(load):
    experiment = load(KMEANS + "metrics: [silhouette, inertia]\n")
    assert experiment.metrics == ("silhouette", "inertia")


@pytest.mark.parametrize(
    ("metrics", "line"),
    [
        ("[inertai]", "there is no metric 'inertai'; did you mean inertia?"),
        ("[inertia, inertia]", "inertia is named twice; name each metric once."),
    ],
)
def test_what_is_wrong_with_a_name_is_said(refusal, metrics, line):
    assert refusal(f"{KMEANS}metrics: {metrics}\n") == [f"e.yaml:9: metrics: {line}"]


def test_a_metric_of_another_kind_of_workload_is_refused(refusal):
    (line,) = refusal(KMEANS + "metrics: [accuracy]\n")
    assert line.startswith(
        "e.yaml:9: metrics: accuracy does not score this workload; choose from inertia, "
    )


def test_a_metric_of_another_task_is_refused_once_the_task_is_stated(load, refusal):
    text = XGBOOST.replace("kind: xgboost", "kind: xgboost, task: regression")
    assert "accuracy does not score" in refusal(text + "metrics: [accuracy]\n")[0]
    assert load(XGBOOST + "metrics: [accuracy]\n").metrics == ("accuracy",)


@pytest.mark.parametrize("metrics", ["[]", "inertia", "[3]", "{inertia: 1}"])
def test_what_is_no_list_of_names_is_refused(refusal, metrics):
    (line,) = refusal(f"{KMEANS}metrics: {metrics}\n")
    assert line.startswith("e.yaml:9: metrics")
    assert "must be" in line


# ---- overrides -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("dataset.n_samples=7", lambda e: e.dataset.n_samples == 7),
        ("workload.tol=1e-3", lambda e: e.workload.tol == 1e-3),
        ("dataset.standardize=true", lambda e: e.dataset.standardize is True),
        ("resources.memory=2 GiB", lambda e: e.resources.memory == 2 * 2**30),
        ("question=a=b", lambda e: e.question == "a=b"),
        ("metrics=[inertia]", lambda e: e.metrics == ("inertia",)),
        ("dataset={source: iris}", lambda e: e.dataset.source == "iris"),
        ("engines=[dask]", lambda e: list(e.engines.selected()) == ["dask"]),
        ("sweep.dataset.n_samples=[1, 2]", lambda e: e.sweep == {"dataset.n_samples": (1, 2)}),
        ("split.folds=3", lambda e: e.split.folds == 3),
    ],
)
def test_a_value_is_read_as_yaml_and_put_in_place(load, override, read):
    assert read(load(KMEANS, [override]))


def test_the_last_of_two_wins(load):
    assert load(KMEANS, ["dataset.seed=1", "dataset.seed=2"]).dataset.seed == 2


def test_they_come_before_validation(load):
    assert load(KMEANS.replace("100", "wrong"), ["dataset.n_samples=5"]).dataset.n_samples == 5


def test_an_empty_value_is_null(load):
    assert load(XGBOOST, ["split="]).split is None


def test_one_option_of_the_default_split_changes_alone(load):
    split = load(XGBOOST, ["split.seed=3"]).split
    assert (split.seed, split.test_fraction) == (3, 0.25)


def test_one_option_of_an_engine_leaves_the_default_engines(load):
    engines = load(KMEANS, ["engines.dask.workers=2"]).engines
    assert list(engines.selected()) == ["sklearn", "dask", "spark"]
    assert engines.dask.workers == 2


def test_an_option_of_an_engine_reaches_into_a_list_of_names(load):
    engines = load(KMEANS + "engines: [spark, dask]\n", ["engines.dask.workers=2"]).engines
    assert list(engines.selected()) == ["spark", "dask"]
    assert engines.dask.workers == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("dataset.n_sample=5", "dataset.n_sample: unknown key; did you mean n_samples?"),
        ("datset.seed=5", "datset: unknown key; did you mean dataset?"),
        ("engines.dsk.workers=1", "engines.dsk: unknown key; did you mean dask?"),
        (
            "dataset.n_samples=0",
            "dataset.n_samples: must be an integer of at least 1; got 0.",
        ),
        ("dataset.seed=.nan", "must be a finite number; got .nan."),
        (
            "dataset.seed=[",
            "this is not valid YAML: expected the node content, but found '<stream end>'.",
        ),
        (
            "dataset.seed",
            "an override has the form key=value, such as --set dataset.n_samples=1000.",
        ),
        ("=1", "an override has the form key=value, such as --set dataset.n_samples=1000."),
        (
            "dataset..seed=1",
            "an override has the form key=value, such as --set dataset.n_samples=1000.",
        ),
        ("name.x=1", "name is no section, so nothing can be set in it."),
    ],
)
def test_an_error_names_the_override(refusal, override, message):
    assert refusal(KMEANS, override) == [f"--set {override}: {message}"]


def test_an_error_elsewhere_still_names_its_line(refusal):
    assert refusal(KMEANS, "dataset.source=iris") == [
        "e.yaml:5: dataset.n_samples: unknown key; did you mean sample?"
    ]


# ---- sweep ---------------------------------------------------------------------------------------


def test_the_points_are_every_combination_in_the_order_written(load):
    experiment = load(
        KMEANS + "sweep: {workload.n_clusters: [2, 3], dataset.n_samples: [50, 10]}\n"
    )
    assert [point for point, _ in experiment.points()] == [
        {"workload.n_clusters": 2, "dataset.n_samples": 50},
        {"workload.n_clusters": 2, "dataset.n_samples": 10},
        {"workload.n_clusters": 3, "dataset.n_samples": 50},
        {"workload.n_clusters": 3, "dataset.n_samples": 10},
    ]


def test_each_point_is_the_experiment_with_its_values_and_no_sweep(load):
    experiment = load(KMEANS + "sweep: {dataset.n_samples: [50, 10]}\n")
    for point, at_point in experiment.points():
        expected = load(KMEANS, [f"dataset.n_samples={point['dataset.n_samples']}"])
        assert at_point == expected


def test_without_a_sweep_there_is_one_empty_point(load):
    experiment = load(KMEANS)
    assert experiment.points() == [({}, experiment)]


def test_one_option_of_the_default_split_varies_alone(load):
    experiment = load(XGBOOST + "sweep: {split.seed: [1, 2]}\n")
    assert [at.split.test_fraction for _, at in experiment.points()] == [0.25, 0.25]


def test_a_whole_section_may_vary(load):
    experiment = load(KMEANS + "sweep: {dataset: [{source: iris}, {source: wine}]}\n")
    assert [at.dataset.source for _, at in experiment.points()] == ["iris", "wine"]


def test_values_that_need_each_other_are_judged_together(load):
    experiment = load(
        KMEANS + "sweep: {workload.init: [k-means||], workload.init_max_iter: [2, 4]}\n"
    )
    assert [at.workload.init_max_iter for _, at in experiment.points()] == [2, 4]


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        (
            "dataset.n_sample: [1]",
            "sweep.dataset.n_sample: unknown key; did you mean dataset.n_samples?",
        ),
        ("datset.seed: [1]", "sweep.datset.seed: unknown key; did you mean dataset.seed?"),
        ("dataset.seed: []", "sweep.dataset.seed: must be a non-empty list; got []."),
        ("dataset.seed: 3", "sweep.dataset.seed: must be a non-empty list; got 3."),
        (
            "dataset.seed: [4, 4]",
            "sweep.dataset.seed: has the value 4 twice; write each value once.",
        ),
        (
            "measure.rounds: [1]",
            (
                "sweep.measure.rounds: cannot vary; a sweep varies keys in dataset, split, "
                "workload, search, engines, resources."
            ),
        ),
        (
            "dataset.source: [iris]",
            (
                "sweep.dataset.source: cannot vary alone, because the other keys depend on it; "
                "sweep whole datasets."
            ),
        ),
        (
            "dataset.n_samples: [5, 0]",
            "sweep: dataset.n_samples: must be an integer of at least 1; got 0.",
        ),
        (
            "dataset: [{source: iris, seed: 1}]",
            (
                "sweep: dataset.seed: unknown key; choose from source, dtype, standardize, "
                "sample, sample_seed, levels."
            ),
        ),
        (
            "workload.n_init: [1, 2]",
            (
                "sweep: workload: n_init must be 1 with init: shared, where every run would start "
                "from the same centres; got 2 (at workload.n_init=2)."
            ),
        ),
    ],
)
def test_a_mistake_names_the_line_of_the_sweep_and_the_value(refusal, sweep, message):
    assert refusal(f"{KMEANS}sweep:\n  {sweep}\n") == [f"e.yaml:10: {message}"]


def test_the_line_is_that_of_the_value(refusal):
    (line,) = refusal(KMEANS + "sweep:\n  dataset.n_samples:\n  - 5\n  - 0\n")
    assert line.startswith("e.yaml:12: sweep: dataset.n_samples: ")


def test_a_mistake_is_told_once_however_many_points_have_it(refusal):
    sweep = "sweep: {dataset.n_samples: [5, 0], workload.seed: [1, 2, 3]}\n"
    assert len(refusal(KMEANS + sweep)) == 1


def test_a_section_and_a_key_in_it_do_not_both_vary(refusal):
    sweep = "sweep: {dataset: [{source: iris}], dataset.seed: [1]}\n"
    assert refusal(KMEANS + sweep) == [
        ("e.yaml:9: sweep.dataset.seed: is part of dataset, which is swept too; sweep one of them.")
    ]


def test_an_engine_that_does_not_run_is_not_swept(refusal):
    assert refusal(KMEANS + "sweep: {engines.dask.workers: [1, 2]}\n", engines=["sklearn"]) == [
        (
            "e.yaml:9: sweep.engines.dask.workers: varies dask, which does not run; select it or "
            "remove this key."
        )
    ]


def test_at_most_a_thousand_points_are_run(load, refusal):
    sweep = "sweep: {dataset.seed: [%s], workload.seed: [%s]}\n"
    numbers = [",".join(map(str, range(n))) for n in (10, 100, 101)]
    assert len(load(KMEANS + sweep % (numbers[0], numbers[1])).points()) == 1000
    assert refusal(KMEANS + sweep % (numbers[0], numbers[2])) == [
        "e.yaml:9: sweep: has 1010 combinations, and at most 1000 are run; remove some values."
    ]


# ---- digest --------------------------------------------------------------------------------------


def test_it_is_a_sha256(load):
    algorithm, _, digits = load(KMEANS).digest.partition(":")
    assert algorithm == "sha256"
    assert len(bytes.fromhex(digits)) == 32


@pytest.mark.parametrize(
    "text",
    [
        KMEANS.replace("small", "other").replace("quick", "slow"),
        KMEANS.replace("blobs\n", "blobs\n  seed: 0\n"),
        KMEANS + "engines: {spark: {}, dask: {}, sklearn: {}}\n",
        KMEANS + "resources: {memory: null}\n",
        "workload: {n_clusters: 3, kind: kmeans}\n" + KMEANS.partition("workload")[0],
    ],
)
def test_it_is_the_same_for_the_same_question(load, text):
    assert load(text).digest == load(KMEANS).digest


@pytest.mark.parametrize(
    "change",
    [
        "dataset.seed=1",
        "workload.tol=0",
        "engines=[sklearn]",
        "resources.memory=1 GiB",
        "measure.rounds=2",
        "metrics=[inertia]",
        "split={test_fraction: 0.5}",
        "sweep.dataset.seed=[1]",
    ],
)
def test_it_differs_with_whatever_is_asked(load, change):
    assert load(KMEANS, [change]).digest != load(KMEANS).digest


# ---- to yaml -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        KMEANS,
        XGBOOST,
        XGBOOST + "split: null\n",
        KMEANS + "engines: {spark: {}, dask: {workers: 1, threads_per_worker: 2}}\n",
        KMEANS + "resources: {cores: 1, memory: 1234567}\nmeasure: {timeout: 1.5}\n",
        KMEANS + "sweep: {dataset.n_samples: [1, 2], split: [null, {test_fraction: 1e-1}]}\n",
        KMEANS.replace("Is it quick?", '"1e-4"'),
        KMEANS.replace("Is it quick?", r'"Ü: \t{a}\n# \u2028 \x85 - yes "'),
        KMEANS.replace("n_clusters: 3", "n_clusters: 3\n  tol: 1e-17"),
    ],
)
def test_reading_it_gives_an_equal_experiment(load, text):
    experiment = load(text)
    again = load(experiment.to_yaml())
    assert again == experiment
    assert again.digest == experiment.digest
    assert list(again.engines.selected()) == list(experiment.engines.selected())


def test_sizes_and_durations_stay_readable(load):
    text = load(KMEANS + "resources: {memory: 4294967296}\n").to_yaml()
    assert "memory: 4 GiB\n" in text
    assert "timeout: 10 min\n" in text


def test_every_default_is_written_out(load):
    text = load(XGBOOST).to_yaml()
    for line in ("max_depth: 6", "test_fraction: 0.25", "rounds: 1", "cores: null"):
        assert f"  {line}\n" in text


# ---- files ---------------------------------------------------------------------------------------


def load_refusal(path: Any) -> str:
    with pytest.raises(RequestError) as raised:
        load_experiment(path)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_name_near_a_ready_experiment_gets_its_name():
    assert load_refusal("kmeans-digit") == (
        "There is no file kmeans-digit and no ready experiment so named; did you mean "
        "kmeans-digits?"
    )


def test_a_missing_file_gets_the_ready_experiments(tmp_path):
    message = load_refusal(tmp_path / "zzz.yaml")
    assert message.startswith(f"There is no file {tmp_path}/zzz.yaml and no ready experiment")
    assert message.endswith(f"{', '.join(name for name, *_ in catalogue_names())}.")


def test_a_folder_is_refused(tmp_path):
    assert load_refusal(tmp_path) == f"{tmp_path} is a folder; name the YAML file in it."


def test_a_device_is_refused():
    assert load_refusal("/dev/null").startswith("/dev/null is no regular file;")


def test_text_in_another_encoding_is_refused_with_its_line(tmp_path):
    (tmp_path / "e.yaml").write_bytes("name: a\nquestion: Köln\n".encode("latin-1"))
    assert load_refusal(tmp_path / "e.yaml") == (
        f"{tmp_path}/e.yaml:2: the file is not UTF-8 text; save it in that encoding."
    )


def test_a_byte_order_mark_is_no_obstacle(tmp_path):
    (tmp_path / "e.yaml").write_bytes(b"\xef\xbb\xbf" + KMEANS.encode())
    assert load_experiment(tmp_path / "e.yaml").name == "small"


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "e.yaml").open("wb") as file:
        file.truncate(2**32)
    assert "is larger than 256 KiB" in load_refusal(tmp_path / "e.yaml")


def test_a_file_that_cannot_be_read_is_refused_with_the_reason():
    # no user can read the first page of a process
    assert load_refusal("/proc/self/mem") == (
        "/proc/self/mem cannot be read: input/output error; name another file."
    )


@pytest.mark.parametrize("path", ["\0", "a\nb", "x" * 5000, "\udcff"])
def test_what_can_be_no_path_gets_one_line(path):
    load_refusal(path).encode()


def test_a_ready_experiment_wins_over_a_folder_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kmeans-digits").mkdir()
    assert load_experiment("kmeans-digits").name == "kmeans-digits"


def test_an_experiment_cannot_be_changed(load):
    experiment = load(KMEANS)
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        experiment.name = "other"
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        experiment.resources.cores = 1
