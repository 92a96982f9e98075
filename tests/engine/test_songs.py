"""Songs on disk: what is stored comes back, and nothing half-written is ever listed."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.errors import SongError
from engine.request import SongRequest
from engine.song_model import SongModel
from engine.songs import SongStore, audio_bytes
from tests.engine.planted_songs import RATE, PlantedKaraoke, PlantedMaps, planted_song, write_record

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def store(tmp_path: Path) -> SongStore:
    return SongStore(tmp_path / "songs")


def left(folder: Path) -> list[str]:
    """Everything in a folder of songs but the index."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("index.sqlite"))


def test_a_song_that_was_sung_comes_back_with_all_it_takes_to_sing_it_again(
    store: SongStore, random_model: SongModel
) -> None:
    from engine.singer import Singer

    song = Singer(random_model).sing(SongRequest(caption="folk", lyrics="hello there", seed=1, steps=1))
    folder = store.save("0123456789abcdef", song, "tiny", {"comparison": "c1"})
    record = store.record("0123456789abcdef")
    assert record is not None and [record] == store.browse() == list(store) and store.count() == 1
    assert SongRequest.model_validate(record["request"]) == song.request and len(record["plan"]["notes"]) == 3
    assert record["model"] == "tiny" and record["comparison"] == "c1" and record["adapters"] == song.adapters == {}
    assert record["attention"] == (song.attention is not None) == (folder / "attention.npz").exists()
    heard, rate = soundfile.read(store.audio("0123456789abcdef"), dtype="float32")
    assert rate == song.sampling_rate
    np.testing.assert_allclose(heard.T, song.audio, atol=2**-15)


def test_maps_timings_and_adapters_are_stored_with_the_song(store: SongStore) -> None:
    full = planted_song(attention=PlantedMaps(b"PK maps"), karaoke=PlantedKaraoke(), adapters={"clear": "ab" * 8})
    store.save("00000001", full, "tiny")
    store.save("00000002", planted_song(), "tiny")
    record = store.record("00000001")
    assert record is not None and record["attention"] is True and record["adapters"] == {"clear": "ab" * 8}
    assert record["karaoke"] == {"lines": ["hello there"]}
    assert store.attention("00000001").read_bytes() == b"PK maps" and not store.attention("00000002").exists()
    record = store.record("00000002")
    assert record is not None and record["attention"] is False and record["karaoke"] is None
    assert left(store.folder / "00000001") == ["attention.npz", "song.flac", "song.json"]
    assert (store.folder / "00000001").stat().st_mode & 0o777 == 0o755
    assert left(store.folder) == ["00000001", "00000002"]


def test_a_wish_for_no_maps_is_stored(store: SongStore) -> None:
    wishes: list[dict[str, Any]] = [{"attention": None}, {}, {"attention": {"steps": "all"}}]
    for number, asked in enumerate(wishes):
        song = planted_song(request=SongRequest(**asked))
        store.save(f"{number:08x}", song, "tiny")
        record = store.record(f"{number:08x}")
        assert record is not None and SongRequest.model_validate(record["request"]) == song.request


def test_notes_added_later_keep_what_was_there(store: SongStore) -> None:
    store.save("0123456789abcdef", planted_song(), "tiny")
    store.annotate("0123456789abcdef", judged={"wer": 0.5})
    store.annotate("0123456789abcdef", mark=3)
    record = store.record("0123456789abcdef")
    assert record is not None and record["judged"] == {"wer": 0.5} and record["mark"] == 3
    assert record["request"]["lyrics"] == "hello there"
    store.annotate("00000000", judged={})
    assert store.record("00000000") is None, "a note about no song makes no song"
    assert left(store.folder) == ["0123456789abcdef"]
    assert left(store.folder / "0123456789abcdef") == ["song.flac", "song.json"]


def test_notes_made_at_the_same_time_are_all_kept(store: SongStore) -> None:
    store.save("00000001", planted_song(), "tiny")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.annotate("00000001", **{f"note{number}": number}), range(24)))
    record = store.record("00000001")
    assert record is not None and all(record[f"note{number}"] == number for number in range(24))


def test_newest_first_and_damaged_songs_are_left_out(tmp_path: Path) -> None:
    for number in range(5):
        write_record(tmp_path, f"{number:08x}", created=f"2026-01-0{number + 1}")
    (tmp_path / "00000001" / "song.json").write_text("{")
    (tmp_path / "00000003" / "song.json").write_text("[1]")
    (tmp_path / "00000004" / "song.flac").unlink()
    (tmp_path / "not an id").mkdir()
    store = SongStore(tmp_path)
    assert [r["id"] for r in store] == [r["id"] for r in store.browse()] == ["00000002", "00000000"]
    assert store.count() == 2
    assert store.delete("00000002") and not store.delete("00000002")
    assert [r["id"] for r in store] == ["00000000"]


