"""Songs on disk: what is stored comes back, and nothing half-written is ever listed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.errors import SongError
from engine.request import SongRequest
from engine.singer import Singer, Song
from engine.song_model import SongModel
from engine.songs import SongStore, audio_bytes


@pytest.fixture(scope="module")
def song(random_model: SongModel) -> Song:
    return Singer(random_model).sing(SongRequest(caption="folk", lyrics="hello there", seed=1, steps=1))


def test_notes_added_later_keep_what_was_there(tmp_path: Path, song: Song) -> None:
    store = SongStore(tmp_path)
    store.save("0123456789abcdef", song, "tiny")
    store.annotate("0123456789abcdef", judged={"wer": 0.5})
    record = store.record("0123456789abcdef")
    assert record is not None and record["judged"] == {"wer": 0.5}
    assert record["request"]["lyrics"] == "hello there" and len(record["plan"]["notes"]) == 3
    store.annotate("00000000", judged={})
    assert store.record("00000000") is None, "a note about no song makes no song"


def test_newest_first_and_damaged_songs_are_left_out(tmp_path: Path, song: Song) -> None:
    store = SongStore(tmp_path)
    for number in range(3):
        folder = store.save(f"{number:08x}", song, "tiny")
        record = json.loads((folder / "song.json").read_text())
        (folder / "song.json").write_text(json.dumps({**record, "created": f"2026-01-0{number + 1}"}))
    (tmp_path / "00000001" / "song.json").write_text("{")
    (tmp_path / "not an id").mkdir()
    assert [r["id"] for r in store] == ["00000002", "00000000"]
    assert store.delete("00000002") and not store.delete("00000002")


@pytest.mark.parametrize("song_id", ["../../etc", "", "ABCDEF01", "0" * 33, "0123456", "a/b"])
def test_ids_that_could_leave_the_folder_are_refused(tmp_path: Path, song_id: str) -> None:
    with pytest.raises(SongError, match="no song id"):
        SongStore(tmp_path).audio(song_id)


def test_a_full_disk_loses_nothing_and_is_told(tmp_path: Path, song: Song, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SongStore(tmp_path)
    store.save("00000001", song, "tiny")

    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.songs.write_text_atomically", full)
    with pytest.raises(SongError, match=r"No space left on device.*free some space"):
        store.save("00000002", song, "tiny")
    assert [r["id"] for r in store] == ["00000001"] and not (tmp_path / "00000002").exists()


def test_sound_files_hold_the_samples_they_were_given(song: Song) -> None:
    import io

    import soundfile

    for form, tolerance in (("wav", 2**-15), ("flac", 2**-15)):
        audio, rate = soundfile.read(io.BytesIO(audio_bytes(song.audio, 48000, form)), dtype="float32")
        assert rate == 48000
        np.testing.assert_allclose(audio.T, song.audio, atol=tolerance)
