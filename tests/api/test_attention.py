"""Attention maps in each form they can be asked for: as stored, as JSON, as a picture."""

from __future__ import annotations

import base64
import io
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

import api.sounds
from api.attention_json import AttentionMaps, fit_record, pack_record
from api.attention_png import NothingToDraw, draw_record
from api.sounds import READINGS
from engine.attention_maps import AttentionFrame, AttentionRecord, bin_edges, load_record
from engine.live_maps import LEAST_BINS
from engine.lyric_map import map_embedded
from tests.api.asking import sing
from tests.api.small_app import problem
from ui.songs import Songs

HEADS = [[0, 1], [2, 0], [3, 1]]
LYRICS = "[verse]\nhello old friend\ncome in from the cold"


def planted(steps: int = 3, frames: int = 400, lyrics: str = LYRICS) -> AttentionRecord:
    lyric_map, random = map_embedded(lyrics), np.random.default_rng(1)
    bins = len(bin_edges(frames)) - 1
    recorded = []
    for step in range(1, steps + 1):
        maps = random.dirichlet(np.ones(len(lyric_map.tokens) + 4), (2, bins))[..., : len(lyric_map.tokens)]
        words = maps[..., lyric_map.word_of_tokens >= 0].sum(-1)
        parts = (part.astype(np.float16) for part in (maps, words, maps.sum(-1)))
        recorded.append(AttentionFrame(step, ((0, 1), (2, 0)), *parts))
    return AttentionRecord(lyric_map, 25.0, frames, tuple(recorded))


def numbers(packed: dict[str, Any]) -> Any:
    return np.frombuffer(base64.b64decode(packed["data"]), "<f2").reshape(packed["shape"])


