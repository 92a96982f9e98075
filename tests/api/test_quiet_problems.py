"""A client that asks for it gets problems under the status 200; for everybody else nothing changes."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

QUIET = {"Prefer": "respond-async, problems-as-200"}


def test_a_problem_tells_its_status_inside(client: TestClient) -> None:
    for method, address, body in (
        ("GET", "/v1/songs/0123456789abcdef", None),
        ("POST", "/v1/songs", {"duration": -1}),
        ("GET", "/v1/nowhere", None),
    ):
        loud = client.request(method, address, json=body)
        quiet = client.request(method, address, json=body, headers=QUIET)
        assert loud.status_code >= 400 and "preference-applied" not in loud.headers
        assert quiet.status_code == 200 and quiet.headers["preference-applied"] == "problems-as-200"
        assert quiet.headers["content-type"] == loud.headers["content-type"] == "application/problem+json"
        told, meant = quiet.json(), loud.json()
        assert told["status"] == meant["status"] == loud.status_code
        assert {**told, "request_id": ""} == {**meant, "request_id": ""}


@pytest.mark.parametrize("prefer", ["", "problems", "problems-as-2000", "x=problems-as-200"])
def test_other_preferences_change_nothing(client: TestClient, prefer: str) -> None:
    answer = client.get("/v1/songs/0123456789abcdef", headers={"Prefer": prefer})
    assert answer.status_code == 404 and "preference-applied" not in answer.headers


def test_an_answer_that_is_no_problem_is_left_as_it_is(client: TestClient) -> None:
    answer = client.get("/v1/songs", headers=QUIET)
    assert answer.status_code == 200 and "preference-applied" not in answer.headers
    assert client.get("/metrics", headers=QUIET).status_code == 200


def test_what_is_counted_is_the_status_that_was_meant(client: TestClient) -> None:
    client.get("/v1/songs/0123456789abcdef", headers=QUIET)
    counted = [line for line in client.get("/metrics").text.splitlines() if "/v1/songs/{song_id}" in line]
    assert any('"4xx"' in line for line in counted) and not any('"2xx"' in line for line in counted)
