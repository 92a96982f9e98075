"""Deleted songs: kept for a while, brought back whole, gone when they are due, whatever happens in between."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import engine.songs
from adapters.files import write_bytes_atomically
from engine.errors import SongError
from engine.songs import SongStore
from engine.trash import PlaceTaken, Trash
from tests.engine.planted_songs import PlantedMaps, planted_song
from tests.waiting import until

ROOT = Path(__file__).parent.parent.parent
SONG = "0123456789abcdef"


@pytest.fixture
def store(tmp_path: Path) -> SongStore:
    return SongStore(tmp_path / "songs")


def left(folder: Path) -> list[str]:
    """Everything in a folder of songs but the index."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("index.sqlite"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_deleted_song_is_nowhere_and_comes_back_byte_for_byte(store: SongStore) -> None:
    folder = store.save(SONG, planted_song(attention=PlantedMaps()), "tiny", {"comparison": "c" * 16})
    store.annotate(SONG, judged={"state": "judged", "wer": 0.25})
    store.save("00000001", planted_song(1), "tiny")
    before, record = contents(folder), store.record(SONG)
    assert store.put_aside(SONG) and not store.put_aside(SONG) and SONG in store.trash
    assert store.record(SONG) is None and not store.audio(SONG).exists() and not store.attention(SONG).exists()
    assert [r["id"] for r in store.browse()] == [r["id"] for r in store] == ["00000001"]
    assert store.count() == 1 and store.ids() == {"00000001"} and store.unreadable() == []
    assert store.restore(SONG) and not store.restore(SONG) and SONG not in store.trash
    assert contents(folder) == before and store.record(SONG) == record
    assert store.count() == 2 and SONG in [r["id"] for r in store.browse()]
    assert left(store.folder) == ["00000001", SONG], "an empty trash leaves no folder"


def test_a_song_that_cannot_be_read_is_told_deleted_and_restored_like_any(store: SongStore) -> None:
    store.save("00000001", planted_song(), "tiny")
    (store.folder / "00000002").mkdir()
    (store.folder / "00000002" / "song.json").write_text("{")
    assert store.unreadable() == ["00000002"]
    assert store.put_aside("00000002") and store.unreadable() == []
    assert store.restore("00000002") and store.unreadable() == ["00000002"] and store.count() == 1


def test_what_stands_in_the_place_of_a_deleted_song_stays(store: SongStore) -> None:
    store.save(SONG, planted_song(1), "tiny")
    before = contents(store.folder / SONG)
    store.put_aside(SONG)
    for make in (Path.mkdir, Path.touch, lambda path: path.symlink_to("elsewhere")):
        make(store.folder / SONG)
        with pytest.raises(PlaceTaken, match="something stands in its place"):
            store.restore(SONG)
        taken = store.folder / SONG
        taken.unlink() if taken.is_symlink() or taken.is_file() else taken.rmdir()
    store.save(SONG, planted_song(2), "tiny")
    with pytest.raises(PlaceTaken):
        store.restore(SONG)
    store.delete(SONG)
    assert store.restore(SONG) and contents(store.folder / SONG) == before


def test_a_song_deleted_twice_is_kept_as_it_was_last(store: SongStore) -> None:
    for seed in (1, 2):
        store.save(SONG, planted_song(seed), "tiny")
        before = contents(store.folder / SONG)
        store.put_aside(SONG)
    assert len(list(next(store.folder.glob(".trash-*")).iterdir())) == 1
    assert store.restore(SONG) and contents(store.folder / SONG) == before


def test_deleting_for_good_leaves_nothing_to_bring_back(store: SongStore) -> None:
    store.save("00000001", planted_song(1), "tiny")
    store.save("00000002", planted_song(2), "tiny")
    store.put_aside("00000002")
    assert store.delete("00000001") and store.delete("00000002") and not store.delete("00000002")
    assert not store.restore("00000001") and not store.restore("00000002") and left(store.folder) == []


