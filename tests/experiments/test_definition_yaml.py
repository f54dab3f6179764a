from __future__ import annotations

import copy
import string
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from experiments.definition import Experiment, load_experiment
from experiments.definition.reading import read_document, read_value
from experiments.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

VALID = """\
name: a-valid-one
question: |
  Does it hold?
dataset: &data {source: blobs, n_samples: 200_000, centers: 12, standardize: true, sample: 0.5}
split: {test_fraction: 0.25, stratify: false}
workload: {kind: kmeans, n_clusters: 12, init: shared, tol: 1.0e-4}
engines: {sklearn: {}, dask: {workers: 2, threads_per_worker: 1}, spark:}
resources: {cores: 2, memory: 4 GiB}
measure: {rounds: 2, timeout: 10 min}
metrics: [inertia, silhouette]
sweep: {dataset.n_samples: [10, 20]}
"""
SEARCH = """\
name: a-search
dataset: {source: iris, standardize: true}
split: {test_fraction: 0.25, folds: 3}
workload: {kind: estimator, class: sklearn.svm.SVC, parameters: {gamma: auto}, response: auto}
search:
  strategy: halving
  space: {C: {loguniform: [0.1, 10]}, kernel: [rbf, poly], shrinking: [true, false]}
  candidates: 9
  seed: 3
  scoring: [accuracy, f1_macro]
  refit: f1_macro
  time_budget: 5 min
  resource: max_iter
  min_resources: 3
  max_resources: 90
metrics: [accuracy]
sweep: {search.seed: [1, 2], workload.parameters.C: [1]}
variants:
  full: {search.candidates: 20, dataset.sample: 0.5}
  rows: {search.resource: rows, search.max_resources: null}
"""
TASKS = """\
name: tasks
workload: {kind: tasks, paths: 1000, days: 5}
metrics: [estimate]
sweep: {workload.seed: [1, 2]}
"""


def read(text: str) -> dict[str, Any]:
    return read_document(text, "e.yaml").tree


