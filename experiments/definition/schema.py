"""The JSON Schema of a definition, and look-ups in it for error messages.

The schema knows every key, its description, its type and its range, so an error reads them here
and cannot drift from what is accepted.
"""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, Any

from experiments.definition.models import NAME_PATTERN, Experiment
from experiments.definition.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from experiments.definition.wording import KeyPath

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# an empty section means its defaults: see experiments.definition.shorthand
_MAY_BE_EMPTY = ("engines", "resources", "measure", "sweep")

_BOUNDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
}
_TYPES = {
    "integer": "an integer",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "object": "a mapping of keys to values",
    "null": "null",
}


def experiment_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a definition file, for editors.

    Returns
    -------
    dict
        With a description of every key. It is the caller's own.
    """
    return copy.deepcopy(known_schema())


@functools.cache
def known_schema() -> dict[str, Any]:
    """Return the one schema that is looked into and must not be changed: making it takes time."""
    from experiments.metrics import METRICS

    schema = Experiment.model_json_schema(mode="validation")
    properties = schema["properties"]
    for definition in [schema, *schema["$defs"].values()]:
        for prop in definition.get("properties", {}).values():
            prop.pop("title", None)
            _name_bounds(prop)
    # null is how a workload without a dataset would say so, which it does by leaving it out
    properties["dataset"] |= properties["dataset"].pop("anyOf")[0]
    properties["dataset"].pop("default")
    schema["if"] = {"properties": {"workload": {"properties": {"kind": {"const": "tasks"}}}}}
    schema["then"] = {"not": {"required": ["dataset"]}}
    schema["else"] = {"required": ["dataset"]}
    for prop in properties.values():
        if "discriminator" in prop:
            _require(schema, prop)
    metric = {"enum": list(METRICS)}
    properties["metrics"]["anyOf"][0]["items"] = metric
    search = schema["$defs"]["SearchOptions"]["properties"]
    search["scoring"]["anyOf"] = [
        metric,
        {"type": "array", "items": metric, "minItems": 1},
        {"type": "null"},
    ]
    search["refit"]["anyOf"] = [metric, {"type": "null"}]
    search["space"]["minProperties"] = 1
    names = list(schema["$defs"]["EnginesOptions"]["properties"])
    for key in _MAY_BE_EMPTY:
        description = properties[key].pop("description")
        variants = [properties[key], {"type": "null"}]
        if key == "engines":
            variants.insert(1, _list_of(names))
        properties[key] = {"description": description, "anyOf": variants}
    schema["$defs"]["EnginesOptions"]["minProperties"] = 1
    properties["variants"] = _variants_of(NAME_PATTERN)
    return {"$schema": DIALECT, **schema, "title": "enginebench experiment"}


def find(schema: Mapping[str, Any], tree: Any, path: KeyPath) -> dict[str, Any] | None:
    """Return the schema of the value at a path, or None where there is no such key.

    Parameters
    ----------
    schema : dict
        As `experiment_schema` returns it.
    tree : object
        The definition's values; they choose between the kinds of a section.
    path : tuple
        Keys and indices from the root.
    """
    found: Any = schema
    for key in path:
        if isinstance(key, int):
            found = _first(schema, found, tree, "items")
            tree = tree[key] if isinstance(tree, list) and key < len(tree) else None
        else:
            section = found
            found = (_first(schema, section, tree, "properties") or {}).get(key)
            if found is None:
                found = _first(schema, section, tree, "additionalProperties")
                found = {} if found is True else found
            tree = tree.get(key) if isinstance(tree, dict) else None
        if not isinstance(found, dict):
            return None
    described: dict[str, Any] | None = found
    return described


def keys_at(schema: Mapping[str, Any], tree: Any, path: KeyPath) -> tuple[str, ...]:
    """Return the keys that the section at a path may have."""
    section = find(schema, tree, path)
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tuple(_first(schema, section, tree, "properties") or {})


def is_open(schema: Mapping[str, Any], tree: Any, path: KeyPath) -> bool:
    """Say whether the section at a path may have keys of any name, and no named ones."""
    described = find(schema, tree, path)
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    variants = list(_variants(schema, described, tree)) if described else []
    return any(
        "properties" not in variant and variant.get("additionalProperties") for variant in variants
    )


def chooser(schema: Mapping[str, Any], path: KeyPath) -> tuple[str, tuple[str, ...]] | None:
    """Return the key that chooses the kind of a section, and its values; None if there is none."""
    described = find(schema, None, path) or {}
    if "discriminator" not in described:
        return None
    discriminator = described["discriminator"]
    return discriminator["propertyName"], tuple(discriminator["mapping"])


def choices(schema: Mapping[str, Any], described: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the values that are allowed, where they are listed."""
    found: list[Any] = []
    for variant in _variants(schema, described, None):
        found += variant.get("enum", [variant["const"]] if "const" in variant else [])
    return tuple(found)


