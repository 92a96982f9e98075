"""The files of a song: its sound in each format, whole and in parts, its attention maps and its words in time."""

from __future__ import annotations

import errno
import io
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

import api.downloads
import api.sounds
from api.sounds import TRANSCODINGS
from engine import transcoding
from tests.api.asking import sing
from tests.api.small_app import problem
from ui.songs import Songs

FORMS = [("flac", "audio/flac", "FLAC"), ("wav", "audio/wav", "WAV"), ("mp3", "audio/mpeg", "MPEG"),
         ("ogg", "audio/ogg", "OGG")]  # fmt: skip


@pytest.mark.parametrize(("form", "kind", "named"), FORMS)
def test_audio_comes_in_each_format_and_in_parts(client: TestClient, form: str, kind: str, named: str) -> None:
    sung = sing(client)
    address = f"{sung['links']['audio']}?format={form}"
    whole = client.get(address)
    assert (whole.status_code, whole.headers["content-type"]) == (200, kind)
    assert whole.headers["accept-ranges"] == "bytes"
    info = soundfile.info(io.BytesIO(whole.content))
    assert info.format in (named, "MP3") and info.duration == pytest.approx(sung["record"]["seconds"], abs=0.15)
    size = len(whole.content)
    for asked, first, last in (
        ("bytes=0-3", 0, 3),
        (f"bytes=100-{size}", 100, size - 1),
        ("bytes=-7", size - 7, size - 1),
    ):
        part = client.get(address, headers={"Range": asked})
        assert (part.status_code, part.content) == (206, whole.content[first : last + 1])
        assert part.headers["content-range"] == f"bytes {first}-{last}/{size}"
    several = client.get(address, headers={"Range": "bytes=0-1,10-11"})
    assert several.status_code == 206 and "multipart/byteranges" in several.headers["content-type"]
    # a part of what was there before is given only while it is still the same
    etag = whole.headers["etag"]
    assert client.get(address, headers={"Range": "bytes=0-3", "If-Range": etag}).status_code == 206
    assert client.get(address, headers={"Range": "bytes=0-3", "If-Range": '"other"'}).status_code == 200
    outside = client.get(address, headers={"Range": f"bytes={size}-"})
    assert f"{size}" in problem(outside, 416) and outside.headers["content-range"] == f"bytes */{size}"


def test_unknown_formats_are_refused(client: TestClient) -> None:
    sung = sing(client)
    for part in ("audio", "karaoke"):
        for form in ("aiff", "../flac", ""):
            assert "format" in problem(client.get(sung["links"][part], params={"format": form}), 422)


