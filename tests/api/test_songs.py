"""Songs over HTTP: what is asked for is sung, judged, listed, found and removed, and nothing else is."""

from __future__ import annotations

import errno
import json
import math
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import engine.songs
from api.app import build_app
from engine.settings import EngineSettings
from engine.song_model import SongModel
from tests.api.asking import SONG, settle, sing
from tests.api.small_app import problem
from tests.ui.planted import FakeJudge, hold, make_songs
from tests.waiting import until
from ui.songs import Songs


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
    assert record is not None
    assert {name: value for name, value in judged.items() if value is not None} == record["judged"]
    (shape, rate) = judge.heard[0]
    assert (shape[-1], rate) == (round(record["seconds"] * rate), record["sampling_rate"])
    second = sing(client, caption="jazz")
    listed = client.get("/v1/songs").json()
    assert {s["id"] for s in listed["songs"]} == {sung["id"], second["id"]}
    assert (listed["total"], listed["limit"], listed["offset"]) == (2, 20, 0)
    part = client.get("/v1/songs?limit=1&offset=1").json()
    assert [s["id"] for s in part["songs"]] == [listed["songs"][1]["id"]] and part["total"] == 2


def test_the_same_request_gives_the_same_audio(client: TestClient) -> None:
    first, second = (client.get(sing(client)["links"]["audio"]).content for _ in range(2))
    assert first == second


def test_nul_characters_are_no_words(client: TestClient) -> None:
    sung = sing(client, lyrics="hello\0friend", caption="fo\0lk")
    assert sung["record"]["plan"]["notes"][-1]["word"] == 1


@pytest.mark.parametrize("fields", [{"lyrics": ""}, {"lyrics": " \n\t "}, {}])
def test_a_song_without_any_lyrics_is_an_instrumental(client: TestClient, fields: dict[str, str]) -> None:
    answer = client.post("/v1/songs?wait=true", json={"caption": "folk", "steps": 2, "duration": 2, **fields})
    assert answer.status_code == 200, answer.text
    assert {note["slot"] for note in answer.json()["record"]["plan"]["notes"]} == {-1}
    judged = settle(client, answer.json()["id"])["judged"]
    assert judged["state"] == "wordless" and "instrumental" in judged["reason"]


def test_until_leaves_out_its_own_moment(client: TestClient, songs: Songs) -> None:
    stored = sing(client)
    at = stored["created"].replace("+00:00", "Z")
    for query, total in ((f"until={at}", 0), (f"since={at}", 1)):
        assert client.get(f"/v1/songs?{query}").json()["total"] == total
    held = hold(songs)
    live = client.post("/v1/songs", json=SONG).json()["id"]
    job = songs.engine.job(live)
    assert job is not None
    exact = datetime.fromtimestamp(job.created, UTC).isoformat().replace("+00:00", "Z")
    job.created = datetime.fromisoformat(exact).timestamp()
    for query, found in ((f"until={exact}", False), (f"since={exact}", True)):
        listed = client.get(f"/v1/songs?{query}").json()["songs"]
        assert (live in [song["id"] for song in listed]) is found
    held.go.set()


def test_unknown_genre_words_are_sung_as_the_default_and_it_says_so(client: TestClient) -> None:
    reading = sing(client, caption="zzxq")["record"]["reading"]
    assert reading["known"] is False and reading["genre"] == "pop"


def test_the_list_is_narrowed_by_everything_it_can_be(client: TestClient) -> None:
    first = sing(client, caption="slow Folk")
    settle(client, first["id"])
    second = sing(client, caption="jazz", lyrics="[intro]", duration=1)
    settle(client, second["id"])

    def found(**fields: Any) -> set[str]:
        answer = client.get("/v1/songs", params=fields)
        assert answer.status_code == 200, answer.text
        assert answer.json()["total"] == len(answer.json()["songs"])
        return {song["id"] for song in answer.json()["songs"]}

    assert found() == {first["id"], second["id"]}
    assert found(text="FOLK") == found(text="old friend") == {first["id"]}
    assert found(judged=True) == found(max_wer=0.7) == found(min_wer=0.6) == {first["id"]}
    assert found(judged=False) == {second["id"]}
    assert found(max_wer=0.1) == found(min_wer=0.7) == found(adapter="lyrics") == set()
    assert found(adapter="base") == found(state="done") == found(compared=False) == found()
    assert found(compared=True) == set()
    assert found(state="queued") == found(state="failed") == found(comparison="f" * 16) == set()
    assert found(since="2020-01-01T00:00:00Z", until="2100-01-01T00:00:00") == found()
    assert found(until="2020-01-01T00:00:00+02:00") == found(since="2100-01-01T00:00:00Z") == set()


