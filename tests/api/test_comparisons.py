"""Comparisons: one prompt, several compositions, one noise; all songs or none; found again after a restart."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from api.app import build_app
from engine.settings import EngineSettings
from engine.song_model import SongModel
from tests.api.asking import SONG, settle
from tests.api.small_app import problem
from tests.shelf import make_shelf
from tests.ui.planted import FakeJudge, hold, make_songs
from tests.waiting import until
from ui.songs import Songs


@pytest.fixture
def compared(random_model: SongModel, tmp_path: Path) -> Songs:
    shelf = make_shelf(tmp_path / "shelf", random_model.transformer)
    return make_songs(random_model, tmp_path / "songs", FakeJudge(), shelf, EngineSettings(max_queue=3))


@pytest.fixture
def client(compared: Songs) -> Iterator[TestClient]:
    with TestClient(build_app(compared, pages=False), "http://localhost") as client:
        yield client


def latents(songs: Songs, song_id: str) -> NDArray[np.float32]:
    job = songs.engine.job(song_id)
    assert job is not None and job.song is not None
    return job.song.latents


def test_songs_are_sung_by_each_composition_from_one_noise(
    client: TestClient, compared: Songs, random_model: SongModel, tmp_path: Path
) -> None:
    asked = {
        "caption": "folk",
        "lyrics": "hello old friend",
        "steps": 2,
        "compositions": ["rock", "base", {"folk": 0.5}],
    }
    answer = client.post("/v1/compare", json=asked)
    assert answer.status_code == 202, answer.text
    comparison = answer.json()["id"]
    assert answer.headers["location"] == f"/v1/compare/{comparison}"
    songs = answer.json()["songs"]
    assert [s["request"]["composition"] for s in songs] == [{"rock": 1}, {}, {"folk": 0.5}]
    assert len({s["request"]["seed"] for s in songs}) == 1
    assert {s["comparison"] for s in songs} == {comparison}
    for song in songs:
        settle(client, song["id"])
    found = client.get(f"/v1/compare/{comparison}").json()
    assert [s["id"] for s in found["songs"]] == [s["id"] for s in songs], "in the order they were asked for"
    assert len({client.get(s["links"]["audio"]).content for s in songs}) == 3
    # each is what it is when it is asked for alone
    alone = client.post("/v1/songs?wait=true", json=songs[0]["request"]).json()
    one, other = (latents(compared, song["id"]) for song in (alone, songs[0]))
    assert np.abs(one - other).max() < 1e-4
    assert client.get(f"/v1/songs?comparison={comparison}").json()["total"] == 3
    assert client.get(f"/v1/songs?comparison={comparison}&adapter=base").json()["total"] == 1

    later = make_songs(random_model, tmp_path / "songs", None)
    with TestClient(build_app(later, pages=False), "http://localhost") as again:
        kept = again.get(f"/v1/compare/{comparison}").json()["songs"]
    assert [s["id"] for s in kept] == [s["id"] for s in songs], "after a restart, too"


def test_all_songs_of_a_comparison_are_taken_or_none(client: TestClient, compared: Songs) -> None:
    held = hold(compared)
    problem(client.post("/v1/compare", json={**SONG, "compositions": ["base", "ghost"]}), 404)
    full = client.post("/v1/compare", json={**SONG, "compositions": [{}, "a=1", "b=1"]})
    problem(full, 404)
    assert client.get("/v1/songs").json()["total"] == 0
    held.go.set()


def test_a_comparison_that_does_not_fit_into_the_queue_is_refused_whole(
    client: TestClient, compared: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, step = threading.Event(), compared.engine.singer.step
    monkeypatch.setattr(compared.engine.singer, "step", lambda songs: step(songs) if go.wait(60) else [])
    first = client.post("/v1/songs", json=SONG).json()["id"]
    until(lambda: client.get(f"/v1/songs/{first}").json()["state"] == "singing")
    client.post("/v1/songs", json=SONG)
    many = [{"folk": weight} for weight in (0.1, 0.2, 0.3)]
    refused = client.post("/v1/compare", json={**SONG, "compositions": many})
    assert "3 songs" in problem(refused, 429) and int(refused.headers["retry-after"]) >= 1
    assert client.get("/v1/songs").json()["total"] == 2
    go.set()


def test_a_comparison_that_can_never_fit_is_wrong_and_names_both_numbers(client: TestClient) -> None:
    many = [{"folk": weight} for weight in (0.1, 0.2, 0.3, 0.4)]
    refused = client.post("/v1/compare", json={**SONG, "compositions": many})
    said = problem(refused, 422)
    assert "4 songs" in said and "at most 3" in said and "retry-after" not in refused.headers
    assert client.get("/v1/presets").json()["limits"]["compositions"]["maxItems"] == 3
    assert client.get("/v1/songs").json()["total"] == 0


@pytest.mark.parametrize("comparison", ["0123456789abcdef", "nothing", "..%2f..%2fetc", "%00", "F" * 16])
def test_an_unknown_comparison_is_not_found(client: TestClient, comparison: str) -> None:
    problem(client.get(f"/v1/compare/{comparison}"), 404)


def test_each_song_tells_its_loudness_and_what_makes_all_equally_loud(client: TestClient, compared: Songs) -> None:
    held = hold(compared)
    asked = client.post("/v1/compare", json={**SONG, "compositions": ["base", "rock", "folk"]}).json()
    assert {(song["loudness"], song["gain"]) for song in asked["songs"]} == {(None, None)}, "nothing is sung yet"
    held.go.set()
    ids = [song["id"] for song in asked["songs"]]
    for song in ids:
        settle(client, song)
    # planted: one ten decibels below the other, one silent
    times = np.arange(48_000) / 48_000
    tone = 0.5 * np.sin(2 * np.pi * 997 * times)
    for song, audio in zip(ids, (tone, tone / 10**0.5, 0 * tone), strict=True):
        soundfile.write(compared.store.audio(song), audio, 48_000, format="flac")
    told = client.get(f"/v1/compare/{asked['id']}").json()["songs"]
    loud, soft, silent = ((song["loudness"], song["gain"]) for song in told)
    assert loud == pytest.approx((-9.03, -10.0), abs=0.1) and soft == pytest.approx((-19.03, 0.0), abs=0.1)
    assert silent == (None, None)
    # what is fetched is as it was sung
    fetched, _ = soundfile.read(io.BytesIO(client.get(f"/v1/songs/{ids[0]}/audio?format=wav").content))
    assert np.abs(fetched).max() == pytest.approx(0.5, abs=0.01)


def test_what_is_wrong_with_the_compositions_is_told_by_field(client: TestClient) -> None:
    for many in (["base", ""], ["folk=much"]):
        answer = client.post("/v1/compare", json={**SONG, "compositions": many})
        said = problem(answer, 422)
        assert answer.json()["errors"] == [{"field": "compositions", "detail": said.removeprefix("compositions: ")}]
