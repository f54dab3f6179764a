from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest

from engines.specs import EstimatorSpec, KMeansSpec, TasksSpec, XGBoostSpec
from experiments.definition import catalogue_names, experiment_schema, load_experiment
from experiments.definition.reading import read_document
from experiments.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

READY = [one.name for one in catalogue_names()]

# keywords that say nothing of what is valid
ANNOTATIONS = {"$schema", "$defs", "title", "description", "default", "examples", "discriminator"}
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def is_valid(schema: dict[str, Any], value: Any, root: dict[str, Any]) -> bool:
    """Validate by the keywords that the schema uses; any other keyword is an error."""
    return all(
        CHECKS[keyword](told, value, schema, root)
        for keyword, told in schema.items()
        if keyword not in ANNOTATIONS
    )


def has_type(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name])


def properties_are_valid(told: Any, value: Any, root: dict[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    return all(is_valid(told[key], value[key], root) for key in told if key in value)


def additional_are_valid(told: Any, value: Any, schema: Any, root: dict[str, Any]) -> bool:
    extra = set(value) - set(schema.get("properties", {})) if isinstance(value, dict) else set()
    if told is False:
        return not extra
    return told is True or all(is_valid(told, value[key], root) for key in extra)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


CHECKS: dict[str, Any] = {
    "$ref": lambda t, v, _, root: is_valid(root["$defs"][t.removeprefix("#/$defs/")], v, root),
    "anyOf": lambda t, v, _, root: any(is_valid(each, v, root) for each in t),
    "not": lambda t, v, _, root: not is_valid(t, v, root),
    "if": lambda t, v, schema, root: is_valid(
        schema["then" if is_valid(t, v, root) else "else"], v, root
    ),
    "then": lambda *_: True,
    "else": lambda *_: True,
    "propertyNames": lambda t, v, _, root: (
        not isinstance(v, dict) or all(is_valid(t, key, root) for key in v)
    ),
    "oneOf": lambda t, v, _, root: sum(is_valid(each, v, root) for each in t) == 1,
    "type": lambda t, v, _s, _r: has_type(t, v),
    "enum": lambda t, v, _s, _r: v in t,
    "const": lambda t, v, _s, _r: v == t,
    "properties": lambda t, v, _, root: properties_are_valid(t, v, root),
    "additionalProperties": additional_are_valid,
    "required": lambda t, v, _s, _r: not isinstance(v, dict) or set(t) <= set(v),
    "items": lambda t, v, _, root: (
        not isinstance(v, list) or all(is_valid(t, item, root) for item in v)
    ),
    "maxItems": lambda t, v, _s, _r: not isinstance(v, list) or len(v) <= t,
    "minItems": lambda t, v, _s, _r: not isinstance(v, list) or len(v) >= t,
    "uniqueItems": lambda t, v, _s, _r: (
        not (t and isinstance(v, list)) or len(set(map(str, v))) == len(v)
    ),
    "minProperties": lambda t, v, _s, _r: not isinstance(v, dict) or len(v) >= t,
    "minimum": lambda t, v, _s, _r: not is_number(v) or v >= t,
    "maximum": lambda t, v, _s, _r: not is_number(v) or v <= t,
    "exclusiveMinimum": lambda t, v, _s, _r: not is_number(v) or v > t,
    "exclusiveMaximum": lambda t, v, _s, _r: not is_number(v) or v < t,
    "minLength": lambda t, v, _s, _r: not isinstance(v, str) or len(v) >= t,
    "maxLength": lambda t, v, _s, _r: not isinstance(v, str) or len(v) <= t,
    "pattern": lambda t, v, _s, _r: not isinstance(v, str) or re.search(t, v) is not None,
}


def accepts(text: str) -> bool:
    schema = experiment_schema()
    return is_valid(schema, read_document(text, "e.yaml").tree, schema)


def catalogue_text(name: str) -> str:
    file = resources.files("experiments") / "catalogue" / f"{name}.yaml"
    return file.read_text(encoding="utf-8")


def properties(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, section in [("experiment", schema), *schema["$defs"].items()]:
        for key, described in section.get("properties", {}).items():
            yield name, key, described


def test_the_schema_states_its_draft_and_is_json():
    schema = experiment_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(schema)) == schema


def test_every_key_is_described():
    # the keys that choose a section are described where the section is
    choosing = {"source", "kind"}
    undescribed = [
        f"{section}.{key}"
        for section, key, described in properties(experiment_schema())
        if not described.get("description") and key not in choosing
    ]
    assert undescribed == []


def test_the_schema_has_every_field_of_every_workload():
    definitions = experiment_schema()["$defs"]
    for spec in (KMeansSpec, XGBoostSpec, EstimatorSpec, TasksSpec):
        names = {field.alias or name for name, field in spec.model_fields.items()}
        assert set(definitions[spec.__name__]["properties"]) == names


def test_the_schema_is_the_callers_own():
    experiment_schema()["properties"].clear()
    assert experiment_schema()["properties"]


def test_the_schema_lists_the_metrics():
    metrics = experiment_schema()["properties"]["metrics"]
    assert metrics["anyOf"][0]["items"]["enum"] == list(METRICS)


@pytest.mark.parametrize("name", READY)
def test_an_editor_accepts_the_ready_experiments(name):
    assert accepts(catalogue_text(name))


@pytest.mark.parametrize("name", READY)
def test_an_editor_accepts_what_is_written_back(name):
    assert accepts(load_experiment(name).to_yaml())


@pytest.mark.parametrize(
    ("change", "accepted"),
    [
        ("engines: [sklearn, dask]", True),
        ("engines: {sklearn: , dask: {workers: 2}}", True),
        ("engines:", True),
        ("engines: []", False),
        ("engines: {}", False),
        ("engines: [dsk]", False),
        ("engines: {sklearn: {workers: 1}}", False),
        ("resources: {memory: 4 GiB}", True),
        ("resources: {memory: 4096}", True),
        ("resources: {memory: 4 G}", False),
        ("resources: {memory: 0}", False),
        ("resources:", True),
        ("measure: {timeout: 90 s}", True),
        ("measure: {timeout: 0.5}", True),
        ("measure: {timeout: soon}", False),
        ("measure: {rounds: 0}", False),
        ("split:", True),
        ("split: {test_fraction: 0.5}", True),
        ("split: {test_fraction: 1}", False),
        ("metrics: [inertia]", True),
        ("metrics: []", False),
        ("sweep: {workload.seed: [1]}", True),
        ("sweep: {workload.seed: []}", False),
        ("unknown: 1", False),
    ],
)
def test_an_editor_accepts_what_is_read_and_marks_what_is_refused(tmp_path, change, accepted):
    from experiments.errors import RequestError

    text = "name: a\ndataset: {source: iris}\nworkload: {kind: kmeans, n_clusters: 3}\n" + change
    assert accepts(text) == accepted
    (tmp_path / "e.yaml").write_text(text)
    if accepted:
        load_experiment(tmp_path / "e.yaml")
    else:
        with pytest.raises(RequestError):
            load_experiment(tmp_path / "e.yaml")


ESTIMATOR = (
    "name: a\ndataset: {source: iris}\nworkload: {kind: estimator, class: sklearn.svm.SVC}\n"
)


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("name: a\nworkload: {kind: tasks}", True),
        ("name: a\nworkload: {kind: tasks}\ndataset: {source: iris}", False),
        ("name: a\nworkload: {kind: tasks, paths: 1}", False),
        ("name: a\nworkload: {kind: kmeans, n_clusters: 3}", False),
        ("name: a\ndataset: {source: iris}\nworkload: {kind: estimator}", False),
        (ESTIMATOR, True),
        (ESTIMATOR.replace("SVC", "SVC, parameters: {C: 1}"), True),
        (ESTIMATOR.replace("SVC", "SVC, parameters: [C]"), False),
        (ESTIMATOR + "search:", True),
        (ESTIMATOR + "search: {strategy: grid, space: {C: [1]}}", True),
        (ESTIMATOR + "search: {strategy: grid, space: {C: []}}", False),
        (ESTIMATOR + "search: {strategy: grid, space: {C: 1}}", False),
        (ESTIMATOR + "search: {strategy: grid, space: {}}", False),
        (ESTIMATOR + "search: {strategy: grid}", False),
        (ESTIMATOR + "search: {space: {C: [1]}}", False),
        (ESTIMATOR + "search: {strategy: all, space: {C: [1]}}", False),
        (ESTIMATOR + "search: {strategy: grid, space: {C: [1]}, scoring: accuracy}", True),
        (ESTIMATOR + "search: {strategy: grid, space: {C: [1]}, scoring: [accuracy]}", True),
        (ESTIMATOR + "search: {strategy: grid, space: {C: [1]}, scoring: acuracy}", False),
        (ESTIMATOR + "search: {strategy: grid, space: {C: [1]}, scoring: []}", False),
        (ESTIMATOR + "search: {strategy: grid, space: {C: [1]}, time_budget: 5 min}", True),
        (ESTIMATOR + "search: {strategy: grid, space: {C: [1]}, folds: 1}", False),
        (ESTIMATOR + "search: {strategy: halving, space: {C: [1]}, min_resources: 3}", True),
        (ESTIMATOR + "search: {strategy: halving, space: {C: [1]}, min_resources: few}", False),
        (
            ESTIMATOR
            + "search: {strategy: random, candidates: 2, space: {C: {uniform: [0.1, 1]}}}",
            True,
        ),
        (
            ESTIMATOR + "search: {strategy: random, candidates: 2, space: {C: {uniform: [0.1]}}}",
            False,
        ),
        (
            ESTIMATOR + "search: {strategy: random, candidates: 2, space: {C: {normal: [0, 1]}}}",
            False,
        ),
        (ESTIMATOR + "variants: {full: {workload.parameters.C: 2}, same: }", True),
        (ESTIMATOR + "variants:", True),
        (ESTIMATOR + "variants: {'A b': {}}", False),
        (ESTIMATOR + "variants: {full: [1]}", False),
    ],
)
def test_an_editor_knows_searches_estimators_tasks_and_variants(tmp_path, text, accepted):
    from experiments.errors import RequestError

    assert accepts(text) == accepted
    (tmp_path / "e.yaml").write_text(text)
    if accepted:
        load_experiment(tmp_path / "e.yaml")
    else:
        with pytest.raises(RequestError):
            load_experiment(tmp_path / "e.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "name: a\ndataset: {}\nworkload: {kind: kmeans, n_clusters: 3}",
        "name: a\ndataset: {source: iris}\nworkload: {n_clusters: 3}",
        "name: a\ndataset: {source: blobs}\nworkload: {kind: kmeans, n_clusters: 3}",
        "name: a\ndataset: {source: blobs, n_samples: 0}\nworkload: {kind: kmeans, n_clusters: 3}",
        "name: A\ndataset: {source: iris}\nworkload: {kind: kmeans, n_clusters: 3}",
        "dataset: {source: iris}\nworkload: {kind: kmeans, n_clusters: 3}",
    ],
)
def test_an_editor_marks_what_is_missing_or_out_of_range(text):
    assert not accepts(text)