def test_songs_that_wait_are_narrowed_by_the_same_rules(client: TestClient, songs: Songs) -> None:
    held = hold(songs)
    ids = [client.post("/v1/songs", json={**SONG, "caption": c}).json()["id"] for c in ("Folk", "jazz")]
    until(lambda: client.get(f"/v1/songs/{ids[0]}").json()["state"] == "singing")

    def found(query: str) -> list[str]:
        return [song["id"] for song in client.get(f"/v1/songs?{query}").json()["songs"]]

    assert found("text=FOLK") == found("state=singing") == [ids[0]]
    assert found("state=queued") == found("text=jaz") == [ids[1]]
    assert found("adapter=base") == found("judged=false") == ids[::-1]
    assert found("adapter=lyrics") == found("judged=true") == found("max_wer=1") == found("until=2020-01-01") == []
    client.delete(f"/v1/songs/{ids[1]}")
    assert found("state=cancelled") == [ids[1]] and found("") == [ids[0]]
    held.go.set()


@pytest.mark.parametrize(
    "song_id", ["0123456789abcdef", "nothing", "..%2f..%2fetc", "%2e%2e", "A" * 500, "0" * 33, "%00", "abcdef01%0a"]
)
def test_an_unknown_song_is_not_found(client: TestClient, song_id: str) -> None:
    for what in ("", "/audio", "/attention", "/karaoke", "/events"):
        problem(client.get(f"/v1/songs/{song_id}{what}"), 404)
    problem(client.delete(f"/v1/songs/{song_id}"), 404)


def test_neither_a_case_twin_nor_a_link_is_a_song(client: TestClient, songs: Songs, tmp_path: Path) -> None:
    sung = sing(client, seed=0xABC)
    folder = songs.store.folder
    (folder / "abcdefabcdef0000").symlink_to(folder / sung["id"])
    (tmp_path / "secret.txt").write_text("secret")
    real = folder / "feedfeedfeedfeed"
    real.mkdir()
    (real / "song.json").write_text("{}")
    for name in ("song.flac", "attention.npz"):
        (real / name).symlink_to(tmp_path / "secret.txt")
    for song_id in (sung["id"].upper(), "abcdefabcdef0000", "feedfeedfeedfeed"):
        if song_id == sung["id"]:
            continue  # an id without letters has no twin
        for what in ("", "/audio", "/audio?format=wav", "/attention"):
            answer = client.get(f"/v1/songs/{song_id}{what}")
            assert "secret" not in problem(answer, 404)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=x", "limit=101", "offset=-1", "offset=99999999999999999999", "max_wer=nan", "min_wer=-1",
     "min_wer=inf", "state=gone", "adapter=../x", "since=yesterday",
     "until=0.5", "since=-1700000000", "judged=perhaps", "text=" + "a" * 201],
)  # fmt: skip
def test_a_bad_query_is_answered_in_a_sentence(client: TestClient, query: str) -> None:
    assert query.partition("=")[0] in problem(client.get(f"/v1/songs?{query}"), 422)


