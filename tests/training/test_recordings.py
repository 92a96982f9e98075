"""Recordings of a planted bank: what is spoken comes back from the files as it lay in the bank."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.codec import CEPSTRA, FRAMES_PER_LATENT, LOG_F0, VOICING, WorldCodec
from engine.genres import GENRES
from tests.training.planted_bank import planted_bank
from training.recordings import LIST, natural_bank, record_songs, spoken_features
from training.singing import Singer
from training.texts import written_lines

FEW = dict(list(GENRES.items())[:4])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fitting how each style shapes the voice takes a second each, and a song of each genre half a minute."""
    monkeypatch.setattr(Singer, "shift", lambda *_: np.eye(CEPSTRA, dtype=np.float32))
    monkeypatch.setattr("training.recordings.GENRES", FEW)


def planted_codec() -> WorldCodec:
    codec: WorldCodec = WorldCodec()
    codec.fit([np.random.default_rng(0).normal(size=(400, 35)).astype(np.float32)])
    return codec


def test_a_spoken_line_keeps_its_pitch_and_pace() -> None:
    [(_, words)] = planted_bank(["hello my old friend"], 1)
    silence = np.arange(CEPSTRA, dtype=np.float32)
    made = spoken_features(words, silence)
    line = np.concatenate([word.features for word in words])
    assert len(made) % FRAMES_PER_LATENT == 0 and 50 <= len(made) - len(line) < 50 + FRAMES_PER_LATENT
    np.testing.assert_array_equal(made[25 : 25 + len(line)], line)
    for pause, beside in ((made[:25], line[0]), (made[25 + len(line) :], line[-1])):
        np.testing.assert_array_equal(pause[:, :CEPSTRA], np.broadcast_to(silence, (len(pause), CEPSTRA)))
        assert not pause[:, VOICING].any() and (pause[:, LOG_F0] == beside[LOG_F0]).all()
    assert words[0].features[0, VOICING] == line[0, VOICING], "the bank is not written into"


def test_lines_songs_and_speech_are_written_and_listed(tmp_path: Path) -> None:
    bank = planted_bank([*written_lines()[:6], "no hand wrote this"], 1)
    assert list(record_songs(bank, planted_codec(), tmp_path, 1)) == [(n, 12) for n in range(1, 13)]
    rows = [json.loads(line) for line in (tmp_path / LIST).read_text().splitlines()]
    kinds = {kind: [row for row in rows if row["kind"] == kind] for kind in ("line", "song", "speech")}
    assert [row["genre"] for row in kinds["line"]] == [row["genre"] for row in kinds["song"]] == list(FEW)
    assert {row["genre"] for row in kinds["speech"]} == {""}
    said = [row["lyrics"] for row in kinds["speech"]]
    spoken = {" ".join(w.text for w in line.words): words for line, words in natural_bank(bank)}
    assert len(set(said)) == len(FEW) and set(said) <= set(spoken)
    for row in kinds["speech"]:
        audio, rate = soundfile.read(tmp_path / row["file"])
        expected = sum(len(word.features) for word in spoken[row["lyrics"]]) / 100 + 0.5
        assert rate == 48_000 and abs(len(audio) / rate - expected) < 0.04 and np.isfinite(audio).all()
        assert abs(audio).max() > 0.9


def test_no_line_is_spoken_twice_while_there_are_others(tmp_path: Path) -> None:
    list(record_songs(planted_bank(written_lines()[:3], 1), planted_codec(), tmp_path, 1))
    rows = [json.loads(line) for line in (tmp_path / LIST).read_text().splitlines()]
    said = [row["lyrics"] for row in rows if row["kind"] == "speech"]
    assert len(set(said[:3])) == 3 and said[3] == said[0]


def test_a_bank_without_written_lines_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="hand-written lines"):
        list(record_songs(planted_bank(["no hand wrote this"], 1), WorldCodec(), tmp_path, 1))