@pytest.mark.parametrize("song_id", ["../../etc", "", "ABCDEF01", "0" * 33, "0123456", "a/b", "0123456\n", "٠١٢٣٤٥٦٧"])
def test_ids_that_could_leave_the_folder_are_refused(store: SongStore, song_id: str) -> None:
    calls: list[Callable[[str], object]] = [store.audio, store.attention, store.record, store.delete, store.annotate]
    calls.append(lambda song_id: store.save(song_id, planted_song(), "tiny"))
    for call in calls:
        with pytest.raises(SongError, match="no song id"):
            call(song_id)
    assert not store.folder.exists()


def test_a_twin_in_upper_case_is_no_song(store: SongStore) -> None:
    write_record(store.folder, "ABCDEF01")
    write_record(store.folder, "abcdef01")
    assert [r["id"] for r in store] == ["abcdef01"]


def test_links_are_not_followed(store: SongStore, tmp_path: Path) -> None:
    write_record(tmp_path / "elsewhere", "00000001")
    store.folder.mkdir()
    (store.folder / "00000001").symlink_to(tmp_path / "elsewhere" / "00000001")
    for number, name in ((2, "song.flac"), (3, "song.json")):
        write_record(store.folder, f"{number:08x}")
        (store.folder / f"{number:08x}" / name).unlink()
        (store.folder / f"{number:08x}" / name).symlink_to(tmp_path / "elsewhere" / "00000001" / name)
    assert not list(store) and store.count() == 0
    for song_id in ("00000001", "00000002"):
        with pytest.raises(SongError, match="links are not followed"):
            store.audio(song_id)
    store.annotate("00000001", mark=1)
    assert not store.delete("00000001"), "what a link leads to is not ours"
    with pytest.raises(SongError, match="a song 00000001 already"):
        store.save("00000001", planted_song(), "tiny")
    assert "mark" not in (tmp_path / "elsewhere" / "00000001" / "song.json").read_text()
    assert len(list((tmp_path / "elsewhere" / "00000001").iterdir())) == 2


def test_a_folder_copied_by_hand_goes_by_its_own_name(store: SongStore) -> None:
    store.save("0123456789abcdef", planted_song(), "tiny")
    shutil.copytree(store.folder / "0123456789abcdef", store.folder / "fedcba9876543210")
    assert {record["id"] for record in SongStore(store.folder)} == {"0123456789abcdef", "fedcba9876543210"}


def test_a_song_never_replaces_another(store: SongStore) -> None:
    store.save("00000001", planted_song(1), "tiny")
    before = store.audio("00000001").read_bytes()
    with pytest.raises(SongError, match="there is a song 00000001 already"):
        store.save("00000001", planted_song(2), "tiny")
    assert store.audio("00000001").read_bytes() == before and left(store.folder) == ["00000001"]


def full(*_: object, **__: object) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def break_fsync(patch: pytest.MonkeyPatch, number: int) -> None:
    """Let the fsync of this number fail."""
    calls, real = iter(range(100)), os.fsync
    patch.setattr(os, "fsync", lambda handle: full() if next(calls) == number else real(handle))


@pytest.mark.parametrize(
    "breaks",
    [
        pytest.param(lambda patch: patch.setattr(Path, "mkdir", full), id="songs folder"),
        pytest.param(lambda patch: patch.setattr(tempfile, "mkdtemp", full), id="hidden folder"),
        pytest.param(lambda patch: patch.setattr(tempfile, "mkstemp", full), id="file"),
        *(pytest.param(lambda patch, n=n: break_fsync(patch, n), id=f"fsync {n}") for n in range(4)),
        pytest.param(lambda patch: patch.setattr(os, "replace", full), id="name of a file"),
        pytest.param(lambda patch: patch.setattr("engine.songs.write_text_atomically", full), id="json"),
        pytest.param(lambda patch: patch.setattr(Path, "rename", full), id="rename"),
    ],
)
def test_a_full_disk_at_any_stage_loses_nothing_and_leaves_nothing(
    store: SongStore, monkeypatch: pytest.MonkeyPatch, breaks: Callable[[pytest.MonkeyPatch], None]
) -> None:
    song = planted_song(attention=PlantedMaps())
    store.save("00000001", song, "tiny")
    with monkeypatch.context() as patch:
        breaks(patch)
        with pytest.raises(SongError, match=r"No space left on device.*free some space"):
            store.save("00000002", song, "tiny")
    assert [r["id"] for r in store] == ["00000001"] and left(store.folder) == ["00000001"]
    store.save("00000002", song, "tiny")
    assert store.count() == 2


def test_a_song_is_there_once_it_has_its_name(store: SongStore, monkeypatch: pytest.MonkeyPatch) -> None:
    break_fsync(monkeypatch, 3)  # of the songs' folder: flac, json and the hidden folder came before
    store.save("00000001", planted_song(), "tiny")
    assert store.record("00000001") is not None