def test_the_queue_its_places_and_its_limit(random_model: SongModel, tmp_path: Path, judge: FakeJudge) -> None:
    songs = make_songs(random_model, tmp_path, judge, settings=EngineSettings(max_queue=2))
    with TestClient(build_app(songs, pages=False), "http://localhost") as client:
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
        for what in ("audio", "attention", "karaoke"):
            assert "queued" in problem(client.get(f"/v1/songs/{ids[1]}/{what}"), 409)
        full = client.post("/v1/songs", json=SONG)
        assert "2 songs are waiting" in problem(full, 429) and int(full.headers["retry-after"]) >= 1
        assert "2 songs are waiting" in problem(client.get("/readyz"), 503)
        # one that waits goes at once, the one being sung at its next step, and the last is sung
        assert client.delete(f"/v1/songs/{ids[1]}").json()["state"] == "cancelled"
        songs.cancel(ids[0])
        held.go.set()
        until(lambda: client.get(f"/v1/songs/{ids[2]}").json()["state"] == "done")
        assert [client.get(f"/v1/songs/{i}").json()["state"] for i in ids] == ["cancelled", "cancelled", "done"]
        assert [s["id"] for s in client.get("/v1/songs").json()["songs"]] == [ids[2]]
        assert {s["id"] for s in client.get("/v1/songs?state=cancelled").json()["songs"]} == set(ids[:2])


def test_a_stored_song_is_deleted(client: TestClient, songs: Songs) -> None:
    sung = sing(client)
    settle(client, sung["id"])
    deleted = {"id": sung["id"], "state": "deleted", "kept_for": 600.0}
    assert client.delete(f"/v1/songs/{sung['id']}").json() == deleted
    assert client.get(f"/v1/songs/{sung['id']}").status_code == 404
    assert not (songs.store.folder / sung["id"]).exists()


def test_a_deleted_song_is_nowhere_and_comes_back_as_it_was(client: TestClient, songs: Songs) -> None:
    sung = sing(client)
    before = settle(client, sung["id"])
    sound, changes = client.get(before["links"]["audio"]).content, songs.changes
    where = f"/v1/songs/{sung['id']}"
    client.delete(where)
    assert songs.changes > changes
    for what in ("", "/audio", "/audio?format=wav", "/attention", "/karaoke"):
        problem(client.get(where + what), 404)
    assert client.get("/v1/songs").json()["total"] == 0
    problem(client.delete(where), 404)
    changes = songs.changes
    back = client.post(f"{where}/restore")
    assert (back.status_code, back.json()) == (200, before) and songs.changes > changes
    assert client.get(where).json() == before and client.get(before["links"]["audio"]).content == sound
    assert [s["id"] for s in client.get("/v1/songs?judged=true").json()["songs"]] == [sung["id"]]
    said = problem(client.post(f"{where}/restore"), 404)
    assert "10 minutes" in said


def test_a_song_deleted_for_good_does_not_come_back(client: TestClient, songs: Songs) -> None:
    ids = [sing(client, seed=seed)["id"] for seed in (1, 2)]
    for song_id in ids:
        settle(client, song_id)
    client.delete(f"/v1/songs/{ids[1]}")  # first only put aside
    for song_id in ids:
        gone = client.delete(f"/v1/songs/{song_id}?for_good=true").json()
        assert gone == {"id": song_id, "state": "deleted", "kept_for": 0.0}
        problem(client.post(f"/v1/songs/{song_id}/restore"), 404)
    assert [path.name for path in songs.store.folder.iterdir() if "index" not in path.name] == []


def test_what_stands_in_the_place_of_a_deleted_song_is_told(client: TestClient, songs: Songs, tmp_path: Path) -> None:
    song_id = sing(client)["id"]
    settle(client, song_id)
    client.delete(f"/v1/songs/{song_id}")
    (songs.store.folder / song_id).touch()
    answer = client.post(f"/v1/songs/{song_id}/restore")
    assert "something stands in its place" in problem(answer, 409) and str(tmp_path) not in answer.text
    (songs.store.folder / song_id).unlink()
    assert client.post(f"/v1/songs/{song_id}/restore").status_code == 200


def test_a_song_that_is_back_and_cannot_be_read_is_told_so(client: TestClient, songs: Songs) -> None:
    song_id = sing(client)["id"]
    settle(client, song_id)
    (songs.store.folder / song_id / "song.json").write_text("{")
    songs.remove(song_id)
    where = f"/v1/songs/{song_id}/restore"
    assert "is back, and its song.json cannot be read" in problem(client.post(where), 409)
    assert songs.store.audio(song_id).exists()
    problem(client.post(where), 404)


