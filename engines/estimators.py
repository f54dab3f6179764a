"""The estimators of scikit-learn's public interface, by the path that its documentation gives."""

from __future__ import annotations

import difflib
import inspect
from typing import TYPE_CHECKING, Any, Literal

from engines.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable

EstimatorKind = Literal["classifier", "regressor", "clusterer"]

_KINDS: dict[str, EstimatorKind] = {
    "classifier": "classifier",
    "regressor": "regressor",
    "cluster": "clusterer",
}


# Without a default for what they are built around, though the signature has one
_BUILT_AROUND = {"SelfTrainingClassifier": ["estimator"]}
# Clusterers, by the interface that they share with others, of the columns
_OF_FEATURES = {"FeatureAgglomeration"}


def find_estimator(path: str) -> type[Any]:
    """Return a classifier, regressor or clusterer of scikit-learn.

    Parameters
    ----------
    path : str
        Its public path, such as ``sklearn.svm.SVC``. It is looked up among scikit-learn's own
        estimators; no other module is ever imported for it.

    Raises
    ------
    SpecError
        If scikit-learn has no such estimator, or it cannot be made from plain values because it
        is built around another estimator, or it clusters features.
    """
    found = _import(path)
    if found is None:
        raise SpecError(
            f"{path!r} is no classifier, regressor or clusterer of scikit-learn{_near(path)}"
        )
    if needed := _needed_arguments(found):
        raise SpecError(
            f"{path} is built around other objects ({', '.join(needed)}), which a definition "
            f"cannot give; choose an estimator that stands alone"
        )
    if found.__name__ in _OF_FEATURES:
        raise SpecError(
            f"{path} clusters features, not rows; choose a clusterer of rows such as "
            f"sklearn.cluster.KMeans"
        )
    return found


def kind_of(estimator: type[Any]) -> EstimatorKind:
    """Return what an estimator is for."""
    kinds = [_KINDS[kind] for kind in _types_of(estimator) if kind in _KINDS]
    return kinds[0]


def parameter_names(estimator: type[Any]) -> tuple[str, ...]:
    """Return the names of the parameters that an estimator can be given."""
    return tuple(inspect.signature(estimator.__init__).parameters)[1:]


def parameter_near(estimator: type[Any], name: str) -> str:
    """Say which parameters come near a name that an estimator does not know."""
    names = parameter_names(estimator)
    close = difflib.get_close_matches(name, names, n=3)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; it has {', '.join(names)}"


def parallel_parameter(estimator: type[Any]) -> str | None:
    """Return ``"n_jobs"`` where an estimator's fit can spread over jobs; None elsewhere.

    ``LogisticRegression`` still has the parameter, without any effect since version 1.8.
    """
    without_effect = {"LogisticRegression"}
    has_it = "n_jobs" in parameter_names(estimator)
    return "n_jobs" if has_it and estimator.__name__ not in without_effect else None


def _import(path: str) -> type[Any] | None:
    """Return the class at a public path of scikit-learn; None if there is none of our kinds."""
    import importlib

    import sklearn
    from sklearn.base import BaseEstimator

    parts = path.split(".")
    if len(parts) != 3 or parts[0] != "sklearn" or parts[1] not in sklearn.__all__:
        return None
    module = importlib.import_module(f"sklearn.{parts[1]}")
    found = getattr(module, parts[2], None)
    own = inspect.isclass(found) and issubclass(found, BaseEstimator)
    if not own or not found.__module__.startswith("sklearn.") or not _is_public(module, parts[2]):
        return None
    abstract = inspect.isabstract(found)
    return found if not abstract and set(_types_of(found)) & set(_KINDS) else None


def _is_public(module: Any, name: str) -> bool:
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return name in listed
    # what a module of one file defines itself, as opposed to what it imports
    return not name.startswith("_") and getattr(module, name).__module__ == module.__name__


def _types_of(estimator: Any) -> Iterable[str]:
    from sklearn.base import ClassifierMixin, ClusterMixin, RegressorMixin

    mixins = {"classifier": ClassifierMixin, "regressor": RegressorMixin, "cluster": ClusterMixin}
    return [kind for kind, mixin in mixins.items() if issubclass(estimator, mixin)]


def _needed_arguments(estimator: type[Any]) -> list[str]:
    if estimator.__name__ in _BUILT_AROUND:
        return _BUILT_AROUND[estimator.__name__]
    parameters = list(inspect.signature(estimator.__init__).parameters.values())[1:]
    return [one.name for one in parameters if one.default is inspect.Parameter.empty]


def _near(path: str) -> str:
    """Say which estimators come near a path that does not exist."""
    from sklearn.utils import all_estimators

    public = {
        name: ".".join([*_public(found.__module__), name])
        for kind in _KINDS
        for name, found in all_estimators(type_filter=kind)
    }
    wanted = path.rpartition(".")[2]
    folded = {name.lower(): name for name in public}
    close = difflib.get_close_matches(wanted.lower(), folded, n=3)
    if not close:
        return "; name one such as sklearn.svm.SVC"
    return f"; did you mean {' or '.join(public[folded[name]] for name in close)}?"


def _public(module: str) -> list[str]:
    """Return the public part of a module's path: what comes before the first underscore."""
    parts = []
    for part in module.split("."):
        if part.startswith("_"):
            break
        parts.append(part)
    return parts[:2]