def refusal(text: str) -> list[str]:
    with pytest.raises(RequestError) as raised:
        read_document(text, "e.yaml")
    return str(raised.value).split("\n")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1E+2", 100),
        ("1e6", 1_000_000),
        ("1.0e-4", 1e-4),
        (".5", 0.5),
        ("5.", 5.0),
        ("-3", -3),
        ("200_000", 200_000),
        ("true", True),
        ("yes", True),
        ("~", None),
        ("", None),
        ("010", "010"),
        ("1:30", "1:30"),
        ("2001-01-01", "2001-01-01"),
        ("0x1F", "0x1F"),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("!!float 1", 1),
        ("10 min", "10 min"),
        ("=", "="),
        ("{b: [1, {c: null}]}", {"b": [1, {"c": None}]}),
    ],
)
def test_a_value_is_what_it_looks_like(text, value):
    found = read(f"a: {text}")["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ": the file is empty; a definition needs at least name, dataset and workload."),
        ("# b\n", ": the file is empty; a definition needs at least name, dataset and workload."),
        (
            "\n- a\n",
            (
                ":2: a definition is a mapping with keys such as name, dataset and workload; "
                "this is a list."
            ),
        ),
        (
            "text",
            (
                ":1: a definition is a mapping with keys such as name, dataset and workload; "
                "this is the single value 'text'."
            ),
        ),
        ("a: 1\nb: 2\na: 3\n", ":3: a: the key is given twice, first at line 1."),
        ("a:\n  b: 1\n  b: 1\n", ":3: a.b: the key is given twice, first at line 2."),
        ("a: 1\nb: .nan\n", ":2: b: must be a finite number; got .nan."),
        ("a: [1,\n  -.inf]\n", ":2: a.1: must be a finite number; got -.inf."),
        ("a: 1e999\n", ":1: a: must be a finite number; got 1e999."),
        (
            "a: 9223372036854775808\n",
            ":1: a: must be a number of at most 64 bits; got 9223372036854775808.",
        ),
        ("1: a\n", ":1: a key must be text; got 1: put it in quotes or rename it."),
        ("a: {yes: b}\n", ":1: a: a key must be text; got yes: put it in quotes or rename it."),
        ("? [a]\n: b\n", ":1: a key must be text; got a list: put it in quotes or rename it."),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            (
                ":1: a: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not allowed; "
                "write a plain value."
            ),
        ),
        ("a: !mine b\n", ":1: a: the tag '!mine' is not allowed; write a plain value."),
        (
            "a: !!binary aGk=\n",
            ":1: a: the tag 'tag:yaml.org,2002:binary' is not allowed; write a plain value.",
        ),
        ("a: !!int b\n", ":1: a: must be a number; got 'b'."),
        ("a: !!bool b\n", ":1: a: must be true or false; got 'b'."),
        (
            "a: !!map b\n",
            ":1: a: the tag 'tag:yaml.org,2002:map' is not allowed; write a plain value.",
        ),
        (
            "a: &x\n  b: *x\n",
            ":1: a.b: an alias stands for a value that it is part of; write the value out.",
        ),
        ("a: *x\n", ":1: this is not valid YAML: found undefined alias 'x'."),
        ("a: [1\nb: 2\n", ":2: this is not valid YAML: expected ',' or ']', but got ':'."),
        (
            "a: 1\n\tb: 2\n",
            ":2: this is not valid YAML: found character '\\t' that cannot start any token.",
        ),
        (
            "a: 1\n---\nb: 2\n",
            (
                ":2: this is not valid YAML: expected a single document in the stream, but found "
                "another document."
            ),
        ),
        ("a: 1\nb: \0\n", ":2: this is not valid YAML: the character '\\x00' is not allowed."),
        ('a: "\\ud800"\n', ":1: a: the text holds a character that no file can store."),
        ('a: "\\0"\n', ":1: a: the text holds a character that no file can store."),
        ('a: "\\U00110000"\n', ":1: this is not valid YAML: it cannot be parsed."),
        (f"%YAML {'1' * 5000}.1\n---\na: 1\n", ":1: this is not valid YAML: it cannot be parsed."),
        ("a: " + "[" * 500, ":1: this is not valid YAML: the nesting is too deep."),
        ("[" * 50_000, ":1: this is not valid YAML: the nesting is too deep."),
    ],
)
def test_what_no_definition_can_hold_is_refused_with_its_line(text, line):
    assert refusal(text) == [f"e.yaml{line}"]


def test_a_number_of_thousands_of_digits_is_refused():
    assert refusal(f"a: {'9' * 9000}\n")[0].startswith("e.yaml:1: a: must be a finite number; got ")


def test_all_problems_are_found_at_once():
    assert [line.split(": ")[0] for line in refusal("a: .nan\n1: 2\na: 3\n")] == [
        "e.yaml:1",
        "e.yaml:2",
        "e.yaml:3",
    ]


# ---- aliases -------------------------------------------------------------------------------------


def test_they_stand_for_their_value():
    assert read("a: &x {b: 1}\nc: *x\n") == {"a": {"b": 1}, "c": {"b": 1}}


def test_a_merge_adds_what_is_not_there():
    text = "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n"
    assert read(text)["d"] == {"c": 3, "b": 1}


def test_the_first_of_several_merged_mappings_wins():
    assert read("a: {<<: [{b: 1}, {b: 2, c: 3}]}\n")["a"] == {"b": 1, "c": 3}


def test_what_is_merged_keeps_its_line():
    document = read_document("a: &x\n  b: 1\n  c: 2\nd:\n  <<: *x\n  c: 3\n", "e.yaml")
    assert str(document.place(("d", "b"))) == "e.yaml:2"
    assert str(document.place(("d", "c"))) == "e.yaml:6"