@pytest.mark.parametrize("song_id", ["0123456789abcdef", "nothing", "..%2f..%2fetc", "0" * 33, "%00"])
def test_a_song_nobody_deleted_is_not_brought_back(client: TestClient, song_id: str) -> None:
    problem(client.post(f"/v1/songs/{song_id}/restore"), 404)


def test_a_song_deleted_before_it_was_judged_is_judged_when_it_is_back(
    client: TestClient, songs: Songs, judge: FakeJudge
) -> None:
    judge.go.clear()
    song_id = sing(client)["id"]
    client.delete(f"/v1/songs/{song_id}")
    judge.go.set()
    until(lambda: judge.heard)
    assert client.post(f"/v1/songs/{song_id}/restore").status_code == 200
    assert settle(client, song_id)["judged"]["state"] == "judged"
    assert songs.store.record(song_id)["judged"]["wer"] > 0  # type: ignore[index]


def test_a_song_of_a_comparison_that_is_brought_back_is_part_of_it_again(client: TestClient, songs: Songs) -> None:
    answer = client.post("/v1/compare", json={**SONG, "compositions": ["base"]}).json()
    [song] = answer["songs"]
    settled = settle_done(client, song["id"])
    assert settled["comparison"] == answer["id"]
    assert client.get("/v1/songs?compared=true").json()["total"] == 1
    client.delete(f"/v1/songs/{song['id']}")
    problem(client.get(f"/v1/compare/{answer['id']}"), 404)
    client.post(f"/v1/songs/{song['id']}/restore")
    found = client.get(f"/v1/compare/{answer['id']}").json()
    assert [s["id"] for s in found["songs"]] == [song["id"]]


def settle_done(client: TestClient, song_id: str) -> dict[str, Any]:
    until(lambda: client.get(f"/v1/songs/{song_id}").json()["state"] == "done")
    return settle(client, song_id)


def test_a_deleted_song_is_brought_back_after_a_restart(
    random_model: SongModel, tmp_path: Path, judge: FakeJudge
) -> None:
    with TestClient(build_app(make_songs(random_model, tmp_path, judge), pages=False), "http://localhost") as client:
        song_id = sing(client)["id"]
        before = settle(client, song_id)
        assert client.delete(f"/v1/songs/{song_id}").json()["kept_for"] == 600
    with TestClient(build_app(make_songs(random_model, tmp_path, judge), pages=False), "http://localhost") as client:
        assert client.get("/v1/songs").json()["total"] == 0
        problem(client.get(f"/v1/songs/{song_id}"), 404)
        back = client.post(f"/v1/songs/{song_id}/restore").json()
        assert back["record"] == before["record"] and back["judged"] == before["judged"]
        assert client.get("/v1/songs").json()["total"] == 1
        problem(client.post(f"/v1/songs/{song_id}/restore"), 404)


