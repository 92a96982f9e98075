"""The files of a song: its sound in each format, whole and in parts, its attention maps and its words in time."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from tests.api.asking import sing
from tests.api.small_app import problem

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