def test_everything_is_on_the_disk_before_a_song_has_its_name(
    store: SongStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def flushed(handle: int) -> None:
        happened.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name)
        fsync(handle)

    def renamed(path: Path, to: Path) -> Path:
        happened.append("renamed")
        return rename(path, to)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "rename", renamed)
    store.save("00000001", planted_song(attention=PlantedMaps()), "tiny")
    kinds = [name.rsplit(".", 1)[0].lstrip(".") if "song-" not in name else "folder" for name in happened]
    assert kinds == ["song.flac", "attention.npz", "song.json", "folder", "renamed", "songs"]


def test_a_note_on_a_full_disk_leaves_the_json_as_it_was(store: SongStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save("00000001", planted_song(), "tiny")
    before = (store.folder / "00000001" / "song.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            store.annotate("00000001", mark=1)
    assert (store.folder / "00000001" / "song.json").read_bytes() == before
    assert left(store.folder) == ["00000001"]


def test_a_note_never_brings_back_a_song_that_goes_meanwhile(store: SongStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save("00000001", planted_song(), "tiny")
    replace = os.replace

    def goes(source: Path, to: Path) -> None:
        if Path(to).parent.name == "00000001":
            shutil.rmtree(store.folder / "00000001")  # as another process would
        replace(source, to)

    monkeypatch.setattr("engine.songs.os.replace", goes)
    store.annotate("00000001", mark=1)
    assert left(store.folder) == [] and store.count() == 0


def test_notes_and_deletions_at_once_leave_whole_songs_or_none(store: SongStore) -> None:
    ids = [f"{number:08x}" for number in range(12)]
    for song_id in ids:
        store.save(song_id, planted_song(), "tiny")
    stop = threading.Event()

    def note() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            store.annotate(ids[number % len(ids)], mark=number)

    with ThreadPoolExecutor(4) as pool:
        noting = [pool.submit(note) for _ in range(3)]
        gone = [pool.submit(store.delete, song_id) for song_id in ids[::2] for _ in range(2)]
        assert sum(future.result() for future in gone) == 6
        stop.set()
        for future in noting:
            future.result()
    assert left(store.folder) == ids[1::2] and sorted(r["id"] for r in store) == ids[1::2] and store.count() == 6


def test_a_song_that_cannot_be_removed_is_told_and_stays(store: SongStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save("00000001", planted_song(), "tiny")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        with pytest.raises(SongError, match=r"cannot be removed.*check the rights"):
            store.delete("00000001")
    assert store.count() == 1
    with monkeypatch.context() as patch:  # killed between the two steps
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        assert store.delete("00000001")
    assert store.count() == 0 and len(left(store.folder)) == 1
    SongStore(store.folder)
    assert left(store.folder) == []


def test_what_the_dead_left_is_cleared_away_and_what_the_living_write_is_not(store: SongStore) -> None:
    store.folder.mkdir()
    (store.folder / ".song-dead").mkdir()
    (store.folder / ".song-dead" / "song.flac").write_bytes(b"half")
    (store.folder / ".song-file").write_text("not ours")
    (store.folder / ".other").mkdir()
    script = (
        "import sys, time; from pathlib import Path; from engine.hidden_folders import claim_folder\n"
        "print(claim_folder(Path(sys.argv[1]), '.song-')[0].name, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", script, str(store.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            living = process.stdout.readline().strip()
            SongStore(store.folder)
            assert left(store.folder) == sorted([living, ".song-file", ".other"])
        finally:
            process.kill()
    SongStore(store.folder)
    assert left(store.folder) == sorted([".song-file", ".other"])


def test_without_locks_only_old_leftovers_are_cleared_away(store: SongStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", full)
    for name in (".song-old", ".song-new"):
        (store.folder / name).mkdir(parents=True)
    os.utime(store.folder / ".song-old", (1, 1))
    SongStore(store.folder).save("00000001", planted_song(), "tiny")
    assert left(store.folder) == [".song-new", "00000001"]


def test_a_store_that_was_never_written_to_is_empty_and_makes_no_folder(store: SongStore) -> None:
    assert list(store) == store.browse() == [] and store.count() == 0
    assert store.record("00000000") is None and not store.delete("00000000")
    assert not store.audio("00000000").exists() and not store.folder.exists()


def test_json_of_monstrous_size_or_depth_is_no_song(store: SongStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.songs.MAX_RECORD", 300_000)
    write_record(store.folder, "00000001", filler="x" * 300_000)
    write_record(store.folder, "00000002").write_text("[" * 100_000)
    assert not list(store)


def test_sound_files_hold_the_samples_they_were_given() -> None:
    song = planted_song(seconds=1.0)
    for form, tolerance in (("wav", 2**-15), ("flac", 2**-15)):
        audio, rate = soundfile.read(io.BytesIO(audio_bytes(song.audio, RATE, form)), dtype="float32")
        assert rate == RATE
        np.testing.assert_allclose(audio.T, song.audio, atol=tolerance)


def test_the_json_is_readable_text_in_utf8(store: SongStore) -> None:
    store.save("00000001", planted_song(caption="chanson à l'été"), "tiny")
    text = (store.folder / "00000001" / "song.json").read_text(encoding="utf-8")
    assert "chanson à l'été" in text and json.loads(text)["id"] == "00000001"
