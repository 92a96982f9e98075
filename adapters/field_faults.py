"""What pydantic finds wrong with a field, in words: the value, the limit, the remedy.

Every place that reads untrusted fields says it by this. Knows no field by name: what is particular to one comes as
its ``Wording``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticKnownError

from adapters.fault_places import find_path, is_whole

#: Characters of a value that are told.
_LONGEST = 40
_PREDICATES = ("must ", "is ", "has ", "holds ", "number ")
_NUMBERS = {"int": "a whole number", "float": "a number", "finite": "a finite number"}
#: Kinds of errors that say of what type a value must be, by their beginning.
_TYPES = {
    "string": "text",
    "bytes": "text",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "dict": "an object with names and values",
    "mapping": "an object with names and values",
    "model": "an object with names and values",
    "none": "left out",
    "datetime": "a time with its zone, such as 2026-11-24T18:40:00Z",
    "timezone": "a time with its zone, such as 2026-11-24T18:40:00Z",
    "date": "a day, such as 2026-11-24",
}  # fmt: skip


class Wording(NamedTuple):
    """How one field is spoken of: what it is below and above its limits, the unit of these, what to give instead, and
    what to do where it is too long."""

    below: str = "too small"
    above: str = "too large"
    unit: str = ""
    remedy: str = ""
    shorter: str = "give less"


def say_fault(
    error: Mapping[str, Any],
    wording: Wording | None = None,
    model: type[BaseModel] | None = None,
    what: str = "a song request",
) -> str:
    """One of ``ValidationError.errors()`` as a sentence that does not name its field, which stands beside it or is
    put before it by :func:`name_fault`.

    Args:
        wording: of the field.
        model: what was to be read, for the field's other limit; without it only the one that is broken is told.
        what: what the fields are of; empty where that need not be said.
    """
    wording = wording or Wording()
    loc, kind = find_path(error, model), str(error["type"])
    inner = ", ".join(f"number {part + 1}" if isinstance(part, int) else str(part) for part in loc[1:])
    limits = _limits_of(model, str(loc[0])) if model is not None and len(loc) == 1 else {}
    limits |= error.get("ctx", {})
    if kind.startswith("int_") or is_whole(model, loc):
        limits = _close(limits)
    said = _say(kind, error, wording, limits, "" if inner else what)
    if not inner:
        return said
    return f"{inner} {said}" if said.startswith(_PREDICATES) else f"{inner}: {said}"


def name_fault(field: str, message: str) -> str:
    """A sentence of :func:`say_fault` with the name of its field."""
    if not field:
        return message
    return f"{field} {message}" if message.startswith(_PREDICATES) else f"{field}: {message}"


def say_first(error: ValidationError | json.JSONDecodeError, whole: str = "the whole") -> str:
    """The first thing that is wrong with something read from a file, with the field's name; ``whole``: what stands for
    one where no field is to blame."""
    first = None if isinstance(error, json.JSONDecodeError) else error.errors(include_url=False)[0]
    if first is None or first["type"] == "json_invalid":
        return "it is not readable as JSON"
    path = find_path(cast(Mapping[str, Any], first))
    said = say_fault({**first, "loc": path[-1:]}, what="")
    return name_fault(".".join(map(str, path))[:_LONGEST] or whole, said)


def refuse_booleans(value: Any, whole: bool) -> Any:
    """For validators that run before others: true is no 1, though Python says so. ``whole``: a whole number is asked
    for."""
    if isinstance(value, bool):
        raise PydanticKnownError("int_type" if whole else "float_type")
    return value


def show_value(value: Any) -> str:
    """A value as a person gave it, cut where it is long."""
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, Mapping | BaseModel):
        return "an object"
    if isinstance(value, list | tuple | set):
        return "a list"
    text = _text(value)
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return shown if not isinstance(value, str) or _is_number(text) else repr(shown)


def _say(kind: str, error: Mapping[str, Any], wording: Wording, context: Mapping[str, Any], what: str) -> str:
    value = error.get("input")
    if kind in ("value_error", "assertion_error") or (kind not in _SENTENCES and not _is_pydantics(kind)):
        return str(error["msg"]).removeprefix("Value error, ")
    if kind in _SENTENCES:
        return _SENTENCES[kind](value, wording, context, what)
    start = kind.partition("_")[0]
    starts = [one.partition("_")[0] for one in error.get("tried", (kind,))]
    wanted = " or ".join(dict.fromkeys(_NUMBERS.get(one) or _TYPES.get(one, "") for one in starts))
    if not all(one in _NUMBERS or one in _TYPES for one in starts):
        return _with(f"{show_value(value)} cannot be used", wording.remedy or "give another value, or leave it out")
    given = f"the text {show_value(value)}" if kind.endswith("_type") and isinstance(value, str) else show_value(value)
    remedy = _choose(context, wording) if start in _NUMBERS else ""
    return _with(f"must be {wanted}, not {given}", remedy or wording.remedy)


def _out_of_limits(which: str) -> Callable[[Any, Wording, Mapping[str, Any], str], str]:
    def say(value: Any, wording: Wording, context: Mapping[str, Any], _: str) -> str:
        return _with(f"{show_value(value)} is {getattr(wording, which)}", _choose(context, wording) or wording.remedy)

    return say


def _too_long(value: Any, wording: Wording, context: Mapping[str, Any], _: str) -> str:
    most = context["max_length"]
    if isinstance(value, str):
        said = f"has {len(value):,} characters, at most {most:,} are allowed"
    else:
        number = context.get("actual_length") or (len(value) if hasattr(value, "__len__") else f"more than {most:,}")
        said = f"has {number} entries, at most {most:,} are allowed"
    return f"{said}; {wording.shorter}"


def _too_short(value: Any, wording: Wording, context: Mapping[str, Any], _: str) -> str:
    least = context["min_length"]
    if not value:
        return _with("is empty", wording.remedy or f"give at least {_counted(least, value)}")
    return _with(f"has {_counted(len(value), value)}", wording.remedy or f"give at least {_counted(least, value)}")


def _of_choices(value: Any, _: Wording, context: Mapping[str, Any], __: str) -> str:
    return f"must be {context.get('expected')}, not {show_value(value)}"


_SENTENCES: dict[str, Callable[[Any, Wording, Mapping[str, Any], str], str]] = {
    "greater_than": _out_of_limits("below"),
    "greater_than_equal": _out_of_limits("below"),
    "less_than": _out_of_limits("above"),
    "less_than_equal": _out_of_limits("above"),
    "string_too_long": _too_long,
    "too_long": _too_long,
    "string_too_short": _too_short,
    "too_short": _too_short,
    "literal_error": _of_choices,
    "enum": _of_choices,
    "missing": lambda _, wording, __, ___: _with("is missing", wording.remedy or "give it"),
    "extra_forbidden": lambda _, __, ___, what: (
        f"is not {f'a field of {what}' if what else 'known here'}: leave it out"
    ),
    "string_pattern_mismatch": lambda value, wording, context, _: _with(
        f"{show_value(value)} is not of the form that is asked for",
        wording.remedy or f"it must match {context['pattern']}",
    ),
    "string_unicode": lambda _, __, ___, ____: "holds characters that are no text: leave those out",
}


def _limits_of(model: type[BaseModel], field: str) -> dict[str, Any]:
    found = model.model_fields.get(field)
    names = ("ge", "gt", "le", "lt")
    return {n: getattr(one, n) for one in (found.metadata if found else ()) for n in names if hasattr(one, n)}


def _close(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Limits of whole numbers, open ones as closed ones."""
    closed = {
        ("ge" if n == "gt" else "le"): v + (1 if n == "gt" else -1) for n, v in limits.items() if n in ("gt", "lt")
    }
    return {**closed, **{n: v for n, v in limits.items() if n not in ("gt", "lt")}}


