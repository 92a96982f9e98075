"""Events over real HTTP: each once, in order, to the end, for whoever comes late, goes away or comes back."""

from __future__ import annotations

import base64
import errno
import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastapi.routing
import httpx
import numpy as np
import pytest

import engine.songs
from engine.song_model import SongModel
from eval.weights import JudgeUnavailable
from tests.api.asking import SONG, read_events
from tests.api.small_app import problem
from tests.ui.planted import FakeJudge, hold, make_songs, served
from tests.waiting import until
from ui.songs import Songs


@pytest.fixture
def web(songs: Songs) -> Iterator[httpx.Client]:
    with served(songs, pages=False) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def ask(web: httpx.Client, **fields: Any) -> str:
    return str(web.post("/v1/songs", json={**SONG, **fields}).json()["id"])


def follow(web: httpx.Client, song_id: str, *, headers: Any = None, **query: Any) -> list[dict[str, Any]]:
    """All events of a stream that ends."""
    with web.stream("GET", f"/v1/songs/{song_id}/events", params=query, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        return list(read_events(answer.iter_lines()))


def test_every_event_comes_in_order_and_the_verdict_last(web: httpx.Client, songs: Songs) -> None:
    held = hold(songs)
    song_id = ask(web, steps=3)
    seen: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: seen.extend(follow(web, song_id)))
    thread.start()
    until(lambda: songs.events(song_id)._listeners)  # type: ignore[union-attr]
    held.go.set()
    thread.join(60)
    assert [e["event"] for e in seen] == ["queued", "singing", "step", "step", "step", "decoding", "done", "judged"]
    assert [e["id"] for e in seen] == list(range(1, 9))
    assert [e["data"]["step"] for e in seen if e["event"] == "step"] == [1, 2, 3]
    assert seen[1]["data"]["words"] == ["hello", "old", "friend"]
    assert seen[-1]["data"]["transcript"] == "hello cold friend again"
    assert seen == follow(web, song_id), "who comes late is told the same"


def test_a_client_that_comes_back_goes_on_where_it_was(web: httpx.Client) -> None:
    song_id = ask(web)
    whole = follow(web, song_id)
    assert follow(web, song_id, headers={"Last-Event-ID": "3"}) == whole[3:]
    assert follow(web, song_id, last_event_id=3) == whole[3:]
    assert follow(web, song_id, last_event_id=1, headers={"Last-Event-ID": "4"}) == whole[4:], "the header goes first"
    for odd in ("", "x", "-1", "²", "1.5", "9" * 40):
        assert follow(web, song_id, headers=[("Last-Event-ID", odd.encode())]) == whole
    assert follow(web, song_id, last_event_id=999) == whole, "a number of another log"
    over = web.get(f"/v1/songs/{song_id}/events", headers={"Last-Event-ID": str(whole[-1]["id"])})
    assert (over.status_code, over.content) == (204, b""), "a browser stops asking"
    problem(web.get(f"/v1/songs/{song_id}/events?last_event_id=x"), 422)


def test_maps_come_with_the_steps_where_they_are_asked_for(web: httpx.Client, songs: Songs) -> None:
    heads = [[0, 0], [1, 1], [2, 0]]
    song_id = ask(web, attention={"heads": heads, "steps": "all"})
    plain = [e["data"] for e in follow(web, song_id) if e["event"] == "step"]
    assert plain == [{"step": 1, "steps": 2}, {"step": 2, "steps": 2}]
    log = songs.events(song_id)
    assert log is not None
    frames = [event.frame for event in log.since() if event.frame is not None]
    told = [e["data"]["attention"] for e in follow(web, song_id, attention=True) if e["event"] == "step"]
    assert len(frames) == len(told) == 2
    for frame, sent in zip(frames, told, strict=True):
        maps = np.frombuffer(base64.b64decode(sent["data"]), "<f2").reshape(sent["shape"])
        assert np.array_equal(maps, frame.maps) and sent["heads"] == heads and sent["dtype"] == "float16"
        assert np.allclose(sent["lyric_mass"], frame.lyric_mass, atol=1e-3)
        assert np.allclose(sent["kept_mass"], frame.kept_mass, atol=1e-3)
        assert np.allclose(maps.astype(float).sum(-1), sent["kept_mass"], atol=1e-2)


def test_a_song_of_an_earlier_server_tells_how_it_ended(
    web: httpx.Client, songs: Songs, random_model: SongModel
) -> None:
    song_id = ask(web)
    live = follow(web, song_id)
    later = make_songs(random_model, songs.store.folder, FakeJudge())
    with served(later, pages=False) as url, httpx.Client(base_url=url) as again:
        told = follow(again, song_id, last_event_id=live[2]["id"])
        assert [(e["id"], e["event"]) for e in told] == [(1_000_000, "done"), (1_000_001, "judged")]
        assert told[0]["data"] == live[-2]["data"] and told[1]["data"] == live[-1]["data"]
        assert follow(again, song_id, last_event_id=1_000_000) == told[1:]
        assert again.get(f"/v1/songs/{song_id}/events?last_event_id=1000001").status_code == 204
        problem(again.get("/v1/songs/0123456789abcdef/events"), 404)


def test_a_cancelled_song_ends_its_streams(web: httpx.Client, songs: Songs) -> None:
    held = hold(songs)
    ids = [ask(web), ask(web)]
    until(lambda: web.get(f"/v1/songs/{ids[0]}").json()["state"] == "singing")
    seen: dict[str, list[dict[str, Any]]] = {}
    threads = [threading.Thread(target=lambda i=i: seen.update({i: follow(web, i)})) for i in ids]
    for thread in threads:
        thread.start()
    web.delete(f"/v1/songs/{ids[1]}")
    songs.cancel(ids[0])
    held.go.set()
    for thread in threads:
        thread.join(60)
    assert [seen[i][-1]["event"] for i in ids] == ["cancelled", "cancelled"]


