"""Requests for songs in JSON bodies. Everything wrong with one is told in a sentence, and nothing is guessed.

The limit in bytes and time is kept by ``api.guard``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.fault_places import join_tried
from api.problems import Problem
from engine.errors import RequestError
from engine.request import SongRequest, describe, find_fault
from router.prompt import RouterPrompt
from ui.comparing import ROUTED, check_different, read_composition
from ui.songs import MAX_COMPARED
from ui.takes import CascadeOptions

#: Bounds of a body, all far beyond what a request can use, so that refusing one costs about as much as reading it:
#: values in all, entries of a list, keys of an object, and errors that are told.
MAX_VALUES, MAX_ENTRIES, MAX_KEYS, MAX_TOLD = 10_000, 2_000, 200, 8

Fields = TypeVar("Fields", bound=BaseModel)

_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_HINT = 'send an object such as {"caption": "folk", "lyrics": "hello there"}'


class _Compositions(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)

    compositions: list[str | dict[str, float]] = Field(min_length=1, max_length=MAX_COMPARED)


async def read_json(request: Request) -> bytes:
    """The body of a request that says it is JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # which also keeps other sites' forms out
        raise Problem(415, f"the body is {kind[:60] or 'of no type'}: send JSON with Content-Type: application/json")
    return await request.body()


def check_size(body: bytes) -> None:
    """Refuse a body of more parts than any request has, before each of them is looked at; what is no JSON passes.

    Raises:
        Problem: there are too many values, a list is too long, or an object has too many keys.
    """
    bare = _TEXT.sub(b"", body)
    values = 1 + bare.count(b",") + bare.count(b"[") + bare.count(b"{")
    if values > MAX_VALUES:
        raise Problem(413, f"the body holds about {values:,} values and may hold at most {MAX_VALUES:,}: send less")
    try:
        waiting = [("the body", json.loads(body))]
    except (ValueError, RecursionError):
        return
    while waiting:
        name, value = waiting.pop()
        if not isinstance(value, dict | list):
            continue
        limit, parts = (MAX_KEYS, "keys") if isinstance(value, dict) else (MAX_ENTRIES, "entries")
        if len(value) > limit:
            raise Problem(422, f"{name[:80]} has {len(value):,} {parts} and may have at most {limit:,}: send fewer")
        waiting += value.items() if isinstance(value, dict) else [(name, entry) for entry in value]


def describe_all(
    found: Sequence[Mapping[str, Any]], model: type[BaseModel] | None = None, what: str = "a song request"
) -> str:
    """What is wrong in a sentence each, of ``model`` where it is known; of very many errors the first ones, and how
    many more there are."""
    told = list(dict.fromkeys(describe(error, model, what) for error in found[:MAX_TOLD]))
    if len(found) > MAX_TOLD:
        told.append(f"and {len(found) - MAX_TOLD:,} more")
    return "; ".join(told)


def read_fields(kind: type[Fields], body: bytes, what: str, hint: str, remedy: str = "") -> Fields:
    """The fields of something else than a song, ``what``. ``hint``: what to send instead of no object; ``remedy``
    ends the sentences about wrong fields.

    Raises:
        Problem: the body is no JSON, no object, or fields of it are wrong.
    """
    check_size(body)
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        wrong = join_tried(error.errors(include_url=False), kind)
    if wrong[0]["type"] == "json_invalid":
        said = str(wrong[0]["msg"]).removeprefix("Invalid JSON: ")
        raise Problem(400, f"the body is no JSON ({said[:80]}): {hint}")
    if wrong[0]["type"] == "model_type":
        raise Problem(422, f"the body is no JSON object with the fields of {what}: {hint}")
    faults = dict.fromkeys(find_fault(one, kind, what) for one in wrong[:MAX_TOLD])
    told = [{"field": fault.field, "detail": fault.message} for fault in faults if fault.field]
    extra = {"errors": told} if told else {}
    raise Problem(422, describe_all(wrong, kind, what) + remedy, extra=extra)


