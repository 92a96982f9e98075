"""Evaluations and refits over HTTP, whole: begun, watched, put to use, cancelled; what is refused names its field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from adapters.fingerprints import fingerprint_model
from api.app import build_app
from engine.song_model import SongModel
from eval.table import PARQUET
from tests.router.planted_router import Words, plant_table
from tests.shelf import make_shelf
from tests.ui.planted import FakeJudge, FakeRouter, make_songs, settle
from tests.ui.planted_tables import plant_prompts
from tests.waiting import until
from ui.evaluations import Evaluations
from ui.refits import Refits
from ui.sources import Sources


@pytest.fixture(scope="module")
def client(random_model: SongModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("long-work")
    shelf = make_shelf(folder / "shelf", random_model.transformer)
    songs = make_songs(random_model, folder / "songs", FakeJudge("hello"), shelf, router=FakeRouter())
    settle(songs.routing)
    table = plant_table(genres=3, prompts=1)
    mark = {"model_fingerprint": fingerprint_model(folder / "model")}
    replace(table, about=table.about | mark).write(songs.store.folder / "eval" / PARQUET)
    sources = Sources(songs, folder / "model")
    evaluations = Evaluations(songs, shelf, folder / "model")
    refits = Refits(songs, sources, shelf, folder / "model", Words)
    evaluations.needed = lambda: refits.tables()
    app = build_app(songs, pages=False, sources=sources, evaluations=evaluations, refits=refits)
    with pytest.MonkeyPatch.context() as patch, TestClient(app, "http://localhost") as opened:
        patch.setattr("ui.evaluation_run.PROMPTS", plant_prompts(folder))
        yield opened


def finish(client: TestClient, address: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get(address).json()
        return found if found["state"] not in ("queued", "running") else None

    found = until(ended, 300)
    assert found is not None
    return found


def test_an_evaluation_is_begun_watched_and_removed(client: TestClient) -> None:
    answer = client.post("/v1/evaluations", json={"compositions": ["base", "rock"], "genres": 2})
    assert answer.status_code == 202 and answer.json()["total"] == 4
    address = answer.headers["location"]
    done = finish(client, address)
    assert (done["state"], done["heard"], done["error"]) == ("done", 4, None)
    listed = client.get("/v1/evaluations").json()
    assert [one["id"] for one in listed["evaluations"]] == [done["id"]] and listed["reason"] is None
    summary = client.get(f"/v1/evidence/{done['id']}").json()
    assert summary["source"]["compositions"] == ["base", "rock=1"] and client.get("/v1/songs").json()["total"] == 0
    cell = {"genre": summary["source"]["genres"][0], "composition": "rock=1"}
    [song] = client.get(f"/v1/evidence/{done['id']}/cells", params=cell).json()["songs"]
    assert song["sound"] and song["maps"] and song["transcript"] == "hello"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Refits, "tables", lambda _: {done["id"]})
        refused = client.delete(address)
    assert refused.status_code == 409 and "a refit waits for the table" in refused.json()["detail"]
    assert client.delete(address).json() == {"id": done["id"], "state": "removed"}
    assert client.get(address).status_code == client.delete(address).status_code == 404
    assert client.get(f"/v1/evidence/{done['id']}").status_code == 404


def test_a_refit_is_begun_used_and_given_back(client: TestClient) -> None:
    answer = client.post("/v1/refits", json={"source": "eval"})
    assert answer.status_code == 202
    address = answer.headers["location"]
    assert client.get(f"{address}/report").status_code == client.post(f"{address}/use").status_code == 409
    done = finish(client, address)
    assert done["state"] == "done" and done["findings"]["sentences"] and done["report"] == f"{address}/report"
    assert "Genre by genre" in client.get(done["report"]).text
    assert client.post(f"{address}/use").json() == {"state": "ready", "reason": None, "used": done["id"]}
    assert client.get("/healthz").json()["router"]["used"] == done["id"] and client.get(address).json()["used"]
    prompt = {"caption": "a very loud loud song", "lyrics": "hello"}
    assert {c["name"] for c in client.post("/v1/route", json=prompt).json()["candidates"]} == {"base", "a=1", "b=1"}
    assert client.delete(address).status_code == 409
    assert client.post("/v1/refits/original/use").json()["used"] is None
    assert client.post("/v1/route", json=prompt).json()["name"] == "folk=0.5"
    assert [one["id"] for one in client.get("/v1/refits").json()["refits"]] == [done["id"]]
    assert client.delete(address).json()["state"] == "removed" and client.get(address).status_code == 404
    assert client.post(f"{address}/use").status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/v1/evaluations", {"compositions": ["base", "ghost"]}, ["compositions"]),
        ("/v1/refits", {"source": "nope"}, ["source"]),
        ("/v1/refits", {"source": "eval", "judge": "nobody"}, ["judge"]),
    ],
)
def test_what_cannot_be_done_names_its_field(
    client: TestClient, path: str, body: dict[str, Any], fields: list[str]
) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == 422 and [error["field"] for error in answer.json()["errors"]] == fields


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/v1/evaluations", {"compositions": []}, "compositions"),
        ("/v1/evaluations", {"compositions": ["base"], "genres": 31}, "genres"),
        ("/v1/evaluations", {"compositions": ["base"], "prompts": "mine"}, "prompts"),
        ("/v1/refits", {"source": "eval", "confidence": 1}, "confidence"),
        ("/v1/refits", {"source": "eval", "seed": 1}, "seed"),
    ],
)
def test_wrong_fields_are_told(client: TestClient, path: str, body: dict[str, Any], said: str) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == 422 and said in answer.json()["detail"]
    assert client.post(path, content="no json", headers={"Content-Type": "text/plain"}).status_code == 415
