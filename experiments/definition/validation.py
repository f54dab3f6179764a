"""From values to an experiment, or to one sentence for each thing that is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from engines.errors import SpecError
from engines.estimators import find_estimator, kind_of
from experiments.definition.candidates import refused_candidates
from experiments.definition.conflicts import CONFLICT
from experiments.definition.models import Experiment, missing_dataset
from experiments.definition.reading import Document, Place, Problem, refuse
from experiments.definition.schema import (
    choices,
    chooser,
    expected,
    find,
    is_open,
    keys_at,
    known_schema,
)
from experiments.definition.sweep import MOST_POINTS, at_point, combinations, count_points
from experiments.definition.wording import first_repeated, meant, nearest, shown, shown_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic_core import ErrorDetails

    from experiments.definition.wording import KeyPath

# the other sections say what a run is called and how it is measured, which all points share
SWEPT_SECTIONS = ("dataset", "split", "workload", "search", "engines", "resources")

# unlike None, nothing that a definition can hold
_NOTHING = object()


def validate(document: Document) -> Experiment:
    """Return the experiment that a definition describes.

    Parameters
    ----------
    document : Document
        A definition in full form: see `experiments.definition.shorthand`.

    Returns
    -------
    Experiment
        With every metric known and fit for the workload, and every key of the sweep known; the
        points of the sweep are not validated yet: see `check_points`.

    Raises
    ------
    RequestError
        With one line for each problem.
    """
    found = examine(document)
    if isinstance(found, Experiment):
        return found
    refuse(found)
    raise AssertionError("a definition that is refused has a problem")


def examine(document: Document) -> Experiment | list[Problem]:
    """Return the experiment that a definition describes, or all that is wrong with it.

    It is what `validate` does, without raising.
    """
    experiment = None
    problems: list[Problem] = []
    try:
        experiment = Experiment.from_tree(document.tree)
    except ValidationError as error:
        problems += _problems_of(error, document)
    problems += _dataset_problems(document)
    problems += _metric_problems(document, ("metrics",))
    problems += _metric_problems(document, ("search", "scoring"))
    problems += _sweep_problems(document)
    return problems or experiment or []


def points_problems(experiment: Experiment, document: Document) -> list[Problem]:
    """Return what is wrong with any point of the sweep; see `check_points`."""
    found: dict[Problem, Problem] = {}
    tree = experiment.model_dump(mode="json")
    searched: set[str] = set()
    for point in combinations(experiment.sweep):
        placed = at_point(tree, point)
        at = Document(placed, _places_at(point, document, experiment))
        try:
            problems = list(_candidate_problems(Experiment.from_tree(placed), at, searched))
        except ValidationError as error:
            problems = _problems_of(error, at)
        for problem in problems:
            # the first point with a problem stands for the others that have it
            found.setdefault(problem, _with_point(problem, point, document) if point else problem)
    return list(found.values())


def check_points(experiment: Experiment, document: Document) -> None:
    """Refuse a sweep with a point that is no valid experiment.

    Parameters
    ----------
    experiment : Experiment
        With the engines that will run.
    document : Document
        Where its keys were written.

    Raises
    ------
    RequestError
        Naming the line of the sweep, the key and the value.
    """
    refuse(list(_unselected_problems(experiment, document)))
    refuse(points_problems(experiment, document))


def _problems_of(error: ValidationError, document: Document) -> list[Problem]:
    """Translate pydantic's findings, one problem a path."""
    schema = known_schema()
    by_path: dict[KeyPath, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        if not _repeats_another(detail):
            by_path.setdefault(_path_of(detail, document.tree, schema), []).append(detail)
    unknown = {path for path, (first, *_) in by_path.items() if first["type"] == "extra_forbidden"}
    renamed = {
        (*path[:-1], nearest(path[-1], keys_at(schema, document.tree, path[:-1])))
        for path in unknown
    }
    return [
        _problem(path, details[0], document, schema)
        for path, details in by_path.items()
        if details[0]["type"] != "missing" or path not in renamed
    ]


def _repeats_another(detail: ErrorDetails) -> bool:
    """Say whether pydantic only adds what follows from another finding."""
    # a list counts as too short when all that it holds is wrong
    empty_now = detail["type"] == "too_short" and bool(detail["input"])
    return empty_now or detail["type"] == "default_factory_not_called"


def _path_of(detail: ErrorDetails, tree: Any, schema: Mapping[str, Any]) -> KeyPath:
    """Return the path in the file; pydantic's also names the kinds that it tried."""
    location = detail["loc"]
    if detail["type"] == CONFLICT:
        return location
    if len(location) > 1 and chooser(schema, location[:1]) is not None:
        location = (location[0], *location[2:])
    path: KeyPath = ()
    for position, key in enumerate(location, start=1):
        tree = _below(tree, key)
        if tree is _NOTHING and (detail["type"] != "missing" or position < len(location)):
            break
        path = (*path, key)
    if detail["type"].startswith("union_tag") and isinstance(tree, dict):
        section = chooser(schema, path)
        path = (*path, section[0]) if section else path
    return path


def _problem(
    path: KeyPath, detail: ErrorDetails, document: Document, schema: Mapping[str, Any]
) -> Problem:
    place = document.place(path)
    message = _message(path, detail, document, schema)
    if detail["type"] == "union_tag_not_found" and path not in document.places:
        # the key that chooses may be there under a misspelt name
        section = _value(document.tree, path[:-1])
        if misspelt := nearest(path[-1], section if isinstance(section, dict) else ()):
            message = f"unknown key; did you mean {path[-1]}?"
            path = (*path[:-1], misspelt)
            place = document.place(path)
    return Problem(str(place), shown_path(path), message.rstrip("."), place.line)


def _message(
    path: KeyPath, detail: ErrorDetails, document: Document, schema: Mapping[str, Any]
) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return f"unknown key{meant(path[-1], keys_at(schema, document.tree, path[:-1]))}"
    if kind in {"value_error", "assertion_error", CONFLICT}:
        return str(detail["ctx"]["error"])
    section = chooser(schema, path[:-1])
    if section is not None and section[0] == path[-1]:
        allowed: tuple[Any, ...] = section[1]
        what = f"one of {', '.join(allowed)}"
    else:
        described = find(schema, document.tree, path) or {}
        allowed = choices(schema, described)
        what = expected(schema, described)
    if kind in {"missing", "union_tag_not_found"} and path not in document.places:
        return f"is missing; it must be {what}" if what else "is missing"
    value = _value(document.tree, path)
    if not what:
        return f"{detail['msg'][0].lower()}{detail['msg'][1:]}; got {shown(value)}"
    near = nearest(value, map(str, allowed)) if isinstance(value, str) else None
    return f"must be {what}; got {shown(value)}" + (f"; did you mean {near}?" if near else "")


def _value(tree: Any, path: KeyPath) -> Any:
    for key in path:
        tree = _below(tree, key)
    return None if tree is _NOTHING else tree


def _below(value: Any, key: str | int) -> Any:
    """Return what a mapping or list holds under a key, or `_NOTHING`."""
    if isinstance(value, dict):
        return value.get(key, _NOTHING)
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    return _NOTHING


def _dataset_problems(document: Document) -> Iterator[Problem]:
    """Find that there is no dataset, even where other trouble keeps the sections apart."""
    workload = document.tree.get("workload")
    kind = workload.get("kind") if isinstance(workload, dict) else None
    renamed = {
        nearest(key, Experiment.model_fields)
        for key in document.tree
        if key not in Experiment.model_fields
    }
    learns = isinstance(kind, str) and kind in {"kmeans", "xgboost", "estimator"}
    if learns and document.tree.get("dataset") is None and "dataset" not in renamed:
        place = document.place(("dataset",))
        yield Problem(str(place), "dataset", missing_dataset(str(kind)), place.line)


def _candidate_problems(
    experiment: Experiment, document: Document, searched: set[str]
) -> Iterator[Problem]:
    """Find candidates of a search that the workload refuses; each search is looked at once."""
    search, workload = experiment.search, experiment.workload
    if search is None:
        return
    asked = f"{workload.model_dump_json()} {search.model_dump_json()}"
    if asked in searched:
        return
    searched.add(asked)
    for candidate, error in refused_candidates(search, workload):
        yield from _problems_of_candidate(candidate, error, document)


def _problems_of_candidate(
    candidate: Mapping[str, Any], error: ValidationError, document: Document
) -> Iterator[Problem]:
    """Say what is wrong with a candidate, in the words for the workload that it stands for."""
    space, workload = document.tree["search"]["space"], document.tree["workload"]
    places = dict(document.places)
    for name, value in candidate.items():
        values = space[name]
        index = (values.index(value),) if isinstance(values, list) else ()
        places["workload", name] = document.place(("search", "space", name, *index))
    placed = Document({**document.tree, "workload": {**workload, **candidate}}, places)
    schema = known_schema()
    for detail in error.errors(include_url=False):
        path: KeyPath = ("workload", *detail["loc"])
        message = _message(path, detail, placed, schema)
        if len(path) > 1 and path[1] in candidate:
            place, key = placed.place(path), f"search.space.{path[1]}"
        else:
            place, key = document.place(("search", "space")), "search.space"
            values = ", ".join(f"{name}={shown(value)}" for name, value in candidate.items())
            message = f"{message} (with {values})"
        yield Problem(str(place), key, message.rstrip("."), place.line)


def _metric_problems(document: Document, path: tuple[str, ...]) -> Iterator[Problem]:
    """Find metrics that are unknown, named twice, or for another kind of workload."""
    from experiments.metrics import METRICS

    names, workload = _value(document.tree, path), document.tree.get("workload")
    if isinstance(names, str) and path != ("metrics",):
        names = [names]
    if not isinstance(names, list):
        return
    tasks = _tasks(workload, document.tree.get("sweep"))
    scoring = [name for name, metric in METRICS.items() if not tasks or tasks & set(metric.tasks)]
    response = workload.get("response") if isinstance(workload, dict) else None
    ranks, improbable = response != "classes", response in ["classes", "ranking"]
    fitting = [
        name
        for name in scoring
        if (ranks or not METRICS[name].needs_ranking)
        and not (improbable and METRICS[name].needs_probability)
    ]
    for index, name in enumerate(names):
        if not isinstance(name, str):
            continue
        if name not in METRICS:
            message = f"there is no metric {shown(name)}{meant(name, fitting)}"
        elif name not in scoring:
            message = f"{name} does not score this workload; choose from {', '.join(fitting)}"
        elif name not in fitting:
            message = f"{name} needs probabilities, and workload.response is {response}"
            message = f"{message}; choose from {', '.join(fitting)}"
        elif name in names[:index]:
            message = f"{name} is named twice; name each metric once"
        else:
            continue
        place = document.place((*path, index))
        yield Problem(str(place), shown_path(path), message, place.line)


def _tasks(workload: Any, sweep: Any) -> set[str]:
    """Return what the workload may turn out to learn; nothing where that is not known."""
    if not isinstance(workload, dict):
        return set()
    changes = {"workload", "workload.task", "workload.class"}
    swept = isinstance(sweep, dict) and bool(changes & set(sweep))
    learned = {"binary", "multiclass", "regression"}
    match workload.get("kind"):
        case "kmeans":
            return {"clustering"}
        case "tasks":
            return {"simulation"}
        case "estimator" if not swept:
            return _tasks_of_estimator(workload.get("class"))
        case "xgboost":
            task = workload.get("task")
            return {task} if isinstance(task, str) and task in learned and not swept else learned
    return set()


def _tasks_of_estimator(path: Any) -> set[str]:
    if not isinstance(path, str):
        return set()
    try:
        kind = kind_of(find_estimator(path))
    except SpecError:
        return set()
    of_kind = {
        "classifier": {"binary", "multiclass"},
        "regressor": {"regression"},
        "clusterer": {"clustering"},
    }
    return of_kind[kind]


def _sweep_problems(document: Document) -> Iterator[Problem]:
    """Find keys of the sweep that are unknown or cannot vary, and sweeps that are too large."""
    sweep = document.tree.get("sweep")
    if not isinstance(sweep, dict):
        return
    schema = known_schema()
    lists = {key: values for key, values in sweep.items() if isinstance(values, list)}
    for key, values in sweep.items():
        message = _sweep_key_message(key, sweep, document.tree, schema)
        if message is None and key in lists and (again := first_repeated(values)):
            message = f"has the value {again} twice; write each value once"
        if message is not None:
            place = document.place(("sweep", key))
            yield Problem(str(place), shown_path(("sweep", key)), message, place.line)
    if (count := count_points(lists)) > MOST_POINTS:
        place = document.place(("sweep",))
        message = f"has {count} combinations, and at most {MOST_POINTS} are run; remove some values"
        yield Problem(str(place), "sweep", message, place.line)


def _sweep_key_message(
    key: str, sweep: Mapping[str, Any], tree: Mapping[str, Any], schema: Mapping[str, Any]
) -> str | None:
    """Say what is wrong with one key of the sweep, if anything is."""
    path = tuple(key.split("."))
    for depth in range(1, len(path) + 1):
        names: Sequence[str] = keys_at(schema, tree, path[: depth - 1])
        if path[depth - 1] in names or is_open(schema, tree, path[: depth - 1]):
            continue
        near = nearest(path[depth - 1], names)
        whole = ".".join((*path[: depth - 1], near, *path[depth:])) if near else None
        dotted = [".".join((*path[: depth - 1], name)) for name in names]
        return f"unknown key{f'; did you mean {whole}?' if whole else meant('', dotted)}"
    if path[0] not in SWEPT_SECTIONS or path == ("engines",):
        return f"cannot vary; a sweep varies keys in {', '.join(SWEPT_SECTIONS)}"
    section = chooser(schema, path[:-1])
    if section is not None and section[0] == path[-1]:
        return f"cannot vary alone, because the other keys depend on it; sweep whole {path[0]}s"
    for other in sweep:
        if key.startswith(f"{other}."):
            return f"is part of {other}, which is swept too; sweep one of them"
    return None


def _unselected_problems(experiment: Experiment, document: Document) -> Iterator[Problem]:
    selected = experiment.engines.selected()
    for key in experiment.sweep:
        section, *rest = key.split(".")
        if section == "engines" and rest and rest[0] not in selected:
            place = document.place(("sweep", key))
            message = f"varies {rest[0]}, which does not run; select it or remove this key"
            yield Problem(str(place), shown_path(("sweep", key)), message, place.line)


def _places_at(
    point: Mapping[str, Any], document: Document, experiment: Experiment
) -> dict[KeyPath, Place]:
    """Return the places of a point: what is swept was written in the sweep."""
    places = dict(document.places)
    for key, value in point.items():
        path: KeyPath = tuple(key.split("."))
        places = {other: at for other, at in places.items() if other[: len(path)] != path}
        index = experiment.sweep[key].index(value)
        places[path] = document.place(("sweep", key, index))
    return places


def _with_point(problem: Problem, point: Mapping[str, Any], document: Document) -> Problem:
    """Say which point of the sweep a problem belongs to, unless the problem shows it."""
    swept = [key for key in point if problem.path == key or problem.path.startswith(f"{key}.")]
    inside = [key for key in point if key.startswith(f"{problem.path}.")]
    if swept:
        key, message = swept[0], problem.message
        place, line = problem.place, problem.line
    else:
        key = (inside or list(point))[0]
        at = document.place(("sweep", key))
        values = ", ".join(f"{name}={shown(value)}" for name, value in point.items())
        message = f"{problem.message} (at {values})"
        place, line = str(at), at.line
    return Problem(f"{place}: sweep", problem.path, message, line)