def test_json_holds_what_the_npz_holds(client: TestClient, songs: Songs) -> None:
    sung = sing(client, lyrics=LYRICS, attention={"heads": HEADS, "steps": "all"}, steps=3)
    address = sung["links"]["attention"]
    answer = client.get(address, params={"format": "json"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    found = answer.json()
    AttentionMaps.model_validate(found)
    with np.load(io.BytesIO(client.get(address, params={"format": "npz"}).content)) as held:
        assert np.array_equal(numbers(found), held["maps"]) and numbers(found).any()
        for name in ("lyric_mass", "kept_mass"):
            np.testing.assert_allclose(found[name], held[name].astype(float), atol=1e-4)
        assert found["words"] == held["words"].tolist() == LYRICS.split()[1:]
        assert [token["text"] for token in found["tokens"]] == held["token_text"].tolist()
        assert [token["word"] for token in found["tokens"]] == held["token_word"].tolist()
        assert [token["line"] for token in found["tokens"]] == held["token_line"].tolist()
        kinds = {1: "word", 2: "structure"}
        assert [token["kind"] for token in found["tokens"]] == [kinds[int(kind)] for kind in held["token_kind"]]
        assert found["heads"] == held["heads"].tolist() == HEADS and found["steps"] == held["steps"].tolist() == [
            1,
            2,
            3,
        ]
        np.testing.assert_allclose(found["edges"], held["edges"], atol=1e-4)
    assert [tuple(head) for head in found["alignment_heads"]] == sorted(songs.engine.model.aligned_heads)


def test_a_picture_is_a_png_of_the_pages_width(client: TestClient, songs: Songs) -> None:
    sung = sing(client, lyrics=LYRICS)
    answer = client.get(sung["links"]["attention"], params={"format": "png"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", answer.content[16:24])
    assert width == 1100 and 200 < height < 1200
    # it shows what is stored: other maps give another picture, the same give the same
    same = client.get(sung["links"]["attention"], params={"format": "png"})
    path = songs.attention(sung["id"])
    assert path is not None and same.content == answer.content
    path.write_bytes(planted().save_bytes())
    assert client.get(sung["links"]["attention"], params={"format": "png"}).content != answer.content


def test_a_picture_takes_the_heads_that_follow_the_words_at_the_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, Any] = {}

    def draw(maps: Any, words: Any, edges: Any, elsewhere: Any) -> bytes:
        drawn.update(maps=maps, words=words, elsewhere=elsewhere)
        return b""

    monkeypatch.setattr("eval.panels.draw_compositions", draw)
    record = planted()
    last = record.recorded[-1].maps.astype(np.float64)
    members = np.array([[token.word == word for word in range(8)] for token in record.lyric_map.tokens], float)
    for aligned, rows in (([(2, 0)], [1]), ([(0, 1), (2, 0), (9, 9)], [0, 1]), ([(9, 9)], [0, 1])):
        draw_record(record, aligned)
        words = last[rows].mean(0) @ members
        [(title, found)] = drawn["maps"].items()
        np.testing.assert_allclose(found, words / words.sum(-1, keepdims=True), atol=1e-3)
        assert drawn["elsewhere"][title] == pytest.approx(1 - words.sum(-1).mean(), abs=1e-3)
        assert "step 3" in title and f"{len(rows)} heads" in title
    assert "kept" in title


def test_heads_of_answers_are_asked_for_without_them(client: TestClient) -> None:
    address = sing(client)["links"]["attention"]
    for form in ("json", "png"):
        whole = client.get(address, params={"format": form})
        head = client.head(address, params={"format": form})
        assert (head.status_code, head.content) == (200, b"")
        assert dict(head.headers) | {"x-request-id": ""} == dict(whole.headers) | {"x-request-id": ""}


@pytest.mark.parametrize("form", ["json", "png"])
def test_what_cannot_be_shown_is_told(client: TestClient, songs: Songs, form: str) -> None:
    none = sing(client, attention=None)
    assert "attention" in problem(client.get(none["links"]["attention"], params={"format": form}), 404)
    sung = sing(client)
    path = songs.attention(sung["id"])
    assert path is not None
    path.write_bytes(b"PK damaged")
    said = problem(client.get(sung["links"]["attention"], params={"format": form}), 409)
    assert "cannot be read: sing it again" in said and "/" not in said
    assert "format" in problem(client.get(sung["links"]["attention"], params={"format": "gif"}), 422)


def test_an_instrumental_has_no_picture_and_says_why(client: TestClient, songs: Songs) -> None:
    sung = sing(client)
    path = songs.attention(sung["id"])
    assert path is not None
    path.write_bytes(planted(lyrics="[intro]").save_bytes())
    assert "no word" in problem(client.get(sung["links"]["attention"], params={"format": "png"}), 404)
    assert client.get(sung["links"]["attention"], params={"format": "json"}).json()["words"] == []
    with pytest.raises(NothingToDraw):
        draw_record(AttentionRecord(map_embedded("hello"), 25.0, 10, ()), [])


def test_a_record_that_is_too_large_loses_steps_and_then_moments() -> None:
    record = planted(steps=5)
    size = record.recorded[0].nbytes
    assert fit_record(record, 5 * size / 1e6) is not record and len(fit_record(record, 5 * size / 1e6).recorded) == 5
    fewer = fit_record(record, 2.5 * size / 1e6)
    assert [frame.step for frame in fewer.recorded] == [1, 5] and len(fewer.edges) == 257
    pooled = fit_record(record, 0.3 * size / 1e6)
    [frame] = pooled.recorded
    bins = frame.maps.shape[1]
    assert frame.step == 5 and 70 < bins < 77 and frame.nbytes <= 0.3 * size
    # each moment is the mean of its frames, every one of which has the value of the moment it was in
    old, new = bin_edges(400, 256), bin_edges(400, bins)
    by_frame = np.repeat(record.recorded[-1].maps.astype(np.float64), np.diff(old), axis=1)
    wanted = np.stack([by_frame[:, new[at] : new[at + 1]].mean(1) for at in range(bins)], 1)
    np.testing.assert_allclose(frame.maps.astype(float), wanted, atol=2e-3)
    np.testing.assert_allclose(pooled.edges, new / 25.0)
    packed = pack_record(pooled, [(2, 0)])
    assert packed["shape"] == [1, 2, bins, len(record.lyric_map.tokens)] and len(packed["edges"]) == bins + 1
    assert load_record(pooled.save_bytes()).recorded[0].maps.shape == frame.maps.shape
    assert fit_record(record, 1e-9).recorded[0].maps.shape[1] == LEAST_BINS


def test_many_who_want_pictures_hold_up_nobody_else(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    sung = sing(client)
    begun, go = threading.Semaphore(0), threading.Event()

    def slowly(*_: Any) -> bytes:
        begun.release()
        assert go.wait(60)
        return b"drawn"

    monkeypatch.setattr(api.sounds, "draw_record", slowly)
    with ThreadPoolExecutor(50) as pool:
        waiting = [pool.submit(client.get, f"{sung['links']['attention']}?format=png") for _ in range(50)]
        for _ in range(READINGS):
            assert begun.acquire(timeout=60)
        assert client.get(f"/v1/songs/{sung['id']}").status_code == 200
        assert client.get(sung["links"]["attention"]).status_code == 200
        assert not begun.acquire(blocking=False)
        go.set()
        assert {answer.result().content for answer in waiting} == {b"drawn"}
