"""Deleted songs that go for good: nobody waits while their files are deleted, and they go on a full disk too."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.songs import SongStore
from engine.trash import Trash
from tests.engine.planted_songs import planted_song

FIRST, SECOND, THIRD = "00000001", "00000002", "00000003"


@pytest.fixture
def store(tmp_path: Path) -> SongStore:
    found = SongStore(tmp_path / "songs")
    for number, song_id in enumerate((FIRST, SECOND, THIRD)):
        found.save(song_id, planted_song(number, seconds=0.05), "tiny")
    return found


def test_where_a_full_disk_takes_no_other_name_a_song_is_deleted_under_its_own(
    store: SongStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for song_id in (FIRST, SECOND):
        assert store.put_aside(song_id)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        patch.setattr(os, "rename", full)
        assert store.delete(FIRST)
    [place] = store.folder.glob(".trash-*")
    assert [path.name.split(".")[0] for path in place.iterdir()] == [SECOND], "its room is free"
    store.trash.leave()
    again = SongStore(store.folder)
    assert not again.restore(FIRST) and again.restore(SECOND), "and nobody brings it back"


def bury(store: SongStore, song_id: str, nanoseconds: int) -> Path:
    """A song as a dead process left it that deleted it at a time."""
    grave = store.folder / ".trash-dead" / f"{song_id}.{nanoseconds}"
    grave.parent.mkdir(exist_ok=True)
    (store.folder / song_id).rename(grave)
    return grave


def unknown(store: SongStore) -> None:
    """Ask for one that nobody knows, where a dead process left one that is overdue."""
    bury(store, FIRST, time.time_ns() - 3600 * 10**9)
    assert not store.restore("0123456789abcdef")


def dropped(store: SongStore) -> None:
    assert store.put_aside(FIRST) and store.delete(FIRST)


def crowded(store: SongStore) -> None:
    store.trash = Trash(store.folder, max_songs=1)
    assert store.put_aside(FIRST) and store.put_aside(SECOND)


@pytest.mark.parametrize("doing", [unknown, dropped, crowded])
def test_nobody_waits_while_files_are_deleted(
    store: SongStore, monkeypatch: pytest.MonkeyPatch, doing: Callable[[SongStore], None]
) -> None:
    inside, go, delete, threads = threading.Event(), threading.Event(), shutil.rmtree, list[threading.Thread]()

    def slow(folder: Path, *given: Any, **more: Any) -> None:
        if threading.current_thread() is threads[0]:
            inside.set()
            assert go.wait(60)
        delete(folder, *given, **more)

    def others() -> None:
        assert store.put_aside(THIRD) and THIRD in store.trash and store.restore(THIRD)

    monkeypatch.setattr(shutil, "rmtree", slow)
    threads.append(threading.Thread(target=doing, args=[store], daemon=True))
    threads[0].start()
    other = threading.Thread(target=others, daemon=True)
    try:
        assert inside.wait(30)
        other.start()
        other.join(10)
        assert not other.is_alive(), "it did not wait"
    finally:
        go.set()
        threads[0].join(30)
    other.join(30)
    assert store.record(THIRD) is not None
    assert not any(path.name.startswith("gone-") for path in store.folder.glob(".trash-*/*"))
    assert not store.restore(FIRST) and not (store.folder / ".trash-dead").exists()


def test_of_what_a_dead_process_left_the_overdue_get_a_name_that_nobody_takes_over(
    store: SongStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    bury(store, SECOND, time.time_ns())
    grave = bury(store, FIRST, time.time_ns() - 3600 * 10**9)
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # killed before it deletes anything
    trash = Trash(store.folder)
    assert SECOND in trash and FIRST not in trash
    assert [path.name for path in grave.parent.iterdir()] == [f"gone-{grave.name}"]
