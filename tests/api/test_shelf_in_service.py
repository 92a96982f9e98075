"""The shelf behind all doors of the server: an adapter comes by upload, sings, goes while it sings, and is exported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient
from safetensors.torch import load

from adapters.base import Base
from adapters.lora_export import write_lora
from adapters.store import AdapterStore
from api.app import build_app
from api.export_jobs import ExportJobs
from engine.song_model import SongModel
from tests.adapters.exported import same_change
from tests.api.asking import sing
from tests.shelf import planted
from tests.ui.planted import FakeJudge, make_songs
from tests.waiting import until


@pytest.fixture
def shelf(tmp_path: Path) -> AdapterStore:
    return AdapterStore(tmp_path / "shelf")


@pytest.fixture
def client(random_model: SongModel, shelf: AdapterStore, tmp_path: Path, judge: FakeJudge) -> Iterator[TestClient]:
    songs = make_songs(random_model, tmp_path / "outputs", judge, shelf)
    random_model.transformer.save_pretrained(tmp_path / "model" / "transformer")
    exports = ExportJobs(tmp_path / "outputs" / "exports", shelf, tmp_path / "model")
    app = build_app(songs, pages=False, shelf=shelf, exports=exports)
    with TestClient(app, "http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def folk(random_model: SongModel, tmp_path: Path) -> bytes:
    (tmp_path / "folk").mkdir()
    return write_lora(planted(random_model.transformer, "folk"), tmp_path / "folk", "comfyui").read_bytes()


def test_an_uploaded_adapter_sings_and_can_go_while_it_does(
    client: TestClient, folk: bytes, random_model: SongModel, shelf: AdapterStore
) -> None:
    base = sing(client)
    refused = client.post("/v1/songs", json={"composition": "folk"})
    assert refused.status_code == 404 and "folk" in refused.json()["detail"]
    added = client.post("/v1/adapters", data={"name": "folk"}, files={"weights": folk})
    assert added.status_code == 201, added.text
    same_change(shelf.load("folk", Base.of(random_model.transformer)), planted(random_model.transformer, "folk"))
    with_it = sing(client, composition="folk")
    assert client.get(f"/v1/songs/{base['id']}/audio").content != client.get(f"/v1/songs/{with_it['id']}/audio").content

    asked = client.post("/v1/songs", json={**with_it["request"], "steps": 60}).json()["id"]
    until(lambda: client.get(f"/v1/songs/{asked}").json()["step"] > 0)
    assert client.delete("/v1/adapters/folk").status_code == 200
    until(lambda: client.get(f"/v1/songs/{asked}").json()["state"] in ("done", "failed"))
    assert client.get(f"/v1/songs/{asked}").json()["state"] == "done"
    assert client.post("/v1/songs", json={"composition": "folk"}).status_code == 404


def test_an_upload_goes_out_again_as_it_came(client: TestClient, folk: bytes, random_model: SongModel) -> None:
    assert client.post("/v1/adapters", data={"name": "folk"}, files={"weights": folk}).status_code == 201
    asked = client.post("/v1/exports", json={"composition": "folk", "format": "comfyui"})
    assert asked.status_code == 202, asked.text
    where = asked.headers["location"]
    until(lambda: client.get(where).json()["state"] in ("done", "failed"))
    shown = client.get(where).json()
    assert (shown["state"], shown["file"]["name"]) == ("done", "folk-1-comfyui.safetensors"), shown
    got, came = load(client.get(f"{where}/file").content), load(folk)
    assert got.keys() == came.keys() and all(torch.equal(got[key], came[key]) for key in came)
    assert client.delete(where).json()["state"] == "removed"


def test_a_page_of_another_site_can_neither_add_nor_remove(client: TestClient, folk: bytes) -> None:
    files = {"weights": folk}
    other = {"Origin": "https://example.com", "Sec-Fetch-Site": "cross-site"}
    assert client.post("/v1/adapters", data={"name": "folk"}, files=files, headers=other).status_code == 403
    assert client.delete("/v1/adapters/folk", headers=other).status_code == 403
    assert client.get("/v1/adapters").json()["adapters"] == []