# ---- catalogue -----------------------------------------------------------------------------------


def test_the_catalogue_lists_names_with_questions():
    assert {"kmeans-blobs", "kmeans-digits", "xgboost-breast-cancer"} <= set(READY)
    assert sorted(READY) == READY
    assert all(one.question.endswith("?") for one in catalogue_names())


@pytest.mark.parametrize("name", READY)
def test_a_ready_experiment_is_valid_and_has_the_name_of_its_file(name):
    experiment = load_experiment(name)
    (ready,) = [one for one in catalogue_names() if one.name == name]
    assert experiment.name == name
    assert ready.question == experiment.question
    for variant in ready.variants:
        assert load_experiment(name, variant=variant).name == f"{name}-{variant}"


@pytest.mark.parametrize("name", READY)
def test_a_ready_experiment_survives_being_written(name, tmp_path):
    experiment = load_experiment(name)
    (tmp_path / "definition.yaml").write_text(experiment.to_yaml(), encoding="utf-8")
    again = load_experiment(tmp_path / "definition.yaml")
    assert again == experiment
    assert again.digest == experiment.digest


def test_the_digits_are_clustered_as_they_are():
    experiment = load_experiment("kmeans-digits")
    dataset, workload = experiment.dataset, experiment.workload
    assert (dataset.source, dataset.dtype, dataset.standardize) == ("digits", "float64", False)
    assert (workload.n_clusters, workload.init, workload.max_iter) == (10, "shared", 100)
    assert experiment.split is None


def test_the_tumours_are_split_in_proportion():
    experiment = load_experiment("xgboost-breast-cancer")
    split, workload = experiment.split, experiment.workload
    assert (split.test_fraction, split.seed, split.stratify) == (0.25, 0, True)
    assert (workload.n_estimators, workload.max_depth, workload.learning_rate) == (100, 4, 0.1)


def test_definitions_are_listed_without_loading_an_engine():
    code = (
        "import sys; from experiments.definition import catalogue_names; catalogue_names(); "
        "print(*{name.partition('.')[0] for name in sys.modules} & "
        "{'sklearn', 'dask', 'distributed', 'pyspark', 'xgboost'})"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
