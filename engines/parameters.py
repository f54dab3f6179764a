"""What becomes of each parameter on each engine: nothing is dropped in silence.

An adapter states a verdict for every field of a specification in one table. The same table
makes the native arguments, the record and the footnotes of the report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from engines.prepared import Prepared
    from engines.specs import Spec

Formula: TypeAlias = Callable[["Spec", "Prepared"], Any]


@dataclass(frozen=True)
class Same:
    """The engine has the parameter, with the same name and meaning.

    Parameters
    ----------
    caveat : str, optional
        What differs all the same once the value is not the default.
    """

    caveat: str | None = None


@dataclass(frozen=True)
class Rename:
    """The engine has the parameter under another name.

    Parameters
    ----------
    native : str
        The engine's name.
    caveat : str, optional
        What differs all the same once the value is not the default.
    """

    native: str
    caveat: str | None = None


@dataclass(frozen=True)
class Convert:
    """The engine's parameter has another meaning; its value follows by a formula.

    Parameters
    ----------
    native : str or None
        The engine's name; None where the adapter does it with several calls.
    formula : callable of (spec, prepared) -> value
        Makes the native value.
    why : str
        What differs and what the formula is, for the reader of the report.
    """

    native: str | None
    formula: Formula
    why: str


@dataclass(frozen=True)
class Reject:
    """The engine cannot be given the parameter; it runs without, and the report says so.

    Parameters
    ----------
    why : str
        What the engine does instead.
    """

    why: str


Verdict: TypeAlias = Same | Rename | Convert | Reject
VerdictName: TypeAlias = Literal["same", "rename", "convert", "reject"]
VerdictTable: TypeAlias = Mapping[str, Verdict]


@dataclass(frozen=True)
class AppliedParameter:
    """What became of one parameter.

    Parameters
    ----------
    name : str
        Field of the specification.
    asked : object
        Value that the experiment asks for.
    verdict : {"same", "rename", "convert", "reject"}
        How the engine takes it.
    native : str or None
        The engine's name for it; None if rejected or done with several calls.
    value : object
        Value given to the engine; None if rejected.
    why : str or None
        What a reader must know: the formula, the reason, or a caveat.
    """

    name: str
    asked: Any
    verdict: VerdictName
    native: str | None
    value: Any
    why: str | None = None


def apply(table: VerdictTable, spec: Spec, prepared: Prepared) -> tuple[AppliedParameter, ...]:
    """Apply an engine's verdicts to a specification.

    Parameters
    ----------
    table : mapping of field name to verdict
        It covers every field of `spec`; what `spec` passes on beside its fields is the same.
    spec : Spec
        What is asked.
    prepared : Prepared
        The dataset; formulas read its moments.

    Returns
    -------
    tuple of AppliedParameter
        One for each relevant field, in the order of the specification. A rejected parameter that
        was left unset (None) is not asked for, hence not reported.
    """
    applied = []
    for name, asked in spec.asked().items():
        field = type(spec).model_fields.get(name)
        changed = field is None or asked != field.default
        match table[name] if field else table.get(name, Same()):
            case Same(caveat):
                why = caveat if changed else None
                applied.append(AppliedParameter(name, asked, "same", name, asked, why))
            case Rename(native, caveat):
                why = caveat if changed else None
                applied.append(AppliedParameter(name, asked, "rename", native, asked, why))
            case Convert(native, formula, why):
                value = formula(spec, prepared)
                # where the formula changes nothing there is nothing to tell; but a value that was
                # asked for and takes several calls is told of
                same = value == asked and (native == name or not changed)
                verdict: VerdictName = "same" if same else "convert"
                told = None if same else why
                applied.append(AppliedParameter(name, asked, verdict, native, value, told))
            case Reject(why) if asked is not None:
                applied.append(AppliedParameter(name, asked, "reject", None, None, why))
    return tuple(applied)


def native_arguments(applied: tuple[AppliedParameter, ...]) -> dict[str, Any]:
    """Return the keyword arguments that the engine's library is called with."""
    return {one.native: one.value for one in applied if one.native is not None}
