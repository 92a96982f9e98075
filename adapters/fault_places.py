"""Where a fault is: the path that pydantic tells, without the types of a union that were tried on the way, and the
faults of one place that differ in the tried type alone, as one.

Knows the shape of models; not what is said of a fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

#: Types that pydantic names like this where it tried them as members of a union; keys may be called so too.
_TRIED = {"str", "int", "float", "bool", "none"}


def find_path(error: Mapping[str, Any], model: type[BaseModel] | None = None) -> tuple[int | str, ...]:
    """Where an error of ``ValidationError.errors()`` is, by names and numbers of entries alone.

    ``model``: what was to be read, which tells a key from a type that was tried; without it a type is only left out at
    the end, and where it can hardly be a key.
    """
    loc = [part for part in error["loc"] if part != "body" and part != "[key]"]
    if model is None:
        return tuple(part for place, part in enumerate(loc) if not place or not _may_be_type(loc, place, error))
    path, kinds, tried = list[int | str](), [model], False
    for part in loc:
        tried = len(kinds) > 1 and not tried
        if not tried:
            path.append(part)
            kinds = [member for kind in kinds for member in _members(_inside(kind, part))]
    return tuple(path)


def is_whole(model: type[BaseModel] | None, path: Sequence[int | str]) -> bool:
    """Whether only whole numbers may stand at a path of a model."""
    kinds: list[Any] = [] if model is None else [model]
    for part in path:
        kinds = [member for kind in kinds for member in _members(_inside(kind, part))]
    return kinds == [int]


def join_tried(errors: Sequence[Mapping[str, Any]], model: type[BaseModel] | None = None) -> list[Mapping[str, Any]]:
    """Errors with those of one place as one, whose ``tried`` holds all their types; a value that was read as one member
    of a union, and has something wrong within, is not told to be of another."""
    paths = [find_path(error, model) for error in errors]
    read = {path[:end] for path in paths for end in range(len(path))}
    read |= {path for error, path in zip(errors, paths, strict=True) if not _is_of_type(error, choices=True)}
    joined: dict[tuple[object, ...], dict[str, Any]] = {}
    for number, (error, path) in enumerate(zip(errors, paths, strict=True)):
        of_type = _is_of_type(error)
        if of_type and path in read:
            continue
        key = path if of_type else (*path, number, "")
        known = joined.setdefault(key, {**error, "tried": ()})
        known["tried"] = (*known["tried"], str(error["type"]))
    return list(joined.values())


def _is_of_type(error: Mapping[str, Any], choices: bool = False) -> bool:
    """Whether it is about the type of a value alone, or, with ``choices``, about one that is none of some."""
    return str(error["type"]).endswith(("_type", "_parsing")) or (
        choices and error["type"] in ("literal_error", "enum")
    )


def _may_be_type(loc: Sequence[int | str], place: int, error: Mapping[str, Any]) -> bool:
    part = loc[place]
    if isinstance(part, int):
        return False
    last = place == len(loc) - 1
    return (
        "[" in part
        or part.startswith("constrained-")
        or (last and part in _TRIED and not isinstance(error.get("input"), Mapping))
    )


def _members(kind: Any) -> list[Any]:
    """What may stand at a place, without nothing, of which pydantic tells no type."""
    if get_origin(kind) is Annotated:
        return _members(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [member for one in get_args(kind) for member in _members(one)]
    return [] if kind in (None, NoneType) else [kind]


def _inside(kind: Any, part: int | str) -> Any:
    """The annotation of an entry or a field; None where there is none, or it is not known."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(str(part))
        return None if field is None else field.annotation
    inner = get_args(kind)
    if not inner:
        return None
    if get_origin(kind) in (dict, Mapping):
        return inner[-1] if isinstance(part, str) else None
    if not isinstance(part, int):
        return None
    one_by_one = get_origin(kind) is tuple and inner[-1] is not Ellipsis
    return inner[part if one_by_one and part < len(inner) else 0]