def test_songs_are_gone_once_they_are_due(tmp_path: Path) -> None:
    clock = Clock()
    store = SongStore(tmp_path)
    store.trash = Trash(tmp_path, kept_for=10, clock=clock)
    for number in range(2):
        store.save(f"{number:08x}", planted_song(number), "tiny")
        store.put_aside(f"{number:08x}")
        clock.now += 6
    assert "00000000" not in store.trash and not store.restore("00000000")
    assert "00000001" in store.trash and store.restore("00000001")
    # and without anybody asking, by the clock on the wall
    store.trash = Trash(tmp_path, kept_for=0.2)
    store.put_aside("00000001")
    until(lambda: left(tmp_path) == [] or [left(next(tmp_path.glob(".trash-*")))], 10)
    until(lambda: not any(name.startswith("00000001") for p in tmp_path.glob(".trash-*") for name in os.listdir(p)), 10)
    assert not store.restore("00000001")


def test_the_oldest_go_first_where_there_are_too_many_or_too_large(tmp_path: Path) -> None:
    store = SongStore(tmp_path)
    ids = [f"{number:08x}" for number in range(4)]

    def restorable(**limits: Any) -> list[bool]:
        store.trash = Trash(tmp_path, **limits)
        for number, song_id in enumerate(ids):
            store.save(song_id, planted_song(number), "tiny")
            assert store.put_aside(song_id) and store.record(song_id) is None
        found = [store.restore(song_id) for song_id in ids]
        for song_id in ids:
            store.delete(song_id)
        return found

    store.save(ids[0], planted_song(0), "tiny")
    size = sum(len(data) for data in contents(tmp_path / ids[0]).values())
    store.delete(ids[0])
    assert restorable(max_songs=3) == [False, True, True, True]
    assert restorable(max_bytes=round(2.5 * size)) == [False, False, True, True]
    store.trash = Trash(tmp_path, max_bytes=3 * size)
    store.save(ids[0], planted_song(0), "tiny")
    store.put_aside(ids[0])
    store.save(ids[1], planted_song(1), "tiny")
    (tmp_path / ids[1] / "more").write_bytes(bytes(3 * size))
    assert store.put_aside(ids[1]) and ids[1] not in store.trash, "one that is too large is deleted alone"
    assert store.restore(ids[0]) and left(tmp_path) == [ids[0]]
    store.delete(ids[0])
    assert restorable(max_bytes=size // 2) == [False] * 4, "one that is too large is deleted all the same"
    assert left(tmp_path) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_on_a_full_disk_songs_are_deleted_all_the_same(
    store: SongStore, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(*_: object, **__: object) -> Any:
        raise OSError(code, os.strerror(code))

    store.save("00000001", planted_song(1), "tiny")
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkdtemp", full)
        assert store.put_aside("00000001") and "00000001" not in store.trash
    assert left(store.folder) == [] and store.count() == 0 and not store.restore("00000001")


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.EMLINK, errno.EIO])
def test_a_song_that_cannot_be_kept_for_another_reason_is_not_deleted_for_good(
    store: SongStore, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise OSError(code, os.strerror(code))

    store.save(SONG, planted_song(), "tiny")
    before = contents(store.folder / SONG)
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkdtemp", refuse)
        with pytest.raises(SongError, match=r"cannot be put aside.*check the rights.*or delete the song for good"):
            store.put_aside(SONG)
        assert contents(store.folder / SONG) == before and store.count() == 1 and left(store.folder) == [SONG]
        assert store.delete(SONG), "which the remedy is"


def test_a_new_song_takes_the_room_of_deleted_ones(store: SongStore, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[Path] = []

    def full_while_kept(path: Path, data: bytes) -> None:
        tries.append(path)
        if "00000001" in store.trash:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_bytes_atomically(path, data)

    store.save("00000001", planted_song(1), "tiny")
    store.put_aside("00000001")
    monkeypatch.setattr(engine.songs, "write_bytes_atomically", full_while_kept)
    store.save("00000002", planted_song(2), "tiny")
    assert len(tries) == 2 and left(store.folder) == ["00000002"]


def test_a_song_that_can_be_moved_neither_way_is_told_and_stays(
    store: SongStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied")

    store.save(SONG, planted_song(), "tiny")
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refuse)
        patch.setattr(Path, "rename", refuse)
        with pytest.raises(SongError, match="check the rights"):
            store.put_aside(SONG)
    assert store.count() == 1 and store.put_aside(SONG)
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refuse)
        with pytest.raises(SongError, match="cannot be brought back"):
            store.restore(SONG)
    assert store.restore(SONG) and store.record(SONG) is not None


def test_a_trash_that_somebody_cleared_away_is_made_anew(store: SongStore) -> None:
    import shutil

    for number in range(2):
        store.save(f"{number:08x}", planted_song(number), "tiny")
    store.put_aside("00000000")
    shutil.rmtree(next(store.folder.glob(".trash-*")))
    assert not store.restore("00000000")
    store.save("00000000", planted_song(0), "tiny")
    store.put_aside("00000000")
    shutil.rmtree(next(store.folder.glob(".trash-*")))
    assert store.put_aside("00000001") and store.restore("00000001")


def delete_elsewhere(folder: Path, song_id: str, ending: str) -> None:
    """In a process of its own, which then ends or is killed."""
    script = (
        "import os, sys; from pathlib import Path; from engine.songs import SongStore\n"
        "store = SongStore(Path(sys.argv[1])); assert store.put_aside(sys.argv[2])\n"
        "print(len(list(Path(sys.argv[1]).glob('.trash-*/*'))), flush=True)\n"
        "sys.argv[3] == 'die' and os._exit(9)\n"
    )
    command = [sys.executable, "-c", script, str(folder), song_id, ending]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert int(done.stdout) >= 1, done.stderr


@pytest.mark.parametrize("ending", ["end", "die"])
def test_what_a_process_deleted_is_brought_back_by_the_next(tmp_path: Path, ending: str) -> None:
    store = SongStore(tmp_path)
    store.save(SONG, planted_song(attention=PlantedMaps()), "tiny", {"comparison": "c" * 16})
    before = contents(tmp_path / SONG)
    delete_elsewhere(tmp_path, SONG, ending)
    again = SongStore(tmp_path)
    assert SONG in again.trash and again.count() == 0 and again.ids() == set()
    assert again.restore(SONG) and contents(tmp_path / SONG) == before and left(tmp_path) == [SONG]
    delete_elsewhere(tmp_path, SONG, ending)
    assert again.restore(SONG), "also by one that began before that process ended"
    assert contents(tmp_path / SONG) == before and left(tmp_path) == [SONG]


def bury(folder: Path, song_id: str, nanoseconds: int, seed: int = 0) -> dict[str, bytes]:
    """A song as a dead process left it that deleted it at a time; what it holds."""
    grave = folder / ".trash-dead" / f"{song_id}.{nanoseconds}"
    SongStore(folder).save(song_id, planted_song(seed), "tiny")
    grave.parent.mkdir(exist_ok=True)
    (folder / song_id).rename(grave)
    return contents(grave)


def test_after_a_restart_songs_are_kept_for_what_is_left_of_their_time(tmp_path: Path) -> None:
    now, clock = 1_800_000_000 * 10**9, Clock()
    deleted = {
        "0000000a": -11,
        "0000000b": -9,
        "0000000c": -5,
        "0000000d": +3600,
    }  # the last before a clock was set back
    for song_id, seconds in deleted.items():
        bury(tmp_path, song_id, now + seconds * 10**9)
    trash = Trash(tmp_path, kept_for=10, clock=clock, wall=lambda: now)
    assert [song_id in trash for song_id in deleted] == [False, True, True, True]
    [place] = tmp_path.glob(".trash-*")
    assert len(list(place.iterdir())) == 3, "what was due is swept at once"
    clock.now += 2
    assert [song_id in trash for song_id in deleted] == [False, False, True, True]
    assert not trash.restore("0000000b") and trash.restore("0000000c")
    clock.now += 7.5
    assert trash.restore("0000000d"), "one deleted in the future counts as just deleted"
    trash.clear()
    assert left(tmp_path) == ["0000000c", "0000000d"]


def test_what_stands_in_an_abandoned_trash_and_is_no_deleted_song_goes_with_it(tmp_path: Path) -> None:
    bury(tmp_path, SONG, time.time_ns() - 10**9, 1)
    last = bury(tmp_path, SONG, time.time_ns(), 2)
    dead = tmp_path / ".trash-dead"
    (dead / f"{SONG}.0").mkdir()
    (dead / f"gone-{SONG}.{time.time_ns()}").mkdir()  # half deleted
    (dead / f"0000000e.{time.time_ns()}").symlink_to(tmp_path)
    (dead / f"0000000f.{time.time_ns()}").touch()
    store = SongStore(tmp_path)
    assert not dead.exists() and len(list(tmp_path.glob(".trash-*/*"))) == 1
    assert not store.restore("0000000e") and not store.restore("0000000f")
    assert store.restore(SONG) and contents(tmp_path / SONG) == last, "as it was deleted last"


def test_what_is_left_behind_stays_there_while_a_full_disk_takes_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    bury(tmp_path, SONG, time.time_ns())
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkdtemp", full)
        store = SongStore(tmp_path)
        assert SONG not in store.trash and not store.restore(SONG)
    assert store.restore(SONG) and left(tmp_path) == [SONG]


def test_the_trash_of_a_living_process_stays(store: SongStore) -> None:
    store.save(SONG, planted_song(), "tiny")
    store.put_aside(SONG)
    other = SongStore(store.folder)
    assert not other.restore(SONG) and store.restore(SONG) and other.record(SONG) is not None


#: Where a process dies: before or after a step of what it does.
STEPS = ["rename before", "rename after", "forget before", "flush before"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("doing", ["put_aside", "restore"])
def test_a_process_killed_between_steps_leaves_a_song_whole_here_or_there(
    tmp_path: Path, step: str, doing: str
) -> None:
    store = SongStore(tmp_path)
    store.save(SONG, planted_song(attention=PlantedMaps()), "tiny")
    before = contents(tmp_path / SONG)
    what, when = step.split()
    script = (
        "import os, sys; from pathlib import Path; import engine.songs; from engine.song_index import SongIndex\n"
        "store = engine.songs.SongStore(Path(sys.argv[1])); store.count()\n"
        "if sys.argv[3] == 'restore': assert store.put_aside(sys.argv[2])\n"
        "rename = os.rename\n"
        "def die(*given):\n"
        f"    {'rename(*given)' if what == 'rename' and when == 'after' else 'pass'}\n"
        "    os._exit(9)\n"
        + {
            "rename": "os.rename = die\n",
            "forget": "SongIndex.forget = SongIndex.put = die\n",
            "flush": "engine.songs.flush_folder = die\n",
        }[what]
        + "getattr(store, sys.argv[3])(sys.argv[2])\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path), SONG, doing]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 9, done.stderr
    aside = [contents(path) for path in tmp_path.glob(".trash-*/*")]
    there = (tmp_path / SONG).is_dir()
    moved = step != "rename before"
    assert there == (moved if doing == "restore" else not moved)
    assert aside == ([] if there else [before])
    found = SongStore(tmp_path)
    assert [r["id"] for r in found.browse()] == [r["id"] for r in found] == [SONG] * there
    assert found.count() == there and found.restore(SONG) != there
    assert contents(tmp_path / SONG) == before and found.count() == 1 and left(tmp_path) == [SONG]


def test_many_at_once_lose_nothing_and_double_nothing(store: SongStore) -> None:
    ids = [f"{number:08x}" for number in range(24)]
    for number, song_id in enumerate(ids):
        store.save(song_id, planted_song(number, seconds=0.05), "tiny")
    with ThreadPoolExecutor(8) as pool:
        gone = list(pool.map(store.put_aside, ids * 2))
        assert sum(gone) == len(ids) and store.count() == 0
        back = list(pool.map(store.restore, ids * 2))
        assert sum(back) == len(ids) and store.count() == len(ids) == len(store.browse(limit=100))
        list(pool.map(lambda song_id: (store.put_aside(song_id), store.restore(song_id)), ids * 4))
    until(lambda: all(store.restore(song_id) or store.record(song_id) for song_id in ids), 5)
    assert store.count() == len(ids) and left(store.folder) == ids