def _choose(limits: Mapping[str, Any], wording: Wording) -> str:
    """The limits as a remedy."""
    unit = f" {wording.unit}" if wording.unit else ""
    low, high, end = limits.get("ge"), limits.get("le"), limits.get("lt")
    if low is not None and high is not None:
        return f"choose {_limit(low)} to {_limit(high)}{unit}"
    ends = []
    if low is not None:
        ends.append(f"at least {_limit(low)}")
    elif limits.get("gt") is not None:
        ends.append(f"more than {_limit(limits['gt'])}")
    if high is not None:
        ends.append(f"at most {_limit(high)}")
    elif end is not None:
        ends.append(f"less than {_limit(end)}")
    return f"choose {' and '.join(ends)}{unit}" if ends else ""


def _limit(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _counted(number: int, value: Any) -> str:
    noun = "character" if isinstance(value, str) else "entry"
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun[:-1] + 'ies' if noun[-1] == 'y' else noun + 's'}"


def _with(said: str, remedy: str) -> str:
    return f"{said}: {remedy}" if remedy else said


def _is_number(text: str) -> bool:
    try:
        return not math.isnan(float(text)) or text.strip().lower() == "nan"
    except ValueError:
        return False


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.12g}"
    try:
        return str(value)
    except ValueError:  # a whole number of more digits than Python writes
        return "a number of thousands of digits"


def _is_pydantics(kind: str) -> bool:
    """Whether a kind of error is pydantic's own: one that we made says what it has to in its message."""
    try:
        PydanticKnownError(kind)  # type: ignore[arg-type]
    except KeyError:
        return False
    except (TypeError, ValueError):  # one that wants to be told more
        return True
    return True