def expected(schema: Mapping[str, Any], described: Mapping[str, Any]) -> str:
    """Say in words what a value may be: "an integer of at least 1 or null"."""
    if "discriminator" in described:
        tag, values = (
            described["discriminator"]["propertyName"],
            described["discriminator"]["mapping"],
        )
        return f"a mapping with {tag}: one of {', '.join(values)}"
    if listed := choices(schema, described):
        plain = [value if isinstance(value, str) else shown(value) for value in listed]
        words = [f"one of {', '.join(plain)}" if len(plain) > 1 else plain[0]]
    else:
        words = []
    for variant in _variants(schema, described, None):
        if "enum" in variant or "const" in variant or "type" not in variant:
            continue
        if variant["type"] == "array":
            words.append(_expected_list(schema, variant))
        elif (word := _TYPES[variant["type"]] + _range(variant)) not in words:
            words.append(word)
    return " or ".join(words)


def _name_bounds(described: dict[str, Any]) -> None:
    """Give bounds that pydantic checks after a validator their names in JSON Schema."""
    for own, name in _BOUNDS.items():
        if own in described:
            described[name] = described.pop(own)
    for inner in (*described.get("anyOf", []), *described.get("prefixItems", [])):
        _name_bounds(inner)
    if isinstance(described.get("items"), dict):
        _name_bounds(described["items"])


def _list_of(names: list[str]) -> dict[str, Any]:
    return {"type": "array", "items": {"enum": names}, "minItems": 1, "uniqueItems": True}


def _variants_of(pattern: str) -> dict[str, Any]:
    """Describe the variants of a definition, which are gone once it is read."""
    values = {
        "description": "Dotted keys of this file, such as dataset.n_samples, each with the value "
        "that takes the place of the one above.",
        "type": "object",
        "additionalProperties": True,
    }
    return {
        "description": "Named sets of values that replace those above, one of which may be chosen "
        "when the experiment is run: enginebench run FILE --variant NAME.",
        "anyOf": [
            {
                "type": "object",
                "propertyNames": {"pattern": pattern},
                "additionalProperties": {"anyOf": [values, {"type": "null"}]},
            },
            {"type": "null"},
        ],
    }


def _require(schema: Mapping[str, Any], prop: Mapping[str, Any]) -> None:
    """Mark the key that chooses between sections as required in each of them."""
    tag = prop["discriminator"]["propertyName"]
    for variant in prop["oneOf"]:
        section = _resolved(schema, variant)
        section["required"] = [tag, *(key for key in section.get("required", []) if key != tag)]


def _resolved(schema: Mapping[str, Any], described: Any) -> dict[str, Any]:
    while "$ref" in described:
        described = schema["$defs"][described["$ref"].rpartition("/")[2]]
    resolved: dict[str, Any] = described
    return resolved


def _variants(schema: Mapping[str, Any], described: Any, value: Any) -> Iterator[dict[str, Any]]:
    """Yield the alternatives of a value; the value chooses where a key of it can."""
    described = _resolved(schema, described)
    if "discriminator" in described:
        tag = value.get(described["discriminator"]["propertyName"]) if _is_map(value) else None
        mapping = described["discriminator"]["mapping"]
        chosen = mapping.get(tag) if isinstance(tag, str) else None
        if chosen is not None:
            yield _resolved(schema, {"$ref": chosen})
        elif value is None:
            yield {"type": "object"}
        return
    alternatives = described.get("anyOf") or described.get("oneOf")
    if alternatives is None:
        yield described
        return
    for alternative in alternatives:
        yield from _variants(schema, alternative, value)


def _first(schema: Mapping[str, Any], described: Any, value: Any, keyword: str) -> Any:
    """Return what the first alternative with a keyword says under it."""
    for variant in _variants(schema, described, value) if described else ():
        if keyword in variant:
            return variant[keyword]
    return None


def _expected_list(schema: Mapping[str, Any], variant: Mapping[str, Any]) -> str:
    what = "a non-empty list" if variant.get("minItems") else "a list"
    items = variant.get("items")
    return f"{what} of {'names' if choices(schema, items) else 'values'}" if items else what


def _range(variant: Mapping[str, Any]) -> str:
    """Say in words which numbers are allowed."""
    low, high = variant.get("minimum"), variant.get("maximum")
    above, below = variant.get("exclusiveMinimum"), variant.get("exclusiveMaximum")
    parts = []
    if low is not None and high is not None:
        parts.append(f"from {low} to {high}")
    elif low is not None:
        parts.append(f"of at least {low}")
    elif high is not None:
        parts.append(f"of at most {high}")
    if above is not None:
        parts.append(f"greater than {above}")
    if below is not None:
        parts.append(f"less than {below}")
    if variant.get("type") == "string" and variant.get("minLength"):
        parts.append(f"of at least {variant['minLength']} character(s)")
    if variant.get("type") == "string" and variant.get("maxLength"):
        parts.append(f"of at most {variant['maxLength']} character(s)")
    return f" {' and '.join(parts)}" if parts else ""


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)
