"""YAML text to plain values that remember their lines, and nothing that could do harm.

PyYAML's safe loader scans and parses; the values are built here from its nodes, because its own
constructor keeps the last of two equal keys, forgets the lines, and expands aliases without limit.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml
from yaml.reader import Reader

from experiments.definition.wording import ended, shown, shown_path
from experiments.errors import RequestError

if TYPE_CHECKING:
    from experiments.definition.wording import KeyPath

LARGEST_BYTES = 256 * 1024

_DEEPEST = 32
_MOST_LINES = 20
_MOST_VALUES = 20_000
_LARGEST_INTEGER = 2**63 - 1

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)\Z")
# unlike YAML 1.1 as PyYAML reads it: 1e-4 is a number; 1:30 is not, and neither is 010
_FLOAT = re.compile(
    r"(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|[0-9][0-9_]*[eE][-+]?[0-9]+)"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)
_NUMBER_STARTS = "-+.0123456789"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where.

    Parameters
    ----------
    place : str
        ``FILE:LINE`` or ``--set KEY=VALUE``.
    path : str
        Dotted key; empty where the trouble has none.
    message : str
        What was expected, without a full stop.
    line : int
        For sorting.
    """

    place: str
    path: str
    message: str
    line: int = 0

    def __str__(self) -> str:
        key = f" {self.path}:" if self.path else ""
        return ended(f"{self.place}:{key} {self.message}")


@dataclass(frozen=True)
class Place:
    """Where a value was written: a line of a file, or an argument of the command (line 0)."""

    label: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.label}:{self.line}" if self.line else self.label


@dataclass(frozen=True)
class Document:
    """A definition's values, and where each was written.

    Parameters
    ----------
    tree : dict
        Mappings, lists, texts, finite numbers, booleans and None.
    places : dict
        Where each value was written, by its path from the root. The root has the empty path.
    """

    tree: dict[str, Any]
    places: dict[KeyPath, Place]

    def place(self, path: KeyPath) -> Place:
        """Return where the value at a path was written, or the nearest section around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places[path]


def refuse(problems: list[Problem]) -> None:
    """Raise one error with a line for each problem, in the order of the file.

    Raises
    ------
    RequestError
        Unless there is no problem.
    """
    if problems:
        ordered = sorted(problems, key=lambda problem: problem.line)
        lines = list(dict.fromkeys(str(problem) for problem in ordered))
        if (hidden := len(lines) - _MOST_LINES) > 0:
            lines[_MOST_LINES:] = [f"{hidden} more problems of this kind are not shown."]
        raise RequestError("\n".join(lines))


def read_document(text: str, label: str) -> Document:
    """Read a whole definition.

    Parameters
    ----------
    text : str
        YAML.
    label : str
        What errors call it: the path as the person wrote it.

    Returns
    -------
    Document
        Of which the root is a mapping; its keys are not checked.

    Raises
    ------
    RequestError
        If the text is no YAML, is empty or no mapping, or holds what a definition cannot: equal
        keys, keys that are no text, tags, infinite numbers, aliases of what they are in.
    """
    node = _compose(text, Place(label))
    if node is None:
        raise RequestError(
            f"{label}: the file is empty; a definition needs at least name, dataset and workload."
        )
    if not isinstance(node, yaml.MappingNode):
        raise RequestError(
            f"{Place(label, node.start_mark.line + 1)}: a definition is a mapping with keys such "
            f"as name, dataset and workload; this is {_kind(node)}."
        )
    builder = _Builder(label)
    tree = builder.build(node, ())
    refuse(builder.problems)
    return Document(tree, builder.places)


def read_value(text: str, label: str) -> Any:
    """Read one value from an argument of the command.

    Raises
    ------
    RequestError
        As for `read_document`, with `label` in place of file and line.
    """
    node = _compose(text, Place(label), numbered=False)
    if node is None:
        return None
    builder = _Builder(label, numbered=False)
    value = builder.build(node, ())
    refuse(builder.problems)
    return value


def _keep(tag: str) -> bool:
    return tag.removeprefix(_TAG) in {"null", "bool", "merge"}


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the numbers above, no dates, and an end to nesting."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the attribute that PyYAML reads
        first: [(tag, pattern) for tag, pattern in resolvers if _keep(tag)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self._depth > _DEEPEST:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "the nesting is too deep", mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class DefinitionDumper(yaml.SafeDumper):
    """PyYAML's safe dumper, writing texts so that `read_document` reads them as they were.

    It quotes what would be read as a number, and escapes line breaks and other characters that
    nobody sees, some of which PyYAML would lose.
    """

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Return the node of a text."""
        style = None if text.isprintable() else '"'
        return self.represent_scalar(f"{_TAG}str", text, style=style)


