"""The router and its cascades over HTTP: asked, sung with, tried until the words come through, cancelled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import build_app
from engine.song_model import SongModel
from router.errors import RouterError
from tests.api.asking import SONG, settle
from tests.api.small_app import problem
from tests.shelf import make_shelf
from tests.ui.planted import FakeJudge, FakeRouter, LearningJudge, hold, make_songs
from tests.ui.planted import settle as settle_router
from tests.waiting import until
from ui.songs import Songs

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def router() -> FakeRouter:
    return FakeRouter()


@pytest.fixture
def judge() -> FakeJudge:
    return LearningJudge("no such words", "hello cold friend", "hello old friend")


@pytest.fixture
def songs(random_model: SongModel, tmp_path: Path, judge: FakeJudge, router: FakeRouter) -> Songs:
    shelf = make_shelf(tmp_path / "shelf", random_model.transformer)
    songs = make_songs(random_model, tmp_path / "songs", judge, shelf, router=router)
    settle_router(songs.routing)
    return songs


@pytest.fixture
def bare(random_model: SongModel, tmp_path: Path) -> Iterator[TestClient]:
    songs = make_songs(random_model, tmp_path / "bare", None)
    with TestClient(build_app(songs, pages=False), "http://localhost") as client:
        yield client


def ended(client: TestClient, where: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get(where).json()
        return found if found["state"] != "going" else None

    found = until(look)
    assert found is not None
    return found


def test_a_decision_tells_all_it_knows(client: TestClient, router: FakeRouter) -> None:
    asked = {"caption": "folk 🎵", "tags": ["slow", "warm"], "lyrics": "hello"}
    answer = client.post("/v1/route", json=asked)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["name"], found["composition"], found["abstained"]) == ("folk=0.5", {"folk": 0.5}, False)
    assert [c["name"] for c in found["candidates"]] == ["folk=0.5", "base", "rock=1"]
    assert found["neighbours"][0]["wer"]["base"] == 0.4 and found["order"] == ["folk=0.5", "base", "rock=1"]
    assert router.asked[-1].tags == ("slow", "warm") and set(router.shelves[-1]) == {"folk", "rock"}
    assert client.post("/v1/route", json={}).status_code == 200, "an empty prompt is a prompt"
    assert client.get("/healthz").json()["router"] == {"state": "ready", "reason": None, "used": None}


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b'{"caption": "%s"}' % (b"a" * 100_000), 422, "100,000 characters, at most 1,000"),
        (b'{"lyrics": "%s"}' % (b"a" * 100_000), 422, "at most 5,000"),
        (b'{"tags": "slow"}', 422, "tags"),
        (b'{"tags": ["%s"]}' % (b"a" * 900_000), 422, "has 900,000 characters, at most 100 are allowed; give fewer"),
        (b'{"caption": 3}', 422, "caption must be text, not 3"),
        (b'{"voice": "low"}', 422, "voice is not a field of a prompt"),
        (b"[]", 422, "a JSON object with the fields of a prompt"),
        (b"{", 400, "no JSON"),
    ],
)
def test_what_is_no_prompt_is_told(client: TestClient, body: bytes, code: int, said: str) -> None:
    assert said in problem(client.post("/v1/route", content=body, headers=JSON), code)


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/v1/route", {}),
        ("/v1/songs", {"composition": "routed"}),
        ("/v1/compare", {"compositions": ["base", "routed"]}),
        ("/v1/cascades", {"budget": 2}),
    ],
)
def test_without_a_router_the_reason_is_told(bare: TestClient, path: str, more: dict[str, Any]) -> None:
    body = {"caption": "folk", "lyrics": "hello", **more}
    assert "--router FILE" in problem(bare.post(path, json=body), 409)
    assert bare.get("/v1/songs").json()["total"] == 0
    assert bare.get("/healthz").json()["router"]["state"] == "off"


def test_a_router_of_another_model_is_refused_with_its_reason(random_model: SongModel, tmp_path: Path) -> None:
    router = FakeRouter()
    songs = make_songs(random_model, tmp_path / "songs", None, router=router)
    songs.routing._model = tmp_path  # whose fingerprint it does not like
    router.fault = RouterError(f"it was fitted to another model than {tmp_path}/model")
    settle_router(songs.routing)
    with TestClient(build_app(songs, pages=False), "http://localhost") as client:
        said = problem(client.post("/v1/route", json={}), 409)
        assert "another model" in said and str(tmp_path) not in said
        assert client.post("/v1/songs?wait=true", json=SONG).status_code == 200


def test_a_router_that_is_being_loaded_is_worth_asking_again(client: TestClient, songs: Songs) -> None:
    songs.routing.state, songs.routing.reason = "loading", "it is being loaded"
    for answer in (client.post("/v1/route", json={}), client.get("/v1/router/report")):
        assert "being loaded" in problem(answer, 503) and int(answer.headers["retry-after"]) >= 1


def test_what_the_router_knows_is_a_page(client: TestClient, bare: TestClient) -> None:
    answer = client.get("/v1/router/report")
    assert answer.status_code == 200 and answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text.startswith("<!doctype html>") and "gaussian process" in answer.text
    assert client.get("/v1/router/report").text == answer.text
    assert "--router FILE" in problem(bare.get("/v1/router/report"), 409)
    documented = client.get("/v1/openapi.json").json()["paths"]["/v1/router/report"]["get"]["responses"]
    assert set(documented["200"]["content"]) == {"text/html"} and {"409", "503"} <= set(documented)


@pytest.mark.parametrize("lyrics", ["hello old friend", ""])
def test_a_routed_song_keeps_why(client: TestClient, lyrics: str) -> None:
    answer = client.post("/v1/songs?wait=true", json={**SONG, "lyrics": lyrics, "composition": "routed"})
    assert answer.status_code == 200, answer.text
    song = settle(client, answer.json()["id"])
    assert song["request"]["composition"] == {"folk": 0.5} and song["comparison"] is None and song["take"] is None
    decision = song["decision"]
    assert (decision["name"], decision["wer"], decision["low"], decision["high"]) == pytest.approx(
        ("folk=0.5", 0.2, 0.1, 0.4)
    )
    assert decision["reason"] and song["record"]["decision"]["candidates"]
    # asked for again by what it is, not by who chose it
    assert client.post("/v1/songs?wait=true", json=song["request"]).json()["decision"] is None


def test_a_song_that_waits_tells_its_decision_too(client: TestClient, songs: Songs) -> None:
    held = hold(songs)
    song = client.post("/v1/songs", json={**SONG, "composition": "routed"}).json()
    assert song["decision"]["name"] == "folk=0.5" and song["record"] is None
    held.go.set()


def test_what_the_router_chooses_is_compared(client: TestClient) -> None:
    asked = {**SONG, "compositions": ["rock", "routed", "base"]}
    songs = client.post("/v1/compare", json=asked).json()["songs"]
    assert [s["request"]["composition"] for s in songs] == [{"rock": 1}, {"folk": 0.5}, {}]
    assert [s["decision"] and s["decision"]["name"] for s in songs] == [None, "folk=0.5", None]
    twins = client.post("/v1/compare", json={**SONG, "compositions": ["routed", "base", "folk=0.5"]}).json()["songs"]
    assert [s["request"]["composition"] for s in twins] == [{}, {"folk": 0.5}]
    assert [s["decision"] and s["decision"]["name"] for s in twins] == [None, "folk=0.5"]
    said = problem(client.post("/v1/compare", json={**SONG, "compositions": ["routed", "routed"]}), 422)
    assert "routed stands there twice" in said


def test_a_cascade_is_begun_followed_and_listed(client: TestClient) -> None:
    asked = {**SONG, "budget": 4, "stop_wer": 0.4, "retry": "adapters"}
    answer = client.post("/v1/cascades", json=asked)
    assert answer.status_code == 202, answer.text
    begun = answer.json()
    assert answer.headers["location"] == f"/v1/cascades/{begun['id']}" and begun["decision"]["name"] == "folk=0.5"
    assert begun["options"] == {"budget": 4, "stop_wer": 0.4, "retry": "adapters", "together": 1}
    done = ended(client, answer.headers["location"])
    assert (done["state"], done["stopped"]) == ("done", "good enough")
    assert [take["name"] for take in done["takes"]] == ["folk=0.5", "base"]
    assert done["best"] == done["takes"][1]["song"] and "good enough" in done["reason"]
    best = client.get(f"/v1/songs/{done['best']}").json()
    assert best["take"] == {"cascade": begun["id"], "place": 1} and best["comparison"] == begun["id"]
    assert best["judged"]["wer"] == pytest.approx(done["takes"][1]["wer"], abs=1e-4)
    assert client.get(f"/v1/songs?comparison={begun['id']}").json()["total"] == 2
    assert client.get(best["links"]["audio"]).status_code == 200
    assert client.delete(f"/v1/cascades/{begun['id']}").json() == done, "it has ended, and stays as it is"


def test_a_cascade_is_cancelled_at_once(client: TestClient, songs: Songs) -> None:
    held = hold(songs)
    begun = client.post("/v1/cascades", json={**SONG, "budget": 4, "together": 2}).json()
    where = f"/v1/cascades/{begun['id']}"
    until(lambda: len(client.get(where).json()["takes"]) == 2)
    assert client.delete(where).status_code == 200
    held.go.set()
    found = ended(client, where)
    assert found["state"] == "cancelled" and {take["state"] for take in found["takes"]} == {"cancelled"}
    assert client.get("/v1/songs").json()["total"] == 0


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"budget": 0}, "budget: 0 is too few: choose 1 to 16 songs"),
        ({"budget": 17}, "1 to 16"),
        ({"budget": "3"}, "budget"),
        ({"stop_wer": 1.5}, "stop_wer: 1.5 is too large: choose 0 to 1"),
        ({"stop_wer": float("nan")}, "stop_wer"),
        ({"retry": "never"}, "retry must be 'adapters', 'seeds' or 'both', not 'never'"),
        ({"together": 0}, "together"),
        ({"composition": "base"}, "composition is what a cascade tries"),
        ({"lyrics": "🎵"}, "no word"),
        ({"lyrics": "la " * 34_000}, "5,000"),
        ({"caption": "a" * 100_000}, "1,000"),
        ({"voice": 1}, "voice is not a field"),
    ],
)
def test_what_is_no_cascade_is_told(client: TestClient, fields: dict[str, Any], said: str) -> None:
    answer = client.post("/v1/cascades", content=json.dumps({**SONG, **fields}), headers=JSON)
    assert said in problem(answer, 422)


def test_what_is_not_there_is_not_found(client: TestClient) -> None:
    for cascade in ("0123456789abcdef", "nothing", "%00", "F" * 16):
        problem(client.get(f"/v1/cascades/{cascade}"), 404)
        problem(client.delete(f"/v1/cascades/{cascade}"), 404)
    problem(client.post("/v1/cascades", content=b"{", headers=JSON), 400)
    problem(client.post("/v1/cascades", content=b"[]", headers=JSON), 422)