def test_only_a_mapping_can_be_merged():
    assert refusal("a: {<<: 3}\n") == [
        "e.yaml:1: a.'<<': must be a mapping to merge; got the single value '3'."
    ]


def test_a_mapping_cannot_be_merged_into_itself():
    assert refusal("a: &x\n  <<: *x\n") == [
        "e.yaml:1: a: an alias stands for a value that it is part of; write the value out."
    ]


def test_a_billion_laughs_are_refused():
    levels = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 20))
    (line,) = refusal(f"a0: &a0 [ha]\n{levels}")
    assert line.endswith("the aliases expand to too much; write fewer values.")


def test_a_long_chain_of_aliases_is_refused():
    chain = "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 5000))
    (line,) = refusal(f"a0: &a0 1\n{chain}")
    assert line.endswith("the aliases expand to too much; write fewer values.")


# ---- places --------------------------------------------------------------------------------------


def test_a_key_is_at_its_line_and_an_item_at_its_own():
    document = read_document("a:\n  b:\n    - 1\n    - 2\n", "e.yaml")
    assert [document.place(path).line for path in [("a",), ("a", "b"), ("a", "b", 1)]] == [
        1,
        2,
        4,
    ]


def test_what_is_missing_is_at_the_section_around_it():
    document = read_document("# comment\n\na:\n  b: 1\n", "e.yaml")
    assert document.place(("a", "c", "d")).line == 3
    assert document.place(("x",)).line == 3


def test_an_argument_is_read_like_a_value_and_names_no_line():
    assert read_value("[1e-3, yes]", "--set a=[1e-3, yes]") == [1e-3, True]
    with pytest.raises(RequestError, match=r"^--set a=\{b: 1, b: 2\}: b: the key is given twice"):
        read_value("{b: 1, b: 2}", "--set a={b: 1, b: 2}")


# ---- never a traceback ---------------------------------------------------------------------------

NO_TRACEBACK = settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
WORDS = st.sampled_from(
    [
        "a",
        "dataset",
        "source",
        "blobs",
        "iris",
        "csv",
        "workload",
        "kind",
        "kmeans",
        "xgboost",
        "sweep",
        "engines",
        "dask",
        "null",
        "true",
        "1",
        "-1",
        "1e-4",
        ".nan",
        "1e999",
        "4GiB",
        "&a",
        "*a",
        "<<",
        "!!int",
        "!!set",
        "!!python/none",
        "?",
        "-",
        ":",
        ",",
        "[",
        "]",
        "{",
        "}",
        "|",
        ">",
        "'",
        '"',
        "#",
        "%",
        "@",
        "`",
        "---",
        "...",
        "\\u",
        "\\x",
        "%YAML",
        "%TAG",
        "dataset.seed",
        "9999999999999999999999",
    ]
)
SPACES = st.sampled_from(["", " ", "\n", "\n  ", "\n    ", "\t", ": ", ", ", "\r", "\x85"])
MADE_UP = st.lists(st.tuples(WORDS, SPACES), max_size=40).map(
    lambda parts: "".join(word + space for word, space in parts)
)
KEYS = st.sampled_from(
    [
        "name",
        "question",
        "dataset",
        "source",
        "n_samples",
        "centers",
        "levels",
        "sample",
        "path",
        "features",
        "workload",
        "kind",
        "n_clusters",
        "tol",
        "init",
        "n_init",
        "n_estimators",
        "task",
        "split",
        "test_fraction",
        "stratify",
        "engines",
        "sklearn",
        "dask",
        "spark",
        "workers",
        "resources",
        "cores",
        "memory",
        "measure",
        "timeout",
        "metrics",
        "sweep",
        "variants",
        "search",
        "strategy",
        "space",
        "candidates",
        "C",
        "max_iter",
        "scoring",
        "refit",
        "folds",
        "shuffle",
        "resource",
        "factor",
        "min_resources",
        "max_resources",
        "time_budget",
        "uniform",
        "randint",
        "class",
        "parameters",
        "dataset.n_samples",
        "workload.seed",
        "workload.parameters.C",
        "search.space.C",
        "engines.dask",
        "split.seed",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 10)
    | st.integers()
    | st.floats()
    | st.sampled_from(
        [
            "blobs",
            "iris",
            "digits",
            "openml",
            "csv",
            "kmeans",
            "xgboost",
            "shared",
            "4GiB",
            "inertia",
            "estimator",
            "tasks",
            "grid",
            "random",
            "halving",
            "rows",
            "accuracy",
            "sklearn.linear_model.Ridge",
        ]
    )
    | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)


