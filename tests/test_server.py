"""The API over a tiny random model and a planted judge: what is asked for comes back, what is wrong is said clearly."""

from __future__ import annotations

import errno
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from fastapi.testclient import TestClient

import engine.engine
import engine.songs
import server
from engine.errors import ChoirmasterError
from engine.song_model import SongModel
from eval.weights import JudgeUnavailable
from server import MAX_BODY, build_app
from tests.ui.planted import FakeJudge, hold, make_songs, until
from ui.songs import Songs

SONG = {"caption": "folk", "lyrics": "hello old friend", "seed": 1, "steps": 2}


@pytest.fixture
def judge() -> FakeJudge:
    return FakeJudge("hello cold friend again")


@pytest.fixture
def songs(random_model: SongModel, tmp_path: Path, judge: FakeJudge) -> Songs:
    return make_songs(random_model, tmp_path / "songs", judge)


@pytest.fixture
def client(songs: Songs) -> Iterator[TestClient]:
    with TestClient(build_app(songs, pages=False), raise_server_exceptions=False) as client:
        yield client


def sing(client: TestClient, **fields: Any) -> dict[str, Any]:
    answer = client.post("/v1/songs?wait=true", json={**SONG, **fields})
    found: dict[str, Any] = answer.json()
    assert answer.status_code == 200, found
    return found


def settle(client: TestClient, song_id: str) -> dict[str, Any]:
    """The song once the judge is done with it."""

    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get(f"/v1/songs/{song_id}").json()
        return found if found["judged"]["state"] != "waiting" else None

    found = until(look)
    assert found is not None
    return found


def test_a_song_is_sung_judged_listed_and_fetched(client: TestClient, songs: Songs, judge: FakeJudge) -> None:
    sung = sing(client)
    assert (sung["state"], sung["step"], sung["steps"], sung["place"]) == ("done", 2, 2, 0)
    judged = settle(client, sung["id"])["judged"]
    assert (judged["state"], judged["judge"]) == ("judged", "planted judge")
    assert judged["transcript"] == "hello cold friend again"
    assert (judged["substitutions"], judged["deletions"], judged["insertions"]) == (1, 0, 1)
    assert judged["wer"] == pytest.approx(2 / 3, abs=1e-4)
    assert [w["kind"] for w in judged["words"]] == ["equal", "substitute", "equal", "insert"]
    # the judge was given what is stored, and what it heard is stored beside it
    record = songs.store.record(sung["id"])
    assert record is not None and record["judged"] == judged
    (shape, rate) = judge.heard[0]
    assert (shape[-1], rate) == (round(record["seconds"] * rate), record["sampling_rate"])
    second = sing(client, caption="jazz")
    listed = client.get("/v1/songs").json()["songs"]
    assert {s["id"] for s in listed} == {sung["id"], second["id"]}
    assert [s["id"] for s in client.get("/v1/songs?limit=1&offset=1").json()["songs"]] == [listed[1]["id"]]


@pytest.mark.parametrize(
    ("form", "kind", "named"),
    [("flac", "audio/flac", "FLAC"), ("wav", "audio/wav", "WAV"), ("mp3", "audio/mpeg", "MP3"),
     ("ogg", "audio/ogg", "OGG")],
)  # fmt: skip
def test_audio_comes_in_each_format(client: TestClient, form: str, kind: str, named: str) -> None:
    sung = sing(client)
    answer = client.get(sung["links"]["audio"], params={"format": form})
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    info = soundfile.info(io.BytesIO(answer.content))
    assert info.format in (named, "MPEG" if named == "MP3" else named)
    assert info.duration == pytest.approx(sung["record"]["seconds"], abs=0.15)


def test_flac_is_served_in_parts(client: TestClient) -> None:
    address = sing(client)["links"]["audio"]
    part = client.get(address, headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"fLaC")


