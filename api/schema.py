"""The OpenAPI document: the errors of every route, the bodies that are read by hand, the key where one is needed."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.answers import Problem
from api.guard import OPEN_PATHS, SAFE_METHODS
from api.problems import CONTENT_TYPE
from engine.karaoke import Karaoke
from engine.request import SongRequest
from router.prompt import RouterPrompt
from ui.songs import MAX_COMPARED
from ui.takes import CascadeOptions

_REF = "#/components/schemas/{model}"
#: What any route may answer.
ALWAYS = (400, 421, 500)
#: What a route that changes something may answer beside.
CHANGING = (403, 408, 413)
#: What FastAPI documents errors with, where it is not told otherwise.
_REPLACED = frozenset({"HTTPValidationError", "ValidationError"})
_MEANING = {
    400: "The request cannot be read: a missing Host, a body that is no JSON.",
    401: "An API key is needed, or the one given is wrong.",
    403: "A page of another site sent this.",
    404: "There is nothing of that id or name.",
    405: "Not by this method; Allow lists those there are.",
    408: "The body did not arrive in time.",
    409: "Not in the state that it is in.",
    413: "The body is too large.",
    415: "The body is of another type than this route reads.",
    416: "The range lies outside of the file.",
    421: "The server does not go by the name in Host.",
    422: "A field is wrong; the detail names it, its limit and the remedy.",
    429: "Too many songs wait; Retry-After says when to try again.",
    500: "The server failed; the log has the details under the request id.",
    503: "No songs or exports are taken now, or the router is being loaded.",
}
SONG_EXAMPLES = {
    "words": {"value": {"caption": "bright pop song", "lyrics": "Meet me under the station clock", "seed": 3}},
    "blend": {"value": {"lyrics": "Meet me under the station clock", "composition": {"lyrics": 0.6, "nolyrics": 0.4}}},
}
COMPARE_EXAMPLES = {
    "three": {
        "value": {
            "caption": "folk",
            "lyrics": "Meet me under the station clock",
            "compositions": ["base", "lyrics", {"lyrics": 0.6, "nolyrics": 0.4}],
        }
    }
}
ROUTE_EXAMPLES = {
    "words": {"value": {"caption": "gentle folk song", "tags": ["acoustic"], "lyrics": "Meet me at the station"}}
}
CASCADE_EXAMPLES = {
    "three": {"value": {"caption": "folk", "lyrics": "Meet me under the station clock", "budget": 3, "stop_wer": 0.2}}
}


def errors(*codes: int, changing: bool = False) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, for ``responses=``; those of the doors in front of every route come by themselves."""
    return {code: _error(code) for code in sorted({*codes, *(CHANGING if changing else ())})}


def _error(code: int) -> dict[str, Any]:
    schema = {"schema": {"$ref": _REF.format(model=Problem.__name__)}}
    answer: dict[str, Any] = {
        "description": _MEANING.get(code, HTTPStatus(code).phrase),
        "content": {CONTENT_TYPE: schema},
    }
    if code in (429, 503):
        answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return answer


def body(model: str, examples: dict[str, Any], content: str = "application/json") -> dict[str, Any]:
    """The body of a route that reads it by hand, for ``openapi_extra=``."""
    schema = {"$ref": _REF.format(model=model)}
    return {"requestBody": {"required": True, "content": {content: {"schema": schema, "examples": examples}}}}


class Api(FastAPI):
    """A FastAPI application whose document is true; ``keyed``: whether routes need a key."""

    keyed = False

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = get_openapi(
                title=self.title, version=self.version, description=self.description, routes=self.routes
            )
            for path, operations in document.get("paths", {}).items():
                for method, operation in operations.items():
                    _complete(operation["responses"], method.upper(), path)
            parts = document.setdefault("components", {})
            schemas = {**parts.get("schemas", {}), **_own_schemas()}
            parts["schemas"] = {name: schemas[name] for name in sorted(schemas.keys() - _REPLACED)}
            if self.keyed:
                parts["securitySchemes"] = {
                    "bearer": {"type": "http", "scheme": "bearer"},
                    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                }
                document["security"] = [{"bearer": []}, {"header": []}]
            self.openapi_schema = document
        return self.openapi_schema


def _complete(answers: dict[str, Any], method: str, path: str) -> None:
    """Add what the doors in front of a route may answer, and give every problem the one schema."""
    keyed = () if path in OPEN_PATHS else (401,)
    for code in (*ALWAYS, *keyed, *(() if method in SAFE_METHODS else CHANGING)):
        answers.setdefault(str(code), _error(code))
    for code, answer in answers.items():
        if int(code) >= 400:
            answer["content"] = _error(int(code))["content"]


def _own_schemas() -> dict[str, Any]:
    karaoke = Karaoke.model_json_schema(ref_template=_REF)
    problem = Problem.model_json_schema(ref_template=_REF)
    song = SongRequest.model_json_schema(ref_template=_REF)
    inner = song.pop("$defs", {})
    properties = dict(song["properties"])
    weights = properties.pop("composition")
    composition = {
        "description": "Weights of adapters by name, or text such as lyrics=0.6,nolyrics=0.4; base is none, and routed "
        "what the router chooses.",
        "anyOf": [{key: value for key, value in weights.items() if key != "title"}, {"type": "string"}],
    }
    cascade = CascadeOptions.model_json_schema(ref_template=_REF)
    compared = {"type": "array", "items": composition, "minItems": 1, "maxItems": MAX_COMPARED}
    return {
        **inner,
        **karaoke.pop("$defs", {}),
        **problem.pop("$defs", {}),
        "Karaoke": karaoke,
        "Problem": problem,
        "SongRequest": {**song, "properties": {**properties, "composition": composition}},
        "CompareRequest": {
            **song,
            "title": "CompareRequest",
            "description": "One song to sing by several compositions, each given once, all from the same noise.",
            "properties": {**properties, "compositions": compared},
            "required": ["compositions"],
        },
        "CascadeRequest": {
            **song,
            "title": "CascadeRequest",
            "description": "One song to sing, judge, and sing again otherwise until its words come through.",
            "properties": {**properties, **cascade["properties"]},
        },
        "RouteRequest": {**RouterPrompt.model_json_schema(ref_template=_REF), "title": "RouteRequest"},
    }