def try_to_load(folder: Path, text: str, *overrides: str) -> Experiment | None:
    path = folder / "e.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        return load_experiment(path, overrides)
    except RequestError as error:
        lines = str(error).split("\n")
    assert all(line.endswith((".", "?")) for line in lines)
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.parametrize("text", [VALID, SEARCH, TASKS])
def test_the_document_that_is_mutated_below_is_valid(folder, text):
    assert try_to_load(folder, text) is not None


@NO_TRACEBACK
@given(text=st.text(max_size=200) | MADE_UP)
@example(text="%TAG ! tag:%ff\n--- !x a")
@example(text="? ? ?")
@example(text="!!int : 1")
@example(text="dataset: {source: {}}\nsweep: {'': [1], a: 3, dataset: [1]}")
def test_made_up_text_never_gives_a_traceback(folder, text):
    try_to_load(folder, text)


@NO_TRACEBACK
@given(data=st.data())
def test_a_definition_with_characters_changed_never_gives_a_traceback(folder, data):
    text = data.draw(st.sampled_from([VALID, SEARCH, TASKS]))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        stop = data.draw(st.integers(start, min(len(text), start + 8)))
        new = data.draw(
            st.text(max_size=3) | WORDS | st.text(string.punctuation + "\n \t", max_size=3)
        )
        text = text[:start] + new + text[stop:]
    try_to_load(folder, text)


@NO_TRACEBACK
@given(data=st.data())
def test_a_definition_with_values_changed_is_refused_or_survives_being_written(folder, data):
    tree = copy.deepcopy(yaml.safe_load(data.draw(st.sampled_from([VALID, SEARCH, TASKS]))))
    for _ in range(data.draw(st.integers(1, 3))):
        section = tree
        while True:
            key = data.draw(st.sampled_from(sorted(section)) | KEYS)
            below = section.get(key)
            if not isinstance(below, dict) or not below or data.draw(st.booleans()):
                break
            section = below
        if data.draw(st.booleans()):
            section[key] = data.draw(VALUES)
        else:
            section.pop(key, None)
        if not tree:
            break
    try:
        text = yaml.safe_dump(tree, allow_unicode=True)
    except UnicodeEncodeError:
        return
    experiment = try_to_load(folder, text)
    if experiment is not None:
        again = try_to_load(folder, experiment.to_yaml())
        assert again == experiment
        assert again.digest == experiment.digest
        assert len(experiment.points()) >= 1


@NO_TRACEBACK
@given(
    key=st.lists(KEYS | st.text(max_size=3), min_size=1, max_size=3).map(".".join),
    text=st.text(max_size=10) | MADE_UP | VALUES.map(repr),
)
def test_an_override_never_gives_a_traceback(folder, key, text):
    for document in (VALID, SEARCH, TASKS):
        try_to_load(folder, document, f"{key}={text}")


@NO_TRACEBACK
@given(question=st.text())
def test_any_question_survives_being_written(folder, question):
    experiment = try_to_load(folder, VALID)
    assert experiment is not None
    asked = experiment.model_copy(update={"question": question})
    if "\0" not in question:
        assert try_to_load(folder, asked.to_yaml()) == asked