def test_a_song_removed_before_its_verdict_ends_its_streams(web: httpx.Client, songs: Songs, judge: FakeJudge) -> None:
    judge.go.clear()
    song_id = ask(web)
    seen: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: seen.extend(follow(web, song_id)))
    thread.start()
    until(lambda: web.get(f"/v1/songs/{song_id}").json()["state"] == "done")
    assert web.delete(f"/v1/songs/{song_id}").json()["state"] == "deleted"
    thread.join(60)
    judge.go.set()
    assert seen[-1]["event"] == "judged" and "removed" in seen[-1]["data"]["reason"]


def test_a_full_disk_is_told_without_a_path(
    web: httpx.Client, songs: Songs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "new"))

    monkeypatch.setattr(engine.songs, "write_bytes_atomically", full)
    song_id = ask(web)
    last = follow(web, song_id)[-1]
    assert last["event"] == "failed"
    assert "No space left on device" in last["data"]["error"] and "free some space" in last["data"]["error"]
    assert str(tmp_path) not in str(last) and "/" not in last["data"]["error"]


def test_a_judge_that_fails_is_told_without_a_path_live_and_stored(
    web: httpx.Client, songs: Songs, judge: FakeJudge, tmp_path: Path, random_model: SongModel
) -> None:
    judge.fault = JudgeUnavailable(f"there are no weights in {tmp_path}/some weights/x.bin")
    song_id = ask(web)
    reason = follow(web, song_id)[-1]["data"]["reason"]
    assert "there are no weights in" in reason and str(tmp_path) not in reason and "/" not in reason
    judge.fault = ZeroDivisionError(f"planted in {tmp_path}")
    reason = follow(web, ask(web))[-1]["data"]["reason"]
    assert "ZeroDivisionError" in reason and "planted" not in reason
    songs.store.annotate(song_id, judged={"state": "failed", "reason": f"could not read {tmp_path}/a b/c: gone"})
    later = make_songs(random_model, songs.store.folder, None)
    with served(later, pages=False) as url, httpx.Client(base_url=url) as again:
        told = follow(again, song_id)[-1]["data"]
        shown = again.get(f"/v1/songs/{song_id}")
    assert told == {"state": "failed", "reason": "could not read c: gone"}
    assert shown.json()["judged"]["reason"] == told["reason"] and str(tmp_path) not in shown.text


def test_silence_is_filled_with_comments(web: httpx.Client, songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastapi.routing, "_PING_INTERVAL", 0.05)
    held = hold(songs)
    with web.stream("GET", f"/v1/songs/{ask(web)}/events") as answer:
        assert next(line for line in answer.iter_lines() if line.startswith(":"))
    held.go.set()


@pytest.mark.parametrize("when", ["queued", "singing", "decoding"])
def test_a_client_that_goes_away_costs_nothing(
    web: httpx.Client, songs: Songs, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, decode = hold(songs), threading.Event()
    finish = songs.engine.singer.finish

    def finish_late(*args: Any) -> Any:
        decode.wait(60)
        return finish(*args)

    monkeypatch.setattr(songs.engine.singer, "finish", finish_late)
    first = ask(web)
    until(lambda: web.get(f"/v1/songs/{first}").json()["state"] == "singing")
    song_id = ask(web) if when == "queued" else first
    if when == "decoding":
        held.go.set()
        until(lambda: web.get(f"/v1/songs/{song_id}").json()["state"] == "decoding")
    log = songs.events(song_id)
    assert log is not None
    for _ in range(3):
        with web.stream("GET", f"/v1/songs/{song_id}/events") as answer:
            coming = read_events(answer.iter_lines())
            assert next(coming)["event"] == "queued"
            until(lambda: log._listeners)
    until(lambda: not log._listeners, 10)
    # one that waits for the song in its request goes away, too
    job = songs.engine.job(song_id)
    assert job is not None
    known = len(songs.engine._register.live())
    waiting = http.client.HTTPConnection(str(web.base_url.host), web.base_url.port)
    waiting.request("POST", "/v1/songs?wait=true", json.dumps(SONG), {"Content-Type": "application/json"})
    until(lambda: len(songs.engine._register.live()) > known)
    waiting.close()
    held.go.set()
    decode.set()
    assert job.wait(60) and job.state == "done"
    until(lambda: web.get("/v1/songs?state=done").json()["total"] == (3 if when == "queued" else 2))
    assert follow(web, song_id)[-1]["event"] == "judged"


@pytest.mark.slow
def test_a_hundred_ask_at_once_and_all_are_sung(web: httpx.Client, songs: Songs, tmp_path: Path) -> None:
    url = str(web.base_url)
    answers: list[int] = []
    states: list[str] = []

    def one(number: int) -> None:
        with httpx.Client(base_url=url, timeout=120) as mine:
            answer = mine.post("/v1/songs", json={**SONG, "seed": number, "steps": 1, "lyrics": "hello"})
            answers.append(answer.status_code)
            if number % 4 == 0:
                states.append(follow(mine, answer.json()["id"])[-1]["event"])
            mine.get("/v1/songs?limit=5")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert answers == [202] * 100 and states == ["judged"] * 25
    until(lambda: web.get("/v1/songs?state=done").json()["total"] == 100)
    assert web.get("/healthz").status_code == 200