DefinitionDumper.add_representer(str, DefinitionDumper.represent_text)

for _resolving in (_Loader, DefinitionDumper):
    _resolving.add_implicit_resolver(f"{_TAG}int", _INTEGER, list(_NUMBER_STARTS))
    _resolving.add_implicit_resolver(f"{_TAG}float", _FLOAT, list(_NUMBER_STARTS))


def _compose(text: str, place: Place, *, numbered: bool = True) -> yaml.Node | None:
    """Parse text to PyYAML's nodes, with every failure translated."""

    def failure(what: str, line: int) -> RequestError:
        where = Place(place.label, line if numbered else 0)
        return RequestError(f"{where}: this is not valid YAML: {what}.")

    if stray := Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, stray.start()) + 1
        raise failure(f"the character {stray.group()!r} is not allowed", line)
    loader = None
    try:
        loader = _Loader(text)
        node: yaml.Node | None = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = str(error.problem or error.context)
        if what.startswith("but "):
            what = f"{error.context}, {what}"
        what = " ".join(what.split())
        raise failure(what, mark.line + 1 if mark else 1) from None
    except (yaml.YAMLError, ValueError, OverflowError, LookupError, RecursionError):
        # what PyYAML leaves of escapes, directives and tags that mean nothing
        raise failure("it cannot be parsed", loader.line + 1 if loader else 1) from None
    finally:
        if loader is not None:
            loader.dispose()
    return node


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "empty" if node.tag == f"{_TAG}null" else f"the single value {shown(node.value)}"


