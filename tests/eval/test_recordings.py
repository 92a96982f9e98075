"""Recordings beside a known list: read, played, judged into rows of their own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from eval.alignment import HeadAccuracy
from eval.cli import Options, run
from eval.clips import Clip
from eval.judge import Heard
from eval.recordings import Player, RecordingsError, list_recordings, read_recordings, recordings_fingerprint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = []
    for n, (kind, lyrics) in enumerate(
        (("line", "one bright morning"), ("song", "come home soon\nmy dear old friend"))
    ):
        soundfile.write(tmp_path / f"{n}.flac", np.full((480, 2), 0.25 * (n + 1)), 48000)
        rows.append(json.dumps({"file": f"{n}.flac", "kind": kind, "genre": "folk", "lyrics": lyrics}))
    (tmp_path / "recordings.jsonl").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_files_are_played_as_they_are(folder: Path) -> None:
    clips = read_recordings(folder)
    assert [c.kind for c in clips] == ["line", "song"] and clips[1].lyrics.endswith("friend")
    sound = Player(folder)(clips[1])
    assert sound.audio.shape == (2, 480) and sound.sampling_rate == 48000
    np.testing.assert_allclose(sound.audio, 0.5, atol=1e-3)


@pytest.fixture
def with_speech(folder: Path) -> Path:
    soundfile.write(folder / "2.flac", np.full((480, 2), 0.9), 48000)
    with (folder / "recordings.jsonl").open("a") as file:
        file.write(json.dumps({"file": "2.flac", "kind": "speech", "genre": "", "lyrics": "said aloud"}) + "\n")
    return folder


def test_speech_is_listed_but_is_no_song(with_speech: Path) -> None:
    assert [(r.file, r.kind) for r in list_recordings(with_speech)] == [
        ("0.flac", "line"),
        ("1.flac", "song"),
        ("2.flac", "speech"),
    ]
    assert [c.kind for c in read_recordings(with_speech)] == ["line", "song"]


def test_another_folder_has_another_name(folder: Path) -> None:
    clips = read_recordings(folder)
    assert recordings_fingerprint(folder, clips) != recordings_fingerprint(folder, clips[:1])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"file": "0.flac"}', ":1 is no recording"),
        ("nonsense", ":1 is no recording"),
        ('{"file": "9.flac", "kind": "line", "genre": "folk", "lyrics": "a"}', "'9.flac', which is not in"),
        ('{"file": "../0.flac", "kind": "tune", "genre": "folk", "lyrics": "a"}', ":1 is no recording"),
    ],
)
def test_a_bad_list_is_named_with_its_line(folder: Path, text: str, told: str) -> None:
    (folder / "recordings.jsonl").write_text(text)
    with pytest.raises(RecordingsError, match=told):
        read_recordings(folder)


def test_no_list_and_no_sound_are_told(folder: Path) -> None:
    with pytest.raises(RecordingsError, match="choirmaster recordings"):
        read_recordings(folder / "nowhere")
    (folder / "empty").mkdir()
    (folder / "empty" / "recordings.jsonl").touch()
    with pytest.raises(RecordingsError, match="lists no recordings: write it with `choirmaster recordings --out"):
        read_recordings(folder / "empty")
    (folder / "0.flac").write_bytes(b"no sound")
    with pytest.raises(RecordingsError, match="cannot be read as sound"):
        Player(folder)(read_recordings(folder)[0])


def test_measure_judges_recordings_once_and_keeps_the_heads(with_speech: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    calls: list[int] = []

    class Sound:
        audio: NDArray[np.float32] = np.zeros((2, 480), np.float32)
        sampling_rate = 48000

    def listen(audio: NDArray[np.float32], sampling_rate: int) -> Heard:
        calls.append(1)
        return Heard("one bright evening" if audio.max() > 0.1 else "", (), 0.1, 1.0)

    def align(clips: object) -> list[HeadAccuracy]:
        return [HeadAccuracy(2, 0, 0.97, 0.2, 100)]

    def sing(clip: Clip) -> Sound:
        return Sound()

    options = Options(model=str(tmp_path / "model"), out=tmp_path / "out", limit=1, recordings=with_speech, alignment=1)
    assert run(options, sing, listen, align) == 0
    assert len(calls) == 4
    found = json.loads((tmp_path / "out" / "targets.json").read_text())
    assert found["attention_heads"][0]["accuracy"] == 0.97
    figures = {f["label"]: f for f in found["figures"]}
    assert figures["corpus recordings, single lines, all genres"]["wer"]["estimate"] == pytest.approx(1 / 3)
    assert len([label for label in figures if label.startswith("corpus recordings")]) == 2, "speech is left out"
    assert found["genres"][0]["line_ceiling"] == pytest.approx(1 / 3)
    assert run(options, sing, listen, align) == 0
    assert len(calls) == 4, "nothing is judged twice"