def test_what_ended_without_a_song_is_removed_as_often_as_one_likes(
    client: TestClient, songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("planted")

    with monkeypatch.context() as patch:
        patch.setattr(songs.engine.singer, "finish", broken)
        failed = client.post("/v1/songs?wait=true", json=SONG).json()["id"]
    held = hold(songs)
    cancelled = client.post("/v1/songs", json=SONG).json()["id"]
    songs.cancel(cancelled)
    held.go.set()
    until(lambda: client.get(f"/v1/songs/{cancelled}").json()["state"] == "cancelled")
    for song_id, state in ((failed, "failed"), (cancelled, "cancelled")):
        for part in ("audio", "attention", "karaoke"):
            said = problem(client.get(f"/v1/songs/{song_id}/{part}"), 409)
            assert f"{state} and has no" in said and "sing it again" in said
        assert client.get(f"/v1/songs?state={state}").json()["total"] == 1
        for _ in range(2):
            answer = client.delete(f"/v1/songs/{song_id}")
            assert (answer.status_code, answer.json()) == (200, {"id": song_id, "state": state})
            assert client.get(f"/v1/songs?state={state}").json()["total"] == 0


def test_a_song_done_before_its_cancellation_came_is_deleted_all_the_same(
    client: TestClient, songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = hold(songs)
    monkeypatch.setattr(songs.engine, "cancel", lambda job: held.go.set())  # which comes too late
    song_id = client.post("/v1/songs", json=SONG).json()["id"]
    log = songs.events(song_id)
    assert client.delete(f"/v1/songs/{song_id}").json()["state"] == "deleted"
    problem(client.get(f"/v1/songs/{song_id}"), 404)
    assert log is not None and "removed" in log.since()[-1].data["reason"]


def test_a_record_changed_by_hand_harms_no_other(client: TestClient, songs: Songs) -> None:
    kept = sing(client)
    settle(client, kept["id"])
    for number, record in enumerate(
        ({"id": 3}, {"sampling": [], "request": 1, "judged": "good"}, {"judged": {"state": "judged", "wer": "low"}},
         {"seconds": math.nan, "x": "\ud800", "karaoke": {"lyric_mass": math.inf}}, {"karaoke": 3, "created": []},
         {"sampling": {"steps": math.inf}, "judged": {"state": "failed", "reason": 3}}, {"plan": 10**400}, [])
    ):  # fmt: skip
        folder = songs.store.folder / f"{number:016x}"
        folder.mkdir()
        (folder / "song.json").write_text(json.dumps(record))
        (folder / "song.flac").write_bytes(b"fLaC")
        answer = client.get(f"/v1/songs/{folder.name}")
        assert answer.status_code == (404 if record == [] else 200), answer.text
        words = client.get(f"/v1/songs/{folder.name}/karaoke")
        if isinstance(record, dict) and "karaoke" in record:
            assert "sing it again" in problem(words, 409)
        else:
            problem(words, 404)
        followed = client.get(f"/v1/songs/{folder.name}/events")
        if record == []:
            continue
        assert followed.status_code == 200 and "judged" in followed.text and "NaN" not in followed.text
    assert kept["id"] in {song["id"] for song in client.get("/v1/songs").json()["songs"]}


def test_a_full_disk_fails_that_song_alone(client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(engine.songs, "write_bytes_atomically", full)
        answer = client.post("/v1/songs?wait=true", json=SONG)
    said = problem(answer, 500)
    assert answer.json()["state"] == "failed"
    assert "No space left on device" in said and "free some space" in said and str(tmp_path) not in answer.text
    told = client.get(f"/v1/songs/{answer.json()['id']}")
    assert told.json()["state"] == "failed" and str(tmp_path) not in told.text
    sing(client)


def test_waiting_for_a_song_that_is_cancelled_tells_so(client: TestClient, songs: Songs) -> None:
    held = hold(songs)

    def cancel() -> None:
        [job] = until(songs.engine._register.live)
        songs.cancel(job.id)
        held.go.set()

    thread = threading.Thread(target=cancel)
    thread.start()
    answer = client.post("/v1/songs?wait=true", json=SONG)
    thread.join(60)
    assert "cancelled" in problem(answer, 409) and answer.json()["state"] == "cancelled"


def test_an_unknown_adapter_is_named_and_base_never_sings_in_its_stead(client: TestClient, songs: Songs) -> None:
    answer = client.post("/v1/songs", json={**SONG, "composition": {"ghost": 1}})
    assert "ghost" in problem(answer, 404) and answer.json()["adapter"] == "ghost"
    assert client.get("/v1/songs").json()["total"] == 0 and songs.engine.queued == 0


def test_no_more_songs_are_taken_while_the_last_ones_are_finished(client: TestClient, songs: Songs) -> None:
    held = hold(songs)
    kept = client.post("/v1/songs", json=SONG).json()["id"]
    songs.refuse()
    refused = client.post("/v1/songs", json=SONG)
    problem(refused, 503)
    assert int(refused.headers["retry-after"]) > 0
    problem(client.post("/v1/compare", json={**SONG, "compositions": ["base"]}), 503)
    problem(client.get("/readyz"), 503)
    assert client.get("/healthz").status_code == 200
    held.go.set()
    until(lambda: client.get(f"/v1/songs/{kept}").json()["state"] == "done")
