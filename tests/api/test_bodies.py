"""What is no request is refused in a sentence that names the value, the limit and the remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.bodies import read_comparison, read_song
from api.guard import MAX_JSON
from api.problems import MAX_DETAIL
from engine.errors import RequestError
from tests.api.asking import SONG
from tests.api.small_app import problem

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"lyrics": "la " * 34_000}, ["lyrics", "102,000", "5,000", "shorten"]),
        ({"lyrics": "🎵🎶"}, ["no word", "Latin"]),
        ({"lyrics": "жили у бабуси"}, ["no word", "Latin"]),
        ({"lyrics": "very long words " * 60}, ["syllables", "96", "shorten"]),
        ({"duration": 0}, ["duration", "0.5", "leave it out"]),
        ({"duration": 1e9}, ["duration", "600", "leave it out"]),
        ({"duration": 100}, ["duration is 100 s", "24 s"]),
        ({"duration": 0.6, "lyrics": "one two three four five six"}, ["do not fit", "0.6 s"]),
        ({"duration": 5, "tempo": 100}, ["contradict", "one of them"]),
        ({"duration": float("nan")}, ["duration", "finite"]),
        ({"guidance": float("inf")}, ["guidance"]),
        ({"tempo": float("-inf")}, ["tempo"]),
        ({"steps": 10**9}, ["steps", "200"]),
        ({"seed": -1}, ["seed", "-1", "0"]),
        ({"seed": "5"}, ["seed", "integer"]),
        ({"seed": True}, ["seed", "integer"]),
        ({"voice": "low"}, ["voice", "not a field"]),
        ({"caption": 3}, ["caption", "3"]),
        ({"composition": {"lyrics": 1e9}}, ["lyrics", "-4 to 4"]),
        ({"composition": {"lyrics": float("nan")}}, ["composition"]),
        ({"composition": {"../etc": 1}}, ["no adapter name"]),
        ({"composition": {"LYRICS": 1}}, ["no adapter name"]),
        ({"composition": "lyrics=much"}, ["lyrics=0.6"]),
        ({"attention": {"heads": [[99, 0]]}}, ["head"]),
        ({"attention": {"steps": "none"}}, ["attention"]),
    ],
)
def test_a_bad_request_is_answered_in_a_sentence(client: TestClient, fields: dict[str, Any], said: list[str]) -> None:
    body = {**SONG, **fields} if not {"lyrics", "caption"} & fields.keys() else fields
    sentence = problem(client.post("/v1/songs", content=json.dumps(body), headers=JSON), 422)
    for part in said:
        assert part in sentence
    assert len(sentence) <= MAX_DETAIL


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b"{", 400, "no JSON"),
        (b"", 400, "no JSON"),
        (b"\xff\xfe", 400, "no JSON"),
        (b'{"lyrics": "\\ud800"}', 400, "no JSON"),
        (b"[" * 100_000, 400, "no JSON"),
        (b'{"seed": ' + b"9" * 5000 + b"}", 400, "no JSON"),
        (b"[1]", 422, "object"),
        (b'"folk"', 422, "object"),
        (b"null", 422, "object"),
        (b'{"lyrics": "' + b"a" * (MAX_JSON // 2) + b'"}', 422, "5,000"),
        (b'{"lyrics": "' + b"a" * MAX_JSON + b'"}', 413, "1,048,576 bytes"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/songs", "/v1/compare"])
def test_a_body_that_is_no_request_is_refused(client: TestClient, path: str, body: bytes, code: int, said: str) -> None:
    if path == "/v1/compare" and body.startswith(b'{"lyrics": "a') and code == 422:
        body, said = body[:-1] + b', "compositions": ["base"]}', said
    assert said in problem(client.post(path, content=body, headers=JSON), code)


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", "", "application/x-www-form-urlencoded"])
def test_a_form_of_another_site_is_refused(client: TestClient, kind: str) -> None:
    answer = client.post("/v1/songs", content=b"{}", headers={"Content-Type": kind})
    assert "application/json" in problem(answer, 415)


def test_a_composition_may_be_text_or_weights() -> None:
    assert read_song(b'{"composition": "a=0.5,b"}').composition == {"a": 0.5, "b": 1.0}
    assert read_song(b'{"composition": {"a": 1}}').composition == {"a": 1.0}


def test_songs_to_compare_differ_in_nothing_but_their_composition() -> None:
    fields = {"lyrics": "hello", "compositions": ["base", "a=0.5", {"b": 1, "a": 1}, {}][:3]}
    requests = read_comparison(json.dumps(fields).encode())
    assert [r.composition for r in requests] == [{}, {"a": 0.5}, {"a": 1.0, "b": 1.0}]
    assert len({r.model_copy(update={"composition": {}}).model_dump_json() for r in requests}) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "compositions"),
        ({"compositions": []}, "compositions"),
        ({"compositions": ["base"] * 9}, "compositions"),
        ({"compositions": "base"}, "compositions"),
        ({"compositions": [3]}, "compositions"),
        ({"compositions": [{"a": float("nan")}]}, "compositions"),
        ({"compositions": ["base", {}]}, "twice"),
        ({"compositions": ["a=1", {"a": 1}]}, "a=1 stands there twice"),
        ({"compositions": ["a=b"]}, "number 1"),
        ({"compositions": ["base"], "composition": {}}, "alone"),
        ({"compositions": ["base"], "voice": "low"}, "voice"),
    ],
)
def test_what_cannot_be_compared_is_told(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        read_comparison(json.dumps(fields).encode())