def read_wish(body: bytes) -> tuple[SongRequest, bool]:
    """The request in a body, and whether the router is to choose its composition, which is then that of the base
    model. Numbers are numbers here: "5" is text and none.

    Raises:
        Problem: the body is no JSON.
        RequestError: one sentence per wrong field.
    """
    check_size(body)
    fields = _fields(body)
    routed = fields.get("composition") == ROUTED
    if routed:
        body = json.dumps({name: value for name, value in fields.items() if name != "composition"}).encode()
    try:
        return SongRequest.model_validate_json(body, strict=True), routed
    except ValidationError as error:
        raise _what_is_wrong(error, SongRequest) from None


def read_song(body: bytes) -> SongRequest:
    """The request in a body; raises as :func:`read_wish` does."""
    return read_wish(body)[0]


def read_compared(body: bytes) -> tuple[list[SongRequest], int | None]:
    """The requests of a comparison, which differ in their composition alone, and the place of the one for which the
    router is to choose.

    Raises:
        Problem: the body is no JSON.
        RequestError: one sentence per wrong field; a composition that stands there twice.
    """
    check_size(body)
    try:
        compositions = _Compositions.model_validate_json(body, strict=True).compositions
    except ValidationError as error:
        raise _what_is_wrong(error, _Compositions) from None
    fields: dict[str, Any] = json.loads(body)
    if "composition" in fields:
        raise RequestError("composition is one of a single song: give compositions, a list, alone")
    del fields["compositions"]
    requests: list[SongRequest] = []
    for number, given in enumerate(compositions, 1):
        composition = read_composition(given, number) if isinstance(given, str) else given
        # One seed, so that all songs grow from the same noise.
        seed = {"seed": requests[0].seed} if requests else {}
        requests.append(read_song(json.dumps({**fields, **seed, "composition": composition}).encode()))
    places = [place for place, given in enumerate(compositions) if isinstance(given, str) and given.strip() == ROUTED]
    check_different([ROUTED if place in places else r.composition for place, r in enumerate(requests)])
    return requests, places[0] if places else None


def read_comparison(body: bytes) -> list[SongRequest]:
    """The requests of a comparison; raises as :func:`read_compared` does."""
    return read_compared(body)[0]


def read_cascade(body: bytes) -> tuple[SongRequest, CascadeOptions]:
    """The request of a cascade, and how it is to go on.

    Raises:
        Problem: the body is no JSON.
        RequestError: one sentence per wrong field.
    """
    check_size(body)
    fields = _fields(body)
    if "composition" in fields:
        raise RequestError("composition is what a cascade tries for itself: leave it out, or POST to /v1/songs")
    own = {name: value for name, value in fields.items() if name in CascadeOptions.model_fields}
    others = {name: value for name, value in fields.items() if name not in own}
    try:
        options = CascadeOptions.model_validate_json(json.dumps(own), strict=True)
    except ValidationError as error:
        raise _what_is_wrong(error, CascadeOptions) from None
    return read_song(json.dumps(others).encode() if own else body), options


def read_route(body: bytes) -> RouterPrompt:
    """The prompt in a body.

    Raises:
        Problem: the body is no JSON.
        RequestError: one sentence per wrong field.
    """
    check_size(body)
    try:
        return RouterPrompt.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise _what_is_wrong(error, RouterPrompt, "a prompt") from None


def _fields(body: bytes) -> dict[str, Any]:
    """The fields of a JSON object, none where there is something else, of which others tell what is wrong."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _what_is_wrong(error: ValidationError, model: type[BaseModel], what: str = "a song") -> Exception:
    found = join_tried(error.errors(include_url=False), model)
    if found[0]["type"] == "json_invalid":
        said = str(found[0]["msg"]).removeprefix("Invalid JSON: ")
        return Problem(400, f"the body is no JSON ({said[:80]}): {_HINT}")
    if found[0]["type"] in ("model_type", "model_attributes_type"):
        return RequestError(f"the body must be a JSON object with the fields of {what}, not a list, text or number")
    of = "a song request" if what == "a song" else what
    faults = list(dict.fromkeys(find_fault(one, model, of) for one in found))
    return RequestError(describe_all(found, model, of), faults)