@dataclass
class _Builder:
    """Build plain values from nodes; note places and problems on the way."""

    label: str
    numbered: bool = True
    places: dict[KeyPath, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _open: set[int] = field(default_factory=set)
    _built: int = 0

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        self.places.setdefault(path, self._place(node))
        self._built += 1
        if self._built > _MOST_VALUES or len(path) > _DEEPEST or id(node) in self._open:
            self._stop(node, path)
        self._open.add(id(node))
        try:
            return self._build(node, path)
        finally:
            self._open.discard(id(node))

    def _build(self, node: yaml.Node, path: KeyPath) -> Any:
        tag = node.tag.removeprefix(_TAG)
        if isinstance(node, yaml.MappingNode) and tag == "map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and tag == "seq":
            return [self.build(item, (*path, i)) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and tag in {"str", "null", "bool", "int", "float"}:
            return self._scalar(node, tag, path)
        self._problem(node, path, f"the tag {shown(node.tag)} is not allowed; write a plain value")
        return None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        built: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                merged.append(value_node)
                continue
            key = self._key(key_node, path)
            if key is None:
                continue
            below = (*path, key)
            if key in built:
                first = self.places[below]
                at = f" at line {first.line}" if first.line else ""
                self._problem(key_node, below, f"the key is given twice, first{at or ' before it'}")
                continue
            self.places[below] = self._place(key_node)
            built[key] = self.build(value_node, below)
        for value_node in merged:
            self._merge(built, value_node, path)
        return built

    def _merge(self, built: dict[str, Any], node: yaml.Node, path: KeyPath) -> None:
        """Carry out ``<<``: add the keys of another mapping that are not there yet."""
        if isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self._merge_one(built, item, path)
        else:
            self._merge_one(built, node, path)

    def _merge_one(self, built: dict[str, Any], node: yaml.Node, path: KeyPath) -> None:
        if not isinstance(node, yaml.MappingNode):
            self._problem(node, (*path, "<<"), f"must be a mapping to merge; got {_kind(node)}")
            return
        # what is overridden must not leave its places behind
        other = _Builder(self.label, self.numbered, {}, self.problems, self._open, self._built)
        values = other.build(node, path)
        self._built = other._built
        added = {key: value for key, value in values.items() if key not in built}
        built.update(added)
        for place_path, place in other.places.items():
            if len(place_path) > len(path) and place_path[len(path)] in added:
                self.places.setdefault(place_path, place)

    def _key(self, node: yaml.Node, path: KeyPath) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.tag == f"{_TAG}str":
            key = self._scalar(node, "str", path)
            return key if isinstance(key, str) else None
        what = _kind(node) if not isinstance(node, yaml.ScalarNode) else str(node.value)[:40]
        self._problem(node, path, f"a key must be text; got {what}: put it in quotes or rename it")
        return None

    def _scalar(self, node: yaml.ScalarNode, tag: str, path: KeyPath) -> Any:
        text = str(node.value)
        if tag == "str":
            if any("\ud800" <= character <= "\udfff" or character == "\0" for character in text):
                self._problem(node, path, "the text holds a character that no file can store")
            return text
        if tag == "null":
            return None
        if tag == "bool":
            if text.lower() not in yaml.SafeLoader.bool_values:
                self._problem(node, path, f"must be true or false; got {shown(text)}")
            return yaml.SafeLoader.bool_values.get(text.lower())
        number = _number(text)
        if number is None:
            self._problem(node, path, f"must be a number; got {shown(text)}")
        elif not math.isfinite(number):
            self._problem(node, path, f"must be a finite number; got {shown_number(text)}")
        elif isinstance(number, int) and abs(number) > _LARGEST_INTEGER:
            self._problem(
                node, path, f"must be a number of at most 64 bits; got {shown_number(text)}"
            )
        else:
            return number
        return None

    def _place(self, node: yaml.Node) -> Place:
        return Place(self.label, node.start_mark.line + 1 if self.numbered else 0)

    def _problem(self, node: yaml.Node, path: KeyPath, message: str) -> None:
        self.problems.append(self._described(node, path, message))

    def _described(self, node: yaml.Node, path: KeyPath, message: str) -> Problem:
        place = self._place(node)
        return Problem(str(place), shown_path(path), message, place.line)

    def _stop(self, node: yaml.Node, path: KeyPath) -> None:
        """Raise at once, where building on would not end or would take all memory."""
        if id(node) in self._open:
            message = "an alias stands for a value that it is part of; write the value out"
        else:
            message = "the aliases expand to too much; write fewer values"
        refuse([*self.problems, self._described(node, path, message)])


def _number(text: str) -> int | float | None:
    """Return the number that a text stands for; 1e6 is an integer, 1.0e6 is not."""
    digits = text.replace("_", "")
    if _INTEGER.match(text):
        # a longer one is out of range anyway, and Python refuses to convert thousands of digits
        return int(digits) if len(digits) < 4000 else math.inf
    if not _FLOAT.match(text):
        return None
    for special in ("inf", "nan"):
        if digits.lower().lstrip("+-.") == special:
            return float(digits.replace(".", ""))
    number = float(digits)
    whole = "." not in digits and number.is_integer() and abs(number) <= _LARGEST_INTEGER
    return int(number) if whole else number


def shown_number(text: str) -> str:
    """Return the digits of a number, cut off where they are many."""
    return text if len(text) <= 40 else f"{text[:40]}..."
