"""The judge behind the API: it never holds up singing, and a song has its verdict in the end, whatever happens."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import build_app
from engine.errors import SongError
from engine.song_model import SongModel
from eval.weights import JudgeUnavailable
from tests.api.asking import SONG, settle, sing
from tests.api.small_app import problem
from tests.ui.planted import FakeJudge, hold, make_songs
from tests.waiting import until
from ui.songs import Songs


def test_a_verdict_does_not_bring_a_deleted_song_back(client: TestClient, songs: Songs, judge: FakeJudge) -> None:
    judge.go.clear()
    gone, kept = sing(client), sing(client)
    assert client.delete(f"/v1/songs/{gone['id']}").status_code == 200
    judge.go.set()
    settle(client, kept["id"])
    assert not (songs.store.folder / gone["id"]).exists()


def test_a_verdict_that_cannot_be_written_is_told_all_the_same(
    client: TestClient, songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(songs.store, "annotate", full)
    assert settle(client, sing(client)["id"])["judged"]["state"] == "judged"


def test_singing_does_not_wait_for_the_judge(client: TestClient, judge: FakeJudge) -> None:
    judge.go.clear()
    first, second = sing(client), sing(client)
    assert client.get(f"/v1/songs/{first['id']}").json()["judged"]["state"] == "waiting"
    judge.go.set()
    assert settle(client, second["id"])["judged"]["state"] == "judged"


def test_an_instrumental_is_not_judged_and_says_so(client: TestClient, judge: FakeJudge) -> None:
    judged = settle(client, sing(client, lyrics="[intro]", duration=2)["id"])["judged"]
    assert judged["state"] == "wordless" and "instrumental" in judged["reason"]
    assert not judge.heard


@pytest.mark.parametrize(
    ("ears", "state", "said"),
    [
        (None, "off", "--judge base"),
        (FakeJudge(deaf=JudgeUnavailable("no weights: install its offline packages")), "unavailable", "install"),
        (FakeJudge(deaf=ZeroDivisionError("planted /home/me/secret/weights")), "unavailable", "ZeroDivisionError"),
    ],
)
def test_songs_are_sung_without_a_judge_and_the_remedy_is_told(
    random_model: SongModel, tmp_path: Path, ears: FakeJudge | None, state: str, said: str
) -> None:
    app = build_app(make_songs(random_model, tmp_path, ears), pages=False)
    with TestClient(app, "http://localhost") as client:
        song = settle(client, sing(client)["id"])
        assert song["judged"]["state"] == "unavailable" and said in song["judged"]["reason"]
        told = client.get("/healthz").json()
        assert told["status"] == "ok"
        assert told["judge"]["state"] == state and said in told["judge"]["reason"]
        assert "secret" not in str(told) + str(song)


def test_a_judge_that_fails_on_one_song_hears_the_next(client: TestClient, judge: FakeJudge) -> None:
    judge.fault = ZeroDivisionError("planted")
    said = settle(client, sing(client)["id"])["judged"]["reason"]
    assert "ZeroDivisionError" in said and "planted" not in said
    judge.fault = None
    assert settle(client, sing(client)["id"])["judged"]["state"] == "judged"


def test_songs_not_yet_heard_when_the_server_ends_are_told_so(songs: Songs, judge: FakeJudge) -> None:
    judge.go.clear()
    with TestClient(build_app(songs, pages=False), "http://localhost") as client:
        ids = [sing(client)["id"] for _ in range(3)]
        logs = [songs.events(i) for i in ids]
        thread = threading.Thread(target=lambda: judge.go.set() if songs.listener._closing.wait(60) else None)
        thread.start()
        songs.judging.close()
        thread.join(60)
    ended = [log.since()[-1] for log in logs if log is not None]
    assert [event.kind for event in ended] == ["judged"] * 3
    assert "stopped" in ended[-1].data["reason"]


def test_a_song_that_cannot_be_deleted_keeps_its_verdict_to_come(
    client: TestClient, songs: Songs, judge: FakeJudge, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    judge.go.clear()
    song_id = sing(client)["id"]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", _not_permitted)
        refused = client.delete(f"/v1/songs/{song_id}")
    assert "cannot be put aside" in problem(refused, 500) and str(tmp_path) not in refused.text
    log = songs.events(song_id)
    assert log is not None and log.since()[-1].kind == "done"
    judge.go.set()
    assert settle(client, song_id)["judged"]["state"] == "judged"
    assert log.since()[-1].kind == "judged"


def test_an_unwanted_song_that_cannot_be_deleted_ends_its_events(
    client: TestClient, songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = hold(songs)
    monkeypatch.setattr(songs.engine, "cancel", lambda job: held.go.set())  # too late
    monkeypatch.setattr(songs.store, "delete", _denied)
    song_id = client.post("/v1/songs", json=SONG).json()["id"]
    problem(client.delete(f"/v1/songs/{song_id}"), 500)
    assert settle(client, song_id)["judged"]["state"] == "judged"
    log = songs.events(song_id)
    assert log is not None and until(lambda: log.since()[-1].kind == "judged")


def _not_permitted(*_: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


def _denied(*_: object) -> None:
    raise SongError("the song cannot be removed")


def test_nobody_waits_while_a_verdict_is_written(
    client: TestClient, songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go, annotate = threading.Event(), threading.Event(), songs.store.annotate

    def slow(song_id: str, **extra: object) -> None:
        writing.set()
        assert go.wait(60)
        annotate(song_id, **extra)

    monkeypatch.setattr(songs.store, "annotate", slow)
    song_id = sing(client)["id"]
    assert writing.wait(60)
    assert client.get(f"/v1/songs/{song_id}").json()["judged"]["state"] == "waiting"
    assert client.delete(f"/v1/songs/{song_id}").json()["state"] == "deleted"
    go.set()
    sing(client)
    assert not (songs.store.folder / song_id).exists()


def test_a_sound_that_became_a_link_ends_its_events(
    client: TestClient, songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(_: str) -> None:
        raise SongError("/srv/songs/x is a link, and links are not followed here")

    monkeypatch.setattr(songs.store, "audio", link)
    song_id = sing(client)["id"]
    judged = settle(client, song_id)["judged"]
    assert judged == {**judged, "state": "failed", "reason": "x is a link, and links are not followed here"}
    log = songs.events(song_id)
    assert log is not None and log.since()[-1].kind == "judged"