def test_the_same_request_gives_the_same_audio(client: TestClient) -> None:
    first, second = (client.get(sing(client)["links"]["audio"]).content for _ in range(2))
    assert first == second


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
        ({"steps": 10**9}, ["steps", "200"]),
        ({"seed": -1}, ["seed", "-1", "0"]),
        ({"seed": "\ud800"}, ["seed"]),
        ({"voice": "low"}, ["voice", "not a field"]),
        ({"\ud800": 1}, ["valid string"]),
        ({"caption": 3}, ["caption", "3"]),
    ],
)
def test_a_bad_request_is_answered_in_a_sentence(client: TestClient, fields: dict[str, Any], said: list[str]) -> None:
    body = json.dumps({**SONG, **fields}) if "duration" in fields or "steps" in fields else json.dumps(fields)
    answer = client.post("/v1/songs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert list(answer.json()) == ["error"]
    for part in said:
        assert part in answer.json()["error"]
    assert len(answer.json()["error"]) <= server.MAX_ERROR


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b"{", 400, "no JSON"),
        (b"", 400, "no JSON"),
        (b"\xff\xfe", 400, "no JSON"),
        (b"[" * 100_000, 400, "no JSON"),
        (b'{"seed": ' + b"9" * 5000 + b"}", 400, "no JSON"),
        (b"[1]", 422, "object"),
        (b'{"duration": NaN}', 422, "duration"),
        (b'{"lyrics": "' + b"a" * MAX_BODY + b'"}', 413, "1,048,576 bytes"),
    ],
)
def test_a_body_that_is_no_request_is_refused(client: TestClient, body: bytes, code: int, said: str) -> None:
    answer = client.post("/v1/songs", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, list(answer.json())) == (code, ["error"])
    assert said in answer.json()["error"]


def test_an_endless_body_is_not_read_to_its_end(client: TestClient) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 64 * MAX_BODY:
            sent += 65_536
            yield b" " * 65_536

    from server import _read_fields

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": next(chunks), "more_body": True}

    import asyncio

    from starlette.exceptions import HTTPException
    from starlette.requests import Request

    chunks = endless()
    scope = {"type": "http", "headers": [(b"content-type", b"application/json")], "method": "POST"}
    with pytest.raises(HTTPException) as refused:
        asyncio.run(_read_fields(Request(scope, receive)))
    assert refused.value.status_code == 413
    assert sent <= 2 * MAX_BODY


def test_a_form_of_another_site_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/songs", content=b"{}", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415 and "application/json" in answer.json()["error"]


def test_nul_characters_are_no_words(client: TestClient) -> None:
    sung = sing(client, lyrics="hello\0friend", caption="fo\0lk")
    assert sung["record"]["plan"]["notes"][-1]["word"] == 1


def test_unknown_genre_words_are_sung_as_the_default_and_it_says_so(client: TestClient) -> None:
    reading = sing(client, caption="zzxq")["record"]["reading"]
    assert reading["known"] is False and reading["genre"] == "pop"


@pytest.mark.parametrize("song_id", ["0123456789abcdef", "nothing", "..%2f..%2fetc", "A" * 500, "0" * 33])
@pytest.mark.parametrize("what", ["", "/audio"])
def test_an_unknown_song_is_not_found(client: TestClient, song_id: str, what: str) -> None:
    answers = [client.get(f"/v1/songs/{song_id}{what}")]
    if not what:
        answers.append(client.delete(f"/v1/songs/{song_id}"))
    for answer in answers:
        assert (answer.status_code, list(answer.json())) == (404, ["error"])


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=101", "offset=-1"])
def test_a_bad_query_is_answered_in_a_sentence(client: TestClient, query: str) -> None:
    answer = client.get(f"/v1/songs?{query}")
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.json()["error"]


def test_unknown_addresses_and_formats_are_refused_the_same_way(client: TestClient) -> None:
    assert "error" in client.get("/v1/nothing").json()
    refused = client.get(f"{sing(client)['links']['audio']}?format=aiff")
    assert refused.status_code == 422 and "flac" in refused.json()["error"]


