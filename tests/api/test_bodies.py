"""What is no request is refused in a sentence that names the value, the limit and the remedy."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.bodies import check_size, read_comparison, read_fields, read_song
from api.export_records import ExportRequest
from api.guard import MAX_JSON
from api.problems import MAX_DETAIL, Problem
from engine.errors import RequestError
from tests.api.asking import SONG
from tests.api.small_app import problem

JSON = {"Content-Type": "application/json"}


def read_export(body: bytes) -> ExportRequest:
    return read_fields(ExportRequest, body, "an export", "send an object")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"lyrics": "la " * 34_000}, ["lyrics", "102,000", "5,000", "shorten"]),
        ({"lyrics": "🎵🎶"}, ["no word", "Latin"]),
        ({"lyrics": "жили у бабуси"}, ["no word", "Latin"]),
        ({"lyrics": "very long words " * 60}, ["syllables", "96", "shorten"]),
        ({"duration": 0}, ["duration: 0 is too short: choose 0.5 to 600 seconds"]),
        ({"duration": 1e9}, ["duration: 1000000000 is too long: choose 0.5 to 600 seconds"]),
        ({"duration": 100}, ["duration: 100 s is too long", "24 s"]),
        ({"duration": 0.6, "lyrics": "one two three four five six"}, ["do not fit", "0.6 s"]),
        ({"duration": 5, "tempo": 100}, ["contradict", "one of them"]),
        ({"duration": float("nan")}, ["duration", "finite"]),
        ({"guidance": float("inf")}, ["guidance"]),
        ({"tempo": float("-inf")}, ["tempo"]),
        ({"steps": 10**9}, ["steps", "200"]),
        ({"seed": -1}, ["seed", "-1", "0"]),
        ({"seed": "5"}, ["seed must be a whole number, not the text 5: choose 0 to 2147483647"]),
        ({"seed": True}, ["seed must be a whole number, not true: choose 0 to 2147483647"]),
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
        (b"[" * 9_000, 400, "no JSON"),
        (b"[" * 100_000, 413, "at most 10,000"),
        (b'{"caption": "' + b"[,{" * 9_000, 413, "at most 10,000"),
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


@pytest.mark.parametrize(
    ("compositions", "said"),
    [
        (
            [5],
            "compositions number 1 must be text or an object with names and values, not 5: give text such as "
            "lyrics=0.6",
        ),
        (
            ["base", {"int": "x"}],
            "compositions number 2, int must be a number, not the text 'x': give text such as lyrics=0.6",
        ),
        (5, "compositions must be a list, not 5: choose one to eight"),
        ([], "compositions is empty: choose one to eight"),
    ],
)
def test_a_composition_that_is_none_is_told_once_with_what_to_give(compositions: Any, said: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_comparison(json.dumps({"compositions": compositions}).encode())
    assert str(refused.value) == said and len(refused.value.faults) == 1


def test_an_adapter_that_is_called_like_a_type_is_told() -> None:
    for name in ("none", "int", "str", "constrained-str"):
        with pytest.raises(RequestError, match=f"^composition: {name} must be a number, not the text 'x'"):
            read_song(json.dumps({"composition": {name: "x"}}).encode())


def test_a_format_that_is_none_is_told_once_with_all_there_are() -> None:
    with pytest.raises(Problem) as refused:
        read_export(b'{"composition": "folk", "format": "x"}')
    [told] = refused.value.extra["errors"]
    assert told["field"] == "format" and told["detail"] == (
        "must be 'peft', 'diffusers', 'comfyui', 'original', 'full-diffusers' or 'full-original', not 'x'"
    )


#: Bodies of nearly 1 MiB of which each value is wrong, and limits they run into.
HUGE = [
    (b'{"durations": [' + b",".join([b"{}"] * 300_000) + b"]}", 413, "10,000"),
    (b'{"durations": [' + b",".join([b'"a"'] * 5_000) + b"]}", 422, "durations has 5,000 entries"),
    (b'{"plan": {"notes": [' + b",".join([b"{}"] * 3_000) + b"]}}", 422, "notes has 3,000 entries"),
    (b"{" + b",".join(b'"k%d":0' % n for n in range(300)) + b"}", 422, "300 keys"),
    (b'{"plan": {"notes": [' + b",".join([b"{}"] * 1_999) + b"]}}", 422, "and 7,9"),
    (b"{" + b",".join(b'"k%d":0' % n for n in range(50)) + b"}", 422, "k0 is not a field"),
]


@pytest.mark.parametrize(("body", "code", "said"), HUGE)
@pytest.mark.parametrize("path", ["/v1/songs", "/v1/compare", "/v1/exports"])
def test_a_body_of_very_many_wrong_parts_costs_little(path: str, body: bytes, code: int, said: str) -> None:
    assert len(body) < MAX_JSON
    read = {"/v1/songs": read_song, "/v1/compare": read_comparison, "/v1/exports": read_export}[path]
    tracemalloc.start()
    try:
        with pytest.raises((Problem, RequestError)) as raised:
            read(body)
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()
    if path == "/v1/songs" or code == 413 or "has" in said:
        assert said in str(raised.value) and getattr(raised.value, "status", 422) == code


def test_text_counts_as_one_value_whatever_is_in_it() -> None:
    caption = '[{,"' * 240
    assert read_song(json.dumps({"caption": caption}).encode()).caption == caption
    check_size(json.dumps([caption] * 20).encode())


def test_of_many_errors_the_first_are_told() -> None:
    with pytest.raises(RequestError) as raised:
        read_song(json.dumps({f"k{n}": 0 for n in range(50)}).encode())
    assert str(raised.value).count("is not a field") == 8 and str(raised.value).endswith("; and 42 more")