def test_attention_maps_are_kept_where_they_are_wanted(client: TestClient) -> None:
    sung = sing(client, attention={"heads": [[0, 0], [1, 1]], "steps": "all"})
    answer = client.get(sung["links"]["attention"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    with np.load(io.BytesIO(answer.content), allow_pickle=False) as held:
        assert len(held.files) > 0
    assert client.get(sung["links"]["attention"], headers={"Range": "bytes=0-1"}).content == b"PK"
    none = sing(client, attention=None)
    assert "attention" in problem(client.get(none["links"]["attention"]), 404)
    assert "words in time" in problem(client.get(none["links"]["karaoke"]), 404)


def test_words_in_time_come_as_json_and_as_lrc(client: TestClient) -> None:
    sung = sing(client, lyrics="hello old friend\ncome in")
    found = client.get(sung["links"]["karaoke"]).json()
    words = [word["text"] for line in found["lines"] for word in line["words"]]
    if not words:  # a random model's heads may follow nothing at all
        assert found["reason"]
        problem(client.get(sung["links"]["karaoke"], params={"format": "lrc"}), 404)
        return
    assert words == ["hello", "old", "friend", "come", "in"]
    assert all(
        0 <= w["start"] <= w["end"] <= sung["record"]["seconds"] + 0.1 for line in found["lines"] for w in line["words"]
    )
    lines = client.get(sung["links"]["karaoke"], params={"format": "lrc"})
    assert lines.headers["content-type"].startswith("text/plain")
    assert re.findall(r"^\[\d\d:\d\d\.\d\d\](.*)$", lines.text, re.MULTILINE) == ["hello old friend", "come in"]
    enhanced = client.get(sung["links"]["karaoke"], params={"format": "enhanced-lrc"}).text
    assert re.findall(r"> (\w+)", enhanced) == words


def test_an_instrumental_has_no_words_in_time_and_says_why(client: TestClient) -> None:
    sung = sing(client, lyrics="[intro]", duration=1)
    answer = client.get(sung["links"]["karaoke"], params={"format": "lrc"})
    assert "words" in problem(answer, 404)


def test_head_is_answered_like_get_without_the_file(client: TestClient) -> None:
    links = sing(client)["links"]
    for address in (links["audio"], f"{links['audio']}?format=mp3", links["attention"]):
        whole = client.get(address)
        head = client.head(address)
        assert (head.status_code, head.content) == (200, b"")
        assert dict(head.headers) | {"x-request-id": ""} == dict(whole.headers) | {"x-request-id": ""}
        part = client.head(address, headers={"Range": "bytes=2-5"})
        assert (part.status_code, part.content, part.headers["content-length"]) == (206, b"", "4")
    assert client.head("/v1/songs/0123456789abcdef/audio").status_code == 404
    assert client.put(links["audio"]).headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("moment", ["before", "between"])
def test_a_file_that_goes_while_it_is_asked_for_is_missed_politely(
    client: TestClient, songs: Songs, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    sung = sing(client)
    sound = songs.sound(sung["id"])
    assert sound is not None
    if moment == "before":
        monkeypatch.setattr(songs, "sound", lambda _: sound)
        sound.unlink()
    else:
        check = api.downloads.Download._check

        def go(*given: Any) -> None:
            sound.unlink()
            check(*given)

        monkeypatch.setattr(api.downloads.Download, "_check", go)
    assert "was removed" in problem(client.get(sung["links"]["audio"]), 404)


@pytest.mark.parametrize("planted", [3, [], {"lines": 3}, {"lines": [{"text": "hello"}]}, {"score": "high"}])
def test_damaged_words_in_time_are_told(client: TestClient, songs: Songs, planted: Any) -> None:
    sung = sing(client)
    songs.store.annotate(sung["id"], karaoke=planted)
    for form in ("json", "lrc", "enhanced-lrc"):
        answer = client.get(sung["links"]["karaoke"], params={"format": form})
        assert "cannot be read: sing it again" in problem(answer, 409)


def test_a_full_disk_keeps_a_song_in_its_own_format_alone(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "a b.wav"))

    address = sing(client)["links"]["audio"]
    with monkeypatch.context() as patch:
        patch.setattr(transcoding, "_transcode", full)
        answer = client.get(f"{address}?format=wav")
    said = problem(answer, 500)
    assert "No space left on device" in said and "ask for flac" in said and "/" not in said
    assert client.get(address).status_code == client.get(f"{address}?format=wav").status_code == 200


def test_many_who_want_other_formats_hold_up_nobody_else(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    sung = sing(client)
    begun, go = threading.Semaphore(0), threading.Event()

    def slowly(sound: Path, _: str) -> Path:
        begun.release()
        assert go.wait(60)
        return sound

    monkeypatch.setattr(api.sounds, "transcoded", slowly)
    with ThreadPoolExecutor(60) as pool:
        waiting = [pool.submit(client.get, f"{sung['links']['audio']}?format=mp3") for _ in range(60)]
        for _ in range(TRANSCODINGS):
            assert begun.acquire(timeout=60)
        assert client.get(f"/v1/songs/{sung['id']}").status_code == 200
        assert client.get(sung["links"]["audio"]).status_code == 200
        assert not begun.acquire(blocking=False) and not any(answer.done() for answer in waiting)
        go.set()
        assert {answer.result().status_code for answer in waiting} == {200}