def test_the_queue_its_places_and_its_limit(client: TestClient, songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    held = hold(songs)
    ids = []
    for _ in range(3):
        answer = client.post("/v1/songs", json=SONG)
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/v1/songs/{answer.json()['id']}"
        ids.append(answer.json()["id"])
    until(lambda: client.get(f"/v1/songs/{ids[0]}").json()["state"] == "singing")
    assert [client.get(f"/v1/songs/{i}").json()["place"] for i in ids] == [0, 1, 2]
    assert client.get("/healthz").json()["queued"] == 2
    assert [s["id"] for s in client.get("/v1/songs").json()["songs"]] == ids[::-1]
    assert client.get(f"/v1/songs/{ids[1]}/audio").status_code == 409
    monkeypatch.setattr(engine.engine, "MAX_QUEUE", 2)
    full = client.post("/v1/songs", json=SONG)
    assert full.status_code == 503 and "2 songs are waiting" in full.json()["error"]
    # one that waits goes at once, the one being sung at its next step, and the last is sung
    assert client.delete(f"/v1/songs/{ids[1]}").json()["state"] == "cancelled"
    songs.cancel(ids[0])
    held.go.set()
    until(lambda: client.get(f"/v1/songs/{ids[2]}").json()["state"] == "done")
    assert [client.get(f"/v1/songs/{i}").json()["state"] for i in ids] == ["cancelled", "cancelled", "done"]
    assert [s["id"] for s in client.get("/v1/songs").json()["songs"]] == [ids[2]]


def test_a_stored_song_is_deleted(client: TestClient, songs: Songs) -> None:
    sung = sing(client)
    settle(client, sung["id"])
    assert client.delete(f"/v1/songs/{sung['id']}").json() == {"id": sung["id"], "state": "deleted"}
    assert client.get(f"/v1/songs/{sung['id']}").status_code == 404
    assert not (songs.store.folder / sung["id"]).exists()


def test_a_verdict_does_not_bring_a_deleted_song_back(client: TestClient, songs: Songs, judge: FakeJudge) -> None:
    judge.go.clear()
    gone, kept = sing(client), sing(client)
    assert client.delete(f"/v1/songs/{gone['id']}").status_code == 200
    judge.go.set()
    settle(client, kept["id"])
    assert not (songs.store.folder / gone["id"]).exists()


def test_a_full_disk_fails_that_song_alone(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(engine.songs, "write_bytes_atomically", full)
        answer = client.post("/v1/songs?wait=true", json=SONG)
    assert answer.status_code == 500
    assert answer.json()["state"] == "failed"
    assert "No space left on device" in answer.json()["error"] and "free some space" in answer.json()["error"]
    sing(client)


def test_a_verdict_that_cannot_be_written_is_told_all_the_same(
    client: TestClient, songs: Songs, judge: FakeJudge, monkeypatch: pytest.MonkeyPatch
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
        (FakeJudge(deaf=ZeroDivisionError("planted")), "unavailable", "ZeroDivisionError"),
    ],
)
def test_songs_are_sung_without_a_judge_and_the_remedy_is_told(
    random_model: SongModel, tmp_path: Path, ears: FakeJudge | None, state: str, said: str
) -> None:
    with TestClient(build_app(make_songs(random_model, tmp_path, ears), pages=False)) as client:
        judged = settle(client, sing(client)["id"])["judged"]
        assert judged["state"] == "unavailable" and said in judged["reason"]
        told = client.get("/healthz").json()
        assert told["status"] == "ok"
        assert told["judge"]["state"] == state and said in told["judge"]["reason"]


def test_a_judge_that_fails_on_one_song_hears_the_next(client: TestClient, judge: FakeJudge) -> None:
    judge.fault = ZeroDivisionError("planted")
    assert "planted" in settle(client, sing(client)["id"])["judged"]["reason"]
    judge.fault = None
    assert settle(client, sing(client)["id"])["judged"]["state"] == "judged"


def test_closing_ends_engine_and_judge(songs: Songs) -> None:
    with TestClient(build_app(songs, pages=False)) as client:
        assert client.get("/healthz").json()["status"] == "ok"
        held = hold(songs)
        client.post("/v1/songs", json=SONG)
        held.go.set()
    assert not songs.engine.alive and not songs.listener._thread.is_alive()
    ended = TestClient(build_app(songs, pages=False)).get("/healthz")  # its lifespan does not run
    assert ended.status_code == 503 and ended.json()["status"] == "failing"


def test_a_port_in_use_is_told_in_one_line() -> None:
    with server.open_port("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ChoirmasterError, match=rf"{port}.*--port"):
            server.open_port("127.0.0.1", port)
    with pytest.raises(ChoirmasterError, match="--host"):
        server.open_port("no such host", 0)


def test_serve_says_where_it_is(
    random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[Any] = []
    monkeypatch.setattr("engine.song_model.load_song_model", lambda *_, **__: random_model)
    monkeypatch.setattr(server, "_run", lambda app, opened: ran.append((app, opened.getsockname()[1])))
    server.serve(port=0, outputs=tmp_path / "here", judge="none")
    shown = capsys.readouterr().out
    [(app, port)] = ran
    assert f"http://localhost:{port}/" in shown and "random" not in shown.partition("model")[0]
    assert re.search(r"judge\s+none", shown)
    with TestClient(app) as client:
        page = client.get("/")
        assert page.status_code == 200 and "Choirmaster" in page.text
        assert client.get("/healthz").json()["model"] == random_model.name
        assert "error" in client.get("/v1/nothing").json()
